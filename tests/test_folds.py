"""Whole groups are held out, as scikit-learn deals them, and never a whole class."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from timbrel.dataset.folds import check_folds, deal_folds, hold_out, split_parts
from timbrel.dataset.manifest import Recording, read_dataset
from timbrel.errors import DataError, InvalidArgument
from timbrel.findings import Finding


def recordings(*rows):
    """Recordings from rows of label, group and fold."""
    items = []
    for number, (label, *more) in enumerate(rows):
        group, fold = (*more, None, None)[:2]
        path = f"{number}.wav"
        items.append(Recording(path, Path(path), label, group or path, fold))
    return items


def grouped(*sizes, each=3):
    """A class per size, of that many groups with some recordings each."""
    rows = [(f"class {k}", f"{k}-{g}") for k, size in enumerate(sizes) for g in range(size)]
    return recordings(*(row for row in rows for _ in range(each)))


def in_folds(*folds, labels="ab"):
    """A recording of each class in each fold of the data's own."""
    return recordings(*[(label, None, fold) for fold in folds for label in labels])


def random_groups(seed, *, shared=False):
    """Some classes of some groups of some recordings in random order; groups may span classes."""
    rng = np.random.default_rng(seed)
    rows = [
        (str(k), f"{rng.integers(0, 12) if shared else k}-{g}")
        for k in range(rng.integers(2, 6))
        for g in range(rng.integers(2, 9))
        for _ in range(rng.integers(1, 6))
    ]
    return recordings(*rng.permutation(rows).tolist())


def values(items, mask, attribute):
    return {getattr(item, attribute) for item, chosen in zip(items, mask, strict=True) if chosen}


def check_honest(items, out, *, grouped=True):
    """Something is held out, no group lies on both sides, and every class is left to train on."""
    assert out.any()
    if grouped:
        assert not values(items, out, "group") & values(items, ~out, "group")
    assert values(items, ~out, "label") == {item.label for item in items}


def message(function, *arguments, error=DataError):
    with pytest.raises(error) as caught:
        function(*arguments)
    return str(caught.value)


def codes(result):
    return [item.code for item in result.findings]


# As scikit-learn deals them


def test_the_real_recordings_are_dealt_as_published(shared):
    items = read_dataset(shared / "data/instruments/instruments.csv").recordings
    y = [item.label for item in items]
    folds, split = deal_folds(items), hold_out(items)
    dealt = StratifiedKFold(5, shuffle=True, random_state=0).split(y, y)
    for fold, (_, test) in enumerate(dealt):
        assert np.flatnonzero(folds.number == fold).tolist() == test.tolist()
    assert (folds.names, folds.findings, folds.grouped) == (("1", "2", "3", "4", "5"), (), True)
    assert split.held_out.tolist() == (folds.number == 0).tolist()
    assert (split.findings, split.grouped) == ((), True)


def test_speakers_are_dealt_whole(shared):
    items = read_dataset(shared / "data/digits/digits.csv").recordings
    y, groups = [item.label for item in items], [item.group for item in items]
    folds = deal_folds(items, 3, seed=4)
    dealt = StratifiedGroupKFold(3, shuffle=True, random_state=4).split(y, y, groups)
    for fold, (_, test) in enumerate(dealt):
        assert np.flatnonzero(folds.number == fold).tolist() == test.tolist()
    _, test = next(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(y, y, groups))
    assert np.flatnonzero(hold_out(items).held_out).tolist() == test.tolist()
    one_out = deal_folds(items, "group")
    assert one_out.names == tuple(dict.fromkeys(groups))
    for fold, name in enumerate(one_out.names):
        assert values(items, one_out.number == fold, "group") == {name}


@pytest.mark.parametrize(("folds", "seed"), [(5, 1), (3, 7), (8, 0)])
def test_recordings_that_are_their_own_groups_are_split_by_class(folds, seed):
    items = recordings(*([("a",)] * 20 + [("b",)] * 9 + [("c",)] * 13))
    y = [item.label for item in items]
    _, test = next(StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y))
    split = hold_out(items, folds=folds, seed=seed)
    assert np.flatnonzero(split.held_out).tolist() == test.tolist()


def test_another_seed_gives_another_split():
    items = grouped(10, 10, 10)
    assert (hold_out(items, seed=2).held_out != hold_out(items, seed=1).held_out).any()


# Whatever the groups


