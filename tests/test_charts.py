"""Charts as data, and as the SVG that is made of them."""

from __future__ import annotations

import math
import re
from importlib.resources import files

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the train extra is not installed")
pytest.importorskip("jinja2", reason="the train extra is not installed")

from test_view import learning, point
from timbrel.errors import InvalidArgument
from timbrel.evaluation.calibration import reliability
from timbrel.report.charts import (
    learning_plot,
    linear_axis,
    reliability_plots,
    training_curves,
)
from timbrel.report.page import confusion_svg

LABELS = ["Flute", "<script>alert(1)</script>"]


def test_confusion_svg():
    svg = confusion_svg(LABELS, [[3, 1], [0, 4]])
    assert svg.count('<path class="right"') == 2
    assert svg.count('<path class="wrong"') == 1
    assert re.findall(r'class="count \w+"[^>]*>(\d+)<', svg) == ["3", "1", "4"]
    assert "Flute, taken for &lt;script&gt;" in svg
    assert "(75\u00a0%)" in svg
    with pytest.raises(InvalidArgument, match="a row and a column"):
        confusion_svg([*LABELS, "c"], [[1]])


def test_large_matrix_scrolls_in_its_own_box_without_numbers():
    labels = [f"class {number}" for number in range(100)]
    svg = confusion_svg(labels, np.eye(100).tolist())
    assert 'class="matrix large"' in svg
    assert svg.count('<path class="right"') == 100
    assert 'class="count' not in svg
    assert svg.count('<path class="tenth"') == 9
    assert 'class="matrix"' in confusion_svg(LABELS, [[1, 0], [0, 1]])


def test_empty_rows_are_no_trouble():
    svg = confusion_svg(LABELS, [[0, 0], [0, 0]])
    assert "nan" not in svg
    assert 'class="right"' not in svg


def luminance(colour: np.ndarray) -> float:
    linear = np.where(colour <= 0.03928, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(("page", "numbers"), [("light", "000 000 fff"), ("dark", "fff 000 000")])
def test_numbers_can_be_read_on_every_cell(page, numbers):
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1 for text."""
    css = files("timbrel.report").joinpath("templates/style.css").read_text("utf-8")
    root = re.findall(r":root \{(.*?)\}", css, re.S)[0 if page == "light" else 1]
    colours = {
        name: np.array([int(value[i : i + 2], 16) / 255 for i in (0, 2, 4)])
        for name, value in re.findall(r"--(\w+): #(\w{6});", root)
    }
    inks = dict(zip(("faint", "medium", "full"), numbers.split(), strict=True))
    for times in range(1, 101):
        svg = confusion_svg(["a", "b"], [[times, 100 - times], [100 - times, times]])
        kinds = re.findall(r'<path class="(\w+)" fill-opacity="([\d.]+)"', svg)
        texts = re.findall(r'class="count (\w+)"', svg)
        for (kind, opacity), ink in zip(kinds, texts, strict=True):
            strong = colours["blue" if kind == "right" else "orange"]
            cell = float(opacity) * strong + (1 - float(opacity)) * colours["wash"]
            text = 1.0 if inks[ink] == "fff" else 0.0
            ends = sorted((luminance(cell), text))
            assert (ends[1] + 0.05) / (ends[0] + 0.05) >= 4.5, (kind, opacity, ink)


HISTORY = [
    {"epoch": epoch, "loss": 2 / epoch, "acc": 1 - 0.6 / epoch, "val_loss": 1.5, "val_acc": 0.5}
    for epoch in range(1, 6)
]


def test_training_curves():
    loss, accuracy = training_curves(HISTORY)
    assert (loss.high, accuracy.high) == (2.0, 1.0)
    assert loss.plot.alt == "Loss over 5\N{NO-BREAK SPACE}epochs, 1.50 at the end."
    assert accuracy.plot.alt.endswith("50.0\N{NO-BREAK SPACE}% at the end.")
    assert list(loss.plot.paths) == ["fitted", "held"]
    (one, _) = training_curves([{**HISTORY[0], "val_loss": None, "val_acc": math.nan}])
    assert list(one.plot.paths) == ["fitted"]
    assert one.plot.paths["fitted"] == "M250 0L750 0"
    assert [text for _, text in one.plot.x.ticks] == ["1"]


def test_curves_survive_a_loss_that_is_not_a_number():
    odd = [dict(epoch) for epoch in HISTORY]
    odd[2]["loss"], odd[3]["val_loss"] = math.nan, math.inf
    for curve in training_curves(odd):
        assert not re.search("nan|inf", "".join(curve.plot.paths.values()) + curve.plot.alt)


def test_learning_plot_names_every_point_and_stays_in_its_frame():
    plot = learning_plot(learning([point(3, 0.0), point(6, 1.0)]).learning)
    assert "3: 0.0\N{NO-BREAK SPACE}%; 6: 100.0\N{NO-BREAK SPACE}%" in plot.alt
    texts = [text for _, text in plot.x.ticks]
    assert len(set(texts)) == len(texts)
    assert next(iter(plot.paths)) == "under"
    for alone in ([point(3, 0.5)], [point(3, 0.5, doubt=None), point(6, 0.6)]):
        assert next(iter(learning_plot(learning(alone).learning).paths)) == "doubt"


def test_counts_are_written_over_the_bars():
    right = np.arange(12_345) < 6000
    diagram, counts = reliability_plots(reliability(np.full(12_345, 0.72), right))
    assert [mark["text"] for mark in counts.marks] == ["12k"]
    assert "67\N{NO-BREAK SPACE}% to 73\N{NO-BREAK SPACE}%: 12345" in counts.alt
    assert "72\N{NO-BREAK SPACE}% sure, 49\N{NO-BREAK SPACE}% right" in diagram.alt


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.0625), (-90, -10), (0, 3600)])
def test_axis_has_round_ticks_inside(low, high):
    axis = linear_axis("x", low, high)
    values = [value for value, _ in axis.ticks]
    assert 2 <= len(values) <= 11
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in values)
    assert len({text for _, text in axis.ticks}) == len(values)
