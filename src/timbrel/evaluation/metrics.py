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

Intervals are 95 % intervals of a bootstrap that draws whole groups, because the examples of a group
are not independent. Every metric is a function of sums over the examples (`statistics`,
`from_sums`), so they are summed within groups once, and each resample adds up the sums of the
groups that it drew. Where all resamples of a share agree, Wilson's interval takes their place.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

METRICS = ("accuracy", "macro_f1", "map3", "log_loss", "brier", "ece")
BINS = 15

_MEANS = ("accuracy", "map3", "log_loss", "brier")


_RESAMPLES = 2000
# Resamples computed at a time.
_AT_ONCE = 100
_SHARES = ("accuracy", "macro_f1", "map3")

Interval = list[float]


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
    precision, recall = ratio(right, predicted), ratio(right, target)
    f1 = ratio(2 * right, predicted + target)
    return [
        ClassScore(
            label=label,
            precision=float(precision[number]),
            recall=float(recall[number]),
            f1=float(f1[number]),
            files=int(target[number]),
        )
        for number, label in enumerate(labels)
    ]


def expected_ece(
    probabilities: np.ndarray, example: np.ndarray | None = None, *, seed: int = 0
) -> float:
    """The ECE that a perfectly calibrated model shows at this number of examples, on average.

    The outcome of each example is drawn from its own confidence, 500 times.

    Args:
        probabilities: float `(n, classes)`.
        example: int `(n,)`, from 0, the example of each row, where some were predicted repeatedly:
            their outcomes are not independent, and are drawn together.
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
    """The summands of each example, float64 `(n, 5 + 3·classes + 15)`.

    One; its terms of the four means; for each class whether it is right, a target, predicted; and
    the gap between confidence and outcome in the bin of its confidence.
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
    """All of `METRICS`, `(…)` each, from sums `(…, k)` over rows of `statistics`."""
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


def ratio(part: np.ndarray, whole: np.ndarray, *, empty: float = 0.0) -> np.ndarray:
    """`part` / `whole`, and `empty` where `whole` is 0."""
    return np.divide(part, whole, out=np.full(np.shape(part), empty), where=np.asarray(whole) > 0)


def interval(
    probabilities: np.ndarray, target: np.ndarray, groups: np.ndarray, *, seed: int = 0
) -> dict[str, Interval]:
    """Intervals of all `METRICS`.

    Args:
        probabilities, target: as for `timbrel.evaluation.metrics.scores`.
        groups: `(n,)`, the group of each example.
        seed: of the 2000 resamples.
    """
    by_group = _summed(statistics(probabilities, target), groups)
    resampled = _resampled(by_group, seed)
    values, estimate = from_sums(resampled), from_sums(by_group.sum(axis=0))
    return {
        name: _percentiles(
            values[name], float(estimate[name]), count=len(by_group) if name in _SHARES else None
        )
        for name in estimate
    }


def class_intervals(
    probabilities: np.ndarray, target: np.ndarray, groups: np.ndarray, *, seed: int = 0
) -> list[dict[str, Interval | None]]:
    """Intervals of `precision`, `recall` and `f1` of each class; arguments as for `interval`.

    A figure without a denominator, such as the recall of a class that does not occur, has None.
    """
    by_group = _summed(statistics(probabilities, target), groups)
    resampled, whole = _resampled(by_group, seed), by_group.sum(axis=0)
    values, estimate = _class_scores(resampled), _class_scores(whole)
    _, targets, answers = class_sums(by_group)
    counted_in = {"precision": answers, "recall": targets, "f1": answers + targets}
    rows: list[dict[str, Interval | None]] = []
    for number in range(np.asarray(probabilities).shape[1]):
        row: dict[str, Interval | None] = {}
        for name in estimate:
            count = int((counted_in[name][:, number] > 0).sum())
            row[name] = None
            if count:
                one = float(estimate[name][number])
                row[name] = _percentiles(values[name][:, number], one, count=count)
        rows.append(row)
    return rows


def share_interval(right: np.ndarray, groups: np.ndarray, *, seed: int = 0) -> Interval | None:
    """Interval of the mean of `right`, bool `(n,)`; None where there is no example."""
    if len(right) == 0:
        return None
    sums = _summed(np.column_stack([right, np.ones(len(right))]).astype(float), groups)
    part, whole = np.moveaxis(_resampled(sums, seed), -1, 0)
    return _percentiles(ratio(part, whole), float(np.mean(right)), count=len(sums))