@pytest.mark.parametrize("folds", [None, "group", 2])
@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_groups_folds_are_honest(seed, folds):
    items = random_groups(seed, shared=seed % 2)
    dealt = deal_folds(items, folds, seed=seed)
    for fold in range(len(dealt)):
        check_honest(items, dealt.number == fold)
    assert dealt.grouped
    kept = (dealt.number < 0).any()
    assert kept == bool({"single-group", "single-fold"} & set(codes(dealt)))


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_groups_a_hold_out_is_honest(seed):
    items = random_groups(seed)
    split = hold_out(items, seed=seed)
    check_honest(items, split.held_out)
    assert split.grouped
    assert values(items, split.held_out, "label") == {item.label for item in items}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "rows",
    [
        [(str(k), f"g{g}") for k in range(4) for g in range(7) for _ in range(3)],
        [("a", "g0")] * 3 + [(label, f"g{n % 5}") for label in "bc" for n in range(20)],
    ],
    ids=["every group spans all classes", "the only group of a class holds others"],
)
def test_groups_that_span_classes_stay_whole(rows, seed):
    items = recordings(*rows)
    split = hold_out(items, seed=seed)
    check_honest(items, split.held_out)
    assert len(values(items, split.held_out, "group")) in (1, 2)


# Few groups


def test_a_hundred_classes_of_two_recordings_give_two_folds():
    items = recordings(*[(f"class {k}",) for k in range(100) for _ in range(2)])
    dealt = deal_folds(items)
    assert len(dealt) == 2
    facts = {"folds": 2, "usual": 5, "label": "class 0", "unit": "recording"}
    assert dealt.findings == (Finding("fewer-folds", "", facts),)
    assert dealt.notes == (dealt.findings[0].text,)
    for fold in range(2):
        check_honest(items, dealt.number == fold)


def test_a_class_with_one_group_is_trained_on_in_every_fold():
    items = recordings(("a", "only"), ("b", "only"), *[(c, f"{c}{n}") for c in "bc" for n in "123"])
    dealt = deal_folds(items, 3)
    assert dealt.number[:2].tolist() == [-1, -1]
    assert (dealt.number[2:] >= 0).all()
    assert dealt.findings == (Finding("single-group", "", {"label": "a", "unit": "group"}),)


@pytest.mark.parametrize(
    ("items", "label", "unit"),
    [
        (recordings(*[("a",)] * 10, ("Big drum",), *[("c",)] * 10), "Big drum", "recording"),
        (grouped(1, 6, 6), "class 0", "group"),
    ],
)
def test_a_class_with_a_single_group_is_not_held_out_and_named(items, label, unit):
    split = hold_out(items)
    assert values(items, split.held_out, "label") == {item.label for item in items} - {label}
    assert split.findings == (Finding("single-group", "", {"label": label, "unit": unit}),)
    assert split.notes == (split.findings[0].text,)


@pytest.mark.parametrize(
    ("items", "folds", "label", "unit", "out"),
    [
        (recordings(*[("a",)] * 20, *[("x",)] * 3, *[("c",)] * 4), 3, "x", "recording", 1),
        (grouped(2, 8, 8, each=10), 2, "class 0", "group", 10),
        (recordings(*[("a",)] * 5, *[("b",)] * 9), None, "a", "recording", 1),
        (grouped(5, 9), None, "class 0", "group", 3),
    ],
)
def test_the_held_out_fold_grows_where_a_class_has_few_groups(items, folds, label, unit, out):
    split = hold_out(items)
    check_honest(items, split.held_out)
    assert split.held_out[[item.label == label for item in items]].sum() == out
    facts = {"folds": folds, "usual": 5, "label": label, "unit": unit}
    assert split.findings == ((Finding("larger-fold", "", facts),) if folds else ())


def test_a_fold_that_would_leave_a_class_untrained_is_passed_over():
    # The first fold that scikit-learn deals is recordings 0, 2 and 3: all there is of class a.
    split = hold_out(recordings(("a", "g3"), ("b", "g0"), ("a", "g2"), ("b", "g3")))
    assert split.held_out.tolist() == [False, True, False, False]
    assert Finding("not-held-out", "", {"label": "a"}) in split.findings


@pytest.mark.parametrize("function", [hold_out, deal_folds])
@pytest.mark.parametrize("items", [recordings(("a",), ("b",)), grouped(1, 1, each=5)])
def test_where_no_class_has_two_groups_nothing_can_be_held_out(items, function):
    assert message(function, items) == (
        "Nothing can be held out for the score: no class has two groups. "
        "Add recordings from a second source to the classes."
    )


@pytest.mark.parametrize("folds", [1, 5, 0, -3, "grup"])
def test_a_number_of_folds_that_cannot_be_is_wrong_use(folds):
    items = recordings(*[("Hi-hat",)] * 4, *[("b",)] * 9)
    assert message(deal_folds, items, folds, error=InvalidArgument) == (
        "`--folds` must be between 2 and the number of recordings in the smallest class, "
        f"'Hi-hat' (4), or 'group'. Got {folds}."
    )
    if folds != 5:
        assert message(check_folds, folds, error=InvalidArgument) == (
            f"`--folds` must be 2 or more, or 'group'. Got {folds}."
        )


# The fold column


