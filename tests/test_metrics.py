"""Scores equal scikit-learn's and hand-worked values, intervals those of a plain bootstrap."""

import math

import numpy as np
import pytest
import sklearn.metrics as oracle

from timbrel.evaluation.metrics import (
    METRICS,
    ClassScore,
    auroc,
    auroc_interval,
    class_intervals,
    confusion,
    difference_interval,
    expected_ece,
    interval,
    per_class,
    scores,
    share_interval,
)


def made(n=200, classes=5, seed=0, sharpness=2.0):
    """Probabilities, and targets drawn from them."""
    rng = np.random.default_rng(seed)
    p = np.exp(sharpness * rng.normal(size=(n, classes)))
    p /= p.sum(axis=1, keepdims=True)
    target = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=classes - 1)
    return p, target


def alike(one, other, **how):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name] == pytest.approx(other[name], nan_ok=True, **how), name


# Scores


@pytest.mark.parametrize(("n", "classes"), [(1, 2), (2, 2), (30, 3), (200, 5), (500, 41)])
def test_scores_equal_scikit_learn(n, classes):
    p, target = made(n, classes, seed=n)
    got = scores(p, target)
    predicted, every = p.argmax(axis=1), np.arange(classes)
    truth = np.eye(classes)[target]
    assert tuple(got) == METRICS
    assert {type(value) for value in got.values()} == {float}
    assert got["accuracy"] == pytest.approx(oracle.accuracy_score(target, predicted))
    assert got["macro_f1"] == pytest.approx(oracle.f1_score(target, predicted, average="macro"))
    assert got["log_loss"] == pytest.approx(oracle.log_loss(target, p, labels=every))
    assert got["brier"] == pytest.approx(((p - truth) ** 2).sum() / n)
    ranked = oracle.label_ranking_average_precision_score(truth, p)
    assert got["map3"] <= ranked + 1e-12
    if classes <= 3:
        assert got["map3"] == pytest.approx(ranked)


@pytest.mark.parametrize("classes", [2, 5])
def test_brier_equals_scikit_learn(classes):
    p, target = made(100, classes)
    if classes == 2:
        expected = 2 * oracle.brier_score_loss(target, p[:, 1])
    else:
        expected = oracle.brier_score_loss(target, p, labels=range(classes), scale_by_half=False)
    assert scores(p, target)["brier"] == pytest.approx(expected)


def test_map3_by_hand():
    p = np.array([0.4, 0.3, 0.2, 0.1])
    one = [scores(p[None], np.array([target]))["map3"] for target in range(4)]
    np.testing.assert_allclose(one, [1, 1 / 2, 1 / 3, 0])
    together = scores(np.tile(p, (4, 1)), np.arange(4))["map3"]
    assert together == pytest.approx((1 + 1 / 2 + 1 / 3) / 4)


def test_map3_with_fewer_than_three_classes():
    p = np.array([[0.9, 0.1], [0.9, 0.1]])
    assert scores(p, np.array([0, 1]))["map3"] == pytest.approx(0.75)


def test_ece_by_hand():
    # Bins of 1/15: 0.70 and 0.72 share (10/15, 11/15], 0.95 lies in the last, 0.45 in (6/15, 7/15].
    confidence = np.array([0.70, 0.72, 0.95, 0.45])
    rest = (1 - confidence) / 2
    p = np.column_stack([confidence, rest, rest])
    target = np.array([0, 1, 0, 2])
    expected = (abs(1 - 0.70 + 0 - 0.72) + abs(1 - 0.95) + abs(0 - 0.45)) / 4
    assert scores(p, target)["ece"] == pytest.approx(expected)


def test_a_confidence_on_the_edge_of_two_bins_belongs_to_the_lower():
    # 0.6 is 9/15: it shares a bin with 0.58 and not with 0.62.
    lower, upper = ([[value, 1 - value], [0.6, 0.4]] for value in (0.58, 0.62))
    assert scores(np.array(lower), np.array([1, 0]))["ece"] == pytest.approx((0.58 - 0.4) / 2)
    assert scores(np.array(upper), np.array([1, 0]))["ece"] == pytest.approx((0.62 + 0.4) / 2)


@pytest.mark.parametrize("seed", range(3))
def test_ece_equals_a_plain_loop_over_bins(seed):
    p, target = made(300, 4, seed)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == target
    expected = 0.0
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    assert scores(p, target)["ece"] == pytest.approx(expected)


def test_ece_counts_full_confidence():
    p = np.array([[1.0, 0.0]] * 4)
    assert scores(p, np.array([0, 0, 0, 1]))["ece"] == pytest.approx(0.25)


def test_a_perfect_model():
    p = np.eye(3)[[0, 1, 2, 1]]
    expected = dict(zip(METRICS, (1, 1, 1, 0, 0, 0), strict=True))
    alike(scores(p, np.array([0, 1, 2, 1])), expected, abs=1e-12)


def test_a_model_that_is_surely_wrong():
    p = np.eye(2)[[0, 0]]
    expected = dict(zip(METRICS, (0, 0, 0.5, -math.log(1e-15), 2, 1), strict=True))
    alike(scores(p, np.array([1, 1])), expected)


