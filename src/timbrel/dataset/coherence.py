"""The proof that two waveforms are one sound: their coherence where they overlap.

A copy keeps the phase of every part of the spectrum, loud or faint, from its beginning to its end,
through gain, filters, codecs and other sample rates. Another take of the same sound does not,
however alike it sounds. Sounds that repeat themselves (a steady pure tone) agree with any other of
their kind at many lags: that proves nothing.

Sources: C. H. Knapp and G. C. Carter, "The generalized correlation method for estimation of time
delay", IEEE Trans. ASSP 24(4), 1976, with the partial whitening of K. D. Donohue et al.,
"Performance of phase transform for detecting sound sources with microphone arrays in reverberant
and noisy environments", Signal Processing 87(7), 2007. The test against the second-best match is
that of D. G. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 60(2), 2004.
The thresholds were chosen on copies of real recordings, against the takes of one speaker and the
hits of one drum; benchmarks/check.py shows what they find of others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

# The lowest rate that is still in use; what lies above 3.5 kHz some copies have lost.
RATE = 8_000
LOWEST, HIGHEST = 30.0, 3_500.0

# Frames to search for the lag and to measure the coherence, in samples.
_SEARCH_FRAME, _FRAME = 1024, 256
# Weight of a bin in its magnitude: 0 is plain correlation, 1 the phase alone.
_SEARCH_WHITENING, _WHITENING = 0.5, 0.75
# Steps of the lag in a sample.
_UPSAMPLE = 8
# A bin counts down to 60 dB below the loudest of its recording.
_FAINTEST = 1e-6

# Copies reached 0.68 and more (low-rate codecs), other takes 0.52 at most.
_COHERENT = 0.65
# With less, nothing that follows can reach that.
_HOPEFUL = 0.5
# Disagreement at the best lag against that at the second best, at most: for sounds that fill many
# tiles of the spectrogram, and for short or pure ones, which may agree by chance.
_STANDS_OUT, _STANDS_OUT_ALONE = 0.85, 0.5
_MANY_TILES = 300
# Where the second best is looked for, in samples.
_REACH, _APART = 0.030 * RATE, 0.001 * RATE
_RIVALS = 5

# What the recordings must have in common: seconds, and share of the shorter, by length and energy.
_SHORTEST = 0.05
SHARE = 0.5
# Of a longer overlap the middle is looked at, in seconds.
_LONGEST = 60.0


@dataclass(frozen=True)
class Match:
    """Where two waveforms are the same sound.

    Attributes:
        coherence: 0 to 1, how well they agree.
        lag: sample of the first at which the second begins; may be below 0.
        overlap: samples that they have in common.
    """

    coherence: float
    lag: int
    overlap: int


def match(one: NDArray[np.int16], other: NDArray[np.int16], lag: int) -> Match | None:
    """Compare two waveforms at a lag that is known to 30 ms; None where they are not one sound.

    Args:
        one, other: int16 `(samples,)` at `RATE` Hz.
        lag: sample of `one` at which `other` begins, about.
    """
    curves = _search(one, other, lag)
    if curves is None:
        return None
    shift, curve, whole = curves
    first = {lag + round(float(shift[each.argmax()])) for each in (curve, whole)}
    trials = {trial: _coherence(one, other, trial) for trial in first}
    if max(trials.values()) < _HOPEFUL:
        return None
    for peak in _peaks(shift, whole):
        trials[lag + peak] = _coherence(one, other, lag + peak)
    best = max(trials, key=trials.get)
    rival = max((trials[trial] for trial in trials if abs(trial - best) >= _APART), default=0.0)
    if trials[best] < _COHERENT:
        return None
    parts = overlapping(one, other, best)
    limit = _STANDS_OUT if _tiles(*_middle(parts)) >= _MANY_TILES else _STANDS_OUT_ALONE
    if 1 - trials[best] > limit * (1 - rival):
        return None
    return Match(coherence=trials[best], lag=best, overlap=len(parts[0]))


def overlapping(one: NDArray, other: NDArray, lag: int) -> tuple[NDArray, NDArray]:
    """What two waveforms have in common where `other` begins at sample `lag` of `one`."""
    length = max(min(len(one) - max(lag, 0), len(other) + min(lag, 0)), 0)
    return one[max(lag, 0) :][:length], other[max(-lag, 0) :][:length]


def spectra(waveform: NDArray, size: int, hop: int) -> NDArray[np.complex64]:
    """Windowed spectra; complex64 `(frames, size // 2 + 1)`. Short waveforms are zero-padded."""
    if len(waveform) < size:
        waveform = np.pad(waveform, (0, size - len(waveform)))
    frames = sliding_window_view(waveform.astype(np.float32), size)[::hop]
    return np.fft.rfft(frames * _window(size), axis=1)


def power(spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Squared magnitude."""
    return spectrum.real**2 + spectrum.imag**2


@cache
def _window(size: int) -> NDArray[np.float32]:
    """Hann window without its zeros."""
    return np.hanning(size + 2)[1:-1].astype(np.float32)


