"""Events: consecutive windows of one class, merged, with the seconds where they begin and end."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from numbers import Real

import numpy as np

from timbrel.audio.windows import PIECE_SECONDS
from timbrel.errors import InvalidArgument
from timbrel.inference.hearing import Heard

# Times are multiples of a sample; what is shorter than half of one at 192 kHz is no gap.
_NOTHING = 2e-6


@dataclass(frozen=True)
class EventSettings:
    """What makes an event.

    Attributes:
        min_confidence: probability of its class that each of its windows reaches; None for the
            threshold of the model.
        min_length: seconds that an event lasts at least.
        max_gap: seconds between two events of one class, with nothing of another class between
            them, that are closed.

    Raises:
        InvalidArgument: a number outside of its range.
    """

    min_confidence: float | None = None
    min_length: float = 0.0
    max_gap: float = 0.0

    def __post_init__(self) -> None:
        least = self.min_confidence
        if least is not None and not (isinstance(least, Real) and 0 <= least <= 1):
            raise InvalidArgument(
                f"`min_confidence` must be between 0 and 1. Got {self.min_confidence}."
            )
        for name in ("min_length", "max_gap"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= value < np.inf:
                raise InvalidArgument(f"`{name}` must be at least 0 s. Got {getattr(self, name)}.")


@dataclass(frozen=True)
class Event:
    """A stretch of a recording in which one class is heard.

    Attributes:
        start, end: seconds of the recording.
        windows: int `(k,)`, the windows in which it is heard.
    """

    start: float
    end: float
    windows: np.ndarray


def find_events(heard: Heard, settings: EventSettings, *, threshold: float) -> list[Event]:
    """Merge the windows of a recording to events, in their order; they do not overlap.

    A window belongs to an event where its most probable class is probable enough and it is not
    silent. It is as long as there is sound in it, and where the sound of two windows overlaps, the
    middle of the overlap is the border between them, unless one of them belongs to no event and has
    no sound of its own. Where silence, or what cleaning cut, is longer
    than `max_gap`, between two windows or in the middle of one that was cut, an event ends, and
    another may begin.

    Args:
        heard: what the model says of the windows.
        settings: what makes an event.
        threshold: probability that a window needs where the settings name none.
    """
    needed = settings.min_confidence if settings.min_confidence is not None else threshold
    best = heard.probabilities.argmax(axis=1)
    sure = (heard.probabilities.max(axis=1) >= needed) & ~heard.silent
    window, start, end = _stretches(heard, sure, settings.max_gap)
    apart = start[1:] - end[:-1] > settings.max_gap + _NOTHING
    apart |= best[window[1:]] != best[window[:-1]]
    edges = [0, *(np.flatnonzero(apart) + 1), len(window)] if len(window) else [0]
    events = [
        Event(float(start[first]), float(end[last - 1]), np.unique(window[first:last]))
        for first, last in pairwise(edges)
    ]
    return [event for event in events if event.end - event.start >= settings.min_length - _NOTHING]


def _stretches(
    heard: Heard, sure: np.ndarray, max_gap: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows that are sure, or both parts of such as were cut in their middle.

    Returns:
        The window of each stretch, int `(m,)`, and where it begins and ends, float64 `(m,)` both.
    """
    windows = np.flatnonzero(sure)
    start, end = _borders(heard, sure)
    # A border may lie within a cut.
    before, after = np.clip(heard.cut, start[:, np.newaxis], end[:, np.newaxis]).T
    parts = 1 + (after - before > max_gap + _NOTHING)
    window = np.repeat(windows, parts[windows])
    first = np.ones(len(window), dtype=bool)
    first[1:] = window[1:] != window[:-1]
    last = np.ones(len(window), dtype=bool)
    last[:-1] = first[1:]
    return (
        window,
        np.where(first, start[window], after[window]),
        np.where(last, end[window], before[window]),
    )


def _borders(heard: Heard, sure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each window begins and ends once overlaps are shared by halves; float64 `(n,)`."""
    start, end = heard.sounding.T.copy()
    overlap = end[:-1] > start[1:]
    # What is heard at the edge of a window, and not enough of it to be sure, is its neighbour's.
    # Where sound begins and ends in a window is known to a piece.
    overlap &= sure[:-1] | (start[:-1] < start[1:] - PIECE_SECONDS)
    overlap &= sure[1:] | (end[1:] > end[:-1] + PIECE_SECONDS)
    middle = (end[:-1] + start[1:]) / 2
    end[:-1][overlap] = middle[overlap]
    start[1:][overlap] = middle[overlap]
    return start, end
