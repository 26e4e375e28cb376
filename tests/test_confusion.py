from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the train extra is not installed")
pytest.importorskip("jinja2", reason="the train extra is not installed")

from timbrel.errors import InvalidArgument
from timbrel.report.confusion import confusion_svg, confusions

LABELS = ["Flute", "<script>alert(1)</script>"]


def test_confusion_svg():
    svg = confusion_svg(LABELS, [[3, 1], [0, 4]])
    assert svg.count('<path class="right"') == 2
    assert svg.count('<path class="wrong"') == 1
    assert re.findall(r'class="count \w+"[^>]*>(\d+)<', svg) == ["3", "1", "4"]
    assert "Flute, heard as &lt;script&gt;" in svg
    assert "(75\u00a0%)" in svg
    with pytest.raises(InvalidArgument, match="a row and a column"):
        confusion_svg([*LABELS, "c"], [[1]])


def test_confusions_are_sorted_and_leave_out_what_is_right():
    found = confusions(["a", "b", "c"], [[5, 0, 2], [3, 1, 0], [2, 0, 8]])
    assert [(item.label, item.answer, item.times) for item in found] == [
        ("b", "a", 3),
        ("a", "c", 2),
        ("c", "a", 2),
    ]
    assert [item.share for item in found] == pytest.approx([0.75, 2 / 7, 0.2])


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
