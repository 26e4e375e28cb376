"""Bars of progress: in the cell of a notebook, on stderr where that is a terminal, else nowhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from timbrel.wording import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from timbrel.display.cell import NotebookBars

Stages = Callable[[str, int, int], None]
Steps = Callable[[int, int], None]


class NoBars:
    """What takes the place of progress bars where none are shown."""

    def __enter__(self) -> NoBars:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def stop(self) -> None:
        """Take no bar away."""

    def add_task(self, description: str, **fields: object) -> TaskID:
        """Take a task that nobody watches."""
        return 0

    def remove_task(self, task_id: TaskID) -> None:
        """Forget it."""

    def advance(self, task_id: TaskID) -> None:
        """Move no bar."""

    def update(self, task_id: TaskID, **fields: object) -> None:
        """Move no bar."""


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
        note = one_line(note)
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
        from timbrel.display.cell import NotebookBars

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
