"""Windows to events: hand-worked cases, and what must hold of all."""

import dataclasses
import itertools

import numpy as np
import pytest

from stub_model import stub_predictor
from timbrel.audio.windows import Windowing
from timbrel.errors import InvalidArgument
from timbrel.inference.events import EventSettings, find_events
from timbrel.inference.scores import WindowScores

LABELS = ("a", "b", "c")


def scores(text, *, hop=1.0, window=1.0, confidence=0.9, start=None, cuts=()):
    """Windows written as letters: a class, `.` for unsure, `_` for silence."""
    rows = np.full((len(text), 3), (1 - confidence) / 2, dtype=np.float32)
    for number, letter in enumerate(text):
        rows[number] = 1 / 3 if letter in "._" else rows[number]
        if letter in "abc":
            rows[number, "abc".index(letter)] = confidence
        if letter == "_":
            rows[number] = (1, 0, 0)
    start = np.arange(len(text), dtype=float) * hop if start is None else np.array(start, float)
    end = start + window
    cut = np.stack([end, end], axis=1)
    for number, begin, over in cuts:
        cut[number] = begin, over
        end[number] = over + window - (begin - start[number])
    return WindowScores(
        probabilities=rows,
        start=start,
        end=end,
        cut=cut,
        sounding=np.stack([start, end], axis=1),
        silent=np.array([letter == "_" for letter in text], dtype=bool),
        counted=np.ones(len(text), dtype=bool),
        seconds=float(end[-1]) if len(text) else 0.0,
    )


def events(found, *, threshold=0.5, **settings):
    """Events as (class, start, end)."""
    return [
        ("abc"[int(found.probabilities[item.windows[0]].argmax())], item.start, item.end)
        for item in find_events(found, EventSettings(**settings), threshold=threshold)
    ]


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        ("", {}, []),
        ("...", {}, []),
        ("___", {}, []),
        ("a", {}, [("a", 0, 1)]),
        ("aab", {}, [("a", 0, 2), ("b", 2, 3)]),
        (".aa.a", {}, [("a", 1, 3), ("a", 4, 5)]),
        (".aa.a", {"max_gap": 1}, [("a", 1, 5)]),
        (".aa..a", {"max_gap": 1}, [("a", 1, 3), ("a", 5, 6)]),
        ("aabaa", {"max_gap": 9}, [("a", 0, 2), ("b", 2, 3), ("a", 3, 5)]),
        ("aa_a", {"max_gap": 1}, [("a", 0, 4)]),
        ("aab.a", {"min_length": 2}, [("a", 0, 2)]),
        ("a.a", {"min_length": 3, "max_gap": 1}, [("a", 0, 3)]),
        ("abc", {"min_confidence": 0.91}, []),
        ("abc", {"min_confidence": 0.89}, [("a", 0, 1), ("b", 1, 2), ("c", 2, 3)]),
        (".", {"min_confidence": 0.3}, [("a", 0, 1)]),
    ],
)
def test_hand_worked_events(text, settings, expected):
    assert events(scores(text), **settings) == expected


def test_windows_that_overlap_share_the_overlap():
    assert events(scores(".aa.b", hop=1, window=2)) == [("a", 1.5, 3.5), ("b", 4.5, 6)]
    assert events(scores("ab", hop=1, window=4)) == [("a", 0, 2.5), ("b", 2.5, 5)]


def test_what_reaches_a_limit_exactly_counts():
    found = scores("a.")
    sure = float(found.probabilities[0].max())
    assert events(found, min_confidence=sure) == [("a", 0, 1)]
    found.sounding[0] = (0.4, 0.7)
    assert 0.7 - 0.4 < 0.3  # As floats have it.
    assert events(found, min_length=0.3) == [("a", 0.4, 0.7)]


def test_what_cleaning_cut_between_windows_is_a_gap():
    found = scores("aaa", start=[0, 1, 5])
    assert events(found) == [("a", 0, 2), ("a", 5, 6)]
    assert events(found, max_gap=2.9) == [("a", 0, 2), ("a", 5, 6)]
    assert events(found, max_gap=3) == [("a", 0, 6)]


