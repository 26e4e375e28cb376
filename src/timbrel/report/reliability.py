"""The reliability diagram: whether probabilities come true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.evaluation.intervals import wilson
from timbrel.evaluation.reliability import ReliabilityBin, reliability
from timbrel.report.charts import Axis, Mark, Path, Plot, dots, percent_axis, whiskers
from timbrel.wording import known, percent, plural


@dataclass(frozen=True)
class Reliability:
    """What the page tells about confidence.

    Attributes:
        diagram: how often predictions of each confidence are right.
        counts: how many predictions there are of each confidence.
        bins: the same in numbers.
        confidence: mean confidence of all predictions.
        accuracy: share of all predictions that is right.
        verdict: `high`, `low` or `fitting`: what the mean confidence is for that accuracy.
    """

    diagram: Plot
    counts: Plot
    bins: tuple[ReliabilityBin, ...]
    confidence: float
    accuracy: float
    verdict: str


def reliability_of(
    predictions: Sequence[Mapping], *, repeats: int, between: tuple[float | None, float | None]
) -> Reliability | None:
    """Compare confidence and outcome of predictions.

    Args:
        predictions: rows of `evaluation.json`'s `predictions`.
        repeats: how often each recording was predicted.
        between: 95 % interval of the accuracy, which says whether a mean confidence fits it;
            Wilson's where it is None.

    Returns:
        None where there is no prediction.
    """
    confidence = np.array([max(row["probabilities"]) for row in predictions], dtype=np.float64)
    right = np.array([row["predicted"] == row["label"] for row in predictions], dtype=bool)
    usable = np.isfinite(confidence)
    confidence, right = np.clip(confidence[usable], 0.0, 1.0), right[usable]
    if not len(confidence):
        return None
    bins = reliability(confidence, right, repeats=repeats)
    mean, accuracy = float(confidence.mean()), float(right.mean())
    if not all(map(known, between)):
        between = wilson(accuracy, len(right) / repeats)
    verdict = "high" if mean > between[1] else "low" if mean < between[0] else "fitting"
    return Reliability(
        diagram=_diagram(bins),
        counts=_counts(bins),
        bins=tuple(bins),
        confidence=mean,
        accuracy=accuracy,
        verdict=verdict,
    )


def _diagram(bins: list[ReliabilityBin]) -> Plot:
    x, y = percent_axis("Confidence"), percent_axis("Right")
    confidence = np.array([item.confidence for item in bins])
    accuracy = np.array([item.accuracy for item in bins])
    low, high = np.array([item.ci95 for item in bins]).T
    said = "; ".join(
        f"{percent(item.confidence, 0)} sure, {percent(item.accuracy, 0)} right" for item in bins
    )
    return Plot(
        alt=f"Reliability diagram. {said}.",
        x=x,
        y=y,
        paths=(
            Path("ideal", "M0 1000L1000 0"),
            Path("doubt", whiskers(confidence, low, high)),
            Path("dots", dots(confidence, accuracy)),
        ),
        height=300,
    )


def _counts(bins: list[ReliabilityBin]) -> Plot:
    most = max(item.count for item in bins)
    # Room for the number above the highest bar.
    high = 1.3 * most
    bars, marks = "", []
    for item in bins:
        level = 1 - item.count / high
        left, right = 1000 * item.low + 3, 1000 * item.high - 3
        bars += f"M{left:.0f} 1000V{1000 * level:.0f}H{right:.0f}V1000Z"
        text = f"{item.count}" if item.count < 10_000 else f"{item.count / 1000:.0f}k"
        marks.append(Mark(50 * (item.low + item.high), 100 * level, text))
    said = "; ".join(
        f"{percent(item.low, 0)} to {percent(item.high, 0)}: {item.count}" for item in bins
    )
    return Plot(
        alt=f"How many of {plural(sum(item.count for item in bins), 'answer')} were given with "
        f"each confidence. {said}.",
        x=percent_axis("Confidence"),
        y=Axis("", 0.0, high),
        paths=(Path("bar", bars),),
        marks=tuple(marks),
        height=80,
    )
