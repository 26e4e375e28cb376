"""Find recordings that are probably mislabelled, with a model that is trained in seconds.

The model averages the probabilities of two members that make different errors: extremely
randomised trees (Geurts, Ernst & Wehenkel 2006) and a linear discriminant with a shrunken
covariance (Friedman 1989, "Regularized discriminant analysis").
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.errors import InvalidArgument, MissingExtra
from timbrel.evaluation.calibration import fit_temperature, softmax, tempered

_FOLDS = 5
_TREES = 100
# With few recordings the result depends on how they are dealt into folds, so they are dealt several
# times; with more than this number it would take longer and change little.
_DEALS, _FEW = 3, 1000
# Share of the covariance that is replaced by a multiple of the identity.
_SHRINKAGE = 0.3
# Statistics are clipped at this many deviations from the mean.
_FAR = 10.0

# A recording is listed when the evidence for another class is two to one. At that, and with one
# label in twenty wrong, the confidence is about the share of listed labels that are wrong.
_SURE = 2 / 3
# Share of a class's usual probability that it must reach to be suggested.
_CREDIBLE = 0.5
# At most one recording in this many of a class is listed: where most of a class look wrong, the
# class is hard to recognise, or the models have too few examples of it.
_ONE_IN = 3
_TINY = 1e-9


class Discriminant:
    """A linear discriminant on standardised statistics, with the same prior for all classes."""

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
        # The variance within classes is 0 where each class has a single recording.
        ridge = _SHRINKAGE * max(float(np.square(within).mean()), 1e-3)
        covariance[np.diag_indices_from(covariance)] += ridge
        self._weights = np.linalg.solve(covariance, means.T)
        self._offset = -0.5 * np.einsum("cd,dc->c", means, self._weights)
        return self

    def predict(self, statistics: np.ndarray) -> np.ndarray:
        """Probabilities float64 `(n, classes)`, overconfident until a temperature is applied."""
        logits = self._standardised(statistics) @ self._weights + self._offset
        return softmax(logits)

    def _standardised(self, statistics: np.ndarray) -> np.ndarray:
        return np.clip((statistics - self._mean) / self._deviation, -_FAR, _FAR)


class Forest:
    """Extremely randomised trees with balanced class weights."""

    def __init__(self, seed: int) -> None:
        from sklearn.ensemble import ExtraTreesClassifier

        self._trees = ExtraTreesClassifier(
            _TREES, class_weight="balanced", n_jobs=-1, random_state=seed
        )

    def fit(self, statistics: np.ndarray, target: np.ndarray) -> Forest:
        """Learn from statistics `(n, d)` and classes int `(n,)`."""
        with warnings.catch_warnings():
            # scikit-learn warns that many classes with few recordings might be numbers.
            warnings.simplefilter("ignore", UserWarning)
            self._trees.fit(statistics, target)
        self.classes = self._trees.classes_
        return self

    def predict(self, statistics: np.ndarray) -> np.ndarray:
        """Probabilities float64 `(n, classes)`."""
        # Threads would sum the trees in the order in which they finish.
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
    """Probabilities of each recording from models that have not learned from its group.

    There are five folds, fewer if the data or the largest class have fewer groups, stratified as
    far as groups allow; up to a thousand recordings are dealt into folds three times. One
    temperature for each member is the only parameter fitted to the recordings that are judged.

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
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    deals = _DEALS if len(target) <= _FEW else 1
    alone = len(np.unique(groups)) == len(groups)
    kind = StratifiedKFold if alone else StratifiedGroupKFold
    count_of_folds = min(_FOLDS, len(np.unique(groups)), np.bincount(target).max())
    folds = []
    with warnings.catch_warnings():
        # scikit-learn warns of classes with fewer recordings than folds, which is fine here.
        warnings.simplefilter("ignore", UserWarning)
        for deal in range(deals):
            splitter = kind(count_of_folds, shuffle=True, random_state=seed + deal)
            parts = splitter.split(target, target, groups)
            folds += [(deal, train, test) for train, test in parts]
    sums = np.zeros((2, len(target), target.max() + 1))
    count = np.zeros(len(target))
    for done, (deal, train, test) in enumerate(folds, 1):
        known = test[np.isin(target[test], target[train])]
        if len(known):
            models: list[Forest | Discriminant] = [Forest(seed + deal), Discriminant()]
            for member, model in enumerate(models):
                model.fit(statistics[train], target[train])
                sums[member][np.ix_(known, model.classes)] += model.predict(statistics[known])
            count[known] += 1
        if progress is not None:
            progress(done, len(folds))
    judged = count > 0
    probabilities = np.full(sums.shape[1:], np.nan)
    calibrated = []
    for mean in sums[:, judged] / count[judged, None]:
        temperature = fit_temperature(mean, np.arange(len(mean)), target[judged])
        calibrated.append(tempered(mean, temperature))
    probabilities[judged] = np.mean(calibrated, axis=0)
    return probabilities


@dataclass(frozen=True)
class Suspect:
    """A recording that is probably mislabelled.

    Attributes:
        index: its number among the recordings.
        suggested: the class that it sounds like.
        confidence: evidence against the label, 0.67 to 1. Where about one label in twenty is
            wrong, it is close to the share of suspects of that confidence that are mislabelled.
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

    Every recording is judged by models that have learned only from other groups. A class with a
    single group cannot be judged and is left out. The order of the recordings does not matter.

    Args:
        statistics: float `(n, d)`, a row a recording; see
            `timbrel.features.statistics.file_statistics`.
        labels: the label of each recording.
        groups: the group of each recording, different for recordings that do not belong together.
        seed: of folds and trees.
        progress: called after each fold with the number of folds done and in all.

    Returns:
        The suspects, highest confidence first; at most a third of any class, so none of a class of
        one or two.

    Raises:
        InvalidArgument: the lengths differ, or a statistic is not finite.
        MissingExtra: scikit-learn or SciPy is not installed.
    """
    try:
        import scipy  # noqa: F401
        import sklearn  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra.of("train", "Looking for wrong labels") from error

    with np.errstate(over="ignore"):
        statistics = np.asarray(statistics, dtype=np.float32)
    if statistics.ndim != 2 or not len(statistics) == len(labels) == len(groups):
        raise InvalidArgument(
            "`statistics` must have a row for each label and group. "
            f"Got {statistics.shape}, {len(labels)} labels and {len(groups)} groups."
        )
    if not np.isfinite(statistics).all():
        raise InvalidArgument("`statistics` must be finite. Got NaN or infinity.")
    # Recordings of classes with two groups or more, in an order that depends only on what they are.
    members: dict[str, set[str]] = {}
    for label, of_recording in zip(labels, groups, strict=True):
        members.setdefault(label, set()).add(of_recording)
    kept = [number for number, label in enumerate(labels) if len(members[label]) > 1]
    kept.sort(key=lambda number: (labels[number], groups[number], statistics[number].tobytes()))
    numbers = np.array(kept, dtype=np.int64)
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
    gets from its own recordings, whichever is less. The evidence is ratio / (ratio + classes),
    because a wrong label can be any class: with many classes a wrong one gets little by chance. A
    recording is listed where the evidence reaches 2/3 and p(other) half of the mean of its class.
    Confident learning compares p(other) with that mean itself, which misses two in five planted
    errors; ratios find more.

    Args:
        probabilities: float `(n, classes)`, of models that have not learned from the recording.
        target: int `(n,)`, the labels as classes.
        labels: name of each class.

    Returns:
        The suspects, highest confidence first, equals in their order; at most a third of any
        class.
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
