"""Descriptors of each frame of a recording: log-mel, cepstrum, and the shape of the spectrum.

They are for models that take a few numbers a recording; networks take the pictures of
`timbrel.features.logmel` and `timbrel.features.mfcc` instead. There is no matrix product here:
recordings are described in a thread each, and BLAS, with threads of its own in each of them, is
several times as slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from timbrel.errors import MissingExtra
from timbrel.features.spectrum import area_filters, frame_count

try:
    # Two to four times as fast as NumPy's on many short float32 frames.
    from scipy import fft
    from scipy.sparse import csr_array
except ModuleNotFoundError as error:
    raise MissingExtra.of("train", "Training and feature extraction") from error

_BANDS = 40
_COEFFICIENTS = 20

MEL = tuple(f"mel_{band}" for band in range(1, _BANDS + 1))
CEPSTRUM = tuple(f"cepstrum_{number}" for number in range(1, _COEFFICIENTS + 1))
SHAPE = (
    *("centroid", "bandwidth", "rolloff_85", "rolloff_50", "flatness", "level"),
    *("harmonicity", "pitch", "zero_crossings", "flux"),
)
DESCRIPTORS = (*MEL, *CEPSTRUM, *SHAPE)
"""The name of each column of `Frames.rows`."""

# Seconds of a frame before rounding to a power of two, and hops a frame, as usual for music.
_SECONDS = 0.064
_HOPS = 4
# Frames that are transformed at a time; they and their spectra fit into the processor's cache.
_BLOCK = 256
# Decibels below its loudest band at which a recording's picture ends.
_RANGE = 80.0
# The least power; the recordings have a peak of 1.
_FLOOR = 1e-12
_LOWEST_PITCH, _HIGHEST_PITCH = 50.0, 2000.0
# By how much a candidate for the pitch loses weight an octave, as in Boersma's algorithm.
_OCTAVE_COST = 0.02


@dataclass(frozen=True)
class Frames:
    """Descriptors of a recording's frames.

    Attributes:
        rows: float32 `(frames, 70)`, the columns named in `DESCRIPTORS`.
        hop: seconds from one frame to the next.
    """

    rows: np.ndarray
    hop: float

    def track(self, name: str) -> np.ndarray:
        """One descriptor over the frames; float32 `(frames,)`."""
        return self.rows[:, DESCRIPTORS.index(name)]


@dataclass(frozen=True)
class _Constants:
    frame: int
    hop: int
    taper: np.ndarray  # (frame,), periodic Hann
    bank: csr_array  # (bands, bins)
    moments: np.ndarray  # (3, bins): 1, f, f² with f in kHz
    lags: np.ndarray  # samples, of the candidates for the pitch
    cost: np.ndarray  # weights of the candidates
    overlap: np.ndarray  # the taper's autocorrelation at lags from 0


def describe_frames(waveform: np.ndarray, rate: int) -> Frames:
    """Describe each frame of a recording.

    Frames are the power of two closest to 64 ms, four to a frame's length, tapered by a periodic
    Hann window; the last one is zero-padded.

    - `mel_*`: power in 40 mel bands, decibels relative to the loudest band of all frames, −80 to 0.
    - `cepstrum_*`: the orthonormal DCT-II of the bands, 1 to 20 without 0.
    - `centroid`, `bandwidth` in kHz, `rolloff_85`, `rolloff_50` in kHz: of the magnitude spectrum.
    - `flatness`: geometric to arithmetic mean of the power spectrum, in decibels.
    - `level`: mean power of the frame in decibels relative to the loudest frame.
    - `harmonicity`: height of the autocorrelation at the pitch's lag, 0 to 1.
    - `pitch`: octaves above 440 Hz, 50 to 2000 Hz; of the best candidate, however weak. Inexact
      where a frame holds less than three periods.
    - `zero_crossings`: share of samples at which the sign changes.
    - `flux`: mean rise of the bands since the frame before, in decibels.

    Args:
        waveform: float32 `(samples,)`, at least one sample, with a peak of about 1.
        rate: sample rate in Hz.

    Sources: librosa 0.11, `feature` (centroid, bandwidth, roll-off, flatness, mel spectrogram with
    `htk=True, center=False`); Boersma (1993), "Accurate short-term analysis of the fundamental
    frequency and the harmonics-to-noise ratio of a sampled sound"; Böck & Widmer (2013), "Maximum
    filter vibrato suppression for onset detection", for the flux before its filter.
    """
    constants = _constants(rate)
    frame, hop = constants.frame, constants.hop
    count = frame_count(len(waveform), frame=frame, hop=hop)
    padded = np.zeros((count - 1) * hop + frame, dtype=np.float32)
    padded[: len(waveform)] = waveform
    cut = sliding_window_view(padded, frame)[::hop]
    power = np.empty((count, _BANDS), dtype=np.float32)
    rows = np.zeros((count, len(DESCRIPTORS)), dtype=np.float32)
    mel, cepstrum, shape = np.split(rows, [_BANDS, _BANDS + _COEFFICIENTS], axis=1)
    for start in range(0, count, _BLOCK):
        part = slice(start, start + _BLOCK)
        spectrum = fft.rfft(cut[part] * constants.taper)
        squared = np.square(spectrum.real) + np.square(spectrum.imag)
        power[part] = (constants.bank @ squared.T).T
        _spectral_shape(squared, constants, out=shape[part])
        _pitch(squared, constants, rate=rate, out=shape[part])
    bands = decibels(power)
    np.maximum(bands - bands.max(), -_RANGE, out=mel)
    cepstrum[:] = fft.dct(mel, axis=1, norm="ortho")[:, 1 : _COEFFICIENTS + 1]
    shape[:, 5] -= shape[:, 5].max()
    # Sign changes inside each frame, as differences of a running count.
    negative = padded < 0
    crossed = np.cumsum(negative[1:] != negative[:-1], dtype=np.int64)
    last = crossed[frame - 2 :: hop]
    first = np.concatenate([[0], crossed[hop - 1 :: hop]])[: len(last)]
    shape[:, 8] = (last - first) / frame
    shape[1:, 9] = np.maximum(mel[1:] - mel[:-1], 0).mean(axis=1)
    return Frames(rows, hop / rate)


def decibels(power: np.ndarray) -> np.ndarray:
    """Power in decibels, with a floor at 1e-12; float32 in, float32 out."""
    return np.float32(10 / np.log(10)) * np.log(np.maximum(power, np.float32(_FLOOR)))


def _spectral_shape(power: np.ndarray, constants: _Constants, *, out: np.ndarray) -> None:
    """Write the first six of `SHAPE` for a block of power spectra `(frames, bins)`."""
    magnitude = np.sqrt(power)
    total, first, second = np.einsum("fb,mb->mf", magnitude, constants.moments)
    total = np.maximum(total, np.float32(_FLOOR))
    out[:, 0] = first / total
    out[:, 1] = np.sqrt(np.maximum(second / total - np.square(out[:, 0]), 0))
    summed = np.cumsum(magnitude, axis=1)
    for column, share in ((2, 0.85), (3, 0.5)):
        below = np.count_nonzero(summed < share * summed[:, -1:], axis=1)
        out[:, column] = below * constants.moments[1, 1]
    level = decibels(power.mean(axis=1))
    out[:, 4] = decibels(power).mean(axis=1) - level
    out[:, 5] = level


def _pitch(power: np.ndarray, constants: _Constants, *, rate: int, out: np.ndarray) -> None:
    """Write harmonicity and pitch for a block of power spectra `(frames, bins)`.

    Only peaks after the autocorrelation was negative once are candidates; earlier ones belong to
    the peak at lag 0.
    """
    lags = constants.lags
    correlation = fft.irfft(power)[:, : lags[-1] + 2]
    correlation /= np.maximum(correlation[:, :1], np.float32(_FLOOR)) * constants.overlap
    left_zero = (correlation < 0).argmax(axis=1)[:, None]
    left = (lags > left_zero) & (left_zero > 0)
    before, height, after = (
        correlation[:, lags[0] + step : lags[-1] + 1 + step] for step in (-1, 0, 1)
    )
    # The height of the parabola through three points. Where a period is a few samples long, the
    # height at whole samples would favour multiples of it that are closer to a whole number.
    bend = before - 2 * height + after
    peak = (height >= before) & (height >= after) & (bend < 0)
    bend = np.where(peak, bend, -np.inf)
    tops = height - np.square(before - after) / (8 * bend)
    best = np.where(left, tops * constants.cost, 0).argmax(axis=1)
    row = np.arange(len(power))
    aside = (before - after)[row, best] / (2 * bend[row, best])
    out[:, 6] = np.where(left[row, best], np.clip(tops[row, best], 0, 1), 0)
    out[:, 7] = np.log2(rate / (440 * (lags[best] + aside)))


@lru_cache(maxsize=8)
def _constants(rate: int) -> _Constants:
    frame = max(2 ** round(np.log2(_SECONDS * rate)), 32)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    bank = area_filters(_BANDS, nfft=frame, rate=rate, low=0.0, high=rate / 2)
    kilohertz = np.fft.rfftfreq(frame, 1000 / rate)
    shortest = max(round(rate / _HIGHEST_PITCH), 2)
    lags = np.arange(shortest, max(min(round(rate / _LOWEST_PITCH), frame // 2 - 1), shortest + 1))
    overlap = np.fft.irfft(np.abs(np.fft.rfft(taper)) ** 2)[: lags[-1] + 2]
    return _Constants(
        frame=frame,
        hop=frame // _HOPS,
        taper=taper.astype(np.float32),
        bank=csr_array(bank.astype(np.float32)),
        moments=np.stack([kilohertz**power for power in range(3)]).astype(np.float32),
        lags=lags,
        cost=(1 - _OCTAVE_COST * np.log2(lags / shortest)).astype(np.float32),
        overlap=(overlap / overlap[0]).astype(np.float32),
    )
