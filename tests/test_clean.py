"""Cleaning keeps the samples that the tutorial's pandas lines keep, and knows their places."""

import time

import numpy as np
import pandas as pd
import pytest

from conftest import bursts
from timbrel.audio import clean as module
from timbrel.audio.clean import clean, envelope
from timbrel.audio.decode import decode

WINDOW = 1600
TIE = 1e-12


def reference(waveform, window):
    """The tutorial's envelope."""
    series = pd.Series(np.abs(waveform))
    return series.rolling(window, min_periods=1, center=True).mean().to_numpy(dtype=float)


def mask_of(cleaned):
    mask = np.zeros(cleaned.samples, dtype=bool)
    for first, end in cleaned.runs:
        mask[first:end] = True
    return mask


def assert_as_reference(waveform, threshold, window):
    level = reference(waveform, window)
    cleaned = clean(waveform, threshold, window)
    mask = mask_of(cleaned)
    sure = np.abs(level - threshold) > TIE
    np.testing.assert_array_equal(mask[sure], (level > threshold)[sure])
    np.testing.assert_array_equal(cleaned.waveform, waveform[mask])
    return mask


# The same as pandas


@pytest.mark.parametrize("window", [1, 2, 3, 8, 9, 160])
def test_mask_and_envelope_equal_pandas_at_every_length(window):
    for samples in sorted({0, 1, 2, 3, window - 1, window, window + 1, 2 * window, 1000}):
        waveform = bursts(samples, seed=samples)
        expected = reference(waveform, window)
        np.testing.assert_allclose(envelope(waveform, window), expected, rtol=0, atol=1e-14)
        for threshold in (0.0, 0.005, 0.1, 1.0):
            assert_as_reference(waveform, threshold, window)


@pytest.mark.parametrize("threshold", [0.005, 0.0005, 0.05])
def test_masks_of_real_recordings_equal_pandas(shared, threshold):
    kept = []
    for path in sorted((shared / "data/instruments/wavfiles").glob("*.wav"))[::15]:
        kept.append(assert_as_reference(decode(path, 16_000).waveform, threshold, WINDOW).mean())
    assert 0.05 < np.mean(kept) < 0.999


@pytest.mark.parametrize("block", [1, 2, 7, 100, 999, 1000, 1001])
@pytest.mark.parametrize("window", [1, 2, 9, 160])
def test_the_size_of_blocks_makes_no_difference(monkeypatch, block, window):
    waveform = bursts(1000)
    whole = envelope(waveform, window)
    monkeypatch.setattr(module, "_BLOCK", block)
    np.testing.assert_allclose(envelope(waveform, window), whole, rtol=0, atol=1e-14)
    assert_as_reference(waveform, 0.05, window)


def test_the_envelope_of_a_quiet_part_is_exact_whatever_came_before():
    rng = np.random.default_rng(0)
    loud = 1 - 0.1 * rng.random((1 << 20) - 100_000)
    waveform = np.float32(np.concatenate([loud, 0.005 * rng.random(100_000)]))
    quiet = waveform[-90_000:]
    expected = reference(quiet, WINDOW)[WINDOW:]
    got = envelope(waveform, WINDOW)[-90_000:][WINDOW:]
    assert np.abs(got - expected).max() < TIE


def test_time_does_not_grow_with_the_window():
    # With a mean per sample this would be 5·10¹¹ additions.
    waveform = bursts(1 << 20)
    start = time.perf_counter()
    got = envelope(waveform, 1 << 19)
    assert time.perf_counter() - start < 5
    np.testing.assert_allclose(got, reference(waveform, 1 << 19), rtol=1e-9)


# Edges


def test_a_level_that_equals_the_threshold_is_cut():
    waveform = np.full(100, 0.5, dtype=np.float32)
    assert len(clean(waveform, 0.5, 10).waveform) == 0
    assert len(clean(waveform, np.nextafter(0.5, 0), 10).waveform) == 100


def test_silence_leaves_nothing():
    cleaned = clean(np.zeros(100, dtype=np.float32), 0.0, 10)
    assert cleaned.waveform.shape == (0,)
    assert cleaned.runs.shape == (0, 2)
    assert cleaned.samples == 100


# Places in the original


@pytest.mark.parametrize("seed", range(5))
def test_every_kept_sample_knows_where_it_came_from(seed):
    waveform = bursts(2000, seed)
    cleaned = clean(waveform, 0.02, 9)
    assert 3 < len(cleaned.runs) < 500
    assert (cleaned.waveform.dtype, cleaned.runs.dtype) == (np.float32, np.int64)
    assert (np.diff(cleaned.runs.ravel()) > 0).all()
    source = cleaned.source_index(np.arange(len(cleaned.waveform)))
    np.testing.assert_array_equal(source, np.flatnonzero(mask_of(cleaned)))
    np.testing.assert_array_equal(waveform[source], cleaned.waveform)


def test_hand_worked_places():
    waveform = np.float32([0, 1, 1, 0, 0, 1, 0])
    cleaned = clean(waveform, 0.5, 1)
    assert cleaned.runs.tolist() == [[1, 3], [5, 6]]
    assert cleaned.source_index(np.array([0, 1, 2])).tolist() == [1, 2, 5]
    assert cleaned.source_index(1) == 2
    assert cleaned.source_index(3) == 6
