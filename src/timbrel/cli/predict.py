"""`timbrel predict`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from timbrel.cli import options
from timbrel.cli.console import Terminal, interrupted_at_once
from timbrel.errors import InvalidArgument
from timbrel.findings import Finding
from timbrel.inference.formats import FORMATS
from timbrel.text import counted

EXAMPLES = """
timbrel predict recording.wav
timbrel predict recordings -m my-model -f jsonl -o predictions.jsonl
timbrel predict long.flac -m my-model -f audacity -o labels.txt
"""


class Interrupts:
    """Turns Ctrl-C and SIGTERM into KeyboardInterrupt, but never within `held` and after `hold`.

    A second signal ends the process at once.
    """

    def __init__(self) -> None:
        self._holding = False
        self._pending = False
        self._usual: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                usual = signal.getsignal(number)
                # Other handlers were set by another program, or are ignored on purpose.
                if usual in (signal.default_int_handler, signal.SIG_DFL):
                    self._usual[number] = usual
                    signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, usual in self._usual.items():
            signal.signal(number, usual)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Delay an interruption until the block is finished."""
        self.hold()
        yield
        self._holding = False
        if self._pending:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """Let everything from here on finish."""
        self._holding = True

    def _handle(self, *_: object) -> None:
        for number in self._usual:
            signal.signal(number, signal.SIG_DFL)
        self._pending = True
        if not self._holding:
            raise KeyboardInterrupt


# The formats that are registered.
Format = StrEnum("Format", list(FORMATS))  # type: ignore[misc]  # The names are not literals.

_OF_EVENTS = [name for name, kind in FORMATS.items() if kind.default_level == "event"]
_WITH_TOP = [name for name, kind in FORMATS.items() if kind.lists_top]

of_events = partial(typer.Option, rich_help_panel="Events")


class Level(StrEnum):
    """What one row is about."""

    file = "file"
    window = "window"
    event = "event"


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH…", help="Files, folders, patterns; - for a sound on stdin."),
    ],
    pcm_rate: options.PcmRate = None,
    pcm_format: options.PcmFormat = options.PcmForm.s16le,
    pcm_channels: options.PcmChannels = 1,
    model: options.ModelPath = None,
    threshold: options.Threshold = None,
    min_confidence: Annotated[
        float | None,
        of_events(
            help="Least probability of a window in an event, instead of --threshold or the model's."
        ),
    ] = None,
    min_length: Annotated[
        float | None, of_events(help="Least length of an event in seconds.")
    ] = None,
    max_gap: Annotated[
        float | None,
        of_events(help="Join events of one class that are at most this many seconds apart."),
    ] = None,
    level: Annotated[
        Level | None,
        options.output(
            "--level",
            "-l",
            help=f"What a row is about; by default event for {' and '.join(_OF_EVENTS)}, else "
            "file.",
        ),
    ] = None,
    form: Annotated[
        Format, options.output("--format", "-f", help="The format of the rows.")
    ] = Format["csv"],
    top: Annotated[
        int, options.output(help=f"Number of classes per row that {' and '.join(_WITH_TOP)} list.")
    ] = 5,
    output: Annotated[
        str | None,
        options.output(
            "--output",
            "-o",
            metavar="FILE|FOLDER/",
            help="Write to a file instead of stdout, or to one file per recording in a folder "
            "(an existing one, or a name that ends with /).",
        ),
    ] = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Classify files, folders or stdin: one row per file, window or event."""
    terminal = Terminal(quiet, verbose)
    # A module that Ctrl-C leaves half imported would look like one that cannot be imported.
    with interrupted_at_once():
        from timbrel.inference.events import EventSettings
        from timbrel.inference.outputs import opened
        from timbrel.inference.predictor import load
        from timbrel.workflows.predict import expand, predict_each

    level = level or Level(FORMATS[form].default_level)
    given = {"min_confidence": min_confidence, "min_length": min_length, "max_gap": max_gap}
    settings = {name: value for name, value in given.items() if value is not None}
    if settings and level is not Level.event:
        raise InvalidArgument(f"`{next(iter(settings))}` is for events; add --level event.")
    events = EventSettings(**settings)
    pcm = options.pcm_of(pcm_rate, pcm_format, pcm_channels)
    from_stdin = paths == ["-"]
    if pcm is not None and not from_stdin:
        raise InvalidArgument("`pcm_rate` is for sound on stdin; the path for that is -.")
    stdin = options.piped() if from_stdin else None
    predictor = load(model, threshold=threshold, top=top)
    files = expand(paths)
    findings: list[Finding] = []
    rate = predictor.windowing.rate
    try:
        with (
            Interrupts() as interrupts,
            opened(
                output, files, given=paths, form=form.value, level=level.value, rate=rate
            ) as target,
            terminal.progress() as bars,
        ):
            done = 0

            def show_position(path: str, seconds: float) -> None:
                note = f"{timedelta(seconds=int(seconds))} of {path}"
                bars.stage("predicting", done, len(files), note)

            results = predict_each(
                files,
                predictor,
                level=level.value,
                events=events,
                stdin=stdin,
                pcm=pcm,
                progress=show_position,
            )
            try:
                with contextlib.closing(results):
                    bars.stage("predicting", 0, len(files))
                    for done, (path, found) in enumerate(zip(files, results, strict=True), 1):
                        target.begin(path)
                        for number, prediction in enumerate(found):
                            # All predictions of a recording have the same findings.
                            if number == 0:
                                findings += prediction.findings
                            if target.shown and not target.rows and not prediction.no_event:
                                # From here on the rows on the screen show the progress.
                                bars.close()
                            with interrupts.held():
                                target.write(prediction)
                        with interrupts.held():
                            target.end()
                        bars.stage("predicting", done, len(files))
                # What is written is to be closed and renamed now.
                interrupts.hold()
            except KeyboardInterrupt:
                target.stop()
    except BrokenPipeError:
        # The reader has closed the pipe; stdout must not be flushed again at exit.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise typer.Exit(0) from None
    status = terminal.findings(findings)
    if target.stopped:
        if target.empty and output is not None:
            sentence = f"Stopped before there was anything to write to {output}"
        else:
            verb = "written" if output is None else f"in {output}"
            sentence = f"Stopped: {target.done} of {counted(len(files), 'recording')} {verb}"
            sentence += f", and the beginning of {target.cut}" if target.cut else ""
        terminal.err.print(f"{sentence}.", soft_wrap=True)
        status = 130
    raise typer.Exit(status)
