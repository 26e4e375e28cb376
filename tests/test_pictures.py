"""Pictures as files and pixels."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the train extra is not installed")

import matplotlib

from test_charts import HISTORY
from timbrel.errors import InvalidArgument, OutputError
from timbrel.report.pictures import draw_curves, heat_uri, network_picture


def size_of_png(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


ODD = {"epoch": 6, "loss": float("nan"), "acc": 1.0, "val_loss": float("inf"), "val_acc": None}
NOT_HELD_OUT = [{**epoch, "val_loss": None, "val_acc": None} for epoch in HISTORY]


@pytest.mark.parametrize(
    "history", [HISTORY, [*HISTORY, ODD], [], NOT_HELD_OUT[:1], NOT_HELD_OUT[:2]]
)
def test_draw_curves(tmp_path, history):
    before = dict(matplotlib.rcParams)
    draw_curves(history, tmp_path / "curves.png")
    assert size_of_png(tmp_path / "curves.png") == (1350, 510)
    assert dict(matplotlib.rcParams) == before


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
    network_picture([Row("a", 0, 0.0)], tmp_path / "without parameters.svg")
    with pytest.raises(InvalidArgument, match=r"\.png or \.svg"):
        network_picture(rows, tmp_path / "network.pdf")


def test_places_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/curves\.png"):
        draw_curves(HISTORY, tmp_path / "file/curves.png")
    with pytest.raises(OutputError, match="it is a folder"):
        draw_curves(HISTORY, tmp_path)


def test_heat_picture_is_the_right_way_up():
    image = pytest.importorskip("PIL.Image")
    uri = heat_uri(np.array([[0.0, 0.0, 0.5], [1.0, 1.0, 1.0]]), 0.0, 1.0)
    data = base64.b64decode(uri.split(",", 1)[1])
    with image.open(io.BytesIO(data)) as picture:
        assert picture.size == (3, 2)
        colours = np.asarray(picture.convert("RGB"), dtype=int)
    assert colours[0, 0].sum() > colours[1, 2].sum() > colours[1, 0].sum()
