"""The number of frames, and the mel and cosine matrices of the front ends, in NumPy.

Everything is float64; the layers round it to float32.
"""

from __future__ import annotations

import numpy as np


def frame_count(samples: int, *, frame: int, hop: int) -> int:
    """Number of frames that cover a window, the last one zero-padded.

    As python_speech_features counts them: one frame for a window no longer than a frame, otherwise
    enough frames that every sample is in one.
    """
    return 1 if samples <= frame else 1 + -(-(samples - frame) // hop)


def htk_mel(hertz: np.ndarray | float) -> np.ndarray:
    """Hertz to mel, by O'Shaughnessy's formula as HTK and python_speech_features use it."""
    return 2595 * np.log10(1 + np.asarray(hertz, dtype=np.float64) / 700)


def htk_hertz(mel: np.ndarray | float) -> np.ndarray:
    """Mel to hertz, the inverse of `htk_mel`."""
    return 700 * (10 ** (np.asarray(mel, dtype=np.float64) / 2595) - 1)


def binned_filters(filters: int, *, nfft: int, rate: int) -> np.ndarray:
    """Triangular mel filters whose corners lie on Fourier bins; float64 `(filters, bins)`.

    Source: `get_filterbanks` of python_speech_features 0.6, from 0 Hz to rate / 2.
    """
    corners = htk_hertz(np.linspace(0, htk_mel(rate / 2), filters + 2))
    low, centre, high = (np.floor((nfft + 1) * corners / rate)[i : i + filters] for i in range(3))
    bins = np.arange(nfft // 2 + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = (bins - low[:, None]) / (centre - low)[:, None]
        falling = (high[:, None] - bins) / (high - centre)[:, None]
    rises = (bins >= low[:, None]) & (bins < centre[:, None])
    falls = (bins >= centre[:, None]) & (bins < high[:, None])
    return np.where(rises, rising, np.where(falls, falling, 0.0))


def area_filters(filters: int, *, nfft: int, rate: int, low: float, high: float) -> np.ndarray:
    """Triangular mel filters of unit area, corners anywhere; float64 `(filters, bins)`.

    Source: Slaney, "Auditory Toolbox" (1998), normalisation "slaney", on the HTK mel scale, as in
    `librosa.filters.mel(htk=True)`.
    """
    corners = htk_hertz(np.linspace(htk_mel(low), htk_mel(high), filters + 2))
    width = np.diff(corners)[:, None]
    slope = corners[:, None] - np.arange(nfft // 2 + 1) * rate / nfft
    triangle = np.minimum(-slope[:-2] / width[:-1], slope[2:] / width[1:])
    area = (corners[2:] - corners[:-2])[:, None] / 2
    return np.maximum(triangle, 0) / area


def cosine_matrix(filters: int, coefficients: int) -> np.ndarray:
    """The orthonormal DCT-II; float64 `(filters, coefficients)`."""
    angle = np.pi / filters * np.outer(np.arange(filters) + 0.5, np.arange(coefficients))
    matrix = np.cos(angle) * np.sqrt(2 / filters)
    matrix[:, 0] /= np.sqrt(2)
    return matrix
