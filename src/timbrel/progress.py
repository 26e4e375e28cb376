"""Progress of long work: one protocol, and its classes that draw.

Progress            draws nothing; the base of the others
├── TerminalProgress    bars on the stderr of a terminal
└── NotebookProgress    bars in the cell of a notebook
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from timbrel.display.html import bar, block, note, text
from timbrel.errors import InvalidArgument
from timbrel.text import duration, one_line

if TYPE_CHECKING:
    from IPython.display import DisplayHandle
    from rich.console import Console

    from timbrel.findings import Finding

# Seconds: a notebook shows no bar for shorter work, and draws its bars at most so often.
_SOON = 0.5
_BETWEEN = 0.2


class Progress:
    """Receives the progress of some work. Every method does nothing unless it is overridden.

    A verb calls these from the thread that called the verb.
    """

    def stage(self, name: str, done: float, total: float | None, note: str = "") -> None:
        """Receive how far a stage of the work is.

        Args:
            name: the stage: "reading", "training", …
            done: the part that is done.
            total: the whole; None if unknown. The stage is over when `done` reaches it.
            note: what is being worked on: an epoch, a network, a file.
        """

    def row(self, table: str, row: Mapping[str, Any]) -> None:
        """Receive a row of figures.

        Args:
            table: the table of the row: "classes", "weights", "layers", "epochs",
                "fold windows", "folds", …
            row: figures by the name of their column.
        """

    def finding(self, finding: Finding) -> None:
        """Receive something about the data or the score that the user should know."""

    def close(self) -> None:
        """Remove what was drawn; nothing is drawn any more."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.close()


class TerminalProgress(Progress):
    """A bar for each stage in progress, removed at the end of the work.

    Args:
        console: where the bars are drawn; none are drawn if it is not a terminal.
        disable: draw none.
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
        """Move the bar of a stage; a finished bar is removed when the next one moves."""
        finished = {task.id for task in self._bars.tasks if task.finished}
        for other, task in list(self._tasks.items()):
            if other != name and task in finished:
                self._bars.remove_task(self._tasks.pop(other))
        if name not in self._tasks:
            # A resumed stage starts here: work of an earlier run must not count as speed.
            self._tasks[name] = self._bars.add_task(name, total=total, completed=int(done), note="")
        self._bars.update(self._tasks[name], completed=done, total=total, note=one_line(note))

    def __enter__(self) -> TerminalProgress:
        self._bars.start()
        return self

    def close(self) -> None:
        """Remove the bars."""
        if not self._bars.disable:  # rich 13.8 would print an empty line
            self._bars.stop()


class NotebookProgress(Progress):
    """A bar for each stage in the cell of a notebook; at the end, how long the work took.

    rich needs ipywidgets for that, whose output is lost in a saved notebook.
    """

    def __init__(self) -> None:
        self._stages: dict[str, tuple[float, float | None, str]] = {}
        self._handle: DisplayHandle | None = None
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
        for stage, (completed, whole, detail) in self._stages.items():
            counted = f"{completed:,} of {whole:,}" if whole else ""
            words = " · ".join(filter(None, [counted, text(detail)]))
            label = f'{text(stage)} <span class="soft">{words}</span>'
            drawn = bar(completed / whole if whole else 0.0)
            lines.append(f'<p class="small">{drawn} {label}</p>')
        self._show("".join(lines))

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._handle is not None:
            ended = "Done in" if kind is None else "Stopped after"
            self._show(note(f"{ended} {duration(time.monotonic() - self._began)}"))

    def _show(self, content: str) -> None:
        # A notebook has IPython.
        from IPython.display import HTML, display

        page = HTML(block(content))
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)


@contextlib.contextmanager
def watching(progress: Progress | bool | None) -> Iterator[Progress]:
    """The progress object that a verb reports to.

    Args:
        progress: an object, which its owner opens and closes; True for bars in a notebook, or on
            stderr if that is a terminal; False or None for none.

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
    with drawn as entered:
        yield entered
