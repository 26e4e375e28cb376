"""Hold recordings out in whole groups, as folds or one split, stratified by class."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from timbrel.dataset.recording import Recording
from timbrel.errors import DataError, InvalidArgument, MissingExtra
from timbrel.findings import Finding
from timbrel.text import counted, plain, plural

FOLDS = 5
BY_GROUP = "group"

# The inner hold-out is small: the network does not learn from it.
_INNER_FOLDS = 8
# Temperature and threshold from fewer recordings are mostly chance: the threshold is the fifth
# lowest score of a hundred right answers, or the lowest of fewer than twenty.
_ENOUGH_TO_CALIBRATE = 10


@dataclass(frozen=True, repr=False)
class Folds:
    """Which fold holds each recording out.

    Attributes:
        number: int64 `(recordings,)`, from 0; −1 for recordings that are trained on in every fold.
        names: the name of each fold.
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
        held_out = plural(int((self.number >= 0).sum()), "recording")
        groups = "whole groups" if self.grouped else "groups split"
        return plain(f"Folds({plural(len(self), 'fold')} of {held_out}, {groups})")


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
        groups = "whole groups" if self.grouped else "groups split"
        total = plural(len(self.held_out), "recording")
        return plain(f"HoldOut({int(self.held_out.sum())} of {total}, {groups})")


@dataclass(frozen=True, repr=False, kw_only=True)
class Parts(HoldOut):
    """The parts of a training; the network learns from what is in neither of these two.

    Attributes:
        held_out: bool `(recordings,)`, for the score.
        inner: bool `(recordings,)`, for temperature, threshold and the `val_` figures.
        findings, grouped: as for a `HoldOut`.
    """

    inner: np.ndarray


