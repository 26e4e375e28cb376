"""How loud a recording is, and what went wrong when it was made: clipping and a constant offset."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Samples in a row at the very top or bottom that make a flat piece, and how many steps of the
# quantisation the waveform must fall by within two samples of it, on either side: a slow wave is
# flat at its top, too, but leaves it slowly (by 10 steps at most), and a slow sawtooth on one side.
_FLAT = 3
_STEEP = 12
# Resolution that is assumed at least: 16 bits. It is measured on so many samples at most.
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
        offset: the constant that was added to the sound; 0 where none can be told from the sound,
            as in less than 0.15 s.
        clipped: samples in flat pieces at the top or bottom, as clipping leaves them. Those of a
            plain square wave, which knows no finer step than its own, do not count. Resampling,
            lossy codecs, filters, and mixing with a channel that is not clipped, round the pieces
            off: then they are not seen.
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
        offset=_offset(waveform, max(round(_HOP * rate), 1)),
        clipped=_clipped(waveform),
    )


def _offset(waveform: np.ndarray, hop: int) -> float:
    """Median of the means of overlapping pieces, or 0 where they vary too much for a constant."""
    count = len(waveform) // hop
    if count < 3:
        return 0.0
    rising, falling = (
        np.einsum("ij,j->i", waveform[: count * hop].reshape(count, hop), half)
        for half in _halves(hop)
    )
    means = rising[:-1] + falling[1:]
    low, offset, high = np.quantile(means, (0.1, 0.5, 0.9))
    steady = min(_STEADY, _STEADY_EACH * (len(means) - 1))
    return float(offset) if high - low <= steady * abs(offset) else 0.0


@lru_cache(maxsize=8)
def _halves(hop: int) -> tuple[np.ndarray, np.ndarray]:
    """Both halves of a Hann window whose sum is 1."""
    window = np.hanning(2 * hop + 1)[:-1]
    window /= window.sum()
    return window[:hop], window[hop:]


def _clipped(waveform: np.ndarray) -> int:
    pieces = [(side, *_flat(side)) for side in (waveform, -waveform)]
    if not any(len(starts) for _, starts, _ in pieces):
        return 0
    steep = _STEEP * _finest_step(waveform)
    return sum(_cut_off(*piece, steep=steep) for piece in pieces)


def _flat(side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where flat pieces at the top start, and where they have ended."""
    top = side == side.max()
    if np.count_nonzero(top) < _FLAT or side[top.argmax()] <= 0:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    edges = np.flatnonzero(np.diff(top, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    # All of a waveform is no piece of it.
    flat = (ends - starts >= _FLAT) & (ends - starts < len(side))
    return starts[flat], ends[flat]


def _finest_step(waveform: np.ndarray) -> float:
    """The least by which two samples differ, or 16 bits where that is more.

    All are compared, not only neighbours: what lies beside the top of a clipped wave is steep.
    """
    gaps = np.diff(np.sort(waveform[:: -(-len(waveform) // _VALUES)]))
    return max(float(gaps[gaps > 0].min(initial=1.0)), _FINEST_STEP)


def _cut_off(side: np.ndarray, starts: np.ndarray, ends: np.ndarray, *, steep: float) -> int:
    """Samples in the flat pieces that the waveform enters and leaves by so much at least."""
    last, top = len(side) - 1, side.max()
    before = np.minimum(side[starts - 1], side[np.maximum(starts - 2, 0)])
    after = np.minimum(side[np.minimum(ends, last)], side[np.minimum(ends + 1, last)])
    # At the ends of the recording there is one side only.
    cut = (starts == 0) | (top - before >= steep)
    cut &= (ends > last) | (top - after >= steep)
    return int((ends - starts)[cut].sum())
