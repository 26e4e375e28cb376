"""Pictures as files and pixels: training curves, a network, heat maps.

matplotlib draws `history.png` and the picture of a network, because a PNG with text needs fonts and
a rasteriser, and its palette colours the heat maps. The charts of our pages are SVG. Neither pyplot
nor a setting of matplotlib is touched, so that a caller's own plots stay as they are.
"""

from __future__ import annotations

import base64
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrel.errors import InvalidArgument, MissingExtra
from timbrel.files import replacing
from timbrel.report.charts import percent_axis, training_curves
from timbrel.text import percent, plural, shorten

try:
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
except ModuleNotFoundError as error:
    raise MissingExtra.of("train", "Drawing pictures") from error

if TYPE_CHECKING:
    # The module that defines it imports Keras, which nothing here needs.
    from timbrel.networks.builders import LayerRow

# The colours of `templates/style.css`, for pictures that stand alone.
_INK, _SOFT, _LINE, _PAPER = "#1b1f24", "#59636e", "#dfe3e7", "#ffffff"
_BLUE, _ORANGE, _PALE_BLUE = "#0a66a8", "#b8500c", "#7fb0d6"
_COLOURS = "viridis"


def draw_curves(history: Sequence[Mapping], path: str | os.PathLike) -> None:
    """Write loss and accuracy over the epochs as a PNG.

    Args:
        history: one mapping an epoch with `epoch`, `loss`, `acc`, `val_loss`, `val_acc`; the last
            two may be None.
        path: the file.

    Raises:
        OutputError: the file cannot be written.
    """
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    figure = Figure(figsize=(9, 3.4), dpi=150, facecolor=_PAPER, layout=layout)
    marker = "o" if len(history) == 1 else ""
    for axes, curve in zip(figure.subplots(1, 2), training_curves(history), strict=True):
        axes.plot(curve.epochs, curve.fitted, color=_BLUE, lw=2, marker=marker, label="training")
        if curve.has_held:
            axes.plot(
                curve.epochs,
                curve.held,
                color=_ORANGE,
                lw=2,
                ls=(0, (4, 2)),
                marker=marker,
                label="held out while training",
            )
        axes.set_title(curve.title, loc="left", color=_INK, fontsize=12, fontweight="bold")
        axes.set_xlabel("Epoch", color=_INK)
        axes.set_ylim(0, curve.high)
        if curve.share:
            axes.set_yticks(*zip(*percent_axis().ticks, strict=True))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(color=_LINE, lw=0.7)
        axes.tick_params(color=_LINE, labelcolor=_SOFT)
        axes.spines[:].set_color(_LINE)
        axes.spines[["top", "right"]].set_visible(False)
    if history:
        figure.axes[0].legend(frameon=False, labelcolor=_INK, fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def network_picture(rows: Sequence[LayerRow], path: str | os.PathLike) -> None:
    """Draw the layers of a network with each one's share of the parameters as a bar.

    Args:
        rows: the layers, from `timbrel.networks.builders.layer_table`.
        path: the file; its ending says whether it becomes a PNG or an SVG.

    Raises:
        InvalidArgument: the path ends in something else.
        OutputError: the file cannot be written.
    """
    kind = Path(path).suffix.lower()
    if kind not in (".png", ".svg"):
        raise InvalidArgument(f"`path` of a picture must end in .png or .svg. Got '{path}'.")
    height = 0.34 * len(rows) + 1.15
    figure = Figure(figsize=(9.6, height), dpi=150, facecolor=_PAPER)
    axes = figure.add_axes((0, 0, 1, 1), frameon=False, xticks=[], yticks=[])
    axes.set_xlim(0, 9.6)
    axes.set_ylim(height, 0)
    title = plural(sum(row.parameters for row in rows), "parameter")
    axes.text(0.4, 0.42, title, fontsize=15, fontweight="bold", color=_INK)
    # Left edges of the columns, but for that of the parameters, whose right edge it is.
    layer, kind_at, output, parameters, share = 0.4, 2.1, 3.9, 6.2, 6.5
    small: dict[str, Any] = {"fontsize": 9, "color": _SOFT}
    middle: dict[str, Any] = {"fontsize": 10, "va": "center_baseline"}
    axes.text(layer, 0.8, "Layer", **small)
    axes.text(kind_at, 0.8, "Kind", **small)
    axes.text(output, 0.8, "Output", **small)
    axes.text(parameters, 0.8, "Parameters", ha="right", **small)
    axes.text(share, 0.8, "Share of all", **small)
    largest = max((row.share for row in rows), default=0.0)
    for number, row in enumerate(rows):
        y, largest_share = 1.1 + 0.34 * number, 0 < row.share == largest
        shape, parameter_count = " × ".join(map(str, row.output_shape)), f"{row.parameters:,}"
        bold: dict[str, Any] = {"fontweight": "bold" if largest_share else "normal"}
        axes.axhline(y - 0.17, layer / 9.6, 9.2 / 9.6, color=_LINE, lw=0.7)
        axes.text(layer, y, shorten(row.name, 18), color=_INK, **middle)
        axes.text(kind_at, y, shorten(row.kind, 18), color=_SOFT, **middle)
        axes.text(output, y, shape, color=_SOFT, **middle)
        axes.text(parameters, y, parameter_count, color=_INK, ha="right", **bold, **middle)
        if row.parameters:
            length = 1.95 * row.share
            colour = _BLUE if largest_share else _PALE_BLUE
            axes.barh(y, length, height=0.17, left=share, color=colour)
            percentage = percent(row.share)
            axes.text(share + 0.1 + length, y, percentage, va="center_baseline", **bold, **small)
    metadata = {"Date": None} if kind == ".svg" else None
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind[1:], metadata=metadata, facecolor=_PAPER)


def heat_uri(picture: np.ndarray, low: float, high: float) -> str:
    """Colour a picture as a PNG with a palette, in a `data:` URI: a third of one with full colours.

    Args:
        picture: float `(rows, columns)`, one pixel a value, the first row at the bottom.
        low, high: the values of the darkest and of the brightest colour.

    Source: W3C, "Portable Network Graphics (PNG) Specification (Second Edition)" (2003).
    """
    shades = np.clip((picture[::-1] - low) / max(high - low, 1e-6) * 256, 0, 255).astype(np.uint8)
    rows, columns = shades.shape
    palette = matplotlib.colormaps[_COLOURS](np.arange(256), bytes=True)[:, :3]
    # Every row begins with the number of its filter, 0 for none.
    pixels = np.pad(shades, ((0, 0), (1, 0))).tobytes()
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(pixels, 9)),
        (b"IEND", b""),
    )
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def colour_scale() -> str:
    """CSS gradient from the darkest to the brightest colour of the heat maps."""
    colours = matplotlib.colormaps[_COLOURS](np.linspace(0, 1, 9), bytes=True)[:, :3]
    return f"linear-gradient(90deg, {', '.join(f'rgb({r} {g} {b})' for r, g, b in colours)})"
