"""Describe a recording of any length and level by one short vector, for models that learn fast."""

from __future__ import annotations

import numpy as np

from timbrel.errors import InvalidArgument
from timbrel.features.descriptors import CEPSTRUM, DESCRIPTORS, SHAPE, describe_frames

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

# Sound that is further below the peak sample, or the loudest frame, than this does not count.
_RANGE = 60.0
# A waveform whose samples differ by less than this share of its peak is direct current.
_FLAT = 1e-6
# Seconds after the loudest frame, in which a struck sound changes and a blown one does not.
_AFTER = 0.1
_CEPSTRUM = slice(DESCRIPTORS.index(CEPSTRUM[0]), DESCRIPTORS.index(SHAPE[0]))
_VOICED = 0.6
_STEP = 0.005
_BAND_EDGES = (0.5, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


def file_statistics(waveform: np.ndarray, rate: int) -> np.ndarray:
    """Describe a recording by statistics of its timbre and of its course.

    All are the same for a louder or quieter copy (within float32's precision), and for one with a
    constant added. What is 60 dB below the peak at the beginning and the end is cut off first.

    - of each descriptor of a frame (`mel_*`, `cepstrum_*`, and `centroid` to `flux`, see
      `timbrel.features.descriptors`) `mean`, `deviation` and mean absolute `change` from frame
      to frame, over the frames within 60 dB of the loudest.
    - `cepstrum_*_part_*`: means over the first, second and last third of the sound.
    - `*_loudest`, `*_after`: in the loudest frame, and the difference 0.1 s later.
    - `voiced`: share of frames with a harmonicity above 0.6; `voiced_pitch`,
      `voiced_pitch_deviation`: median and deviation of their pitch in octaves above 440 Hz.
    - `envelope_*`: the course of the level, see `_envelope_statistics`.

    Args:
        waveform: float `(samples,)`, mono, at least one sample, no NaN.
        rate: sample rate in Hz. Statistics of different rates do not compare.

    Returns:
        float32 `(len(STATISTICS),)`, finite. All zero where nothing sounds: silence, direct
        current, a single sample.

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
    sound = _sound(waveform)
    if len(sound) == 0:
        return np.zeros(len(STATISTICS), dtype=np.float32)
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


def _sound(waveform: np.ndarray) -> np.ndarray:
    """The waveform without its mean and the quiet at its ends, at a peak of 1; maybe empty."""
    peak = np.abs(waveform).max()
    if peak == 0:
        return waveform[:0]
    sound = waveform / peak
    sound -= np.float32(sound.mean(dtype=np.float64))
    level = np.abs(sound)
    peak = level.max()
    if peak <= _FLAT:
        return waveform[:0]
    loud = np.flatnonzero(level > peak * np.float32(10 ** (-_RANGE / 20)))
    return sound[loud[0] : loud[-1] + 1] / peak


def _envelope_statistics(sound: np.ndarray, rate: int) -> np.ndarray:
    """Statistics of the RMS over 5 ms, smoothed over three of them; named in `ENVELOPE`.

    - `seconds`, `attack` (from 10 to 80 % of the peak), `fall_6`, `fall_20` (from the peak to so
      many decibels below), `centroid`: decimal logarithms of seconds; `peak` and
      `relative_centroid`: as shares of the length.
    - `slope`: of the level from the peak to 40 dB below, in decibels a second.
    - `above_8`, `above_20`: share of the time within so many decibels of the peak.
    - `crest`: peak sample to RMS, in decibels; `deviation`, `rise`: deviation of the level, and
      its mean rise in 5 ms; `onsets`: steps of 5 ms a second that rise by more than 3 dB to within
      20 dB of the peak, two for a sudden beginning.
    - `modulation_*`: share of the level's spectrum between so many Hz; 0 for a steady level.
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
