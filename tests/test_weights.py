"""Class weights equal scikit-learn's."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from timbrel.training.examples import balanced_class_weight


@pytest.mark.parametrize(
    "target",
    [
        [0],
        [0, 1],
        [0, 0, 0, 1],
        [2, 2, 0, 5, 5, 5],
        [3, 3, 3],
        np.random.default_rng(0).choice(10, 21_817, p=np.arange(1, 11) / 55),
    ],
)
def test_weights_equal_scikit_learn(target):
    target = np.array(target)
    classes = np.unique(target)
    expected = compute_class_weight("balanced", classes=classes, y=target)
    assert balanced_class_weight(target) == dict(zip(classes, expected, strict=True))


def test_every_class_counts_the_same_and_the_mean_is_one():
    target = np.array([0] * 50 + [1] * 7 + [2] * 3)
    weight = balanced_class_weight(target)
    totals = [weight[number] * (target == number).sum() for number in range(3)]
    np.testing.assert_allclose(totals, 20)
    assert np.mean([weight[number] for number in target]) == pytest.approx(1)


def test_weights_are_what_fit_takes():
    weight = balanced_class_weight(np.array([1, 0, 1], dtype=np.int64))
    assert weight == {0: 1.5, 1: 0.75}
    assert {type(number) for number in weight} == {int}
    assert {type(value) for value in weight.values()} == {float}
