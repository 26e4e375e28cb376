"""`timbrel predict`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from timbrel.cli.console import Quiet, Terminal, Verbose, interrupted_at_once
from timbrel.cli.interrupts import Interrupts
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
from timbrel.wording import counted, one_line

if TYPE_CHECKING:
    from timbrel.audio.pcm import Pcm
    from timbrel.inference.events import EventSettings
    from timbrel.inference.outputs import Output
    from timbrel.inference.prediction import Prediction


class Format(StrEnum):
    """How predictions are written."""

    csv = "csv"
    jsonl = "jsonl"
    audacity = "audacity"
    raven = "raven"
    parquet = "parquet"


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
            help="What a row stands for; event for audacity and raven, else file, by default.",
        ),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", help="Classes that jsonl and parquet list for each row.")
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
    # What is imported here in part cannot be told from what cannot be imported.
    with interrupted_at_once():
        from timbrel.inference.outputs import Layout, opened
        from timbrel.inference.predictor import load
        from timbrel.workflows.predict import expand, predict_each

    if level is None:
        level = Level.event if form in (Format.audacity, Format.raven) else Level.file
    said = {"min_confidence": min_confidence, "min_length": min_length, "max_gap": max_gap}
    events = _events_of(level, {name: value for name, value in said.items() if value is not None})
    stdin = _stdin_of(paths, pcm_of(pcm_rate, pcm_format, pcm_channels))
    predictor = load(model, threshold=threshold, top=top)
    files = expand(paths)
    layout = Layout(form.value, level.value, predictor.windowing.rate)
    run = _Run(terminal, files)
    try:
        with (
            Interrupts() as interrupts,
            opened(output, files, given=paths, layout=layout) as target,
        ):
            found = predict_each(
                files, predictor, level=level.value, events=events, stdin=stdin, tell=run.tell
            )
            run.write(found, target, interrupts)
    except BrokenPipeError:
        # Whoever read our output has enough; stdout must not be flushed again at exit.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise typer.Exit(0) from None
    raise typer.Exit(run.conclude(target, output))


def _events_of(level: Level, said: dict[str, float]) -> EventSettings:
    """What makes an event, which is said for events only."""
    if said and level is not Level.event:
        raise InvalidArgument(f"`{next(iter(said))}` is for events; add --level event.")
    from timbrel.inference.events import EventSettings

    return EventSettings(**said)


def _stdin_of(paths: list[str], pcm: Pcm | None) -> tuple[BinaryIO, Pcm | None] | None:
    """Stdin and what its bytes are, where it is asked for."""
    if paths != ["-"]:
        if pcm is not None:
            raise InvalidArgument("`pcm_rate` is for sound on stdin; the path for that is -.")
        return None
    return piped(), pcm


def _has_row(prediction: Prediction) -> bool:
    """Whether there is more to write of it than its length."""
    return prediction.label is not None or prediction.error is not None


class _Run:
    """Predictions on their way to where they are written, and what was noticed of them.

    Args:
        terminal: where to speak.
        files: what is predicted.
    """

    def __init__(self, terminal: Terminal, files: list[str]) -> None:
        self._terminal = terminal
        self._files = files
        self._failed: dict[str, str] = {}
        self._odd: list[str] = []
        self._note: Callable[[str], None] = lambda note: None

    def tell(self, path: str, seconds: float) -> None:
        """Say how far a recording has been heard."""
        self._note(one_line(f"{timedelta(seconds=int(seconds))} of {path}"))

    def write(
        self, results: Iterable[Iterable[Prediction]], target: Output, interrupts: Interrupts
    ) -> None:
        """Write what is found in each file, until all is done or somebody interrupts."""
        with self._terminal.progress() as bars:
            task = bars.add_task("predicting", total=len(self._files), note="")
            self._note = lambda note: bars.update(task, note=note)
            try:
                with contextlib.closing(results):
                    for path, found in zip(self._files, results, strict=True):
                        target.begin(path)
                        for number, prediction in enumerate(found):
                            if not number:
                                self._notice(prediction)
                            if not target.rows and target.shown and _has_row(prediction):
                                # From here on the rows say how far it is.
                                bars.stop()
                            with interrupts.held():
                                target.write(prediction)
                        with interrupts.held():
                            target.end()
                        bars.advance(task)
                # What is written is now to be closed and renamed.
                interrupts.hold()
            except KeyboardInterrupt:
                target.stop()

    def conclude(self, target: Output, output: str | None) -> int:
        """Say what was odd, what could not be used and where it ended; return the exit status."""
        self._terminal.warn(self._odd)
        status = self._terminal.problems(f"{path}: {why}" for path, why in self._failed.items())
        if not target.stopped:
            return status
        if target.empty and output is not None:
            said = f"Stopped before there was anything to write to {output}."
        else:
            one = target.done == 1
            where = "was written" if one else "were written"
            if output is not None:
                where = f"{'is' if one else 'are'} in {output}"
            said = f"Stopped: {target.done} of {counted(len(self._files), 'recording')} {where}"
            said += f", and the beginning of {target.cut}." if target.cut else "."
        self._terminal.err.print(said, markup=False, soft_wrap=True)
        return 130

    def _notice(self, prediction: Prediction) -> None:
        self._odd += [f"{prediction.path}: {text}" for text in prediction.warnings]
        if prediction.error is not None:
            self._failed[prediction.path] = prediction.error
