"""Bars for whoever calls a verb from Python and asks for them with `progress=True`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from timbrel.display.bars import NoBars, progress_bars
from timbrel.errors import InvalidArgument
from timbrel.workflows.observer import EvaluateObserver, TrainObserver

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from timbrel.display.cell import NotebookBars


class BarsObserver(EvaluateObserver):
    """A bar for what is being done, and for an evaluation one over all networks."""

    def __init__(self, bars: Progress | NotebookBars | NoBars) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._stage = ""
        self._networks: TaskID | None = None
        self._begun = 0
        self._figures = ""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Move the bar of a stage."""
        self._move(stage, done, total)
        if done == total:
            self._clear()

    def steps(self, epoch: int, done: int, total: int) -> None:
        """Move the bar of a training."""
        self._move("training", done, total, note=f"epoch {epoch}{self._figures}")

    def epoch(self, row: dict) -> None:
        """Keep the figures of an epoch in sight."""
        said = [f"{key} {row[key]:.3f}" for key in ("loss", "val_acc") if row[key] is not None]
        self._figures = f" (before: {', '.join(said)})"

    def planned(self, networks: int, notes: tuple[str, ...]) -> None:
        """Start the bar over all networks."""
        self._networks = self._bars.add_task("networks", total=networks, note="")

    def task(self, name: str, *, resumed: bool) -> None:
        """Name the network."""
        self._clear()
        self._bars.update(self._networks, completed=self._begun, note=name)
        self._begun += 1

    def scored(self, name: str, what: str) -> None:
        """Count the network, and say how it did."""
        self._clear()
        self._bars.update(self._networks, completed=self._begun, note=f"{name}: {what}")

    def _move(self, stage: str, done: int, total: int, *, note: str = "") -> None:
        if stage != self._stage:
            self._clear()
            self._stage = stage
            self._task = self._bars.add_task(stage, total=total, completed=done, note=note)
        self._bars.update(self._task, completed=done, total=total, note=note)

    def _clear(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task, self._stage, self._figures = None, "", ""


@contextlib.contextmanager
def watched(observer: TrainObserver | None, progress: bool) -> Iterator[TrainObserver]:
    """Who is told how it goes: the caller's observer, bars, or nobody.

    Raises:
        InvalidArgument: both are asked for.
    """
    if not progress:
        yield observer or EvaluateObserver()
        return
    check_one(observer, progress)
    with progress_bars() as bars:
        yield BarsObserver(bars)


def check_one(observer: object | None, progress: bool) -> None:
    """Refuse bars beside an observer, who would have to share what is told.

    Raises:
        InvalidArgument: both are asked for.
    """
    if observer is not None and progress:
        raise InvalidArgument(
            "`progress` and `observer` are told the same; pass one of them. Got both."
        )
