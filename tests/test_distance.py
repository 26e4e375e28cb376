"""The temperature that is a distance, against its definition in float64."""

import numpy as np
import pytest

from timbrel.networks.builders import untrained
from timbrel.networks.layers import DistanceTemperature, weights_of
from timbrel.networks.recipes import get_recipe

UNITS, CLASSES = 12, 3


def learned(windows=(5, 1, 8, 2, 9, 4), seed=0):
    """Hidden units of recordings that have so many windows each, two recordings a class."""
    rng = np.random.default_rng(seed)
    recording = np.repeat(np.arange(len(windows)), windows)
    target = recording // 2
    centre = rng.normal(0, 3, (CLASSES, UNITS))
    return centre[target] + rng.normal(size=(len(target), UNITS)), target, recording


def layer_for(hidden, target, recording, *, classes=CLASSES):
    layer = DistanceTemperature()
    layer.build([(None, hidden.shape[1]), (None, classes)])
    layer.set_weights(weights_of(hidden, target, recording, classes=classes))
    return layer


def answers(n, seed=1):
    rng = np.random.default_rng(seed)
    raised = np.exp(rng.normal(size=(n, CLASSES)))
    return np.float32(raised / raised.sum(axis=1, keepdims=True))


def oracle(known, hidden, probabilities):
    """Window by window, from the definition of the Mahalanobis distance."""
    x, target, recording = known
    weight = np.array([1 / np.sum(recording == number) for number in recording])
    means, within = [], np.zeros((UNITS, UNITS))
    for number in range(CLASSES):
        mine = target == number
        means.append((weight[mine, None] * x[mine]).sum(axis=0) / weight[mine].sum())
        for row, share in zip(x[mine] - means[-1], weight[mine], strict=True):
            within += share * np.outer(row, row) / weight.sum()
    shrunken = 0.7 * within + 0.3 * np.trace(within) / UNITS * np.eye(UNITS)
    inverse = np.linalg.inv(shrunken)
    found = []
    for row, p in zip(np.float64(hidden), np.float64(probabilities), strict=True):
        squared = min((row - mean) @ inverse @ (row - mean) / UNITS for mean in means)
        cooled = p ** (1 / np.sqrt(max(squared, 0.01)))
        found.append(cooled / cooled.sum())
    return np.array(found)


def test_agrees_with_the_definition():
    known = learned()
    rng = np.random.default_rng(2)
    near = known[0][:20] + rng.normal(0, 0.1, (20, UNITS))
    hidden = np.float32(np.concatenate([near, rng.normal(0, 9, (20, UNITS))]))
    p = answers(40)
    got = np.asarray(layer_for(*known)([hidden, p]))
    np.testing.assert_allclose(got, oracle(known, hidden, p), rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(got.argmax(axis=1), p.argmax(axis=1))


def test_what_lies_farther_is_doubted_more():
    known = learned()
    away = np.ones(UNITS) / np.sqrt(UNITS)
    hidden = np.float32([known[0][0] + step * away for step in (0, 5, 20, 80, 1000)])
    p = np.repeat(np.float32([[0.8, 0.15, 0.05]]), 5, axis=0)
    confidence = np.asarray(layer_for(*known)([hidden, p])).max(axis=1)
    assert (np.diff(confidence) < 0).all()
    assert confidence[-1] < 0.35


def test_the_size_of_hidden_units_makes_no_difference():
    hidden, target, recording = learned()
    p = answers(len(hidden))
    as_it_is = layer_for(hidden, target, recording)([np.float32(hidden), p])
    larger = layer_for(50 * hidden, target, recording)([np.float32(50 * hidden), p])
    np.testing.assert_allclose(np.asarray(larger), np.asarray(as_it_is), rtol=1e-3, atol=1e-6)


def test_every_recording_counts_the_same():
    hidden, target, recording = learned()
    twice = np.concatenate([np.arange(len(hidden)), np.flatnonzero(recording == 4)])
    once = weights_of(hidden, target, recording, classes=CLASSES)
    again = weights_of(hidden[twice], target[twice], recording[twice], classes=CLASSES)
    for one, other in zip(once, again, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("known", [[0, 1, 2], [1], [0, 2]])
def test_a_window_a_class_or_none_is_enough_to_be_finite(known):
    rng = np.random.default_rng(3)
    target = np.array(known)
    layer = layer_for(rng.normal(size=(len(known), UNITS)), target, np.arange(len(known)))
    got = np.asarray(layer([np.float32(rng.normal(0, 5, (7, UNITS))), answers(7)]))
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-6)


def test_nothing_changes_before_anything_is_known():
    model = untrained(get_recipe("statistics-cnn"), 4)
    last = model.layers[-1]
    assert isinstance(last, DistanceTemperature)
    assert not last.trainable_weights
    hidden = np.random.default_rng(0).normal(size=(5, last.input[0].shape[1]))
    p = np.random.default_rng(1).dirichlet(np.ones(4), 5)
    got = np.asarray(last([np.float32(hidden), np.float32(p)]))
    np.testing.assert_allclose(got, p, atol=1e-6)


def test_impossible_classes_stay_finite():
    layer = layer_for(*learned())
    got = np.asarray(layer([np.zeros((1, UNITS), np.float32), np.float32([[1, 0, 0]])]))
    assert np.isfinite(got).all()
