"""Cut silence by the envelope of the signal, as the tutorial does, and map back to the original.

The envelope is pandas' `Series(abs(x)).rolling(w, min_periods=1, center=True).mean()`: a rolling
mean of |x| whose window shrinks at the ends. For an even `w` it covers samples i − w/2 to
i + w/2 − 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from timbrel.text import plain, plural

# A cumulative sum over so few samples of full scale is exact to 1e-13 of the mean of a window.
_BLOCK = 1 << 15


@dataclass(frozen=True, repr=False)
class Cleaned:
    """The parts of a waveform that cleaning kept.

    Attributes:
        waveform: float32 `(kept,)`, the kept stretches joined.
        runs: int64 `(k, 2)`, first sample and end (exclusive) of each kept stretch in the original.
        samples: length of the original.
    """

    waveform: np.ndarray
    runs: np.ndarray
    samples: int

    def __repr__(self) -> str:
        stretches = plural(len(self.runs), "stretch", "stretches")
        return plain(f"Cleaned({len(self.waveform):,} of {self.samples:,} samples in {stretches})")

    def source_index(self, kept_index: np.ndarray | int) -> np.ndarray:
        """Sample of the original for a sample of `waveform`; int64, the shape of the input.

        `len(waveform)` itself, an exclusive end, maps to the end of the last stretch.
        """
        index = np.asarray(kept_index, dtype=np.int64)
        run = self.run_of(index)
        return self.runs[run, 1] - (self._ends[run] - index)

    def run_of(self, kept_index: np.ndarray | int) -> np.ndarray:
        """Which stretch a sample of `waveform` lies in; int64, the shape of the input."""
        run = np.searchsorted(self._ends, kept_index, side="right")
        return np.minimum(run, len(self.runs) - 1)

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum(self.runs[:, 1] - self.runs[:, 0])


def envelope(waveform: np.ndarray, window: int) -> np.ndarray:
    """Centred rolling mean of `|x|`; float64 `(samples,)`.

    Args:
        waveform: float `(samples,)`.
        window: length of the rolling mean in samples, at least 1.
    """
    samples = len(waveform)
    mean = np.empty(samples, dtype=np.float64)
    for start in range(0, samples, _BLOCK):
        stop = min(start + _BLOCK, samples)
        mean[start:stop] = _envelope(waveform, start, stop, window=window)
    return mean


def _envelope(waveform: np.ndarray, start: int, stop: int, *, window: int) -> np.ndarray:
    """The envelope of samples `start` to `stop` of a waveform."""
    before, after = window // 2, (window - 1) // 2
    first, last = max(start - before, 0), min(stop + after, len(waveform))
    # Zeros outside of the waveform, and one for the sum before the first sample.
    around = (first - (start - before) + 1, stop + after - last)
    total = np.cumsum(np.pad(np.abs(waveform[first:last]), around), dtype=np.float64)
    # The window covers fewer samples near both ends of the waveform.
    place = np.arange(start, stop)
    covered = np.minimum(place + after + 1, len(waveform)) - np.maximum(place - before, 0)
    return (total[window:] - total[:-window]) / covered


def clean(waveform: np.ndarray, threshold: float, window: int) -> Cleaned:
    """Keep the samples whose envelope is above a threshold.

    Args:
        waveform: float32 `(samples,)`.
        threshold: level of the envelope, in units of full scale, that a kept sample exceeds.
        window: length of the envelope's rolling mean in samples.

    Returns:
        The kept samples, possibly none (`waveform` empty, `runs` of shape `(0, 2)`).

    Source: `envelope` of https://github.com/seth814/Audio-Classification, re-implemented in time
    linear in the samples.
    """
    mask = envelope(waveform, window) > threshold
    kept = waveform if mask.all() else waveform[mask]
    return Cleaned(waveform=kept, runs=_runs(mask), samples=len(waveform))


def uncleaned(waveform: np.ndarray) -> Cleaned:
    """Keep everything."""
    return Cleaned(waveform, np.array([[0, len(waveform)]], dtype=np.int64), len(waveform))


class CleanStream:
    """`clean` for a waveform that comes in pieces and whose length is not known.

    Whether a sample is kept depends on half a window after it, so the kept samples of a piece come
    that much later, and only when a block is full.

    Args:
        threshold: as for `clean`.
        window: as for `clean`.
        block: samples that are decided together. With the default, the result equals that of
            `clean` exactly. Smaller blocks give a shorter delay, and a result that differs where
            the envelope is within 1e-14 of the threshold.

    Attributes:
        decided: number of samples for which it is known whether they are kept.
    """

    def __init__(self, threshold: float, window: int, *, block: int = _BLOCK) -> None:
        self._threshold, self._window, self._block = threshold, window, block
        # The samples from number `_offset` on.
        self._here = np.empty(0, dtype=np.float32)
        self._offset = self.decided = 0

    def push(self, piece: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take the next piece, float32 `(samples,)`.

        Returns:
            The samples newly known to be kept, float32 `(kept,)`, and their runs in the original,
            int64 `(k, 2)`, first sample and end.
        """
        self._here = np.concatenate([self._here, piece])
        ready = self._offset + len(self._here) - (self._window - 1) // 2
        return self._decide(max(ready - ready % self._block, self.decided))

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rest, as `push` does; nothing can be pushed after it."""
        return self._decide(self._offset + len(self._here))

    def _decide(self, until: int) -> tuple[np.ndarray, np.ndarray]:
        begin, offset = self.decided, self._offset
        level = [
            _envelope(
                self._here,
                start - offset,
                min(start + self._block, until) - offset,
                window=self._window,
            )
            for start in range(begin, until, self._block)
        ]
        mask = np.concatenate(level or [np.empty(0)]) > self._threshold
        kept = self._here[begin - offset : until - offset][mask]
        self.decided = until
        # The envelope of the following samples reaches back half a window.
        needed = max(until - self._window // 2, offset)
        self._here, self._offset = self._here[needed - offset :].copy(), needed
        return kept, begin + _runs(mask)


def _runs(mask: np.ndarray) -> np.ndarray:
    """First sample and end of each run of True, int64 `(k, 2)`."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return edges.reshape(-1, 2).astype(np.int64)
