"""Charts as data: axes, marks and slices, which `templates/charts.html.j2` turns into SVG.

A plot fills the width it is given while its text keeps its size, so it reads as well on a phone as
on a wide screen. Inside it, marks are drawn on a square of 1000 × 1000 units, y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from timbrel.errors import InvalidArgument
from timbrel.evaluation.calibration import ReliabilityBin
from timbrel.report.view import Table
from timbrel.text import (
    count,
    decimals,
    ems,
    known,
    number,
    percent,
    plural,
    round_up,
    shorten_all,
    signed,
)

UNITS = 1000

# A confusion matrix. So many classes fit a screen; larger matrices scroll in a box of their own.
_LARGE = 36
# Cells of at least this width hold their number.
_NUMBERED = 22
# Width of a name in ems: about 19 letters.
_NAME = 11.0
_SLANT = math.radians(55)
# Where black turns into white as the colour of a number that can be read, by the opacity of its
# cell: on light pages for right and wrong answers, on dark pages for both. At these opacities both
# have a contrast of 4.5 : 1.
_TURNS_LIGHT = {True: 0.865, False: 0.935}
_TURNS_DARK = 0.61


@dataclass(frozen=True)
class Axis:
    """One axis of a plot.

    Attributes:
        title: its quantity, with the unit.
        low, high: its ends.
        ticks: values and the texts at them.
    """

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]] = ()

    def place(self, values: np.ndarray | float) -> np.ndarray:
        """Where values lie between the ends, 0 to 1."""
        return (np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low)

    def marks(self) -> list[tuple[float, str]]:
        """Places of the ticks in percent, and their texts."""
        return [(round(100 * float(self.place(value)), 2), text) for value, text in self.ticks]


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes:
        alt: a description, for screen readers.
        x, y: its axes.
        paths: SVG path data of lines and areas on the square of 1000 units, by their classes in the
            style sheet, the first at the back.
        image: data URI of a picture that fills it, or None.
        height: height of the plotted area in CSS pixels.
        marks: texts over it: `text`, and `x` and `y` of the middle of its foot, in percent of the
            plot, y downwards.
    """

    alt: str
    x: Axis
    y: Axis
    paths: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    height: int = 150
    marks: Sequence[Mapping] = ()


def linear_axis(title: str, low: float, high: float, *, ticks: int = 5) -> Axis:
    """Axis from `low` to `high` with about so many round ticks."""
    step = round_up((high - low) / ticks)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [index * step for index in range(first, last + 1)]
    return Axis(title, low, high, [(value, signed(value, decimals(step))) for value in values])


def percent_axis(title: str = "") -> Axis:
    """Axis of shares, 0 to 1, marked in percent."""
    return Axis(title, 0.0, 1.0, tuple((share / 4, f"{25 * share} %") for share in range(5)))


def time_axis(seconds: float) -> Axis:
    """Axis of time from zero, in seconds, or in milliseconds for short times."""
    if seconds >= 0.02:
        return linear_axis("Time (s)", 0, seconds)
    return linear_axis("Time (ms)", 0, seconds * 1000)


def line(x: np.ndarray, y: np.ndarray) -> str:
    """Path data of a line; places 0 to 1, y upwards; a NaN leaves a gap."""
    parts, pen = [], "M"
    for px, py in zip(x, y, strict=True):
        if not (math.isfinite(px) and math.isfinite(py)):
            pen = "M"
            continue
        parts.append(f"{pen}{_unit(px)} {_unit(1 - py)}")
        pen = "L"
    return "".join(parts)


def band(low: np.ndarray, high: np.ndarray, *, first: int, columns: int) -> str:
    """Path data of the area between two lines over neighbouring columns of a plot.

    Args:
        low, high: float `(n,)`, places 0 to 1, y upwards.
        first: column of the first value.
        columns: columns of the whole plot.
    """
    upper, lower = [], []
    for index, (bottom, top) in enumerate(zip(low, high, strict=True), first):
        left, right = _unit(index / columns), _unit((index + 1) / columns)
        upper.append(f"L{left} {_unit(1 - top)}H{right}")
        lower.append(f"L{right} {_unit(1 - bottom)}H{left}")
    return "M" + "".join([*upper, *reversed(lower)])[1:] + "Z"


def bar(left: float, right: float) -> str:
    """Path data of an area over the whole height, between two places 0 to 1."""
    return f"M{_unit(left)} 0H{_unit(right)}V{UNITS}H{_unit(left)}Z"


def dots(x: np.ndarray, y: np.ndarray) -> str:
    """Path data of dots at places 0 to 1, y upwards.

    Each is a line of no length, which the style sheet gives round ends: it stays round however
    wide the plot is.
    """
    return "".join(f"M{_unit(px)} {_unit(1 - py)}h.01" for px, py in zip(x, y, strict=True))


