"""Cut silence by the envelope of the signal, as the tutorial does, and keep the way back.

The envelope is pandas' `Series(abs(x)).rolling(w, min_periods=1, center=True).mean()`: a rolling
mean of |x| whose window shrinks at the ends. For an even `w` it covers samples i − w/2 to
i + w/2 − 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# A cumulative sum over so few samples of full scale is exact to 1e-13 of the mean of a window.
_BLOCK = 1 << 15


@dataclass(frozen=True)
class Cleaned:
    """What cleaning kept of a waveform.

    Attributes:
        waveform: float32 `(kept,)`, the kept stretches joined.
        runs: int64 `(k, 2)`, first sample and end (exclusive) of each kept stretch in the original.
        samples: length of the original.
    """

    waveform: np.ndarray
    runs: np.ndarray
    samples: int

    def source_index(self, kept_index: np.ndarray | int) -> np.ndarray:
        """Sample of the original for a sample of `waveform`; int64, the shape of the input.

        `len(waveform)` itself, an exclusive end, maps to the end of the last stretch.
        """
        ends = np.cumsum(self.runs[:, 1] - self.runs[:, 0])
        index = np.asarray(kept_index, dtype=np.int64)
        run = np.minimum(np.searchsorted(ends, index, side="right"), len(ends) - 1)
        return self.runs[run, 1] - (ends[run] - index)


def envelope(waveform: np.ndarray, window: int) -> np.ndarray:
    """Centred rolling mean of |x|; float64 `(samples,)`.

    Args:
        waveform: float `(samples,)`.
        window: length of the rolling mean in samples, at least 1.
    """
    samples = len(waveform)
    mean = np.empty(samples, dtype=np.float64)
    before, after = window // 2, (window - 1) // 2
    for start in range(0, samples, _BLOCK):
        stop = min(start + _BLOCK, samples)
        first, last = max(start - before, 0), min(stop + after, samples)
        # Sums of all before sample `start - before` + index; flat outside of the waveform.
        total = np.zeros(stop - start + window)
        inside = slice(first - (start - before) + 1, last - (start - before) + 1)
        np.cumsum(np.abs(waveform[first:last]), dtype=np.float64, out=total[inside])
        total[inside.stop :] = total[inside.stop - 1]
        np.subtract(total[window:], total[:-window], out=mean[start:stop])
        mean[start:stop] /= _covered(start, stop, (before, after, samples))
    return mean


def _covered(start: int, stop: int, reach: tuple[int, int, int]) -> np.ndarray:
    """How many samples the window covers that is centred at each of a stretch of samples."""
    before, after, samples = reach
    covered = np.full(stop - start, before + after + 1, dtype=np.float64)
    left = before - np.arange(start, min(stop, before))
    covered[: len(left)] -= left
    right = np.arange(max(start, samples - after), stop) + after + 1 - samples
    covered[len(covered) - len(right) :] -= right
    return covered


def clean(waveform: np.ndarray, threshold: float, window: int) -> Cleaned:
    """Keep the samples whose envelope is above a threshold.

    Args:
        waveform: float32 `(samples,)`.
        threshold: level of the envelope, in units of full scale, that a kept sample exceeds.
        window: length of the envelope's rolling mean in samples.

    Returns:
        What was kept, possibly nothing (`waveform` empty, `runs` of shape `(0, 2)`).

    Source: `envelope` of https://github.com/seth814/Audio-Classification, re-implemented in time
    linear in the samples.
    """
    mask = envelope(waveform, window) > threshold
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    kept = waveform if mask.all() else waveform[mask]
    return Cleaned(waveform=kept, runs=edges.reshape(-1, 2).astype(np.int64), samples=len(waveform))


def uncleaned(waveform: np.ndarray) -> Cleaned:
    """Keep everything."""
    return Cleaned(waveform, np.array([[0, len(waveform)]], dtype=np.int64), len(waveform))