def check_folds(folds: int | str | None) -> None:
    """Raise where no data set could be dealt into so many folds.

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
        recordings: the recordings to deal.
        folds: how many; "group" for a fold per group; None for the data's own `fold` column where
            there is one, else 5 or as many as the smallest class has groups.
        seed: of the dealing: scikit-learn's `StratifiedKFold(folds, shuffle=True,
            random_state=seed)` where each recording is its own group, else `StratifiedGroupKFold`.

    Raises:
        DataError: no class has two groups, or the fold column is not filled in.
        InvalidArgument: more folds than the smallest class has groups, or fewer than two.
    """
    labels = np.array([item.label for item in recordings], dtype=object)
    groups = np.array([item.group for item in recordings], dtype=object)
    grouped = True
    if folds is None and any(item.fold for item in recordings):
        names, number = _own_folds(recordings)
        findings = [Finding("own-folds", "", {"folds": names})]
        split = _split_groups(recordings, number)
        if split:
            grouped = False
            findings.append(Finding("split-groups", "", {"groups": split}))
    else:
        kept, findings = _lonely_groups(recordings)
        free = np.flatnonzero([item.group not in kept for item in recordings])
        number = np.full(len(recordings), -1)
        if folds == BY_GROUP:
            names = list(dict.fromkeys(groups[free].tolist()))
            number[free] = [names.index(group) for group in groups[free]]
        else:
            label, size = _smallest_class(recordings)
            count = min(size, FOLDS) if folds is None else folds
            if not isinstance(count, int) or not 2 <= count <= size:
                raise InvalidArgument(
                    f"`--folds` must be between 2 and the number of {_unit(recordings)}s in the "
                    f"smallest class, '{label}' ({size}), or 'group'. Got {folds}."
                )
            if folds is None and count < FOLDS:
                facts = {"folds": count, "usual": FOLDS, "label": label, "unit": _unit(recordings)}
                findings.append(Finding("fewer-folds", "", facts))
            dealt = _deal([recordings[place] for place in free.tolist()], count, seed=seed)
            for fold, part in enumerate(dealt):
                number[free[part]] = fold
            names = [str(fold + 1) for fold in range(len(dealt))]
    for label in sorted(set(labels.tolist())):
        inside = set(number[labels == label].tolist())
        if len(inside) > 1 or inside == {-1}:
            continue
        # All of the class lies in one fold: a group of it leaves the fold.
        fold, group = inside.pop(), groups[labels == label][0]
        number[(groups == group) & (number == fold)] = -1
        facts = {"label": label, "unit": _unit(recordings), "group": group}
        findings.append(Finding("single-fold", "", facts))
    used, renumbered = np.unique(number[number >= 0], return_inverse=True)
    if not len(used):
        raise DataError(
            "Whole groups cannot be held out without losing a class: each class lies in one group. "
            "Add groups that hold recordings of each class."
        )
    number[number >= 0] = renumbered
    return Folds(number, tuple(names[fold] for fold in used), tuple(findings), grouped)


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
    labels = np.array([item.label for item in recordings], dtype=object)
    groups_of = groups_by_label(recordings)
    single: set[str] = set()
    if any(item.fold for item in recordings):
        # The last value, numbers in the order of numbers.
        names, number = _own_folds(recordings)
        held_out = number == len(names) - 1
        lost = set(groups_of) - set(labels[~held_out].tolist())
        if lost:
            raise DataError(
                f"Class '{min(lost)}' lies in the held-out fold '{names[-1]}' alone. Give it "
                "recordings in another fold."
            )
        findings = [Finding("own-fold-held-out", "", {"fold": names[-1]})]
        split = _split_groups(recordings, held_out)
    else:
        split = []
        kept, findings = _lonely_groups(recordings)
        single = {label for label, groups in groups_of.items() if len(groups) == 1}
        label, count = _smallest_class(recordings)
        if not shrink:
            folds = min(folds, max(map(len, groups_of.values())))
        elif count < folds:
            facts = {"folds": count, "usual": folds, "label": label, "unit": _unit(recordings)}
            findings.append(Finding("larger-fold", "", facts))
            folds = count
        free = np.flatnonzero([item.group not in kept for item in recordings])
        # The first fold that leaves some recordings of every class.
        for part in _deal([recordings[place] for place in free.tolist()], folds, seed=seed):
            held_out = np.zeros(len(recordings), dtype=bool)
            held_out[free[part]] = True
            if held_out.any() and set(labels[~held_out].tolist()) == set(groups_of):
                break
        else:
            raise DataError(
                "Whole groups cannot be held out without losing a class: some class lies in one "
                "fold whichever way the groups are dealt. Add groups that hold recordings of each "
                "class."
            )
    # Classes without a score, but for those that are named already.
    absent = set(groups_of) - set(labels[held_out].tolist()) - single
    findings += (Finding("not-held-out", "", {"label": label}) for label in sorted(absent))
    if split:
        findings.append(Finding("split-groups", "", {"groups": split}))
    return HoldOut(held_out, tuple(findings), grouped=not split)


def split_parts(recordings: Sequence[Recording], *, seed: int) -> Parts:
    """Hold one of five folds out for the score, and an eighth of the rest for calibration.

    Raises:
        DataError: nothing can be held out.
    """
    outer = hold_out(recordings, seed=seed)
    left = np.flatnonzero(~outer.held_out)
    findings = list(outer.findings)
    inner = np.zeros(len(recordings), dtype=bool)
    without_folds = [replace(recordings[place], fold=None) for place in left.tolist()]
    try:
        part = hold_out(without_folds, folds=_INNER_FOLDS, seed=seed, shrink=False)
    except DataError:
        findings.append(Finding("not-calibrated", ""))
    else:
        inner[left[part.held_out]] = True
        count = int(inner.sum())
        if count < _ENOUGH_TO_CALIBRATE:
            findings.append(Finding("calibrated-on-few", "", {"count": count}))
    return Parts(outer.held_out, tuple(findings), outer.grouped, inner=inner)


