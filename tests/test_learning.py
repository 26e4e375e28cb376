from __future__ import annotations

import pytest

pytest.importorskip("matplotlib", reason="the train extra is not installed")
pytest.importorskip("jinja2", reason="the train extra is not installed")

from timbrel.report.learning import learning_curve_of


def point(recordings: int, accuracy: float, *, doubt: float | None = 0.02, **recall) -> dict:
    ends = None if doubt is None else [accuracy - doubt, accuracy + doubt]
    return {"recordings": recordings, "accuracy": accuracy, "ci95": ends, "recall": recall}


def test_the_last_doubling_is_compared():
    curve = [point(30, 0.4), point(60, 0.5), point(120, 0.6), point(200, 0.65), point(240, 0.66)]
    found = learning_curve_of(curve, {})
    assert (found.fewer, found.all) == (120, 240)
    assert found.gain == pytest.approx(6)
    assert found.earlier == (60, pytest.approx(10))
    # Two intervals of ± 2 points.
    assert found.doubt == pytest.approx(2 * 2**0.5)
    assert found.verdict == "rising"


@pytest.mark.parametrize(
    ("before", "after", "doubt", "verdict"),
    [
        (0.6, 0.7, 0.02, "rising"),
        (0.6, 0.62, 0.02, "maybe"),
        (0.6, 0.60, 0.05, "open"),
        (0.6, 0.59, 0.05, "open"),
        (0.6, 0.601, 0.01, "flat"),
        (0.6, 0.5, 0.02, "falling"),
        (0.6, 0.9, None, "maybe"),
        (0.6, 0.5, None, "open"),
    ],
)
def test_verdicts(before, after, doubt, verdict):
    curve = [point(100, before, doubt=doubt), point(200, after, doubt=doubt)]
    assert learning_curve_of(curve, {}).verdict == verdict


def test_little_to_go_on():
    assert learning_curve_of(None, {}) is None
    assert learning_curve_of([], {}) is None
    assert learning_curve_of([point(10, float("nan"), doubt=None)], {}) is None
    alone = learning_curve_of([point(10, 0.5)], {})
    assert alone.verdict == "unknown"
    assert alone.earlier is None


def test_classes_are_sorted_by_rise_and_luck_is_told_from_gain():
    curve = [
        point(100, 0.5, a=0.4, b=0.5, c=0.9, d=0.5),
        point(200, 0.6, a=0.9, b=0.55, c=0.8, d=None),
    ]
    few = learning_curve_of(curve, dict.fromkeys("abcd", 6)).rises
    assert [(rise.label, round(rise.points)) for rise in few] == [("a", 50), ("b", 5)]
    assert [rise.sure for rise in few] == [False, False]
    many = learning_curve_of(curve, dict.fromkeys("abcd", 100)).rises
    assert [rise.sure for rise in many] == [True, False]


def test_one_lucky_class_of_a_hundred_is_not_called_sure():
    """13 points are much for one class of 100 files, and usual for the best of a hundred."""
    labels = [f"class{number}" for number in range(100)]
    old = dict.fromkeys(labels, 0.5)
    alone = [point(100, 0.5, x=0.5), point(200, 0.5, x=0.65)]
    assert learning_curve_of(alone, {"x": 100}).rises[0].sure
    among = [point(100, 0.5, **old), point(200, 0.5, **{**old, "class7": 0.65})]
    rises = learning_curve_of(among, dict.fromkeys(labels, 100)).rises
    assert [rise.label for rise in rises] == ["class7"]
    assert not rises[0].sure


def test_a_perfect_recall_of_few_files_is_not_beyond_doubt():
    curve = [point(100, 0.5, x=0.5), point(200, 0.5, x=1.0)]
    assert not learning_curve_of(curve, {"x": 2}).rises[0].sure


def test_plot_names_every_point_and_stays_in_its_frame():
    curve = [point(3, 0.0), point(6, 1.0)]
    plot = learning_curve_of(curve, {}).plot
    assert "3: 0.0\u00a0%; 6: 100.0\u00a0%" in plot.alt
    texts = [text for _, text in plot.x.ticks]
    assert len(set(texts)) == len(texts)
    assert plot.paths[0].style == "under"
    assert learning_curve_of([point(3, 0.5)], {}).plot.paths[0].style == "doubt"