def difference_interval(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], *, seed: int = 0
) -> Interval:
    """Interval of one share minus another, where both may be of the same groups.

    Args:
        first, second: bool `(n,)`, and the group of each example `(n,)`.
        seed: of the resamples.
    """
    # Columns: right answers and examples of the first share, the same of the second.
    count = len(first[0])
    columns = np.zeros((count + len(second[0]), 4))
    columns[:count, 0], columns[:count, 1] = first[0], 1.0
    columns[count:, 2], columns[count:, 3] = second[0], 1.0
    sums = _summed(columns, np.concatenate([first[1], second[1]]))
    drawn = _resampled(sums, seed)
    values = ratio(drawn[:, 0], drawn[:, 1]) - ratio(drawn[:, 2], drawn[:, 3])
    low, high = _percentiles(values, float(np.mean(first[0]) - np.mean(second[0])))
    if low == high:
        doubt = wilson(0.0, len(sums))[1]
        low, high = max(low - doubt, -1.0), min(high + doubt, 1.0)
    return [low, high]


def auroc_interval(
    parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]], *, seed: int = 0
) -> Interval:
    """Interval of the mean AUROC of several models.

    Args:
        parts: for each model, scores of known examples and their groups, scores of unknown
            examples and their groups.
        seed: of the resamples.
    """
    names, number = np.unique(
        np.concatenate([groups for part in parts for groups in (part[1], part[3])]),
        return_inverse=True,
    )
    edges = np.cumsum([0, *(len(groups) for part in parts for groups in (part[1], part[3]))])
    of_group = [number[first:last] for first, last in itertools.pairwise(edges)]
    values = []
    for weights in _draws(len(names), seed):
        aurocs = [
            _weighted_auroc(
                (part[0], weights[:, of_group[2 * place]]),
                (part[2], weights[:, of_group[2 * place + 1]]),
            )
            for place, part in enumerate(parts)
        ]
        defined = ~np.isnan(aurocs)
        values.append(ratio(np.nansum(aurocs, axis=0), defined.sum(axis=0), empty=np.nan))
    estimate = np.mean([auroc(part[0], part[2]) for part in parts])
    fewest = min(len(np.unique(np.concatenate([part[side] for part in parts]))) for side in (1, 3))
    return _percentiles(np.concatenate(values), float(estimate), count=fewest)


def _weighted_auroc(
    known: tuple[np.ndarray, np.ndarray], unknown: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """AUROC `(draws,)` of scores `(n,)` with weights `(draws, n)`; NaN where all weigh 0."""
    order = np.argsort(unknown[0], kind="stable")
    ordered, weights = unknown[0][order], unknown[1][:, order]
    upto = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(weights, axis=1)], axis=1)
    below = upto[:, np.searchsorted(ordered, known[0], side="left")]
    not_above = upto[:, np.searchsorted(ordered, known[0], side="right")]
    won = (known[1] * (below + not_above)).sum(axis=1)
    pairs = 2 * known[1].sum(axis=1) * upto[:, -1]
    return ratio(won, pairs, empty=np.nan)


def _class_scores(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Scores `(…, classes)` by name; NaN where a resample holds nothing to score."""
    right, target, predicted = class_sums(sums)
    return {
        "precision": ratio(right, predicted, empty=np.nan),
        "recall": ratio(right, target, empty=np.nan),
        "f1": ratio(2 * right, target + predicted, empty=np.nan),
    }


def _summed(rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Sum of the rows of each group, float64 `(groups, k)`."""
    _, number = np.unique(groups, return_inverse=True)
    sums = np.zeros((number.max() + 1, rows.shape[1]))
    np.add.at(sums, number, rows)
    return sums


def _draws(count: int, seed: int) -> Iterator[np.ndarray]:
    """How often each of `count` groups is drawn in each resample, float64 `(100, count)`."""
    rng = np.random.default_rng(seed)
    for _ in range(0, _RESAMPLES, _AT_ONCE):
        yield rng.multinomial(count, np.full(count, 1 / count), size=_AT_ONCE).astype(float)


def _resampled(by_group: np.ndarray, seed: int) -> np.ndarray:
    """Sums over the drawn groups, float64 `(2000, k)`."""
    return np.concatenate([drawn @ by_group for drawn in _draws(len(by_group), seed)])


def _percentiles(values: np.ndarray, estimate: float, *, count: int | None = None) -> Interval:
    """The middle 95 % of `values` except NaN; `count` is the number of groups of a share."""
    values = values[~np.isnan(values)]
    low, high = np.percentile(values, [2.5, 97.5])
    if count and np.ptp(values) == 0:
        low, high = wilson(estimate, count)
    return [float(min(low, estimate)), float(max(high, estimate))]


def wilson(share: float, count: float) -> tuple[float, float]:
    """95 % interval of a share of so many independent examples (Wilson 1927)."""
    z = 1.959964
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    spread *= z / (1 + z * z / count)
    return max(centre - spread, 0.0), min(centre + spread, 1.0)
