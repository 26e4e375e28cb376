import numpy as np
import pytest
from python_speech_features import mfcc as oracle

from timbrel.audio.decode import decode
from timbrel.audio.windows import consecutive, keep
from timbrel.features.mfcc import MFCC
from timbrel.networks.recipes import RECIPES

RATE, WINDOW = 16_000, 1600
# The limit that the tutorial's windows are held to; what is measured is some 20 times smaller.
TOLERANCE = 1e-3


def ours(windows, **settings):
    return np.asarray(MFCC(**settings)(np.float32(windows)))


def theirs(windows, **settings):
    settings = {"numcep": 13, "nfilt": 26, "nfft": 512} | settings
    return np.array([oracle(np.float64(np.float32(row)), RATE, **settings) for row in windows])


def _signals():
    rng = np.random.default_rng(0)
    time = np.arange(WINDOW) / RATE
    noise = rng.normal(size=WINDOW)
    return {
        "noise": noise * 0.1,
        "one click": np.eye(1, WINDOW, 700)[0],
        "a click at the start": np.eye(1, WINDOW, 0)[0],
        "a click at the end": np.eye(1, WINDOW, WINDOW - 1)[0],
        "direct current": np.full(WINDOW, 0.5),
        "silence": np.zeros(WINDOW),
        "full-scale square wave": np.sign(np.sin(2 * np.pi * 440 * time)),
        "square wave of a whole period": np.where(np.arange(WINDOW) % 16 < 8, 1.0, -1.0),
        "sine of 30 Hz": np.sin(2 * np.pi * 30 * time),
        "sine of 7.9 kHz": np.sin(2 * np.pi * 7900 * time),
        "one bit of 16": np.sign(np.sin(2 * np.pi * 440 * time)) / 32768,
        "half silence": np.where(np.arange(WINDOW) < 800, 0, noise),
        "noise at -500 dB": noise * 1e-25,
        "noise at -560 dB": noise * 1e-28,
        "loud, then at -560 dB": np.where(np.arange(WINDOW) < 800, noise, noise * 1e-28),
        "beyond full scale": noise * 1e4,
    }


@pytest.mark.parametrize("name", _signals())
def test_agrees_with_python_speech_features(name):
    window = _signals()[name][None]
    np.testing.assert_allclose(ours(window), theirs(window), rtol=0, atol=TOLERANCE)


@pytest.mark.slow
def test_agrees_with_python_speech_features_on_real_windows(shared):
    recordings = sorted((shared / "data/instruments/wavfiles").glob("*.wav"))
    windowing = RECIPES["tutorial-cnn"].windowing
    rng = np.random.default_rng(0)
    windows = []
    for path in recordings[::4]:
        cut = consecutive(keep(decode(path, RATE).waveform, windowing)[0], windowing).samples
        windows += list(cut[rng.permutation(len(cut))[:8]])
    windows = np.array(windows)
    assert len(windows) > 400
    np.testing.assert_allclose(ours(windows), theirs(windows), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("changed", "their_names"),
    [
        ({"filters": 20}, {"nfilt": 20}),
        ({"coefficients": 8}, {"numcep": 8}),
        ({"lifter": 0}, {"ceplifter": 0}),
        ({"preemphasis": 0.0}, {"preemph": 0.0}),
        ({"nfft": 1024}, {"nfft": 1024}),
        ({"frame": 320, "hop": 80}, {"winlen": 0.02, "winstep": 0.005}),
    ],
)
def test_every_setting_is_the_reference_implementations(changed, their_names):
    windows = np.random.default_rng(1).normal(size=(4, WINDOW)) * 0.1
    np.testing.assert_allclose(
        ours(windows, **changed), theirs(windows, **their_names), rtol=0, atol=TOLERANCE
    )


@pytest.mark.parametrize("samples", [1, 160, 399, 400, 401, 560, 561, 1599, 1601, 4000])
def test_windows_of_any_length(samples):
    windows = np.random.default_rng(samples).normal(size=(2, samples)) * 0.1
    got, expected = ours(windows), theirs(windows)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


def test_a_window_does_not_depend_on_its_neighbours():
    windows = np.random.default_rng(2).normal(size=(5, WINDOW)).astype("float32")
    windows[1] = 0
    windows[3] *= 1e-30
    together = ours(windows)
    alone = np.concatenate([ours(windows[number : number + 1]) for number in range(5)])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-4)


def test_twice_as_loud_moves_the_energy_alone():
    window = np.random.default_rng(3).normal(size=(1, WINDOW)) * 0.1
    difference = ours(2 * window) - ours(window)
    np.testing.assert_allclose(difference[..., 0], np.log(4), atol=1e-5)
    np.testing.assert_allclose(difference[..., 1:], 0, atol=1e-4)


def test_only_exact_zeros_become_eps():
    assert ours(np.zeros((1, WINDOW)))[0, 0, 0] == pytest.approx(np.log(2.0**-52), abs=1e-5)
    quiet = ours(np.full((1, WINDOW), 1e-20))[0, 0, 0]
    assert quiet < np.log(2.0**-52) - 10
