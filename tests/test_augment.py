"""Changes of log-mel pictures against the changes of sound that they imitate."""

import dataclasses

import numpy as np
import pytest

from timbrel.features.augment import Augmentation, augment

NOTHING = Augmentation(
    share=1.0,
    shift=0.0,
    speed=0.0,
    pitch=0.0,
    equaliser=0.0,
    tilt=0.0,
    room=0.0,
    noise=0.0,
    band_limit=0.0,
    mixup=0.0,
)
SILENCE = np.float32(np.log(1e-14))


def pictures(count=6, frames=50, bands=64):
    x = np.random.default_rng(3).normal(-3, 2, (count, frames, bands)).astype("float32")
    x[:, frames // 2 :] = SILENCE
    return x


def changed(x, seed=0, **settings):
    settings = dataclasses.replace(NOTHING, **settings)
    return augment(x, settings, np.random.default_rng(seed), frame_rate=62.5)


@pytest.mark.parametrize("settings", [NOTHING, Augmentation(share=0.0, shift=0.0)])
def test_without_changes_pictures_stay_as_they_are(settings):
    got = augment(pictures(), settings, np.random.default_rng(0), frame_rate=62.5)
    np.testing.assert_allclose(got, pictures(), atol=1e-4)


def test_the_argument_is_not_changed():
    x = pictures()
    before = x.copy()
    got = augment(x, Augmentation(share=1.0), np.random.default_rng(0), frame_rate=62.5)
    np.testing.assert_array_equal(x, before)
    assert got.dtype == np.float32
    assert got.shape == x.shape
    assert np.isfinite(got).all()


def test_the_same_numbers_drawn_give_the_same_changes():
    x = pictures()
    everything = dataclasses.asdict(Augmentation(share=1.0))
    np.testing.assert_array_equal(changed(x, **everything), changed(x, **everything))
    assert not np.array_equal(changed(x, **everything), changed(x, seed=1, **everything))


def test_a_shift_moves_the_sound_later_and_loses_none_of_it():
    x = pictures()
    got = changed(x, shift=0.4)
    moved = 0
    for one, other in zip(x, got, strict=True):
        first = int(np.argmax(other.max(axis=1) > SILENCE + 1))
        assert first <= 20
        np.testing.assert_allclose(other[first : first + 25], one[:25], atol=1e-4)
        moved += first
    assert moved


def test_a_sound_that_fills_the_window_is_not_shifted():
    x = pictures()[:, :25]
    np.testing.assert_allclose(changed(x, shift=0.5), x, atol=1e-4)


def test_speed_keeps_a_steady_sound_and_changes_where_it_ends():
    x = np.full((40, 50, 8), -2.0, dtype="float32")
    x[:, 30:] = SILENCE
    got = changed(x, speed=0.3)
    ends = (got.max(axis=2) > SILENCE + 1).sum(axis=1)
    assert ends.min() < 26
    assert ends.max() > 35
    np.testing.assert_allclose(got[:, :20], -2.0, atol=1e-4)


def test_pitch_moves_a_line_along_the_bands():
    x = np.full((60, 4, 64), -20.0, dtype="float32")
    x[:, :, 30] = 0.0
    centres = changed(x, pitch=3.0)
    centres = (np.exp(centres) * np.arange(64)).sum(axis=2) / np.exp(centres).sum(axis=2)
    assert centres.min() < 28
    assert centres.max() > 32
    assert np.abs(centres - 30).max() < 3.1


def test_a_room_adds_a_tail_that_decays_exponentially():
    x = np.full((8, 60, 4), SILENCE)
    x[:, 2] = 0.0
    got = changed(x, room=1.0)
    np.testing.assert_allclose(got[:, :3], x[:, :3], atol=0.2)
    tail = got[:, 3:12]
    assert (tail > SILENCE + 1).all()
    steps = np.diff(tail, axis=1)
    assert (steps < 0).all()
    np.testing.assert_allclose(steps, steps[:, :1].repeat(8, axis=1), atol=1e-2)


def test_a_room_swallows_high_bands_sooner_than_low_ones():
    x = np.full((60, 60, 8), SILENCE)
    x[:, 2] = 0.0
    tail = changed(x, room=1.0)[:, 3:6]
    decay = np.exp(np.diff(tail, axis=1).mean(axis=1))
    damping = decay[:, -1] / decay[:, 0]
    assert (np.diff(decay, axis=1) < 0).all()
    assert 0.84 < damping.min() < 0.88
    assert 0.97 < damping.max() < 1


def test_noise_slopes_along_the_bands():
    x = np.full((60, 200, 16), SILENCE)
    x[:, 0] = 0.0
    noise = 10 * np.log10(np.exp(np.float64(changed(x, noise=1.0)[:, 1:])).mean(axis=1))
    slope = np.diff(noise, axis=1).mean(axis=1)
    assert -0.28 < slope.min() < -0.2
    assert 0.05 < slope.max() < 0.13


def test_noise_lies_15_to_60_db_below_the_loudest_frame():
    x = np.full((50, 60, 16), SILENCE)
    x[:, 0] = 0.0
    power = np.exp(np.float64(changed(x, noise=1.0)))
    below = 10 * np.log10(16 / power[:, 1:].sum(axis=2).mean(axis=1))
    assert 14 < below.min() < 25
    assert 50 < below.max() < 61


def test_equaliser_and_tilt_are_one_curve_for_all_frames():
    x = pictures()[:, :25]
    difference = changed(x, equaliser=4.0, tilt=3.0) - x
    np.testing.assert_allclose(difference, difference[:, :1].repeat(25, axis=1), atol=1e-3)
    assert np.abs(difference).max() > 0.5
    # Smooth: from one band to the next by far less than over all of them.
    assert np.abs(np.diff(difference[:, 0], axis=1)).max() < 0.5


def test_a_band_limit_takes_the_highest_bands_alone():
    x = np.zeros((30, 4, 64), dtype="float32")
    got = changed(x, band_limit=1.0)[:, 0]
    np.testing.assert_allclose(got[:, :35], 0, atol=1e-4)
    assert (got[:, -1] < -1).mean() > 0.8


@pytest.mark.parametrize("bands", [8, 64])
@pytest.mark.parametrize("frames", [5, 192])
def test_silence_gives_no_infinities(frames, bands):
    x = np.full((4, frames, bands), SILENCE)
    got = changed(x, **dataclasses.asdict(Augmentation(share=1.0)))
    assert np.isfinite(got).all()
