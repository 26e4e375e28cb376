"""Descriptors of frames agree with librosa, and statistics of recordings with known answers."""

import subprocess
import sys
from itertools import pairwise

import librosa
import numpy as np
import pytest

from conftest import RATE, sound
from timbrel.errors import InvalidArgument
from timbrel.features import statistics
from timbrel.features.statistics import (
    CEPSTRUM,
    DESCRIPTORS,
    ENVELOPE,
    MEL,
    SHAPE,
    STATISTICS,
    decibels,
    describe_frames,
    file_statistics,
)
from timbrel.workers import in_order


def made(kind, seconds=0.8, seed=3):
    """A sound that rises, falls and does not sink below 60 dB."""
    rng = np.random.default_rng(seed)
    waveform = sound(kind, seconds, rng) + 0.02 * rng.normal(size=int(seconds * RATE))
    time = np.arange(len(waveform)) / RATE
    return np.float32(waveform * np.minimum(time / 0.03, 1) * np.exp(-3 * time))


def named(waveform, rate=RATE):
    return dict(zip(STATISTICS, file_statistics(waveform, rate), strict=True))


def assert_alike(got, expected):
    """The same but for the rounding of float32, which decibels and thresholds make larger."""
    np.testing.assert_allclose(got, expected, rtol=2e-3, atol=5e-3)


def tone(hertz, seconds=1.0, rate=RATE):
    return np.float32(np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate))


# Invariances


@pytest.mark.parametrize("kind", ["hiss", "hum", "whistle"])
@pytest.mark.parametrize("gain", [2.0**-20, 0.5, 4.0])
def test_a_gain_that_is_a_power_of_two_changes_nothing(kind, gain):
    waveform = made(kind)
    np.testing.assert_array_equal(
        file_statistics(waveform * np.float32(gain), RATE), file_statistics(waveform, RATE)
    )


@pytest.mark.parametrize("kind", ["hiss", "hum", "whistle"])
@pytest.mark.parametrize(
    ("gain", "offset"),
    [(1e-30, 0), (0.0123, 0), (0.3, 0), (-1, 0), (7000, 0), (1, -0.5), (1, 0.01), (1, 0.2)],
)
def test_gain_and_a_constant_make_no_difference(kind, gain, offset):
    waveform = made(kind)
    changed = waveform * np.float32(gain) + np.float32(offset)
    assert_alike(file_statistics(changed, RATE), file_statistics(waveform, RATE))


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 5000), (12_345, 777)])
def test_quiet_around_the_sound_is_cut_off(before, after):
    waveform = made("hum")
    waveform -= waveform.mean()
    expected = file_statistics(waveform, RATE)
    assert_alike(file_statistics(np.pad(waveform, (before, after)), RATE), expected)


def test_number_types_make_no_difference():
    whole = np.round(made("hum") * 3000)
    expected = file_statistics(np.float32(whole), RATE)
    for kind in (np.int16, np.int32, np.float64):
        np.testing.assert_array_equal(file_statistics(whole.astype(kind), RATE), expected)


def test_threads_and_repetition_change_nothing_and_the_waveform_is_left_alone():
    waveforms = [made(kind, seed=seed) for kind in ("hiss", "hum", "whistle") for seed in range(5)]
    copies = [waveform.copy() for waveform in waveforms]
    expected = [file_statistics(waveform, RATE) for waveform in waveforms]
    got = list(in_order(lambda waveform: file_statistics(waveform, RATE), waveforms))
    np.testing.assert_array_equal(got, expected)
    for waveform, copy in zip(waveforms, copies, strict=True):
        np.testing.assert_array_equal(waveform, copy)


# Edges


@pytest.mark.parametrize("samples", [1, 2, 1023, 1024, 1025, 50_000])
@pytest.mark.parametrize("value", [0.0, 1e-30, 0.25, -1.0])
def test_where_nothing_sounds_all_are_zero(samples, value):
    np.testing.assert_array_equal(file_statistics(np.full(samples, value), RATE), 0)


