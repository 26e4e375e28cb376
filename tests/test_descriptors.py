"""Descriptors of frames: the same as librosa's, and true of sounds whose answer is known."""

import subprocess
import sys

import librosa
import numpy as np
import pytest

from conftest import sound
from timbrel.features import statistics
from timbrel.features.statistics import (
    CEPSTRUM,
    DESCRIPTORS,
    MEL,
    SHAPE,
    decibels,
    describe_frames,
)

RATES = (8_000, 16_000, 44_100, 96_000)


def frame_of(rate):
    """The power of two that is closest to 64 ms, by ratio."""
    return min((2**power for power in range(5, 20)), key=lambda n: abs(np.log(n / (0.064 * rate))))


def cut(waveform, rate):
    """Frames float64 `(frame, frames)`, the last one zero-padded."""
    frame = frame_of(rate)
    hop = frame // 4
    count = 1 + -(-max(len(waveform) - frame, 0) // hop)
    padded = np.pad(np.float64(waveform), (0, (count - 1) * hop + frame - len(waveform)))
    return librosa.util.frame(padded, frame_length=frame, hop_length=hop)


def oracle(waveform, rate):
    """What librosa says of the frames, by name; pitch and harmonicity excepted."""
    frames = cut(waveform, rate)
    frame = len(frames)
    taper = librosa.filters.get_window("hann", frame, fftbins=True)
    power = np.abs(np.fft.rfft(frames * taper[:, None], axis=0)) ** 2
    magnitude, settings = np.sqrt(power), {"sr": rate, "n_fft": frame}
    mel = librosa.power_to_db(
        librosa.feature.melspectrogram(S=power, n_mels=40, htk=True, **settings),
        ref=np.max,
        amin=1e-12,
        top_db=80,
    )
    cepstrum = librosa.feature.mfcc(S=mel, n_mfcc=21, dct_type=2, norm="ortho")[1:]
    level = librosa.power_to_db(power.mean(axis=0), ref=np.max, amin=1e-12, top_db=None)
    flatness = librosa.feature.spectral_flatness(S=magnitude, amin=1e-12)[0]
    signs = [np.count_nonzero(np.diff(np.signbit(row))) / frame for row in frames.T]
    rolloff = librosa.feature.spectral_rolloff
    return {
        **dict(zip(MEL, mel, strict=True)),
        **dict(zip(CEPSTRUM, cepstrum, strict=True)),
        "centroid": librosa.feature.spectral_centroid(S=magnitude, **settings)[0] / 1000,
        "bandwidth": librosa.feature.spectral_bandwidth(S=magnitude, **settings)[0] / 1000,
        "rolloff_85": rolloff(S=magnitude, roll_percent=0.85, **settings)[0] / 1000,
        "rolloff_50": rolloff(S=magnitude, roll_percent=0.5, **settings)[0] / 1000,
        "flatness": 10 * np.log10(flatness),
        "level": level,
        "zero_crossings": np.array(signs),
        "flux": librosa.onset.onset_strength(S=mel, sr=rate, lag=1, max_size=1, center=False),
    }


def noisy(kind, rate, seconds=0.7):
    """A sound at a peak of 1 whose bands are all well above the floor."""
    rng = np.random.default_rng(5)
    waveform = sound(kind, seconds, rng, rate=rate) + 0.02 * rng.normal(size=int(seconds * rate))
    waveform *= np.exp(-2 * np.arange(len(waveform)) / rate)
    return np.float32(waveform / np.abs(waveform).max())


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", ["hiss", "hum", "whistle"])
def test_agree_with_librosa(kind, rate):
    waveform = noisy(kind, rate)
    frames, expected = describe_frames(waveform, rate), oracle(waveform, rate)
    step = rate / frame_of(rate) / 1000
    # Decibels from float32 spectra; a roll-off moves by a bin where two sums are nearly equal.
    tolerance = {"centroid": 1e-4, "bandwidth": 1e-4, "zero_crossings": 1e-7}
    tolerance |= {"rolloff_85": 1.01 * step, "rolloff_50": 1.01 * step}
    for name in set(DESCRIPTORS) - {"pitch", "harmonicity"}:
        got, wanted = frames.track(name), expected[name]
        np.testing.assert_allclose(
            got, wanted, rtol=1e-4, atol=tolerance.get(name, 5e-3), err_msg=name
        )
        if name.startswith("rolloff"):
            assert np.mean(np.abs(got - wanted) < step / 100) > 0.95


def loudest_periods(waveform, rate):
    """Harmonicity and pitch as the docstring of Boersma's method has them, a frame at a time."""
    frames = cut(waveform, rate)
    taper = librosa.filters.get_window("hann", len(frames), fftbins=True)
    shortest, longest = round(rate / 2000), round(rate / 50)
    found = []
    for frame in (frames * taper[:, None]).T:
        at = {
            lag: (frame @ np.roll(frame, -lag)) / (frame @ frame)
            / ((taper @ np.roll(taper, -lag)) / (taper @ taper))
            for lag in range(longest + 2)
        }  # fmt: skip
        negative = min((lag for lag in at if at[lag] < 0), default=longest + 2)
        strongest = 0
        for lag in range(max(shortest, negative + 1), longest):
            before, height, after = at[lag - 1], at[lag], at[lag + 1]
            bend, aside = before - 2 * height + after, 0
            if height >= max(before, after):
                height -= (before - after) ** 2 / (8 * bend)
                aside = (before - after) / (2 * bend)
            strength = height * (1 - 0.02 * np.log2(lag / shortest))
            if strength > strongest:
                strongest, best = strength, (min(height, 1), np.log2(rate / (lag + aside) / 440))
        found.append(best)
    return np.array(found).T


@pytest.mark.parametrize(("kind", "rate"), [("hum", 8_000), ("hum", 16_000), ("whistle", 44_100)])
def test_pitch_and_harmonicity_agree_with_a_plain_loop(kind, rate):
    waveform = noisy(kind, rate, seconds=0.3)
    frames = describe_frames(waveform, rate)
    harmonicity, pitch = loudest_periods(waveform, rate)
    np.testing.assert_allclose(frames.track("harmonicity"), harmonicity, atol=1e-4)
    np.testing.assert_allclose(frames.track("pitch"), pitch, atol=1e-3)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hertz", [70, 110, 261.6, 440, 1000, 1234.5, 1900])
def test_a_tone_has_its_pitch(hertz, rate):
    """Within a fifth of a semitone, where a period is only four samples long too."""
    tone = np.sin(2 * np.pi * hertz * np.arange(rate // 2) / rate)
    frames = describe_frames(np.float32(tone), rate)
    inside = slice(0, -4)
    np.testing.assert_allclose(frames.track("pitch")[inside], np.log2(hertz / 440), atol=1 / 60)
    assert frames.track("harmonicity")[inside].min() > 0.95
    middle = np.median(frames.track("centroid"))
    assert middle == pytest.approx(hertz / 1000, abs=0.5 * rate / frame_of(rate) / 1000 + 0.01)


@pytest.mark.parametrize("hertz", [110, 220, 700])
def test_a_missing_fundamental_is_heard(hertz):
    time = np.arange(8000) / 16_000
    tone = sum(np.cos(2 * np.pi * hertz * number * time) for number in (2, 3, 4, 5)) / 4
    frames = describe_frames(np.float32(tone), 16_000)
    np.testing.assert_allclose(frames.track("pitch")[:-4], np.log2(hertz / 440), atol=1 / 60)


def test_noise_has_no_pitch_worth_the_name():
    noise = np.random.default_rng(0).normal(size=32_000).astype(np.float32) / 5
    harmonicity = describe_frames(noise, 16_000).track("harmonicity")
    assert np.median(harmonicity) < 0.4
    assert harmonicity.max() < 0.6


def test_white_noise_is_flat_and_a_tone_is_not():
    noise = np.random.default_rng(0).normal(size=32_000).astype(np.float32) / 5
    # The mean logarithm of an exponential variate is Euler's constant below that of its mean.
    euler = -10 / np.log(10) * np.euler_gamma
    assert describe_frames(noise, 16_000).track("flatness").mean() == pytest.approx(euler, abs=0.1)
    tone = np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000).astype(np.float32)
    assert describe_frames(tone, 16_000).track("flatness")[:-4].max() < -40


def test_a_click_is_where_it_is():
    click = np.float32(np.eye(1, 16_000, 8_000)[0])
    frames = describe_frames(click, 16_000)
    inside = [number for number in range(len(frames.rows)) if 0 < 8_000 - number * 256 < 1024]
    assert frames.track("flux").argmax() in inside
    assert frames.track("level").argmax() in inside
    assert (frames.track("level").argsort()[-len(inside) :] >= inside[0]).all()


@pytest.mark.parametrize("block", [1, 7, 10**6])
def test_blocks_are_not_heard(block, monkeypatch):
    waveform = noisy("hum", 16_000, seconds=1.5)
    expected = describe_frames(waveform, 16_000)
    monkeypatch.setattr(statistics, "_BLOCK", block)
    got = describe_frames(waveform, 16_000)
    np.testing.assert_allclose(got.rows, expected.rows, rtol=1e-5, atol=1e-5)


def test_a_recording_longer_than_a_block_agrees_with_librosa():
    waveform = noisy("hum", 8_000, seconds=5)
    frames = describe_frames(waveform, 8_000)
    assert len(frames.rows) > statistics._BLOCK
    expected = oracle(waveform, 8_000)
    for name in ("mel_3", "cepstrum_2", "level", "flux"):
        np.testing.assert_allclose(frames.track(name), expected[name], atol=5e-3, err_msg=name)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", ["zero", "constant", "click", "square", "noise"])
def test_always_finite_whatever_the_length(kind, rate):
    frame = frame_of(rate)
    for samples in (1, 2, 3, 15, frame - 1, frame, frame + 1, 3 * frame + 7):
        waveform = {
            "zero": np.zeros(samples),
            "constant": np.ones(samples),
            "click": np.eye(1, samples)[0],
            "square": np.where(np.arange(samples) // 5 % 2, 1, -1),
            "noise": np.random.default_rng(samples).uniform(-1, 1, samples),
        }[kind]
        frames = describe_frames(np.float32(waveform), rate)
        count = 1 + -(-max(samples - frame, 0) // (frame // 4))
        assert frames.rows.shape == (count, len(DESCRIPTORS))
        assert frames.rows.dtype == np.float32
        assert np.isfinite(frames.rows).all()
        harmonicity = frames.track("harmonicity")
        assert harmonicity.min() >= 0
        assert harmonicity.max() <= 1


def test_columns_have_their_names():
    assert (*MEL, *CEPSTRUM, *SHAPE) == DESCRIPTORS
    assert len(set(DESCRIPTORS)) == len(DESCRIPTORS) == 70
    frames = describe_frames(noisy("hum", 16_000), 16_000)
    assert frames.rows.shape[1] == 70
    np.testing.assert_array_equal(frames.track("mel_1"), frames.rows[:, 0])
    np.testing.assert_array_equal(frames.track("flux"), frames.rows[:, -1])
    assert frames.hop == 256 / 16_000


def test_decibels_have_a_floor():
    power = np.float32([0, 1e-30, 1e-12, 1e-6, 1, 100])
    np.testing.assert_allclose(decibels(power), [-120, -120, -120, -60, 0, 20], atol=1e-4)
    assert decibels(power).dtype == np.float32


def test_the_waveform_is_left_alone():
    waveform = noisy("hum", 16_000)
    before = waveform.copy()
    describe_frames(waveform, 16_000)
    np.testing.assert_array_equal(waveform, before)


@pytest.mark.slow
def test_need_no_keras():
    code = "import sys, timbrel.features.statistics\nprint({'keras', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_missing_extra_is_named():
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "from timbrel.errors import MissingExtra\n"
        "try:\n    import timbrel.features.statistics\n"
        "except MissingExtra as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        'Training and feature extraction needs more packages: pip install "timbrel[train]"'
    )