def whiskers(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """Path data of upright lines between places 0 to 1, y upwards; none where an end is NaN."""
    return "".join(
        f"M{_unit(px)} {_unit(1 - top)}V{_unit(1 - bottom)}"
        for px, bottom, top in zip(x, low, high, strict=True)
        if math.isfinite(bottom) and math.isfinite(top)
    )


def _unit(place: float) -> str:
    return f"{min(max(place, -0.5), 1.5) * UNITS:.0f}"


def confusion_matrix(labels: Sequence[str], matrix: Sequence[Sequence[float]]) -> dict:
    """Lay out a confusion matrix for `charts.confusion`: a cell's strength is its share of its row.

    The names stay in sight while the matrix is scrolled.

    Args:
        labels: the classes.
        matrix: `(classes, classes)`, recordings of the class of the row that were given the class
            of the column.

    Raises:
        InvalidArgument: the matrix does not fit the labels.
    """
    counts = np.asarray(matrix, dtype=np.float64).reshape(len(matrix), -1)
    if counts.shape != (len(labels), len(labels)):
        raise InvalidArgument(
            f"`matrix` must have a row and a column for each of {len(labels)} labels. "
            f"Got the shape {counts.shape}."
        )
    large = len(labels) > _LARGE
    cell = min(max(640 // len(labels), 14), 54)
    font = min(13, max(10, cell - 3))
    names = shorten_all(labels, _NAME)
    longest = font * max(ems(name) for name in names)
    side = cell * len(labels)
    # Names that do not fit their columns are slanted, and the last hangs over the right edge.
    slanted = longest > cell - 6
    overhang = max(longest * math.cos(_SLANT) - cell / 2, 0) + 8 if slanted else 8
    left, width = math.ceil(max(longest, 70) + 20), math.ceil(side + overhang)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
    gap = 2 if cell >= 20 else 1
    cells = []
    for row, column in zip(*np.nonzero(counts), strict=True):
        opacity = round(0.12 + 0.88 * float(shares[row, column]), 2)
        right = bool(row == column)
        ink = "medium" if opacity <= _TURNS_LIGHT[right] else "full"
        times = counts[row, column]
        cells.append(
            {
                "x": int(column) * cell + gap / 2,
                "y": int(row) * cell + gap / 2,
                "side": cell - gap,
                "right": right,
                "opacity": opacity,
                "ink": "faint" if opacity <= _TURNS_DARK else ink,
                # There is room for four figures.
                "text": f"{times:g}" if times < 10_000 else f"{times / 1000:.0f}k",
                "title": f"{labels[row]}, taken for {labels[column]}: {count(times)} "
                f"({percent(shares[row, column], 0)})",
            }
        )
    return {
        "alt": f"Confusion matrix of {len(labels)} classes: {np.trace(counts):g} of "
        f"{counts.sum():g} on the diagonal.",
        "large": large,
        "left": left,
        "width": width,
        "slanted": slanted,
        "top": math.ceil(longest * math.sin(_SLANT) + 36) if slanted else 48,
        "side": side,
        # Smaller than this, numbers and names could not be read: it scrolls instead.
        "least": round((left + width) * (1 if large else 0.8)),
        "cell": cell,
        "font": font,
        "names": [
            {"at": (index + 0.5) * cell, "text": name, "title": label}
            for index, (name, label) in enumerate(zip(names, labels, strict=True))
        ],
        "lines": [cell * index for index in range(10, len(labels), 10)] if large else [],
        "cells": cells,
        "numbers": cell >= _NUMBERED,
    }


@dataclass(frozen=True)
class TrainingCurve:
    """One figure over the epochs.

    Attributes:
        title: its name.
        share: whether it is a share, written in percent.
        epochs: float64 `(epochs,)`, their numbers.
        fitted, held: float64 `(epochs,)`, of the training data and of the held-out data;
            NaN where unknown.
        high: end of the axis, which begins at 0.
    """

    title: str
    share: bool
    epochs: np.ndarray
    fitted: np.ndarray
    held: np.ndarray
    high: float

    @property
    def has_held(self) -> bool:
        """Whether something was held out."""
        return bool(np.isfinite(self.held).any())

    @property
    def plot(self) -> Plot:
        """The curve as a plot."""
        first, last = float(self.epochs[0]), float(self.epochs[-1])
        y = percent_axis() if self.share else linear_axis("", 0, self.high, ticks=4)
        if first == last:
            # A single epoch has no line; half an epoch on both sides shows it as one.
            x = Axis("Epoch", first - 0.5, last + 0.5, ((first, f"{first:g}"),))
            places, repeats = np.array([0.25, 0.75]), 2
        else:
            step = max(1, math.ceil(round_up((last - first) / 8)))
            at = np.arange(step * math.ceil(first / step), last + 0.5, step)
            x = Axis("Epoch", first, last, tuple((value, f"{value:g}") for value in at))
            places, repeats = x.place(self.epochs), 1
        curves = {"fitted": self.fitted} | ({"held": self.held} if self.has_held else {})
        end = self.held[-1] if np.isfinite(self.held[-1]) else self.fitted[-1]
        shown = percent(end) if self.share else number(end, 2)
        return Plot(
            alt=f"{self.title} over {plural(len(self.epochs), 'epoch')}, {shown} at the end.",
            x=x,
            y=y,
            paths={
                style: line(places, np.repeat(y.place(values), repeats))
                for style, values in curves.items()
            },
            height=190,
        )


def training_curves(history: Sequence[Mapping]) -> list[TrainingCurve]:
    """Loss and accuracy over the epochs.

    Args:
        history: one mapping an epoch with `epoch`, `loss`, `acc`, `val_loss`, `val_acc`; figures
            may be None or not finite.
    """
    column = {
        key: np.array([epoch[key] if known(epoch.get(key)) else math.nan for epoch in history])
        for key in ("epoch", "loss", "val_loss", "acc", "val_acc")
    }
    losses = np.concatenate([column["loss"], column["val_loss"]])
    top = float(losses[np.isfinite(losses)].max(initial=0.1))
    step = round_up(top / 4)
    return [
        TrainingCurve(
            title=title,
            share=key == "acc",
            epochs=column["epoch"],
            fitted=column[key],
            held=column[f"val_{key}"],
            high=high,
        )
        for key, title, high in (
            ("loss", "Loss", step * math.ceil(top / step - 1e-9)),
            ("acc", "Accuracy", 1.0),
        )
    ]


def learning_plot(table: Table) -> Plot:
    """Draw a learning curve; takes `ScoreView.learning`."""
    sizes, scores = table.figures(0), table.figures(1)
    size = np.array([item.value for item in sizes], dtype=np.float64)
    accuracy = np.array([item.value for item in scores], dtype=np.float64)
    low = np.array([item.low for item in scores], dtype=np.float64)
    high = np.array([item.high for item in scores], dtype=np.float64)
    x = linear_axis("Recordings trained on", 0, 1.04 * float(size.max()))
    whole = [(value, count(value)) for value, _ in x.ticks if value == round(value)]
    x = replace(x, ticks=whole)
    left = x.place(size)
    if len(size) > 1 and np.isfinite(low).all():
        doubt = {"under": line(left, high) + "L" + line(left[::-1], low[::-1])[1:] + "Z"}
    else:
        doubt = {"doubt": whiskers(left, low, high)}
    points = "; ".join(
        f"{one.text}: {other.text}" for one, other in zip(sizes, scores, strict=True)
    )
    return Plot(
        alt=f"Learning curve: share of right answers by recordings trained on. {points}.",
        x=x,
        y=percent_axis("Right, of held-out files"),
        paths=doubt | {"fitted": line(left, accuracy), "dots": dots(left, accuracy)},
        height=260,
    )


def reliability_plots(bins: Sequence[ReliabilityBin]) -> list[Plot]:
    """Draw how often answers of each confidence are right, and how many there are of each."""
    confidence = np.array([item.confidence for item in bins])
    accuracy = np.array([item.accuracy for item in bins])
    low, high = np.array([item.ci95 for item in bins]).T
    values = "; ".join(
        f"{percent(item.confidence, 0)} sure, {percent(item.accuracy, 0)} right" for item in bins
    )
    diagram = Plot(
        alt=f"Reliability diagram. {values}.",
        x=percent_axis("Confidence"),
        y=percent_axis("Right"),
        paths={
            "ideal": "M0 1000L1000 0",
            "doubt": whiskers(confidence, low, high),
            "dots": dots(confidence, accuracy),
        },
        height=300,
    )
    # Room for the number above the highest bar.
    top = 1.3 * max(item.count for item in bins)
    bars, marks = "", []
    for item in bins:
        level = 1 - item.count / top
        left, right = 1000 * item.low + 3, 1000 * item.high - 3
        bars += f"M{left:.0f} 1000V{1000 * level:.0f}H{right:.0f}V1000Z"
        text = f"{item.count}" if item.count < 10_000 else f"{item.count / 1000:.0f}k"
        marks.append({"x": 50 * (item.low + item.high), "y": 100 * level, "text": text})
    values = "; ".join(
        f"{percent(item.low, 0)} to {percent(item.high, 0)}: {item.count}" for item in bins
    )
    counts = Plot(
        alt=f"How many of {plural(sum(item.count for item in bins), 'answer')} were given with "
        f"each confidence. {values}.",
        x=percent_axis("Confidence"),
        y=Axis("", 0.0, top),
        paths={"bar": bars},
        marks=marks,
        height=80,
    )
    return [diagram, counts]
