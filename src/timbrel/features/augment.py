"""Change log-mel pictures as rooms, microphones, players and codecs change sounds.

The changes are made in the picture, which is cheap: a filter is a curve over the bands, a change of
pitch a shift along them, a room an echo along the frames. They are for training only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_DECIBEL = 10 / np.log(10)

# The power of silence: the floor of `LogMelSettings`, far below what networks distinguish.
NOTHING = 1e-14
_KNOTS = 7
# Decibels by which a room's sound decays in its reverberation time.
_DECAY = 60.0
_REVERBERATION = (0.1, 1.2)
_REVERBERANT_LEVEL = (-22.0, -6.0)
_SIGNAL_TO_NOISE = (15.0, 60.0)
_NOISE_TILT = (-0.25, 0.1)
# The lowest share of the bands that a band limit leaves, and its slope in dB a band.
_LEAST_BANDS, _STEEP = 0.55, 25.0


@dataclass(frozen=True)
class Augmentation:
    """How the pictures that a network is trained on are changed, to imitate other recordings.

    Ranges are symmetric unless noted otherwise; a share is the probability that a picture is
    changed in that way.

    Attributes:
        share: share of the pictures that are changed in any of the ways below except `shift`.
        shift: the sound begins later by up to this share of the window, where there is room.
        speed: playing speed, as a natural logarithm.
        pitch: bands up or down.
        equaliser: deviation of a smooth curve over the bands, in dB.
        tilt: deviation of the tilt from the lowest to the middle band, in dB.
        room: share with a reverberant tail.
        noise: share with coloured noise added, 15 to 60 dB below the loudest frame.
        band_limit: share that loses the bands above a random one, as low rates and codecs do.
        mixup: both parameters of the beta distribution that mixes pairs; 0 for none.
    """

    share: float = 0.5
    shift: float = 0.3
    speed: float = 0.1
    pitch: float = 4.0
    equaliser: float = 3.0
    tilt: float = 3.0
    room: float = 0.2
    noise: float = 0.4
    band_limit: float = 0.1
    mixup: float = 0.2


def augment(
    pictures: np.ndarray,
    settings: Augmentation,
    rng: np.random.Generator,
    *,
    frame_rate: float,
) -> np.ndarray:
    """Change each picture of a batch at random.

    Args:
        pictures: float32 `(batch, frames, bands)`, natural logarithm of power, from `LogMel`.
        settings: the kinds and sizes of the changes.
        rng: draws everything.
        frame_rate: frames a second.

    Returns:
        float32, the same shape.

    Source: SpecAugment and its relatives change pictures too: Park et al. (2019), "SpecAugment: a
    simple data augmentation method for automatic speech recognition"; the room is the exponential
    decay of Polack (1988), "La transmission de l'énergie sonore dans les salles".
    """
    power = np.exp(pictures)
    power = _shifted(power, settings.shift, rng)
    chosen = np.flatnonzero(rng.random(len(power)) < settings.share)
    if len(chosen):
        part = power[chosen]
        count = len(part)
        part = _faster(part, np.exp(rng.uniform(-1, 1, count) * settings.speed))
        part = _higher(part, rng.uniform(-1, 1, count) * settings.pitch)
        in_room = rng.random(count) < settings.room
        part = _reverberant(part, in_room, rng, frame_rate=frame_rate)
        part = _noisy(part, rng.random(count) < settings.noise, rng)
        gain = np.exp(_equaliser(count, part.shape[2], settings, rng) / _DECIBEL)
        power[chosen] = part * gain[:, None, :].astype(np.float32)
    return np.log(np.maximum(power, NOTHING), dtype=np.float32)


def _shifted(power: np.ndarray, most: float, rng: np.random.Generator) -> np.ndarray:
    """Let sounds that end before the window does begin later, by `most` of the window at most."""
    frames = power.shape[1]
    there = power.max(axis=2) > 2 * NOTHING
    room = np.where(there.any(axis=1), np.argmax(there[:, ::-1], axis=1), 0)
    later = (rng.random(len(power)) * (np.minimum(room, most * frames) + 1)).astype(int)
    moved = np.full_like(power, NOTHING)
    for number, first in enumerate(later):
        moved[number, first:] = power[number, : frames - first]
    return moved


def _faster(power: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Read the frames of each picture at another speed; silence follows its last one."""
    last = power.shape[1] - 1
    places = np.arange(last + 1) * speed[:, None]
    before = np.minimum(places.astype(int), last)
    after = np.minimum(before + 1, last)
    share = (places - before)[:, :, None].astype(np.float32)
    out = np.empty_like(power)
    for number, picture in enumerate(power):
        left = picture[before[number]]
        out[number] = left + share[number] * (picture[after[number]] - left)
    out[places > last] = NOTHING
    return out


