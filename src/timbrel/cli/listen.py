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

from timbrel.cli.console import Quiet, Terminal, Verbose, interrupted_at_once
from timbrel.cli.options import (
    ModelPath,
    PcmChannels,
    PcmForm,
    PcmFormat,
    PcmRate,
    Threshold,
    pcm_of,
    piped,
)
from timbrel.errors import AudioError, InvalidArgument
from timbrel.text import counted, one_line, rows_to

if TYPE_CHECKING:
    from timbrel.audio.microphone import Microphone
    from timbrel.inference.predictor import Predictor
    from timbrel.workflows.listen import Live

# The meter shows levels from this to full scale.
_FLOOR_DB = -60.0
_BLOCKS = "▁▂▃▄▅▆▇█"


class Form(StrEnum):
    """How answers are shown."""

    text = "text"
    jsonl = "jsonl"


def listen(
    source: Annotated[
        str | None,
        typer.Argument(metavar="[-]", help="- for sound on stdin; a microphone by default."),
    ] = None,
    model: ModelPath = None,
    form: Annotated[
        Form, typer.Option("--format", "-f", help="Lines to look at, or JSON for programs.")
    ] = Form.text,
    device: Annotated[
        str | None, typer.Option("--device", help="A microphone, by number or part of its name.")
    ] = None,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="Say which microphones there are.")
    ] = False,
    pcm_rate: PcmRate = None,
    pcm_format: PcmFormat = PcmForm.s16le,
    pcm_channels: PcmChannels = 1,
    top: Annotated[int, typer.Option("--top", help="Classes that jsonl lists for each line.")] = 5,
    threshold: Threshold = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what is heard live, from a microphone or from stdin: one line a window."""
    terminal = Terminal(quiet, verbose)
    if list_devices:
        _list_devices()
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
    microphone = None
    if source == "-":
        from timbrel.audio.pcm import read_stream

        try:
            rate, pieces = read_stream(piped(), pcm_of(pcm_rate, pcm_format, pcm_channels))
        except AudioError as error:
            raise typer.Exit(terminal.problems([error.finding])) from error
    else:
        from timbrel.audio.microphone import Microphone, choose

        microphone = pieces = Microphone(choose(device))
        rate = microphone.device.rate
    terminal.say(_introduction(predictor, microphone))
    printer = _Jsonl() if form is Form.jsonl else _Lines()
    status = _show(workflow(pieces, rate, predictor), printer, terminal)
    if microphone is not None and microphone.lost:
        terminal.warn([f"sound was lost {microphone.lost} times; this machine is too slow or busy"])
    raise typer.Exit(status)


def _show(predictions: Iterable[Live], printer: _Lines | _Jsonl, terminal: Terminal) -> int:
    """Print predictions until they end, or Ctrl-C ends them; return the exit status."""
    latencies: list[float] = []
    status = 0
    try:
        with contextlib.suppress(KeyboardInterrupt), contextlib.closing(printer):
            for live in predictions:
                latencies.append(live.latency)
                printer.write(live)
    except BrokenPipeError:
        # Whoever read our output has enough; stdout must not be flushed again at exit.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    except AudioError as error:
        status = terminal.problems([error.finding])
    if latencies:
        latencies.sort()
        median = latencies[len(latencies) // 2]
        terminal.say(
            f"{counted(len(latencies), 'answer')}, each {1000 * median:.0f} ms (median; "
            f"at most {1000 * latencies[-1]:.0f} ms) after the last sample that it is about."
        )
    return status


def _introduction(predictor: Predictor, microphone: Microphone | None) -> str:
    windowing = predictor.windowing
    window, hop = windowing.window / windowing.rate, windowing.hop / windowing.rate
    text = f"Listening to {microphone.device.name if microphone else 'stdin'}; "
    text += f"an answer every {hop:.3g} s, about the last {window:.3g} s."
    if windowing.clean_threshold is not None:
        lag = windowing.clean_window / 2
        text += f" Silence is cut, which is certain {lag:.3g} s later."
    return f"{text} Ctrl-C ends it."


def _list_devices() -> None:
    from timbrel.audio.microphone import devices

    for item in devices():
        usual = "  (used by default)" if item.usual else ""
        channels = "1 channel" if item.channels == 1 else f"{item.channels} channels"
        typer.echo(one_line(f"{item.number:>3}  {item.name}, {channels}, {item.rate} Hz{usual}"))


class _Jsonl:
    """Prints the fields of each prediction, the level and the latency."""

    def write(self, live: Live) -> None:
        """Print a line of JSON."""
        level = None if live.level == float("-inf") else round(live.level, 2)
        row = live.prediction.to_dict() | {"level": level, "latency": round(live.latency, 6)}
        rows_to(sys.stdout).write(json.dumps(row, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def close(self) -> None:
        """Nothing is left to print."""


class _Lines:
    """Prints a line for each prediction; on a terminal, equal answers in a row share one."""

    def __init__(self) -> None:
        self._on_terminal = sys.stdout.isatty()
        self._last: str | None = None

    def write(self, live: Live) -> None:
        """Print a line, or replace the last one."""
        item = live.prediction
        if item.predicted is None:
            answer = "silence"
        elif item.accepted:
            answer = item.label
        else:
            answer = f"unknown ({item.predicted}?)"
        answer = one_line(answer)
        probability = "" if item.probability is None else f"{100 * item.probability:4.0f} %"
        line = f"{item.end:8.1f} s  {_meter(live.level)}  {probability:6}  {answer}"
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


def _meter(level: float) -> str:
    """Eight blocks that rise to the level, and the level in dB."""
    share = min(max(1 - level / _FLOOR_DB, 0.0), 1.0)
    shown = round(share * len(_BLOCKS))
    number = "  −∞" if level < -999 else f"{level:4.0f}"
    return f"{_BLOCKS[:shown]:<8} {number} dB"
