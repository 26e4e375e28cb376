"""Recordings in pieces from other processes: the pieces of `Reading`, whatever becomes of them."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbrel.audio import decode_process
from timbrel.audio.isolated import IsolatedDecoder
from timbrel.audio.reading import FACTS, Reading
from timbrel.errors import AudioError, DecoderFailed, InvalidArgument

UNRULY = Path(__file__).with_name("unruly_worker.py")


@pytest.fixture
def unruly(monkeypatch):
    """Workers that misbehave on certain names."""
    monkeypatch.setattr(decode_process, "command", lambda: [sys.executable, str(UNRULY)])


def write(path, samples=300_000, *, rate=44_100, channels=2, seed=0):
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, (samples, channels))
    soundfile.write(path, np.float32(noise), rate, subtype="FLOAT")
    return path


def assert_as_reading(isolated, reading):
    for one, other in zip(isolated, reading, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, other)
    for name in FACTS:
        assert getattr(isolated, name) == getattr(reading, name)


@pytest.mark.parametrize("samples", [1, 1000, 300_000])
def test_pieces_and_facts_are_those_of_a_reading(tmp_path, samples):
    path = write(tmp_path / "x.wav", samples)
    with IsolatedDecoder() as decoder:
        reading = decoder.read(path, 16_000)
        assert_as_reading(reading, Reading(path, 16_000))
        assert_as_reading(reading, Reading(path, 16_000))
        part = {"start": 0.0, "end": max(samples // 2, 1) / 44_100}
        assert_as_reading(decoder.read(path, None, **part), Reading(path, None, **part))
    assert samples < 300_000 or len(list(Reading(path, 16_000))) > 3


def test_what_is_wrong_is_said_when_it_is_found(tmp_path):
    broken = np.zeros(300_000, dtype=np.float32)
    broken[200_000] = np.nan
    soundfile.write(tmp_path / "nan.wav", broken, 44_100, subtype="FLOAT")
    with IsolatedDecoder() as decoder:
        pieces = iter(decoder.read(tmp_path / "nan.wav", 16_000))
        assert len(next(pieces))
        with pytest.raises(AudioError, match="1 of 300000 samples is NaN"):
            list(pieces)
        with pytest.raises(AudioError, match="as I call it: there is no such file"):
            list(decoder.read(tmp_path / "none.wav", 16_000, name="as I call it"))
        with pytest.raises(InvalidArgument, match="above 0 Hz"):
            list(decoder.read(write(tmp_path / "x.wav"), 0))
        assert decoder.decode(write(tmp_path / "y.wav", 10), 44_100).waveform.shape == (10,)


def test_whoever_stops_early_leaves_the_pool_in_order(tmp_path):
    paths = [write(tmp_path / f"{number}.wav", seed=number) for number in range(4)]
    with IsolatedDecoder() as decoder:
        for path in paths:
            pieces = iter(decoder.read(path, 16_000))
            next(pieces)
            pieces.close()
        for path in paths:
            assert_as_reading(decoder.read(path, 16_000), Reading(path, 16_000))


@pytest.mark.usefixtures("unruly")
def test_a_crash_midway_that_was_not_its_fault_cannot_be_heard(tmp_path):
    path = write(tmp_path / "midway-1.wav")
    with IsolatedDecoder() as decoder:
        decoder._size = 1  # The same process for both.
        decoder.decode(write(tmp_path / "x.wav", 10), None)
        first = decoder._idle[0].process.pid
        assert_as_reading(decoder.read(path, 16_000), Reading(path, 16_000))
        assert decoder._idle[0].process.pid != first


@pytest.mark.usefixtures("unruly")
def test_time_spent_on_a_piece_is_not_the_decoders(tmp_path):
    with IsolatedDecoder(patience=0.4) as decoder:
        pieces = iter(decoder.read(write(tmp_path / "x.wav", 300), 44_100))
        next(pieces)
        time.sleep(1.5)
        assert list(pieces) == []
        with pytest.raises(DecoderFailed, match="did not finish within"):
            list(decoder.read(write(tmp_path / "hang-1.wav", 300), 44_100))
