"""Whole groups are held out, as scikit-learn deals them, and the reader is told what is odd."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from timbrel.dataset.folds import hold_out, split_parts
from timbrel.dataset.manifest import Recording, read_dataset
from timbrel.errors import DataError
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
    rows = [
        (f"class {k}", f"{k}-{g}")
        for k, size in enumerate(sizes)
        for g in range(size)
        for _ in range(each)
    ]
    return recordings(*rows)


def sides(items, held_out, what):
    """Values of an attribute among what is trained on, and among what is held out."""
    out = {getattr(item, what) for item, aside in zip(items, held_out, strict=True) if aside}
    kept = {getattr(item, what) for item, aside in zip(items, held_out, strict=True) if not aside}
    return kept, out


def message(*arguments, **how):
    with pytest.raises(DataError) as caught:
        hold_out(*arguments, **how)
    return str(caught.value)


# The folds of scikit-learn


def test_the_real_recordings_are_split_as_published(shared):
    items = read_dataset(shared / "data/instruments/instruments.csv").recordings
    y = [item.label for item in items]
    _, test = next(StratifiedKFold(5, shuffle=True, random_state=0).split(y, y))
    split = hold_out(items)
    assert np.flatnonzero(split.held_out).tolist() == test.tolist()
    assert split.held_out.sum() == 60
    assert (split.findings, split.grouped) == ((), True)


@pytest.mark.parametrize(("folds", "seed"), [(5, 0), (5, 1), (3, 7), (8, 0)])
def test_recordings_that_are_their_own_groups_are_split_by_class(folds, seed):
    items = recordings(*([("a",)] * 20 + [("b",)] * 9 + [("c",)] * 13))
    y = [item.label for item in items]
    _, test = next(StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y))
    split = hold_out(items, folds=folds, seed=seed)
    assert np.flatnonzero(split.held_out).tolist() == test.tolist()


def test_groups_are_split_by_group(shared):
    items = read_dataset(shared / "data/digits/digits.csv").recordings
    y = [item.label for item in items]
    groups = [item.group for item in items]
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    _, test = next(splitter.split(y, y, groups))
    split = hold_out(items)
    assert np.flatnonzero(split.held_out).tolist() == test.tolist()
    kept, out = sides(items, split.held_out, "group")
    assert not kept & out
    assert len(kept | out) == 6


@pytest.mark.parametrize("seed", range(30))
def test_whatever_the_groups_each_is_whole_and_each_class_is_trained_on(seed):
    rng = np.random.default_rng(seed)
    rows = [
        (str(k), f"{k}-{g}")
        for k in range(rng.integers(2, 6))
        for g in range(rng.integers(2, 9))
        for _ in range(rng.integers(1, 6))
    ]
    items = recordings(*rng.permutation(rows).tolist())
    split = hold_out(items, seed=seed)
    kept, out = sides(items, split.held_out, "group")
    assert not kept & out
    assert split.grouped
    kept, out = sides(items, split.held_out, "label")
    assert kept == out == {item.label for item in items}


@pytest.mark.parametrize("seed", range(10))
def test_groups_that_span_classes_stay_whole(seed):
    items = recordings(*[(str(k), f"g{g}") for k in range(4) for g in range(7) for _ in range(3)])
    split = hold_out(items, seed=seed)
    kept, out = sides(items, split.held_out, "group")
    assert not kept & out
    assert len(out) in (1, 2)


def test_the_same_seed_gives_the_same_split_and_another_does_not():
    items = grouped(10, 10, 10)
    first = hold_out(items, seed=1).held_out
    assert (hold_out(items, seed=1).held_out == first).all()
    assert (hold_out(items, seed=2).held_out != first).any()


# Few groups


def test_a_class_with_a_single_recording_is_trained_on_and_named():
    items = recordings(*([("a",)] * 10 + [("Big drum",)] + [("c",)] * 10))
    split = hold_out(items)
    assert not split.held_out[10]
    assert split.held_out.sum() == 4
    facts = {"label": "Big drum", "unit": "recording"}
    assert split.findings == (Finding("single-group", "", facts),)
    assert split.notes == (split.findings[0].text,)


def test_a_class_with_a_single_group_is_trained_on_and_named():
    items = grouped(1, 6, 6)
    split = hold_out(items)
    kept, out = sides(items, split.held_out, "label")
    assert out == {"class 1", "class 2"}
    assert "class 0" in kept
    facts = {"label": "class 0", "unit": "group"}
    assert split.findings == (Finding("single-group", "", facts),)


@pytest.mark.parametrize("seed", range(10))
def test_the_single_group_of_a_class_is_not_held_out_in_another(seed):
    rows = [("a", "g0")] * 3 + [(label, f"g{n % 5}") for label in "bc" for n in range(20)]
    items = recordings(*rows)
    split = hold_out(items, seed=seed)
    kept, out = sides(items, split.held_out, "group")
    assert not kept & out
    assert out
    assert split.grouped


def test_folds_shrink_to_the_smallest_class_and_say_so():
    items = recordings(*([("a",)] * 20 + [("Hi-hat",)] * 3 + [("c",)] * 4))
    split = hold_out(items)
    assert split.held_out[20:23].sum() == 1
    facts = {"folds": 3, "usual": 5, "label": "Hi-hat", "unit": "recording"}
    assert split.findings == (Finding("larger-fold", "", facts),)


def test_as_many_groups_as_folds_are_enough():
    assert hold_out(recordings(*([("a",)] * 5 + [("b",)] * 9))).findings == ()
    assert hold_out(grouped(5, 9)).findings == ()


# The first fold that scikit-learn deals is recordings 0, 2 and 3: all there is of class a.
LOPSIDED = recordings(("a", "g3"), ("b", "g0"), ("a", "g2"), ("b", "g3"))


def test_a_fold_that_would_leave_a_class_untrained_is_passed_over():
    assert hold_out(LOPSIDED).held_out.tolist() == [False, True, False, False]


def test_a_class_that_the_held_out_part_lacks_is_named():
    assert Finding("not-held-out", "", {"label": "a"}) in hold_out(LOPSIDED).findings


def test_folds_shrink_to_groups_and_not_to_recordings():
    items = grouped(2, 8, 8, each=10)
    split = hold_out(items)
    kept, out = sides(items, split.held_out, "group")
    assert not kept & out
    assert split.held_out[:20].sum() == 10
    facts = {"folds": 2, "usual": 5, "label": "class 0", "unit": "group"}
    assert split.findings == (Finding("larger-fold", "", facts),)


@pytest.mark.parametrize("items", [recordings(("a",), ("b",)), grouped(1, 1, each=5)])
def test_where_no_class_has_two_groups_nothing_can_be_held_out(items):
    assert message(items) == (
        "Nothing can be held out for the score: no class has two groups. "
        "Add recordings from a second source to the classes."
    )


# The fold column


def test_the_last_fold_is_the_last_in_the_order_of_numbers():
    items = recordings(*[(label, None, fold) for fold in ("9", "10", "1") for label in "ab"])
    split = hold_out(items)
    assert split.held_out.tolist() == [False, False, True, True, False, False]
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
    items = recordings(*[(label, None, fold) for fold in folds for label in "ab"])
    held_out = hold_out(items).held_out
    assert {item.fold for item, out in zip(items, held_out, strict=True) if out} == {last}


def test_the_fold_column_goes_before_the_number_of_folds_and_the_seed():
    items = recordings(*[(label, None, fold) for fold in "12345" for label in "ab"])
    for how in ({"folds": 2}, {"seed": 7}):
        assert hold_out(items, **how).held_out.tolist() == [False] * 8 + [True] * 2


def test_groups_that_the_folds_split_are_named():
    rows = [("a", "G1", "1"), ("b", "G2", "1"), ("a", "G1", "2"), ("b", "G3", "2")]
    split = hold_out(recordings(*rows))
    assert split.held_out.tolist() == [False, False, True, True]
    assert not split.grouped
    assert split.findings[1] == Finding("split-groups", "", {"groups": ["G1"]})


def test_a_fold_that_splits_no_held_out_group_is_honest():
    rows = [("a", "G1", "1"), ("a", "G1", "2"), ("b", "G2", "1"), ("a", "G3", "3")]
    split = hold_out(recordings(*rows))
    assert split.grouped
    assert "split-groups" not in [item.code for item in split.findings]


def test_a_class_that_the_last_fold_lacks_is_named():
    rows = [("a", None, "1"), ("b", None, "1"), ("Cello", None, "1"), ("a", None, "2")]
    split = hold_out(recordings(*rows))
    assert Finding("not-held-out", "", {"label": "Cello"}) in split.findings


def test_recordings_without_a_fold_are_counted_and_the_first_named():
    rows = [("a", None, "1"), ("b", None, None), ("a", None, None), ("b", None, "2")]
    assert message(recordings(*rows)) == (
        "2 recordings have no fold, the first is '1.wav'. "
        "Fill in the column fold for all recordings or remove it."
    )


def test_one_fold_is_not_enough():
    sentence = message(recordings(("a", None, "A"), ("b", None, "A")))
    assert sentence == "The column fold has one value only, 'A'. It needs at least two."


def test_a_class_that_lies_in_the_held_out_fold_alone_is_named():
    rows = [("a", None, "1"), ("b", None, "1"), ("a", None, "2"), ("Cello", None, "2")]
    assert "Class 'Cello' lies in the held-out fold '2' alone" in message(recordings(*rows))


# The three parts of a training


def two_in_a_group(count):
    """So many recordings of each of two classes, two in a group."""
    return [
        Recording(f"{label}{take}.wav", Path(), label, f"{label}{take // 2}")
        for label in ("hiss", "hum")
        for take in range(count)
    ]


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


def about_calibration(items):
    found = split_parts(items, seed=0).findings
    return [(item.code, item.facts) for item in found if "calibrated" in item.code]


def test_few_recordings_to_calibrate_on_are_said():
    assert about_calibration(two_in_a_group(20)) == [("calibrated-on-few", {"count": 4})]
    assert about_calibration(two_in_a_group(60)) == []
    lone = [Recording(f"{label}.wav", Path(), label, label) for label in ("hiss", "hum")]
    assert about_calibration([*two_in_a_group(2), *lone]) == [("not-calibrated", {})]