def test_an_event_is_where_the_sound_is():
    # Two windows of 3 s; what is to be heard lies at 2 to 3 s, and is in both.
    found = scores("aa", hop=1.5, window=3)
    found.sounding[:] = [(2, 3), (2, 3)]
    assert events(found) == [("a", 2, 3)]
    # A window that belongs to no event takes nothing of it, if it has no sound of its own.
    assert events(dataclasses.replace(found, silent=np.array([True, False]))) == [("a", 2, 3)]
    assert events(dataclasses.replace(found, silent=np.array([False, True]))) == [("a", 2, 3)]
    found.sounding[:] = [(1, 3), (2, 4)]
    assert events(dataclasses.replace(found, silent=np.array([True, False]))) == [("a", 2.5, 4)]
    assert events(dataclasses.replace(found, silent=np.array([False, True]))) == [("a", 1, 2.5)]
    # Two sounds with silence between them are two events, unless the gap is closed.
    found.sounding[:] = [(0.5, 1), (2.5, 4)]
    assert events(found) == [("a", 0.5, 1), ("a", 2.5, 4)]
    assert events(found, max_gap=1.5) == [("a", 0.5, 4)]


def test_what_cleaning_cut_out_of_a_window_is_a_gap():
    # The second window holds 0.4 s of before the cut and 0.6 s of after it.
    found = scores("aaa", start=[0, 1, 4.6], cuts=[(1, 1.4, 4.0)])
    assert events(found) == [("a", 0, 1.4), ("a", 4, 5.6)]
    assert events(found, max_gap=2.5) == [("a", 0, 1.4), ("a", 4, 5.6)]
    assert events(found, max_gap=2.6) == [("a", 0, 5.6)]
    assert events(scores("ab.", start=[0, 1, 4.6], cuts=[(1, 1.4, 4.0)])) == [
        ("a", 0, 1),
        ("b", 1, 1.4),
        ("b", 4, 4.6),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_events_are_in_order_apart_and_of_sure_windows(seed):
    rng = np.random.default_rng(seed)
    text = "".join(rng.choice(list("abc._"), 200))
    hop, window = (0.5, 1.5) if seed % 2 else (0.1, 0.1)
    found = scores(text, hop=hop, window=window)
    plain = events(found)
    for (_, _, end), (_, start, _) in itertools.pairwise(plain):
        assert start >= end - 1e-9
    covered = np.concatenate(
        [item.windows for item in find_events(found, EventSettings(), threshold=0.5)]
    )
    assert covered.tolist() == [number for number, letter in enumerate(text) if letter in "abc"]
    closed = events(found, max_gap=hop * 3)
    assert len(closed) < len(plain)
    assert sum(end - start for _, start, end in closed) >= sum(e - s for _, s, e in plain) - 1e-9
    long = events(found, min_length=2 * hop)
    assert set(long) <= set(plain)
    assert all(end - start >= 2 * hop - 1e-5 for _, start, end in long)


def test_an_event_is_the_mean_of_its_windows_and_accepted():
    found = scores("aa")
    found.probabilities[1] = (0.3, 0.4, 0.3)
    found.probabilities[0] = (0.1, 0.6, 0.3)
    predictor = stub_predictor(Windowing(1000, 10, 10), labels=LABELS, threshold=0.55, top=2)
    settings = EventSettings(min_confidence=0.35)
    (event,) = predictor.to_predictions(found, "event", path="x", events=settings)
    assert event.path == "x"
    assert (event.label, event.predicted, event.accepted) == ("b", "b", True)
    assert event.probability == pytest.approx(0.5)
    assert event.top == (("b", pytest.approx(0.5)), ("c", pytest.approx(0.3)))
    assert (event.start, event.end, event.seconds) == (0, 2, 2)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"min_confidence": 1.5}, "`min_confidence` must be between 0 and 1. Got 1.5"),
        ({"min_confidence": float("nan")}, "between 0 and 1. Got nan"),
        ({"min_confidence": "a"}, "between 0 and 1. Got a"),
        ({"max_gap": None}, "`max_gap` must be at least 0 s. Got None"),
        ({"min_length": -1}, "`min_length` must be at least 0 s. Got -1"),
        ({"max_gap": float("inf")}, "`max_gap` must be at least 0 s. Got inf"),
    ],
)
def test_settings_out_of_range_are_named(settings, sentence):
    with pytest.raises(InvalidArgument, match=sentence):
        EventSettings(**settings)


def test_a_long_recording_of_one_class_takes_linear_time():
    found = scores("a" * 500_000, hop=0.1, window=0.1)
    (event,) = find_events(found, EventSettings(), threshold=0.5)
    assert len(event.windows) == 500_000
