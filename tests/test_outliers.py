"""Pictures of no class: made of pictures of the classes, and of synthetic sounds."""

import dataclasses

import numpy as np
import pytest

from timbrel import RECIPES, LogMel
from timbrel.features import outliers
from timbrel.features.outliers import mixed_sounds, synthetic_sounds

BANDS, FRAMES = 64, 12
# Frames of a synthetic sound.
LONG = 60


def pictures(count):
    """Class 0 rises along the bands and lasts; class 1 falls along the bands and dies away."""
    target = np.arange(count) % 2
    band, frame = np.arange(BANDS) / 10, np.arange(FRAMES)[:, None] / 3
    kinds = np.stack([band + 0 * frame, -band - frame])
    return kinds[target].astype("float32"), target


def made(count=300, seed=0):
    return mixed_sounds(*pictures(count), np.random.default_rng(seed))


def test_pairs_of_one_class_are_left_out_and_the_rest_is_made():
    out = made()
    assert out.dtype == np.float32
    assert out.shape[1:] == (FRAMES, BANDS)
    # A third is equalised; of the rest, half of the pairs are of two classes.
    assert 150 < len(out) < 250
    assert np.isfinite(out).all()


def test_the_gain_of_the_originals_makes_no_difference():
    sound, target = pictures(60)
    one, louder = (mixed_sounds(sound + gain, target, np.random.default_rng(1)) for gain in (0, 5))
    np.testing.assert_allclose(one, louder, atol=1e-4)


def test_halves_are_those_of_two_classes():
    """The low bands are those of one sound and the high bands those of the other."""
    for picture in made()[:20]:
        slopes = np.diff(picture[0])
        assert np.sign(slopes[:8]).tolist() == [np.sign(slopes[0])] * 8
        assert np.sign(slopes[-8:]).tolist() == [-np.sign(slopes[0])] * 8


def test_halves_are_not_equally_loud():
    """Two steady sounds of one level: the step between the halves is random."""
    sound = np.zeros((900, FRAMES, BANDS), dtype="float32")
    halves = mixed_sounds(sound, np.arange(900) % 2, np.random.default_rng(0))
    step = np.array([picture[0, -1] - picture[0, 0] for picture in halves[:100]])
    assert np.std(step) == pytest.approx(0.7, abs=0.15)
    assert np.mean(step) == pytest.approx(0, abs=0.25)


def test_spectrum_and_level_come_from_two_classes():
    sound, target = pictures(300)
    out = mixed_sounds(sound, target, np.random.default_rng(0))
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
def test_few_pictures_and_a_single_class_are_enough(count):
    sound, _ = pictures(count)
    out = mixed_sounds(sound, np.zeros(count, dtype=int), np.random.default_rng(0))
    assert len(out) == count // 3


def test_silence_stays_finite():
    silence = np.full((30, FRAMES, BANDS), np.log(1e-14), dtype="float32")
    assert np.isfinite(mixed_sounds(silence, np.arange(30) % 2, np.random.default_rng(0))).all()


# Synthetic sounds


def layer(rate=32_000):
    return LogMel(rate=rate, **dataclasses.asdict(RECIPES["statistics-cnn"].front_end))


def drawn(count=200, seed=0, **settings):
    return synthetic_sounds(count, LONG, layer(**settings), rng=np.random.default_rng(seed))


@pytest.mark.parametrize("draw", [made, drawn])
def test_the_draw_derives_from_the_generator(draw):
    np.testing.assert_array_equal(draw(60, seed=3), draw(60, seed=3))
    assert not np.array_equal(draw(60, seed=3)[-1], draw(60, seed=4)[-1])


def test_synthetic_pictures_are_finite_and_their_peaks_are_near_0():
    out = drawn()
    assert out.dtype == np.float32
    assert out.shape == (200, LONG, 128)
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out.max(axis=(1, 2)), 0, atol=0.01)


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
def test_any_rate_is_possible(rate):
    assert np.isfinite(drawn(40, rate=rate)).all()


