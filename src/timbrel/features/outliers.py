"""Make log-mel pictures of sounds of no class, so that a network learns to be uncertain.

A network that is trained on its classes only is certain of every answer. Two kinds of pictures
correct this: combinations of parts of two classes, and random synthetic sounds, of which a class
covers a small part. Both are made in the picture, where a partial is a line, noise a curve over the
bands and a decay a slope. They are for training only.

Source: Hendrycks, Mazeika & Dietterich (2019), "Deep anomaly detection with outlier exposure".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from timbrel.features.augment import NOTHING, smooth

if TYPE_CHECKING:
    from timbrel.features.logmel import LogMel

# Mixed sounds. The band at which the two meet, as a share of all bands, and the bands of the seam.
_SEAM, _SEAM_WIDTH = (0.25, 0.75), 2.0
# Deviation of the difference in level of the two, and of the knots of the equaliser, in nepers of
# power.
_UNEVEN = 0.7
_MIXED_KNOTS, _MIXED_GAIN = 10, 3.5

# Synthetic sounds. The range of the lowest partial in Hz, the largest number of partials, and how
# far the level falls at most from one partial to that of twice its number, in dB; distance of
# neighbours where partials are not harmonic, as a natural logarithm.
_LOWEST, _HIGHEST = 40.0, 6000.0
_PARTIALS, _ROLL_OFF, _APART = 48, 13.5, 0.35
_ODD_ONLY, _EVEN_LEVEL = 0.15, -25.0
# Power of a sine in its bin of the spectrum and in the neighbouring bins, with a Hann window.
_LOBE = {-1: 0.25, 0: 1.0, 1: 0.25}
# Deviations in dB of the curve over the bands and of its tilt: for tones, and for noise.
_KNOTS = 8
_TONE_CURVE, _TONE_TILT = 6.0, 4.0
_NOISE_CURVE, _NOISE_TILT = 14.0, 12.0
# Seconds: between strokes, of a decay by 60 dB, of an attack from -30 dB, of the end of a tone.
_STROKES, _DECAY, _ATTACK, _END = (0.1, 1.0), (0.04, 6.0), (0.005, 0.5), 0.1
# Shares of sounds that are noise only and tones only; in others the noise is louder or quieter by
# up to this many dB.
_NOISE_ONLY, _TONES_ONLY, _LOUDER = 0.3, 0.3, 30.0
# How far the background noise of every sound is below the peak, in dB.
_FLOOR = (45.0, 110.0)
_SILENT = -140.0
# Power of noise in a band fluctuates as the mean of this many squares does.
_GRAIN = 3


def mixed_sounds(pictures: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make pictures of no class from pictures of classes, as many or somewhat fewer.

    In equal parts: the low bands of a sound under the high bands of one of another class; the
    spectrum of a sound with the level, frame by frame, of one of another class; a sound behind an
    equaliser that no loudspeaker has.

    Args:
        pictures: float32 `(n, frames, bands)`, natural logarithm of power, from `LogMel`.
        target: int `(n,)`, their classes.
        rng: draws everything.

    Returns:
        float32 `(m, frames, bands)`, around 0; m ≤ n.

    Source: exchanging bands after Yun et al. (2019), "CutMix".
    """
    count, _, bands = pictures.shape
    relative = pictures - pictures.max(axis=(1, 2), keepdims=True)
    partner = rng.permutation(count)
    kind = np.arange(count) % 3
    usable = (target != target[partner]) | (kind == 2)

    chosen = np.flatnonzero((kind == 0) & usable)
    low, high = relative[chosen], relative[partner[chosen]]
    seam = rng.uniform(*_SEAM, (len(chosen), 1)) * bands
    share = 1 / (1 + np.exp(-(np.arange(bands) - seam) / _SEAM_WIDTH))[:, None, :]
    gain = np.exp(rng.normal(0, _UNEVEN, (len(chosen), 1, 1)))
    halves = np.log((1 - share) * np.exp(low) + share * gain * np.exp(high) + NOTHING)

    chosen = np.flatnonzero((kind == 1) & usable)
    sound, other = relative[chosen], relative[partner[chosen]]
    level, new_level = (
        np.log(np.exp(part).mean(axis=2, keepdims=True) + NOTHING) for part in (sound, other)
    )
    other_level = sound - level + new_level

    chosen = np.flatnonzero(kind == 2)
    knots = rng.normal(0, _MIXED_GAIN, (len(chosen), _MIXED_KNOTS))
    equalised = relative[chosen] + smooth(knots, bands)[:, None, :]
    return np.concatenate([halves, other_level, equalised]).astype(np.float32)


