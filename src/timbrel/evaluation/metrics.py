"""Scores of predicted probabilities.

Conventions: `probabilities` is float `(n, classes)` with rows that sum to 1, `target` is int
`(n,)`. The predicted class is the most probable one, the first of equals.

- accuracy: share of targets that are the predicted class.
- macro_f1: mean of F1 = 2·TP / (2·TP + FP + FN) over the classes that are a target or predicted.
- map3: mean average precision at 3 with one right answer: 1, 1/2 or 1/3 by its rank, else 0
  (the measure of DCASE 2018 task 2; Fonseca et al. 2018).
- log_loss: mean of −ln p(target), p at least 1e-15.
- brier: mean of Σ (p − one-hot)², 0 to 2 (Brier 1950).
- ece: expected calibration error, the mean gap between confidence and accuracy over 15 equal bins
  of the confidence (Guo et al. 2017).

Every one of them is a function of sums over the examples. That is what makes the bootstrap over
groups cheap: sum within groups once, then draw groups.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

METRICS = ("accuracy", "macro_f1", "map3", "log_loss", "brier", "ece")
BINS = 15

_SHARES = ("accuracy", "macro_f1", "map3")
_MEANS = ("accuracy", "map3", "log_loss", "brier")
_RESAMPLES = 2000


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class: `precision`, `recall`, `f1` in 0 to 1, and its number of targets."""

    label: str
    precision: float
    recall: float
    f1: float
    files: int


def scores(probabilities: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """All of `METRICS`; NaN where there is no example."""
    sums = _statistics(probabilities, target).sum(axis=0)
    return {name: float(value) for name, value in _from_sums(sums).items()}


def interval(
    probabilities: np.ndarray, target: np.ndarray, groups: np.ndarray, *, seed: int = 0
) -> dict[str, list[float]]:
    """95 % intervals of all `METRICS` by a percentile bootstrap over groups.

    Args:
        probabilities, target: as for `scores`.
        groups: `(n,)`, examples that are not independent of each other share one.
        seed: of the 2000 resamples.

    An interval always holds the estimate: resampling biases the ECE upward, and the percentiles
    alone can miss it. Where all resamples agree (everything right, or nothing) the bootstrap knows
    no doubt, and Wilson's interval for the number of groups stands in for it.

    Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13.
    """
    _, number = np.unique(groups, return_inverse=True)
    statistics = _statistics(probabilities, target)
    by_group = np.zeros((number.max() + 1, statistics.shape[1]))
    np.add.at(by_group, number, statistics)
    rng = np.random.default_rng(seed)
    count = len(by_group)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)
    resampled = _from_sums(drawn @ by_group)
    estimate = _from_sums(by_group.sum(axis=0))
    intervals = {}
    for name, values in resampled.items():
        low, high = np.percentile(values, [2.5, 97.5])
        value = estimate[name]
        if name in _SHARES and np.ptp(values) == 0:
            low, high = wilson(float(value), count)
        intervals[name] = [float(min(low, value)), float(max(high, value))]
    return intervals


def wilson(share: float, count: float) -> tuple[float, float]:
    """95 % interval of a share of so many independent examples (Wilson 1927)."""
    z = 1.959964
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    spread *= z / (1 + z * z / count)
    return max(centre - spread, 0.0), min(centre + spread, 1.0)


def confusion(predicted: np.ndarray, target: np.ndarray, *, classes: int) -> np.ndarray:
    """Count of each predicted class (columns) for each target (rows); int64."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (target, predicted), 1)
    return matrix


def per_class(matrix: np.ndarray, labels: list[str]) -> list[ClassScore]:
    """Scores of each class from a confusion matrix; 0 where a ratio has no denominator."""
    right = np.diag(matrix).astype(float)
    predicted, target = matrix.sum(axis=0), matrix.sum(axis=1)
    rows = zip(
        labels,
        _ratio(right, predicted),
        _ratio(right, target),
        _ratio(2 * right, predicted + target),
        target,
        strict=True,
    )
    return [ClassScore(row[0], *(float(value) for value in row[1:4]), int(row[4])) for row in rows]


def expected_ece(probabilities: np.ndarray, *, seed: int = 0) -> float:
    """The ECE that a perfectly calibrated model shows at this number of examples, on average.

    The outcome of each example is drawn from its own confidence, 500 times.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = np.random.default_rng(seed).random((500, len(confidence))) < confidence
    gaps = np.abs((right - confidence) @ _bins(confidence))
    return float(gaps.sum(axis=1).mean() / len(confidence))


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """Probability that a known example scores higher than an unknown one, ties half.

    Source: Hanley & McNeil (1982); the Mann–Whitney U statistic.
    """
    ordered = np.sort(unknown)
    below = np.searchsorted(ordered, known, side="left")
    not_above = np.searchsorted(ordered, known, side="right")
    return float((below + not_above).sum() / (2 * len(known) * len(unknown)))


def confidence_bin(confidence: np.ndarray) -> np.ndarray:
    """Number of the bin, 0 to `BINS` − 1, that each confidence, 0 to 1, lies in; int `(n,)`.

    The bins are equally wide; each holds its upper end and not its lower one, as in Guo et al.
    """
    return np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)


def _statistics(probabilities: np.ndarray, target: np.ndarray) -> np.ndarray:
    """What each example adds to the sums, float64 `(n, 5 + 3·classes + 15)`."""
    p = np.asarray(probabilities, dtype=np.float64)
    n, classes = p.shape
    predicted = p.argmax(axis=1)
    own = p[np.arange(n), target]
    ties_before = np.arange(classes) < target[:, None]
    rank = (p > own[:, None]).sum(axis=1) + ((p == own[:, None]) & ties_before).sum(axis=1)
    truth, answer = np.eye(classes)[target], np.eye(classes)[predicted]
    right = (predicted == target).astype(float)
    means = [
        right,
        np.where(rank < 3, 1 / (rank + 1), 0),
        -np.log(np.maximum(own, 1e-15)),
        ((p - truth) ** 2).sum(axis=1),
    ]
    confidence = p.max(axis=1)
    gaps = _bins(confidence) * (right - confidence)[:, None]
    return np.column_stack([np.ones(n), *means, truth * right[:, None], truth, answer, gaps])


def _bins(confidence: np.ndarray) -> np.ndarray:
    return np.eye(BINS)[confidence_bin(confidence)]


def _from_sums(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics from sums `(…, k)`, as `_statistics` has them."""
    count, means = sums[..., :1], sums[..., 1:5]
    right, target, predicted = np.split(sums[..., 5:-BINS], 3, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = dict(zip(_MEANS, np.moveaxis(means / count, -1, 0), strict=True))
        occurs = (target + predicted) > 0
        f1 = _ratio(2 * right, target + predicted)
        values["macro_f1"] = f1.sum(axis=-1) / occurs.sum(axis=-1)
        values["ece"] = np.abs(sums[..., -BINS:]).sum(axis=-1) / count[..., 0]
    return {name: values[name] for name in METRICS}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) > 0)
