"""Scores and models laid out for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from timbrel.report.view import (
    Figure,
    ScoreView,
    Table,
    differences,
    model_tables,
    models_table,
)
from timbrel.text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

# Width of the names of facts, so that tables below each other are aligned.
_NAMES = 13
# Names of rows up to this width are broken last where a table is too wide.
_ROW_NAMES = 20


def print_score(out: Console, view: ScoreView, *, whole: bool = False) -> None:
    """Print a score and the other results of an evaluation.

    Args:
        out: the console to print to.
        view: the score.
        whole: print the score class by class and the learning curve, too.
    """
    for table in (view.classes, view.learning) if whole else ():
        if table:
            out.print(rich_table(table), "", sep="\n")
    measured = str(view.measured)
    if view.compared.rows:
        out.print(rich_table(replace(view.compared, title=view.headline)))
        measured = view.measured.more
    for statement in (measured, *view.statements):
        out.print("", one_line(str(statement)), sep="\n", markup=False, soft_wrap=True)


def print_models(out: Console, names: Sequence[str], evaluations: Sequence[Mapping]) -> None:
    """Print finished models side by side; takes what `models_table` takes."""
    out.print(rich_table(models_table(names, evaluations)))
    for sentence in differences(names, evaluations):
        out.print(one_line(sentence), markup=False, soft_wrap=True)


def print_model(out: Console, found: Mapping[str, Any]) -> None:
    """Print the description of a model; takes the result of `ModelInfo.to_dict`."""
    about, score, *others = model_tables(found)
    notes = [("note", note) for note in found["notes"]]
    out.print(rich_table(about))
    for table in (replace(score, rows=[*score.rows, *notes]), *others):
        out.print("", rich_table(table), sep="\n")


def rich_table(table: Table) -> RichTable:
    """Lay out a table; a column of figures with intervals is followed by these."""
    # rich takes longer to import than a file to predict.
    from timbrel.display.console import plain_table

    drawn = plain_table(table.title)
    if not any(table.columns):
        # Names to the left, sentences to the right.
        drawn.show_header = False
        drawn.add_column(no_wrap=True, style="dim", min_width=_NAMES)
        drawn.add_column(overflow="fold")
        for row in table.rows:
            drawn.add_row(*map(str, row))
        return drawn
    # Close together, so that names have room on a terminal of 80 columns.
    drawn.padding = (0, 1)
    cells: list[list[str]] = [[] for _ in table.rows]
    for place, column in enumerate(table.columns):
        words = place == 0 or column in table.words
        values = [row[place] for row in table.rows]
        texts = [value.text if isinstance(value, Figure) else value for value in values]
        # Names that do not fit go on in the next line: cut short, two may look the same.
        drawn.add_column(
            column,
            justify="left" if words else "right",
            no_wrap=not words,
            overflow="fold" if words else "ellipsis",
            min_width=min(max(map(len, texts), default=0), _ROW_NAMES) if place == 0 else None,
        )
        for row, text in zip(cells, texts, strict=True):
            row.append(text)
        if any(item.interval for item in table.figures(place)):
            drawn.add_column("95 %", justify="right", no_wrap=True)
            for row, value in zip(cells, values, strict=True):
                row.append(value.interval if isinstance(value, Figure) else "")
    for row in cells:
        drawn.add_row(*row)
    return drawn
