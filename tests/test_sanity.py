"""The sounds of the sanity round are what they are called; the round tells what a model says."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import hilbert, welch

from timbrel.errors import InvalidArgument
from timbrel.evaluation import sanity
from timbrel.evaluation.sanity import (
    CLASSES_OF_THE_KIND,
    DRAWS,
    LOWEST_RATE,
    SECONDS,
    SOUNDS,
    click_train,
    digital_silence,
    of_the_kind,
    pink_noise,
    sanity_round,
    speech_like_noise,
    white_noise,
)
from timbrel.inference.prediction import UNKNOWN, Prediction
from timbrel.inference.predictor import load

RATES = [4_000, 8_000, 11_025, 16_000, 22_050, 44_100, 96_000]
NAMES = list(SOUNDS)
# Byrne et al. (1994), table II: every octave of it.
SPEECH = {63: 38.6, 125: 57.7, 250: 60.3, 500: 62.1, 1000: 53.7, 2000: 48.7, 4000: 45.6, 8000: 43.7}


def rms(waveform):
    return np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))


def density(sound, rate, *, seeds=4):
    """Power density in dB by frequency in Hz, the mean over some long recordings."""
    parts = [
        welch(sound(rate, seed, seconds=20.0).astype(np.float64), rate, nperseg=rate)
        for seed in range(seeds)
    ]
    return parts[0][0], 10 * np.log10(np.mean([power for _, power in parts], axis=0) + 1e-30)


def octaves(sound, rate, centres):
    """Mean power density in dB in an octave around each centre."""
    frequency, level = density(sound, rate)
    inside = [(frequency >= c / 2**0.5) & (frequency < c * 2**0.5) for c in centres]
    return np.array([10 * np.log10(np.mean(10 ** (level[part] / 10))) for part in inside])


# Every sound


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", NAMES)
def test_a_sound_is_a_clean_waveform_at_any_rate(name, rate):
    waveform = SOUNDS[name](rate, 0)
    assert waveform.dtype == np.float32
    assert waveform.shape == (round(SECONDS * rate),)
    assert np.abs(waveform).max() < 1
    assert abs(waveform.mean(dtype=np.float64)) < 1e-5
    if name in ("digital silence", "click train"):
        assert np.abs(waveform).max() == (0 if name == "digital silence" else 0.5)
    else:
        assert rms(waveform) == pytest.approx(0.05, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_is_that_of_its_seed(name):
    sound = SOUNDS[name]
    np.testing.assert_array_equal(sound(8000, 3), sound(8000, 3))
    same = np.array_equal(sound(8000, 3), sound(8000, 4))
    assert same == (name == "digital silence")


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_is_as_long_as_it_is_asked_to_be(name):
    assert len(SOUNDS[name](16_000, 0, seconds=0.7)) == 11_200
    assert len(SOUNDS[name](44_101, 1, seconds=7.3)) == round(7.3 * 44_101)


@pytest.mark.parametrize("name", NAMES)
def test_a_rate_too_low_is_refused(name):
    with pytest.raises(InvalidArgument, match="`rate` must be at least 4000 Hz. Got 3999"):
        SOUNDS[name](3999, 0)


@pytest.mark.slow
def test_no_seed_makes_speech_like_noise_clip():
    peaks = [np.abs(speech_like_noise(4000, seed, seconds=60.0)).max() for seed in range(5)]
    assert max(peaks) < 0.8


# What each of them is


def test_silence_is_digital():
    assert not digital_silence(16_000).any()


@pytest.mark.parametrize("rate", [8_000, pytest.param(44_100, marks=pytest.mark.slow)])
def test_white_noise_is_flat(rate):
    centres = 62.5 * 2.0 ** np.arange(6 if rate == 8_000 else 8)
    level = octaves(white_noise, rate, centres)
    assert np.ptp(level) < 1.0
    # All of the power lies evenly below half of the rate.
    np.testing.assert_allclose(level, 10 * np.log10(0.05**2 / (rate / 2)), atol=0.6)


@pytest.mark.parametrize("rate", [8_000, pytest.param(44_100, marks=pytest.mark.slow)])
def test_pink_noise_falls_by_3_db_an_octave(rate):
    centres = 62.5 * 2.0 ** np.arange(6 if rate == 8_000 else 8)
    level = octaves(pink_noise, rate, centres)
    slope = np.polyfit(np.arange(len(level)), level, 1)[0]
    assert slope == pytest.approx(-10 * np.log10(2), abs=0.1)
    np.testing.assert_allclose(np.diff(level), -10 * np.log10(2), atol=0.8)


def test_pink_noise_ends_at_20_hz():
    frequency, level = density(pink_noise, 8000)
    assert level[(frequency > 0) & (frequency < 15)].max() < level[frequency == 30][0] - 30


@pytest.mark.parametrize("noise", [white_noise, pink_noise])
def test_the_noises_are_gaussian_and_steady(noise):
    waveform = noise(16_000, seconds=20.0).astype(np.float64) / 0.05
    assert np.mean(waveform**4) == pytest.approx(3, abs=0.15)
    loudness = [rms(part) for part in np.split(waveform, 20)]
    assert max(loudness) / min(loudness) < 1.3


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("name", "pitch"), [("sine at 440 Hz", 440), ("sine at 1 kHz", 1000)])
def test_a_sine_is_one_line(name, pitch, rate):
    waveform = SOUNDS[name](rate, 0).astype(np.float64)
    power = np.abs(np.fft.rfft(waveform)) ** 2
    line = round(pitch * SECONDS)
    assert power.argmax() == line
    # What is left are the rounding errors of float32.
    assert power.sum() - power[line] < 1e-9 * power.sum()


@pytest.mark.parametrize("rate", RATES)
def test_clicks_come_ten_times_a_second_up_and_down_in_turn(rate):
    waveform = click_train(rate, 5)
    edges = np.flatnonzero(np.diff(waveform != 0, prepend=False, append=False)).reshape(-1, 2)
    assert len(edges) == 10 * SECONDS
    assert set(edges[:, 1] - edges[:, 0]) == {max(round(100e-6 * rate), 1)}
    np.testing.assert_allclose(np.diff(edges[:, 0]), rate / 10, atol=1)
    side = waveform[edges[:, 0]]
    assert set(side[::2]) | set(side[1::2]) == {0.5, -0.5}
    assert (side[1:] == -side[:-1]).all()


@pytest.mark.parametrize("rate", [8_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_speech_like_noise_has_the_average_spectrum_of_speech(rate):
    frequency, level = density(speech_like_noise, rate)
    centres = np.array([centre for centre in SPEECH if centre * 1.2 < rate / 2])
    edge = 2 ** (1 / 6)
    bands = [(frequency >= c / edge) & (frequency < c * edge) for c in centres]
    found = np.array([10 * np.log10(np.sum(10 ** (level[band] / 10))) for band in bands])
    wanted = np.array([SPEECH[centre] for centre in centres])
    difference = found - wanted
    # Only the shape is that of speech; the level is ours.
    np.testing.assert_allclose(difference - np.median(difference), 0, atol=2)


def modulation(waveform, rate):
    """Share of the power of the envelope's changes between 2 and 8 Hz, of that up to 100 Hz."""
    envelope = np.abs(hilbert(waveform.astype(np.float64)))
    frequency = np.fft.rfftfreq(len(envelope), 1 / rate)
    power = np.abs(np.fft.rfft(envelope)) ** 2
    syllables = (frequency >= 2) & (frequency <= 8)
    return power[syllables].sum() / power[(frequency > 0) & (frequency < 100)].sum()


