"""Log-mel spectrogram as a Keras layer."""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.sparse

from timbrel.features.backend import keras
from timbrel.features.fourier import PowerSpectrum
from timbrel.features.framing import FramedSpectrum
from timbrel.features.spectrum import area_filters, frame_count

ops = keras.ops


@keras.saving.register_keras_serializable(package="timbrel")
class LogMel(FramedSpectrum):
    """Natural logarithm of the power in mel bands.

    Frames tapered by a periodic Hann window, no centring (the last frame is zero-padded), power
    spectrum, mel filters of unit area (HTK scale), logarithm of what exceeds a floor.

    Input: float32 `(batch, samples)`. Output: float32 `(batch, frames, filters)`.

    The Fourier transform is factorised (`PowerSpectrum`), so that it costs less than the network.

    Source: reference implementation librosa 0.11, `feature.melspectrogram(center=False, htk=True)`.

    Args:
        rate: sample rate in Hz.
        frame, hop: length of a frame and step to the next one, in samples.
        nfft: points of the Fourier transform, a power of two from 4, at least `frame`.
        filters: number of mel filters.
        low, high: lowest and highest frequency in Hz; `high` None means rate / 2.
        floor: power that stands in for anything below it, above 0.
    """

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
        super().__init__(**layer)
        self.values = filters
        self.settings = {
            "rate": rate,
            "frame": frame,
            "hop": hop,
            "nfft": nfft,
            "filters": filters,
            "low": low,
            "high": high,
            "floor": floor,
        }
        bank = area_filters(filters, nfft=nfft, rate=rate, low=low, high=high or rate / 2)
        self._taper = _periodic_hann(frame)
        self._power = PowerSpectrum(nfft)
        self._bank = self._power.spread(bank.T).astype("float32")
        self.multiply_adds_a_frame = self._power.multiply_adds + self._bank.size

    def call(self, waveform):
        """Compute the log-mel picture of a batch of windows."""
        frames = self.frames(waveform) * self._taper
        bands = ops.matmul(self._power(frames), self._bank)
        return ops.log(ops.maximum(bands, self.settings["floor"]))


def log_mel(
    windows: np.ndarray,
    *,
    rate: int,
    frame: int,
    hop: int,
    nfft: int,
    filters: int,
    low: float = 0.0,
    high: float | None = None,
    floor: float = 1e-10,
) -> np.ndarray:
    """What `LogMel` computes, many times as fast on a CPU: for preparing, not part of a model.

    Args:
        windows: float32 `(batch, samples)`; the settings as for `LogMel`.

    Returns:
        float32 `(batch, frames, filters)`, equal to the layer's but for rounding.
    """
    frames = frame_count(windows.shape[1], frame=frame, hop=hop)
    padding = (frames - 1) * hop + frame - windows.shape[1]
    padded = np.pad(windows, [(0, 0), (0, max(padding, 0))])
    pieces = np.lib.stride_tricks.sliding_window_view(padded, frame, axis=1)[:, ::hop][:, :frames]
    spectrum = scipy.fft.rfft(pieces * _periodic_hann(frame), n=nfft, axis=2, workers=-1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    bank = area_filters(filters, nfft=nfft, rate=rate, low=low, high=high or rate / 2)
    # Nearly all of the matrix is zero.
    sparse = scipy.sparse.csr_array(bank.astype(np.float32))
    bands = (sparse @ power.reshape(-1, power.shape[2]).T).T
    return np.log(np.maximum(bands, np.float32(floor))).reshape(*power.shape[:2], filters)


def _periodic_hann(frame: int) -> np.ndarray:
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    return taper.astype(np.float32)
