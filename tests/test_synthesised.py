"""Pictures of sounds that nobody recorded."""

import dataclasses

import numpy as np
import pytest

from timbrel import RECIPES, LogMel
from timbrel.training import synthesised as synthesis
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


@pytest.fixture
def tones(monkeypatch):
    """Tones of one pitch, whose higher partials fall off so much, with no curve over the bands."""

    def make(count, *, pitch, roll_off):
        monkeypatch.setattr(synthesis, "_LOWEST", pitch)
        monkeypatch.setattr(synthesis, "_HIGHEST", pitch)
        monkeypatch.setattr(synthesis, "_ROLL_OFF", roll_off)
        monkeypatch.setattr(synthesis, "_OF_TONES", (0.0, 0.0))
        return synthesis._tones(count, layer(), np.random.default_rng(0))

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
    monkeypatch.setattr(synthesis, "_ODD_ONLY", 1.0)
    found = tones(400, pitch=1000.0, roll_off=0.0)
    lines = np.eye(1025)[[64, 128, 192]]
    first, second, third = found[:, layer().bands(lines).argmax(axis=1)].T
    harmonic = (third > 1e-3 * first) & (second > 0)
    assert harmonic.sum() > 100
    even = 10 * np.log10(second[harmonic] / first[harmonic])
    assert np.median(even) == pytest.approx(-25, abs=4)


def test_sounds_begin_from_30_db_below_and_their_attack_takes_its_time():
    seconds = np.arange(100) * 0.032
    level = 10 * np.log10(synthesis._levels(400, seconds, np.random.default_rng(0)))
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
    level = 10 * np.log10(synthesis._levels(600, seconds, np.random.default_rng(1)))
    late = level[:, 0] < -139
    assert late.mean() == pytest.approx(0.3, abs=0.06)
    # A rise by 15 dB within three frames, long after the beginning: a stroke.
    rises = level[:, 33:] - level[:, 30:-3] > 15
    assert 0.1 < (rises & (level[:, 30:-3] > -139)).any(axis=1).mean() < 0.3