KINDS = {
    "click": lambda n: np.eye(1, n, n // 2)[0],
    "alternating": lambda n: np.where(np.arange(n) % 2, 1.0, -1.0),
    "step": lambda n: np.where(np.arange(n) < n // 2, -1.0, 1.0),
    "noise": lambda n: np.random.default_rng(n).uniform(-1, 1, n),
    "clipped": lambda n: np.clip(30 * np.random.default_rng(n).normal(size=n), -1, 1),
    "faint": lambda n: 1e-38 * np.random.default_rng(n).uniform(-1, 1, n),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [1, 100, 8_000, 96_000])
def test_finite_at_any_length_and_rate(kind, rate):
    for samples in (2, 3, 31, 32, 33, 79, 80, 81, 511, 512, 513, 1023, 1024, 1025, 9_999):
        found = file_statistics(KINDS[kind](samples), rate)
        assert found.dtype == np.float32
        assert np.isfinite(found).all(), samples
        assert 0 <= found[STATISTICS.index("harmonicity_loudest")] <= 1


@pytest.mark.parametrize(
    ("waveform", "rate", "message"),
    [
        (np.zeros(0), RATE, "shape (0,)"),
        (np.zeros((2, 9)), RATE, "shape (2, 9)"),
        (np.float32(1), RATE, "shape ()"),
        (np.array([0, np.nan]), RATE, "finite"),
        (np.array([0, -np.inf]), RATE, "finite"),
        (np.array([0, 1e300]), RATE, "finite"),
        (np.ones(9), 0, "Got 0."),
        (np.ones(9), -8000, "Got -8000."),
    ],
)
def test_other_arguments_are_refused(waveform, rate, message):
    with pytest.raises(InvalidArgument) as error:
        file_statistics(waveform, rate)
    assert message in str(error.value)


# Frames of a recording


def prepared(waveform):
    """The waveform without its mean, at a peak of 1, quiet ends cut off."""
    waveform = np.float64(waveform) - np.mean(waveform, dtype=np.float64)
    waveform /= np.abs(waveform).max()
    loud = [place for place, value in enumerate(waveform) if abs(value) > 1e-3]
    return np.float32(waveform[loud[0] : loud[-1] + 1])


@pytest.mark.parametrize("kind", ["hiss", "hum", "whistle"])
def test_moments_agree_with_a_plain_loop(kind):
    waveform, found = made(kind), named(made(kind))
    frames = describe_frames(prepared(waveform), RATE)
    heard = [row for row in frames.rows if row[DESCRIPTORS.index("level")] > -60]
    for column, name in enumerate(DESCRIPTORS):
        track = np.float64([row[column] for row in heard])
        steps = [abs(b - a) for a, b in pairwise(track)]
        assert found[f"{name}_mean"] == pytest.approx(track.mean(), rel=1e-3, abs=2e-3)
        assert found[f"{name}_deviation"] == pytest.approx(track.std(), rel=1e-3, abs=2e-3)
        assert found[f"{name}_change"] == pytest.approx(np.mean(steps), rel=1e-3, abs=2e-3)


def test_parts_and_the_loudest_frame():
    waveform = np.concatenate([made("hiss"), made("hum"), 3 * made("whistle")])
    found, frames = named(waveform), describe_frames(prepared(waveform), RATE)
    third = len(frames.rows) / 3
    loudest = int(frames.track("level").argmax())
    later = loudest + round(0.1 / 0.016)
    assert loudest > 2 * third
    for name in CEPSTRUM:
        track = frames.track(name)
        for part in range(3):
            inside = track[int(part * third) : int(np.ceil((part + 1) * third))]
            assert found[f"{name}_part_{part + 1}"] == pytest.approx(inside.mean(), abs=1e-2)
    for name in (*CEPSTRUM, *SHAPE):
        track = frames.track(name)
        assert found[f"{name}_loudest"] == pytest.approx(track[loudest], abs=1e-2)
        assert found[f"{name}_after"] == pytest.approx(track[later] - track[loudest], abs=1e-2)


def test_a_quiet_stretch_does_not_count_in_the_moments():
    """Frames in a gap of silence are far below: only some at its edges count."""
    found = named(np.concatenate([tone(440), np.zeros(RATE, dtype=np.float32), tone(440)]))
    assert found["mel_1_mean"] > -80
    assert found["level_mean"] > -3
    assert found["voiced"] > 0.99


@pytest.mark.parametrize("hertz", [110, 440, 880])
def test_a_tone_is_voiced_at_its_pitch(hertz):
    found = named(tone(hertz))
    assert found["voiced"] == 1
    assert found["voiced_pitch"] == pytest.approx(np.log2(hertz / 440), abs=0.01)
    assert found["voiced_pitch_deviation"] < 0.02


def test_noise_is_not_voiced():
    found = named(np.random.default_rng(0).normal(size=RATE))
    assert found["voiced"] == found["voiced_pitch"] == found["voiced_pitch_deviation"] == 0


def test_a_siren_has_its_median_and_deviation_of_pitch():
    octaves = np.linspace(-1, 1, 3 * RATE)
    siren = np.sin(2 * np.pi * np.cumsum(440 * 2**octaves) / RATE)
    found = named(siren)
    assert found["voiced_pitch"] == pytest.approx(0, abs=0.03)
    assert found["voiced_pitch_deviation"] == pytest.approx(2 / np.sqrt(12), abs=0.03)


# The level over time


def test_a_steady_tone():
    found = named(tone(440, 2.0))
    assert found["envelope_seconds"] == pytest.approx(np.log10(2), abs=0.01)
    assert found["envelope_relative_centroid"] == pytest.approx(0.5, abs=0.01)
    assert found["envelope_centroid"] == pytest.approx(np.log10(1), abs=0.01)
    assert found["envelope_crest"] == pytest.approx(10 * np.log10(2), abs=0.01)
    assert found["envelope_fall_6"] == pytest.approx(found["envelope_seconds"], abs=0.3)
    assert found["envelope_above_8"] == found["envelope_above_20"] == 1
    assert found["envelope_slope"] == pytest.approx(0, abs=0.5)
    # Its sudden beginning, in two seconds.
    assert found["envelope_onsets"] == 0.5


@pytest.mark.parametrize("half_life", [0.03, 0.1, 0.3])
def test_a_struck_sound_falls_as_it_does(half_life):
    decay = 20 * np.log10(2) / half_life
    time = np.arange(3 * RATE) / RATE
    found = named(tone(400, 3.0) * 2 ** (-time / half_life))
    assert found["envelope_slope"] == pytest.approx(-decay, rel=0.03)
    assert 10 ** found["envelope_fall_6"] == pytest.approx(6 / decay, abs=0.0075)
    assert 10 ** found["envelope_fall_20"] == pytest.approx(20 / decay, abs=0.0075)
    assert 10 ** found["envelope_attack"] <= 0.01
    assert found["envelope_peak"] < 0.02
    length = min(60 / decay, 3)
    assert 10 ** found["envelope_seconds"] == pytest.approx(length, rel=0.03)
    assert found["envelope_above_20"] == pytest.approx(20 / decay / length, abs=0.02)
    assert 10 ** found["envelope_centroid"] == pytest.approx(half_life / np.log(2), rel=0.1)


@pytest.mark.parametrize("rise", [0.1, 0.4])
def test_a_blown_sound_rises_as_it_does(rise):
    time = np.arange(2 * RATE) / RATE
    found = named(tone(400, 2.0) * np.minimum(time / rise, 1))
    # From a tenth to eight tenths of the peak.
    assert 10 ** found["envelope_attack"] == pytest.approx(0.7 * rise, abs=0.011)


@pytest.mark.parametrize("beats", [2, 4, 8])
def test_beats_are_counted(beats):
    """Two steps of 5 ms each; a swell that takes its time is none."""
    time = np.arange(4 * RATE) / RATE
    since = time % (1 / beats)
    struck = tone(400, 4.0) * np.exp(-30 * since)
    assert named(struck)["envelope_onsets"] == pytest.approx(2 * beats, abs=0.6)
    assert named(struck[::-1])["envelope_onsets"] <= 0.5


@pytest.mark.parametrize(
    ("hertz", "band"), [(1, "0.5_2"), (3, "2_4"), (6, "4_8"), (12, "8_16"), (25, "16_32")]
)
def test_a_tremolo_lies_in_its_band(hertz, band):
    tremolo = tone(2000, 6.0) * (1 + 0.3 * tone(hertz, 6.0))
    found = named(tremolo)
    bands = {name: found[f"envelope_{name}"] for name in ENVELOPE if name.startswith("modulation")}
    assert max(bands, key=bands.get) == f"modulation_{band}"
    assert bands[f"modulation_{band}"] > 0.8
    assert sum(bands.values()) <= 1.0001


# Descriptors of frames


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
    """The descriptors by librosa, by name; pitch and harmonicity excepted."""
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
    assert frames.rows.dtype == np.float32
    assert (frames.rows.shape, frames.hop) == (
        (len(expected["flux"]), 70),
        frame_of(rate) / 4 / rate,
    )
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
def test_a_tone_without_its_fundamental_has_its_pitch(hertz):
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


def test_a_recording_longer_than_a_block_agrees_with_librosa():
    waveform = noisy("hum", 8_000, seconds=5)
    frames = describe_frames(waveform, 8_000)
    assert len(frames.rows) > statistics._BLOCK
    expected = oracle(waveform, 8_000)
    for name in ("mel_3", "cepstrum_2", "level", "flux"):
        np.testing.assert_allclose(frames.track(name), expected[name], atol=5e-3, err_msg=name)


def test_columns_have_their_names():
    assert (*MEL, *CEPSTRUM, *SHAPE) == DESCRIPTORS
    assert len(set(DESCRIPTORS)) == len(DESCRIPTORS) == 70
    assert len(set(STATISTICS)) == len(STATISTICS) == len(file_statistics(made("hum"), RATE))
    frames = describe_frames(noisy("hum", 16_000), 16_000)
    np.testing.assert_array_equal(frames.track("mel_1"), frames.rows[:, 0])
    np.testing.assert_array_equal(frames.track("flux"), frames.rows[:, -1])


def test_decibels_have_a_floor():
    power = np.float32([0, 1e-30, 1e-12, 1e-6, 1, 100])
    np.testing.assert_allclose(decibels(power), [-120, -120, -120, -60, 0, 20], atol=1e-4)
    assert decibels(power).dtype == np.float32


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
