"""Windows of a recording that comes in pieces: the same as of the whole, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from timbrel.audio.clean import CleanStream
from timbrel.audio.windows import Windowing, Windows, longest_cuts, pad_to_window

_NONE = np.empty(0, dtype=np.float32)


class WindowStream:
    """Clean a waveform and cut it into consecutive windows, piece by piece.

    The windows are those that `keep` and `consecutive` make of the whole waveform, but that a
    waveform of which cleaning leaves nothing has none.

    Args:
        windowing: how recordings become windows.
        block: samples that cleaning decides together, fewer for a shorter delay; see
            `CleanStream`.

    Attributes:
        kept: samples that cleaning has kept.
        decided: samples of which it is known whether they are kept.
        runs: int64 `(k, 2)`, first sample and end in the original of what was newly kept by the
            last `push` or `finish`.
    """

    def __init__(self, windowing: Windowing, *, block: int | None = None) -> None:
        self._windowing = windowing
        self._cleaner = None
        if windowing.clean_threshold is not None:
            length = int(windowing.rate * windowing.clean_window)
            blocks = {} if block is None else {"block": block}
            self._cleaner = CleanStream(windowing.clean_threshold, length, **blocks)
        # The kept samples from number `_begin` on, and where the next window begins.
        self._here = _NONE
        self._begin = self._next = 0
        # Stretches: where they end in what was kept; where they begin and end in the original.
        self._ends = np.empty(0, dtype=np.int64)
        self._stretches = np.empty((0, 2), dtype=np.int64)
        self.kept = self.decided = 0
        self.runs = np.empty((0, 2), dtype=np.int64)

    def push(self, piece: np.ndarray) -> Windows:
        """Take the next piece, float32 `(samples,)`; return the windows that are whole now."""
        if self._cleaner is None:
            span = [self.decided, self.decided + len(piece)]
            self.decided = span[1]
            self._keep(piece, np.array([span] if len(piece) else [], np.int64).reshape(-1, 2))
        else:
            self._keep(*self._cleaner.push(piece))
            self.decided = self._cleaner.decided
        return self._cut()

    def finish(self) -> Windows:
        """Return the last windows; nothing can be pushed after it."""
        if self._cleaner is None:
            self._keep(_NONE, np.empty((0, 2), dtype=np.int64))
        else:
            self._keep(*self._cleaner.finish())
            self.decided = self._cleaner.decided
        windows = self._cut()
        window, hop = self._windowing.window, self._windowing.hop
        short = 0 < self.kept < window
        rest = hop < window < self.kept and (self.kept - window) % hop
        if not short and not rest:
            return windows
        last = pad_to_window(self._here, window)[np.newaxis]
        return _joined(windows, self._times(last, np.array([self._next])))

    def _keep(self, kept: np.ndarray, runs: np.ndarray) -> None:
        self.runs = runs
        # Stretches before the next window are not needed any more.
        passed = np.searchsorted(self._ends, self._next, side="right")
        ends = self.kept + np.cumsum(runs[:, 1] - runs[:, 0])
        self._ends = np.concatenate([self._ends[passed:], ends])
        self._stretches = np.concatenate([self._stretches[passed:], runs])
        self.kept += len(kept)
        self._here = np.concatenate([self._here, kept])

    def _cut(self) -> Windows:
        window, hop = self._windowing.window, self._windowing.hop
        count = max((self.kept - self._next - window) // hop + 1, 0)
        first = self._next + hop * np.arange(count)
        # Windows that do not touch leave something out between them, of which not all is here yet.
        from_next = self._here[self._next - self._begin :]
        samples = (
            sliding_window_view(from_next, window)[::hop][:count]
            if count
            else np.empty((0, window), dtype=np.float32)
        )
        windows = self._times(samples, first)
        self._next += count * hop
        passed = min(self._next, self.kept) - self._begin
        if passed:
            self._here, self._begin = self._here[passed:].copy(), self._begin + passed
        return windows

    def _times(self, samples: np.ndarray, first: np.ndarray) -> Windows:
        rate = self._windowing.rate
        last = np.minimum(first + self._windowing.window, self.kept) - 1
        one, other = (np.searchsorted(self._ends, index, side="right") for index in (first, last))
        start = self._stretches[one, 1] - (self._ends[one] - first)
        end = self._stretches[other, 1] - (self._ends[other] - last) + 1
        cut = longest_cuts(self._stretches, one, other)
        return Windows(samples=samples, start=start / rate, end=end / rate, cut=cut / rate)


def _joined(one: Windows, other: Windows) -> Windows:
    return Windows(
        samples=np.concatenate([one.samples, other.samples]),
        start=np.concatenate([one.start, other.start]),
        end=np.concatenate([one.end, other.end]),
        cut=np.concatenate([one.cut, other.cut]),
    )
