"""Recordings that repeat or contradict each other: the sweep against comparing every pair."""

from pathlib import Path

import numpy as np
import pytest

from timbrel.dataset.recording import Recording, settle_repeats
from timbrel.findings import Finding


def stretch(label, start, end, path="a.wav"):
    return Recording(path, Path(path), label, path, start=start, end=end)


def contradicted(items):
    """The plain rule, for every pair: the oracle."""
    infinity = float("inf")
    found = set()
    for one in items:
        for other in items:
            first = max(one.start or 0.0, other.start or 0.0)
            last = min(*(infinity if item.end is None else item.end for item in (one, other)))
            if one.path == other.path and one.label != other.label and last - first > 0.02:
                found |= {one, other}
    return found


@pytest.mark.parametrize("labels", ["xy", "xyz", "xxxxxxy"])
@pytest.mark.parametrize("seed", range(40))
def test_the_sweep_finds_what_looking_at_every_pair_finds(labels, seed):
    rng = np.random.default_rng([seed, len(labels)])
    items = []
    for _ in range(rng.integers(1, 40)):
        # Quarters of a second, so that equal times and touching neighbours are frequent.
        start, length = rng.integers(0, 60) / 4, rng.integers(1, 1 + rng.integers(1, 12)) / 4
        ends = None if rng.random() < 0.05 else start + length
        start = None if rng.random() < 0.05 else start
        items.append(stretch(rng.choice(list(labels)), start, ends, rng.choice(["a", "b"])))
    items = list(dict.fromkeys(items))
    expected = contradicted(items)
    kept, findings = settle_repeats(items, "data")
    assert kept == [item for item in items if item not in expected]
    assert {item.path for item in findings} == {item.name for item in expected}
    assert {item.code for item in findings} <= {"two-labels", "overlapping-labels"}


def test_a_problem_names_a_stretch_that_overlaps_and_has_another_label():
    rng = np.random.default_rng(0)
    items = [
        stretch(rng.choice(list("xyz")), start, start + rng.uniform(0.1, 9))
        for start in rng.uniform(0, 100, 60).round(2)
    ]
    by_times = {(item.times, item.label): item for item in items}
    _, findings = settle_repeats(items, "data")
    assert len(findings) > 30
    for finding in findings:
        own = finding.path.removeprefix("a.wav [").removesuffix("]")
        item = by_times[own, finding.facts["label"]]
        rival = by_times[finding.facts["where"], finding.facts["other"]]
        assert item.label != rival.label
        assert max(item.start, rival.start) < min(item.end, rival.end)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ((0, 1), (1, 2), False),
        ((0, 1), (5, None), False),
        ((5, None), (None, 5), False),
        ((0, 1.015), (1, 2), False),
        ((0, 1.025), (1, 2), True),
        ((0, 1), (0.9, 2), True),
        ((0, 9), (3, 4), True),
        ((0, 9), (4, 4.01), True),
        ((3, None), (4, 5), True),
        ((None, 4), (3, None), True),
        ((None, None), (8, 9), True),
        ((0, 1), (0, 1), True),
    ],
)
def test_two_labels_need_times_that_are_apart(one, other, overlap):
    """Edges drawn by hand may overlap a little; a short stretch must not lie inside a long one."""
    items = [stretch("x", *one), stretch("z", *other)]
    for order in (items, items[::-1]):
        kept, findings = settle_repeats([*order, stretch("y", None, None, "b.wav")], "data")
        assert len(kept) == (1 if overlap else 3)
        assert {item.path for item in findings} == (
            {item.name for item in items} if overlap else set()
        )
    if one == other:
        facts = {"label": "z", "other": "x"}
        assert findings == [Finding("two-labels", "a.wav [0–1 s]", facts)]


@pytest.mark.slow
def test_many_stretches_of_one_recording():
    # More than a billion pairs: minutes if each were looked at.
    items = [
        stretch("xy"[number % 2], number * 0.5, number * 0.5 + 0.5) for number in range(50_000)
    ]
    kept, findings = settle_repeats(items + items[:7], "data")
    assert len(kept) == 50_000
    assert findings == [Finding("repeated-rows", "data", {"count": 7})]
