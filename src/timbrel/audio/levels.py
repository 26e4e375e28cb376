"""The levels of a recording, and two faults of it: clipping and a constant offset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Samples in a row at the very top or bottom that make a flat piece, and how many steps of the
# quantisation the waveform must fall by within two samples of it, on either side: a slow wave is
# flat at its top, too, but leaves it slowly (by 10 steps at most), and a slow sawtooth on one side.
_FLAT = 3
_STEEP = 12
# The finest resolution that is assumed, 16 bits; it is measured on at most
# this many samples.
_FINEST_STEP = 2.0**-15
_VALUES = 1 << 18

# Half of the piece that a mean is taken over, in seconds. A Hann window of twice that leaves less
# than 3 % of any tone above 20 Hz.
_HOP = 0.05
# Share of the offset by which the means may vary, from the lowest tenth to the highest: at most,
# and for each piece after the first. Those of a slow wave, or of rumble, vary more, but not within
# a few pieces.
_STEADY, _STEADY_EACH = 0.5, 0.05


@dataclass(frozen=True)
class Levels:
    """Measures of a waveform, in units of full scale.

    Attributes:
        peak: largest `|x|`.
        rms: root of the mean of x².
        offset: the constant that was added to the sound; 0 where it cannot be separated from the
            sound, as in less than 0.15 s.
        clipped: samples in flat pieces at the top or bottom, which clipping leaves. Those of a
            plain square wave, which has no finer step than its own height, do not count.
            Resampling, lossy codecs, filters and mixing with an unclipped channel round the
            pieces off, so that they are not found.
    """

    peak: float
    rms: float
    offset: float
    clipped: int


def measure_levels(waveform: np.ndarray, rate: int) -> Levels:
    """Measure a waveform at the rate of its file; resampling rounds off clipped peaks.

    Args:
        waveform: float32 `(samples,)`, one sample at least.
        rate: its sample rate in Hz.
    """
    return Levels(
        peak=float(np.abs(waveform).max()),
        rms=float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))),
        offset=_offset(waveform, max(round(_HOP * rate), 1)),
        clipped=_clipped(waveform),
    )


def _offset(waveform: np.ndarray, hop: int) -> float:
    """Median of the means of overlapping pieces, or 0 where they vary too much for a constant."""
    count = len(waveform) // hop
    if count < 3:
        return 0.0
    window = np.hanning(2 * hop + 1)[:-1]
    window /= window.sum()
    pieces = waveform[: count * hop].reshape(count, hop)
    rising, falling = (np.einsum("ij,j->i", pieces, half) for half in np.split(window, 2))
    means = rising[:-1] + falling[1:]
    low, offset, high = np.quantile(means, (0.1, 0.5, 0.9))
    steady = min(_STEADY, _STEADY_EACH * (len(means) - 1))
    return float(offset) if high - low <= steady * abs(offset) else 0.0


def _clipped(waveform: np.ndarray) -> int:
    """Samples in flat pieces at the top or bottom that the waveform enters and leaves steeply."""
    clipped, steep = 0, 0.0
    for side in (waveform, -waveform):
        height = side.max()
        top = side == height
        if np.count_nonzero(top) < _FLAT or height <= 0:
            continue
        edges = np.flatnonzero(np.diff(top, prepend=False, append=False))
        starts, ends = edges[::2], edges[1::2]
        # A constant waveform has no flat piece.
        flat = (ends - starts >= _FLAT) & (ends - starts < len(side))
        if not flat.any():
            continue
        if not steep:
            # The smallest difference of any two samples, not only of neighbours: the waveform is
            # steep near the top of a clipped wave.
            gaps = np.diff(np.sort(waveform[:: -(-len(waveform) // _VALUES)]))
            steep = _STEEP * max(float(gaps[gaps > 0].min(initial=1.0)), _FINEST_STEP)
        starts, ends, last = starts[flat], ends[flat], len(side) - 1
        before = np.minimum(side[starts - 1], side[np.maximum(starts - 2, 0)])
        after = np.minimum(side[np.minimum(ends, last)], side[np.minimum(ends + 1, last)])
        # At the ends of the recording there is one side only.
        cut = (starts == 0) | (height - before >= steep)
        cut &= (ends > last) | (height - after >= steep)
        clipped += int((ends - starts)[cut].sum())
    return clipped
