"""Pictures of no class are made of pictures of the classes."""

import numpy as np
import pytest

from timbrel.training.outliers import outliers

BANDS, FRAMES = 64, 12


def pictures(count):
    """Class 0 rises along the bands and lasts; class 1 falls along the bands and dies away."""
    target = np.arange(count) % 2
    band, frame = np.arange(BANDS) / 10, np.arange(FRAMES)[:, None] / 3
    kinds = np.stack([band + 0 * frame, -band - frame])
    return kinds[target].astype("float32"), target


def made(count=300, seed=0):
    return outliers(*pictures(count), np.random.default_rng(seed))


def test_pairs_of_one_class_are_left_out_and_the_rest_is_made():
    out = made()
    assert out.dtype == np.float32
    assert out.shape[1:] == (FRAMES, BANDS)
    # A third is equalised; of the rest, half of the pairs are of two classes.
    assert 150 < len(out) < 250
    assert np.isfinite(out).all()


def test_gain_of_what_they_are_made_from_makes_no_difference():
    sound, target = pictures(60)
    one, louder = (outliers(sound + gain, target, np.random.default_rng(1)) for gain in (0, 5))
    np.testing.assert_allclose(one, louder, atol=1e-4)


def test_the_draw_derives_from_the_generator():
    np.testing.assert_array_equal(made(seed=3), made(seed=3))
    assert not np.array_equal(made(seed=3)[-1], made(seed=4)[-1])


def test_halves_are_those_of_two_classes():
    """The low bands are those of one sound and the high bands those of the other."""
    for picture in made()[:20]:
        slopes = np.diff(picture[0])
        assert np.sign(slopes[:8]).tolist() == [np.sign(slopes[0])] * 8
        assert np.sign(slopes[-8:]).tolist() == [-np.sign(slopes[0])] * 8


def test_halves_are_not_equally_loud():
    """Two steady sounds of one level: the step between the halves is what was drawn."""
    sound = np.zeros((900, FRAMES, BANDS), dtype="float32")
    halves = outliers(sound, np.arange(900) % 2, np.random.default_rng(0))
    step = np.array([picture[0, -1] - picture[0, 0] for picture in halves[:100]])
    assert np.std(step) == pytest.approx(0.7, abs=0.15)
    assert np.mean(step) == pytest.approx(0, abs=0.25)


def test_spectrum_and_level_come_from_two_classes():
    sound, target = pictures(300)
    out = outliers(sound, target, np.random.default_rng(0))
    steady, dying = 0, 0
    for picture in out:
        spectrum = picture[0] - picture[0].mean()
        level = picture.mean(axis=1)
        rising = np.allclose(np.diff(spectrum), 0.1, atol=1e-4)
        falling = np.allclose(np.diff(spectrum), -0.1, atol=1e-4)
        steady += falling and np.ptp(level) < 1e-3
        dying += rising and np.ptp(level) > 2
    assert steady > 10
    assert dying > 10


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_pictures_and_a_single_class_will_do(count):
    sound, _ = pictures(count)
    out = outliers(sound, np.zeros(count, dtype=int), np.random.default_rng(0))
    assert len(out) == count // 3


def test_silence_stays_finite():
    silence = np.full((30, FRAMES, BANDS), np.log(1e-14), dtype="float32")
    assert np.isfinite(outliers(silence, np.arange(30) % 2, np.random.default_rng(0))).all()
