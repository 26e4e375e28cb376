"""`timbrel predict`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from timbrel.cli.console import Quiet, Terminal, Verbose
from timbrel.errors import InvalidArgument
from timbrel.files import replacing


class Format(StrEnum):
    """How predictions are written."""

    csv = "csv"
    jsonl = "jsonl"


class Level(StrEnum):
    """What one row stands for."""

    file = "file"
    window = "window"


def predict(
    paths: Annotated[list[str], typer.Argument(metavar="PATH…", help="Files and folders.")],
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="A model directory or its model.onnx.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to write.")] = Format.csv,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to a file instead of stdout.")
    ] = None,
    level: Annotated[Level, typer.Option("--level", help="One row a file or a window.")] = (
        Level.file
    ),
    top: Annotated[int, typer.Option("--top", help="Classes that jsonl lists for each row.")] = 5,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="Probability that a class needs, instead of the model's."),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what is heard in files and folders: one row a file, or a window."""
    if model is None:
        raise InvalidArgument("No model given; pass -m MODEL.")
    terminal = Terminal(quiet, verbose)
    from timbrel.inference.predictor import load
    from timbrel.inference.writers import write_predictions
    from timbrel.workflows.predict import expand
    from timbrel.workflows.predict import predict as workflow

    predictor = load(model, threshold=threshold, top=top)
    files = expand(paths)
    failed: dict[str, str] = {}
    odd: list[str] = []
    with terminal.progress() as bars, _target(output) as stream:
        task = bars.add_task("predicting", total=len(files), note="")

        def watched(predictions: Iterable) -> Iterator:
            last = None
            for item in predictions:
                if item.path != last:
                    bars.advance(task)
                    last = item.path
                    odd.extend(f"{item.path}: {text}" for text in item.warnings)
                if item.error:
                    failed[item.path] = item.error
                yield item

        found = watched(workflow(files, predictor, level=level.value))
        try:
            write_predictions(found, stream, form=form.value, level=level.value)
        except BrokenPipeError:
            # Whoever read our output has enough; stdout must not be flushed again at exit.
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            raise typer.Exit(0) from None
    terminal.warn(odd)
    raise typer.Exit(terminal.problems(f"{path}: {error}" for path, error in failed.items()))


@contextlib.contextmanager
def _target(output: Path | None) -> Iterator:
    """Stdout, or a file that appears under its name when it is whole."""
    if output is None:
        yield sys.stdout
        return
    with (
        replacing(output) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        yield stream