@cache
def _shifts(size: int) -> NDArray[np.float64]:
    """Shifts in samples, from 0 up, then from the lowest up."""
    return np.fft.fftfreq(size * _UPSAMPLE, 1 / size)


@cache
def _audible(size: int) -> NDArray[np.float32]:
    """1 for the bins that are compared, 0 for others."""
    bins = np.fft.rfftfreq(size, 1 / RATE)
    return ((bins >= LOWEST) & (bins <= HIGHEST)).astype(np.float32)


@cache
def _remaining(size: int) -> NDArray[np.float64]:
    """What a shift leaves of the product of two windows, in the order of `_correlation`."""
    spectrum = power(np.fft.rfft(_window(size), 2 * size))
    overlap = np.fft.irfft(spectrum, 2 * size * _UPSAMPLE)
    half = size * _UPSAMPLE // 2
    return np.concatenate([overlap[:half], overlap[-half:]]) / overlap[0]


def _search(one: NDArray, other: NDArray, lag: int) -> tuple[NDArray, NDArray, NDArray] | None:
    """Agreement at the shifts near a lag, once as found and once as if the frames overlapped whole.

    None where there is no hope.
    """
    parts = _middle(overlapping(one, other, lag))
    fitting = 1 << max(len(parts[0]).bit_length() - 1, 0)
    size = int(np.clip(fitting, _FRAME, _SEARCH_FRAME))
    shift, curve = _correlation(*parts, size, whitening=_SEARCH_WHITENING)
    near = np.abs(shift) <= min(_REACH, size / 4)
    shift, curve = shift[near], np.abs(curve[near])
    if curve.max() < _HOPEFUL:
        return None
    return shift, curve, curve / _remaining(size)[near]


def _peaks(shift: NDArray, curve: NDArray) -> list[int]:
    """Return the shifts of the highest points of a curve, whole samples, some distance apart."""
    left = curve.copy()
    peaks = []
    while len(peaks) < _RIVALS and left.max() > 0:
        peaks.append(float(shift[left.argmax()]))
        left[np.abs(shift - peaks[-1]) < _APART] = 0.0
    return [round(peak) for peak in peaks]


def _coherence(one: NDArray, other: NDArray, lag: int) -> float:
    """How well two waveforms agree at a lag, to a fraction of a sample; 0 to 1."""
    parts = overlapping(one, other, lag)
    if not _in_common(one, other, parts):
        return 0.0
    shift, curve = _correlation(*_middle(parts), _FRAME, whitening=_WHITENING)
    return min(float(np.abs(curve[np.abs(shift) <= 1.0]).max()), 1.0)


def _in_common(one: NDArray, other: NDArray, parts: tuple[NDArray, NDArray]) -> bool:
    """Whether the overlap is long enough, and more than the faint end of both."""
    enough = max(SHARE * min(len(one), len(other)), _SHORTEST * RATE)
    if len(parts[0]) < enough:
        return False
    energies = [float(np.sum(whole.astype(np.float32) ** 2)) for whole in (*parts, one, other)]
    return energies[0] >= SHARE * energies[2] or energies[1] >= SHARE * energies[3]


def _middle(parts: tuple[NDArray, NDArray]) -> tuple[NDArray, NDArray]:
    """Return the middle of an overlap that is longer than is looked at."""
    length = min(len(parts[0]), int(_LONGEST * RATE))
    first = (len(parts[0]) - length) // 2
    return parts[0][first : first + length], parts[1][first : first + length]


def _correlation(
    one: NDArray, other: NDArray, size: int, *, whitening: float
) -> tuple[NDArray, NDArray]:
    """Generalised cross-correlation of two aligned waveforms, averaged over short frames.

    Returns:
        Shifts in samples of `one`, and the coherence at each, −1 to 1.
    """
    both, powers, weight = _whitened(one, other, size, whitening=whitening)
    energy = np.sqrt(np.prod([np.sum(part * weight, dtype=np.float64) for part in powers]))
    cross = np.sum(both[0] * both[1].conj() * weight, axis=0)
    length = size * _UPSAMPLE
    curve = np.fft.irfft(cross, length) * (length / 2 / max(energy, 1e-30))
    return _shifts(size), curve


def _tiles(one: NDArray, other: NDArray) -> float:
    """How many tiles of the spectrogram two aligned waveforms fill: (Σ w)² / Σ w²."""
    _, powers, weight = _whitened(one, other, _FRAME, whitening=_WHITENING)
    level = np.sqrt(powers[0] * powers[1]) * weight
    return float(level.sum() ** 2 / max((level**2).sum(), 1e-30))


def _whitened(
    one: NDArray, other: NDArray, size: int, *, whitening: float
) -> tuple[list[NDArray], list[NDArray], NDArray]:
    """Spectra and powers of two waveforms, and the weight of each tile; `(frames, bins)` all."""
    both = [spectra(part, size, size // 4) for part in (one, other)]
    powers = [power(part) * _audible(size) for part in both]
    floored = [np.maximum(part, _FAINTEST * part.max() + 1e-9) for part in powers]
    return both, powers, _audible(size) * (floored[0] * floored[1]) ** (-whitening / 2)
