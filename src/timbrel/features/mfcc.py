"""Mel-frequency cepstral coefficients (MFCC), the tutorial's front end, as a Keras layer."""

from __future__ import annotations

import numpy as np

from timbrel.features.backend import keras
from timbrel.features.framing import FramedSpectrum
from timbrel.features.spectrum import binned_filters, cosine_matrix

ops = keras.ops

# python_speech_features replaces an exact zero by this before a logarithm.
_EPSILON = float(np.finfo(np.float64).eps)

# The square of a very quiet sound underflows in float32 and would look like digital silence. A gain
# that is a power of two, and is subtracted again as a logarithm, moves the range to amplitudes from
# 1e-28 to 5e5. It is part of the Fourier matrix and costs nothing.
_GAIN = 2.0**40


@keras.saving.register_keras_serializable(package="timbrel")
class MFCC(FramedSpectrum):
    """MFCC of each window, as python_speech_features 0.6 computes them.

    Pre-emphasis over the window, frames without a taper (the last one zero-padded), power spectrum,
    mel filters, logarithm, DCT-II, lifter; the logarithm of the frame's energy takes the place of
    the first coefficient. Exact zeros, and only those, become float64's eps before a logarithm.

    Input: float32 `(batch, samples)`. Output: float32 `(batch, frames, coefficients)`.

    Source: Davis & Mermelstein (1980), "Comparison of parametric representations for monosyllabic
    word recognition"; reference implementation python_speech_features 0.6, `mfcc`.

    Args:
        rate: sample rate in Hz.
        frame, hop: length of a frame and step to the next one, in samples.
        nfft: points of the Fourier transform, at least `frame`.
        filters: number of mel filters.
        coefficients: number of coefficients kept.
        preemphasis: coefficient of the first-order high-pass, 0 for none.
        lifter: length of the lifter, 0 for none.
    """

    def __init__(
        self,
        *,
        rate: int = 16_000,
        frame: int = 400,
        hop: int = 160,
        nfft: int = 512,
        filters: int = 26,
        coefficients: int = 13,
        preemphasis: float = 0.97,
        lifter: int = 22,
        **layer,
    ) -> None:
        settings = {
            "rate": rate,
            "frame": frame,
            "hop": hop,
            "nfft": nfft,
            "filters": filters,
            "coefficients": coefficients,
            "preemphasis": preemphasis,
            "lifter": lifter,
        }
        super().__init__(settings, coefficients, **layer)
        bank = binned_filters(filters, nfft=nfft, rate=rate).T / nfft
        energy = np.full((len(bank), 1), 1 / nfft)
        # The lifter raises the higher coefficients: Young et al., "The HTK Book", section 5.4.
        lifted = cosine_matrix(filters, coefficients)
        if lifter > 0:
            lifted *= 1 + lifter / 2 * np.sin(np.pi * np.arange(coefficients) / lifter)
        # The energy, computed as one more "filter", replaces the first cosine coefficient.
        lifted[:, 0] = 0.0
        energy_row = np.eye(1, coefficients)
        # Real and imaginary parts of the transform of a zero-padded frame: cosines, then sines.
        angle = 2 * np.pi / nfft * (np.outer(np.arange(frame), np.arange(nfft // 2 + 1)) % nfft)
        fourier = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
        self._fourier = (_GAIN * fourier)[:, None].astype("float32")
        # The same filters for the squares of the real and of the imaginary parts.
        self._bank = np.tile(np.concatenate([bank, energy], axis=1), (2, 1)).astype("float32")
        self._cosine = np.concatenate([lifted, energy_row]).astype("float32")
        self.multiply_adds_a_frame = self._fourier.size + self._bank.size + self._cosine.size

    def call(self, waveform):
        """Compute the coefficients of a batch of windows."""
        # The difference of neighbouring samples is exact in float32 where they are close, so this
        # form of x[n] - p x[n-1] keeps faint high bands that the plain form loses in rounding.
        before = ops.pad(waveform[:, :-1], [(0, 0), (1, 0)])
        emphasised = (waveform - before) + (1 - self.settings["preemphasis"]) * before
        # One strided convolution cuts the frames and transforms them: real parts, then imaginary.
        padded = self.padded(emphasised)[..., None]
        transform = ops.conv(padded, self._fourier, strides=self.settings["hop"], padding="valid")
        bands = ops.matmul(ops.square(transform), self._bank)
        silent = ops.equal(bands, 0.0)
        level = ops.log(ops.where(silent, 1.0, bands)) - float(2 * np.log(_GAIN))
        return ops.matmul(ops.where(silent, float(np.log(_EPSILON)), level), self._cosine)
