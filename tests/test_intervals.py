"""Intervals are those of the plain bootstrap over groups."""

import math

import numpy as np
import pytest
import sklearn.metrics as oracle

from test_metrics import alike, made
from timbrel.evaluation.metrics import (
    METRICS,
    auroc,
    auroc_interval,
    class_intervals,
    confusion,
    difference_interval,
    interval,
    per_class,
    scores,
    share_interval,
)


def test_intervals_are_those_of_the_plain_bootstrap():
    p, target = made(60, 4)
    groups = np.random.default_rng(1).integers(0, 13, 60)
    names = np.unique(groups)
    drawn = np.random.default_rng(5).multinomial(13, np.full(13, 1 / 13), size=2000)
    resampled = {name: [] for name in METRICS}
    for counts in drawn:
        chosen = [
            np.tile(np.flatnonzero(groups == name), count)
            for name, count in zip(names, counts, strict=True)
        ]
        chosen = np.concatenate(chosen)
        for name, value in scores(p[chosen], target[chosen]).items():
            resampled[name].append(value)
    got = interval(p, target, groups, seed=5)
    assert tuple(got) == METRICS
    for name in METRICS:
        np.testing.assert_allclose(got[name], np.percentile(resampled[name], [2.5, 97.5]))


@pytest.mark.parametrize("seed", range(5))
def test_an_interval_holds_the_estimate(seed):
    p, target = made(120, 5, seed, sharpness=1.0)
    # Not the ECE: resampling makes it larger (Efron & Tibshirani's bias).
    estimate, edges = scores(p, target), interval(p, target, np.arange(120) // 3)
    for name in set(METRICS) - {"ece"}:
        assert edges[name][0] < estimate[name] < edges[name][1], name


def test_an_interval_of_accuracy_is_as_wide_as_the_binomial_says():
    p, target = made(1000)
    accuracy = scores(p, target)["accuracy"]
    low, high = interval(p, target, np.arange(1000))["accuracy"]
    half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / 1000)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)
    assert (high + low) / 2 == pytest.approx(accuracy, abs=0.1 * half)


@pytest.mark.slow
def test_intervals_narrow_with_more_groups():
    few, many = made(50), made(1250)
    for name in METRICS:
        wide = np.ptp(interval(*few, np.arange(50))[name])
        narrow = np.ptp(interval(*many, np.arange(1250))[name])
        # Five times as narrow, were it not for chance and the bias of the ECE.
        assert 2.5 < wide / narrow < 10, name


def test_groups_that_are_right_or_wrong_together_widen_the_interval():
    # Ten copies of forty examples are worth forty examples, whatever their number.
    p, target = made(40)
    copies, targets, groups = np.tile(p, (10, 1)), np.tile(target, 10), np.tile(np.arange(40), 10)
    by_group = interval(copies, targets, groups)
    by_example = interval(copies, targets, np.arange(400))
    alike(by_group, interval(p, target, np.arange(40)))
    for name in ("accuracy", "map3", "log_loss", "brier"):
        ratio = np.ptp(by_group[name]) / np.ptp(by_example[name])
        assert ratio == pytest.approx(math.sqrt(10), rel=0.15), name


def test_names_and_order_of_groups_do_not_matter():
    p, target = made(60)
    groups = np.arange(60) // 4
    named = np.array([f"g{number:02}" for number in groups])
    alike(interval(p, target, named), interval(p, target, groups))


def test_intervals_follow_the_seed():
    p, target = made(60)
    one, same = (interval(p, target, np.arange(60), seed=1) for _ in range(2))
    assert one == same
    assert interval(p, target, np.arange(60), seed=2) != one


def test_one_group_has_no_spread_and_says_next_to_nothing_of_a_share():
    p, target = made(20)
    estimate, edges = scores(p, target), interval(p, target, np.zeros(20))
    for name in METRICS:
        if name in ("accuracy", "macro_f1", "map3"):
            assert edges[name][0] <= estimate[name] <= edges[name][1]
            assert edges[name][1] - edges[name][0] > 0.7
        else:
            np.testing.assert_allclose(edges[name], estimate[name])


def test_bounds_stay_in_range():
    p = np.eye(3)[[0, 1, 2] * 5]
    edges = interval(p, np.array([0, 1, 2] * 5), np.arange(15))
    for name in ("accuracy", "macro_f1", "map3"):
        assert 0.7 < edges[name][0] < edges[name][1] == 1
    for name in ("log_loss", "brier", "ece"):
        np.testing.assert_allclose(edges[name], 0, atol=1e-12)


def test_all_right_on_few_files_is_not_certain():
    target = np.arange(6) % 2
    low, high = interval(np.eye(2)[target], target, np.arange(6))["accuracy"]
    # Wilson's interval for 6 of 6.
    assert (low, high) == (pytest.approx(0.6097, abs=1e-3), 1.0)


def resamples(groups, seed=0):
    """Positions of the examples of each of 2000 resamples of whole groups."""
    names = np.unique(groups)
    share = np.full(len(names), 1 / len(names))
    for counts in np.random.default_rng(seed).multinomial(len(names), share, size=2000):
        drawn = zip(names, counts, strict=True)
        yield np.concatenate([np.tile(np.flatnonzero(groups == n), count) for n, count in drawn])


