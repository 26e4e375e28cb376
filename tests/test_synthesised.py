"""Pictures of sounds that nobody recorded."""

import dataclasses

import numpy as np
import pytest

from timbrel import RECIPES, LogMel
from timbrel.training.synthesised import synthesised

FRAMES = 60


def layer(rate=32_000):
    return LogMel(rate=rate, **dataclasses.asdict(RECIPES["statistics-cnn"].front_end))


def drawn(count=200, seed=0, **settings):
    return synthesised(count, FRAMES, layer(**settings), rng=np.random.default_rng(seed))


def test_pictures_are_finite_and_their_peaks_are_near_0():
    out = drawn()
    assert out.dtype == np.float32
    assert out.shape == (200, FRAMES, 128)
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out.max(axis=(1, 2)), 0, atol=0.01)


def test_the_draw_derives_from_the_generator():
    np.testing.assert_array_equal(drawn(20, seed=3), drawn(20, seed=3))
    assert not np.array_equal(drawn(20, seed=3), drawn(20, seed=4))


def test_there_are_lines_and_there_is_noise():
    """Of a line the next band but one is far below; of noise the bands are alike."""
    loudest = [picture[picture.max(axis=1).argmax()] for picture in drawn()]
    steepest = np.array([np.abs(frame[2:] - frame[:-2]).max() for frame in loudest])
    assert (steepest > 5).mean() > 0.2
    assert (steepest < 3).mean() > 0.1


def test_some_sounds_last_and_some_die_away():
    level = np.exp(drawn()).sum(axis=2)
    end = level[:, -5:].mean(axis=1) / level.max(axis=1)
    assert (end > 0.2).mean() > 0.15
    assert (end < 1e-3).mean() > 0.15


@pytest.mark.parametrize("rate", [8_000, 96_000])
def test_any_rate_will_do(rate):
    assert np.isfinite(drawn(40, rate=rate)).all()
