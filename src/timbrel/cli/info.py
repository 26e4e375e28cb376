"""`timbrel info`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbrel.cli.console import Terminal
from timbrel.wording import harmless

if TYPE_CHECKING:
    from timbrel.workflows.info import ModelInfo


def info(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="A model directory or its model.onnx; the instrument model that is built in, by "
            "default.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say what a model is: classes, front end, honest scores, thresholds, where it comes from."""
    from timbrel.workflows import info as workflow

    found = workflow.info(model)
    if as_json:
        text = json.dumps(found.to_dict(), indent=2, ensure_ascii=False) + "\n"
        sys.stdout.write(harmless(text) if sys.stdout.isatty() else text)
        return
    _show(Terminal(), found)


def _show(terminal: Terminal, found: ModelInfo) -> None:
    """Print what it is, how good it is, where it comes from, and the score class by class."""
    from timbrel.cli.model_tables import about_table, origin_table, score_table
    from timbrel.cli.tables import class_table

    tables = [about_table(found), score_table(found), origin_table(found)]
    if found.evaluation:
        classes = class_table({"labels": found.labels, **found.evaluation})
        # Close together, so that it fits a terminal of 80 columns with most labels.
        classes.padding = (0, 1)
        for column in classes.columns[0], classes.columns[-1]:
            column.overflow = "fold"
        tables.append(classes)
    for number, table in enumerate(tables):
        terminal.out.print(*[""] * (number > 0), table, sep="\n")