@pytest.mark.slow
def test_speech_like_noise_has_syllables():
    for seed in range(4):
        speech = speech_like_noise(8000, seed, seconds=20.0)
        assert modulation(speech, 8000) > 0.4
        assert modulation(white_noise(8000, seed, seconds=20.0), 8000) < 0.12
        # Byrne et al.: over 125 ms speech is at most about 10 dB louder than on average.
        loudness = 20 * np.log10([rms(part) / 0.05 for part in np.split(speech, 160)])
        assert 4 < loudness.max() < 12
        assert np.percentile(loudness, 10) < -4


def test_the_bands_of_speech_like_noise_wander_on_their_own():
    rate, seconds = 16_000, 30.0
    speech = speech_like_noise(rate, 1, seconds=seconds).astype(np.float64)
    spectrum = np.fft.rfft(speech)
    frequency = np.fft.rfftfreq(len(speech), 1 / rate)
    levels = []
    for low, high in ((100, 800), (900, 2400), (2600, 8000)):
        band = np.fft.irfft(np.where((frequency > low) & (frequency < high), spectrum, 0))
        levels.append([np.log(rms(part)) for part in np.split(band, int(8 * seconds))])
    between = np.corrcoef(levels)[np.triu_indices(3, 1)]
    assert np.abs(between).max() < 0.3