def test_the_data_s_own_folds_are_used_unless_others_are_asked_for():
    items = in_folds("10", "9", "1", labels="abab")
    dealt = deal_folds(items)
    assert dealt.names == ("1", "9", "10")
    assert dealt.number.tolist() == [2] * 4 + [1] * 4 + [0] * 4
    assert dealt.findings == (Finding("own-folds", "", {"folds": ["1", "9", "10"]}),)
    assert len(deal_folds(items, 2)) == 2
    # A hold-out is the last of them, whatever the number of folds and the seed.
    for options in ({}, {"folds": 2}, {"seed": 7}):
        split = hold_out(items, **options)
        assert split.held_out.tolist() == [True] * 4 + [False] * 8
        assert split.findings == (Finding("own-fold-held-out", "", {"fold": "10"}),)
        assert split.grouped


@pytest.mark.parametrize(
    ("folds", "last"),
    [
        (("test", "train"), "train"),
        (("b", "a"), "b"),
        (("extra", "2", "1"), "2"),
        (("9.0", "10.0"), "10.0"),
        (("²", "a"), "²"),
    ],
)
def test_folds_of_any_name_have_a_last_one(folds, last):
    items = in_folds(*folds)
    assert values(items, hold_out(items).held_out, "fold") == {last}
    assert deal_folds(items).names[-1] == last


def test_groups_that_the_data_s_folds_split_are_named():
    rows = [("a", "G1", "1"), ("b", "G2", "1"), ("a", "G1", "2"), ("b", "G3", "2")]
    for result in (deal_folds(recordings(*rows)), hold_out(recordings(*rows))):
        assert not result.grouped
        assert result.findings[1] == Finding("split-groups", "", {"groups": ["G1"]})
    # A group may lie in two folds that are both trained on.
    rows = [("a", "G1", "1"), ("a", "G1", "2"), ("b", "G2", "1"), ("a", "G3", "3")]
    split = hold_out(recordings(*rows))
    assert split.grouped
    assert "split-groups" not in codes(split)


def test_a_class_in_one_of_the_data_s_folds_alone_keeps_a_group_to_train_on():
    rows = [(c, None, fold) for c in "ab" for fold in "12"]
    items = recordings(*rows, ("Cello", "x", "2"), ("Cello", "x", "2"), ("Cello", "y", "2"))
    dealt = deal_folds(items)
    assert dealt.number[-3:].tolist() == [-1, -1, 1]
    facts = {"label": "Cello", "unit": "group", "group": "x"}
    assert dealt.findings[1] == Finding("single-fold", "", facts)
    for fold in range(2):
        check_honest(items, dealt.number == fold, grouped=False)


def test_a_class_that_the_last_fold_lacks_is_named():
    rows = [("a", None, "1"), ("b", None, "1"), ("Cello", None, "1"), ("a", None, "2")]
    split = hold_out(recordings(*rows))
    assert Finding("not-held-out", "", {"label": "Cello"}) in split.findings


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [("a", None, "1"), ("b", None, None), ("a", None, None), ("b", None, "2")],
            "2 recordings have no fold, the first is '1.wav'. "
            "Fill in the column fold for all recordings or remove it.",
        ),
        (
            [("a", None, "A"), ("b", None, "A")],
            "The column fold has one value only, 'A'. It needs at least two.",
        ),
        (
            [("a", None, "1"), ("b", None, "1"), ("a", None, "2"), ("Cello", None, "2")],
            "Class 'Cello' lies in the held-out fold '2' alone. Give it recordings in another "
            "fold.",
        ),
    ],
)
def test_a_fold_column_that_cannot_be_used_is_named(rows, sentence):
    assert message(hold_out, recordings(*rows)) == sentence


# The three parts of a training


def two_in_a_group(count):
    """So many recordings of each of two classes, two in a group."""
    return recordings(
        *((label, f"{label}{take // 2}") for label in ("hiss", "hum") for take in range(count))
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_three_parts_share_no_group(seed):
    items = two_in_a_group(20)
    parts = split_parts(items, seed=seed)
    assert not (parts.held_out & parts.inner).any()
    kinds = np.where(parts.held_out, 2, np.where(parts.inner, 1, 0))
    of_group = {}
    for item, kind in zip(items, kinds, strict=True):
        assert of_group.setdefault(item.group, kind) == kind
    assert np.bincount(kinds).tolist() == [28, 4, 8]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (two_in_a_group(20), [("calibrated-on-few", {"count": 4})]),
        (two_in_a_group(60), []),
        ([*two_in_a_group(2), *recordings(("hiss",), ("hum",))], [("not-calibrated", {})]),
    ],
)
def test_few_recordings_to_calibrate_on_are_a_finding(items, expected):
    found = split_parts(items, seed=0).findings
    assert [(item.code, item.facts) for item in found if "calibrated" in item.code] == expected
