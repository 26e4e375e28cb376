"""The fast model agrees with its definition; planted wrong labels are found, and few others."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import StandardScaler

from conftest import sound
from timbrel.audio.decode import decode
from timbrel.dataset.manifest import read_dataset
from timbrel.errors import InvalidArgument
from timbrel.evaluation import mislabelled
from timbrel.evaluation.mislabelled import (
    Discriminant,
    Forest,
    Suspect,
    find_mislabelled,
    out_of_fold,
    suspicious,
)
from timbrel.features.statistics import file_statistics
from timbrel.workers import in_order


@pytest.fixture
def few_trees(monkeypatch):
    """For what does not depend on their number, nor on how often recordings are dealt."""
    monkeypatch.setattr(mislabelled, "_TREES", 10)
    monkeypatch.setattr(mislabelled, "_DEALS", 1)


@pytest.fixture
def one_deal(monkeypatch):
    """For what does not depend on how often recordings are dealt into folds."""
    monkeypatch.setattr(mislabelled, "_DEALS", 1)


def clusters(count, *, seed=0, spread=0.5, size=12):
    """Statistics of `count[k]` recordings of class k, their labels and groups of their own."""
    rng = np.random.default_rng(seed)
    target = np.repeat(np.arange(len(count)), count)
    statistics = 2 * rng.normal(size=(len(count), size))[target]
    statistics += spread * rng.normal(size=statistics.shape)
    return statistics, [f"class {n:02}" for n in target], [f"group {n}" for n in range(len(target))]


def swapped(labels, number, *, seed=0):
    """The labels with some changed to another at random, and which."""
    rng = np.random.default_rng(seed)
    classes, changed = sorted(set(labels)), list(labels)
    places = rng.choice(len(labels), number, replace=False)
    for place in places:
        others = [label for label in classes if label != labels[place]]
        changed[place] = others[rng.integers(len(others))]
    return changed, set(places.tolist())


# From probabilities to suspects


def test_a_case_worked_by_hand():
    """The usual probability of a is (0.9 + 0.8 + 0.02) / 3 = 0.57333, that of b is 0.7.

    The third recording speaks for b by 0.95 / 0.02 = 47.5 to one, and by
    (0.95 / 0.7) / (0.02 / 0.57333) = 38.9048 to one as far as the classes usually get; of the less,
    38.9048 / (38.9048 + 3 classes) = 0.92841.
    """
    probabilities = np.array(
        [
            *([0.9, 0.05, 0.05], [0.8, 0.1, 0.1], [0.02, 0.95, 0.03]),
            *([0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3]),
            *([0.1, 0.1, 0.8], [0.1, 0.1, 0.8], [0.35, 0.25, 0.4]),
        ]
    )
    (found,) = suspicious(probabilities, np.repeat([0, 1, 2], 3), ["a", "b", "c"])
    assert (found.index, found.suggested) == (2, "b")
    assert found.confidence == pytest.approx(0.92841, abs=1e-5)


@pytest.mark.parametrize(("other", "named"), [(0.79, False), (0.81, True)])
def test_in_two_classes_four_to_one_is_two_to_one_for_the_label_being_wrong(other, named):
    """Where both classes usually get the same: 4 / (4 + 2) = 2 / 3."""
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [1 - other, other]] * 2)
    probabilities[3:] = 1 - probabilities[3:]
    found = suspicious(probabilities, np.repeat([0, 1], 3), ["a", "b"])
    assert [(item.index, item.suggested) for item in found] == [(2, "b"), (5, "a")] * named


def test_a_class_must_be_credible():
    """Twelve to one against the label, but the other class gets less than half of its usual."""
    sure, doubtful = [0.02, 0.9, 0.08], [0.03, 0.4, 0.57]
    for row, named in ((sure, True), (doubtful, False)):
        probabilities = np.array(
            [row, *[[0.9, 0.05, 0.05]] * 2, *[[0.05, 0.9, 0.05]] * 3, *[[0, 0, 1.0]] * 3]
        )
        found = suspicious(probabilities, np.repeat([0, 1, 2], 3), ["a", "b", "c"])
        assert ("b" in [item.suggested for item in found]) == named


def plain_loop(probabilities, target, labels):
    """What the docstring of `suspicious` says, a recording at a time."""
    classes = range(len(labels))
    usual = {
        k: np.mean([p[k] for p, own in zip(probabilities, target, strict=True) if own == k])
        for k in classes
        if k in target
    }
    found = []
    for index, (p, own) in enumerate(zip(probabilities, target, strict=True)):
        other = max((k for k in classes if k != own and k in usual), key=lambda k: p[k])
        ratio = min(p[other] / p[own], p[other] / usual[other] * usual[own] / p[own])
        evidence = ratio / (ratio + len(labels))
        if evidence >= 2 / 3 and p[other] >= usual[other] / 2:
            found.append((index, labels[other], evidence))
    found.sort(key=lambda item: -item[2])
    for k in classes:
        mine = [item for item in found if target[item[0]] == k]
        for item in mine[list(target).count(k) // 3 :]:
            found.remove(item)
    return found


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("classes", [2, 3, 9])
def test_agrees_with_a_plain_loop(classes, seed):
    rng = np.random.default_rng(seed)
    # The last class may be one that nobody has.
    target = rng.integers(0, classes - seed % 2 * (classes > 2), 80)
    truth = np.where(rng.random(80) < 0.3, rng.integers(0, classes, 80), target)
    logits = 3 * rng.normal(size=(80, classes)) + 4 * np.eye(classes)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [f"class {number}" for number in range(classes)]
    expected = plain_loop(probabilities, target, labels)
    found = suspicious(probabilities, target, labels)
    assert [(item.index, item.suggested) for item in found] == [item[:2] for item in expected]
    # The floor that keeps from dividing by 0 is seen in the seventh digit.
    confidence = [item[2] for item in expected]
    np.testing.assert_allclose([item.confidence for item in found], confidence, rtol=1e-5)
    assert found, "nothing was compared"


def test_zeros_and_ones_are_no_trouble():
    probabilities = np.eye(3)[[0, 0, 1, 1, 1, 0, 2, 2, 1]]
    found = suspicious(probabilities, np.repeat([0, 1, 2], 3), ["a", "b", "c"])
    assert [(item.index, item.suggested) for item in found] == [(2, "b"), (5, "a"), (8, "b")]
    assert all(0.999 < item.confidence <= 1 for item in found)


def test_a_third_of_a_class_at_most():
    """All of class b sound like a: that is a class that is hard to tell, not nine wrong labels."""
    probabilities = np.array([[0.99, 0.01]] * 9 + [[0.5, 0.5]] * 5 + [[0.99, 0.01]] * 4)
    target = np.repeat([0, 1], 9)
    found = suspicious(probabilities, target, ["a", "b"])
    assert len(found) == 3
    assert {item.index for item in found} <= set(range(14, 18))
    assert len(suspicious(probabilities[[0, 0, 17, 17]], target[[0, 0, 17, 17]], ["a", "b"])) == 0


# From statistics to suspects


@pytest.mark.slow
@pytest.mark.parametrize(("count", "seed"), [([40, 40], 0), ([25, 10, 40, 15], 1)])
def test_planted_errors_are_found_and_named(count, seed):
    statistics, truth, groups = clusters(count, seed=seed)
    labels, wrong = swapped(truth, 5, seed=seed)
    found = find_mislabelled(statistics, labels, groups, seed=seed)
    assert {item.index for item in found} == wrong
    assert all(item.suggested == truth[item.index] for item in found)
    confidence = [item.confidence for item in found]
    assert confidence == sorted(confidence, reverse=True)
    assert 2 / 3 <= min(confidence) <= max(confidence) <= 1


@pytest.mark.parametrize("count", [[20, 20], [15] * 4, [8] * 12, [2] * 30])
def test_nobody_is_accused_where_all_is_well(count, few_trees):
    assert find_mislabelled(*clusters(count)) == []


@pytest.mark.slow
def test_where_nothing_can_be_told_few_are_accused(one_deal):
    """Statistics that say nothing of the class: out of 200 recordings, two may look wrong."""
    _, labels, groups = clusters([50] * 4)
    statistics = np.random.default_rng(0).normal(size=(200, 12))
    assert len(find_mislabelled(statistics, labels, groups)) <= 2


@pytest.mark.parametrize("alone", [True, False])
def test_the_order_of_the_recordings_does_not_matter(alone, few_trees):
    statistics, truth, groups = clusters([15, 12, 10], spread=0.8)
    if not alone:
        groups = [f"group {number % 9}" for number in range(37)]
    labels, _ = swapped(truth, 4)
    found = find_mislabelled(statistics, labels, groups)
    assert found
    order = np.random.default_rng(1).permutation(37)
    again = find_mislabelled(
        statistics[order], [labels[n] for n in order], [groups[n] for n in order]
    )
    assert [Suspect(int(order[s.index]), s.suggested, s.confidence) for s in again] == found


@pytest.mark.slow
def test_a_group_does_not_speak_for_itself(one_deal):
    """A wrong group of six: were one of them judged by the others, it would seem right."""
    statistics, truth, _ = clusters([48, 48], spread=1.0)
    groups = [f"group {number // 6}" for number in range(96)]
    statistics += 4 * np.random.default_rng(3).normal(size=(16, 12))[np.arange(96) // 6]
    statistics[:, 0] = [8 * float(label == "class 01") for label in truth]
    labels = truth[:]
    labels[:6] = ["class 01"] * 6
    found = find_mislabelled(statistics, labels, groups)
    assert {item.index for item in found} == set(range(6))
    alone = find_mislabelled(statistics, labels, [str(number) for number in range(96)])
    assert len(alone) < 6


def test_groups_that_span_classes_like_speakers(few_trees):
    statistics, truth, _ = clusters([12] * 10)
    groups = [f"speaker {number % 4}" for number in range(120)]
    labels = truth[:]
    wrong = dict(zip(range(3, 120, 24), range(5), strict=True))
    for place, number in wrong.items():
        labels[place] = f"class {number + 5:02}"
    found = find_mislabelled(statistics, labels, groups)
    assert {item.index for item in found} == set(wrong)
    assert all(item.suggested == truth[item.index] for item in found)


@pytest.mark.slow
def test_a_class_of_one_group_takes_no_part(one_deal):
    statistics, truth, groups = clusters([20, 20, 6])
    groups[40:] = ["one"] * 6
    labels = truth[:]
    # One that is wrong sounds like the class that cannot be judged, another like one that can.
    labels[0], labels[40] = "class 01", "class 00"
    statistics[19] = statistics[45]
    found = find_mislabelled(statistics, labels, groups)
    assert (found[0].index, found[0].suggested) == (0, "class 00")
    assert not {item.index for item in found} & set(range(41, 46))
    assert "class 02" not in {item.suggested for item in found}


def test_a_hundred_classes(few_trees):
    statistics, truth, groups = clusters([4] * 100, spread=0.1)
    labels, wrong = swapped(truth, 8)
    found = {item.index for item in find_mislabelled(statistics, labels, groups)}
    assert len(found & wrong) >= 7
    assert len(found - wrong) <= 1


@pytest.mark.parametrize("count", [[2, 2], [2] * 10])
def test_two_recordings_of_a_class_are_never_accused(count, few_trees):
    statistics, truth, groups = clusters(count)
    labels, _ = swapped(truth, 1)
    assert find_mislabelled(statistics, labels, groups) == []


@pytest.mark.parametrize(
    ("labels", "groups"),
    [("", ""), ("a", "x"), ("aaaa", "wxyz"), ("ab", "xy"), ("aabb", "xxyy"), ("aabbb", "wxyyy")],
)
def test_with_fewer_than_two_classes_to_judge_there_is_nothing_to_find(labels, groups):
    statistics = np.random.default_rng(0).normal(size=(len(labels), 3))
    assert find_mislabelled(statistics, list(labels), list(groups)) == []


@pytest.mark.parametrize("value", [0.0, 1e30])
def test_recordings_that_are_all_alike_are_not_accused(value, few_trees):
    _, labels, groups = clusters([10, 20, 5])
    assert find_mislabelled(np.full((35, 4), value), labels, groups) == []


@pytest.mark.slow
def test_a_constant_and_a_huge_statistic_do_no_harm(one_deal):
    statistics, truth, groups = clusters([25, 25])
    labels, wrong = swapped(truth, 3)
    huge = np.random.default_rng(1).permutation(np.geomspace(1e-20, 1e20, 50))
    wide = np.column_stack([statistics, np.full(50, 7.0), huge])
    assert {item.index for item in find_mislabelled(wide, labels, groups)} == wrong


def test_progress_is_told(few_trees):
    told = []
    find_mislabelled(*clusters([9, 9]), progress=lambda *done: told.append(done))
    assert told == [(number, 5) for number in range(1, 6)]


@pytest.mark.parametrize(
    ("statistics", "labels", "groups", "said"),
    [
        (np.zeros((3, 2)), "aab", "xy", "3 labels and 2 groups"),
        (np.zeros((2, 2)), "aab", "xyz", "(2, 2)"),
        (np.zeros(3), "aab", "xyz", "(3,)"),
        (np.full((3, 2), np.nan), "aab", "xyz", "finite"),
        (np.full((3, 2), 1e300), "aab", "xyz", "finite"),
    ],
)
def test_what_does_not_fit_is_refused(statistics, labels, groups, said):
    with pytest.raises(InvalidArgument) as error:
        find_mislabelled(statistics, list(labels), list(groups))
    assert said in str(error.value)


# From sounds to suspects


@pytest.mark.slow
def test_sounds_under_a_wrong_label_are_found(one_deal):
    kinds = [kind for kind in ("hiss", "hum", "whistle") for _ in range(16)]
    rng = np.random.default_rng(2)
    statistics = [file_statistics(sound(kind, 0.5, rng), 16_000) for kind in kinds]
    labels = kinds[:]
    labels[3], labels[40] = "whistle", "hum"
    found = find_mislabelled(statistics, labels, [str(number) for number in range(48)])
    assert {(item.index, item.suggested) for item in found} == {(3, "hiss"), (40, "whistle")}


@pytest.mark.slow
def test_real_instruments_under_a_wrong_label_are_found(shared, one_deal):
    """Half of the wrong ones at least, and no more that are right."""
    folder = shared / "data" / "instruments"
    recordings = read_dataset(folder / "instruments.csv", folder / "wavfiles").recordings
    described = in_order(
        lambda item: file_statistics(decode(item.file, 16_000).waveform, 16_000), recordings
    )
    labels, wrong = swapped([item.label for item in recordings], 15, seed=100)
    found = find_mislabelled(list(described), labels, [item.group for item in recordings])
    right = {item.index for item in found} & wrong
    assert len(right) >= 8
    assert len(found) <= 2 * len(right)


def statistics_of(count, *, seed=0, spread=1.0, size=12):
    """Statistics of `count[k]` recordings of class k around a mean of its own, and the classes."""
    rng = np.random.default_rng(seed)
    target = np.repeat(np.arange(len(count)), count)
    means = 2 * rng.normal(size=(len(count), size))
    mixed = rng.normal(size=(size, size)) / 3 + np.eye(size)
    return means[target] + spread * rng.normal(size=(len(target), size)) @ mixed, target


# The members


@pytest.mark.parametrize("classes", [2, 7])
def test_the_discriminant_agrees_with_scikit_learn(classes):
    """Which weighs classes, not recordings, in the covariance: the same where they are balanced."""
    statistics, target = statistics_of([15] * classes, spread=3)
    other, _ = statistics_of([4] * classes, seed=1, spread=3)
    scaler = StandardScaler().fit(statistics)
    reference = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3)
    reference.fit(scaler.transform(statistics), target)
    got = Discriminant().fit(statistics, target).predict(other)
    np.testing.assert_allclose(got, reference.predict_proba(scaler.transform(other)), atol=1e-9)


def test_the_discriminant_agrees_with_its_formula_where_classes_are_of_all_sizes():
    statistics, target = statistics_of([3, 30, 9, 1], spread=3)
    rows = (statistics - statistics.mean(axis=0)) / statistics.std(axis=0)
    means = [rows[target == number].mean(axis=0) for number in range(4)]
    covariance = np.zeros((12, 12))
    for row, number in zip(rows, target, strict=True):
        covariance += np.outer(row - means[number], row - means[number]) / len(rows)
    covariance = 0.7 * covariance + 0.3 * np.trace(covariance) / 12 * np.eye(12)
    inverse = np.linalg.inv(covariance)
    got = Discriminant().fit(statistics, target).predict(statistics)
    for row, p in zip(rows, got, strict=True):
        density = [np.exp(-0.5 * (row - mean) @ inverse @ (row - mean)) for mean in means]
        np.testing.assert_allclose(p, density / np.sum(density), atol=1e-9)


def test_the_discriminant_does_not_look_further_than_ten_deviations():
    statistics, target = statistics_of([20, 20])
    model = Discriminant().fit(statistics, target)
    ten = statistics.mean(axis=0) + 10 * statistics.std(axis=0)
    np.testing.assert_allclose(model.predict(ten[None] * 1e9), model.predict(ten[None]), atol=1e-12)


@pytest.mark.slow
def test_the_forest_is_the_same_for_the_same_seed_and_another_for_another():
    statistics, target = statistics_of([20, 20, 20], spread=4)
    other, _ = statistics_of([30, 30, 30], seed=1, spread=4)
    first, again, third = (
        Forest(seed).fit(statistics, target).predict(other) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, third)
    np.testing.assert_allclose(first.sum(axis=1), 1)


@pytest.mark.parametrize("member", [lambda: Forest(0), Discriminant])
@pytest.mark.parametrize("count", [[1, 1], [1, 5], [2, 0, 3], [1] * 40])
def test_members_learn_from_next_to_nothing(member, count):
    statistics, target = statistics_of(count)
    model = member().fit(statistics, target)
    np.testing.assert_array_equal(model.classes, np.unique(target))
    got = model.predict(statistics)
    assert got.shape == (len(target), len(model.classes))
    np.testing.assert_array_equal(model.classes[got.argmax(axis=1)], target)


@pytest.mark.parametrize("member", [lambda: Forest(0), Discriminant])
def test_members_that_can_tell_nothing_say_so(member):
    target = np.repeat([0, 1], 20)
    got = member().fit(np.ones((40, 3)), target).predict(np.ones((5, 3)))
    np.testing.assert_allclose(got, 0.5, atol=1e-9)


# Nobody is judged by who has heard them


class Witness:
    """A member that writes down from whom it learned and whom it judged: column 0 says who."""

    seen: list[tuple[set, set]]

    def __init__(self, seed=None):
        pass

    def fit(self, statistics, target):
        self.classes = np.unique(target)
        self.learned = set(statistics[:, 0])
        return self

    def predict(self, statistics):
        Witness.seen.append((self.learned, set(statistics[:, 0])))
        return np.full((len(statistics), len(self.classes)), 1 / len(self.classes))


def spanning(seed=0, recordings=120, members=25, classes=4):
    """Groups of all sizes, most of which have recordings of several classes."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, members, recordings) ** 2 // members
    target = np.concatenate([np.arange(classes), rng.integers(0, classes, recordings - classes)])
    return groups, target


