"""Statistics of a picture against a slow version in plain NumPy, and what they do not depend on."""

import numpy as np
import pytest
from scipy.fft import dct

from timbrel.networks.pooling import RelativeLevel, SpectralStatistics

DECIBEL = 10 / np.log(10)


def picture(frames=40, bands=64, seed=0):
    """A sound that swells and dies away, in natural logarithms of power."""
    rng = np.random.default_rng(seed)
    swell = -((np.arange(frames) - frames / 3) ** 2) / frames
    return (swell[:, None] + rng.normal(0, 2, (frames, bands))).astype("float32")


def relative(x):
    return np.asarray(RelativeLevel()(x[None]))[0]


def slow_statistics(x):
    """One picture, as `RelativeLevel` gives it; loops over the frames."""
    frames = len(x)
    level = np.array([10 * np.log10(sum(10 ** (2 * value) for value in row)) for row in x])
    below = level - level.max()
    sound = 1 / (1 + np.exp(-(below + 35) / 4))
    loud = 1 / (1 + np.exp(-(below + 15) / 3))
    weights = [sound / sum(sound), 10 ** (below / 10) / sum(10 ** (below / 10))]
    cepstrum = dct(x, norm="ortho", axis=1)[:, :20]

    def moments(values, weight):
        mean = sum(weight[t] * values[t] for t in range(frames))
        variance = sum(weight[t] * (values[t] - mean) ** 2 for t in range(frames))
        return [mean, np.sqrt(variance + 1e-5)]

    def change(apart, how):
        return sum(weights[0][t] * how(t, t - apart) for t in range(apart, frames))

    return np.concatenate(
        [
            *moments(x, weights[0]),
            *moments(x, weights[1]),
            x.max(axis=0),
            change(1, lambda now, then: np.maximum(x[now] - x[then], 0)),
            change(1, lambda now, then: np.maximum(x[then] - x[now], 0)),
            *moments(cepstrum, weights[0]),
            *moments(cepstrum, weights[1]),
            change(1, lambda now, then: np.abs(cepstrum[now] - cepstrum[then])),
            change(4, lambda now, then: np.abs(cepstrum[now] - cepstrum[then])),
            [sound.mean(), loud.mean()],
            [max(0, np.diff(below).max()) / 20],
            [change(1, lambda now, then: abs(below[now] - below[then])) / 20],
        ]
    )


@pytest.mark.parametrize(("frames", "bands"), [(5, 64), (40, 64), (192, 64), (30, 16)])
def test_statistics_agree_with_loops_over_frames(frames, bands):
    x = relative(picture(frames, bands))
    got = np.asarray(SpectralStatistics()(x[None]))[0]
    np.testing.assert_allclose(got, slow_statistics(np.float64(x)), atol=2e-4)


def test_each_picture_of_a_batch_stands_alone():
    batch = np.stack([relative(picture(seed=seed)) for seed in range(4)])
    together = np.asarray(SpectralStatistics()(batch))
    alone = [np.asarray(SpectralStatistics()(one[None]))[0] for one in batch]
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("gain", [1e-3, 0.5, 30.0])
def test_gain_makes_no_difference(gain):
    x = picture()
    np.testing.assert_allclose(relative(x + np.float32(2 * np.log(gain))), relative(x), atol=1e-4)


def test_levels_are_relative_to_the_peak_and_clipped():
    x = np.zeros((6, 3), dtype="float32")
    x[0, 0], x[1, 1] = -20 / DECIBEL, -200 / DECIBEL
    got = relative(x)
    assert got[2, 2] == pytest.approx(2)
    assert got[0, 0] == pytest.approx(1)
    assert got[1, 1] == pytest.approx(-2)


def test_silence_stays_silent():
    quiet = relative(np.full((6, 3), np.log(1e-14), dtype="float32"))
    assert (quiet < -1).all()
    assert np.isfinite(np.asarray(SpectralStatistics()(quiet[None]))).all()


def test_silence_around_a_sound_changes_means_and_deviations_little():
    x = np.float32(picture(60) + 8)
    padded = np.pad(x, [(30, 50), (0, 0)], constant_values=np.log(1e-14))
    some, more = (np.asarray(SpectralStatistics()(relative(p)[None]))[0] for p in (x, padded))
    # Rises and falls, and shares of frames, are those of another sound.
    means = slice(0, 5 * 64)
    np.testing.assert_allclose(more[means], some[means], atol=0.05)


def test_shapes_are_announced():
    layer = SpectralStatistics()
    for bands in (8, 64):
        got = layer(np.zeros((2, 9, bands), dtype="float32"))
        assert layer.compute_output_shape((2, 9, bands)) == tuple(got.shape)