def synthetic_sounds(
    count: int, frames: int, layer: LogMel, *, rng: np.random.Generator
) -> np.ndarray:
    """Draw pictures of random tones, bells, noises and strokes.

    Args:
        count: number of pictures.
        frames: frames of each picture.
        layer: the front end; its rate, hop and mel filters are used.
        rng: draws everything.

    Returns:
        float32 `(count, frames, bands)`, natural logarithm of power, peaks near 0.

    Source: the model, partials and filtered noise with separate levels over time, is that of
    Serra & Smith (1990), "Spectral modeling synthesis".
    """
    seconds = np.arange(frames) * layer.settings["hop"] / layer.settings["rate"]
    lines = _normalised(_tones(count, layer, rng))
    curves = _curves(count, layer.values, rng, deviation=_NOISE_CURVE, tilt=_NOISE_TILT)
    tones = _levels(count, seconds, rng)[:, :, None] * lines[:, None, :]
    noise = _levels(count, seconds, rng)[:, :, None] * _normalised(curves)[:, None, :]
    noise *= _grain(noise.shape, rng) * _power(rng.uniform(-_LOUDER, _LOUDER, (count, 1, 1)))
    mixture = rng.random((count, 1, 1))
    power = (mixture > _NOISE_ONLY) * tones + (mixture < 1 - _TONES_ONLY) * noise
    power /= np.maximum(power.max(axis=(1, 2), keepdims=True), NOTHING)
    power += _power(-rng.uniform(*_FLOOR, (count, 1, 1))) * _grain(power.shape, rng)
    return np.log(power + NOTHING).astype(np.float32)


def _tones(count: int, layer: LogMel, rng: np.random.Generator) -> np.ndarray:
    """Power in each band of a few partials, of many harmonics, or of bells; `(count, bands)`."""
    rate, nfft = layer.settings["rate"], layer.settings["nfft"]
    number = np.arange(1, _PARTIALS + 1)
    few, bell = (rng.integers(0, 3, (count, 1)) == kind for kind in (0, 1))
    spread = np.exp(np.cumsum(rng.exponential(_APART, (count, _PARTIALS)), axis=1))
    lowest = _between((_LOWEST, _HIGHEST), (count, 1), rng)
    pitch = lowest * np.where(bell, spread / spread[:, :1], number)
    many = np.where(few, *(_between(ends, (count, 1), rng) for ends in ((1, 4), (4, _PARTIALS))))
    level = -rng.uniform(0, _ROLL_OFF, (count, 1)) * np.log2(number)
    level += rng.normal(0, 1, (count, _PARTIALS)) * rng.uniform(0, 8, (count, 1))
    hollow = rng.random((count, 1)) < _ODD_ONLY
    level += np.where(hollow & (number % 2 == 0), _EVEN_LEVEL, 0)
    power = _power(level) * (number <= many) * (pitch < rate / 2)
    place = np.rint(pitch * nfft / rate).astype(int)
    spectrum = np.zeros((count, nfft // 2 + 1))
    for offset, share in _LOBE.items():
        near = np.clip(place + offset, 0, nfft // 2)
        np.add.at(spectrum, (np.arange(count)[:, None], near), power * share)
    curve = _curves(count, layer.values, rng, deviation=_TONE_CURVE, tilt=_TONE_TILT)
    return layer.bands(spectrum) * curve


def _curves(
    count: int, bands: int, rng: np.random.Generator, *, deviation: float, tilt: float
) -> np.ndarray:
    """Power of each band: a smooth curve and a tilt; `(count, bands)`."""
    knots = rng.normal(0, 1, (count, _KNOTS)) * rng.uniform(0, deviation, (count, 1))
    slope = rng.normal(0, tilt, (count, 1)) * np.linspace(-1, 1, bands)
    return _power(smooth(knots, bands) + slope)


def _levels(count: int, seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Power of each frame of a tone that lasts or decays, of strokes, or of a random walk.

    `(count, frames)`, at most 1 except for a random walk.
    """
    kind = rng.integers(0, 4, (count, 1))
    whole = seconds[-1]
    late = rng.random((count, 1)) < 0.3
    since = seconds - late * rng.uniform(0, 0.4, (count, 1)) * whole
    sounding = since >= 0
    since = np.where(kind == 2, since % _between(_STROKES, (count, 1), rng), since)
    since = np.maximum(since, 0)
    dying = -60 * since / _between(_DECAY, (count, 1), rng)
    length = rng.uniform(0.1, 1.5, (count, 1)) * whole
    lasting = -60 * np.maximum(since - length, 0) / _END
    walk = np.cumsum(rng.normal(0, 1, (count, len(seconds))), axis=1)
    walk -= walk.mean(axis=1, keepdims=True)
    level = np.where((kind == 1) | (kind == 2), dying, lasting)
    level += np.where(kind == 3, walk * rng.uniform(0, 3, (count, 1)), 0)
    level -= 30 * np.maximum(1 - since / _between(_ATTACK, (count, 1), rng), 0)
    return _power(np.where(sounding, np.maximum(level, _SILENT), _SILENT))


def _between(
    ends: tuple[float, float], shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Draw numbers whose logarithms are uniform."""
    low, high = np.log(ends)
    return np.exp(rng.uniform(low, high, shape))


def _normalised(spectrum: np.ndarray) -> np.ndarray:
    """Scale the power of each spectrum to a sum of one."""
    return spectrum / np.maximum(spectrum.sum(axis=1, keepdims=True), NOTHING)


def _grain(shape: tuple, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_gamma(_GRAIN, shape) / _GRAIN


def _power(decibels: np.ndarray) -> np.ndarray:
    return 10 ** (decibels / 10)
