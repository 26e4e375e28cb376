"""Pictures of a training run and of a network.

`draw_curves` and `network_picture` write files; `curves_svg` returns SVG that takes its colours
from the style sheet of our pages.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import TYPE_CHECKING

import numpy as np

from timbrel.errors import InvalidArgument
from timbrel.files import replacing
from timbrel.report.backend import Figure
from timbrel.report.charts import Axis, Path, Plot, line, linear_axis, percent_axis, round_up
from timbrel.report.pages import chart
from timbrel.wording import known, percent, plural, shorten

if TYPE_CHECKING:
    # The module that defines it imports Keras, which nothing here needs.
    from timbrel.networks.summary import LayerRow

# The colours of `templates/style.css`, for pictures that stand alone.
_INK, _SOFT, _LINE, _PAPER = "#1b1f24", "#59636e", "#dfe3e7", "#ffffff"
_BLUE, _ORANGE, _PALE = "#0a66a8", "#b8500c", "#dcebf6"

_FITTED, _HELD = "training", "held out while training"


@dataclass(frozen=True)
class Curve:
    """One figure over the epochs.

    Attributes:
        title: what it is.
        fitted, held: float64 `(epochs,)`, on what is trained on and on what is held out meanwhile;
            NaN where unknown.
        high: end of the axis, which begins at 0.
    """

    title: str
    fitted: np.ndarray
    held: np.ndarray
    high: float


def draw_curves(history: Sequence[Mapping], path: str | os.PathLike) -> None:
    """Write loss and accuracy over the epochs as a PNG.

    Args:
        history: one mapping an epoch with `epoch`, `loss`, `acc`, `val_loss`, `val_acc`; the last
            two may be None.
        path: the file.

    Raises:
        OutputError: the file cannot be written.
    """
    figure = Figure(figsize=(9, 3.4), dpi=150, facecolor=_PAPER, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
    epochs, curves = _curves(history)
    for axes, curve in zip(figure.subplots(1, 2), curves, strict=True):
        axes.plot(epochs, curve.fitted, color=_BLUE, lw=2, marker=_marker(epochs), label=_FITTED)
        if np.isfinite(curve.held).any():
            axes.plot(
                epochs,
                curve.held,
                color=_ORANGE,
                lw=2,
                ls=(0, (4, 2)),
                marker=_marker(epochs),
                label=_HELD,
            )
        axes.set_title(curve.title, loc="left", color=_INK, fontsize=12, fontweight="bold")
        axes.set_xlabel("Epoch", color=_INK)
        axes.set_ylim(0, curve.high)
        if curve.title == "Accuracy":
            axes.set_yticks(*zip(*percent_axis().ticks, strict=True))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(color=_LINE, lw=0.7)
        axes.tick_params(color=_LINE, labelcolor=_SOFT)
        axes.spines[:].set_color(_LINE)
        axes.spines[["top", "right"]].set_visible(False)
    if epochs.size:
        figure.axes[0].legend(frameon=False, labelcolor=_INK, fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def curves_svg(history: Sequence[Mapping]) -> str:
    """Return loss and accuracy over the epochs as two SVG elements, each in a `figure`.

    Args:
        history: as `draw_curves` takes it, at least one epoch.

    Raises:
        InvalidArgument: the history is empty.
    """
    if not history:
        raise InvalidArgument("`history` must have at least one epoch. Got none.")
    epochs, curves = _curves(history)
    last = float(epochs[-1])
    # A single epoch has no line; half an epoch on both sides shows it as one.
    x = _epoch_axis(float(epochs[0]), last)
    figures = []
    for curve in curves:
        unit = curve.title == "Accuracy"
        y = percent_axis() if unit else linear_axis("", 0, curve.high, ticks=4)
        paths = [_curve_path("fitted", epochs, curve.fitted, x=x, y=y)]
        if np.isfinite(curve.held).any():
            paths.append(_curve_path("held", epochs, curve.held, x=x, y=y))
        end = curve.held[-1] if np.isfinite(curve.held[-1]) else curve.fitted[-1]
        shown = percent(end) if unit else f"{end:.2f}"
        alt = f"{curve.title} over {plural(len(epochs), 'epoch')}, {shown} at the end."
        figures.append(
            {
                "title": curve.title,
                "plot": Plot(alt=alt, x=x, y=y, paths=tuple(paths), height=190),
                "held": len(paths) > 1,
            }
        )
    return chart("curves", figures)


def network_picture(rows: Sequence[LayerRow], path: str | os.PathLike) -> None:
    """Draw the layers of a network with each one's share of the parameters as a bar.

    Args:
        rows: the layers, from `timbrel.networks.summary.layer_table`.
        path: the file; its ending says whether it becomes a PNG or an SVG.

    Raises:
        InvalidArgument: the path ends in something else.
        OutputError: the file cannot be written.
    """
    kind = File(path).suffix.lower()
    if kind not in (".png", ".svg"):
        raise InvalidArgument(f"`path` of a picture must end in .png or .svg. Got '{path}'.")
    height = 0.34 * len(rows) + 1.15
    figure = Figure(figsize=(9.6, height), dpi=150, facecolor=_PAPER)
    axes = figure.add_axes((0, 0, 1, 1), frameon=False, xticks=[], yticks=[])
    axes.set_xlim(0, 9.6)
    axes.set_ylim(height, 0)
    total = sum(row.parameters for row in rows)
    axes.text(0.4, 0.42, f"{total:,} parameters", fontsize=15, fontweight="bold", color=_INK)
    for x, text, side in (
        (0.4, "Layer", "left"),
        (2.1, "Kind", "left"),
        (3.9, "Output", "left"),
        (6.2, "Parameters", "right"),
        (6.5, "Share of all", "left"),
    ):
        axes.text(x, 0.8, text, fontsize=9, color=_SOFT, ha=side)
    largest = max((row.share for row in rows), default=0.0)
    for number, row in enumerate(rows):
        _draw_layer(axes, row, y=1.1 + 0.34 * number, strong=0 < row.share == largest)
    metadata = {"Date": None} if kind == ".svg" else None
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind[1:], metadata=metadata, facecolor=_PAPER)


def _draw_layer(axes: object, row: LayerRow, *, y: float, strong: bool) -> None:
    shape = " × ".join(str(size) for size in row.output_shape)
    weight = "bold" if strong else "normal"
    axes.axhline(y - 0.17, 0.4 / 9.6, 9.2 / 9.6, color=_LINE, lw=0.7)
    axes.text(0.4, y, shorten(row.name, 18), va="center_baseline", fontsize=10, color=_INK)
    axes.text(2.1, y, shorten(row.kind, 18), va="center_baseline", fontsize=10, color=_SOFT)
    axes.text(3.9, y, shape, va="center_baseline", fontsize=10, color=_SOFT)
    axes.text(
        6.2,
        y,
        f"{row.parameters:,}",
        va="center_baseline",
        ha="right",
        fontsize=10,
        color=_INK,
        fontweight=weight,
    )
    if row.parameters:
        axes.barh(y, 1.95 * row.share, height=0.17, left=6.5, color=_BLUE if strong else "#7fb0d6")
        axes.text(
            6.6 + 1.95 * row.share,
            y,
            percent(row.share),
            va="center_baseline",
            fontsize=9,
            color=_SOFT,
            fontweight=weight,
        )


def _curves(history: Sequence[Mapping]) -> tuple[np.ndarray, list[Curve]]:
    """Epochs, and loss and accuracy over them."""
    column = {
        name: np.array([_figure(epoch.get(name)) for epoch in history])
        for name in ("epoch", "loss", "val_loss", "acc", "val_acc")
    }
    losses = np.concatenate([column["loss"], column["val_loss"]])
    top = losses[np.isfinite(losses)].max(initial=0.1)
    return column["epoch"], [
        Curve("Loss", column["loss"], column["val_loss"], _roomy(float(top))),
        Curve("Accuracy", column["acc"], column["val_acc"], 1.0),
    ]


def _figure(value: float | None) -> float:
    return float(value) if known(value) else math.nan


def _roomy(top: float) -> float:
    """End of an axis: a round number of fifths of its order of magnitude, not below `top`."""
    step = round_up(top / 4)
    return step * math.ceil(top / step - 1e-9)


def _marker(epochs: np.ndarray) -> str:
    return "o" if len(epochs) == 1 else ""


def _epoch_axis(first: float, last: float) -> Axis:
    if first == last:
        return Axis("Epoch", first - 0.5, last + 0.5, ((first, f"{first:g}"),))
    step = max(1, math.ceil(round_up((last - first) / 8)))
    ticks = tuple(
        (x, f"{x:g}") for x in np.arange(step * math.ceil(first / step), last + 0.5, step)
    )
    return Axis("Epoch", first, last, ticks)


def _curve_path(style: str, epochs: np.ndarray, values: np.ndarray, *, x: Axis, y: Axis) -> Path:
    if len(epochs) == 1:
        level = np.repeat(y.place(values), 2)
        return Path(style, line(np.array([0.25, 0.75]), level))
    return Path(style, line(x.place(epochs), y.place(values)))
