"""Layers of the networks against slow versions in plain NumPy, and their invariances."""

import numpy as np
import pytest
from scipy.fft import dct

from timbrel.networks.builders import untrained
from timbrel.networks.layers import (
    Course,
    DistanceTemperature,
    MergedBands,
    RelativeLevel,
    SpectralRipple,
    SpectralStatistics,
    gabor_matrix,
    weights_of,
)
from timbrel.networks.recipes import get_recipe

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
            change(2, lambda now, then: np.abs(cepstrum[now] - cepstrum[then])),
            [sound.mean(), loud.mean()],
            [max(0, np.diff(below).max()) / 20],
            [change(1, lambda now, then: abs(below[now] - below[then])) / 20],
        ]
    )


@pytest.mark.parametrize(("frames", "bands"), [(3, 64), (40, 64), (192, 64), (30, 16)])
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


def test_merged_bands_are_mean_powers():
    x = picture(7, 12)
    power = np.exp(np.float64(x))
    expected = np.log((power[:, 0::2] + power[:, 1::2]) / 2)
    np.testing.assert_allclose(np.asarray(MergedBands()(x[None]))[0], expected, atol=1e-5)


def slow_sound(x):
    level = np.array([10 * np.log10(sum(10 ** (2 * value) for value in row)) for row in x])
    below = level - level.max()
    return 1 / (1 + np.exp(-(below + 35) / 4)), 10 ** (below / 10)


def test_ripples_agree_with_loops_over_frames():
    x = relative(picture(30, 32))
    got = np.asarray(SpectralRipple()(x[None]))[0]
    functions = gabor_matrix(32)
    count = functions.shape[1] // 2
    ripple = np.array(
        [
            [np.hypot(row @ functions[:, n], row @ functions[:, n + count]) for n in range(count)]
            for row in np.float64(x)
        ]
    )
    sound, power = slow_sound(np.float64(x))
    mean = sound @ ripple / sound.sum()
    deviation = np.sqrt(sound @ (ripple - mean) ** 2 / sound.sum() + 1e-5)
    expected = np.concatenate([mean, deviation, power @ ripple / power.sum()])
    np.testing.assert_allclose(got, expected, atol=2e-3)


@pytest.mark.parametrize("period", [24.0, 12.0, 7.0, 4.0])
def test_a_ripple_is_found_at_its_period_wherever_its_crests_lie(period):
    band = np.arange(128)
    found = []
    for shift in (0.0, 0.3, 0.5):
        wave = 0.5 * np.cos(2 * np.pi * (band / period - shift))
        x = np.tile(wave, (10, 1)).astype("float32")
        means = np.asarray(SpectralRipple()(x[None]))[0, :64].reshape(4, 16)
        # At the edges the functions are cut off.
        found.append(means[:, 4:12].mean(axis=1))
    strongest = [(24.0, 12.0, 7.0, 4.0)[row.argmax()] for row in found]
    assert strongest == [period] * 3
    np.testing.assert_allclose(found[0], found[1], rtol=0.3, atol=0.1)


def test_a_level_is_no_ripple():
    x = np.full((1, 10, 64), 1.5, dtype="float32")
    assert np.asarray(SpectralRipple()(x))[0, 16:24].max() < 0.02


def slow_course(x, steps):
    sound, _ = slow_sound(x)
    weight = sound / sound.sum()
    out = np.zeros((steps, x.shape[1]))
    for step in range(steps):
        share = np.zeros(len(x))
        for frame in range(len(x)):
            place = weight[:frame].sum() + weight[frame] / 2
            apart = place * steps - (step + 0.5)
            share[frame] = (weight[frame] + 1e-9) * np.exp(-2 * apart**2)
        out[step] = share @ x / share.sum()
    return out


@pytest.mark.parametrize("frames", [30, 192])
def test_courses_agree_with_loops_over_frames(frames):
    x = relative(picture(frames, 16))
    got = np.asarray(Course(steps=12)(x[None]))[0, :, :, 0]
    np.testing.assert_allclose(got, slow_course(np.float64(x), 12), atol=5e-3)


def test_a_course_does_not_depend_on_silence_around_the_sound_or_on_its_length():
    x = np.float32(picture(60) + 8)
    padded = np.pad(x, [(30, 50), (0, 0)], constant_values=np.log(1e-14))
    # Powers between two frames, for a sound of twice the length.
    slow = np.repeat(x, 2, axis=0)
    course, *others = (np.asarray(Course()(relative(p)[None]))[0] for p in (x, padded, slow))
    for other in others:
        np.testing.assert_allclose(other, course, atol=0.15)


@pytest.mark.parametrize("where", [0, 100, 191])
def test_a_single_frame_of_sound_is_its_whole_course(where):
    x = np.full((192, 16), np.log(1e-14), dtype="float32")
    x[where] = np.linspace(-3, 0, 16)
    level = relative(x)
    course = np.asarray(Course()(level[None]))[0, :, :, 0]
    assert np.isfinite(course).all()
    np.testing.assert_allclose(course[12], level[where], atol=0.05)


@pytest.mark.parametrize(
    "layer", [SpectralStatistics(), SpectralRipple(), Course(steps=6), MergedBands()]
)
def test_shapes_are_announced_and_silence_is_finite(layer):
    for bands in (8, 64):
        got = np.asarray(layer(np.full((2, 9, bands), -2, dtype="float32")))
        assert layer.compute_output_shape((2, 9, bands)) == tuple(got.shape)
        assert np.isfinite(got).all()


