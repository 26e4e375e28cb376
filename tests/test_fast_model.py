"""The fast model: its members agree with their definitions, and never hear whom they judge."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import StandardScaler

from timbrel.evaluation import mislabelled
from timbrel.evaluation.mislabelled import Discriminant, Forest, out_of_fold


def clusters(count, *, seed=0, spread=1.0, size=12):
    """Statistics of `count[k]` recordings of class k around a mean of its own, and the classes."""
    rng = np.random.default_rng(seed)
    target = np.repeat(np.arange(len(count)), count)
    means = 2 * rng.normal(size=(len(count), size))
    mixed = rng.normal(size=(size, size)) / 3 + np.eye(size)
    return means[target] + spread * rng.normal(size=(len(target), size)) @ mixed, target


@pytest.fixture
def few_trees(monkeypatch):
    """For what does not depend on their number, nor on how often recordings are dealt."""
    monkeypatch.setattr(mislabelled, "_TREES", 10)
    monkeypatch.setattr(mislabelled, "_DEALS", 1)


# The members


@pytest.mark.parametrize("classes", [2, 7])
def test_the_discriminant_agrees_with_scikit_learn(classes):
    """Which weighs classes, not recordings, in the covariance: the same where they are balanced."""
    statistics, target = clusters([15] * classes, spread=3)
    other, _ = clusters([4] * classes, seed=1, spread=3)
    scaler = StandardScaler().fit(statistics)
    reference = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3)
    reference.fit(scaler.transform(statistics), target)
    got = Discriminant().fit(statistics, target).predict(other)
    np.testing.assert_allclose(got, reference.predict_proba(scaler.transform(other)), atol=1e-9)


def test_the_discriminant_agrees_with_its_formula_where_classes_are_of_all_sizes():
    statistics, target = clusters([3, 30, 9, 1], spread=3)
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
    statistics, target = clusters([20, 20])
    model = Discriminant().fit(statistics, target)
    ten = statistics.mean(axis=0) + 10 * statistics.std(axis=0)
    np.testing.assert_allclose(model.predict(ten[None] * 1e9), model.predict(ten[None]), atol=1e-12)


@pytest.mark.slow
def test_the_forest_is_the_same_for_the_same_seed_and_another_for_another():
    statistics, target = clusters([20, 20, 20], spread=4)
    other, _ = clusters([30, 30, 30], seed=1, spread=4)
    first, again, third = (
        Forest(seed).fit(statistics, target).predict(other) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, third)
    np.testing.assert_allclose(first.sum(axis=1), 1)


@pytest.mark.parametrize("member", [lambda: Forest(0), Discriminant])
@pytest.mark.parametrize("count", [[1, 1], [1, 5], [2, 0, 3], [1] * 40])
def test_members_learn_from_next_to_nothing(member, count):
    statistics, target = clusters(count)
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
    statistics, target = clusters([30, 40, 20], spread=0.5)
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
    statistics, target = clusters([20, 20, 20], spread=4)
    first, again, other = (
        out_of_fold(statistics, target, np.arange(60), seed=seed) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_global_random_state_is_neither_used_nor_moved(few_trees):
    statistics, target = clusters([10, 10], spread=4)
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
    statistics, target = clusters([20, 20, 20])
    told = []
    out_of_fold(
        statistics, target, np.arange(60), progress=lambda done, total: told.append((done, total))
    )
    assert told == [(number, 5 * deals) for number in range(1, 5 * deals + 1)]


def test_a_class_that_is_always_held_out_whole_is_not_judged(few_trees):
    """One group has all of class 1: without the group it is not learned."""
    statistics, target = clusters([30, 2])
    groups = np.append(np.arange(30), [30, 30])
    p = out_of_fold(statistics, target, groups)
    assert np.isnan(p[30:]).all()
    assert np.isfinite(p[:30]).all()
    np.testing.assert_allclose(p[:30].sum(axis=1), 1)


@pytest.mark.parametrize("count", [[2, 2], [2] * 10, [2, 50], [3, 2, 2, 8]])
def test_two_recordings_of_a_class_are_enough(count, few_trees):
    statistics, target = clusters(count, spread=0.1)
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
