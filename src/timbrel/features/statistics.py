"""Describe a recording of any length and level by one short vector, for fast models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from timbrel.errors import InvalidArgument, MissingExtra
from timbrel.features.spectrum import area_filters, frame_count

try:
    # Two to four times as fast as NumPy's for many short float32 frames.
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
_MEL_RANGE = 80.0
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


class _Constants:
    """The constants of `describe_frames` at one sample rate."""

    def __init__(self, rate: int) -> None:
        frame = max(2 ** round(np.log2(_SECONDS * rate)), 32)
        taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
        bank = area_filters(_BANDS, nfft=frame, rate=rate, low=0.0, high=rate / 2)
        kilohertz = np.fft.rfftfreq(frame, 1000 / rate)
        self.frame, self.hop = frame, frame // _HOPS
        self.taper = taper.astype(np.float32)
        # (bands, bins), and (3, bins): 1, f, f² with f in kHz.
        self.bank = csr_array(bank.astype(np.float32))
        self.moments = np.stack([kilohertz**power for power in range(3)]).astype(np.float32)
        # Candidates for the pitch: their lags in samples, their weights, and the autocorrelation
        # of the taper at all lags from 0.
        shortest, longest = max(round(rate / _HIGHEST_PITCH), 2), round(rate / _LOWEST_PITCH)
        lags = np.arange(shortest, max(min(longest, frame // 2 - 1), shortest + 1))
        overlap = np.fft.irfft(np.abs(np.fft.rfft(taper)) ** 2)[: lags[-1] + 2]
        self.lags = lags
        self.weights = (1 - _OCTAVE_COST * np.log2(lags / shortest)).astype(np.float32)
        self.overlap = (overlap / overlap[0]).astype(np.float32)


_constants = lru_cache(maxsize=8)(_Constants)


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
        magnitude = np.sqrt(squared)
        total, first, second = np.einsum("fb,mb->mf", magnitude, constants.moments)
        total = np.maximum(total, np.float32(_FLOOR))
        out = shape[part]
        out[:, 0] = first / total
        out[:, 1] = np.sqrt(np.maximum(second / total - np.square(out[:, 0]), 0))
        summed = np.cumsum(magnitude, axis=1)
        for column, share in ((2, 0.85), (3, 0.5)):
            below = np.count_nonzero(summed < share * summed[:, -1:], axis=1)
            out[:, column] = below * constants.moments[1, 1]
        level = decibels(squared.mean(axis=1))
        out[:, 4] = decibels(squared).mean(axis=1) - level
        out[:, 5] = level
        _pitch(squared, constants, rate=rate, out=out)
    bands = decibels(power)
    np.maximum(bands - bands.max(), -_MEL_RANGE, out=mel)
    cepstrum[:] = fft.dct(mel, axis=1, norm="ortho")[:, 1 : _COEFFICIENTS + 1]
    shape[:, 5] -= shape[:, 5].max()
    # Sign changes inside each frame, as differences of a running count.
    negative = padded < 0
    crossed = np.cumsum(negative[1:] != negative[:-1], dtype=np.int64)
    at_end = crossed[frame - 2 :: hop]
    at_start = np.concatenate([[0], crossed[hop - 1 :: hop]])[: len(at_end)]
    shape[:, 8] = (at_end - at_start) / frame
    shape[1:, 9] = np.maximum(mel[1:] - mel[:-1], 0).mean(axis=1)
    return Frames(rows, hop / rate)


def decibels(power: np.ndarray) -> np.ndarray:
    """Power in decibels, with a floor at 1e-12; float32 in, float32 out."""
    return np.float32(10 / np.log(10)) * np.log(np.maximum(power, np.float32(_FLOOR)))


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
    best = np.where(left, tops * constants.weights, 0).argmax(axis=1)
    row = np.arange(len(power))
    aside = (before - after)[row, best] / (2 * bend[row, best])
    out[:, 6] = np.where(left[row, best], np.clip(tops[row, best], 0, 1), 0)
    out[:, 7] = np.log2(rate / (440 * (lags[best] + aside)))


ENVELOPE = (
    *("seconds", "attack", "fall_6", "fall_20", "slope", "centroid", "relative_centroid", "peak"),
    *("above_8", "above_20", "crest", "deviation", "rise", "onsets"),
    *("modulation_0.5_2", "modulation_2_4", "modulation_4_8", "modulation_8_16"),
    *("modulation_16_32", "modulation_32_64"),
)
_PARTS = 3

STATISTICS = (
    *(f"{name}_{kind}" for kind in ("mean", "deviation", "change") for name in DESCRIPTORS),
    *(f"{name}_part_{part}" for part in range(1, _PARTS + 1) for name in CEPSTRUM),
    *(f"{name}_{kind}" for kind in ("loudest", "after") for name in (*CEPSTRUM, *SHAPE)),
    *("voiced", "voiced_pitch", "voiced_pitch_deviation"),
    *(f"envelope_{name}" for name in ENVELOPE),
)
"""The name of each number of `file_statistics`, in order."""

# Decibels below the peak sample, or the loudest frame, down to which sound counts.
_RANGE = 60.0
# A waveform whose samples differ by less than this share of its peak is direct current.
_FLAT = 1e-6
# Seconds after the loudest frame. The sound of a struck instrument changes in this time, that of a
# blown one does not.
_AFTER = 0.1
_CEPSTRUM = slice(DESCRIPTORS.index(CEPSTRUM[0]), DESCRIPTORS.index(SHAPE[0]))
_VOICED = 0.6
_STEP = 0.005
_BAND_EDGES = (0.5, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


def file_statistics(waveform: np.ndarray, rate: int) -> np.ndarray:
    """Describe a recording by statistics of its timbre and of its envelope.

    All are the same for a louder or quieter copy (within float32's precision), and for one with a
    constant added. Sound 60 dB below the peak at the beginning and the end is cut off first.

    - of each descriptor of a frame (`mel_*`, `cepstrum_*`, and `centroid` to `flux`, see
      `timbrel.features.statistics`) `mean`, `deviation` and mean absolute `change` from frame
      to frame, over the frames within 60 dB of the loudest.
    - `cepstrum_*_part_*`: means over the first, second and last third of the sound.
    - `*_loudest`, `*_after`: in the loudest frame, and the difference 0.1 s later.
    - `voiced`: share of frames with a harmonicity above 0.6; `voiced_pitch`,
      `voiced_pitch_deviation`: median and deviation of their pitch in octaves above 440 Hz.
    - `envelope_*`: the level over time, see `_envelope_statistics`.

    Args:
        waveform: float `(samples,)`, mono, at least one sample, no NaN.
        rate: sample rate in Hz. Statistics of different rates do not compare.

    Returns:
        float32 `(len(STATISTICS),)`, finite. All zero for silence, direct current and a single
        sample.

    Raises:
        InvalidArgument: `waveform` is empty, not one-dimensional or not finite, or `rate` is not
            above 0.

    Sources: Tzanetakis & Cook (2002), "Musical genre classification of audio signals", for means
    and deviations over frames; Peeters et al. (2011), "The Timbre Toolbox", for the envelope.
    """
    with np.errstate(over="ignore"):
        waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim != 1 or len(waveform) == 0:
        raise InvalidArgument(
            "`waveform` must be one-dimensional with at least one sample. "
            f"Got an array of shape {waveform.shape}."
        )
    if not np.isfinite(waveform).all():
        raise InvalidArgument("`waveform` must be finite. Got NaN or infinite samples.")
    if rate <= 0:
        raise InvalidArgument(f"`rate` must be above 0 Hz. Got {rate}.")

    # Remove the mean and the quiet at both ends, and scale to a peak of 1.
    peak = np.abs(waveform).max()
    sound = waveform / peak if peak > 0 else waveform
    sound = sound - np.float32(sound.mean(dtype=np.float64))
    level = np.abs(sound)
    peak = level.max()
    if peak <= _FLAT:
        return np.zeros(len(STATISTICS), dtype=np.float32)
    loud = np.flatnonzero(level > peak * np.float32(10 ** (-_RANGE / 20)))
    sound = sound[loud[0] : loud[-1] + 1] / peak

    frames = describe_frames(sound, rate)
    counting = frames.track("level") > -_RANGE
    rows = frames.rows[counting]
    values = [
        rows.mean(axis=0),
        rows.std(axis=0),
        np.abs(np.diff(rows, axis=0)).sum(axis=0) / max(len(rows) - 1, 1),
    ]

    # Means over equal parts of the frames, which overlap where there are few frames.
    cepstrum = frames.rows[:, _CEPSTRUM]
    edges = np.linspace(0, len(cepstrum), _PARTS + 1)
    starts = np.minimum(np.floor(edges[:-1]).astype(int), len(cepstrum) - 1)
    ends = np.ceil(edges[1:]).astype(int)
    values += [cepstrum[start:end].mean(axis=0) for start, end in zip(starts, ends, strict=True)]

    timbre = frames.rows[:, _CEPSTRUM.start :]
    loudest = int(frames.track("level").argmax())
    after = min(loudest + round(_AFTER / frames.hop), len(timbre) - 1)
    values += [timbre[loudest], timbre[after] - timbre[loudest]]

    voiced = counting & (frames.track("harmonicity") > _VOICED)
    pitch = frames.track("pitch")[voiced]
    voice = (
        [voiced.sum() / counting.sum(), np.median(pitch), pitch.std()] if len(pitch) else [0] * 3
    )
    values += [voice, _envelope_statistics(sound, rate)]
    return np.concatenate(values).astype(np.float32)


def _envelope_statistics(sound: np.ndarray, rate: int) -> np.ndarray:
    """Statistics of the RMS over 5 ms, smoothed over three of them; named in `ENVELOPE`.

    - `seconds`, `attack` (from 10 to 80 % of the peak), `fall_6`, `fall_20` (from the peak to so
      many decibels below), `centroid`: decimal logarithms of seconds; `peak` and
      `relative_centroid`: as shares of the length.
    - `slope`: of the level from the peak to 40 dB below, in decibels a second.
    - `above_8`, `above_20`: share of the time within that many decibels of the peak.
    - `crest`: peak sample to RMS, in decibels; `deviation`, `rise`: deviation of the level, and
      its mean rise in 5 ms; `onsets`: steps of 5 ms a second that rise by more than 3 dB to within
      20 dB of the peak, two for a sudden onset.
    - `modulation_*`: share of the level's spectrum between two frequencies in Hz; 0 for a steady
      level.
    """
    step = max(round(_STEP * rate), 1)
    seconds = step / rate
    count = -(-len(sound) // step)
    padded = np.zeros(count * step, dtype=np.float32)
    padded[: len(sound)] = sound
    squares = np.square(padded).reshape(count, step).mean(axis=1, dtype=np.float64)
    around = np.pad(np.sqrt(squares), 1)
    envelope = around[:-2] + around[1:-1] + around[2:]
    envelope /= envelope.max()
    level = 20 * np.log10(np.maximum(envelope, 1e-4))

    top = int(envelope.argmax())
    quiet = np.flatnonzero(envelope[:top] < 0.1)
    start = int(quiet[-1]) + 1 if len(quiet) else 0
    attack = int(np.argmax(envelope[start:] >= 0.8)) + 1
    after = level[top:]
    centroid = float(np.arange(count) @ envelope / envelope.sum())
    times = np.array([count, attack, _until(after, -6), _until(after, -20), centroid + 1])
    rises = np.maximum(np.diff(level, prepend=level[0]), 0)

    # The line through the falling level by least squares.
    falling = after[: _until(after, -40)]
    time = (np.arange(len(falling)) - (len(falling) - 1) / 2) * seconds
    slope = float(time @ falling / max(time @ time, 1e-12))

    size = 1 << max(len(level) - 1, 1).bit_length()
    power = np.square(np.abs(np.fft.rfft(level - level.mean(), size)))
    edges = np.ceil(np.array(_BAND_EDGES) * size * seconds).astype(int)
    summed = np.concatenate([[0.0], np.cumsum(power)])
    bands = np.diff(summed[np.minimum(edges, len(power))])
    return np.concatenate(
        [
            np.log10(times[:4] * seconds),
            [slope],
            [np.log10(times[4] * seconds), centroid / count, top / count],
            [(level > -8).mean(), (level > -20).mean()],
            [-10 * np.log10(np.mean(np.square(sound))), level.std(), rises.mean()],
            [np.count_nonzero((rises > 3) & (level > -20)) / (count * seconds)],
            bands / max(summed[-1] - power[0], 1e-9),
        ]
    )


def _until(level: np.ndarray, limit: float) -> int:
    """Steps until the level falls below a limit, all of them if it does not; at least 1."""
    below = np.flatnonzero(level < limit)
    return int(below[0]) if len(below) else len(level)
