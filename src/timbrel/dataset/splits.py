"""Hold one fold of whole groups out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.dataset.folds import (
    FOLDS,
    deal_groups,
    groups_by_label,
    lonely_groups,
    own_folds,
    smallest_class,
    unit,
)
from timbrel.dataset.manifest import Recording
from timbrel.errors import DataError
from timbrel.wording import counted, plain, plural


@dataclass(frozen=True, repr=False)
class HoldOut:
    """Which recordings are kept for the score.

    Attributes:
        held_out: bool `(recordings,)`.
        notes: what a reader of the score should know, in sentences.
        grouped: whether every group lies on one side.
    """

    held_out: np.ndarray
    notes: tuple[str, ...] = ()
    grouped: bool = True

    def __repr__(self) -> str:
        whole = "whole groups" if self.grouped else "groups split"
        return plain(
            f"HoldOut({int(self.held_out.sum())} of {plural(len(self.held_out), 'recording')}, "
            f"{whole})"
        )


def hold_out(
    recordings: Sequence[Recording], *, folds: int = FOLDS, seed: int = 0, shrink: bool = True
) -> HoldOut:
    """Hold out the first of `folds` folds, or the last value of the data's own `fold` column.

    The folds are those of `deal_folds`. Their number shrinks to the number of groups in the
    smallest class, or, without `shrink`, in the largest one: then small classes may have nothing
    in the fold. A class with one group stays in training.

    Raises:
        DataError: no class has two groups, or a class would have nothing left to train on.
    """
    if any(item.fold for item in recordings):
        return _last_fold(recordings)
    kept, notes = lonely_groups(recordings)
    label, count = smallest_class(recordings)
    if not shrink:
        folds = min(folds, max(map(len, groups_by_label(recordings).values())))
    elif count < folds:
        notes.append(
            f"1 of {count} folds is held out instead of 1 of {folds}: the smallest class, "
            f"'{label}', has {count} {unit(recordings)}s."
        )
        folds = count
    free = [place for place, item in enumerate(recordings) if item.group not in kept]
    held_out = np.zeros(len(recordings), dtype=bool)
    held_out[_first_fold(recordings, free, folds=folds, seed=seed)] = True
    groups = groups_by_label(recordings)
    single = {label for label in groups if len(groups[label]) == 1}
    return HoldOut(held_out, (*notes, *_absent(recordings, held_out, single)))


def _absent(
    recordings: Sequence[Recording], held_out: np.ndarray, named: set[str] | None = None
) -> list[str]:
    """Say which classes the score says nothing about."""
    present = {item.label for item, out in zip(recordings, held_out, strict=True) if out}
    absent = {item.label for item in recordings} - present - (named or set())
    return [
        f"Class '{label}' has no recording in the held-out part: it is left out of the score."
        for label in sorted(absent)
    ]


def _first_fold(
    recordings: Sequence[Recording], free: list[int], *, folds: int, seed: int
) -> np.ndarray:
    """Numbers of the recordings in the first fold that leaves every class some."""
    classes = {item.label for item in recordings}
    for test in deal_groups([recordings[place] for place in free], folds, seed=seed):
        chosen = np.array(free)[test]
        left = {item.label for item in np.delete(np.array(recordings, object), chosen)}
        if len(chosen) and left == classes:
            return chosen
    raise DataError(
        "Whole groups cannot be held out without losing a class: some class lies in one fold "
        "whichever way the groups are dealt. Add groups that hold recordings of each class."
    )


def _last_fold(recordings: Sequence[Recording]) -> HoldOut:
    """Hold out the last value of the fold column, numbers in the order of numbers."""
    names, number = own_folds(recordings)
    held_out = number == len(names) - 1
    trained = [item for item, out in zip(recordings, held_out, strict=True) if not out]
    lost = {item.label for item in recordings} - {item.label for item in trained}
    if lost:
        raise DataError(
            f"Class '{min(lost)}' lies in the held-out fold '{names[-1]}' alone. Give it "
            "recordings in another fold."
        )
    tested = {item.group for item, out in zip(recordings, held_out, strict=True) if out}
    torn = sorted(tested & {item.group for item in trained})
    notes = [
        f"Held out: fold '{names[-1]}' of the data's own folds.",
        *_absent(recordings, held_out),
    ]
    if torn:
        notes.append(
            f"The data's folds tear {counted(len(torn), 'group')} apart, '{torn[0]}' among them: "
            "the score is not fully honest."
        )
    return HoldOut(held_out, tuple(notes), grouped=not torn)
