"""How often predictions of a given confidence come true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from timbrel.evaluation.intervals import wilson
from timbrel.evaluation.metrics import BINS, confidence_bin


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions of about the same confidence.

    Attributes:
        low, high: the confidences that it holds, the upper end among them, 0 to 1.
        count: how many predictions.
        confidence: their mean confidence.
        accuracy: the share of them that is right.
        ci95: Wilson's 95 % interval of `accuracy`.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float
    ci95: tuple[float, float]


def reliability(
    confidence: np.ndarray, right: np.ndarray, *, repeats: int = 1
) -> list[ReliabilityBin]:
    """Sort predictions into the bins of the ECE; bins without a prediction are left out.

    Args:
        confidence: float `(n,)`, probability of the predicted class, 0 to 1.
        right: bool `(n,)`, whether the prediction is right.
        repeats: how many of the predictions are of the same example. The intervals count each
            example once: asking again does not make a model better known.

    Source: DeGroot & Fienberg (1983), "The comparison and evaluation of forecasters"; Niculescu-
    Mizil & Caruana (2005), "Predicting good probabilities with supervised learning".
    """
    place = confidence_bin(confidence)
    bins = []
    for number in np.unique(place):
        inside = place == number
        count, accuracy = int(inside.sum()), float(right[inside].mean())
        bins.append(
            ReliabilityBin(
                low=float(number / BINS),
                high=float((number + 1) / BINS),
                count=count,
                confidence=float(confidence[inside].mean()),
                accuracy=accuracy,
                ci95=wilson(accuracy, count / repeats),
            )
        )
    return bins
