"""What is heard when, as HTML: a row for each label, time from left to right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from timbrel.display.html import named, text
from timbrel.wording import percent, shorten

# Rows of one timeline; labels beyond these share the last.
_ROWS = 12
_OTHERS = "others"
_TICKS = 6
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200)


@dataclass(frozen=True)
class Span:
    """A stretch of a recording with what is heard in it.

    Attributes:
        start, end: in seconds.
        label: the answer.
        probability: how sure, 0 to 1; None where that is not known.
        accepted: whether the answer is one of the classes.
    """

    start: float
    end: float
    label: str
    probability: float | None
    accepted: bool


def timeline(spans: Sequence[Span], seconds: float, *, what: str) -> str:
    """Draw spans on an axis from 0 to `seconds`; the surer, the stronger.

    Args:
        spans: in the order of time.
        seconds: where the axis ends.
        what: what it shows, for who cannot see it.
    """
    rows: dict[str, list[Span]] = {}
    for span in _merged(spans):
        rows.setdefault(span.label, []).append(span)
    # What is no class comes last, and what is heard first is at the top.
    order = sorted(rows, key=lambda label: not rows[label][0].accepted)
    if len(order) > _ROWS:
        kept, rest = order[: _ROWS - 1], order[_ROWS - 1 :]
        rows = {label: rows[label] for label in kept} | {
            _OTHERS: [span for label in rest for span in rows[label]]
        }
        order = [*kept, _OTHERS]
    lines = "".join(_row(label, rows[label], seconds) for label in order)
    return (
        f'<div class="line" role="img" aria-label="{text(what)}">{lines}'
        f'<span class="ticks soft">{_ticks(seconds)}</span></div>'
    )


def _merged(spans: Sequence[Span]) -> list[Span]:
    """Join neighbours that say the same and touch; the joined is as sure as their mean."""
    merged: list[list[Span]] = []
    for span in spans:
        last = merged[-1][-1] if merged else None
        if last and last.label == span.label and span.start <= last.end + 1e-6:
            merged[-1].append(span)
        else:
            merged.append([span])
    return [_joined(group) for group in merged]


def _joined(group: list[Span]) -> Span:
    sure = [span.probability for span in group if span.probability is not None]
    return Span(
        start=group[0].start,
        end=group[-1].end,
        label=group[0].label,
        probability=math.fsum(sure) / len(sure) if sure else None,
        accepted=group[0].accepted,
    )


def _row(label: str, spans: Sequence[Span], seconds: float) -> str:
    kind = "" if all(span.accepted for span in spans) else " other"
    marks = "".join(_mark(span, seconds) for span in spans)
    return (
        f'<span class="name" title="{text(label)}">{named(shorten(label, 28))}</span>'
        f'<span class="track{kind}">{marks}</span>'
    )


def _mark(span: Span, seconds: float) -> str:
    left, right = (min(max(at / seconds, 0.0), 1.0) for at in (span.start, span.end))
    place = f"left:{100 * left:.2f}%;width:{100 * (right - left):.2f}%"
    said = f"{clock(span.start, seconds)} to {clock(span.end, seconds)}: {span.label}"
    if span.accepted and span.probability is not None:
        place += f";opacity:{0.3 + 0.7 * min(max(span.probability, 0.0), 1.0):.2f}"
        said += f", {percent(span.probability)}"
    return f'<i style="{place}" title="{text(said)}"></i>'


def _ticks(seconds: float) -> str:
    step = _step(seconds / _TICKS)
    count = math.floor(seconds / step + 1e-9) + 1
    return "".join(
        f'<span style="left:{100 * number * step / seconds:.2f}%">'
        f"{clock(number * step, seconds, digits=_digits(step))}</span>"
        for number in range(count)
    )


def _step(least: float) -> float:
    """The next round number of seconds that is not below `least`."""
    if least > _STEPS[-1]:
        return math.ceil(least / _STEPS[-1]) * _STEPS[-1]
    if least >= 1:
        return next(step for step in _STEPS if step >= least)
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))


def _digits(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def clock(at: float, seconds: float, *, digits: int = 2) -> str:
    """Write a time in a recording of so many seconds: `2.5 s`, `4:05`, `1:04:05`."""
    if seconds < 90:
        return f"{at:.{digits}f}\u00a0s"
    whole = round(at)
    hours, rest = divmod(whole, 3600)
    minutes = f"{rest // 60:02d}" if hours or seconds >= 3600 else f"{rest // 60}"
    return f"{hours}:{minutes}:{rest % 60:02d}" if seconds >= 3600 else f"{minutes}:{rest % 60:02d}"
