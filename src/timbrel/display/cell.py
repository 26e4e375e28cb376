"""Bars of progress in the cell of a notebook."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, replace

from timbrel.display.html import bar, block, note, text
from timbrel.wording import duration

# Seconds: work that takes less shows no bar, and how often a bar is drawn.
_SOON = 0.5
_BETWEEN = 0.2


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
