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

Every one of them is a function of sums over the examples (`statistics`, `from_sums`). That is what
makes the bootstrap of `timbrel.evaluation.intervals` cheap: sum within groups once, then draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

METRICS = ("accuracy", "macro_f1", "map3", "log_loss", "brier", "ece")
BINS = 15

_MEANS = ("accuracy", "map3", "log_loss", "brier")


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
    sums = statistics(probabilities, target).sum(axis=0)
    return {name: float(value) for name, value in from_sums(sums).items()}


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
        ratio(right, predicted),
        ratio(right, target),
        ratio(2 * right, predicted + target),
        target,
        strict=True,
    )
    return [ClassScore(row[0], *(float(value) for value in row[1:4]), int(row[4])) for row in rows]


def expected_ece(
    probabilities: np.ndarray, example: np.ndarray | None = None, *, seed: int = 0
) -> float:
    """The ECE that a perfectly calibrated model shows at this number of examples, on average.

    The outcome of each example is drawn from its own confidence, 500 times.

    Args:
        probabilities: float `(n, classes)`.
        example: int `(n,)`, from 0, which example each row is of, where some were asked about
            repeatedly: their outcomes are not independent, and are drawn together.
        seed: of the draws.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    example = np.arange(len(confidence)) if example is None else example
    chance = np.random.default_rng(seed).random((500, example.max() + 1))
    right = chance[:, example] < confidence
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


def statistics(probabilities: np.ndarray, target: np.ndarray) -> np.ndarray:
    """What each example adds to the sums, float64 `(n, 5 + 3·classes + 15)`.

    One, what it adds to the means; for each class whether it is right, a target, predicted; and the
    gap between confidence and outcome in the bin of its confidence.
    """
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


def from_sums(sums: np.ndarray) -> dict[str, np.ndarray]:
    """All of `METRICS`, `(…)` each, from sums `(…, k)` of rows of `statistics`."""
    count, means = sums[..., :1], sums[..., 1:5]
    right, target, predicted = class_sums(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = dict(zip(_MEANS, np.moveaxis(means / count, -1, 0), strict=True))
        occurs = (target + predicted) > 0
        f1 = ratio(2 * right, target + predicted)
        values["macro_f1"] = f1.sum(axis=-1) / occurs.sum(axis=-1)
        values["ece"] = np.abs(sums[..., -BINS:]).sum(axis=-1) / count[..., 0]
    return {name: values[name] for name in METRICS}


def class_sums(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right answers, targets and answers of each class, `(…, classes)` each, from such sums."""
    right, target, predicted = np.split(sums[..., 5:-BINS], 3, axis=-1)
    return right, target, predicted


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part` / `whole`, and 0 where `whole` is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) > 0)
