"""The factorised transform against NumPy's."""

import numpy as np
import pytest

from timbrel.errors import InvalidArgument
from timbrel.features.framing import PowerSpectrum


@pytest.mark.parametrize("nfft", [4, 8, 32, 256, 512, 1024, 2048])
def test_agrees_with_numpy(nfft):
    frames = np.random.default_rng(nfft).normal(size=(2, 3, nfft)).astype("float32")
    expected = np.abs(np.fft.rfft(np.float64(frames))) ** 2
    spectrum = PowerSpectrum(nfft)
    got = np.asarray(spectrum(frames))
    np.testing.assert_allclose(got, expected[..., spectrum.bins], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("nfft", [4, 8, 32, 256, 512, 1024, 2048])
def test_weights_are_spread_so_that_each_bin_counts_once(nfft):
    rng = np.random.default_rng(nfft)
    power, weights = rng.random((3, nfft // 2 + 1)), rng.random((5, nfft // 2 + 1))
    spectrum = PowerSpectrum(nfft)
    np.testing.assert_allclose(
        power[:, spectrum.bins] @ spectrum.spread(weights).T, power @ weights.T
    )


def test_shorter_frames_are_zero_padded():
    frames = np.random.default_rng(0).normal(size=(1, 2, 400)).astype("float32")
    padded = np.pad(frames, [(0, 0), (0, 0), (0, 112)])
    spectrum = PowerSpectrum(512)
    np.testing.assert_array_equal(np.asarray(spectrum(frames)), np.asarray(spectrum(padded)))


@pytest.mark.parametrize("nfft", [0, 2, 12, 1000])
def test_other_lengths_are_refused(nfft):
    with pytest.raises(InvalidArgument, match=f"power of two.*Got {nfft}"):
        PowerSpectrum(nfft)
