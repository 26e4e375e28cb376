"""How long work says what it is doing: one protocol, and those that draw it.

Progress            draws nothing; the base of the others
├── TerminalProgress    bars on a terminal's stderr
└── NotebookProgress    bars in the cell of a notebook
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from timbrel.display.html import bar, block, note, text
from timbrel.errors import InvalidArgument
from timbrel.text import duration, one_line

if TYPE_CHECKING:
    from rich.console import Console

    from timbrel.findings import Finding

# Seconds: a notebook shows no bar for work that takes less, and draws a bar so often.
_SOON = 0.5
_BETWEEN = 0.2


class Progress:
    """Told how far some work is. Every method does nothing unless it is overridden.

    A verb calls these from the thread that called the verb.
    """

    def stage(self, name: str, done: float, total: float | None, note: str = "") -> None:
        """Say how far a stage of the work is.

        Args:
            name: the stage: "reading", "training", …
            done: what is done of it.
            total: all of it; None where nobody knows. The stage is over when `done` reaches it.
            note: what it is about now: an epoch, a network, a file.
        """

    def row(self, table: str, row: Mapping[str, object]) -> None:
        """Give a row of figures.

        Args:
            table: what the row belongs to: "classes", "weights", "layers", "epochs",
                "fold windows", "folds", …
            row: figures by the name of their column.
        """

    def finding(self, finding: Finding) -> None:
        """Give something that was found in the data, or that a reader of the score should know."""

    def close(self) -> None:
        """Take away what was drawn; nothing is drawn any more."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.close()


class TerminalProgress(Progress):
    """A bar for each stage that is under way, gone when the work is done.

    Args:
        console: where the bars are drawn; none are drawn where it is no terminal.
        disable: draw none anyway.
    """

    def __init__(self, console: Console, *, disable: bool = False) -> None:
        from rich import progress

        self._bars = progress.Progress(
            progress.TextColumn("{task.description:>10}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[note]}", markup=False),
            console=console,
            transient=True,
            disable=disable or not console.is_terminal,
        )
        self._tasks: dict[str, progress.TaskID] = {}

    def stage(self, name: str, done: float, total: float | None, note: str = "") -> None:
        """Move the bar of a stage; one that is done goes when the next one moves."""
        note = one_line(note)
        for over in [
            other for other, task in self._tasks.items() if other != name and self._over(task)
        ]:
            self._bars.remove_task(self._tasks.pop(over))
        if name not in self._tasks:
            # What an earlier run had done says nothing of the speed of this one.
            self._tasks[name] = self._bars.add_task(name, total=total, completed=done, note=note)
        self._bars.update(self._tasks[name], completed=done, total=total, note=note)

    def __enter__(self) -> TerminalProgress:
        self._bars.start()
        return self

    def _over(self, number: int) -> bool:
        return any(task.id == number and task.finished for task in self._bars.tasks)

    def close(self) -> None:
        """Take the bars away."""
        if not self._bars.disable:  # rich 13.8 would print an empty line
            self._bars.stop()


class NotebookProgress(Progress):
    """A bar for each stage in the cell of a notebook; at the end, how long it all took.

    rich needs ipywidgets for that, and what those show is lost where a notebook is only read.
    """

    def __init__(self) -> None:
        self._stages: dict[str, tuple[float, float | None, str]] = {}
        self._handle = None
        self._began = self._drawn = time.monotonic()

    def stage(self, name: str, done: float, total: float | None, note: str = "") -> None:
        """Move the bar of a stage."""
        self._stages[name] = (done, total, note)
        if total is not None and done >= total:
            del self._stages[name]
        now = time.monotonic()
        if now - self._began < _SOON or now - self._drawn < _BETWEEN:
            return
        self._drawn = now
        lines = []
        for stage, (completed, of, said) in self._stages.items():
            counted = f"{completed:,} of {of:,}" if of else ""
            words = " · ".join(filter(None, [counted, text(said)]))
            what = f'{text(stage)} <span class="soft">{words}</span>'
            lines.append(f'<p class="small">{bar(completed / of if of else 0.0)} {what}</p>')
        self._show("".join(lines))

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._handle is not None:
            said = "Done in" if kind is None else "Stopped after"
            self._show(note(f"{said} {duration(time.monotonic() - self._began)}"))

    def _show(self, content: str) -> None:
        # Whoever has this cell has IPython.
        from IPython.display import HTML, display

        page = HTML(block(content))
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)


@contextlib.contextmanager
def watching(progress: Progress | bool | None) -> Iterator[Progress]:
    """Whom to tell how far some work is.

    Args:
        progress: an object to tell, which its owner opens and closes; True for bars in a notebook,
            or on stderr where that is a terminal; False or None for nobody.

    Raises:
        InvalidArgument: `progress` is something else.
    """
    if isinstance(progress, Progress):
        yield progress
        return
    if progress is not None and not isinstance(progress, bool):
        raise InvalidArgument(
            f"`progress` must be True, False or a timbrel.Progress. Got {progress!r}."
        )
    drawn = Progress()
    if progress:
        from rich.console import Console

        console = Console(stderr=True)
        drawn = NotebookProgress() if console.is_jupyter else TerminalProgress(console)
    with drawn as told:
        yield told
