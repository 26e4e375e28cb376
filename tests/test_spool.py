"""Waveforms laid aside on disk come back as they were, and leave nothing behind."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from timbrel.audio.spool import WaveformSpool
from timbrel.errors import OutputError


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder of its own for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def waveforms(*lengths):
    rng = np.random.default_rng(0)
    return [rng.normal(size=length).astype(np.float32) for length in lengths]


def test_windows_are_the_slices():
    sounds = waveforms(100, 10, 5000, 50)
    with WaveformSpool() as spool:
        assert [spool.add(sound) for sound in sounds] == [0, 1, 2, 3]
        numbers = np.array([3, 0, 2, 2, 1, 0])
        starts = np.array([40, 0, 4990, 7, 0, 90])
        got = spool.windows(numbers, starts, window=10)
    assert got.dtype == np.float32
    expected = [sounds[k][first : first + 10] for k, first in zip(numbers, starts, strict=True)]
    np.testing.assert_array_equal(got, expected)


def test_a_window_beyond_the_end_is_zeros_and_not_the_next_waveform():
    with WaveformSpool() as spool:
        spool.add(np.float32([1, 2, 3]))
        spool.add(np.float32([9, 9, 9, 9, 9, 9]))
        got = spool.windows(np.array([0, 0, 0, 1]), np.array([0, 2, 3, 4]), window=5)
    assert got.tolist() == [[1, 2, 3, 0, 0], [3, 0, 0, 0, 0], [0] * 5, [9, 9, 0, 0, 0]]


def test_waveforms_may_be_added_after_windows_were_cut():
    first, second = waveforms(20, 30)
    with WaveformSpool() as spool:
        spool.add(first)
        spool.windows(np.array([0]), np.array([0]), window=20)
        spool.add(second)
        got = spool.windows(np.array([1, 0]), np.array([10, 0]), window=20)
    np.testing.assert_array_equal(got, [second[10:], first])


def test_windows_stay_when_the_spool_is_closed():
    (sound,) = waveforms(20)
    with WaveformSpool() as spool:
        spool.add(sound)
        got = spool.windows(np.array([0]), np.array([0]), window=20)
    np.testing.assert_array_equal(got[0], sound)


@pytest.mark.parametrize("convert", [np.float64, lambda sound: np.repeat(sound, 2)[::2]])
def test_any_array_of_numbers_is_laid_aside_as_float32(convert):
    (sound,) = waveforms(20)
    with WaveformSpool() as spool:
        spool.add(convert(sound))
        got = spool.windows(np.array([0]), np.array([0]), window=20)
    np.testing.assert_array_equal(got[0], sound)


def test_a_waveform_of_no_samples_is_zeros():
    with WaveformSpool() as spool:
        spool.add(np.zeros(0, dtype=np.float32))
        spool.add(np.float32([1, 2]))
        got = spool.windows(np.array([0, 1]), np.array([0, 0]), window=2)
    assert got.tolist() == [[0, 0], [1, 2]]


def test_no_windows_are_an_empty_array():
    with WaveformSpool() as spool:
        spool.add(np.float32([1, 2]))
        assert spool.windows(np.array([], int), np.array([], int), window=7).shape == (0, 7)


def test_nothing_is_left_behind(temporary):
    with WaveformSpool() as spool:
        spool.add(np.ones(100_000, dtype=np.float32))
        spool.windows(np.array([0]), np.array([0]), window=10)
    assert list(temporary.iterdir()) == []


def test_nothing_is_left_behind_by_an_error(temporary):
    def fail():
        with WaveformSpool() as spool:
            spool.add(np.ones(100_000, dtype=np.float32))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("samples", [10, 100_000])
def test_a_full_disk_is_said_in_one_sentence(monkeypatch, samples):
    def full(buffering=-1, **_):
        return open("/dev/full", "r+b", buffering)

    def fill():
        with WaveformSpool() as spool:
            spool.add(np.ones(samples, dtype=np.float32))
            spool.windows(np.array([0]), np.array([0]), window=10)

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        fill()
    assert tempfile.gettempdir() in str(caught.value)