@pytest.mark.parametrize("seed", range(3))
def test_a_recordings_group_is_never_on_both_sides(seed, monkeypatch):
    monkeypatch.setattr(mislabelled, "Forest", Witness)
    monkeypatch.setattr(mislabelled, "Discriminant", Witness)
    groups, target = spanning(seed)
    Witness.seen = []
    out_of_fold(groups[:, None].astype(float), target, groups, seed=seed)
    assert len(Witness.seen) == 2 * 3 * 5
    assert all(not learned & judged for learned, judged in Witness.seen)
    for deal in range(3):
        fold = Witness.seen[deal * 10 : deal * 10 + 10 : 2]
        assert sorted(who for _, judged in fold for who in judged) == sorted(set(groups))


def test_knowing_the_group_is_no_help(few_trees):
    """A group's voice tells its class without fail, and nothing of another group's class."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 6)
    target = rng.integers(0, 4, 40)[groups]
    voices = 5 * rng.normal(size=(40, 12))
    statistics = voices[groups] + 0.1 * rng.normal(size=(240, 12))
    honest = out_of_fold(statistics, target, groups).argmax(axis=1) == target
    assert honest.mean() < 0.45
    # What it would be if the groups were not told.
    leaky = out_of_fold(statistics, target, np.arange(240)).argmax(axis=1) == target
    assert leaky.mean() > 0.95


# Together


@pytest.mark.parametrize("groups", [np.arange(90), np.arange(90) % 11])
def test_separate_classes_are_told_apart(groups, few_trees):
    statistics, target = statistics_of([30, 40, 20], spread=0.5)
    p = out_of_fold(statistics, target, groups)
    assert p.shape == (90, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(p.argmax(axis=1), target)


class Boaster(Witness):
    """A member that knows the odds, in column 0, and makes five times as much of them."""

    def predict(self, statistics):
        odds = np.exp(5 * statistics[:, :1])
        return np.concatenate([1 / (1 + odds), odds / (1 + odds)], axis=1)


def test_members_that_are_too_sure_of_themselves_are_tempered(monkeypatch):
    monkeypatch.setattr(mislabelled, "Forest", Boaster)
    monkeypatch.setattr(mislabelled, "Discriminant", Boaster)
    rng = np.random.default_rng(1)
    logits = rng.normal(size=3000)
    truth = 1 / (1 + np.exp(-logits))
    target = (rng.random(3000) < truth).astype(int)
    p = out_of_fold(logits[:, None], target, np.arange(3000))
    np.testing.assert_allclose(p[:, 1], truth, atol=0.03)


def test_the_same_seed_says_the_same(few_trees):
    statistics, target = statistics_of([20, 20, 20], spread=4)
    first, again, other = (
        out_of_fold(statistics, target, np.arange(60), seed=seed) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_global_random_state_is_neither_used_nor_moved(few_trees):
    statistics, target = statistics_of([10, 10], spread=4)
    np.random.seed(1)
    first = out_of_fold(statistics, target, np.arange(20))
    state = np.random.get_state()[1].copy()
    np.random.seed(2)
    np.testing.assert_array_equal(out_of_fold(statistics, target, np.arange(20)), first)
    np.random.seed(1)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize(("few", "deals"), [(60, 3), (59, 1)])
def test_few_recordings_are_dealt_several_times_and_progress_is_told(
    few, deals, few_trees, monkeypatch
):
    monkeypatch.setattr(mislabelled, "_FEW", few)
    monkeypatch.setattr(mislabelled, "_DEALS", 3)
    statistics, target = statistics_of([20, 20, 20])
    told = []
    out_of_fold(
        statistics, target, np.arange(60), progress=lambda done, total: told.append((done, total))
    )
    assert told == [(number, 5 * deals) for number in range(1, 5 * deals + 1)]


def test_a_class_that_is_always_held_out_whole_is_not_judged(few_trees):
    """One group has all of class 1: without the group it is not learned."""
    statistics, target = statistics_of([30, 2])
    groups = np.append(np.arange(30), [30, 30])
    p = out_of_fold(statistics, target, groups)
    assert np.isnan(p[30:]).all()
    assert np.isfinite(p[:30]).all()
    np.testing.assert_allclose(p[:30].sum(axis=1), 1)


@pytest.mark.parametrize("count", [[2, 2], [2] * 10, [2, 50], [3, 2, 2, 8]])
def test_two_recordings_of_a_class_are_enough(count, few_trees):
    statistics, target = statistics_of(count, spread=0.1)
    p = out_of_fold(statistics, target, np.arange(len(target)))
    assert np.isfinite(p).all()
    assert (p.argmax(axis=1) == target).mean() > 0.9


@pytest.mark.parametrize("missing", ["sklearn", "scipy"])
def test_a_missing_extra_is_named_at_use(missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from timbrel.errors import MissingExtra\n"
        "from timbrel.evaluation.mislabelled import find_mislabelled\n"
        "try:\n    find_mislabelled([[0]] * 4, 'aabb', 'wxyz')\n"
        "except MissingExtra as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        'Looking for wrong labels needs more packages: pip install "timbrel[train]"'
    )
