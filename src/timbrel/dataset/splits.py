"""Hold whole groups out, stratified by class as far as groups allow."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.dataset.manifest import Recording
from timbrel.errors import DataError, MissingExtra


@dataclass(frozen=True)
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


def hold_out(
    recordings: Sequence[Recording], *, folds: int = 5, seed: int = 0, shrink: bool = True
) -> HoldOut:
    """Hold out the first of `folds` folds, or the last value of the data's own `fold` column.

    Where each recording is its own group the folds are scikit-learn's
    `StratifiedKFold(folds, shuffle=True, random_state=seed)`, else its `StratifiedGroupKFold`.
    `folds` shrinks to the number of groups in the smallest class, or, without `shrink`, in the
    largest one: then small classes may have nothing in the fold. A class with one group stays in
    training.

    Raises:
        DataError: no class has two groups, or a class would have nothing left to train on.
    """
    if any(item.fold for item in recordings):
        return _last_fold(recordings)
    groups_of = defaultdict(set)
    for item in recordings:
        groups_of[item.label].add(item.group)
    single = sorted(label for label, members in groups_of.items() if len(members) == 1)
    if len(single) == len(groups_of):
        raise DataError(
            "Nothing can be held out for the score: no class has two groups. "
            "Add recordings from a second source to the classes."
        )
    notes = [
        f"Class '{label}' has a single {_unit(recordings)}: it is trained on, and left out of "
        "the score."
        for label in single
    ]
    smallest = min((label for label in groups_of if label not in single), key=_size_of(groups_of))
    if not shrink:
        folds = min(folds, max(map(len, groups_of.values())))
    elif (count := len(groups_of[smallest])) < folds:
        notes.append(
            f"1 of {count} folds is held out instead of 1 of {folds}: the smallest class, "
            f"'{smallest}', has {count} {_unit(recordings)}s."
        )
        folds = count
    # The only group of a class is trained on, also where it lends recordings to other classes.
    kept = {group for label in single for group in groups_of[label]}
    free = [number for number, item in enumerate(recordings) if item.group not in kept]
    held_out = np.zeros(len(recordings), dtype=bool)
    held_out[_first_fold(recordings, free, folds=folds, seed=seed)] = True
    return HoldOut(held_out, (*notes, *_absent(recordings, held_out, single)))


def _absent(
    recordings: Sequence[Recording], held_out: np.ndarray, named: Sequence[str] = ()
) -> list[str]:
    """Say which classes the score says nothing about."""
    present = {item.label for item, out in zip(recordings, held_out, strict=True) if out}
    absent = {item.label for item in recordings} - present - set(named)
    return [
        f"Class '{label}' has no recording in the held-out part: it is left out of the score."
        for label in sorted(absent)
    ]


def _size_of(groups_of: dict[str, set[str]]):
    return lambda label: (len(groups_of[label]), label)


def _unit(recordings: Sequence[Recording]) -> str:
    return "recording" if _ungrouped(recordings) else "group"


def _ungrouped(recordings: Sequence[Recording]) -> bool:
    return len({item.group for item in recordings}) == len(recordings)


def _first_fold(
    recordings: Sequence[Recording], free: list[int], *, folds: int, seed: int
) -> np.ndarray:
    """Numbers of the recordings in the first fold that leaves every class some."""
    try:
        from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
    except ModuleNotFoundError as error:
        raise MissingExtra.of("train", "Splitting a data set") from error
    y = np.array([recordings[number].label for number in free])
    group = np.array([recordings[number].group for number in free])
    folds = min(folds, len(set(group)))
    if folds >= 2:
        kind = StratifiedKFold if len(set(group)) == len(group) else StratifiedGroupKFold
        splitter = kind(folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            # It warns of classes with fewer recordings than folds; `_absent` says so better.
            warnings.simplefilter("ignore", UserWarning)
            dealt = list(splitter.split(y, y, group if kind is StratifiedGroupKFold else None))
        classes = {item.label for item in recordings}
        for _, test in dealt:
            chosen = np.array(free)[test]
            left = {item.label for item in np.delete(np.array(recordings, object), chosen)}
            if len(chosen) and left == classes:
                return chosen
    raise DataError(
        "Whole groups cannot be held out without losing a class: some class lies in one fold "
        "whichever way the groups are dealt. Add groups that hold recordings of each class."
    )


def _fold_order(fold: str) -> tuple[bool, float, str]:
    """Numbers in the order of numbers, after names in the order of letters."""
    try:
        return True, float(fold), fold
    except ValueError:
        return False, 0.0, fold


def _last_fold(recordings: Sequence[Recording]) -> HoldOut:
    """Hold out the last value of the fold column, numbers in the order of numbers."""
    without = [item.path for item in recordings if item.fold is None]
    if without:
        raise DataError(
            f"{len(without)} recordings have no fold, the first is '{without[0]}'. "
            "Fill in the column fold for all recordings or remove it."
        )
    values = {item.fold for item in recordings}
    if len(values) < 2:
        raise DataError(
            f"The column fold has one value only, '{values.pop()}'. It needs at least two."
        )
    last = max(values, key=_fold_order)
    held_out = np.array([item.fold == last for item in recordings])
    lost = {item.label for item in recordings} - {
        item.label for item in recordings if item.fold != last
    }
    if lost:
        raise DataError(
            f"Class '{min(lost)}' lies in the held-out fold '{last}' alone. Give it recordings in "
            "another fold."
        )
    trained = {item.group for item in recordings if item.fold != last}
    torn = sorted({item.group for item in recordings if item.fold == last} & trained)
    notes = [f"Held out: fold '{last}' of the data's own folds.", *_absent(recordings, held_out)]
    if torn:
        notes.append(
            f"The data's folds tear {len(torn)} groups apart, '{torn[0]}' among them: "
            "the score is not fully honest."
        )
    return HoldOut(held_out, tuple(notes), grouped=not torn)
