"""A model that learns from statistics of whole recordings in seconds, and what it thinks of each.

Two members that err differently, their probabilities averaged: extremely randomised trees (Geurts,
Ernst & Wehenkel 2006) and a linear discriminant with a shrunken covariance (Friedman 1989,
"Regularized discriminant analysis").
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np

from timbrel.errors import MissingExtra
from timbrel.evaluation.calibration import fit_temperature, tempered

try:
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
except ModuleNotFoundError as error:
    raise MissingExtra.of("train", "Looking for wrong labels") from error

_FOLDS = 5
_TREES = 100
# A few hundred recordings leave it to chance which of them a fold learns from: they are dealt
# several times. Beyond, it takes longer and changes little.
_DEALS, _FEW = 3, 1000
# Share of the covariance that gives way to a multiple of the identity.
_SHRINKAGE = 0.3
# Deviations from the mean beyond which a statistic says no more.
_FAR = 10.0


class Discriminant:
    """A linear discriminant on standardised statistics, all classes alike probable beforehand."""

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
        """Probabilities float64 `(n, classes)`, far too sure of themselves until tempered."""
        logits = self._standardised(statistics) @ self._weights + self._offset
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    def _standardised(self, statistics: np.ndarray) -> np.ndarray:
        return np.clip((statistics - self._mean) / self._deviation, -_FAR, _FAR)


class Forest:
    """Extremely randomised trees, all classes weighing the same."""

    def __init__(self, seed: int) -> None:
        self._trees = ExtraTreesClassifier(
            _TREES, class_weight="balanced", n_jobs=-1, random_state=seed
        )

    def fit(self, statistics: np.ndarray, target: np.ndarray) -> Forest:
        """Learn from statistics `(n, d)` and classes int `(n,)`."""
        with warnings.catch_warnings():
            # It asks whether more classes than recordings to a class might be numbers: no.
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
    """What models that have not learned from a recording's group think of it.

    Five folds, fewer where no class or not the data have as many groups, stratified as far as
    groups allow; up to a thousand recordings are dealt into folds three times. Each member's
    probabilities are tempered by one temperature, the only thing that is fitted to the recordings
    that it is about.

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
            for member, model in enumerate((Forest(seed + deal), Discriminant())):
                model.fit(statistics[train], target[train])
                sums[np.ix_([member], known, model.classes)] += model.predict(statistics[known])
            count[known] += 1
        if progress is not None:
            progress(done, len(folds))
    judged = count > 0
    probabilities = np.full(sums.shape[1:], np.nan)
    means = sums[:, judged] / count[judged, None]
    probabilities[judged] = np.mean([_calibrated(mean, target[judged]) for mean in means], axis=0)
    return probabilities


def _calibrated(probabilities: np.ndarray, target: np.ndarray) -> np.ndarray:
    temperature = fit_temperature(probabilities, np.arange(len(target)), target)
    return tempered(probabilities, temperature)


def _deal(
    target: np.ndarray, groups: np.ndarray, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Training and held-out part of each fold."""
    alone = len(np.unique(groups)) == len(groups)
    folds = min(_FOLDS, len(np.unique(groups)), np.bincount(target).max())
    kind = StratifiedKFold if alone else StratifiedGroupKFold
    with warnings.catch_warnings():
        # It warns of classes with fewer recordings than folds; those are held out one at a time.
        warnings.simplefilter("ignore", UserWarning)
        return iter(
            list(kind(folds, shuffle=True, random_state=seed).split(target, target, groups))
        )
