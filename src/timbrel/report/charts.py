"""Charts as data: axes, marks and slices, which `templates/charts.html.j2` turns into SVG.

A plot fills the width it is given while its text keeps its size, so it reads as well on a phone as
on a wide screen. Inside it, marks are drawn on a square of 1000 × 1000 units, y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.wording import percent, shorten, signed

UNITS = 1000

# A pie: its canvas is 400 units wide; every label takes two lines.
_MIDDLE = 200.0
_RADIUS = 66
_LABEL = 33.0

_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Axis:
    """One axis of a plot.

    Attributes:
        title: what is on it, with the unit.
        low, high: its ends.
        ticks: values and what is written at them.
        log: whether it is logarithmic.
    """

    title: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...] = ()
    log: bool = False

    def place(self, values: np.ndarray | float) -> np.ndarray:
        """Where values lie between the ends, 0 to 1."""
        if self.log:
            span = math.log(self.high / self.low)
            return np.log(np.asarray(values, dtype=np.float64) / self.low) / span
        return (np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low)

    def marks(self) -> list[tuple[float, str]]:
        """Places of the ticks in percent, and their texts."""
        return [(round(100 * float(self.place(value)), 2), text) for value, text in self.ticks]


@dataclass(frozen=True)
class Path:
    """A line or an area on the square of 1000 units.

    Attributes:
        style: its class in the style sheet.
        d: SVG path data.
    """

    style: str
    d: str


@dataclass(frozen=True)
class Mark:
    """A text in a plot.

    Attributes:
        x, y: the middle of its foot, in percent of the plot, y downwards.
        text: what is written.
    """

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes:
        alt: what it shows, for who cannot see it.
        x, y: its axes.
        paths: lines and areas, the first at the back.
        image: data URI of a picture that fills it, or None.
        height: height of the plotted area in CSS pixels.
        marks: texts over it.
    """

    alt: str
    x: Axis
    y: Axis
    paths: tuple[Path, ...] = ()
    image: str | None = None
    height: int = 150
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Slice:
    """A slice of a pie with its label, on a canvas of 400 units width.

    Attributes:
        d: SVG path data.
        name: the label beside it, shortened.
        share: its share in percent, under the label.
        title: label and share in full.
        x, y: between the two lines of the label.
        anchor: `start` or `end`.
        leader: SVG path data of the line from slice to label.
    """

    d: str
    name: str
    share: str
    title: str
    x: float
    y: float
    anchor: str
    leader: str


@dataclass(frozen=True)
class Pie:
    """A pie chart.

    Attributes:
        alt: what it shows, for who cannot see it.
        slices: in the order of the classes, from the top, anticlockwise.
        height: height of the canvas in its units.
    """

    alt: str
    slices: tuple[Slice, ...]
    height: int


@dataclass(frozen=True)
class Bar:
    """A horizontal bar.

    Attributes:
        name: what it is of.
        shares: lengths of its parts, as shares of the whole width.
        value: what is written behind it.
    """

    name: str
    shares: tuple[float, ...]
    value: str


def linear_axis(title: str, low: float, high: float, *, ticks: int = 5, unit: str = "") -> Axis:
    """Axis from `low` to `high` with about so many round ticks; `unit` follows every number."""
    step = round_up((high - low) / ticks)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [index * step for index in range(first, last + 1)]
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    marks = tuple((value, f"{signed(value, digits)}{unit}") for value in values)
    return Axis(title=title, low=low, high=high, ticks=marks)


def percent_axis(title: str = "") -> Axis:
    """Axis of shares, 0 to 1, marked in percent."""
    return Axis(title, 0.0, 1.0, tuple((share / 4, f"{25 * share} %") for share in range(5)))


def time_axis(seconds: float) -> Axis:
    """Axis of time from zero, in seconds, or in milliseconds for what is very short."""
    if seconds >= 0.02:
        return linear_axis("Time (s)", 0, seconds)
    return linear_axis("Time (ms)", 0, seconds * 1000)


