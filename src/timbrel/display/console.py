"""A console and a table that names of files and labels cannot control."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from timbrel.text import harmless, one_line


class HarmlessConsole(Console):
    """Prints control characters as escapes, and no-break spaces as usual ones.

    Its own colours and moves of the cursor work. A closed pipe raises BrokenPipeError.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render an object for printing."""
        for segment in super().render(renderable, options):
            text = harmless(segment.text).replace("\u00a0", " ")
            yield segment if segment.control else segment._replace(text=text)

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, as other streams do."""
        raise BrokenPipeError


class _NamesTable(Table):
    """A table in which each cell of text is one line."""

    def add_row(self, *cells: object, **options: Any) -> None:
        """Add a row; text is not markup."""
        texts = []
        for cell in cells:
            style = cell.style if isinstance(cell, Text) else ""
            texts.append(Text(one_line(str(cell)), style))
        super().add_row(*texts, **options)


def plain_table(title: str, *columns: str) -> Table:
    """A table without lines: the first column to the left, the others to the right."""
    table = _NamesTable(
        title=Text(one_line(title)),
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 2),
    )
    for number, column in enumerate(columns):
        # Names that do not fit go on in the next line: cut short, two may look the same.
        table.add_column(
            column,
            justify="left" if number == 0 else "right",
            no_wrap=number > 0,
            overflow="fold" if number == 0 else "ellipsis",
        )
    return table
