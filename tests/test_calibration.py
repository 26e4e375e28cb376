"""Temperature, threshold and reliability against their definitions."""

import numpy as np
import pandas as pd
import pytest

from timbrel.evaluation.calibration import (
    file_means,
    fit_temperature,
    fit_threshold,
    reliability,
    tempered,
)
from timbrel.evaluation.metrics import scores, wilson


def softmax(logits):
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def made(n, temperature, seed=0, classes=5):
    """Answers of a model that is calibrated when its logits are divided by `temperature`."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(n, classes))
    target = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return softmax(logits * temperature), target


def log_loss(windows, file, target, temperature, *, doubt=0.0):
    """Log loss of files whose targets are something else with probability `doubt`."""
    mean = pd.DataFrame(softmax(np.log(windows) / temperature)).groupby(file).mean().to_numpy()
    truth = np.eye(windows.shape[1])[target]
    wanted = truth * (1 - doubt) + (1 - truth) * doubt / (windows.shape[1] - 1)
    return -(wanted * np.log(mean)).sum(axis=1).mean()


# Temperature


@pytest.mark.parametrize("temperature", [0.3, 0.5, 1.0, 2.0, 5.0])
def test_a_known_temperature_is_found(temperature):
    p, target = made(20_000, temperature)
    assert fit_temperature(p, np.arange(20_000), target) == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_a_calibrated_model_is_left_as_it_is(seed):
    p, target = made(20_000, 1.0, seed)
    assert fit_temperature(p, np.arange(20_000), target) == pytest.approx(1, abs=0.05)


def mixed(files, seed):
    """Windows of files of several sizes, most of which are answered correctly."""
    rng = np.random.default_rng(seed)
    windows, _ = made(6 * files, 3.0, seed)
    file = np.sort(np.concatenate([np.arange(files), rng.integers(0, files, 5 * files)]))
    target = rng.integers(0, 5, files)
    sure = slice(0, 3 * files // 4)
    target[sure] = file_means(windows, file).argmax(axis=1)[sure]
    return windows, file, target


@pytest.mark.parametrize("seed", range(3))
def test_no_other_temperature_has_a_lower_loss_of_files(seed):
    windows, file, target = mixed(40, seed)
    found = fit_temperature(windows, file, target)
    assert 0.1 < found < 10
    least = log_loss(windows, file, target, found, doubt=1 / 42)
    for other in np.geomspace(0.05, 20, 100):
        assert least <= log_loss(windows, file, target, other, doubt=1 / 42) + 1e-6


def test_with_many_files_the_log_loss_is_the_lowest():
    windows, file, target = mixed(1000, 0)
    found = log_loss(windows, file, target, fit_temperature(windows, file, target))
    least = min(log_loss(windows, file, target, other) for other in np.geomspace(0.05, 20, 100))
    assert found < least + 1e-3


def test_files_count_and_not_their_windows():
    # One file of a hundred windows is surely wrong; four of one window are right.
    windows = np.array([[0.95, 0.05]] * 104)
    file = np.repeat(np.arange(5), [100, 1, 1, 1, 1])
    # One file in 5 + 2 is doubted, so that the first class is wanted with (4·6/7 + 1/7) / 5 = 5/7:
    # odds of 19 to 1 become 5 to 2.
    found = fit_temperature(windows, file, np.array([1, 0, 0, 0, 0]))
    assert found == pytest.approx(np.log(19) / np.log(5 / 2), rel=1e-3)


def test_a_few_right_files_do_not_make_later_answers_certain():
    p = np.array([[0.9, 0.1], [0.1, 0.9]])
    found = fit_temperature(p, np.arange(2), np.array([0, 1]))
    # One in 2 + 2 is doubted: odds of 9 to 1 become 3 to 1.
    assert found == pytest.approx(2, rel=1e-3)


def test_the_order_of_windows_does_not_matter():
    windows, _ = made(200, 2.0)
    file, target = np.arange(200) // 5, np.random.default_rng(0).integers(0, 5, 40)
    order = np.random.default_rng(1).permutation(200)
    expected = fit_temperature(windows, file, target)
    assert fit_temperature(windows[order], file[order], target) == pytest.approx(expected, rel=1e-6)


def test_without_files_the_temperature_is_one():
    empty = np.empty(0, dtype=int)
    assert fit_temperature(np.empty((0, 3)), empty, empty) == 1


@pytest.mark.parametrize(("right", "edge"), [(True, 0.05), (False, 20.0)])
def test_the_temperature_stays_within_its_bounds(right, edge):
    p = np.array([[0.51, 0.49]] * 100)
    found = fit_temperature(p, np.arange(100), np.full(100, 0 if right else 1))
    assert found == pytest.approx(edge, rel=0.01)
    assert 0.05 <= found <= 20


def test_exact_zeros_are_no_obstacle():
    p = np.eye(3)[[0, 1, 2, 0]].astype(np.float32)
    found = fit_temperature(p, np.arange(4), np.array([0, 1, 2, 2]))
    assert 0.05 <= found <= 20


def test_calibration_calibrates():
    p, target = made(4000, 4.0)
    found = fit_temperature(p[:2000], np.arange(2000), target[:2000])
    before, after = (
        scores(p[2000:], target[2000:]),
        scores(tempered(p, found)[2000:], target[2000:]),
    )
    assert before["ece"] > 0.2
    assert after["ece"] < 0.05
    assert after["log_loss"] < before["log_loss"]
    assert after["accuracy"] == before["accuracy"]


def test_tempering_divides_the_logits():
    logits = np.random.default_rng(0).normal(size=(50, 6))
    for temperature in (0.2, 1, 3):
        np.testing.assert_allclose(
            tempered(softmax(logits), temperature), softmax(logits / temperature), rtol=1e-9
        )


def test_tempering_twice_is_tempering_once():
    p, _ = made(50, 1.0)
    np.testing.assert_allclose(tempered(tempered(p, 2.0), 3.0), tempered(p, 6.0), rtol=1e-9)


@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 20.0])
def test_tempered_rows_are_probabilities_with_the_same_answer(temperature):
    p = np.vstack([made(50, 3.0)[0], np.eye(5)])
    got = tempered(p, temperature)
    assert np.isfinite(got).all()
    assert got.min() >= 0
    np.testing.assert_allclose(got.sum(axis=1), 1)
    np.testing.assert_array_equal(got.argmax(axis=1), p.argmax(axis=1))


# Files


def test_means_of_files_equal_pandas():
    windows, _ = made(300, 1.0)
    file = np.concatenate([np.arange(20), np.random.default_rng(0).integers(0, 20, 280)])
    expected = pd.DataFrame(windows).groupby(file).mean().to_numpy()
    np.testing.assert_allclose(file_means(windows, file), expected)
    assert file_means(windows.astype(np.float32), file).dtype == np.float64


def test_no_windows_make_no_files():
    assert file_means(np.empty((0, 4)), np.empty(0, dtype=int)).shape == (0, 4)


# Threshold


@pytest.mark.parametrize("accept", [0.5, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("n", [1, 2, 19, 20, 21, 40, 100, 333])
def test_the_threshold_accepts_the_share_of_right_files_and_no_more_than_it_must(n, accept):
    p, target = made(n, 1.0, seed=n)
    target[0] = p[0].argmax()
    threshold = fit_threshold(p, target, accept=accept)
    confidence = p.max(axis=1)[p.argmax(axis=1) == target]
    assert (confidence >= threshold).mean() >= accept - 1e-12
    # It has four decimals.
    assert threshold == round(threshold, 4)
    higher = np.min(confidence[confidence >= threshold + 1e-4], initial=np.inf)
    assert (confidence >= higher).mean() < accept


def test_95_of_100_are_accepted_by_default():
    confidence = np.linspace(0.5, 0.995, 100)
    p = np.column_stack([confidence, 1 - confidence])
    threshold = fit_threshold(p, np.zeros(100, dtype=int))
    assert threshold == pytest.approx(0.525, abs=1e-4)
    assert (confidence >= threshold).sum() == 95


def test_wrong_files_do_not_move_the_threshold():
    p, target = made(100, 1.0)
    wrong = np.tile([0.99, 0.01, 0, 0, 0], (50, 1))
    with_wrong = fit_threshold(np.vstack([p, wrong]), np.concatenate([target, np.full(50, 1)]))
    assert with_wrong == fit_threshold(p, target)


def test_the_threshold_does_not_depend_on_order():
    p, target = made(100, 1.0)
    assert fit_threshold(p[::-1], target[::-1]) == fit_threshold(p, target)


def test_where_nothing_is_right_everything_is_accepted():
    assert fit_threshold(np.array([[0.9, 0.1]]), np.array([1])) == 0
    assert fit_threshold(np.empty((0, 2)), np.empty(0, dtype=int)) == 0


def test_the_least_share_is_a_share_too():
    p = np.array([[0.9, 0.1], [0.6, 0.4]])
    assert fit_threshold(p, np.array([0, 0]), accept=0.0) >= 0.9


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