def round_up(value: float) -> float:
    """Return the next of …, 0.1, 0.2, 0.5, 1, 2, 5, 10, … that is not below a value above 0."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in _STEPS if step * power >= value * (1 - 1e-9))


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


def pie(values: Sequence[float], labels: Sequence[str], *, alt: str) -> Pie:
    """Pie chart with every slice labelled beside it, labels kept apart.

    Args:
        values: sizes, none below 0, their sum above 0.
        labels: as many.
        alt: what it shows, for who cannot see it.
    """
    ends = np.cumsum([0.0, *values]) / sum(values)
    middles = (ends[:-1] + ends[1:]) / 2
    left = [index for index, middle in enumerate(middles) if middle < 0.5]
    right = [index for index, middle in enumerate(middles) if middle >= 0.5]
    height = max(2 * _RADIUS + 60, round(_LABEL * max(len(left), len(right))) + 10)
    centre = (_MIDDLE, height / 2)
    heights = {}
    for side in (left, right):
        wanted = [_round_point(middles[index], _RADIUS + 18, centre)[1] for index in side]
        heights.update(zip(side, _apart(wanted, _LABEL, height), strict=True))
    slices = []
    for index, label in enumerate(labels):
        share = percent(ends[index + 1] - ends[index])
        inner = _point(middles[index], _RADIUS + 3, centre)
        outer = _point(middles[index], _RADIUS + 12, centre)
        side = -1 if middles[index] < 0.5 else 1
        beside = f"{_MIDDLE + side * (_RADIUS + 22):.0f} {heights[index]:.1f}"
        slices.append(
            Slice(
                d=_sector(ends[index], ends[index + 1], centre),
                name=shorten(label, 16),
                share=share,
                title=f"{label}: {share}",
                x=_MIDDLE + side * (_RADIUS + 26),
                y=round(heights[index], 1),
                anchor="end" if side < 0 else "start",
                leader=f"M{inner}L{outer}L{beside}",
            )
        )
    return Pie(alt=alt, slices=tuple(slices), height=height)


def _unit(place: float) -> str:
    return f"{min(max(place, -0.5), 1.5) * UNITS:.0f}"


def _point(turn: float, radius: float, centre: tuple[float, float]) -> str:
    """Point at a share of a turn, anticlockwise from the top."""
    x, y = _round_point(turn, radius, centre)
    return f"{x:.1f} {y:.1f}"


def _round_point(turn: float, radius: float, centre: tuple[float, float]) -> tuple[float, float]:
    angle = 2 * math.pi * turn
    return centre[0] - radius * math.sin(angle), centre[1] - radius * math.cos(angle)


def _sector(start: float, end: float, centre: tuple[float, float]) -> str:
    arc = f"{_RADIUS} {_RADIUS} 0"
    if end - start > 0.9999:
        top, bottom = _point(0.0, _RADIUS, centre), _point(0.5, _RADIUS, centre)
        return f"M{top}A{arc} 0 0 {bottom}A{arc} 0 0 {top}Z"
    large = int(end - start > 0.5)
    return (
        f"M{centre[0]:.1f} {centre[1]:.1f}L{_point(start, _RADIUS, centre)}"
        f"A{arc} {large} 0 {_point(end, _RADIUS, centre)}Z"
    )


def _apart(wanted: list[float], gap: float, height: float) -> list[float]:
    """Move heights so that none is nearer than `gap` to another, and all are on the canvas."""
    order = np.argsort(wanted, kind="stable")
    placed = np.array(wanted, dtype=np.float64)
    lowest = gap / 2
    for index in order:
        placed[index] = lowest = max(placed[index], lowest)
        lowest += gap
    highest = height - gap / 2
    for index in order[::-1]:
        placed[index] = highest = min(placed[index], highest)
        highest -= gap
    return placed.tolist()
