"""The learning curve: whether more recordings would help, and of which classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from timbrel.report.charts import Axis, Path, Plot, dots, line, linear_axis, percent_axis, whiskers
from timbrel.wording import count, known, percent

_RISES = 8
# A gain below this, with all its doubt, is not worth the recording.
_LITTLE = 0.03
_LEVEL = 0.95


@dataclass(frozen=True)
class Rise:
    """How much better a class is recognised with more recordings.

    Attributes:
        label: the class.
        before, after: its recall with fewer and with all recordings, 0 to 1.
        sure: whether chance hardly explains the difference.
    """

    label: str
    before: float
    after: float
    sure: bool

    @property
    def points(self) -> float:
        """Percentage points between before and after."""
        return 100 * (self.after - self.before)


@dataclass(frozen=True)
class LearningCurve:
    """What the page tells about the number of recordings.

    Attributes:
        plot: accuracy against the number of recordings trained on.
        verdict: `rising`, `maybe`, `open`, `flat`, `falling`, or `unknown` where there is nothing
            to compare.
        fewer, all: number of recordings that are compared: all, and about half of them.
        gain: percentage points of accuracy between the two.
        doubt: percentage points that chance could make, or None.
        earlier: number of recordings, and gain from there to `fewer`, where it was measured.
        rises: classes whose recall rose most.
    """

    plot: Plot
    verdict: str
    fewer: int
    all: int
    gain: float
    doubt: float | None
    earlier: tuple[int, float] | None
    rises: tuple[Rise, ...]

    @property
    def factor(self) -> float:
        """How many times `fewer` all recordings are."""
        return self.all / self.fewer

    @property
    def most(self) -> float:
        """The largest gain in points that the measurement leaves possible."""
        return self.gain + (self.doubt or 0.0)


def learning_curve_of(
    points: Sequence[Mapping] | None, files: Mapping[str, float]
) -> LearningCurve | None:
    """Read a learning curve.

    Args:
        points: `evaluation.json`'s `learning_curve`: mappings with `recordings`, `accuracy`,
            `ci95` and `recall`, the number of recordings growing.
        files: number of recordings of each class that recall was measured on.

    Returns:
        None where nothing was measured.
    """
    points = [point for point in points or () if known(point["accuracy"])]
    if not points:
        return None
    last = points[-1]
    before = _half(points[:-1], last["recordings"])
    if before is None:
        size = last["recordings"]
        return LearningCurve(_plot(points), "unknown", size, size, 0.0, None, None, ())
    gain = 100 * (last["accuracy"] - before["accuracy"])
    doubt = _doubt(before, last)
    first = _half(
        [point for point in points if point["recordings"] < before["recordings"]],
        before["recordings"],
    )
    return LearningCurve(
        plot=_plot(points),
        verdict=_verdict(gain, doubt),
        fewer=before["recordings"],
        all=last["recordings"],
        gain=gain,
        doubt=doubt,
        earlier=first and (first["recordings"], 100 * (before["accuracy"] - first["accuracy"])),
        rises=_rises(before, last, files),
    )


def _half(points: Sequence[Mapping], size: float) -> Mapping | None:
    """The point with the number of recordings nearest to half of a size, as a ratio."""
    smaller = [point for point in points if 0 < point["recordings"] < size]
    return min(
        smaller, key=lambda point: abs(math.log(2 * point["recordings"] / size)), default=None
    )


def _doubt(before: Mapping, after: Mapping) -> float | None:
    """Half the width of the 95 % interval of a difference, in points.

    The two scores come from the same held-out recordings, so they vary together and the truth is
    a narrower interval: this one errs on the side of doubt.
    """
    widths = []
    for point in (before, after):
        low, high = point.get("ci95") or (None, None)
        if not (known(low) and known(high)):
            return None
        widths.append((high - low) / 2)
    return 100 * math.hypot(*widths)


def _verdict(gain: float, doubt: float | None) -> str:
    if doubt is None:
        return "open" if gain <= 0 else "maybe"
    if abs(gain) > doubt:
        return "rising" if gain > 0 else "falling"
    if gain + doubt < 100 * _LITTLE:
        return "flat"
    return "maybe" if gain > 0 else "open"


def _rises(before: Mapping, after: Mapping, files: Mapping[str, float]) -> tuple[Rise, ...]:
    """The classes whose recall rose, the largest rise first.

    A rise is called sure where it exceeds what chance makes in the luckiest of so many classes.

    Source: Agresti & Caffo (2000), "Simple and effective confidence intervals for proportions and
    differences of proportions", with Bonferroni's correction.
    """
    old, new = before.get("recall") or {}, after.get("recall") or {}
    both = [label for label in new if known(old.get(label)) and known(new[label])]
    z = NormalDist().inv_cdf(1 - (1 - _LEVEL) / 2 / max(len(both), 1))
    rises = []
    for label in both:
        gain = new[label] - old[label]
        # One right and one wrong more, so that no share of few recordings is without doubt.
        number = files.get(label, 0) + 2
        shares = ((share * (number - 2) + 1) / number for share in (old[label], new[label]))
        spread = z * math.sqrt(sum(share * (1 - share) / number for share in shares))
        if gain > 0:
            rises.append(Rise(label, old[label], new[label], gain > spread))
    return tuple(sorted(rises, key=lambda rise: -rise.points)[:_RISES])


def _plot(points: Sequence[Mapping]) -> Plot:
    size = np.array([point["recordings"] for point in points], dtype=np.float64)
    accuracy = np.array([point["accuracy"] for point in points], dtype=np.float64)
    ends = [point.get("ci95") or (math.nan, math.nan) for point in points]
    low, high = (
        np.array([end[side] if known(end[side]) else math.nan for end in ends]) for side in (0, 1)
    )
    x = linear_axis("Recordings trained on", 0, 1.04 * float(size.max()))
    whole = tuple((value, count(value)) for value, _ in x.ticks if value == round(value))
    x, y = Axis(x.title, x.low, x.high, whole), percent_axis("Right, of held-out files")
    left = x.place(size)
    if len(points) > 1 and np.isfinite(low).all() and np.isfinite(high).all():
        doubt = Path("under", line(left, high) + "L" + line(left[::-1], low[::-1])[1:] + "Z")
    else:
        doubt = Path("doubt", whiskers(left, low, high))
    said = "; ".join(
        f"{count(point['recordings'])}: {percent(point['accuracy'])}" for point in points
    )
    return Plot(
        alt=f"Learning curve: share of right answers by recordings trained on. {said}.",
        x=x,
        y=y,
        paths=(
            doubt,
            Path("fitted", line(left, accuracy)),
            Path("dots", dots(left, accuracy)),
        ),
        height=260,
    )