def _higher(power: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """Move each picture up by a number of bands; its edge bands continue beyond the edge."""
    count = power.shape[2]
    whole = np.floor(bands).astype(int)
    share = (bands - whole).astype(np.float32)
    edge = int(np.abs(whole).max(initial=0)) + 1
    wide = np.pad(power, [(0, 0), (0, 0), (edge, edge)], mode="edge")
    out = np.empty_like(power)
    # Slices, because a matrix product would start more threads in each of the training threads.
    for number, first in enumerate(edge - whole):
        here, above = (wide[number, :, start : start + count] for start in (first, first - 1))
        out[number] = here + share[number] * (above - here)
    return out


def _reverberant(
    power: np.ndarray, chosen: np.ndarray, rng: np.random.Generator, *, frame_rate: float
) -> np.ndarray:
    """Add a tail that decays exponentially, a little faster in the high bands."""
    count, bands = int(chosen.sum()), power.shape[2]
    if not count:
        return power
    seconds = rng.uniform(*_REVERBERATION, (count, 1))
    damping = np.linspace(1, rng.uniform(0.85, 1, count), bands).T
    decay = 10 ** (-_DECAY / 10 / (seconds * frame_rate)) * damping
    level = 10 ** (rng.uniform(*_REVERBERANT_LEVEL, (count, 1)) / 10)
    decay, level = decay.astype(np.float32), level.astype(np.float32)
    sound, out = power[chosen], power.copy()
    tail = np.zeros((count, bands), dtype=np.float32)
    wet = np.empty_like(sound)
    for frame in range(sound.shape[1]):
        wet[:, frame] = sound[:, frame] + level * tail
        tail = decay * tail + sound[:, frame]
    out[chosen] = wet
    return out


def _noisy(power: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add noise with a sloping spectrum; each band's power fluctuates as that of noise does."""
    count = int(chosen.sum())
    if not count:
        return power
    sound, out = power[chosen], power.copy()
    slope = rng.uniform(*_NOISE_TILT, (count, 1))
    spectrum = 10 ** (slope * np.arange(sound.shape[2]) / 10)
    spectrum /= spectrum.sum(axis=1, keepdims=True)
    loudest = sound.sum(axis=2).max(axis=1)
    level = loudest * 10 ** (-rng.uniform(*_SIGNAL_TO_NOISE, count) / 10)
    noise = rng.standard_gamma(3, sound.shape, dtype=np.float32) / 3
    out[chosen] = sound + noise * (level[:, None] * spectrum)[:, None, :].astype(np.float32)
    return out


def _equaliser(
    count: int, bands: int, settings: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    """Gain of each band in dB: a smooth curve, a tilt and a band limit; `(count, bands)`."""
    curve = smooth(rng.normal(0, 1, (count, _KNOTS)) * settings.equaliser, bands)
    curve += rng.normal(0, 1, (count, 1)) * settings.tilt * np.linspace(-1, 1, bands)
    limit = rng.uniform(_LEAST_BANDS, 1, (count, 1)) * bands
    limited = rng.random((count, 1)) < settings.band_limit
    return curve - limited * np.clip(np.arange(bands) - limit, 0, 4) * _STEEP


def smooth(knots: np.ndarray, bands: int) -> np.ndarray:
    """Draw smooth curves through knots at equal distances, from the first band to the last.

    Args:
        knots: float `(n, knots)`, two knots or more.
        bands: number of bands.

    Returns:
        float64 `(n, bands)`.
    """
    last = knots.shape[1] - 1
    place = np.linspace(0, last, bands)
    knot = np.minimum(place.astype(int), last - 1)
    share = (1 - np.cos(np.pi * (place - knot))) / 2
    return (1 - share) * knots[:, knot] + share * knots[:, knot + 1]
