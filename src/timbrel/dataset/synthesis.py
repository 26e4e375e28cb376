"""Synthesise a data set of ten instrument-like voices, each by a published method.

A voice is a function `(rng, rate) -> samples`: it draws pitch, dynamics, brightness, length and
articulation from `rng` alone and returns one dry mono recording, float32, peak 1.0, 0.2-5 s
long, at `rate` Hz (8,000-192,000). No sine lies above `BAND` times the rate, so no voice
aliases. Levels are linear amplitudes; a decay time is the seconds in which they fall by 60 dB.

The docstrings name their sources: Karplus & Strong, "Digital synthesis of plucked-string and
drum timbres", and Jaffe & Smith, "Extensions of the Karplus-Strong plucked-string algorithm",
CMJ 7(2), 1983; Risset & Mathews, "Analysis of musical-instrument tones", Physics Today 22(2),
1969; Adrien, "The missing link: modal synthesis", in Representations of Musical Signals, 1991;
Fletcher & Rossing, The Physics of Musical Instruments, 2nd ed., 1998; Laakso et al., "Splitting
the unit delay", IEEE Signal Processing Magazine 13(1), 1996.
"""

from __future__ import annotations

import csv
import io
import os
import wave
from collections.abc import Callable, Sequence
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from timbrel.dataset.copies import fast_length
from timbrel.errors import InvalidArgument, MissingExtra, OutputError
from timbrel.files import write_bytes
from timbrel.progress import Progress, watching

try:
    from scipy.signal import butter, lfilter, sosfilt
except ModuleNotFoundError as error:
    raise MissingExtra.of("train", "Making the synthesised data set") from error

Samples = NDArray[np.float64]
Sound = NDArray[np.float32]
Rng = np.random.Generator
Line = tuple[Samples, Samples]
"""Fundamental in Hz and level (0-1) of every sample of a line of notes, each float64[n]."""
Peaks = Sequence[tuple[float, float, float]]
"""Resonances: centre in Hz, bandwidth in Hz, gain at the centre."""
Modes = Sequence[tuple[float, float, float]]
"""Modes of a body: frequency relative to its fundamental, amplitude, decay time."""
Burst = tuple[float, float, float, float]
"""Decaying filtered noise: level, lowest Hz, highest Hz, decay time."""

BAND = 0.45
"""Highest frequency generated, as a fraction of the sampling rate (Nyquist is 0.5)."""

_TABLE = 8192  # wavetable length: keeps linear interpolation noise below -60 dB

# Mode frequencies relative to the named fundamental (Fletcher & Rossing, chapters 2, 3, 19 and 21).
_MEMBRANE = (1.0, 1.594, 2.136, 2.296, 2.653, 2.918, 3.156, 3.501)
_BELLS = (
    (0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 2.67, 3.0, 4.0, 5.33),  # church bell
    (0.617, 1.21, 2.0, 2.99, 4.17, 5.56, 7.14),  # tubular bell: a free bar, by its strike note
    (1.0, 2.756, 5.404, 8.933, 13.34),  # free bar, as in a glockenspiel
)


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform between those of `low` and `high` (both > 0)."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def band_noise(rng: Rng, samples: int, rate: int, *, low: float, high: float) -> Samples:
    """Subtractive synthesis: white noise between `low` and `high` Hz, float64[samples], RMS 1.

    Second-order Butterworth slopes on either side; edges the rate cannot carry are moved down.
    """
    low = min(low, 0.3 * rate)
    high = min(max(high, 1.2 * low), BAND * rate)
    sections = butter(2, (low, high), "bandpass", fs=rate, output="sos")
    noise = sosfilt(sections, rng.standard_normal(samples))
    return noise / (np.sqrt(np.mean(noise**2)) + 1e-12)


def resonate(signal: Samples, rate: int, peaks: Peaks) -> Samples:
    """Add parallel two-pole resonances below the band of the rate to `signal`, float64[n]."""
    out = signal.copy()
    for centre, width, gain in peaks:
        if centre < BAND * rate:
            radius = np.exp(-np.pi * width / rate)
            poles = (1.0, -2 * radius * np.cos(2 * np.pi * centre / rate), radius**2)
            # The zeros at 0 Hz and Nyquist make the gain at the centre (1 - r^2) / 2.
            out += lfilter(gain * (1 - radius**2) / 2 * np.array((1, 0, -1)), poles, signal)
    return out