# The round


class StandIn:
    """Answers every sound in the same way and keeps what it heard."""

    def __init__(self, answer, *, rate=16_000, window=1600):
        self.windowing = SimpleNamespace(rate=rate, window=window)
        self.answer = answer
        self.heard = []

    def predict(self, waveform, rate):
        self.heard.append((waveform, rate))
        if not waveform.any():
            return Prediction(path="", label=UNKNOWN, accepted=False)
        label, predicted, probability = self.answer
        return Prediction(path="", label=label, predicted=predicted, probability=probability)


def test_a_model_that_vouches_for_nothing_passes():
    rows = sanity_round(StandIn((UNKNOWN, "Flute", 0.3)))
    assert [row["sound"] for row in rows] == NAMES
    assert all(row["passed"] and row["label"] == UNKNOWN for row in rows)
    assert rows[0]["sound"] == "digital silence"
    assert (rows[0]["predicted"], rows[0]["probability"]) == (None, None)
    assert (rows[1]["predicted"], rows[1]["probability"]) == ("Flute", 0.3)


def test_a_model_that_vouches_for_everything_fails():
    rows = sanity_round(StandIn(("Flute", "Flute", 0.934)))
    assert [row["sound"] for row in rows if row["passed"]] == ["digital silence"]


def test_a_model_with_a_class_of_such_sounds_passes_on_them_alone():
    rows = sanity_round(StandIn(("tape_Hiss", "tape_Hiss", 1.0)))
    passed = {row["sound"]: row["passed"] for row in rows}
    assert {name for name, ok in passed.items() if ok} == {
        "digital silence",
        "white noise",
        "pink noise",
        "speech-like noise",
    }


@pytest.fixture
def two_sounds(monkeypatch):
    """For tests of the round that do not depend on the number of sounds."""
    some = {name: SOUNDS[name] for name in ("white noise", "click train")}
    monkeypatch.setattr(sanity, "SOUNDS", some)
    return some


def test_the_sounds_are_made_for_the_model(two_sounds):
    model = StandIn((UNKNOWN, "Flute", 0.3), rate=22_050, window=2205)
    sanity_round(model)
    drawn = [(sound, seed) for sound in two_sounds.values() for seed in range(DRAWS)]
    for (waveform, rate), (sound, seed) in zip(model.heard, drawn, strict=True):
        assert rate == 22_050
        np.testing.assert_array_equal(waveform, sound(22_050, seed))


def test_the_worst_of_the_draws_counts(two_sounds):
    whites = [white_noise(16_000, seed) for seed in range(DRAWS)]

    class Unsteady(StandIn):
        """Takes one draw of white noise for a flute, and is surer of others that it does not."""

        def predict(self, waveform, rate):
            white = any(np.array_equal(waveform, draw) for draw in whites)
            third, fourth = (np.array_equal(waveform, whites[seed]) for seed in (2, 3))
            self.answer = (
                ("Flute", "Flute", 0.7)
                if third
                else ("hiss", "hiss", 0.9)
                if fourth
                else (UNKNOWN, "Flute", 0.95 if white else 0.1)
            )
            return super().predict(waveform, rate)

    rows = {row["sound"]: row for row in sanity_round(Unsteady(None))}
    assert rows["white noise"] == {
        "sound": "white noise",
        "label": "Flute",
        "predicted": "Flute",
        "probability": 0.7,
        "passed": False,
    }
    assert all(row["passed"] for name, row in rows.items() if name != "white noise")


