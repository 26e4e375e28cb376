"""Bars of progress: in the cell of a notebook, on stderr where that is a terminal, else nowhere."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from timbrel.display.html import bar, block, note, text
from timbrel.wording import duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

Stages = Callable[[str, int, int], None]
Steps = Callable[[int, int], None]

# Seconds: work that takes less shows no bar in a notebook, and how often a bar there is drawn.
_SOON = 0.5
_BETWEEN = 0.2


class NoBars:
    """What takes the place of progress bars where none are shown."""

    def __enter__(self) -> NoBars:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def add_task(self, description: str, **fields: object) -> TaskID:
        """Take a task that nobody watches."""
        return 0

    def remove_task(self, task_id: TaskID) -> None:
        """Forget it."""

    def advance(self, task_id: TaskID) -> None:
        """Move no bar."""

    def update(self, task_id: TaskID, **fields: object) -> None:
        """Move no bar."""


@dataclass(frozen=True)
class _Task:
    description: str
    total: float | None
    completed: float = 0
    note: str = ""
    visible: bool = True


class NotebookBars:
    """Progress bars in the cell of a notebook, with the methods of rich's that are used here.

    rich needs ipywidgets for that, and what those show is lost where a notebook is only read. This
    needs nothing but the notebook. When the work is done, a line says how long it took.
    """

    def __init__(self) -> None:
        self._tasks: dict[int, _Task] = {}
        self._numbers = itertools.count()
        self._handle = None
        self._began = self._drawn = 0.0

    def __enter__(self) -> NotebookBars:
        self._began = self._drawn = time.monotonic()
        return self

    def __exit__(self, kind: type | None, *error: object) -> None:
        if self._handle is not None:
            said = "Done in" if kind is None else "Stopped after"
            self._show(note(f"{said} {duration(time.monotonic() - self._began)}"))

    def add_task(
        self, description: str, *, total: float | None, completed: float = 0, note: str = ""
    ) -> int:
        """Begin a bar."""
        number = next(self._numbers)
        self._tasks[number] = _Task(description, total, completed, note)
        self._draw()
        return number

    def remove_task(self, task_id: int) -> None:
        """End a bar."""
        del self._tasks[task_id]
        self._draw()

    def advance(self, task_id: int) -> None:
        """Move a bar by one."""
        self.update(task_id, completed=self._tasks[task_id].completed + 1)

    def update(self, task_id: int, **fields: object) -> None:
        """Change `completed`, `total`, `note` or `visible` of a bar."""
        self._tasks[task_id] = replace(self._tasks[task_id], **fields)
        self._draw()

    def _draw(self) -> None:
        now = time.monotonic()
        if now - self._began < _SOON or now - self._drawn < _BETWEEN:
            return
        self._drawn = now
        self._show("".join(_task_line(task) for task in self._tasks.values() if task.visible))

    def _show(self, content: str) -> None:
        # Who has this cell has IPython.
        from IPython.display import HTML, display

        page = HTML(block(content))
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)


def _task_line(task: _Task) -> str:
    share = task.completed / task.total if task.total else 0.0
    counted = f"{task.completed:,} of {task.total:,}" if task.total else ""
    said = " · ".join(filter(None, [counted, text(task.note)]))
    what = f'{text(task.description)} <span class="soft">{said}</span>'
    return f'<p class="small">{bar(share)} {what}</p>'


class StageBars:
    """A bar for each stage of some work.

    Args:
        bars: where they are shown.
    """

    def __init__(self, bars: Progress | NotebookBars | NoBars) -> None:
        self._bars = bars
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def move(self, stage: str, done: int, total: int, *, note: str = "") -> None:
        """Move the bar of a stage, which stands once for each note, such as a model's name."""
        if (stage, note) not in self._tasks:
            self._tasks[stage, note] = self._bars.add_task(stage, total=total, note=note)
        self._bars.update(self._tasks[stage, note], completed=done, total=total)


def rich_bars(console: Console) -> Progress:
    """rich's progress bars with the columns that we use, gone when the work is done."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        transient=True,
    )


def progress_bars() -> Progress | NotebookBars | NoBars:
    """Bars where they can be seen: in a notebook, or on stderr where that is a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter:
        return NotebookBars()
    return rich_bars(console) if console.is_terminal else NoBars()


@contextlib.contextmanager
def telling_stages(progress: Stages | bool | None) -> Iterator[Stages]:
    """Who to tell how far a stage is: a function, bars (True), or nobody."""
    if callable(progress):
        yield progress
    elif progress:
        with progress_bars() as bars:
            yield StageBars(bars).move
    else:
        yield lambda stage, done, total: None


@contextlib.contextmanager
def telling_steps(progress: Steps | bool | None, stage: str) -> Iterator[Steps]:
    """Who to tell how far the one stage is: a function, a bar (True), or nobody."""
    if callable(progress):
        yield progress
        return
    with telling_stages(progress) as tell:
        yield lambda done, total: tell(stage, done, total)
