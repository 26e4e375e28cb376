import librosa
import numpy as np
import pytest

from timbrel.features.logmel import LogMel
from timbrel.features.spectrum import area_filters

SETTINGS = {"rate": 16_000, "frame": 400, "hop": 160, "nfft": 512, "filters": 40}


def oracle(waveform, *, rate, frame, hop, nfft, filters, low=0.0, high=None, floor=1e-10):
    """librosa's mel power spectrogram of zero-padded frames, then the logarithm."""
    frames = 1 + -(-max(len(waveform) - frame, 0) // hop)
    padded = np.pad(np.float64(waveform), (0, frame + (frames - 1) * hop - len(waveform)))
    taper = librosa.filters.get_window("hann", frame, fftbins=True)
    cut = librosa.util.frame(padded, frame_length=frame, hop_length=hop) * taper[:, None]
    power = np.abs(np.fft.rfft(cut, nfft, axis=0)) ** 2
    mel = librosa.feature.melspectrogram(
        S=power, sr=rate, n_fft=nfft, n_mels=filters, fmin=low, fmax=high, htk=True
    )
    return np.log(np.maximum(mel, floor)).T


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"filters": 24, "low": 50.0, "high": 7000.0},
        {"rate": 32_000, "frame": 1024, "hop": 320, "nfft": 1024},
        {"floor": 1e-4},
    ],
)
def test_agrees_with_librosa(changed):
    settings = SETTINGS | changed
    rng = np.random.default_rng(0)
    time = np.arange(5000) / settings["rate"]
    sine, click = np.sin(2 * np.pi * 440 * time), np.eye(1, 5000)[0]
    for waveform in (rng.normal(size=5000) * 0.1, sine, click):
        got = np.asarray(LogMel(**settings)(np.float32(waveform)[None]))[0]
        power, expected = np.exp(got), np.exp(oracle(waveform, **settings))
        # float32 carries some 120 dB below the loudest band; what lies deeper is rounding.
        np.testing.assert_allclose(power, expected, rtol=1e-3, atol=1e-11 * expected.max())


def test_a_band_between_two_bins_is_the_floor():
    # So many bands that whole runs of them hear nothing.
    layer = LogMel(**SETTINGS | {"filters": 3000})
    noise = np.random.default_rng(0).normal(size=(1, 1600)).astype("float32")
    got = np.asarray(layer(noise))
    deaf = ~area_filters(3000, nfft=512, rate=16_000, low=0, high=8000).any(axis=1)
    assert deaf[:16].all()
    assert not deaf.all()
    np.testing.assert_allclose(got[..., deaf], np.log(1e-10), atol=1e-5)
    np.testing.assert_allclose(got, layer.compute(noise), atol=2e-3)


def test_silence_is_the_floor():
    got = np.asarray(LogMel(**SETTINGS)(np.zeros((1, 1600), dtype="float32")))
    np.testing.assert_allclose(got, np.log(1e-10), atol=1e-5)


@pytest.mark.parametrize(
    ("samples", "settings"),
    [
        (20_000, {"frame": 2048, "hop": 512, "nfft": 2048, "filters": 128, "low": 40.0}),
        (1000, {"frame": 2048, "hop": 512, "nfft": 2048, "filters": 64}),
        (5000, {"frame": 400, "hop": 160, "nfft": 512, "filters": 40, "high": 7000.0}),
    ],
)
def test_the_fast_way_agrees_with_the_layer(samples, settings):
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(3, samples)).astype("float32")
    windows[1, samples // 2 :] = 0
    layer = LogMel(rate=32_000, floor=1e-8, **settings)
    fast, slow = layer.compute(windows), np.asarray(layer(windows))
    assert fast.dtype == np.float32
    np.testing.assert_allclose(fast, slow, atol=2e-3)
