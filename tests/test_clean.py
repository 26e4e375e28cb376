"""Cleaning keeps the samples that the tutorial's pandas lines keep, and the way back to them."""

import time

import numpy as np
import pandas as pd
import pytest

from timbrel.audio import clean as module
from timbrel.audio.clean import clean, envelope, uncleaned
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


def bursts(samples, seed=0):
    """Loud and quiet stretches of noise, of all lengths."""
    rng = np.random.default_rng(seed)
    levels = np.repeat(10 ** rng.uniform(-4, 0, samples + 1), rng.integers(1, 60, samples + 1))
    return np.float32(levels[:samples] * rng.normal(size=samples))


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
def test_the_internal_blocks_cannot_be_heard(monkeypatch, block, window):
    waveform = bursts(1000)
    whole = envelope(waveform, window)
    monkeypatch.setattr(module, "_BLOCK", block)
    np.testing.assert_allclose(envelope(waveform, window), whole, rtol=0, atol=1e-14)
    assert_as_reference(waveform, 0.05, window)


def test_hand_worked_envelopes():
    waveform = np.float32([0, -4, 0, 0, 8])
    assert envelope(waveform, 1).tolist() == [0, 4, 0, 0, 8]
    assert envelope(waveform, 2).tolist() == [0, 2, 2, 0, 4]
    np.testing.assert_allclose(envelope(waveform, 3), [2, 4 / 3, 4 / 3, 8 / 3, 4])
    np.testing.assert_allclose(envelope(waveform, 4), [2, 4 / 3, 1, 3, 8 / 3])
    np.testing.assert_allclose(envelope(waveform, 99), [12 / 5] * 5)


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


# What must not matter, and what must


def test_the_sign_does_not_matter():
    waveform = bursts(1000)
    np.testing.assert_array_equal(envelope(waveform, 16), envelope(-waveform, 16))


def test_an_odd_window_does_not_know_the_direction_of_time():
    waveform = bursts(1000)
    np.testing.assert_allclose(
        envelope(waveform[::-1], 17)[::-1], envelope(waveform, 17), rtol=0, atol=1e-14
    )


def test_a_level_that_equals_the_threshold_is_cut():
    waveform = np.full(100, 0.5, dtype=np.float32)
    assert len(clean(waveform, 0.5, 10).waveform) == 0
    assert len(clean(waveform, np.nextafter(0.5, 0), 10).waveform) == 100


def test_silence_leaves_nothing():
    cleaned = clean(np.zeros(100, dtype=np.float32), 0.0, 10)
    assert cleaned.waveform.shape == (0,)
    assert cleaned.runs.shape == (0, 2)
    assert cleaned.samples == 100


def test_kept_samples_stay_as_they_are():
    waveform = bursts(1000)
    assert clean(waveform, 0.01, 8).waveform.dtype == np.float32


def test_keeping_everything_is_one_run():
    waveform = bursts(50)
    cleaned = uncleaned(waveform)
    np.testing.assert_array_equal(cleaned.waveform, waveform)
    assert cleaned.runs.tolist() == [[0, 50]]
    assert cleaned.samples == 50


# The way back


@pytest.mark.parametrize("seed", range(5))
def test_every_kept_sample_knows_where_it_came_from(seed):
    waveform = bursts(2000, seed)
    cleaned = clean(waveform, 0.02, 9)
    assert 3 < len(cleaned.runs) < 500
    source = cleaned.source_index(np.arange(len(cleaned.waveform)))
    np.testing.assert_array_equal(source, np.flatnonzero(mask_of(cleaned)))
    np.testing.assert_array_equal(waveform[source], cleaned.waveform)


def test_runs_are_apart_and_in_order():
    cleaned = clean(bursts(2000), 0.02, 9)
    edges = cleaned.runs.ravel()
    assert cleaned.runs.dtype == np.int64
    assert (np.diff(edges) > 0).all()
    assert edges[0] >= 0
    assert edges[-1] <= 2000


def test_hand_worked_way_back():
    waveform = np.float32([0, 1, 1, 0, 0, 1, 0])
    cleaned = clean(waveform, 0.5, 1)
    assert cleaned.runs.tolist() == [[1, 3], [5, 6]]
    assert cleaned.source_index(np.array([0, 1, 2])).tolist() == [1, 2, 5]
    assert cleaned.source_index(1) == 2
    assert cleaned.source_index(3) == 6
