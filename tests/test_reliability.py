from __future__ import annotations

import numpy as np
import pytest

from timbrel.evaluation.calibration import reliability
from timbrel.evaluation.metrics import scores, wilson


def drawn(count: int = 500, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.full(classes, 0.4), count)
    return probabilities, rng.integers(0, classes, count)


def test_bins_are_those_of_scikit_learn():
    calibration = pytest.importorskip("sklearn.calibration")
    probabilities, target = drawn()
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == target
    bins = reliability(confidence, right)
    accuracy, mean = calibration.calibration_curve(right, confidence, n_bins=15)
    np.testing.assert_allclose([item.accuracy for item in bins], accuracy)
    np.testing.assert_allclose([item.confidence for item in bins], mean)
    assert sum(item.count for item in bins) == 500
    assert all(item.low < item.confidence <= item.high for item in bins)


def test_bins_add_up_to_the_calibration_error():
    probabilities, target = drawn()
    right = probabilities.argmax(axis=1) == target
    bins = reliability(probabilities.max(axis=1), right)
    error = sum(item.count * abs(item.accuracy - item.confidence) for item in bins) / 500
    assert error == pytest.approx(scores(probabilities, target)["ece"])


def test_asking_again_does_not_narrow_the_interval():
    once = reliability(np.full(10, 0.7), np.arange(10) < 6)[0]
    thrice = reliability(np.full(30, 0.7), np.arange(30) < 18, repeats=3)[0]
    assert thrice.count == 30
    assert thrice.ci95 == pytest.approx(once.ci95)
    assert once.ci95 == wilson(0.6, 10)


def test_interval_of_a_single_prediction_is_wide():
    only = reliability(np.array([1.0]), np.array([True]))
    assert [(item.low, item.high, item.count) for item in only] == [(14 / 15, 1.0, 1)]
    assert only[0].ci95[0] < 0.25
    assert only[0].ci95[1] == 1.0
