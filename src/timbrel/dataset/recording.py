"""What a data set is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from timbrel.findings import Finding
from timbrel.wording import first_names, plain, plural

# Labels (whatever their case) of examples that belong to no class.
NONE_OF_THESE = frozenset({"noise", "silence", "background", "unknown"})


@dataclass(frozen=True, repr=False)
class Recording:
    """One labelled recording, or a stretch of one.

    Attributes:
        path: as the data names it, joined with `/`.
        file: where it lies.
        label: its class as text.
        group: recordings that must not be torn apart by a split share it.
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
        said = "".join(f", {key} {value!r}" for key, value in more.items() if value is not None)
        return plain(f"Recording({self.name!r}: {self.label!r}{said})")

    @property
    def none_of_these(self) -> bool:
        """Whether it is an example of no class."""
        return self.label.casefold() in NONE_OF_THESE

    @property
    def times(self) -> str:
        """The stretch in seconds, to a millisecond; empty where it is all of the recording."""
        if self.start is None and self.end is None:
            return ""
        end = "end" if self.end is None else _seconds(self.end)
        return f"{_seconds(self.start or 0.0)}–{end} s"

    @property
    def name(self) -> str:
        """The path, and the stretch where there is one."""
        return f"{self.path} [{self.times}]" if self.times else self.path


def _seconds(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, repr=False)
class Dataset:
    """Labelled recordings.

    Attributes:
        source: what the user named.
        recordings: in the order of the CSV, or sorted by path and time.
        findings: rows that could not be used, and what was passed over or decided.
    """

    source: str
    recordings: tuple[Recording, ...]
    findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        labels = self.labels
        what = f"{plural(len(self.recordings), 'recording')}, "
        what += f"{plural(len(labels), 'class', 'classes')}: {first_names(labels)}"
        left = f"; {plural(len(self.problems), 'row')} not usable" if self.problems else ""
        return plain(f"Dataset({self.source!r}: {what}{left})")

    def _repr_html_(self) -> str:
        from timbrel.dataset.drawing import dataset_html

        return dataset_html(self)

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Rows and folders that could not be used."""
        return tuple(item for item in self.findings if item.unusable)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was passed over or decided, in sentences."""
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
