"""Folds hold every recording out once, whole groups at a time, and never a whole class."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from timbrel.dataset.folds import deal_folds
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


def check_honest(items, folds):
    """No group on both sides of any fold, and every class left to train on."""
    for fold in range(len(folds)):
        out = folds.number == fold
        assert out.any()
        if folds.grouped:
            held = {item.group for item, aside in zip(items, out, strict=True) if aside}
            assert not held & {i.group for i, aside in zip(items, out, strict=True) if not aside}
        left = {item.label for item, aside in zip(items, out, strict=True) if not aside}
        assert left == {item.label for item in items}


def test_the_real_recordings_are_dealt_as_published(shared):
    items = read_dataset(shared / "data/instruments/instruments.csv").recordings
    y = [item.label for item in items]
    folds = deal_folds(items)
    dealt = StratifiedKFold(5, shuffle=True, random_state=0).split(y, y)
    for fold, (_, test) in enumerate(dealt):
        assert np.flatnonzero(folds.number == fold).tolist() == test.tolist()
    assert (folds.names, folds.findings, folds.grouped) == (("1", "2", "3", "4", "5"), (), True)


def test_speakers_are_dealt_whole(shared):
    items = read_dataset(shared / "data/digits/digits.csv").recordings
    y, groups = [item.label for item in items], [item.group for item in items]
    folds = deal_folds(items, 3, seed=4)
    dealt = StratifiedGroupKFold(3, shuffle=True, random_state=4).split(y, y, groups)
    for fold, (_, test) in enumerate(dealt):
        assert np.flatnonzero(folds.number == fold).tolist() == test.tolist()
    one_out = deal_folds(items, "group")
    assert one_out.names == tuple(dict.fromkeys(groups))
    for fold, name in enumerate(one_out.names):
        assert {groups[n] for n in np.flatnonzero(one_out.number == fold)} == {name}


@pytest.mark.parametrize("folds", [None, "group", 2])
@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_groups_folds_are_honest(seed, folds):
    rng = np.random.default_rng(seed)
    rows = [
        (str(k), f"{rng.integers(0, 12) if seed % 2 else k}-{g}")
        for k in range(rng.integers(2, 6))
        for g in range(rng.integers(2, 9))
        for _ in range(rng.integers(1, 6))
    ]
    items = recordings(*rng.permutation(rows).tolist())
    dealt = deal_folds(items, folds, seed=seed)
    check_honest(items, dealt)
    assert dealt.grouped
    kept = np.flatnonzero(dealt.number < 0)
    codes = {item.code for item in dealt.findings}
    assert bool(len(kept)) == bool(codes & {"single-group", "single-fold"})


def test_a_hundred_classes_of_two_recordings_give_two_folds():
    items = recordings(*[(f"class {k}",) for k in range(100) for _ in range(2)])
    dealt = deal_folds(items)
    assert len(dealt) == 2
    facts = {"folds": 2, "usual": 5, "label": "class 0", "unit": "recording"}
    assert dealt.findings == (Finding("fewer-folds", "", facts),)
    assert dealt.notes == (dealt.findings[0].text,)
    check_honest(items, dealt)


def test_a_class_with_one_group_is_trained_on_in_every_fold():
    items = recordings(("a", "only"), ("b", "only"), *[(c, f"{c}{n}") for c in "bc" for n in "123"])
    dealt = deal_folds(items, 3)
    assert dealt.number[:2].tolist() == [-1, -1]
    assert (dealt.number[2:] >= 0).all()
    assert dealt.findings == (Finding("single-group", "", {"label": "a", "unit": "group"}),)


def test_nothing_can_be_dealt_without_a_second_group():
    with pytest.raises(DataError, match="no class has two groups"):
        deal_folds(recordings(("a",), ("b",)))


@pytest.mark.parametrize("folds", [1, 5, 0, -3, "grup"])
def test_a_number_of_folds_that_cannot_be_is_wrong_use(folds):
    items = recordings(*[("Hi-hat",)] * 4, *[("b",)] * 9)
    with pytest.raises(InvalidArgument) as caught:
        deal_folds(items, folds)
    assert str(caught.value) == (
        "`--folds` must be between 2 and the number of recordings in the smallest class, "
        f"'Hi-hat' (4), or 'group'. Got {folds}."
    )


def test_the_data_s_own_folds_are_used_unless_others_are_asked_for():
    items = recordings(*[(label, None, fold) for fold in ("10", "9", "1") for label in "abab"])
    dealt = deal_folds(items)
    assert dealt.names == ("1", "9", "10")
    assert dealt.number.tolist() == [2] * 4 + [1] * 4 + [0] * 4
    assert dealt.findings == (Finding("own-folds", "", {"folds": ["1", "9", "10"]}),)
    assert len(deal_folds(items, 2)) == 2


def test_groups_that_the_data_s_folds_split_are_named():
    rows = [("a", "G1", "1"), ("b", "G2", "1"), ("a", "G1", "2"), ("b", "G3", "2")]
    dealt = deal_folds(recordings(*rows))
    assert not dealt.grouped
    assert dealt.findings[1] == Finding("split-groups", "", {"groups": ["G1"]})


def test_a_class_in_one_of_the_data_s_folds_alone_keeps_a_group_to_train_on():
    rows = [(c, None, fold) for c in "ab" for fold in "12"]
    items = recordings(*rows, ("Cello", "x", "2"), ("Cello", "x", "2"), ("Cello", "y", "2"))
    dealt = deal_folds(items)
    assert dealt.number[-3:].tolist() == [-1, -1, 1]
    facts = {"label": "Cello", "unit": "group", "group": "x"}
    assert dealt.findings[1] == Finding("single-fold", "", facts)
    check_honest(items, dealt)
