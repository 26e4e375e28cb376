"""A data set as HTML: what a notebook shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from timbrel.display.html import bar, block, named, note, sentences, table, text, title
from timbrel.wording import plural, shorten

if TYPE_CHECKING:
    from timbrel.dataset.recording import Dataset

_ROWS = 30
_LONG_LABEL = 48


def dataset_html(dataset: Dataset) -> str:
    """How many recordings each class has, and what was noticed while reading the list."""
    labels, counts = dataset.labels, dataset.counts()
    most = max(counts.values(), default=1)
    others = sorted(set(counts) - set(labels))
    rows = [
        (
            named(shorten(label, _LONG_LABEL)),
            bar(counts[label] / most, "other" if label in others else ""),
            f"{counts[label]:,}",
            '<span class="soft">none of the classes</span>' if label in others else "",
        )
        for label in [*labels, *others]
    ]
    head = f"{plural(len(dataset.recordings), 'recording')} of "
    head += plural(len(labels), "class", "classes")
    groups = len({item.group for item in dataset.recordings})
    grouped = f"in {plural(groups, 'group')}" if groups < len(dataset.recordings) else ""
    more = len(rows) - _ROWS
    return block(
        title(head),
        note(text(dataset.source), grouped),
        table(("class", "recordings", "", ""), rows[:_ROWS], numbers=(2,)),
        note(f"… and {more:,} more") if more > 0 else "",
        sentences(dataset.findings),
    )
