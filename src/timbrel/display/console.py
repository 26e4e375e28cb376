"""A console and a table that names of files and labels cannot command."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from timbrel.text import harmless, one_line


class HarmlessConsole(Console):
    """Shows control characters in what it prints as escapes; its own colours and moves work.

    Spaces that do not break keep lines whole and are printed as usual ones, which other programs
    find. Where nobody reads what it prints, that raises BrokenPipeError.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render what is to be printed."""
        for segment in super().render(renderable, options):
            text = harmless(segment.text).replace("\u00a0", " ")
            yield segment if segment.control else segment._replace(text=text)

    def on_broken_pipe(self) -> None:
        """Let the program end as it does wherever else it writes."""
        raise BrokenPipeError


class _NamesTable(Table):
    """A table in which each cell of text is one line, whatever names hold."""

    def add_row(self, *cells: str | Text, **options: object) -> None:
        """Add a row; text is not markup."""
        super().add_row(*map(_whole, cells), **options)


def _whole(cell: str | Text) -> Text:
    style = cell.style if isinstance(cell, Text) else ""
    return Text(one_line(str(cell)), style)


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