def learned_background(
    background: Sequence[Recording], known: Sequence[Recording], *, seed: int
) -> np.ndarray:
    """Which recordings of no class are learned from; the others test how unknown sounds score.

    The larger half of the groups, or, where the data has folds of its own, all but the last fold.

    Args:
        background: the recordings of no class.
        known: the recordings of classes.
        seed: of the dealing.

    Returns:
        bool `(background,)`.
    """
    if any(item.fold for item in known):
        last = _own_folds(known)[0][-1]
        return np.array([item.fold != last for item in background], dtype=bool)
    groups = sorted({item.group for item in background})
    order = np.random.default_rng(seed).permutation(len(groups))
    learned = {groups[place] for place in order[: -(-len(groups) // 2)]}
    return np.array([item.group in learned for item in background], dtype=bool)


def groups_by_label(recordings: Iterable[Recording]) -> dict[str, set[str]]:
    """The groups that each class has recordings of."""
    groups_of = defaultdict(set)
    for item in recordings:
        groups_of[item.label].add(item.group)
    return dict(groups_of)


def _lonely_groups(recordings: Sequence[Recording]) -> tuple[set[str], list[Finding]]:
    """Groups that are all that a class has, and a finding for each such class.

    They are trained on, together with the recordings of other classes in them.

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
    unit = _unit(recordings)
    findings = [Finding("single-group", "", {"label": label, "unit": unit}) for label in single]
    return {group for label in single for group in groups_of[label]}, findings


def _smallest_class(recordings: Sequence[Recording]) -> tuple[str, int]:
    """The class with the fewest groups among those that have two or more, and how many."""
    sizes = [(len(groups), label) for label, groups in groups_by_label(recordings).items()]
    size, label = min(entry for entry in sizes if entry[0] > 1)
    return label, size


def _unit(recordings: Sequence[Recording]) -> str:
    """What is dealt: "recording" where each is its own group, else "group"."""
    own = len({item.group for item in recordings}) == len(recordings)
    return "recording" if own else "group"


def _deal(recordings: Sequence[Recording], folds: int, *, seed: int) -> list[np.ndarray]:
    """Positions of the recordings in each fold as scikit-learn deals them.

    There are no more folds than groups, and none where there are fewer than two groups.
    """
    try:
        from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
    except ModuleNotFoundError as error:
        raise MissingExtra.of("train", "Splitting a data set") from error
    labels = np.array([item.label for item in recordings])
    groups = np.array([item.group for item in recordings])
    folds = min(folds, len(set(groups)))
    if folds < 2:
        return []
    own = _unit(recordings) == "recording"
    splitter = (StratifiedKFold if own else StratifiedGroupKFold)(
        folds, shuffle=True, random_state=seed
    )
    with warnings.catch_warnings():
        # It warns of classes with fewer recordings than folds; there are findings about those.
        warnings.simplefilter("ignore", UserWarning)
        return [test for _, test in splitter.split(labels, labels, None if own else groups)]


def _own_folds(recordings: Sequence[Recording]) -> tuple[list[str], np.ndarray]:
    """Names of the data's own folds, numbers after other names, and the fold of each recording.

    Raises:
        DataError: some recordings have no fold, or all have the same.
    """

    def order(name: str) -> tuple[bool, float, str]:
        try:
            return True, float(name), name
        except ValueError:
            return False, 0.0, name

    folds = [item.fold for item in recordings if item.fold is not None]
    without = [item.path for item in recordings if item.fold is None]
    if without:
        raise DataError(
            f"{counted(len(without), 'recording has', 'recordings have')} no fold, the first is "
            f"'{without[0]}'. "
            "Fill in the column fold for all recordings or remove it."
        )
    names = sorted(set(folds), key=order)
    if len(names) < 2:
        raise DataError(f"The column fold has one value only, '{names[0]}'. It needs at least two.")
    return names, np.array([names.index(fold) for fold in folds])


def _split_groups(recordings: Sequence[Recording], side: np.ndarray) -> list[str]:
    """The groups that lie on several sides of a split, sorted; `side`: `(recordings,)`."""
    sides_of = defaultdict(set)
    for item, place in zip(recordings, side.tolist(), strict=True):
        sides_of[item.group].add(place)
    return sorted(group for group, sides in sides_of.items() if len(sides) > 1)
