"""Events: consecutive windows of one class, merged, with the seconds where they begin and end."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from numbers import Real

import numpy as np

from timbrel.audio.windows import PIECE_SECONDS
from timbrel.errors import InvalidArgument
from timbrel.inference.scores import WindowScores

# Times are multiples of a sample; less than half of one at 192 kHz is a rounding error.
_TOLERANCE = 2e-6


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
        if self.min_confidence is not None:
            check_share("min_confidence", self.min_confidence)
        for name in ("min_length", "max_gap"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= float(value) < np.inf:
                raise InvalidArgument(f"`{name}` must be at least 0 s. Got {value}.")


def check_share(name: str, value: object) -> None:
    """Raise InvalidArgument where an argument is no number between 0 and 1."""
    if not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise InvalidArgument(f"`{name}` must be between 0 and 1. Got {value}.")


@dataclass(frozen=True)
class Event:
    """A stretch of a recording that is of one class.

    Attributes:
        start, end: seconds of the recording.
        windows: int `(k,)`, numbers of the windows that it was made of.
    """

    start: float
    end: float
    windows: np.ndarray


def find_events(scores: WindowScores, settings: EventSettings, *, threshold: float) -> list[Event]:
    """Merge the windows of a recording to events, in their order; they do not overlap.

    A window belongs to an event where its most probable class is probable enough and it is not
    silent. It is as long as the sound in it. Where the sound of two windows overlaps, the border
    between them is the middle of the overlap, unless one of them belongs to no event and has no
    sound of its own. An event ends, and another may begin, where a silence is longer than
    `max_gap`: between two windows, or in the middle of one that cleaning cut.

    Args:
        scores: of the windows.
        settings: what makes an event.
        threshold: probability that a window needs where the settings name none.
    """
    needed = settings.min_confidence if settings.min_confidence is not None else threshold
    label = scores.probabilities.argmax(axis=1)
    sure = (scores.probabilities.max(axis=1) >= needed) & ~scores.silent
    # Where each window begins and ends once overlaps are divided.
    start, end = scores.sounding.T.copy()
    overlap = end[:-1] > start[1:]
    # An unsure window whose sound is all in the overlap leaves it to its neighbour. Where sound
    # begins and ends in a window is known to within a piece.
    overlap &= sure[:-1] | (start[:-1] < start[1:] - PIECE_SECONDS)
    overlap &= sure[1:] | (end[1:] > end[:-1] + PIECE_SECONDS)
    middle = (end[:-1] + start[1:]) / 2
    end[:-1][overlap] = middle[overlap]
    start[1:][overlap] = middle[overlap]
    # A window that cleaning cut in its middle has two parts. A border may lie within the cut.
    before, after = np.clip(scores.cut, start[:, np.newaxis], end[:, np.newaxis]).T
    parts = 1 + (after - before > settings.max_gap + _TOLERANCE)
    window = np.repeat(np.flatnonzero(sure), parts[sure])
    is_first = np.ones(len(window), dtype=bool)
    is_first[1:] = window[1:] != window[:-1]
    is_last = np.ones(len(window), dtype=bool)
    is_last[:-1] = is_first[1:]
    start = np.where(is_first, start[window], after[window])
    end = np.where(is_last, end[window], before[window])
    apart = start[1:] - end[:-1] > settings.max_gap + _TOLERANCE
    apart |= label[window[1:]] != label[window[:-1]]
    edges = [0, *(np.flatnonzero(apart) + 1), len(window)] if len(window) else [0]
    events = [
        Event(float(start[first]), float(end[last - 1]), np.unique(window[first:last]))
        for first, last in pairwise(edges)
    ]
    return [
        event for event in events if event.end - event.start >= settings.min_length - _TOLERANCE
    ]
