"""How loud a recording is, and what went wrong when it was made: clipping and a constant offset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Samples in a row at the very top or bottom that make a flat piece, and how many steps of the
# quantisation the waveform must fall by right beside it: a slow wave is flat at its top, too, but
# leaves it slowly.
_FLAT = 3
_STEEP = 8
# Resolution that is assumed at least: 16 bits.
_FINEST_STEP = 2.0**-15

# Pieces whose means are compared to tell a constant offset from a slow wave, in seconds, and how
# many standard errors the offset must be from zero.
_PIECE = 0.05
_SURE = 5.0


@dataclass(frozen=True)
class Levels:
    """Measures of a waveform, in units of full scale.

    Attributes:
        peak: largest |x|.
        rms: root of the mean of x².
        offset: the constant that was added to the sound; 0 where none can be told from the sound.
        clipped: samples in flat pieces at the top or bottom, as clipping leaves them.
    """

    peak: float
    rms: float
    offset: float
    clipped: int


def measure_levels(waveform: np.ndarray, rate: int) -> Levels:
    """Measure a waveform at the rate of its file; resampling rounds off what clipping left.

    Args:
        waveform: float32 `(samples,)`, one sample at least.
        rate: its sample rate in Hz.
    """
    return Levels(
        peak=float(np.abs(waveform).max()),
        rms=float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))),
        offset=_offset(waveform, max(round(_PIECE * rate), 1)),
        clipped=_clipped(waveform),
    )


def _offset(waveform: np.ndarray, piece: int) -> float:
    """Median of the means of short pieces, or 0 where they vary too much to tell it from 0."""
    count = len(waveform) // piece
    if count < 2:
        return 0.0
    means = waveform[: count * piece].reshape(count, piece).mean(axis=1, dtype=np.float64)
    offset = float(np.median(means))
    # Of a normal distribution the standard deviation is 1.48 times the median deviation, and the
    # standard error of the median 1.25 times that of the mean.
    error = 1.25 * 1.48 * float(np.median(np.abs(means - offset))) / np.sqrt(count)
    return offset if abs(offset) > _SURE * error else 0.0


def _clipped(waveform: np.ndarray) -> int:
    steps = np.abs(np.diff(waveform))
    step = max(float(steps[steps > 0].min(initial=1.0)), _FINEST_STEP)
    total = 0
    for side in (waveform, -waveform):
        top = side.max()
        if top <= 0:
            continue
        edges = np.flatnonzero(np.diff(side == top, prepend=False, append=False))
        starts, ends = edges[::2], edges[1::2]
        flat = ends - starts >= _FLAT
        starts, ends = starts[flat], ends[flat]
        before = np.where(starts > 0, side[starts - 1], top)
        after = np.where(ends < len(side), side[np.minimum(ends, len(side) - 1)], top)
        steep = top - np.minimum(before, after) >= _STEEP * step
        total += int((ends - starts)[steep].sum())
    return total
