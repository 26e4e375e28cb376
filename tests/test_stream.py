"""Windows of a recording in pieces are those of the whole, whatever the pieces."""

import dataclasses

import numpy as np
import pytest
import soxr

from conftest import bursts
from timbrel.audio.clean import CleanStream, clean, envelope
from timbrel.audio.decode import decode
from timbrel.audio.samples import Resampler, resample
from timbrel.audio.windows import Windowing, Windows, WindowStream, consecutive, keep

SECOND = Windowing(rate=1000, window=10, hop=10)
CLEANING = Windowing(rate=1000, window=10, hop=10, clean_threshold=0.1, clean_window=0.005)


def pieces(waveform, seed):
    """A waveform cut at random places, some pieces empty and many of one sample."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(0, len(waveform) + 1, rng.integers(0, 60)))
    return np.split(waveform, cuts)


def in_pieces(parts, windowing, **how):
    """All windows of a stream, and the stream."""
    stream = WindowStream(windowing, **how)
    found = [*(stream.push(part) for part in parts), stream.finish()]
    joined = (
        np.concatenate([getattr(item, name) for item in found])
        for name in ("samples", "start", "end", "cut")
    )
    return Windows(*joined), stream


def assert_equal(windows, expected):
    np.testing.assert_array_equal(windows.samples, expected.samples)
    np.testing.assert_array_equal(windows.start, expected.start)
    np.testing.assert_array_equal(windows.end, expected.end)
    # In pieces, a stretch may itself be in pieces.
    np.testing.assert_array_equal(np.ptp(windows.cut, axis=1), np.ptp(expected.cut, axis=1))
    there = np.ptp(expected.cut, axis=1) > 0
    np.testing.assert_array_equal(windows.cut[there], expected.cut[there])


# Windows


@pytest.mark.parametrize("hop", [1, 3, 9, 10, 13, 25])
@pytest.mark.parametrize("samples", [1, 9, 10, 11, 20, 57, 500])
def test_windows_are_those_of_the_whole(samples, hop):
    windowing = dataclasses.replace(SECOND, hop=hop)
    waveform = bursts(samples)
    expected = consecutive(keep(waveform, windowing)[0], windowing)
    for seed in range(10):
        windows, stream = in_pieces(pieces(waveform, seed), windowing)
        assert_equal(windows, expected)
        assert (stream.kept, stream.decided) == (samples, samples)


@pytest.mark.parametrize("hop", [3, 10, 13])
@pytest.mark.parametrize("block", [1, 7, 100])
@pytest.mark.parametrize("clean_window", [0.001, 0.005, 0.05, 0.5])
def test_cleaned_windows_are_those_of_the_whole(hop, block, clean_window):
    for seed in range(4):
        waveform = bursts(900, seed)
        threshold = float(np.median(envelope(waveform, int(1000 * clean_window))))
        windowing = Windowing(1000, 10, hop, threshold, clean_window)
        cleaned, left = keep(waveform, windowing)
        assert left
        windows, stream = in_pieces(pieces(waveform, seed), windowing, block=block)
        assert_equal(windows, consecutive(cleaned, windowing))
        assert (stream.kept, stream.decided) == (len(cleaned.waveform), 900)


def test_where_cleaning_leaves_nothing_there_is_no_window():
    windows, stream = in_pieces([np.full(500, 0.01, np.float32)], CLEANING)
    assert len(windows.samples) == stream.kept == 0


def test_a_window_is_given_when_its_last_sample_has_come():
    stream = WindowStream(dataclasses.replace(SECOND, hop=4))
    counts = [len(stream.push(np.ones(1, np.float32)).samples) for _ in range(18)]
    assert np.flatnonzero(counts).tolist() == [9, 13, 17]


def test_memory_does_not_grow():
    for windowing in (SECOND, CLEANING, dataclasses.replace(CLEANING, hop=4)):
        stream = WindowStream(windowing, block=50)
        waveform = bursts(10_000)
        for first in range(0, len(waveform), 50):
            stream.push(waveform[first : first + 50])
            assert len(stream._here) < 200
            assert len(stream._runs) < 100


def test_real_recordings_in_pieces(shared):
    windowing = Windowing(rate=16_000, window=1600, hop=1600, clean_threshold=0.005)
    for number, path in enumerate(sorted((shared / "data/instruments/wavfiles").glob("*"))[::40]):
        waveform = decode(path, 16_000).waveform
        cleaned, left = keep(waveform, windowing)
        if left:
            for how in ({}, {"block": 160}):
                windows, _ = in_pieces(pieces(waveform, number), windowing, **how)
                assert_equal(windows, consecutive(cleaned, windowing))


# Cleaning


@pytest.mark.parametrize("window", [1, 2, 9, 160])
def test_kept_samples_are_exactly_the_same(window):
    # Longer than the block of the whole, and with many levels close to the threshold.
    waveform = bursts(100_000)
    threshold = float(np.median(envelope(waveform, window)))
    whole = clean(waveform, threshold, window)
    for seed in range(3):
        stream = CleanStream(threshold, window)
        parts = [*(stream.push(part) for part in pieces(waveform, seed)), stream.finish()]
        np.testing.assert_array_equal(np.concatenate([kept for kept, _ in parts]), whole.waveform)
        mask = np.zeros(len(waveform), dtype=bool)
        for _, runs in parts:
            for first, end in runs:
                mask[first:end] = True
        expected = np.zeros(len(waveform), dtype=bool)
        for first, end in whole.runs:
            expected[first:end] = True
        np.testing.assert_array_equal(mask, expected)


def test_cleaning_waits_for_half_a_window_and_no_more():
    stream = CleanStream(0.1, 11, block=1)
    decided = []
    for _ in range(20):
        stream.push(np.ones(1, np.float32))
        decided.append(stream.decided)
    assert decided == [max(number - 5, 0) for number in range(1, 21)]


# Resampling


@pytest.mark.parametrize("source", [8000, 11_025, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("rate", [16_000, 32_000])
@pytest.mark.parametrize("samples", [0, 1, 2, 500, 150_001])
def test_resampling_in_pieces_is_the_same_to_the_bit(source, rate, samples):
    waveform = np.float32(np.random.default_rng(0).normal(size=samples))
    resampler = Resampler(source, rate)
    parts = [*(resampler.push(part) for part in pieces(waveform, 1)), resampler.finish()]
    np.testing.assert_array_equal(np.concatenate(parts), resample(waveform, source, rate))
    if samples == 150_001:
        expected = soxr.resample(waveform, source, rate, quality="HQ")
        np.testing.assert_array_equal(np.concatenate(parts), expected)
