"""Rows for other programs, harmless where a terminal shows them instead."""

from __future__ import annotations

from typing import TextIO

from timbrel.wording import one_line


class TerminalRows:
    """Writes rows to a terminal, each in one line and without control characters.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, row: str) -> None:
        """Write a row, or several cells of one, with the end of its line."""
        end = "\n" if row.endswith("\n") else ""
        self._stream.write(one_line(row.removesuffix("\n")) + end)


def rows_to(stream: TextIO) -> TextIO | TerminalRows:
    """Where to write rows: files and pipes get them as they are."""
    return TerminalRows(stream) if stream.isatty() else stream
