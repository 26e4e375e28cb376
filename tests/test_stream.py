"""Windows of a recording in pieces are those of the whole, whatever the pieces."""

import dataclasses
import io
import tempfile

import numpy as np
import pytest
import soundfile
import soxr

from timbrel.audio.clean import CleanStream, clean, envelope
from timbrel.audio.decode import decode
from timbrel.audio.reading import Reading
from timbrel.audio.samples import Resampler, resample
from timbrel.audio.windows import Windowing, Windows, WindowStream, consecutive, keep
from timbrel.errors import AudioError

SECOND = Windowing(rate=1000, window=10, hop=10)
CLEANING = Windowing(rate=1000, window=10, hop=10, clean_threshold=0.1, clean_window=0.005)


def pieces(waveform, seed):
    """A waveform cut at random places, some pieces empty and many of one sample."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(0, len(waveform) + 1, rng.integers(0, 60)))
    return np.split(waveform, cuts)


def bursts(samples, seed=0):
    """Loud and quiet stretches of noise, of all lengths."""
    rng = np.random.default_rng(seed)
    levels = np.repeat(10 ** rng.uniform(-4, 0, samples + 1), rng.integers(1, 60, samples + 1))
    return np.float32(levels[:samples] * rng.normal(size=samples))


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
    for seed in range(20):
        windows, stream = in_pieces(pieces(waveform, seed), windowing)
        assert_equal(windows, expected)
        assert (stream.kept, stream.decided) == (samples, samples)


@pytest.mark.parametrize("hop", [3, 10, 13])
@pytest.mark.parametrize("block", [1, 7, 100])
@pytest.mark.parametrize("clean_window", [0.001, 0.005, 0.05, 0.5])
def test_cleaned_windows_are_those_of_the_whole(hop, block, clean_window):
    for seed in range(10):
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


def test_what_is_held_does_not_grow():
    for windowing in (SECOND, CLEANING, dataclasses.replace(CLEANING, hop=4)):
        stream = WindowStream(windowing, block=50)
        waveform = bursts(50_000)
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
def test_what_is_kept_is_the_same_to_the_bit(window):
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


# Resampling and reading


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


def test_a_reading_can_be_read_again_and_says_what_it_read(tmp_path):
    waveform = np.float32(np.random.default_rng(0).uniform(-1.5, 1.5, (200_000, 2)))
    soundfile.write(tmp_path / "x.wav", waveform, 44_100, subtype="FLOAT")
    reading = Reading(tmp_path / "x.wav", 16_000)
    assert (reading.source_rate, reading.channels, reading.seconds) == (0, 0, 0)
    parts = list(reading)
    assert len(parts) > 2
    np.testing.assert_array_equal(np.concatenate(parts), np.concatenate(list(reading)))
    expected = resample(waveform.mean(axis=1, dtype=np.float32), 44_100, 16_000)
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    assert (reading.source_rate, reading.channels) == (44_100, 2)
    assert reading.seconds == 200_000 / 44_100
    assert [item.code for item in reading.findings] == ["too-loud"]


@pytest.mark.parametrize("share", [1, 0.7])
@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3", "aiff", "w64"])
def test_a_file_object_is_read_as_the_file(tmp_path, extension, share):
    path = tmp_path / f"x.{extension}"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.3, 0.3, (150_000, 2)), 44_100)
    content = path.read_bytes()[: int(share * path.stat().st_size)]
    path.write_bytes(content)
    for stretch in ({"start": 0.5, "end": 1.25}, {}):
        expected = Reading(path, 16_000, **stretch)
        waveform = np.concatenate(list(expected))
        with open(path, "rb") as file, tempfile.SpooledTemporaryFile() as spooled:
            spooled.write(content)
            for source in (file, spooled, io.BytesIO(content)):
                # Wherever it stands; and again.
                source.seek(7)
                reading = Reading(source, 16_000, **stretch)
                for _ in range(2):
                    np.testing.assert_array_equal(np.concatenate(list(reading)), waveform)
                assert (reading.seconds, reading.source_rate) == (expected.seconds, 44_100)
                assert reading.warnings == expected.warnings
                assert not source.closed
    assert any("truncated" in warning for warning in expected.warnings) == (share < 1)


@pytest.mark.parametrize(("content", "reason"), [(b"", "0 bytes"), (b"words" * 9, "sound file")])
def test_a_file_object_that_cannot_be_used_is_named(content, reason):
    for name, expected in [(None, "file object"), ("upload", "upload")]:
        with pytest.raises(AudioError, match=reason) as raised:
            list(Reading(io.BytesIO(content), 16_000, name=name))
        assert raised.value.path == expected


def test_numbers_that_are_none_are_counted_to_the_end(tmp_path):
    waveform = np.zeros((300_000, 2), dtype=np.float32)
    waveform[[70_000, 250_000], 1] = np.nan
    soundfile.write(tmp_path / "x.wav", waveform, 8000, subtype="FLOAT")
    given = []
    with pytest.raises(AudioError, match=r"2 of 300000 samples are .* first at 8\.750 s"):
        given.extend(Reading(tmp_path / "x.wav", 8000))
    assert sum(map(len, given)) <= 70_000
