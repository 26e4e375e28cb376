"""A recording with its label and group, and a data set of them."""

from __future__ import annotations

import math
import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from timbrel.display.html import bar, block, named, note, sentences, table, text, title
from timbrel.findings import Finding
from timbrel.text import first_names, plain, plural, shorten

# Labels, in any case, of recordings that belong to no class.
NONE_OF_THESE = frozenset({"noise", "silence", "background", "unknown"})

# Seconds by which neighbouring stretches may overlap: edges are drawn by hand, and times rounded.
_TOUCH = 0.02
# In a notebook: classes that are shown, and characters of a label.
_ROWS, _LONG_LABEL = 30, 48


@dataclass(frozen=True, repr=False)
class Recording:
    """One labelled recording, or a stretch of one.

    Attributes:
        path: its name in the data set, joined with `/`.
        file: the sound file.
        label: its class as text.
        group: recordings that a split must keep together share it.
        fold: the data's own fold, or None.
        start, end: the stretch in seconds, or None for all of it.
    """

    path: str
    file: Path
    label: str
    group: str
    fold: str | None = None
    start: float | None = None
    end: float | None = None

    def __repr__(self) -> str:
        more = {"group": self.group if self.group != self.path else None, "fold": self.fold}
        extra = "".join(f", {key} {value!r}" for key, value in more.items() if value is not None)
        return plain(f"Recording({self.name!r}: {self.label!r}{extra})")

    @property
    def none_of_these(self) -> bool:
        """Whether it is an example of no class."""
        return self.label.casefold() in NONE_OF_THESE

    @property
    def times(self) -> str:
        """The stretch in seconds, to a millisecond; empty where it is all of the recording."""
        if self.start is None and self.end is None:
            return ""
        times = [f"{time or 0.0:.3f}".rstrip("0").rstrip(".") for time in (self.start, self.end)]
        return f"{times[0]}–{'end' if self.end is None else times[1]} s"

    @property
    def name(self) -> str:
        """The path, and the stretch where there is one."""
        return f"{self.path} [{self.times}]" if self.times else self.path


@dataclass(frozen=True, repr=False)
class Dataset:
    """Labelled recordings.

    Attributes:
        source: folder or CSV, as the user named it.
        recordings: in the order of the CSV, or sorted by path and time.
        findings: rows that could not be used, and what was left out or decided.
    """

    source: str
    recordings: tuple[Recording, ...]
    findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        labels = self.labels
        content = f"{plural(len(self.recordings), 'recording')}, "
        content += f"{plural(len(labels), 'class', 'classes')}: {first_names(labels)}"
        left = f"; {plural(len(self.problems), 'row')} not usable" if self.problems else ""
        return plain(f"Dataset({self.source!r}: {content}{left})")

    def _repr_html_(self) -> str:
        labels, counts = self.labels, self.counts()
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
        head = f"{plural(len(self.recordings), 'recording')} of "
        head += plural(len(labels), "class", "classes")
        groups = len({item.group for item in self.recordings})
        grouped = f"in {plural(groups, 'group')}" if groups < len(self.recordings) else ""
        more = len(rows) - _ROWS
        return block(
            title(head),
            note(text(self.source), grouped),
            table(("class", "recordings", "", ""), rows[:_ROWS], numbers=(2,)),
            note(f"… and {more:,} more") if more > 0 else "",
            sentences(self.findings),
        )

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Rows and folders that could not be used."""
        return tuple(item for item in self.findings if item.unusable)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out or decided, in sentences."""
        return tuple(item.text for item in self.findings if not item.unusable)

    @property
    def labels(self) -> list[str]:
        """The classes, sorted; examples of none of these are not among them."""
        return sorted({item.label for item in self.recordings if not item.none_of_these})

    def counts(self) -> Counter[str]:
        """Recordings per label."""
        return Counter(item.label for item in self.recordings)


def targets(recordings: Sequence[Recording], labels: Sequence[str]) -> np.ndarray:
    """Class of each recording, int64 `(recordings,)`; −1 where it is none of `labels`."""
    number = {label: place for place, label in enumerate(labels)}
    return np.array([number.get(item.label, -1) for item in recordings], dtype=np.int64)


def settle_repeats(
    recordings: Iterable[Recording], source: str
) -> tuple[list[Recording], list[Finding]]:
    """Remove rows that contradict another one, and rows that only repeat one.

    Two rows contradict each other where they name the same recording, their times overlap by
    more than 20 ms and their labels differ: neither is kept. Stretches of one label may overlap.
    Takes time O(n log n) for n stretches of a recording.

    Args:
        recordings: one for each row.
        source: the data set.

    Returns:
        The remaining rows in their order, and a finding for each row that is contradicted and one
        for all that are repeated.
    """
    kept: list[Recording] = []
    by_path: dict[str, list[int]] = {}
    seen: set[tuple] = set()
    repeated = 0
    for item in recordings:
        path = posixpath.normpath(item.path)
        key = (path, item.label, item.start, item.end)
        if key in seen:
            repeated += 1
            continue
        seen.add(key)
        by_path.setdefault(path, []).append(len(kept))
        kept.append(item)
    rivals: dict[int, int] = {}
    for numbers in by_path.values():
        found = _rivals([kept[number] for number in numbers])
        rivals |= {numbers[one]: numbers[other] for one, other in found.items()}
    findings = []
    for number in sorted(rivals):
        item, other = kept[number], kept[rivals[number]]
        if item.times == other.times:
            # Both rows have the same name, so one finding is about both.
            one, two = (kept[place].label for place in sorted((number, rivals[number])))
            finding = Finding("two-labels", item.name, {"label": one, "other": two})
        else:
            facts = {"label": item.label, "other": other.label, "where": other.times or "all"}
            finding = Finding("overlapping-labels", item.name, facts)
        findings.append(finding)
    findings = list(dict.fromkeys(findings))
    if repeated:
        findings.append(Finding("repeated-rows", source, {"count": repeated}))
    return [item for number, item in enumerate(kept) if number not in rivals], findings


def _rivals(items: Sequence[Recording]) -> dict[int, int]:
    """For each stretch of a recording that contradicts others, the number of one of them."""
    labels = [item.label for item in items]
    spans = [(item.start or 0.0, math.inf if item.end is None else item.end) for item in items]
    order = sorted(range(len(items)), key=spans.__getitem__)
    found: dict[int, int] = {}
    # Each stretch against those that begin after it, by mirrored times, then against those before.
    mirrored = [(-end, -start) for start, end in spans]
    for times, numbers in ((mirrored, order[::-1]), (spans, order)):
        # It is enough to know the last one to end, and the last one to end of another label.
        latest: list[int] = []
        for number in numbers:
            rival = next((each for each in latest if labels[each] != labels[number]), None)
            if rival is not None and times[rival][1] > times[number][0] + _TOUCH:
                found[number] = rival
            last, *rest = sorted([*latest, number], key=lambda each: -times[each][1])
            latest = [last, *(each for each in rest if labels[each] != labels[last])][:2]
    return found