@pytest.mark.parametrize("bands", [32, 128, 256])
def test_no_gabor_function_is_too_faint_to_multiply_fast(bands):
    # Processors take many times as long for numbers below float32's smallest usual one.
    functions = np.abs(gabor_matrix(bands).astype("float32"))
    assert not ((functions > 0) & (functions < np.finfo("float32").tiny)).any()


UNITS, CLASSES = 12, 3


def learned(windows=(5, 1, 8, 2, 9, 4), seed=0):
    """Hidden units of recordings that have so many windows each, two recordings a class."""
    rng = np.random.default_rng(seed)
    recording = np.repeat(np.arange(len(windows)), windows)
    target = recording // 2
    centre = rng.normal(0, 3, (CLASSES, UNITS))
    return centre[target] + rng.normal(size=(len(target), UNITS)), target, recording


def layer_for(hidden, target, recording, *, classes=CLASSES):
    layer = DistanceTemperature()
    layer.build([(None, hidden.shape[1]), (None, classes)])
    layer.set_weights(weights_of(hidden, target, recording, classes=classes))
    return layer


def answers(n, seed=1):
    rng = np.random.default_rng(seed)
    raised = np.exp(rng.normal(size=(n, CLASSES)))
    return np.float32(raised / raised.sum(axis=1, keepdims=True))


def oracle(known, hidden, probabilities):
    """Window by window, from the definition of the Mahalanobis distance."""
    x, target, recording = known
    weight = np.array([1 / np.sum(recording == number) for number in recording])
    means, within = [], np.zeros((UNITS, UNITS))
    for number in range(CLASSES):
        mine = target == number
        means.append((weight[mine, None] * x[mine]).sum(axis=0) / weight[mine].sum())
        for row, share in zip(x[mine] - means[-1], weight[mine], strict=True):
            within += share * np.outer(row, row) / weight.sum()
    shrunken = 0.7 * within + 0.3 * np.trace(within) / UNITS * np.eye(UNITS)
    inverse = np.linalg.inv(shrunken)
    found = []
    for row, p in zip(np.float64(hidden), np.float64(probabilities), strict=True):
        squared = min((row - mean) @ inverse @ (row - mean) / UNITS for mean in means)
        cooled = p ** (1 / np.sqrt(max(squared, 0.01)))
        found.append(cooled / cooled.sum())
    return np.array(found)


def test_agrees_with_the_definition():
    known = learned()
    rng = np.random.default_rng(2)
    near = known[0][:20] + rng.normal(0, 0.1, (20, UNITS))
    hidden = np.float32(np.concatenate([near, rng.normal(0, 9, (20, UNITS))]))
    p = answers(40)
    got = np.asarray(layer_for(*known)([hidden, p]))
    np.testing.assert_allclose(got, oracle(known, hidden, p), rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(got.argmax(axis=1), p.argmax(axis=1))


def test_what_lies_farther_is_doubted_more():
    known = learned()
    away = np.ones(UNITS) / np.sqrt(UNITS)
    hidden = np.float32([known[0][0] + step * away for step in (0, 5, 20, 80, 1000)])
    p = np.repeat(np.float32([[0.8, 0.15, 0.05]]), 5, axis=0)
    confidence = np.asarray(layer_for(*known)([hidden, p])).max(axis=1)
    assert (np.diff(confidence) < 0).all()
    assert confidence[-1] < 0.35


def test_the_size_of_hidden_units_makes_no_difference():
    hidden, target, recording = learned()
    p = answers(len(hidden))
    as_it_is = layer_for(hidden, target, recording)([np.float32(hidden), p])
    larger = layer_for(50 * hidden, target, recording)([np.float32(50 * hidden), p])
    np.testing.assert_allclose(np.asarray(larger), np.asarray(as_it_is), rtol=1e-3, atol=1e-6)


def test_every_recording_counts_the_same():
    hidden, target, recording = learned()
    twice = np.concatenate([np.arange(len(hidden)), np.flatnonzero(recording == 4)])
    once = weights_of(hidden, target, recording, classes=CLASSES)
    again = weights_of(hidden[twice], target[twice], recording[twice], classes=CLASSES)
    for one, other in zip(once, again, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("known", [[0, 1, 2], [1], [0, 2]])
def test_a_window_a_class_or_none_is_enough_to_be_finite(known):
    rng = np.random.default_rng(3)
    target = np.array(known)
    layer = layer_for(rng.normal(size=(len(known), UNITS)), target, np.arange(len(known)))
    got = np.asarray(layer([np.float32(rng.normal(0, 5, (7, UNITS))), answers(7)]))
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-6)


def test_nothing_changes_before_anything_is_known():
    model = untrained(get_recipe("statistics-cnn"), 4)
    last = model.layers[-1]
    assert isinstance(last, DistanceTemperature)
    assert not last.trainable_weights
    hidden = np.random.default_rng(0).normal(size=(5, last.input[0].shape[1]))
    p = np.random.default_rng(1).dirichlet(np.ones(4), 5)
    got = np.asarray(last([np.float32(hidden), np.float32(p)]))
    np.testing.assert_allclose(got, p, atol=1e-6)


def test_impossible_classes_stay_finite():
    layer = layer_for(*learned())
    got = np.asarray(layer([np.zeros((1, UNITS), np.float32), np.float32([[1, 0, 0]])]))
    assert np.isfinite(got).all()
