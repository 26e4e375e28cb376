"""Hold one fold of whole groups out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from timbrel.dataset.folds import (
    FOLDS,
    deal_groups,
    groups_by_label,
    groups_on_several_sides,
    lonely_groups,
    own_folds,
    smallest_class,
    unit,
)
from timbrel.dataset.manifest import Recording
from timbrel.errors import DataError
from timbrel.findings import Finding
from timbrel.wording import plain, plural


@dataclass(frozen=True, repr=False)
class HoldOut:
    """Which recordings are kept for the score.

    Attributes:
        held_out: bool `(recordings,)`.
        findings: what a reader of the score should know.
        grouped: whether every group lies on one side.
    """

    held_out: np.ndarray
    findings: tuple[Finding, ...] = ()
    grouped: bool = True

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the score should know, in sentences."""
        return tuple(item.text for item in self.findings)

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
    kept, findings = lonely_groups(recordings)
    label, count = smallest_class(recordings)
    if not shrink:
        folds = min(folds, max(map(len, groups_by_label(recordings).values())))
    elif count < folds:
        facts = {"folds": count, "usual": folds, "label": label, "unit": unit(recordings)}
        findings.append(Finding("larger-fold", "", facts))
        folds = count
    free = [place for place, item in enumerate(recordings) if item.group not in kept]
    held_out = np.zeros(len(recordings), dtype=bool)
    held_out[_first_fold(recordings, free, folds=folds, seed=seed)] = True
    groups = groups_by_label(recordings)
    single = {label for label in groups if len(groups[label]) == 1}
    return HoldOut(held_out, (*findings, *_absent(recordings, held_out, single)))


def _absent(
    recordings: Sequence[Recording], held_out: np.ndarray, named: set[str] | None = None
) -> list[Finding]:
    """The classes that the score says nothing about, but for those that are named already."""
    present = {item.label for item, out in zip(recordings, held_out, strict=True) if out}
    absent = {item.label for item in recordings} - present - (named or set())
    return [Finding("not-held-out", "", {"label": label}) for label in sorted(absent)]


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
    split = groups_on_several_sides(recordings, held_out)
    findings = [
        Finding("own-fold-held-out", "", {"fold": names[-1]}),
        *_absent(recordings, held_out),
    ]
    if split:
        findings.append(Finding("split-groups", "", {"groups": split}))
    return HoldOut(held_out, tuple(findings), grouped=not split)


# The inner hold-out is small: what it takes, the network does not learn from.
_INNER_FOLDS = 8
# Temperature and threshold from fewer are mostly chance: the threshold is the fifth least sure of a
# hundred right answers, or the least sure of fewer than twenty.
_ENOUGH_TO_CALIBRATE = 10


@dataclass(frozen=True)
class Parts:
    """Which recordings serve what; the network learns from what is in neither part.

    Attributes:
        held_out: bool `(recordings,)`, for the score.
        inner: bool `(recordings,)`, for temperature, threshold and the `val_` figures.
        findings: what a reader of the score should know.
        grouped: whether no group is on both sides of the score.
    """

    held_out: np.ndarray
    inner: np.ndarray
    findings: tuple[Finding, ...]
    grouped: bool


def split_parts(recordings: Sequence[Recording], *, seed: int) -> Parts:
    """Hold one of five folds out for the score, and an eighth of the rest for calibration.

    Raises:
        DataError: nothing can be held out.
    """
    outer = hold_out(recordings, seed=seed)
    left = np.flatnonzero(~outer.held_out)
    findings = [*outer.findings]
    inner_mask = np.zeros(len(recordings), dtype=bool)
    without_folds = [replace(recordings[number], fold=None) for number in left]
    try:
        inner = hold_out(without_folds, folds=_INNER_FOLDS, seed=seed, shrink=False)
    except DataError:
        findings.append(Finding("not-calibrated", ""))
    else:
        inner_mask[left[inner.held_out]] = True
        count = int(inner_mask.sum())
        if count < _ENOUGH_TO_CALIBRATE:
            findings.append(Finding("calibrated-on-few", "", {"count": count}))
    return Parts(outer.held_out, inner_mask, tuple(findings), outer.grouped)


def learned_background(
    background: Sequence[Recording], known: Sequence[Recording], *, seed: int
) -> np.ndarray:
    """Which examples of no class are learned from; the others test how unknown sounds fare.

    The larger half of the groups, or, where the data has folds of its own, all but the last fold.

    Args:
        background: the examples.
        known: the recordings of classes.
        seed: of the dealing.

    Returns:
        bool `(examples,)`.
    """
    if any(item.fold for item in known):
        last = own_folds(known)[0][-1]
        return np.array([item.fold != last for item in background], dtype=bool)
    groups = sorted({item.group for item in background})
    order = np.random.default_rng(seed).permutation(len(groups))
    learned = {groups[place] for place in order[: -(-len(groups) // 2)]}
    return np.array([item.group in learned for item in background], dtype=bool)
