"""Peak, level, offset and clipping, and no false findings in clean sounds."""

import itertools

import numpy as np
import pytest

from timbrel.audio.levels import measure_levels

RATE = 44_100
STEP = 2.0**-15
RATES = (8_000, 16_000, 44_100, 96_000)
# Long sounds of the higher rates take their time.
LOW_RATES_AT_ONCE = [
    rate if rate < 44_100 else pytest.param(rate, marks=pytest.mark.slow) for rate in RATES
]


def quantised(waveform, bits=16):
    """As a file of so many bits holds it."""
    full = 2.0 ** (bits - 1)
    return np.float32(np.clip(np.round(np.asarray(waveform) * full), -full, full - 1) / full)


def normalised(waveform):
    return waveform / np.abs(waveform).max()


def times(seconds, rate=RATE):
    return np.arange(round(seconds * rate)) / rate


def sine(pitch, seconds, *, rate=RATE, phase=0.0):
    return np.sin(2 * np.pi * pitch * times(seconds, rate) + phase)


def saw(pitch, seconds, *, rate=RATE, phase=0.0):
    """The naive one: it falls from top to bottom between two samples."""
    return 2 * ((pitch * times(seconds, rate) + phase) % 1) - 1


def clipped(waveform, rate=RATE):
    return measure_levels(waveform, rate).clipped


def offset(waveform, rate=RATE):
    return measure_levels(np.float32(waveform), rate).offset


def matters(waveform, rate=RATE):
    """Whether `check` would name the offset."""
    levels = measure_levels(np.float32(waveform), rate)
    return abs(levels.offset) >= max(0.002, 0.05 * levels.rms)


# Clipping


def plain_clipped(waveform):
    """Sample by sample."""
    values = [float(value) for value in waveform]
    steps = [b - a for a, b in itertools.pairwise(sorted(set(values)))]
    steep = 12 * max(min(steps, default=1.0), STEP)
    total = 0
    for sign in (1, -1):
        side = [sign * value for value in values]
        top = max(side)
        place = 0
        while top > 0 and place < len(side):
            end = place
            while end < len(side) and side[end] == top:
                end += 1
            sides = [
                each for each in (side[max(place - 2, 0) : place], side[end : end + 2]) if each
            ]
            falls = all(top - min(each) >= steep for each in sides)
            if end - place >= 3 and sides and falls:
                total += end - place
            place = max(end, place + 1)
    return total


@pytest.mark.parametrize("seed", range(40))
def test_clipped_samples_are_those_of_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    samples = int(rng.integers(1, 400))
    kinds = {
        "few values": rng.integers(-3, 4, samples) / rng.choice([4.0, 40.0, 40_000.0]),
        "noise": rng.normal(size=samples) * rng.uniform(0.1, 3),
        "walk": np.cumsum(rng.normal(size=samples)) * rng.choice([0.001, 0.1]),
        "wave": rng.uniform(0.5, 4) * np.sin(rng.uniform(0.01, 2) * np.arange(samples)),
        "steps": np.repeat(rng.normal(size=samples), rng.integers(1, 6, samples)),
    }
    for waveform in kinds.values():
        for bits in (8, 16):
            sound = quantised(np.clip(waveform, -0.7, rng.uniform(0.2, 1)), bits)
            assert clipped(sound) == plain_clipped(sound)


NEARLY = 1 - 11 * STEP
WELL = 1 - 12 * STEP


@pytest.mark.parametrize(
    ("waveform", "expected"),
    [
        # Two samples at the top are none, three are.
        ([0, 0.5, 1, 1, 0.5], 0),
        ([0, 0.5, 1, 1, 1, 0.5], 3),
        ([0, 0.5, 1, 1, 1, 0.5, 1, 1, 1, 1], 7),
        # At the bottom too; each side has a top of its own.
        ([0, -0.5, -0.5, -0.5], 3),
        ([0, 0.8, 0.8, 0.8, 0, -0.5, -0.5, -0.5, -0.5], 7),
        # Below the top is not the top.
        ([0, 0.5, 0.5, 0.5, 0, 0.6], 0),
        # At the beginning of the recording there is one side only.
        ([1, 1, 1], 3),
        ([1, 1, 0, 1, 1], 0),
        ([1, 1, 1, NEARLY, NEARLY], 0),
        # The fall within two samples on either side, in steps of 16 bits.
        ([0, WELL, WELL, 1, 1, 1, WELL, WELL], 3),
        ([0, WELL, NEARLY, 1, 1, 1, NEARLY, WELL], 3),
        ([0, NEARLY, NEARLY, 1, 1, 1, WELL], 0),
        ([0, WELL, 1, 1, 1, NEARLY, NEARLY], 0),
    ],
)
def test_worked_by_hand(waveform, expected):
    # What follows shows that the sound knows steps of 16 bits.
    waveform = np.float32([*waveform, 0, STEP, 0])
    for same in (waveform, -waveform, waveform[::-1]):
        assert clipped(same) == plain_clipped(same) == expected