@pytest.fixture
def tones(monkeypatch):
    """Tones of one pitch, whose higher partials fall off so much, with no curve over the bands."""

    def make(count, *, pitch, roll_off):
        monkeypatch.setattr(outliers, "_LOWEST", pitch)
        monkeypatch.setattr(outliers, "_HIGHEST", pitch)
        monkeypatch.setattr(outliers, "_ROLL_OFF", roll_off)
        monkeypatch.setattr(outliers, "_TONE_CURVE", 0.0)
        monkeypatch.setattr(outliers, "_TONE_TILT", 0.0)
        return outliers._tones(count, layer(), np.random.default_rng(0))

    return make


@pytest.mark.parametrize("line", [8, 40, 250])
def test_a_partial_looks_as_a_sine_does(tones, line):
    """On a line of the spectrum, in which a Hann window leaves three lines of a sine."""
    pitch = line * 32_000 / 2048
    drawn = tones(3, pitch=pitch, roll_off=1e9)
    sine = np.sin(2 * np.pi * pitch * np.arange(32_000) / 32_000).astype("float32")
    real = np.exp(np.float64(layer().compute(sine[None])[0, 5:15].mean(axis=0)))
    drawn, real = drawn / drawn.max(axis=1, keepdims=True), real / real.max()
    heard = real > 1e-3
    assert heard.sum() >= 1
    np.testing.assert_allclose(
        10 * np.log10(drawn[:, heard]), 10 * np.log10(real[heard])[None].repeat(3, 0), atol=0.5
    )


def test_hollow_tones_lack_their_even_harmonics(tones, monkeypatch):
    monkeypatch.setattr(outliers, "_ODD_ONLY", 1.0)
    found = tones(400, pitch=1000.0, roll_off=0.0)
    lines = np.eye(1025)[[64, 128, 192]]
    first, second, third = found[:, layer().bands(lines).argmax(axis=1)].T
    harmonic = (third > 1e-3 * first) & (second > 0)
    assert harmonic.sum() > 100
    even = 10 * np.log10(second[harmonic] / first[harmonic])
    assert np.median(even) == pytest.approx(-25, abs=4)


def test_sounds_begin_from_30_db_below_and_their_attack_takes_its_time():
    seconds = np.arange(100) * 0.032
    level = 10 * np.log10(outliers._levels(400, seconds, np.random.default_rng(0)))
    early = level[:, 0] > -139
    steady = early & (np.abs(level[:, 0] + 30) < 1e-6)
    # Three kinds of four begin there; the fourth wanders.
    assert steady.sum() / early.sum() == pytest.approx(0.75, abs=0.07)
    reached = (level[steady] > -3).argmax(axis=1)
    assert np.median(reached) <= 4
    assert reached.max() > 4


def test_a_third_of_the_tones_are_bells_whose_partials_are_no_multiples(tones):
    found = tones(600, pitch=1000.0, roll_off=0.0)
    multiples = layer().bands(np.eye(1025)[64 * np.arange(1, 16)]).sum(axis=0) > 1e-3
    elsewhere = (found * ~multiples).sum(axis=1) / found.sum(axis=1)
    assert (elsewhere > 0.05).mean() == pytest.approx(1 / 3, abs=0.07)


def test_some_sounds_begin_late_and_some_are_struck_again():
    seconds = np.arange(100) * 0.032
    level = 10 * np.log10(outliers._levels(600, seconds, np.random.default_rng(1)))
    late = level[:, 0] < -139
    assert late.mean() == pytest.approx(0.3, abs=0.06)
    # A rise by 15 dB within three frames, long after the beginning: a stroke.
    rises = level[:, 33:] - level[:, 30:-3] > 15
    assert 0.1 < (rises & (level[:, 30:-3] > -139)).any(axis=1).mean() < 0.3
