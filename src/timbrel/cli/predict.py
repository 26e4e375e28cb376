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
from typing import Annotated

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
from timbrel.errors import InvalidArgument
from timbrel.findings import Finding
from timbrel.inference.formats import FORMATS
from timbrel.text import counted


class Interrupts:
    """Makes Ctrl-C and SIGTERM a KeyboardInterrupt, but never amid something that must be whole.

    A further one ends the process at once.
    """

    def __init__(self) -> None:
        self._holding = False
        self._pending = False
        self._usual: dict[int, object] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number, usual in (
                (signal.SIGINT, signal.default_int_handler),
                (signal.SIGTERM, signal.SIG_DFL),
            ):
                # Anything else is somebody else's, or ignored on purpose.
                if signal.getsignal(number) is usual:
                    self._usual[number] = usual
                    signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, usual in self._usual.items():
            signal.signal(number, usual)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let what is done inside be finished before it is interrupted."""
        self.hold()
        yield
        self._holding = False
        if self._pending:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """Let what is done from here on be finished."""
        self._holding = True

    def _heard(self, *_: object) -> None:
        for number in self._usual:
            signal.signal(number, signal.SIG_DFL)
        self._pending = True
        if not self._holding:
            raise KeyboardInterrupt


# The formats that predictions can be written in.
Format = StrEnum("Format", list(FORMATS))

_OF_EVENTS = [name for name, kind in FORMATS.items() if kind.default_level == "event"]
_WITH_TOP = [name for name, kind in FORMATS.items() if kind.lists_top]


class Level(StrEnum):
    """What one row stands for."""

    file = "file"
    window = "window"
    event = "event"


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH…", help="Files, folders, patterns; - for a sound on stdin."),
    ],
    model: ModelPath = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to write.")] = Format.csv,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER/",
            help="Write to a file instead of stdout, or to a file for each recording in a folder "
            "(one that exists, or with / at its end).",
        ),
    ] = None,
    level: Annotated[
        Level | None,
        typer.Option(
            "--level",
            "-l",
            help=f"What a row stands for; event for {' and '.join(_OF_EVENTS)}, else file, by "
            "default.",
        ),
    ] = None,
    top: Annotated[
        int,
        typer.Option("--top", help=f"Classes that {' and '.join(_WITH_TOP)} list for each row."),
    ] = 5,
    threshold: Threshold = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            "--min-confidence",
            help="Probability that a window of an event needs, instead of --threshold or the "
            "model's.",
        ),
    ] = None,
    min_length: Annotated[
        float | None, typer.Option("--min-length", help="Seconds that an event lasts at least.")
    ] = None,
    max_gap: Annotated[
        float | None,
        typer.Option("--max-gap", help="Seconds between events of one class that are closed."),
    ] = None,
    pcm_rate: PcmRate = None,
    pcm_format: PcmFormat = PcmForm.s16le,
    pcm_channels: PcmChannels = 1,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what is heard in files, folders or stdin: one row a file, a window or an event."""
    terminal = Terminal(quiet, verbose)
    # A module that Ctrl-C leaves half imported would look like one that cannot be imported.
    with interrupted_at_once():
        from timbrel.inference.events import EventSettings
        from timbrel.inference.outputs import opened
        from timbrel.inference.predictor import load
        from timbrel.workflows.predict import expand, predict_each

    level = level or Level(FORMATS[form].default_level)
    settings = {"min_confidence": min_confidence, "min_length": min_length, "max_gap": max_gap}
    settings = {name: value for name, value in settings.items() if value is not None}
    if settings and level is not Level.event:
        raise InvalidArgument(f"`{next(iter(settings))}` is for events; add --level event.")
    events = EventSettings(**settings)
    pcm = pcm_of(pcm_rate, pcm_format, pcm_channels)
    from_stdin = paths == ["-"]
    if pcm is not None and not from_stdin:
        raise InvalidArgument("`pcm_rate` is for sound on stdin; the path for that is -.")
    stdin = piped() if from_stdin else None
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
                            # All predictions for a recording have the same.
                            if number == 0:
                                findings += prediction.findings
                            if target.shown and not target.rows and not prediction.no_event:
                                # From here on the rows show how far it is.
                                bars.close()
                            with interrupts.held():
                                target.write(prediction)
                        with interrupts.held():
                            target.end()
                        bars.stage("predicting", done, len(files))
                # What is written is now to be closed and renamed.
                interrupts.hold()
            except KeyboardInterrupt:
                target.stop()
    except BrokenPipeError:
        # Whoever read our output has enough; stdout must not be flushed again at exit.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise typer.Exit(0) from None
    status = terminal.findings(findings)
    if target.stopped:
        if target.empty and output is not None:
            sentence = f"Stopped before there was anything to write to {output}."
        else:
            are = "is" if target.done == 1 else "are"
            were = "was" if target.done == 1 else "were"
            where = f"{were} written" if output is None else f"{are} in {output}"
            sentence = f"Stopped: {target.done} of {counted(len(files), 'recording')} {where}"
            sentence += f", and the beginning of {target.cut}." if target.cut else "."
        terminal.err.print(sentence, markup=False, soft_wrap=True)
        status = 130
    raise typer.Exit(status)