@pytest.mark.parametrize(
    ("waveform", "expected"),
    [
        # The finest step of the sound's own, 0.05, twelve times.
        ([0, 0.05, 0.15, 1, 1, 1, 0.05, 0], 3),
        ([0, 0.05, 0.5, 0.45, 1, 1, 1, 0.05, 0], 0),
        # Nothing but one value is no piece of anything.
        ([1, 1, 1, 1], 0),
        ([-1, -1, -1, -1], 0),
        ([0, 0, 0, 0], 0),
        ([0.5], 0),
        ([1, 1], 0),
    ],
)
def test_worked_by_hand_as_it_is(waveform, expected):
    waveform = np.float32(waveform)
    for same in (waveform, -waveform, waveform[::-1]):
        assert clipped(same) == plain_clipped(same) == expected


def test_a_clipped_sine_counts_its_flat_samples():
    # A gain of 2 cuts off what is between 30 and 150 degrees of each half: 200 of 300 samples.
    sound = quantised(np.clip(2 * sine(73.5, 1.0, phase=1e-4), -1, 1))
    assert clipped(sound) == plain_clipped(sound) == pytest.approx(2 * 73.5 * 200, rel=0.02)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("gain", [2, 3, 6])
def test_sounds_that_are_too_loud_are_found(rate, gain):
    rng = np.random.default_rng(0)
    for pitch in (50, 100, 440, rate / 50):
        wave = sum(sine(k * pitch, 0.5, rate=rate) / k for k in range(1, 6))
        sound = normalised(wave + 0.01 * rng.normal(size=len(wave)))
        assert clipped(quantised(np.clip(gain * sound, -1, 1)), rate) >= 10
        # Turned down afterwards, it is as clipped as before.
        assert clipped(quantised(0.3 * np.clip(gain * sound, -1, 1)), rate) >= 10
        assert clipped(np.float32(0.3 * np.clip(gain * sound, -0.9, 1)), rate) >= 10


def test_the_finest_step_of_a_long_recording_is_found_wherever_it_is():
    loud = quantised(np.clip(3 * sine(110.1, 10.0), -1, 1))
    for parts in ([np.zeros(300_000), loud], [loud, np.zeros(300_000)]):
        sound = np.float32(np.concatenate(parts))
        assert clipped(sound) == pytest.approx(clipped(loud), abs=3)
    assert clipped(loud) > 300_000


def test_polarity_order_and_powers_of_two_change_nothing():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        sound = quantised(np.clip(rng.normal(size=3000).cumsum() / 20, -0.8, 0.7))
        count = clipped(sound)
        assert clipped(-sound) == clipped(sound[::-1]) == count
        assert clipped(2 * sound) == count
    assert count > 0


PITCHES = (20, 20.01, 25, 41.2, 50, 60, 100, 440, 441, 1000, 1024, 2756.25)


def clean_waves(rate):
    top = [rate / 4, rate / 4 - 1, rate / 5, rate / 6, rate / 8, rate / 12, rate / 16.001]
    for number, pitch in enumerate([*PITCHES, *top]):
        if pitch <= rate / 4:
            for phase in (0.0, 0.25 + 0.01 * number):
                yield sine(pitch, 0.3, rate=rate, phase=2 * np.pi * phase)
                yield saw(pitch, 0.3, rate=rate, phase=phase)
                yield np.abs(saw(pitch, 0.3, rate=rate, phase=phase)) * 2 - 1


@pytest.mark.parametrize("rate", LOW_RATES_AT_ONCE)
@pytest.mark.parametrize("level", [None, 1.0, 0.5, 0.1, 0.02, 0.002])
def test_clean_waves_are_not_clipped(rate, level):
    for wave in clean_waves(rate):
        sound = quantised(normalised(wave) * (1 - STEP) if level is None else level * wave)
        assert clipped(sound, rate) < 10