def test_a_long_window_is_filled(two_sounds):
    model = StandIn((UNKNOWN, "Flute", 0.3), rate=8000, window=80_001)
    sanity_round(model)
    assert {len(waveform) for waveform, _ in model.heard} == {80_001}


def test_a_model_of_a_low_rate_hears_what_can_be_made(two_sounds):
    model = StandIn((UNKNOWN, "Whale", 0.3), rate=1000, window=500)
    sanity_round(model)
    assert {(rate, len(waveform)) for waveform, rate in model.heard} == {
        (LOWEST_RATE, LOWEST_RATE * SECONDS)
    }


# Classes of the kind


def test_every_sound_has_its_words():
    assert list(CLASSES_OF_THE_KIND) == NAMES


@pytest.mark.parametrize(
    ("sound", "label"),
    [
        ("white noise", "White noise"),
        ("white noise", "hiss"),
        ("white noise", "TAPE-HISS"),
        ("white noise", "NoiseBursts2"),
        ("pink noise", "radio_static"),
        ("pink noise", "Noises off"),
        ("speech-like noise", "Voices"),
        ("speech-like noise", "background noise"),
        ("sine at 440 Hz", "Sine"),
        ("sine at 1 kHz", "test tones"),
        ("sine at 1 kHz", "Tone1000"),
        ("click train", "Clicks"),
        ("click train", "mouse.click"),
        ("digital silence", "Silence of the room"),
    ],
)
def test_a_class_of_the_kind_is_known_by_a_word(sound, label):
    assert of_the_kind(sound, label)


@pytest.mark.parametrize(
    ("sound", "label"),
    [
        ("white noise", "Hi-hat"),
        ("white noise", "noiseless"),
        ("white noise", "Speech"),
        ("white noise", ""),
        ("pink noise", "Ecstatic"),
        ("pink noise", "Pink"),
        ("sine at 440 Hz", "Baritone"),
        ("sine at 440 Hz", "Xylophone_tonewood"),
        ("sine at 1 kHz", "business"),
        ("sine at 1 kHz", "440"),
        ("click train", "Clickbait"),
        ("speech-like noise", "invoice"),
        ("speech-like noise", "Sine"),
    ],
)
def test_other_classes_are_not(sound, label):
    assert not of_the_kind(sound, label)


# A real model


@pytest.mark.slow
def test_a_real_model_goes_through_the_round(tiny_model):
    predictor = load(tiny_model)
    rows = sanity_round(predictor)
    assert rows == sanity_round(load(tiny_model))
    assert rows == json.loads(json.dumps(rows))
    for row in rows:
        sound = SOUNDS[row["sound"]]
        answers = [predictor.predict(sound(16_000, seed), 16_000) for seed in range(DRAWS)]
        said = row["label"], row["predicted"], row["probability"]
        assert said in {(a.label, a.predicted, a.probability) for a in answers}
        assert row["passed"] == all(
            a.label == UNKNOWN or of_the_kind(row["sound"], a.label) for a in answers
        )
    silence, white = rows[:2]
    assert (silence["label"], silence["passed"]) == (UNKNOWN, True)
    assert (white["predicted"], white["passed"]) == ("hiss", True)


def test_a_model_that_accepts_all_still_does_not_name_silence(tiny_model):
    rows = {row["sound"]: row for row in sanity_round(load(tiny_model, threshold=0))}
    assert rows["digital silence"]["label"] == UNKNOWN
    assert rows["white noise"]["label"] == "hiss"
    assert rows["white noise"]["passed"]
    for name in ("sine at 440 Hz", "sine at 1 kHz"):
        assert rows[name]["label"] in ("hiss", "hum", "whistle")
        assert not rows[name]["passed"]
