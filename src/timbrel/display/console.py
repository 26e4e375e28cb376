"""A console that names of files and labels cannot command."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from timbrel.wording import harmless


class HarmlessConsole(Console):
    """Shows control characters in what it prints as escapes; its own colours and moves work.

    Where nobody reads what it prints, that raises BrokenPipeError.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render what is to be printed."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=harmless(segment.text))

    def on_broken_pipe(self) -> None:
        """Let the program end as it does wherever else it writes."""
        raise BrokenPipeError