def test_a_model_that_knows_nothing():
    p = np.full((8, 4), 0.25)
    got = scores(p, np.arange(8) % 4)
    assert got["log_loss"] == pytest.approx(math.log(4))
    assert got["brier"] == pytest.approx(0.75)
    assert got["accuracy"] == 0.25
    assert got["ece"] == pytest.approx(0)
    # The first of equals is the answer, the second comes second.
    assert got["map3"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 4)


def test_macro_f1_leaves_out_classes_that_do_not_occur():
    p = np.eye(9)[[0, 0, 1, 1]]
    target = np.array([0, 1, 1, 1])
    assert scores(p, target)["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    # A class that is only a target, and one that is only predicted, count with 0.
    assert scores(p, np.array([0, 2, 1, 1]))["macro_f1"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    p = np.eye(9)[[0, 0, 1, 3]]
    assert scores(p, target)["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_without_examples_there_is_no_score():
    got = scores(np.empty((0, 3)), np.empty(0, dtype=int))
    assert tuple(got) == METRICS
    assert all(math.isnan(value) for value in got.values())


def test_float32_scores_like_float64():
    p, target = made()
    alike(scores(p.astype(np.float32), target), scores(p, target), rel=1e-5)


def test_the_order_of_examples_does_not_matter():
    p, target = made()
    order = np.random.default_rng(1).permutation(len(p))
    alike(scores(p[order], target[order]), scores(p, target))


def test_the_order_of_classes_does_not_matter():
    p, target = made()
    order = np.random.default_rng(1).permutation(p.shape[1])
    alike(scores(p[:, order], np.argsort(order)[target]), scores(p, target))


def test_repeating_all_examples_changes_nothing():
    p, target = made(50)
    alike(scores(np.tile(p, (3, 1)), np.tile(target, 3)), scores(p, target))


def test_confusion_and_class_scores_equal_scikit_learn():
    p, target = made(200, 6)
    predicted = p.argmax(axis=1)
    matrix = confusion(predicted, target, classes=6)
    np.testing.assert_array_equal(matrix, oracle.confusion_matrix(target, predicted))
    assert matrix.dtype == np.int64
    labels = list("abcdef")
    expected = oracle.precision_recall_fscore_support(target, predicted)
    for row, label, *values in zip(per_class(matrix, labels), labels, *expected, strict=True):
        assert row.label == label
        np.testing.assert_allclose([row.precision, row.recall, row.f1, row.files], values)
    f1 = np.mean([row.f1 for row in per_class(matrix, labels)])
    assert f1 == pytest.approx(scores(p, target)["macro_f1"])


def test_classes_that_do_not_occur_score_zero():
    matrix = confusion(np.array([0, 0, 2]), np.array([0, 1, 0]), classes=4)
    assert matrix.tolist() == [[1, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert per_class(matrix, list("abcd")) == [
        ClassScore("a", 0.5, 0.5, 0.5, 2),
        ClassScore("b", 0.0, 0.0, 0.0, 1),
        ClassScore("c", 0.0, 0.0, 0.0, 0),
        ClassScore("d", 0.0, 0.0, 0.0, 0),
    ]


# What a calibrated model shows


@pytest.mark.parametrize("n", [30, 60, 500])
def test_a_calibrated_model_has_the_ece_that_is_expected_of_it(n):
    seen = [scores(*made(n, seed=seed))["ece"] for seed in range(200)]
    expected = np.mean([expected_ece(made(n, seed=seed)[0]) for seed in range(20)])
    assert np.mean(seen) == pytest.approx(expected, rel=0.08)


def test_the_expected_ece_shrinks_with_more_examples_and_follows_the_seed():
    p, _ = made(4000)
    assert expected_ece(p) < 0.5 * expected_ece(p[:400])
    assert expected_ece(p[:50], seed=1) == expected_ece(p[:50], seed=1)
    assert expected_ece(p[:50], seed=1) != expected_ece(p[:50], seed=2)


def test_asking_twice_does_not_make_an_ece_better_known():
    p, _ = made(60)
    twice = np.concatenate([p, p])
    example = np.tile(np.arange(60), 2)
    assert expected_ece(twice, example) == pytest.approx(expected_ece(p))
    assert expected_ece(twice) < 0.85 * expected_ece(p)


def test_a_sure_model_is_expected_to_be_right():
    assert expected_ece(np.eye(3)) == 0


# Known and unknown


@pytest.mark.parametrize("digits", [1, 2, 15])
def test_auroc_equals_scikit_learn_with_and_without_ties(digits):
    rng = np.random.default_rng(0)
    known, unknown = rng.beta(4, 2, 70).round(digits), rng.beta(2, 3, 90).round(digits)
    truth = np.repeat([1, 0], [70, 90])
    expected = oracle.roc_auc_score(truth, np.concatenate([known, unknown]))
    assert auroc(known, unknown) == pytest.approx(expected)


def test_auroc_by_hand():
    assert auroc(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == 1
    assert auroc(np.array([0.1, 0.2]), np.array([0.9, 0.8])) == 0
    assert auroc(np.array([0.5, 0.5]), np.array([0.5])) == 0.5
    assert auroc(np.array([0.9, 0.4]), np.array([0.5, 0.1])) == 0.75


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
