"""Make pictures of sounds that belong to no class from those of the classes.

A network that has only ever seen its classes is certain of everything. Shown parts of two classes
that do not go together, and told that they are none of them, it learns what makes a class whole.
Nothing here is used when a model hears.
"""

from __future__ import annotations

import numpy as np

from timbrel.training.augment import NOTHING, smooth

# Where the bands of the two sounds meet, as a share of all bands, and over how many.
_SEAM, _SEAM_WIDTH = (0.25, 0.75), 2.0
# Deviation of the difference in level of the two, and of the knots of the equaliser, in nepers of
# power.
_UNEVEN = 0.7
_KNOTS, _GAIN = 10, 3.5


def outliers(pictures: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make pictures of no class, as many as are given or somewhat fewer.

    In equal parts: the low bands of a sound under the high bands of one of another class; the
    spectrum of a sound with the level, frame by frame, of one of another class; a sound behind an
    equaliser that no loudspeaker has.

    Args:
        pictures: float32 `(n, frames, bands)`, natural logarithm of power, from `LogMel`.
        target: int `(n,)`, their classes.
        rng: draws everything.

    Returns:
        float32 `(m, frames, bands)`, around 0; m ≤ n.

    Source: Hendrycks, Mazeika & Dietterich (2019), "Deep anomaly detection with outlier exposure";
    exchanging bands after Yun et al. (2019), "CutMix".
    """
    count = len(pictures)
    relative = pictures - pictures.max(axis=(1, 2), keepdims=True)
    partner = rng.permutation(count)
    kind = np.arange(count) % 3
    usable = (target != target[partner]) | (kind == 2)
    parts = []
    for number, make in enumerate((_two_halves, _other_level, _equalised)):
        chosen = np.flatnonzero((kind == number) & usable)
        parts.append(make(relative[chosen], relative[partner[chosen]], rng))
    return np.concatenate(parts).astype(np.float32)


def _two_halves(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    bands = low.shape[2]
    seam = rng.uniform(*_SEAM, (len(low), 1)) * bands
    share = 1 / (1 + np.exp(-(np.arange(bands) - seam) / _SEAM_WIDTH))[:, None, :]
    gain = np.exp(rng.normal(0, _UNEVEN, (len(low), 1, 1)))
    return np.log((1 - share) * np.exp(low) + share * gain * np.exp(high) + NOTHING)


def _other_level(sound: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return sound - _level(sound) + _level(other)


def _level(pictures: np.ndarray) -> np.ndarray:
    return np.log(np.exp(pictures).mean(axis=2, keepdims=True) + NOTHING)


def _equalised(sound: np.ndarray, _: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return sound + smooth(rng.normal(0, _GAIN, (len(sound), _KNOTS)), sound.shape[2])[:, None, :]
