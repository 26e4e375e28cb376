"""Hold recordings out in whole groups, as folds or one split, stratified by class."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from timbrel.dataset.manifest import Recording
from timbrel.errors import DataError, InvalidArgument, MissingExtra
from timbrel.findings import Finding
from timbrel.text import counted, plain, plural

FOLDS = 5
BY_GROUP = "group"


@dataclass(frozen=True, repr=False)
class Folds:
    """Which fold holds each recording out.

    Attributes:
        number: int64 `(recordings,)`, from 0; −1 for recordings that are trained on in every fold.
        names: what to call each fold.
        findings: what a reader of the score should know.
        grouped: whether no group lies in two folds.
    """

    number: np.ndarray
    names: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    grouped: bool = True

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the score should know, in sentences."""
        return tuple(item.text for item in self.findings)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        held = int((self.number >= 0).sum())
        whole = "whole groups" if self.grouped else "groups split"
        said = f"{plural(len(self), 'fold')} of {plural(held, 'recording')}, {whole}"
        return plain(f"Folds({said})")


def check_folds(folds: int | str | None) -> None:
    """Refuse what no data set could be dealt into.

    Raises:
        InvalidArgument: it is neither a number from 2 on, nor "group", nor None.
    """
    if folds not in (None, BY_GROUP) and not (isinstance(folds, int) and folds >= 2):
        raise InvalidArgument(f"`--folds` must be 2 or more, or 'group'. Got {folds}.")


def deal_folds(
    recordings: Sequence[Recording], folds: int | str | None = None, *, seed: int = 0
) -> Folds:
    """Deal recordings into folds, so that each is held out once.

    A class that would have nothing left to train on in some fold keeps one group in training
    everywhere; that group is left out of the score, and a finding says so.

    Args:
        recordings: what is dealt.
        folds: how many; "group" for a fold a group; None for the data's own `fold` column where
            there is one, else 5 or as many as the smallest class has groups.
        seed: of the dealing: scikit-learn's `StratifiedKFold(folds, shuffle=True,
            random_state=seed)` where each recording is its own group, else `StratifiedGroupKFold`.

    Raises:
        DataError: no class has two groups, or the fold column is not filled in.
        InvalidArgument: more folds than the smallest class has groups, or fewer than two.
    """
    if folds is None and any(item.fold for item in recordings):
        names, number = own_folds(recordings)
        findings = [Finding("own-folds", "", {"folds": names})]
        split = groups_on_several_sides(recordings, number)
        grouped = not split
        if split:
            findings.append(Finding("split-groups", "", {"groups": split}))
    else:
        kept, findings = lonely_groups(recordings)
        free = [place for place, item in enumerate(recordings) if item.group not in kept]
        number, grouped = np.full(len(recordings), -1), True
        if folds == BY_GROUP:
            names = list(dict.fromkeys(recordings[place].group for place in free))
            number[free] = [names.index(recordings[place].group) for place in free]
        else:
            count = _how_many(recordings, folds)
            if folds is None and count < FOLDS:
                label, _ = smallest_class(recordings)
                facts = {"folds": count, "usual": FOLDS, "label": label, "unit": unit(recordings)}
                findings.append(Finding("fewer-folds", "", facts))
            parts = deal_groups([recordings[place] for place in free], count, seed=seed)
            for fold, part in enumerate(parts):
                number[np.array(free)[part]] = fold
            names = [str(fold + 1) for fold in range(len(parts))]
    findings += _keep_lost_classes(recordings, number)
    used = [fold for fold in range(len(names)) if (number == fold).any()]
    if not used:
        raise DataError(
            "Whole groups cannot be held out without losing a class: each class lies in one group. "
            "Add groups that hold recordings of each class."
        )
    places = {fold: place for place, fold in enumerate(used)}
    number = np.array([places.get(int(fold), -1) for fold in number])
    return Folds(number, tuple(names[fold] for fold in used), tuple(findings), grouped)


def lonely_groups(recordings: Sequence[Recording]) -> tuple[set[str], list[Finding]]:
    """Groups that must be trained on because they are all that a class has.

    The only group of a class is trained on also where it lends recordings to other classes.

    Returns:
        The groups, and a finding for each such class.

    Raises:
        DataError: no class has two groups.
    """
    groups_of = groups_by_label(recordings)
    single = sorted(label for label, members in groups_of.items() if len(members) == 1)
    if len(single) == len(groups_of):
        raise DataError(
            "Nothing can be held out for the score: no class has two groups. "
            "Add recordings from a second source to the classes."
        )
    findings = [
        Finding("single-group", "", {"label": label, "unit": unit(recordings)}) for label in single
    ]
    return {group for label in single for group in groups_of[label]}, findings