@pytest.mark.parametrize("rate", LOW_RATES_AT_ONCE)
@pytest.mark.parametrize("bits", [8, 16, 24])
@pytest.mark.parametrize("level", [1.0, 0.1, 0.003])
def test_clean_noises_and_tones_are_not_clipped(rate, bits, level):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        white = rng.normal(size=rate // 2)
        decay = np.exp(-times(0.5, rate) * 12)
        tone = sum(sine(rng.uniform(60, 900) * k, 0.5, rate=rate) / k for k in range(1, 9))
        for wave in (white, np.cumsum(white), decay * white, decay * tone, tone):
            assert clipped(quantised(level * normalised(wave) * (1 - STEP), bits), rate) < 10


def test_a_square_wave_is_as_it_should_be():
    """It has no finer step than its own height, so there is no sign of clipping."""
    for level in (1.0, 0.25):
        assert clipped(quantised(level * np.sign(sine(441, 0.5, phase=1e-3)))) == 0


# Offset


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("constant", [0.002, -0.01, 0.05, -0.3])
def test_a_constant_is_measured_under_a_tone(rate, constant):
    for pitch in (110, 440, 1003, rate / 4):
        for seconds in (0.2, 0.5, 1.37):
            wave = 0.02 * sine(pitch, seconds, rate=rate) + constant
            assert offset(wave, rate) == pytest.approx(constant, abs=2e-5)


def test_a_constant_is_measured_under_sound_that_comes_and_goes():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        bursts = rng.normal(size=2 * RATE) * (sine(3, 2.0, phase=seed) > 0) * 0.1
        assert offset(bursts + 0.02) == pytest.approx(0.02, abs=2e-3)


HALF_PIECE = round(0.05 * RATE)


@pytest.mark.parametrize(
    ("waveform", "expected"),
    [
        (np.full(RATE, 0.1), 0.1),
        (np.full(RATE, -0.1), -0.1),
        (np.full(2_000_000, 0.1), 0.1),
        (np.zeros(RATE), 0),
        # Three halves of a piece are needed.
        (np.full(3 * HALF_PIECE - 1, 0.1), 0),
        (np.full(3 * HALF_PIECE, 0.1), 0.1),
        # A drift is no offset.
        (np.linspace(0, 0.5, RATE), 0),
        (np.linspace(-0.5, 0.5, RATE), 0),
        (0.5 * np.exp(-5 * times(1.0)), 0),
    ],
)
def test_constants_and_drifts(waveform, expected):
    assert offset(waveform) == pytest.approx(expected, rel=1e-6, abs=0)


@pytest.mark.parametrize("rate", LOW_RATES_AT_ONCE)
def test_tones_have_none(rate):
    """Those that fill a piece with one half wave more on one side than on the other, above all."""
    for pitch in (20, 20.5, 21, 23.7, 30, 35, 41.2, 50, 60, 70, 90, 110, 440):
        for seconds in (0.15, 0.2, 0.25, 0.55):
            for phase in np.linspace(0, 2 * np.pi, 6, endpoint=False):
                assert not matters(0.5 * sine(pitch, seconds, rate=rate, phase=phase), rate)


@pytest.mark.parametrize("pitch", [0.5, 1, 2, 3, 5, 7, 10, 12.5, 15, 20])
def test_slow_waves_have_none(pitch):
    for phase in np.linspace(0, 2 * np.pi, 12, endpoint=False):
        assert abs(offset(0.5 * sine(pitch, 2.0, phase=phase))) < 1e-9


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seconds", [0.5, 1.5])
def test_noises_have_none(rate, seconds):
    for seed in range(6):
        white = np.random.default_rng(seed).normal(size=round(seconds * rate))
        assert not matters(0.1 * white, rate)
        # A random walk that is drawn back, as a microphone's is: rumble down to 5 Hz.
        keep = np.exp(-2 * np.pi * 5 / rate)
        spectrum = np.fft.rfft(white) / (
            1 - keep * np.exp(-2j * np.pi * np.fft.rfftfreq(len(white)))
        )
        spectrum[0] = 0
        assert not matters(0.1 * normalised(np.fft.irfft(spectrum, len(white))), rate)


def test_polarity_turns_it_round_and_gain_scales_it():
    rng = np.random.default_rng(0)
    wave = np.float32(0.1 * rng.normal(size=RATE) + 0.03)
    assert offset(-wave) == -offset(wave) != 0.0
    assert offset(2 * wave) == 2 * offset(wave)


# Peak and level


def test_peak_and_level_of_a_sine_of_8_bits_and_of_silence():
    levels = measure_levels(np.float32(0.5 * sine(441, 1.0)), RATE)
    assert levels.peak == pytest.approx(0.5, rel=1e-4)
    assert levels.rms == pytest.approx(0.5 / np.sqrt(2), rel=1e-6)
    assert measure_levels(np.full(2_000_000, 0.1, np.float32), RATE).rms == pytest.approx(0.1)
    silent = measure_levels(np.zeros(10, np.float32), RATE)
    assert (silent.peak, silent.rms, silent.offset, silent.clipped) == (0.0, 0.0, 0.0, 0)


@pytest.mark.parametrize("value", [0.0, 0.25, -1.0, 2.5])
@pytest.mark.parametrize("rate", [1, 8_000, 192_000])
def test_one_sample(value, rate):
    levels = measure_levels(np.float32([value]), rate)
    assert (levels.peak, levels.rms) == (abs(value), abs(value))
    assert (levels.offset, levels.clipped) == (0.0, 0)
    assert all(type(item) is float for item in (levels.peak, levels.rms, levels.offset))
