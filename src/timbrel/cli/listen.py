"""`timbrel listen`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from timbrel.cli import options
from timbrel.cli.console import Terminal, interrupted_at_once
from timbrel.errors import AudioError, InvalidArgument
from timbrel.text import counted, one_line, rows_to

if TYPE_CHECKING:
    import numpy as np

    from timbrel.workflows.listen import Live

# The meter shows levels from this to full scale.
_FLOOR_DB = -60.0
_BLOCKS = "▁▂▃▄▅▆▇█"

EXAMPLES = """
timbrel listen
timbrel listen --list-devices
arecord -q -f S16_LE -r 16000 | timbrel listen - --pcm-rate 16000 -f jsonl
"""


class Form(StrEnum):
    """How predictions are printed."""

    text = "text"
    jsonl = "jsonl"


def listen(
    source: Annotated[
        str | None,
        typer.Argument(metavar="[-]", help="- for sound on stdin; by default a microphone."),
    ] = None,
    device: Annotated[
        str | None, options.source(help="A microphone, by number or part of its name.")
    ] = None,
    list_devices: Annotated[
        bool, options.source("--list-devices", help="List the microphones.")
    ] = False,
    pcm_rate: options.PcmRate = None,
    pcm_format: options.PcmFormat = options.PcmForm.s16le,
    pcm_channels: options.PcmChannels = 1,
    model: options.ModelPath = None,
    threshold: options.Threshold = None,
    form: Annotated[
        Form, options.output("--format", "-f", help="Text to read, or JSON for programs.")
    ] = Form.text,
    top: Annotated[int, options.output(help="Number of classes per line that jsonl lists.")] = 5,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Classify live sound from a microphone or stdin: one line per window."""
    terminal = Terminal(quiet, verbose)
    if list_devices:
        from timbrel.audio.microphone import devices

        for item in devices():
            usual = "  (used by default)" if item.usual else ""
            channels = counted(item.channels, "channel")
            line = f"{item.number:>3}  {item.name}, {channels}, {item.rate} Hz{usual}"
            typer.echo(one_line(line))
        return
    if source not in (None, "-"):
        raise InvalidArgument(
            f"`listen` takes a microphone, or - for stdin. Got '{source}'; for files there is "
            "timbrel predict."
        )
    if source is None and pcm_rate is not None:
        raise InvalidArgument("`pcm_rate` is for sound on stdin; give - as well.")
    if source == "-" and device is not None:
        raise InvalidArgument("`device` is for microphones; leave out - or the device.")
    with interrupted_at_once():
        from timbrel.inference.predictor import load
        from timbrel.workflows.listen import listen as workflow

    predictor = load(model, threshold=threshold, top=top)
    pieces: Iterable[np.ndarray]
    if source == "-":
        from timbrel.audio.pcm import read_stream

        microphone, name = None, "stdin"
        try:
            pcm = options.pcm_of(pcm_rate, pcm_format, pcm_channels)
            rate, pieces = read_stream(options.piped(), pcm)
        except AudioError as error:
            raise typer.Exit(terminal.problems([error.finding])) from error
    else:
        from timbrel.audio.microphone import Microphone, choose

        pieces = microphone = Microphone(choose(device))
        rate, name = microphone.device.rate, microphone.device.name
    windowing = predictor.windowing
    window, hop = windowing.window / windowing.rate, windowing.hop / windowing.rate
    text = f"Listening to {name}; one line every {hop:.3g} s, about the last {window:.3g} s."
    if windowing.clean_threshold is not None:
        text += f" Silence is cut out {windowing.clean_window / 2:.3g} s later."
    terminal.say(f"{text} Ctrl-C ends it.")

    lines = _Lines()
    latencies: list[float] = []
    status = 0
    try:
        with contextlib.suppress(KeyboardInterrupt), contextlib.closing(lines):
            for live in workflow(pieces, rate, predictor):
                latencies.append(live.latency)
                if form is Form.text:
                    lines.write(live)
                else:
                    level = None if live.level == float("-inf") else round(live.level, 2)
                    row = live.prediction.to_dict()
                    row |= {"level": level, "latency": round(live.latency, 6)}
                    rows_to(sys.stdout).write(json.dumps(row, ensure_ascii=False) + "\n")
                    sys.stdout.flush()
    except BrokenPipeError:
        # The reader has closed the pipe; stdout must not be flushed again at exit.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    except AudioError as error:
        status = terminal.problems([error.finding])
    if latencies:
        latencies.sort()
        median = latencies[len(latencies) // 2]
        terminal.say(
            f"{counted(len(latencies), 'prediction')}, each {1000 * median:.0f} ms (median; "
            f"at most {1000 * latencies[-1]:.0f} ms) after the end of its window."
        )
    if microphone is not None and microphone.lost:
        lost = counted(microphone.lost, "time")
        terminal.warn([f"sound was lost {lost}; this machine is too slow or busy"])
    raise typer.Exit(status)


class _Lines:
    """Prints a line for each prediction; on a terminal, equal predictions in a row share one."""

    def __init__(self) -> None:
        self._on_terminal = sys.stdout.isatty()
        self._last: str | None = None

    def write(self, live: Live) -> None:
        """Print a line, or replace the last one."""
        item = live.prediction
        answer = item.label if item.accepted else f"unknown ({item.predicted}?)"
        answer = "silence" if item.predicted is None else one_line(answer or "")
        probability = "" if item.probability is None else f"{100 * item.probability:4.0f} %"
        # A meter of eight blocks that rise to the level, and the level in dB.
        share = min(max(1 - live.level / _FLOOR_DB, 0.0), 1.0)
        meter = _BLOCKS[: round(share * len(_BLOCKS))]
        level = "  −∞" if live.level < -999 else f"{live.level:4.0f}"
        line = f"{item.end:8.1f} s  {meter:<8} {level} dB  {probability:6}  {answer}"
        if not self._on_terminal:
            sys.stdout.write(f"{line}\n")
        else:
            replaces = self._last in (None, answer)
            sys.stdout.write(f"\r{line}\033[K" if replaces else f"\n{line}\033[K")
        self._last = answer
        sys.stdout.flush()

    def close(self) -> None:
        """End the line that was begun."""
        if self._on_terminal and self._last is not None:
            sys.stdout.write("\n")
            sys.stdout.flush()