def groups_by_label(recordings: Iterable[Recording]) -> dict[str, set[str]]:
    """The groups that each class has recordings of."""
    groups_of = defaultdict(set)
    for item in recordings:
        groups_of[item.label].add(item.group)
    return dict(groups_of)


def smallest_class(recordings: Sequence[Recording]) -> tuple[str, int]:
    """The class with the fewest groups among those that have two or more, and how many."""
    sizes = [(len(groups), label) for label, groups in groups_by_label(recordings).items()]
    size, label = min(entry for entry in sizes if entry[0] > 1)
    return label, size


def unit(recordings: Sequence[Recording]) -> str:
    """What is dealt: "recording" where each is its own group, else "group"."""
    return "recording" if _ungrouped(recordings) else "group"


def deal_groups(recordings: Sequence[Recording], folds: int, *, seed: int) -> list[np.ndarray]:
    """Deal with scikit-learn.

    Args:
        recordings: all may be held out.
        folds: how many; where there are fewer groups, as many as there are.
        seed: of the dealing.

    Returns:
        Positions of the recordings in each fold; nothing where there are fewer than two groups.
    """
    try:
        from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
    except ModuleNotFoundError as error:
        raise MissingExtra.of("train", "Splitting a data set") from error
    y = np.array([item.label for item in recordings])
    group = np.array([item.group for item in recordings])
    folds = min(folds, len(set(group)))
    if folds < 2:
        return []
    own = _ungrouped(recordings)
    splitter = (StratifiedKFold if own else StratifiedGroupKFold)(
        folds, shuffle=True, random_state=seed
    )
    with warnings.catch_warnings():
        # It warns of classes with fewer recordings than folds; the findings say so better.
        warnings.simplefilter("ignore", UserWarning)
        return [test for _, test in splitter.split(y, y, None if own else group)]


def own_folds(recordings: Sequence[Recording]) -> tuple[list[str], np.ndarray]:
    """The data's own folds.

    Returns:
        Their names, numbers in the order of numbers after names in the order of letters, and int64
        `(recordings,)`, the fold of each recording.

    Raises:
        DataError: some recordings have no fold, or all have the same.
    """
    without = [item.path for item in recordings if item.fold is None]
    if without:
        raise DataError(
            f"{counted(len(without), 'recording has', 'recordings have')} no fold, the first is "
            f"'{without[0]}'. "
            "Fill in the column fold for all recordings or remove it."
        )
    names = sorted({item.fold for item in recordings}, key=_fold_order)
    if len(names) < 2:
        raise DataError(f"The column fold has one value only, '{names[0]}'. It needs at least two.")
    return names, np.array([names.index(item.fold) for item in recordings])


def _how_many(recordings: Sequence[Recording], folds: int | str | None) -> int:
    label, size = smallest_class(recordings)
    if folds is None:
        return min(size, FOLDS)
    if not isinstance(folds, int) or not 2 <= folds <= size:
        raise InvalidArgument(
            f"`--folds` must be between 2 and the number of {unit(recordings)}s in the smallest "
            f"class, '{label}' ({size}), or 'group'. Got {folds}."
        )
    return folds


def _keep_lost_classes(recordings: Sequence[Recording], number: np.ndarray) -> list[Finding]:
    """Take a group of every class that lies in one fold alone out of that fold, in place."""
    findings = []
    for label in sorted({item.label for item in recordings}):
        members = [place for place, item in enumerate(recordings) if item.label == label]
        where = set(number[members].tolist())
        if len(where) > 1 or where == {-1}:
            continue
        group, fold = recordings[members[0]].group, where.pop()
        for place, item in enumerate(recordings):
            if item.group == group and number[place] == fold:
                number[place] = -1
        facts = {"label": label, "unit": unit(recordings), "group": group}
        findings.append(Finding("single-fold", "", facts))
    return findings


def groups_on_several_sides(recordings: Sequence[Recording], side: np.ndarray) -> list[str]:
    """The groups that a split divides, sorted.

    Args:
        recordings: the recordings.
        side: `(recordings,)`, the fold or the part that each lies in.
    """
    sides_of = defaultdict(set)
    for item, place in zip(recordings, side.tolist(), strict=True):
        sides_of[item.group].add(place)
    return sorted(group for group, sides in sides_of.items() if len(sides) > 1)


def _ungrouped(recordings: Sequence[Recording]) -> bool:
    return len({item.group for item in recordings}) == len(recordings)


def _fold_order(fold: str) -> tuple[bool, float, str]:
    try:
        return True, float(fold), fold
    except ValueError:
        return False, 0.0, fold


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