@pytest.mark.slow
def test_intervals_of_classes_are_those_of_the_plain_bootstrap():
    p, target = made(60, 4, seed=3)
    groups = np.random.default_rng(1).integers(0, 13, 60)
    values = {name: [] for name in ("precision", "recall", "f1")}
    for chosen in resamples(groups):
        y, answer = target[chosen], p[chosen].argmax(axis=1)
        rows = oracle.precision_recall_fscore_support(
            y, answer, labels=range(4), zero_division=np.nan
        )
        for name, row in zip(values, rows, strict=False):
            values[name].append(row)
    got = class_intervals(p, target, groups)
    for name, rows in values.items():
        low, high = np.nanpercentile(rows, [2.5, 97.5], axis=0)
        np.testing.assert_allclose([span[name] for span in got], np.stack([low, high], axis=1))


def test_a_class_that_does_not_occur_has_no_interval():
    p, target = np.eye(3)[[0, 1, 0, 1]], np.array([0, 1, 1, 1])
    spans = class_intervals(p, target, np.arange(4))
    assert spans[2] == {"precision": None, "recall": None, "f1": None}
    rows = per_class(confusion(p.argmax(axis=1), target, classes=3), list("abc"))
    for row, span in zip(rows[:2], spans, strict=False):
        for name in ("precision", "recall", "f1"):
            low, high = span[name]
            assert low <= getattr(row, name) <= high
    # One recording of class a, found: that says little.
    assert spans[0]["recall"] == [pytest.approx(0.2065, abs=1e-3), 1.0]


def test_the_interval_of_a_share_is_that_of_the_accuracy():
    p, target = made(90, 3)
    right = p.argmax(axis=1) == target
    for groups in (np.arange(90), np.arange(90) // 7):
        assert share_interval(right, groups) == pytest.approx(
            interval(p, target, groups)["accuracy"]
        )
    assert share_interval(np.array([], dtype=bool), np.array([])) is None


def test_the_interval_of_a_difference_is_that_of_the_plain_bootstrap():
    rng = np.random.default_rng(2)
    one, two = rng.random(80) < 0.9, rng.random(30) < 0.6
    groups_one, groups_two = rng.integers(0, 11, 80), rng.integers(0, 11, 30)
    names = np.unique(np.concatenate([groups_one, groups_two]))
    values = []
    for counts in np.random.default_rng(0).multinomial(
        len(names), [1 / len(names)] * len(names), size=2000
    ):
        w1 = counts[np.searchsorted(names, groups_one)]
        w2 = counts[np.searchsorted(names, groups_two)]
        values.append((one * w1).sum() / w1.sum() - (two * w2).sum() / w2.sum())
    got = difference_interval((one, groups_one), (two, groups_two))
    np.testing.assert_allclose(got, np.percentile(values, [2.5, 97.5]))


def test_where_all_agree_the_difference_is_as_doubtful_as_so_few_groups_leave_it():
    """No group of four differs: by Wilson, up to 49 % of others may."""
    right, groups = np.array([True, False, True, True]), np.arange(4)
    got = difference_interval((right, groups), (right, groups))
    assert got == pytest.approx([-0.4899, 0.4899], abs=1e-4)
    many = np.arange(400)
    everything = np.ones(400, dtype=bool)
    got = difference_interval((everything, many), (everything, many))
    assert got == pytest.approx([-0.0095, 0.0095], abs=1e-4)
    got = difference_interval((everything, many), (~everything, many))
    assert got == pytest.approx([0.9905, 1.0], abs=1e-4)


def test_the_interval_of_an_auroc_is_that_of_the_plain_bootstrap():
    rng = np.random.default_rng(3)
    known, unknown = rng.normal(1, 1, 40).round(1), rng.normal(0, 1, 25).round(1)
    groups = rng.integers(0, 20, 65)
    values = []
    for chosen in resamples(groups):
        values.append(auroc(known[chosen[chosen < 40]], unknown[chosen[chosen >= 40] - 40]))
    got = auroc_interval([(known, groups[:40], unknown, groups[40:])])
    np.testing.assert_allclose(got, np.percentile(values, [2.5, 97.5]))


def test_an_auroc_of_one_on_few_sounds_is_not_certain():
    low, high = auroc_interval([(np.ones(3), np.arange(3), np.zeros(4), np.arange(3, 7))])
    # Wilson's interval for 3 of 3, although some draws hold no unknown sound at all.
    assert (low, high) == (pytest.approx(0.4385, abs=1e-3), 1.0)


def test_the_auroc_of_several_models_is_their_mean():
    rng = np.random.default_rng(4)
    part = (rng.normal(1, 1, 30), np.arange(30), rng.normal(0, 1, 30), np.arange(30, 60))
    one, twice = auroc_interval([part]), auroc_interval([part, part])
    np.testing.assert_allclose(one, twice)
    better = (part[0] + 1, *part[1:])
    low, high = auroc_interval([part, better])
    assert low <= (auroc(part[0], part[2]) + auroc(better[0], part[2])) / 2 <= high
    assert low > one[0]
