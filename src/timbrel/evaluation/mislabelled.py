"""Find recordings that are probably mislabelled, by a fast model on statistics of recordings.

The model has two members that make different errors; their probabilities are averaged:
extremely randomised trees (Geurts, Ernst & Wehenkel 2006) and a linear discriminant with a shrunken
covariance (Friedman 1989, "Regularized discriminant analysis").
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.errors import InvalidArgument, MissingExtra
from timbrel.evaluation.calibration import fit_temperature, tempered

_FOLDS = 5
_TREES = 100
# A few hundred recordings leave it to chance which of them a fold learns from: they are dealt
# several times. Beyond, it takes longer and changes little.
_DEALS, _FEW = 3, 1000
# Share of the covariance that gives way to a multiple of the identity.
_SHRINKAGE = 0.3
# Statistics further from the mean than this, in deviations, are clipped.
_FAR = 10.0


class Discriminant:
    """A linear discriminant on standardised statistics, with equal priors."""

    def fit(self, statistics: np.ndarray, target: np.ndarray) -> Discriminant:
        """Learn from statistics `(n, d)` and classes int `(n,)`."""
        self.classes, number, count = np.unique(target, return_inverse=True, return_counts=True)
        self._mean = statistics.mean(axis=0, dtype=np.float64)
        deviation = statistics.std(axis=0, dtype=np.float64)
        self._deviation = np.where(deviation > 0, deviation, 1.0)
        rows = self._standardised(statistics)
        means = np.zeros((len(count), rows.shape[1]))
        np.add.at(means, number, rows)
        means /= count[:, None]
        within = rows - means[number]
        covariance = (1 - _SHRINKAGE) * within.T @ within / len(rows)
        # Something must be left where each class has a single recording.
        ridge = _SHRINKAGE * max(float(np.square(within).mean()), 1e-3)
        covariance[np.diag_indices_from(covariance)] += ridge
        self._weights = np.linalg.solve(covariance, means.T)
        self._offset = -0.5 * np.einsum("cd,dc->c", means, self._weights)
        return self

    def predict(self, statistics: np.ndarray) -> np.ndarray:
        """Probabilities float64 `(n, classes)`, far too confident until tempered."""
        logits = self._standardised(statistics) @ self._weights + self._offset
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    def _standardised(self, statistics: np.ndarray) -> np.ndarray:
        return np.clip((statistics - self._mean) / self._deviation, -_FAR, _FAR)


class Forest:
    """Extremely randomised trees, all classes weighing the same."""

    def __init__(self, seed: int) -> None:
        from sklearn.ensemble import ExtraTreesClassifier

        self._trees = ExtraTreesClassifier(
            _TREES, class_weight="balanced", n_jobs=-1, random_state=seed
        )

    def fit(self, statistics: np.ndarray, target: np.ndarray) -> Forest:
        """Learn from statistics `(n, d)` and classes int `(n,)`."""
        with warnings.catch_warnings():
            # It warns that so many classes might be numbers to regress on; they are classes.
            warnings.simplefilter("ignore", UserWarning)
            self._trees.fit(statistics, target)
        self.classes = self._trees.classes_
        return self

    def predict(self, statistics: np.ndarray) -> np.ndarray:
        """Probabilities float64 `(n, classes)`."""
        # Threads would add the trees up in the order in which they finish.
        self._trees.n_jobs = 1
        return self._trees.predict_proba(statistics)


def out_of_fold(
    statistics: np.ndarray,
    target: np.ndarray,
    groups: np.ndarray,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Probabilities of each recording from models that were trained without its group.

    Five folds, fewer where no class or not the data have as many groups, stratified as far as
    groups allow; up to a thousand recordings are dealt into folds three times. Each member's
    probabilities are tempered by one temperature, the only value that is fitted to the recordings
    that are judged.

    Args:
        statistics: float `(n, d)`, finite.
        target: int `(n,)`, classes 0 to k − 1, each with two groups or more.
        groups: `(n,)`, recordings of one group are never on both sides.
        seed: of the folds and the trees.
        progress: called after each fold with the number of folds done and in all.

    Returns:
        float64 `(n, k)`, rows that sum to 1; NaN for a recording whose class was never learned
        without its group.
    """
    deals = _DEALS if len(target) <= _FEW else 1
    folds = [(deal, *fold) for deal in range(deals) for fold in _deal(target, groups, seed + deal)]
    sums = np.zeros((2, len(target), target.max() + 1))
    count = np.zeros(len(target))
    for done, (deal, train, test) in enumerate(folds, 1):
        known = test[np.isin(target[test], target[train])]
        if len(known):
            models: tuple[Forest | Discriminant, ...] = (Forest(seed + deal), Discriminant())
            for member, model in enumerate(models):
                model.fit(statistics[train], target[train])
                sums[member][np.ix_(known, model.classes)] += model.predict(statistics[known])
            count[known] += 1
        if progress is not None:
            progress(done, len(folds))
    judged = count > 0
    probabilities = np.full(sums.shape[1:], np.nan)
    means = sums[:, judged] / count[judged, None]
    each = np.arange(judged.sum())
    calibrated = [tempered(mean, fit_temperature(mean, each, target[judged])) for mean in means]
    probabilities[judged] = np.mean(calibrated, axis=0)
    return probabilities


def _deal(target: np.ndarray, groups: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and held-out part of each fold."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    alone = len(np.unique(groups)) == len(groups)
    folds = min(_FOLDS, len(np.unique(groups)), np.bincount(target).max())
    kind = StratifiedKFold if alone else StratifiedGroupKFold
    with warnings.catch_warnings():
        # It warns of classes with fewer recordings than folds; those are held out one at a time.
        warnings.simplefilter("ignore", UserWarning)
        return list(kind(folds, shuffle=True, random_state=seed).split(target, target, groups))


# A recording is named when the evidence for another class is two to one. With one label in twenty
# wrong, the share of suspects that are wrong is then about the confidence.
_SURE = 2 / 3
# Share of a class's usual probability that it must reach to be suggested.
_CREDIBLE = 0.5
# At most one recording in so many of a class is named: where most of a class look wrong, the class
# is hard to tell apart, or has too few recordings.
_ONE_IN = 3
_TINY = 1e-9


@dataclass(frozen=True)
class Suspect:
    """A recording that is probably mislabelled.

    Attributes:
        index: its number among the recordings.
        suggested: the more probable class.
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
    """List the recordings whose labels a fast model contradicts.

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
    try:
        import scipy  # noqa: F401
        import sklearn  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra.of("train", "Looking for wrong labels") from error

    statistics = _checked(statistics, labels, groups)
    numbers = _in_canonical_order(statistics, labels, groups)
    classes = sorted({labels[number] for number in numbers})
    if len(classes) < 2:
        return []

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
