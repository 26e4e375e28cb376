"""Recordings that are probably labelled wrongly.

A recording is suspected when models that have not heard its group are sure that it belongs to
another class. How sure is sure differs from class to class: confident learning (Northcutt, Jiang &
Chuang 2021, "Confident learning: estimating uncertainty in dataset labels") measures it by the
mean probability that a class gets from its own recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.errors import InvalidArgument

# A recording is named when two to one speak for another class. At that, and with one label in
# twenty wrong, about as many are right as the confidence says.
_SURE = 2 / 3
# Share of a class's usual probability that it must reach to be suggested.
_CREDIBLE = 0.5
# At most one recording in so many of a class is named: where most of a class look wrong it is the
# class that is hard to tell, or the models that have too little of it.
_ONE_IN = 3
_TINY = 1e-9


@dataclass(frozen=True)
class Suspect:
    """A recording that is probably mislabelled.

    Attributes:
        index: its number among the recordings.
        suggested: the class that it sounds like.
        confidence: how far the evidence is against the label, 0.67 to 1. Where about one label in
            twenty is wrong it is near the share of suspects of that confidence that are.
    """

    index: int
    suggested: str
    confidence: float


def find_mislabelled(
    statistics: np.ndarray,
    labels: Sequence[str],
    groups: Sequence[str],
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Suspect]:
    """List the recordings whose labels a fast model does not believe.

    Every recording is judged by models that have learned from other groups alone. A class that has
    a single group cannot be judged and takes no part. The order of the recordings does not matter.

    Args:
        statistics: float `(n, d)`, a row a recording; see
            `timbrel.features.statistics.file_statistics`.
        labels: the label of each recording.
        groups: the group of each recording; one of its own where it belongs with no other.
        seed: of folds and trees.
        progress: called after each fold with the number of folds done and in all.

    Returns:
        The suspects, surest first; at most a third of any class, so none of a class of one or two.

    Raises:
        InvalidArgument: the lengths differ, or a statistic is not finite.
        MissingExtra: scikit-learn or SciPy is not installed.
    """
    statistics = _checked(statistics, labels, groups)
    numbers = _in_canonical_order(statistics, labels, groups)
    classes = sorted({labels[number] for number in numbers})
    if len(classes) < 2:
        return []
    from timbrel.evaluation.fast_model import out_of_fold

    target = np.array([classes.index(labels[number]) for number in numbers])
    group = np.array([groups[number] for number in numbers])
    probabilities = out_of_fold(statistics[numbers], target, group, seed=seed, progress=progress)
    judged = np.isfinite(probabilities[:, 0])
    found = suspicious(probabilities[judged], target[judged], classes)
    original = numbers[judged]
    return [Suspect(int(original[item.index]), item.suggested, item.confidence) for item in found]


def suspicious(
    probabilities: np.ndarray, target: np.ndarray, labels: Sequence[str]
) -> list[Suspect]:
    """List the recordings whose labels out-of-fold probabilities contradict.

    The other class is the most probable one that is not the label. The ratio is
    p(other) / p(label), or the same with both divided by the mean probability that their class
    gets from its own recordings, whichever is less. Its evidence is ratio / (ratio + classes),
    since a label that is wrong may be any of them: where there are many, a wrong one gets little
    by chance. A recording is named where that reaches 2/3 and p(other) half of its class's mean.
    Ratios stand where confident learning compares p(other) with the mean itself, which passes
    over two in five planted errors.

    Args:
        probabilities: float `(n, classes)`, of models that have not learned from the recording.
        target: int `(n,)`, the labels as classes.
        labels: name of each class.

    Returns:
        The suspects, surest first, equals in their order; at most a third of any class.
    """
    rows = np.arange(len(target))
    p = np.asarray(probabilities, dtype=np.float64)
    own = p[rows, target]
    count = np.bincount(target, minlength=p.shape[1])
    usual = np.bincount(target, own, p.shape[1]) / np.maximum(count, 1)
    others = np.where((np.arange(p.shape[1]) == target[:, None]) | (count == 0), -1.0, p)
    other = others.argmax(axis=1)
    best = np.maximum(others[rows, other], 0.0)
    ratio = np.minimum(
        best / np.maximum(own, _TINY),
        (best + _TINY) / (usual[other] + _TINY) * (usual[target] + _TINY) / (own + _TINY),
    )
    evidence = ratio / (ratio + p.shape[1])
    sure = (evidence >= _SURE) & (best >= _CREDIBLE * usual[other])
    left = count // _ONE_IN
    found = []
    for index in np.argsort(-evidence, kind="stable"):
        if sure[index] and left[target[index]] > 0:
            left[target[index]] -= 1
            found.append(Suspect(int(index), labels[other[index]], float(evidence[index])))
    return found


def _checked(statistics: np.ndarray, labels: Sequence[str], groups: Sequence[str]) -> np.ndarray:
    with np.errstate(over="ignore"):
        statistics = np.asarray(statistics, dtype=np.float32)
    if statistics.ndim != 2 or not len(statistics) == len(labels) == len(groups):
        raise InvalidArgument(
            "`statistics` must have a row for each label and group. "
            f"Got {statistics.shape}, {len(labels)} labels and {len(groups)} groups."
        )
    if not np.isfinite(statistics).all():
        raise InvalidArgument("`statistics` must be finite. Got NaN or infinity.")
    return statistics


def _in_canonical_order(
    statistics: np.ndarray, labels: Sequence[str], groups: Sequence[str]
) -> np.ndarray:
    """Numbers of the recordings whose class has two groups, sorted by what they are."""
    members: dict[str, set[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        members.setdefault(label, set()).add(group)
    kept = [number for number, label in enumerate(labels) if len(members[label]) > 1]
    kept.sort(key=lambda number: (labels[number], groups[number], statistics[number].tobytes()))
    return np.array(kept, dtype=np.int64)
