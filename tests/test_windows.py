"""From a waveform to windows, and the seconds of the recording that each one covers."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from timbrel.audio.clean import Cleaned, clean, uncleaned
from timbrel.audio.decode import decode
from timbrel.audio.windows import (
    Windowing,
    cleaning_findings,
    consecutive,
    counts,
    keep,
    power,
    windows_at_once,
)

PLAIN = Windowing(rate=1000, window=10, hop=10)
CLEANING = Windowing(rate=1000, window=10, hop=10, clean_threshold=0.1, clean_window=0.005)


def ramp(samples):
    return np.arange(1, samples + 1, dtype=np.float32)


# What is kept


def test_without_a_threshold_everything_is_kept():
    waveform = np.zeros(50, dtype=np.float32)
    cleaned, left = keep(waveform, PLAIN)
    assert left
    assert cleaned.runs.tolist() == [[0, 50]]
    np.testing.assert_array_equal(cleaned.waveform, waveform)


def test_cleaning_uses_the_threshold_and_a_window_in_seconds():
    waveform = np.float32([0] * 50 + [1] * 50 + [0] * 50)
    cleaned, left = keep(waveform, CLEANING)
    assert left
    np.testing.assert_array_equal(cleaned.runs, clean(waveform, 0.1, 5).runs)
    assert cleaned.runs.tolist() == [[48, 102]]


def test_the_tutorial_window_is_1600_samples_at_16_khz():
    rng = np.random.default_rng(0)
    waveform = np.float32(rng.normal(size=20_000) * np.repeat(rng.random(20) ** 4, 1000))
    windowing = Windowing(rate=16_000, window=1600, hop=1600, clean_threshold=0.1)
    runs = keep(waveform, windowing)[0].runs
    assert 0 < len(runs) < 20
    np.testing.assert_array_equal(runs, clean(waveform, 0.1, 1600).runs)


def test_where_nothing_would_remain_everything_is_kept():
    waveform = np.full(50, 0.01, dtype=np.float32)
    cleaned, left = keep(waveform, CLEANING)
    assert not left
    assert cleaned.runs.tolist() == [[0, 50]]
    np.testing.assert_array_equal(cleaned.waveform, waveform)


# Windows


@pytest.mark.parametrize("hop", [1, 3, 5, 10, 13])
@pytest.mark.parametrize("samples", [1, 9, 10, 11, 19, 20, 21, 57])
def test_windows_are_the_slices_every_hop(samples, hop):
    windowing = dataclasses.replace(PLAIN, hop=hop)
    windows = consecutive(uncleaned(ramp(samples)), windowing)
    padded = ramp(samples).tolist() + [0.0] * (10 - samples)
    whole = [first for first in range(0, len(padded), hop) if first + 10 <= len(padded)]
    covered = whole[-1] + 10 >= len(padded) or hop >= 10
    starts = whole if covered else [*whole, whole[-1] + hop]
    padded += [0.0] * 10
    assert windows.samples.tolist() == [padded[first : first + 10] for first in starts]
    assert windows.samples.dtype == np.float32
    np.testing.assert_allclose(windows.start, np.array(starts) / 1000)
    np.testing.assert_allclose(windows.end, np.minimum(np.array(starts) + 10, samples) / 1000)


def test_times_are_those_of_the_original_across_gaps():
    runs = np.array([[100, 107], [200, 205], [300, 310]])
    windows = consecutive(Cleaned(ramp(22), runs, 400), PLAIN)
    assert windows.samples.tolist() == ramp(20).reshape(2, 10).tolist()
    np.testing.assert_allclose(windows.start, [0.100, 0.203])
    np.testing.assert_allclose(windows.end, [0.203, 0.308])


def test_a_window_that_ends_with_a_stretch_does_not_reach_into_the_gap():
    runs = np.array([[100, 110], [200, 210]])
    windows = consecutive(Cleaned(ramp(20), runs, 400), PLAIN)
    np.testing.assert_allclose(windows.start, [0.100, 0.200])
    np.testing.assert_allclose(windows.end, [0.110, 0.210])


def test_the_longest_cut_in_a_window_is_known():
    waveform = np.float32(np.repeat([1, 0, 1, 0, 1], [13, 20, 4, 40, 23]))
    cleaned = clean(waveform, 0.5, 1)
    windows = consecutive(cleaned, CLEANING)
    # Kept: 0 to 13, 33 to 37, 77 to 100; windows of 10 of these.
    np.testing.assert_allclose(windows.start, np.array([0, 10, 80, 90]) / 1000)
    np.testing.assert_allclose(windows.end, np.array([10, 80, 90, 100]) / 1000)
    np.testing.assert_allclose(windows.cut[1], np.array([37, 77]) / 1000)
    assert np.ptp(windows.cut, axis=1).astype(bool).tolist() == [False, True, False, False]


def test_a_padded_window_ends_where_the_sound_does():
    windows = consecutive(Cleaned(ramp(4), np.array([[90, 94]]), 400), PLAIN)
    assert windows.samples.tolist() == [[1, 2, 3, 4, 0, 0, 0, 0, 0, 0]]
    np.testing.assert_allclose([windows.start[0], windows.end[0]], [0.090, 0.094])


def test_each_sample_of_a_window_lies_between_its_times():
    rng = np.random.default_rng(0)
    waveform = np.float32(rng.normal(size=2000) * np.repeat(rng.random(40) ** 6, 50))
    cleaned = clean(waveform, 0.1, 5)
    windows = consecutive(cleaned, CLEANING)
    assert len(cleaned.runs) > 5
    assert len(windows.samples) == len(cleaned.waveform) // 10
    for row, start, end in zip(windows.samples, windows.start, windows.end, strict=True):
        stretch = waveform[round(start * 1000) : round(end * 1000)]
        assert stretch[0] == row[0]
        assert stretch[-1] == row[-1]
        assert set(row) <= set(stretch)


def test_real_windows_equal_a_plain_reading_of_the_tutorial(shared):
    windowing = Windowing(rate=16_000, window=1600, hop=1600, clean_threshold=0.005)
    for path in sorted((shared / "data/instruments/wavfiles").glob("*.wav"))[::40]:
        waveform = decode(path, 16_000).waveform
        level = pd.Series(np.abs(waveform)).rolling(1600, min_periods=1, center=True).mean()
        kept = waveform[(level > 0.005).to_numpy()]
        if len(kept) < 1600:
            continue
        expected = [kept[first : first + 1600] for first in range(0, len(kept) - 1599, 1600)]
        windows = consecutive(keep(waveform, windowing)[0], windowing)
        np.testing.assert_array_equal(windows.samples, expected)


def test_short_windows_go_by_the_hundred_and_long_ones_do_not():
    assert windows_at_once(1600, most=512) == 512
    assert windows_at_once(98_304, most=512) == 21
    assert windows_at_once(10_000_000, most=512) == 1


def test_less_than_a_window_is_little_where_it_is_cleaned_and_a_click_where_it_is_not():
    """Silence that fills up a window is left out by the network, as other silence is."""
    assert CLEANING.falls_short(9)
    assert not CLEANING.falls_short(10)
    assert PLAIN.falls_short(9)
    long = dataclasses.replace(PLAIN, window=3000)
    assert long.falls_short(19)
    assert not long.falls_short(20)


@pytest.mark.parametrize(
    ("windowing", "seconds", "kept", "codes", "length"),
    [
        (CLEANING, 0.010, 0.010, [], None),
        (CLEANING, 0.009, 0.009, ["too-short"], None),
        (CLEANING, 1.000, 0.009, ["too-short"], 0.009),
        (CLEANING, 1.000, 0.000, ["too-quiet"], None),
        (CLEANING, 0.009, 0.000, ["too-quiet", "too-short"], None),
        (PLAIN, 0.009, 0.009, ["too-short"], None),
        (dataclasses.replace(PLAIN, window=3000), 0.019, 0.019, ["too-short"], None),
        (dataclasses.replace(PLAIN, window=3000), 0.020, 0.020, [], None),
        # Not even a whole sample is missing.
        (CLEANING, 0.0096, 0.010, [], None),
    ],
)
def test_findings_after_cleaning(windowing, seconds, kept, codes, length):
    found = cleaning_findings("x.wav", windowing, seconds=seconds, kept=kept)
    assert [item.code for item in found] == codes
    assert {item.path for item in found} <= {"x.wav"}
    for item in found:
        if item.code == "too-short":
            assert (item.facts["seconds"], item.facts["kept"]) == (seconds, length)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([1.0], [True]),
        ([1.0, 0.0], [True, False]),
        ([0.02, 1.0, 0.009, 0.011], [True, True, False, True]),
        ([1e-5, 1e-5, 0.0], [True, True, False]),
        ([0.0, 0.0], [True, True]),
        ([], []),
    ],
)
def test_windows_far_below_the_loudest_do_not_count(levels, expected):
    signs = np.tile([1.0, -1.0], 5)
    samples = np.float32(np.reshape(levels, (-1, 1)) * signs)
    assert counts(power(samples), dataclasses.replace(PLAIN, depth=40.0)).tolist() == expected
    assert counts(power(samples), PLAIN).all()
