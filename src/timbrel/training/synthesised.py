"""Pictures of sounds that nobody recorded: tones, bells, noises and strokes, drawn at random.

They lie thinly over all that there is to hear. A class fills a small part of it densely and wins
there; everywhere else a network that was shown these learns to doubt. They are made in the picture,
where a partial is a line, noise a curve over the bands and a decay a slope. Nothing here is used
when a model hears.
"""

from __future__ import annotations

import numpy as np

from timbrel.features.logmel import LogMel
from timbrel.training.augment import NOTHING, smooth

# Where the lowest partial lies in Hz, how many there are at most, and what a doubled number costs
# in dB at most; distance of neighbours where they are not harmonic, as a natural logarithm.
_LOWEST, _HIGHEST = 40.0, 6000.0
_PARTIALS, _ROLL_OFF, _APART = 48, 13.5, 0.35
_ODD_ONLY, _EVEN_LEVEL = 0.15, -25.0
# Power of a sine in its bin of the spectrum and in those beside it, under a Hann window.
_LOBE = {-1: 0.25, 0: 1.0, 1: 0.25}
# Deviation of the curve over the bands and of its tilt in dB: of tones, and of noise.
_KNOTS, _OF_TONES, _OF_NOISE = 8, (6.0, 4.0), (14.0, 12.0)
# Seconds: between strokes, of a decay by 60 dB, of an attack from -30 dB, of the end of a tone.
_STROKES, _DECAY, _ATTACK, _END = (0.1, 1.0), (0.04, 6.0), (0.005, 0.5), 0.1
# Shares of what is noise alone and tones alone; elsewhere the noise is so much louder, in dB.
_ALONE, _LOUDER = (0.3, 0.3), 30.0
# How far below the peak the noise that is everywhere lies, in dB.
_FLOOR = (45.0, 110.0)
_SILENT = -140.0
# Power of noise in a band fluctuates as the mean of so many squares does.
_GRAIN = 3


def synthesised(count: int, frames: int, layer: LogMel, *, rng: np.random.Generator) -> np.ndarray:
    """Draw pictures.

    Args:
        count: how many.
        frames: of each.
        layer: what makes pictures of sounds; its rate, hop and mel filters are used.
        rng: draws everything.

    Returns:
        float32 `(count, frames, bands)`, natural logarithm of power, peaks near 0.

    Source: partials and filtered noise, each with its own course, are the model of Serra & Smith
    (1990), "Spectral modeling synthesis"; noise as what a network is to doubt: Hendrycks, Mazeika &
    Dietterich (2019), "Deep anomaly detection with outlier exposure".
    """
    seconds = np.arange(frames) * layer.settings["hop"] / layer.settings["rate"]
    tones, noise = (
        _levels(count, seconds, rng)[:, :, None] * _normal(spectrum)[:, None, :]
        for spectrum in (_tones(count, layer, rng), _curves(count, layer.values, (_OF_NOISE, rng)))
    )
    noise *= _grain(noise.shape, rng) * _power(rng.uniform(-_LOUDER, _LOUDER, (count, 1, 1)))
    which = rng.random((count, 1, 1))
    power = (which > _ALONE[0]) * tones + (which < 1 - _ALONE[1]) * noise
    power /= np.maximum(power.max(axis=(1, 2), keepdims=True), NOTHING)
    power += _power(-rng.uniform(*_FLOOR, (count, 1, 1))) * _grain(power.shape, rng)
    return np.log(power + NOTHING).astype(np.float32)


def _tones(count: int, layer: LogMel, rng: np.random.Generator) -> np.ndarray:
    """Power in each band of one partial to a few, of harmonics, or of bells; `(count, bands)`."""
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
    return layer.bands(spectrum) * _curves(count, layer.values, (_OF_TONES, rng))


def _curves(
    count: int, bands: int, how: tuple[tuple[float, float], np.random.Generator]
) -> np.ndarray:
    """Power of each band: a smooth curve and a tilt; `(count, bands)`."""
    (most, tilt), rng = how
    knots = rng.normal(0, 1, (count, _KNOTS)) * rng.uniform(0, most, (count, 1))
    slope = rng.normal(0, tilt, (count, 1)) * np.linspace(-1, 1, bands)
    return _power(smooth(knots, bands) + slope)


def _levels(count: int, seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Power of each frame: a tone that lasts, one that dies away, strokes, or a level that wanders.

    `(count, frames)`, at most 1 but where it wanders.
    """
    kind = rng.integers(0, 4, (count, 1))
    whole = seconds[-1]
    late = rng.random((count, 1)) < 0.3
    since = seconds - late * rng.uniform(0, 0.4, (count, 1)) * whole
    begun = since >= 0
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
    return _power(np.where(begun, np.maximum(level, _SILENT), _SILENT))


def _between(ends: tuple[float, float], shape: tuple, rng: np.random.Generator) -> np.ndarray:
    """Draw with uniform logarithms."""
    return np.exp(rng.uniform(*np.log(ends), shape))


def _normal(spectrum: np.ndarray) -> np.ndarray:
    """Bring the power of each spectrum to one."""
    return spectrum / np.maximum(spectrum.sum(axis=1, keepdims=True), NOTHING)


def _grain(shape: tuple, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_gamma(_GRAIN, shape) / _GRAIN


def _power(decibels: np.ndarray) -> np.ndarray:
    return 10 ** (decibels / 10)
