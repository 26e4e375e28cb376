"""Log-mel spectrogram as a Keras layer."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from timbrel.errors import MissingExtra
from timbrel.features.augment import Augmentation, augment
from timbrel.features.backend import keras
from timbrel.features.framing import FramedSpectrum, PowerSpectrum
from timbrel.features.outliers import mixed_sounds, synthetic_sounds
from timbrel.features.spectrum import area_filters, frame_count

try:
    import scipy.fft
    import scipy.sparse
except ModuleNotFoundError as error:
    raise MissingExtra.of("train", "Training and feature extraction") from error

ops = keras.ops

# Mel bands are summed in groups of this size, each over the bins that its bands need. In a single
# matrix product nearly all weights would be zero.
_BANDS_AT_ONCE = 16
# For more slices than this a frame, one gather gives the smaller graph.
_MOST_SLICES = 32


@keras.saving.register_keras_serializable(package="timbrel")
class LogMel(FramedSpectrum):
    """Natural logarithm of the power in mel bands.

    Frames tapered by a periodic Hann window, no centring (the last frame is zero-padded), power
    spectrum, mel filters of unit area (HTK scale), logarithm of the power above a floor.

    Input: float32 `(batch, samples)`. Output: float32 `(batch, frames, filters)`.

    The Fourier transform is factorised (`PowerSpectrum`), and bands are summed over their
    bins only.

    Source: reference implementation librosa 0.11, `feature.melspectrogram(center=False, htk=True)`.

    Args:
        rate: sample rate in Hz.
        frame, hop: length of a frame and step to the next one, in samples.
        nfft: points of the Fourier transform, a power of two from 4, at least `frame`.
        filters: number of mel filters.
        low, high: lowest and highest frequency in Hz; `high` None means rate / 2.
        floor: power that replaces smaller ones, above 0.
    """

    makes_outliers = True

    def __init__(
        self,
        *,
        rate: int,
        frame: int,
        hop: int,
        nfft: int,
        filters: int,
        low: float = 0.0,
        high: float | None = None,
        floor: float = 1e-10,
        **layer,
    ) -> None:
        settings = {
            "rate": rate,
            "frame": frame,
            "hop": hop,
            "nfft": nfft,
            "filters": filters,
            "low": low,
            "high": high,
            "floor": floor,
        }
        super().__init__(settings, filters, **layer)
        bank = area_filters(filters, nfft=nfft, rate=rate, low=low, high=high or rate / 2)
        taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
        self._taper = taper.astype("float32")
        self._power = PowerSpectrum(nfft)
        self._bank = bank.astype("float32")
        self._sparse_bank = scipy.sparse.csr_array(self._bank)
        summed = sum(part.size for _, part in self._parts())
        self.multiply_adds_a_frame = self._power.multiply_adds + summed

    def call(self, waveform):
        """Compute the log-mel picture of a batch of windows."""
        power = self._power(self._frames(waveform) * self._taper)
        bands = [ops.matmul(power[..., places], part) for places, part in self._parts()]
        return ops.log(ops.maximum(ops.concatenate(bands, axis=-1), self.settings["floor"]))

    def _frames(self, waveform):
        """The frames of each window, the last zero-padded: `(batch, frames, frame)`.

        Frames are joined from pieces as long as the greatest common divisor of frame and hop, so
        that the exported graph needs no table of positions.
        """
        frame, hop = self.settings["frame"], self.settings["hop"]
        padded = self.padded(waveform)
        samples = padded.shape[1]
        count = (samples - frame) // hop + 1
        piece = math.gcd(frame, hop)
        if frame // piece > _MOST_SLICES:
            places = np.arange(count)[:, None] * hop + np.arange(frame)
            return ops.take(padded, places, axis=1)
        if samples % piece:  # A hop longer than a frame may leave samples after the last frame.
            padded = padded[:, : samples // piece * piece]
        pieces = ops.reshape(padded, (-1, samples // piece, piece))
        step, last = hop // piece, (count - 1) * (hop // piece) + 1
        parts = [pieces[:, first : first + last : step] for first in range(frame // piece)]
        return ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]

    def _parts(self) -> list[tuple[slice, np.ndarray]]:
        """Each group of bands: its places in `PowerSpectrum`, and weights `(places, bands)`."""
        parts = []
        spread = self._power.spread(self._bank)
        for first in range(0, len(spread), _BANDS_AT_ONCE):
            bands = spread[first : first + _BANDS_AT_ONCE]
            used = np.flatnonzero(bands.any(axis=0))
            # Narrow bands may lie between two bins.
            places = slice(used[0], used[-1] + 1) if len(used) else slice(0, 1)
            parts.append((places, bands[:, places].T))
        return parts

    def compute(self, windows: np.ndarray) -> np.ndarray:
        """Compute the output of the layer, many times as fast on a CPU; not part of a model.

        Args:
            windows: float32 `(batch, samples)`.

        Returns:
            float32 `(batch, frames, filters)`, equal to the layer's except for rounding.
        """
        frame, hop, nfft = (self.settings[name] for name in ("frame", "hop", "nfft"))
        frames = frame_count(windows.shape[1], frame=frame, hop=hop)
        padding = (frames - 1) * hop + frame - windows.shape[1]
        padded = np.pad(windows, [(0, 0), (0, max(padding, 0))])
        pieces = np.lib.stride_tricks.sliding_window_view(padded, frame, axis=1)[:, ::hop]
        tapered = pieces[:, :frames] * self._taper
        spectrum = scipy.fft.rfft(tapered, n=nfft, axis=2, workers=-1)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        bands = self.bands(power.reshape(-1, power.shape[2]))
        levels = np.log(np.maximum(bands, np.float32(self.settings["floor"])))
        return levels.reshape(*power.shape[:2], self.values)

    def bands(self, power: np.ndarray) -> np.ndarray:
        """Sum power over mel bands.

        Args:
            power: float `(n, nfft / 2 + 1)`, at each bin of the spectrum.

        Returns:
            float `(n, filters)`.
        """
        return (self._sparse_bank @ power.T).T

    def transform(self, model: keras.Sequential) -> Callable[[np.ndarray], np.ndarray]:
        """Compute pictures with `compute`, then with the layers that follow in `model`."""
        following = model.layers[1:]

        def pictures(windows: np.ndarray) -> np.ndarray:
            output = self.compute(windows)
            for layer in following:
                output = ops.convert_to_numpy(layer(output))
            return output

        return pictures

    def changed(
        self, pictures: np.ndarray, changes: Augmentation, rng: np.random.Generator
    ) -> np.ndarray:
        """Change each picture of a batch at random, see `timbrel.features.augment.augment`."""
        frame_rate = self.settings["rate"] / self.settings["hop"]
        return augment(pictures, changes, rng, frame_rate=frame_rate)

    def outliers(
        self, pictures: np.ndarray, target: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Make pictures of no class, see `timbrel.features.outliers`."""
        mixed = mixed_sounds(pictures, target, rng)
        drawn = synthetic_sounds(len(pictures), pictures.shape[1], self, rng=rng)
        return np.concatenate([mixed, drawn])