def additive(pitch: Samples, spectra: Samples, mix: Samples, *, rate: int, rng: Rng) -> Samples:
    """Additive synthesis of a harmonic tone whose spectrum follows its loudness, float64[n].

    Risset & Mathews (1969) found that the harmonics of a tone grow at different speeds, so the
    tone moves between a soft and a loud spectrum. Each spectrum is summed once into a wavetable.
    Harmonics above the band of the rate are left out.

    `pitch` is the fundamental in Hz and `mix` (0-1) the share of the loud spectrum for every
    sample, float64[n]; `spectra` holds the amplitudes of harmonics 1, 2, ... of the soft and the
    loud tone, float64[2, k]; `rng` draws the phases of the harmonics.
    """
    count = min(spectra.shape[1], _TABLE // 4, int(BAND * rate / pitch.max()))
    bins = np.zeros((2, _TABLE // 2 + 1), complex)
    # Equal phases in both tables, or their harmonics would cancel while they are mixed.
    bins[:, 1 : count + 1] = spectra[:, :count] * np.exp(2j * np.pi * rng.random(count))
    soft, loud = np.fft.irfft(bins, _TABLE) * _TABLE / 2
    table = soft + 1j * (loud - soft)  # one complex table is looked up faster than two
    place = np.cumsum(pitch) / rate
    place = (place - np.floor(place)) * _TABLE
    index = np.minimum(place.astype(np.int32), _TABLE - 1)
    wave = table[index] + (place - index) * (np.roll(table, -1) - table)[index]
    return wave.real + mix * wave.imag


def pluck(
    f0: float,
    seconds: float,
    rate: int,
    *,
    rng: Rng,
    decay: float = 3.0,
    bright_decay: float = 0.6,
    position: float = 0.2,
    cutoff: float = 6000.0,
) -> Samples:
    """Pluck a string: Karplus & Strong (1983), extended by Jaffe & Smith (1983).

    A burst of noise runs round a delay line with a one-pole loss filter. The extensions are the
    chosen decay times, the pick-position comb, the dynamics low-pass and the exact tuning; the
    fractional delay is a third-order Lagrange interpolator (Laakso et al. 1996). Returns
    float64[round(seconds * rate)], not normalised.

    Args:
        f0: Fundamental frequency in Hz, 20 to an eighth of `rate`.
        seconds: Length in seconds, above 0.
        rate: Sampling rate in Hz.
        rng: Draws the noise burst.
        decay: Decay time of the lowest partials, above 0.
        bright_decay: Decay time at 3 kHz, below `decay`.
        position: Where the string is plucked, as a fraction of its length, 0.02-0.5.
        cutoff: Corner in Hz of the dynamics low-pass: soft plucks are dull.
    """
    period = rate / f0
    omega = 2 * np.pi * f0 / rate
    # Loss filter (1 - p) / (1 - p / z), with p from the gain each trip needs at 3 kHz.
    loss = 10 ** (-6 / f0 * (1 / bright_decay - 1 / decay))
    corner = np.cos(2 * np.pi * min(3000.0, 0.4 * rate) / rate)
    half = (1 - loss * corner) / (1 - loss)
    pole = half - np.sqrt(half**2 - 1)
    left = period - np.arctan2(pole * np.sin(omega), 1 - pole * np.cos(omega)) / omega
    delay = int(left - 1)
    taps = np.ones(4)
    for tap, other in permutations(range(4), 2):
        taps[tap] *= (left - delay - other) / (tap - other)
    taps *= (1 - pole) * 10 ** (-3 / (f0 * decay))

    burst = rng.standard_normal(int(period) + 1)
    smooth = np.exp(-2 * np.pi * min(cutoff, BAND * rate) / rate)
    burst = lfilter([1 - smooth], [1, -smooth], burst - burst.mean())
    burst -= np.roll(burst, max(1, round(position * period)))

    string = np.zeros(delay + max(round(seconds * rate), len(burst)))
    string[delay : delay + len(burst)] = burst
    state = np.zeros(3)
    # The line is a whole trip long, so each trip is one vector operation.
    for start in range(delay, len(string), delay):
        trip, state = lfilter(taps, [1, -pole], string[start - delay : start], zi=state)
        string[start : start + delay] += trip[: len(string) - start]
    return string[delay : delay + round(seconds * rate)]


def modal(pitch: Samples, rate: int, modes: Modes) -> Samples:
    """Modal synthesis (Adrien 1991): a sum of exponentially damped sinusoids, float64[n].

    `pitch` is the fundamental in Hz, float64[n]. Modes above the band of the rate are left out.
    """
    cycles = np.cumsum(pitch) / rate
    time = np.arange(len(pitch)) / rate
    out = np.zeros(len(pitch))
    for ratio, amplitude, decay in modes:
        if ratio * pitch.max() < BAND * rate:
            end = min(len(pitch), int(1.5 * decay * rate) + 1)  # -90 dB: the rest is inaudible
            fade = np.exp(np.log(0.001) / decay * time[:end])
            phase = ratio * cycles[:end]
            phase -= np.rint(phase)  # a small phase is exact enough in float32, whose sine is fast
            out[:end] += amplitude * fade * np.sin((2 * np.pi * phase).astype(np.float32))
    return out


def _finish(signal: Samples, rate: int) -> Sound:
    """Fade out the last 8 ms and scale the peak to 1."""
    fade = round(0.008 * rate)
    signal[-fade:] *= np.linspace(1.0, 0.0, fade)
    return (signal / np.abs(signal).max()).astype(np.float32)


def _strokes(rng: Rng, rate: int, stroke: Callable[[float], Samples]) -> Sound:
    """Play `stroke(strength)` once or, in two fifths of the recordings, two to four times."""
    count = 1 if rng.random() < 0.6 else int(rng.integers(2, 5))
    gap = log_uniform(rng, 0.12, 0.5)
    damp = np.linspace(1, 0, round(0.03 * rate))  # a string or bell is stopped, not cut off
    out = np.zeros(5 * rate)
    end = 0
    for beat in range(count):
        hit = rng.uniform(0.5, 1.0) * stroke(rng.uniform(0.3, 1.0))
        hit[-len(damp) :] *= damp
        start = round(gap * (beat + rng.uniform(0, 0.05)) * rate)
        out[start : start + len(hit)] += hit
        end = max(end, start + len(hit))
    return _finish(out[:end], rate)


def _phrase(
    rng: Rng, rate: int, *, low: float, high: float, attack: tuple[float, float], vibrato: float
) -> Line:
    """Play one to four notes between `low` and `high` Hz, tongued or slurred.

    The notes rise within `attack` (shortest, longest) seconds and carry up to `vibrato` cents of
    vibrato and some drift.
    """
    seconds = log_uniform(rng, 0.5, 2.8)
    notes = min(int(rng.choice([1, 1, 1, 2, 3, 4])), max(1, int(seconds / 0.25)))
    edges = np.linspace(0, seconds, notes + 1)
    time = np.arange(round(seconds * rate)) / rate
    steps = np.cumsum(rng.choice([-7, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7], notes))
    tuned = np.clip(log_uniform(rng, low, high) * 2 ** (steps / 12), low, high)
    octaves = np.log2(tuned)[np.searchsorted(edges, time, "right") - 1]
    octaves = _glide(octaves, log_uniform(rng, 0.004, 0.03), rate)

    wobble = np.sin(2 * np.pi * rng.uniform(4.2, 6.8) * time + rng.uniform(0, 6.28))
    wobble *= vibrato * rng.random() * np.clip((time - rng.uniform(0, 0.3)) / 0.3, 0, 1)
    drift = np.interp(time, np.arange(0, 4, 0.15), rng.normal(0, rng.uniform(1, 8), 27))

    floor = rng.uniform(0.4, 0.9) if rng.random() < 0.5 else 0.0
    level = np.zeros(len(time))
    for note, (begin, end) in enumerate(pairwise(edges)):
        rise = min(log_uniform(rng, *attack), 0.5 * (end - begin))
        fall = min(log_uniform(rng, 0.03, 0.25), 0.4 * (end - begin))
        first, last = floor * (note > 0), floor * (note < notes - 1)
        heights = (first, rng.uniform(0.7, 1), rng.uniform(0.4, 1), last)
        level += np.interp(time, (begin, begin + rise, end - fall, end), heights, 0, 0)
    return 2 ** (octaves + (wobble + drift) / 1200), _glide(level, 0.006, rate)


def _glide(contour: Samples, seconds: float, rate: int) -> Samples:
    """Smooth a contour with a one-pole low-pass of time constant `seconds`."""
    pole = np.exp(-1 / (seconds * rate))
    return lfilter([1 - pole], [1, -pole], contour, zi=[pole * contour[0]])[0]


def sustain(
    rng: Rng, rate: int, line: Line, *, slope: float, breath: float, even: float = 1, peaks: Peaks
) -> Sound:
    """Blow or bow a line: additive synthesis, filtered-noise breath and formants, float32[n].

    The louder, the brighter: the amplitude of harmonic k of the loudest tone is k^-`slope`, with
    some unevenness. `even` (0-1) is the share left of the even harmonics; it grows with k, as in
    a clarinet. `breath` is the RMS of the noise relative to the fundamental.
    """
    pitch, level = line
    number = np.arange(1, 401)
    spectra = np.stack([number ** -(slope + rng.uniform(0.1, 0.6)), number**-slope])
    spectra *= np.exp(rng.normal(0, 0.15, len(number)))
    spectra[:, 1::2] *= np.minimum(1, even * (1 + number[1::2] / 8))
    tone = additive(pitch, spectra, level, rate=rate, rng=rng)
    noise = band_noise(rng, len(level), rate, low=1.5 * pitch.mean(), high=6000)
    return _finish(resonate(level * (tone + breath * noise), rate, peaks), rate)


def _string(rng: Rng, rate: int, *, f0: float, damping: float, cutoff: float) -> Sound:
    """Pluck a string near `f0` Hz; `damping` is the decay time at 3 kHz relative to the lowest."""
    decay, seconds = log_uniform(rng, 1.5, 6.0), log_uniform(rng, 0.5, 2.2)
    shape = {"decay": decay, "bright_decay": decay * damping, "position": rng.uniform(0.06, 0.45)}
    body = [(rng.uniform(90, 130), 30, 0.8), (rng.uniform(180, 260), 40, 0.8)]

    def stroke(strength: float) -> Samples:
        note = f0 * 2 ** (rng.choice([-3, -2, 0, 0, 2, 4]) / 12)
        tone = pluck(note, seconds, rate, rng=rng, cutoff=cutoff * strength, **shape)
        return resonate(tone, rate, body)

    return _strokes(rng, rate, stroke)


def _struck(
    rng: Rng, rate: int, *, f0: float, modes: Modes, noise: Burst, seconds: float, rise: float = 0
) -> Sound:
    """Strike a body: modal synthesis (Adrien 1991) and decaying filtered noise.

    `f0` is the fundamental in Hz; a hard stroke stretches the body by `rise` relative to it.
    """
    level, low, high, decay = noise
    time = np.arange(round(seconds * rate)) / rate
    sag = np.exp(-time / log_uniform(rng, 0.01, 0.05))
    fade = np.exp(np.log(0.001) / decay * time[: round(1.5 * decay * rate)])

    def stroke(strength: float) -> Samples:
        body = modal(f0 * (1 + rise * strength * sag), rate, modes)
        burst = fade * band_noise(rng, len(fade), rate, low=low, high=high)
        body[: len(fade)] += level * (0.3 + strength) * burst
        return body

    return _strokes(rng, rate, stroke)


def plucked_string(rng: Rng, rate: int) -> Sound:
    """Guitar- or harp-like string, 110-750 Hz: Karplus & Strong, Jaffe & Smith (1983)."""
    damping, cutoff = log_uniform(rng, 0.08, 0.3), log_uniform(rng, 3500, 10000)
    return _string(rng, rate, f0=log_uniform(rng, 130, 600), damping=damping, cutoff=cutoff)


def bass_string(rng: Rng, rate: int) -> Sound:
    """Bass-guitar- or double-bass-like string, 35-160 Hz: the same model, lower and duller."""
    damping, cutoff = log_uniform(rng, 0.03, 0.1), log_uniform(rng, 600, 1600)
    return _string(rng, rate, f0=log_uniform(rng, 41, 125), damping=damping, cutoff=cutoff)


def bowed_string(rng: Rng, rate: int) -> Sound:
    """Cello- to violin-like string, 110-1050 Hz: additive, with body resonances and bow noise.

    The force of the string on the bridge is close to a sawtooth (Fletcher & Rossing, chapter 10).
    """
    line = _phrase(rng, rate, low=110, high=1050, attack=(0.06, 0.35), vibrato=40)
    # Large bodies resonate lower: the first air mode is near 100 Hz in a cello, 275 in a violin.
    size = np.clip(line[0][0] / 350, 0.4, 1.0) * rng.uniform(0.85, 1.15)
    centres = size * np.array([275, 460, 560, 1000, 1300, 2500, 3100])
    peaks = [(c * rng.uniform(0.9, 1.1), 0.1 * c, rng.uniform(2, 4)) for c in centres]
    slope, breath = rng.uniform(0.8, 1.0), log_uniform(rng, 0.01, 0.03)
    return sustain(rng, rate, line, slope=slope, breath=breath, peaks=peaks)


def clarinet(rng: Rng, rate: int) -> Sound:
    """Clarinet, 147-1200 Hz: additive; a closed cylinder, so even harmonics are weak low down."""
    line = _phrase(rng, rate, low=147, high=1200, attack=(0.02, 0.1), vibrato=10)
    even = rng.uniform(0.03, 0.1) * max(1.0, line[0][0] / 350)
    peaks = [(rng.uniform(1200, 1700), 500, rng.uniform(0.2, 1.0))]
    slope, breath = rng.uniform(1.3, 1.6), log_uniform(rng, 0.003, 0.015)
    return sustain(rng, rate, line, slope=slope, even=even, breath=breath, peaks=peaks)


def saxophone(rng: Rng, rate: int) -> Sound:
    """Baritone to alto saxophone, 90-800 Hz: additive; a cone, so all harmonics, and formants."""
    pitch, level = _phrase(rng, rate, low=90, high=800, attack=(0.02, 0.12), vibrato=30)
    pitch *= 1 - rng.uniform(0, 0.09) * np.exp(-np.arange(len(pitch)) / (0.05 * rate))  # a scoop
    centres, gains = rng.uniform((500, 1100, 2600), (700, 1500, 3200)), rng.uniform(2, (5, 5, 3))
    peaks = list(zip(centres, (250, 400, 800), gains, strict=True))
    slope, breath = rng.uniform(1.3, 1.6), log_uniform(rng, 0.06, 0.2)
    return sustain(rng, rate, (pitch, level), slope=slope, breath=breath, peaks=peaks)


def flute(rng: Rng, rate: int) -> Sound:
    """Flute, 262-1800 Hz: additive; a few steep harmonics, much breath, vibrato in loudness."""
    pitch, level = _phrase(rng, rate, low=262, high=1800, attack=(0.03, 0.15), vibrato=18)
    time = np.arange(len(level)) / rate
    level *= 1 - rng.uniform(0, 0.2) * (1 + np.sin(2 * np.pi * rng.uniform(4, 6) * time))
    slope, breath = rng.uniform(2.0, 2.6), log_uniform(rng, 0.06, 0.25)
    return sustain(rng, rate, (pitch, level), slope=slope, breath=breath, peaks=())


def bell(rng: Rng, rate: int) -> Sound:
    """Church bell, tubular bell or glockenspiel, 440-2000 Hz: modal synthesis and clapper noise."""
    ratios = _BELLS[rng.integers(len(_BELLS))]
    f0, ring, fading = log_uniform(rng, 440, 2000), log_uniform(rng, 1.5, 8), rng.uniform(0.2, 0.7)
    dullness, split = rng.uniform(0.1, 0.8), rng.uniform(0, 0.004)
    modes = [
        (ratio * side, rng.uniform(0.3, 1.0) * ratio**-dullness, ring * ratio**-fading)
        for ratio in ratios
        for side in (1 - split, 1 + split)  # no bell is quite round: its modes are beating pairs
    ]
    noise = (log_uniform(rng, 0.03, 0.5), 1500, 9000, 0.02)
    return _struck(rng, rate, f0=f0, modes=modes, noise=noise, seconds=log_uniform(rng, 0.4, 2.5))


def bass_drum(rng: Rng, rate: int) -> Sound:
    """Bass drum or low tom, 40-100 Hz: modal synthesis of a membrane, and beater noise."""
    f0, ring, bright = log_uniform(rng, 40, 100), log_uniform(rng, 0.15, 0.7), rng.uniform(0.1, 0.5)
    modes = [(ratio, bright**order, ring / ratio) for order, ratio in enumerate(_MEMBRANE)]
    noise, rise = (log_uniform(rng, 0.01, 0.3), 200, 3500, 0.03), rng.uniform(0.1, 1.2)
    return _struck(rng, rate, f0=f0, modes=modes, noise=noise, seconds=ring + 0.15, rise=rise)


def snare_drum(rng: Rng, rate: int) -> Sound:
    """Snare drum, 150-320 Hz: modal synthesis of a membrane, and filtered noise for the snares."""
    f0, ring, buzz = log_uniform(rng, 150, 320), log_uniform(rng, 0.08, 0.4), rng.uniform(0.12, 0.6)
    modes = [(ratio, 0.6**order, ring / ratio) for order, ratio in enumerate(_MEMBRANE)]
    low, high = log_uniform(rng, 500, 2000), log_uniform(rng, 5000, 12000)
    noise, seconds = (log_uniform(rng, 0.15, 1.0), low, high, buzz), max(ring, buzz) + 0.1
    return _struck(rng, rate, f0=f0, modes=modes, noise=noise, seconds=seconds, rise=0.2)


def hi_hat(rng: Rng, rate: int) -> Sound:
    """Hi-hat, closed to open: filtered noise and a dense set of inharmonic plate modes."""
    low, ring = min(log_uniform(rng, 3500, 7500), 0.3 * rate), log_uniform(rng, 0.06, 1.5)
    ratios = np.geomspace(0.3, 3, 24) * rng.uniform(0.9, 1.1, 24)
    modes = [(ratio, rng.random(), ring * rng.uniform(0.5, 1)) for ratio in ratios]
    noise = (log_uniform(rng, 2, 20), low, 16000, ring)
    return _struck(rng, rate, f0=low, modes=modes, noise=noise, seconds=ring + 0.15)


VOICES: dict[str, Callable[[Rng, int], Sound]] = {
    "Plucked string": plucked_string,
    "Bass string": bass_string,
    "Bowed string": bowed_string,
    "Clarinet": clarinet,
    "Saxophone": saxophone,
    "Flute": flute,
    "Bell": bell,
    "Bass drum": bass_drum,
    "Snare drum": snare_drum,
    "Hi-hat": hi_hat,
}
"""The voice of each label, in the order in which the data set lists them."""

LOWEST_RATE = 8_000
HIGHEST_RATE = 192_000


def make_synthetic(
    folder: str | os.PathLike,
    *,
    recordings: int = 30,
    seed: int = 0,
    rate: int = 44_100,
    progress: Progress | bool = False,
) -> Path:
    """Write the synthesised data set to `folder`: ten labels, `recordings` recordings of each.

    The recordings are 16-bit mono WAV files, `recordings/<label>_<number>.wav`, numbered from 1,
    and `recordings.csv` lists them under the header `path,label`. Each has its own random
    generator, derived from the seed, the label and its number, so it does not depend on how many
    others are made. The same arguments give the same files, byte for byte, on one machine with
    one version of NumPy and SciPy.

    An old `recordings.csv` is removed first and the new one written last, so a folder that holds
    it holds the whole set. Files of the same names are replaced; others are left alone.

    Args:
        folder: Where the set is written; made if it does not exist.
        recordings: Recordings of each label, 1 or more.
        seed: Seed of the set, 0 or more.
        rate: Sampling rate in Hz, 8,000-192,000.
        progress: True for a bar, in a notebook's cell or on a terminal's stderr, or a `Progress`
            of your own.

    Returns:
        The path of `recordings.csv`.

    Raises:
        InvalidArgument: An argument is out of range or not a whole number.
        MissingExtra: SciPy is not installed.
        OutputError: The folder or a file in it cannot be written.
    """
    for name, value in (("recordings", recordings), ("seed", seed), ("rate", rate)):
        if not isinstance(value, (int, np.integer)):
            raise InvalidArgument(f"`{name}` must be a whole number. Got {value!r}.")
    if recordings < 1:
        raise InvalidArgument(f"`recordings` must be at least 1. Got {recordings}.")
    if seed < 0:
        raise InvalidArgument(f"`seed` must be at least 0. Got {seed}.")
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise InvalidArgument(
            f"`rate` must be between {LOWEST_RATE:,} and {HIGHEST_RATE:,} Hz. Got {rate}."
        )
    folder = Path(folder)
    table = folder / "recordings.csv"
    try:
        (folder / "recordings").mkdir(parents=True, exist_ok=True)
        table.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError.of(folder, error) from error
    rows = [("path", "label")]
    with watching(progress) as watch:
        for index, (label, voice) in enumerate(VOICES.items()):
            for number in range(1, recordings + 1):
                rng = np.random.default_rng([seed, index, number])
                path = f"recordings/{label.lower().replace(' ', '-')}_{number:02d}.wav"
                sound = record(rng, voice(rng, rate), rate)
                content = io.BytesIO()
                with wave.open(content, "wb") as file:
                    file.setnchannels(1)
                    file.setsampwidth(2)
                    file.setframerate(rate)
                    file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
                write_bytes(folder / path, content.getvalue())
                rows.append((path, label))
                watch.stage("making", len(rows) - 1, len(VOICES) * recordings)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_bytes(table, text.getvalue().encode())
    return table


def record(rng: np.random.Generator, dry: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Record a dry sound in a random room, through a random microphone, over random noise.

    The room is exponentially decaying noise (Moorer, "About this reverberation business", CMJ
    3(2), 1979), 0.05-0.6 s to -60 dB. The noise is 30-60 dB below the sound, and the peak of the
    recording is at -1 to -24 dBFS.

    Args:
        rng: Draws the room, microphone, noise, gain and the quiet before and after.
        dry: The sound, float32[n], not silent.
        rate: Sampling rate in Hz.

    Returns:
        float32[n + quiet], between -1 and 1; 0.02-0.4 s of quiet before, 0.05-0.6 s after.
    """
    lead = round(rng.uniform(0.02, 0.4) * rate)
    end = lead + len(dry)
    samples = end + round(rng.uniform(0.05, 0.6) * rate)
    # The reverberation of a room after a direct sound of energy 1.
    decay = rng.uniform(0.05, 0.6)
    time = np.arange(round(decay * rate)) / rate
    tail = rng.standard_normal(len(time)) * 0.001 ** (time / decay)
    tail *= 10 ** (rng.uniform(-30, -6) / 20) / np.sqrt(np.sum(tail**2))
    tail = np.concatenate((np.zeros(round(rng.uniform(0.001, 0.02) * rate)), tail))
    size = fast_length(samples + len(tail))
    frequency = np.fft.rfftfreq(size, 1 / rate)
    octave = np.log2(np.maximum(frequency, 40) / 1000)
    # Walls and air absorb high frequencies, in the tail but not in the direct sound.
    room = 1 + np.fft.rfft(tail, size) / (1 + frequency / 4000)
    # The gain of a microphone at frequencies in octaves above 1 kHz: a tilt and wide bumps.
    nodes = np.arange(-6, 8)
    decibels = rng.uniform(-1, 1) * nodes + rng.normal(0, 1, len(nodes))
    microphone = 10 ** (np.interp(octave, nodes, decibels) / 20)
    spectrum = np.fft.rfft(np.concatenate((np.zeros(lead), dry)), size)
    sound = np.fft.irfft(spectrum * room * microphone, size)[:samples]
    # Background noise falls by 2-6 dB an octave, as in a real room.
    white = rng.standard_normal(2 * len(octave)).view(np.complex128)
    noise = np.fft.irfft(white * 2 ** (-rng.uniform(0.3, 1.0) * octave), size)[:samples]
    noise *= np.sqrt(np.mean(sound[lead:end] ** 2) / np.mean(noise**2))
    sound += 10 ** (-rng.uniform(30, 60) / 20) * noise
    gain = 10 ** (-rng.uniform(1, 24) / 20)
    return (sound * (gain / np.abs(sound).max())).astype(np.float32)
