"""Fit temperature and threshold on held-out recordings, and compare confidence with accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from timbrel.errors import MissingExtra
from timbrel.evaluation.metrics import BINS, confidence_bin, wilson

ACCEPT = 0.95
"""Default share of the correctly answered files that the threshold accepts."""

_RANGE = (0.05, 20.0)


def calibrate(windows: np.ndarray, file: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Temperature and threshold from held-out files; 1 and 0 if there are none.

    Args:
        windows: float `(n, classes)`, probabilities at temperature 1.
        file: int `(n,)`, the file of each window.
        target: int `(files,)`.
    """
    if len(target) == 0:
        return 1.0, 0.0
    temperature = fit_temperature(windows, file, target)
    return temperature, fit_threshold(file_means(tempered(windows, temperature), file), target)


def fit_temperature(windows: np.ndarray, file: np.ndarray, target: np.ndarray) -> float:
    """Temperature that minimises the log loss of files.

    A file's probabilities are the mean over its windows of softmax(logits / temperature). The
    targets are Platt's: one file in `files` + 2 counts as another class. Without that, a few files
    that are all answered correctly would make every later answer certain.

    Args:
        windows: float `(n, classes)`, probabilities at temperature 1.
        file: int `(n,)`, the file of each window, 0 to files − 1, every file present.
        target: int `(files,)`, class of each file.

    Returns:
        A temperature between 0.05 and 20; 1 if there is no file.

    Raises:
        MissingExtra: SciPy is not installed.

    Source: Guo et al. (2017), "On calibration of modern neural networks"; Platt (1999),
    "Probabilistic outputs for support vector machines", for the targets.
    """
    if len(target) == 0:
        return 1.0
    # Imported here because finished models are scored without SciPy.
    try:
        from scipy.optimize import minimize_scalar
    except ModuleNotFoundError as error:
        raise MissingExtra.of("train", "Calibrating a model") from error
    logits = np.log(np.maximum(windows.astype(np.float64), 1e-30))
    doubt = 1 / (len(target) + 2)
    wanted = np.full((len(target), windows.shape[1]), doubt / max(windows.shape[1] - 1, 1))
    wanted[np.arange(len(target)), target] = 1 - doubt

    def loss(log_temperature: float) -> float:
        p = file_means(softmax(logits / np.exp(log_temperature)), file)
        return float(-(wanted * np.log(np.maximum(p, 1e-15))).sum(axis=1).mean())

    bounds = tuple(np.log(_RANGE))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits `(n, classes)`."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities `(n, classes)` at another temperature than 1, float64."""
    return softmax(np.log(np.maximum(probabilities.astype(np.float64), 1e-30)) / temperature)


def file_means(windows: np.ndarray, file: np.ndarray) -> np.ndarray:
    """Mean probabilities of each file's windows; float64 `(files, classes)`."""
    size = np.bincount(file)
    total = np.stack([np.bincount(file, column) for column in windows.T], axis=1)
    return total / size[:, None]


def fit_threshold(
    probabilities: np.ndarray, target: np.ndarray, *, accept: float = ACCEPT
) -> float:
    """Probability that a share `accept` of the correctly answered files reaches.

    Args:
        probabilities: float `(files, classes)`, calibrated.
        target: int `(files,)`.
        accept: the share, 0 to 1.

    Returns:
        The threshold, rounded down to four decimals; 0 if no file was answered correctly.
    """
    right = probabilities.argmax(axis=1) == target
    confidence = np.sort(probabilities.max(axis=1)[right])
    if len(confidence) == 0:
        return 0.0
    reached = confidence[min(int((1 - accept) * len(confidence)), len(confidence) - 1)]
    # Rounded down, so that rounding errors of the exported graph do not reject these files.
    return float(np.floor(reached * 1e4) / 1e4)


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions of about the same confidence.

    Attributes:
        low, high: the range of confidences, without `low` and with `high`, 0 to 1.
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
    """Group predictions into the bins of the ECE; empty bins are left out.

    Args:
        confidence: float `(n,)`, probability of the predicted class, 0 to 1.
        right: bool `(n,)`, whether the prediction is right.
        repeats: number of predictions of each example. The intervals count each example once,
            because repeated predictions are not independent.

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
