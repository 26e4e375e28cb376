from __future__ import annotations

import numpy as np
import pytest

from timbrel.evaluation.intervals import wilson
from timbrel.evaluation.metrics import scores
from timbrel.evaluation.reliability import reliability

pytest.importorskip("matplotlib", reason="the train extra is not installed")
pytest.importorskip("jinja2", reason="the train extra is not installed")

from timbrel.report.reliability import reliability_of


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


def rows(confidence: float, right: int, count: int = 100) -> list[dict]:
    return [
        {
            "label": "a",
            "predicted": "a" if number < right else "b",
            "probabilities": [confidence, 1 - confidence],
        }
        for number in range(count)
    ]


@pytest.mark.parametrize(("right", "verdict"), [(50, "high"), (70, "fitting"), (95, "low")])
@pytest.mark.parametrize("given", [True, False])
def test_verdict_on_confidence(right, verdict, given):
    between = (right / 100 - 0.06, right / 100 + 0.06) if given else (None, None)
    found = reliability_of(rows(0.72, right), repeats=1, between=between)
    assert found.verdict == verdict
    assert found.accuracy == pytest.approx(right / 100)


def test_diagram_without_predictions():
    assert reliability_of([], repeats=1, between=(None, None)) is None
    lost = [{"label": "a", "predicted": "a", "probabilities": [float("nan")]}]
    assert reliability_of(lost, repeats=1, between=(None, None)) is None


def test_counts_are_written_over_the_bars():
    found = reliability_of(rows(0.72, 50, 12_345), repeats=1, between=(0.4, 0.6))
    assert [mark.text for mark in found.counts.marks] == ["12k"]
    assert "67\u00a0% to 73\u00a0%: 12345" in found.counts.alt
    assert "72\u00a0% sure" in found.diagram.alt
