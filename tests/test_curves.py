from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the train extra is not installed")
pytest.importorskip("jinja2", reason="the train extra is not installed")

import matplotlib

from timbrel.errors import InvalidArgument, OutputError
from timbrel.report.curves import curves_svg, draw_curves, network_picture


@pytest.fixture
def history() -> list[dict]:
    return [
        {
            "epoch": epoch, "loss": 2 / epoch, "acc": 1 - 0.6 / epoch, "val_loss": 2.2 / epoch**0.5,
            "val_acc": 0.8 - 0.5 / epoch, "seconds": 3.0,
        }
        for epoch in range(1, 6)
    ]  # fmt: skip


def size_of_png(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def test_draw_curves(tmp_path, history):
    before = dict(matplotlib.rcParams)
    draw_curves(history, tmp_path / "curves.png")
    assert size_of_png(tmp_path / "curves.png") == (1350, 510)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("epochs", [0, 1, 2])
def test_draw_curves_of_little(tmp_path, history, epochs):
    few = [{**epoch, "val_loss": None, "val_acc": None} for epoch in history[:epochs]]
    draw_curves(few, tmp_path / "curves.png")
    assert size_of_png(tmp_path / "curves.png")[0] == 1350


def test_curves_svg(history):
    svg = curves_svg(history)
    assert svg.count('<svg class="plot"') == 2
    assert svg.count('class="fitted"') == svg.count('class="held"') == 2
    assert "held out while training" in svg
    without = curves_svg([{**history[0], "val_loss": None, "val_acc": float("nan")}])
    assert 'class="held"' not in without
    assert "nan" not in without
    with pytest.raises(InvalidArgument, match="at least one epoch"):
        curves_svg([])


def test_curves_survive_a_loss_that_is_not_a_number(tmp_path, history):
    history[2]["loss"] = float("nan")
    history[3]["val_loss"] = float("inf")
    draw_curves(history, tmp_path / "curves.png")
    assert "nan" not in curves_svg(history)
    assert "inf" not in curves_svg(history)


class Row:
    """Stands in for a LayerRow, whose module imports Keras."""

    def __init__(self, name: str, parameters: int, share: float) -> None:
        self.name, self.kind, self.output_shape = name, "Dense", (13, 9, 32)
        self.parameters, self.share = parameters, share


def test_network_picture(tmp_path):
    rows = [Row("a", 300, 0.75), Row("b", 100, 0.25), Row("c", 0, 0.0)]
    network_picture(rows, tmp_path / "network.png")
    assert size_of_png(tmp_path / "network.png")[0] == 1440
    network_picture(rows, tmp_path / "network.SVG")
    assert "<svg" in (tmp_path / "network.SVG").read_text("utf-8")
    with pytest.raises(InvalidArgument, match=r"\.png or \.svg"):
        network_picture(rows, tmp_path / "network.pdf")


def test_network_picture_without_parameters(tmp_path):
    network_picture([Row("a", 0, 0.0)], tmp_path / "network.svg")


def test_places_that_cannot_be_written_are_named(tmp_path, history):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/curves\.png"):
        draw_curves(history, tmp_path / "file/curves.png")
    with pytest.raises(OutputError, match="it is a folder"):
        draw_curves(history, tmp_path)
