"""One pass over a data set: what it finds, and samples that come back as they were."""

import contextlib
import dataclasses
import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from conftest import RATE, sound, write_folder
from timbrel.audio.decode import decode
from timbrel.audio.windows import Windowing, keep
from timbrel.dataset import corpus as corpora
from timbrel.dataset.corpus import open_corpus
from timbrel.dataset.manifest import read_dataset
from timbrel.errors import DecoderFailed
from timbrel.features.cache import FeatureCache
from timbrel.findings import Finding
from timbrel.networks.recipes import get_recipe
from timbrel.workers import Task, WorkerPool

CLEANING = get_recipe("tutorial-cnn").windowing
PLAIN = get_recipe("statistics-cnn").windowing


@pytest.fixture
def decoded(monkeypatch):
    """What worker processes do: a task and the name of a recording each."""
    requests = []
    run = WorkerPool.run

    def counting(self, task, path, *arguments, name=None, **more):
        requests.append((task, name))
        return run(self, task, path, *arguments, name=name, **more)

    monkeypatch.setattr(WorkerPool, "run", counting)
    return requests


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two classes with quiet between sounds, background, and what cannot be used."""
    folder = write_folder(tmp_path_factory.mktemp("corpus") / "data", recordings=4)
    for take in range(4):
        rng = np.random.default_rng([5, take])
        parts = [sound("hum", 0.3, rng), np.zeros(RATE // 2), sound("hum", 0.2, rng)]
        soundfile.write(folder / "hum" / f"{take}.wav", np.concatenate(parts), RATE)
        (folder / "Noise").mkdir(exist_ok=True)
        soundfile.write(folder / "Noise" / f"{take}.wav", sound("whistle", 0.4, rng) * 0.5, RATE)
    (folder / "hiss" / "words.wav").write_text("no sound")
    soundfile.write(folder / "hiss" / "zero.wav", np.zeros(RATE), RATE)
    soundfile.write(folder / "Noise" / "zero.wav", np.zeros(RATE), RATE)
    soundfile.write(folder / "hiss" / "faint.wav", 1e-4 * sound("hiss", 0.3, rng), RATE)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return FeatureCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def opened(data, cache):
    """Open the data once for each windowing and rate of the samples."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def open_once(windowing, samples="windowing"):
            corpus = open_corpus(read_dataset(data), windowing, samples=samples, cache=cache)
            return stack.enter_context(corpus)

        yield open_once


def row_of(corpus):
    return {item.path: row for row, item in enumerate(corpus.recordings)}


def test_every_recording_is_a_row_and_masks_say_what_it_is_for(opened):
    corpus = opened(CLEANING)
    row = row_of(corpus)
    assert [item.path for item in corpus.recordings] == sorted(row)
    assert corpus.labels == ("hiss", "hum", "whistle")
    unusable = {item.path: item.code for item in corpus.unusable}
    assert unusable == {"hiss/words.wav": "not-sound", "hiss/zero.wav": "silent"}
    assert {item.path for item in corpus.select(corpus.background)} == {
        f"Noise/{take}.wav" for take in range(4)
    }
    assert not corpus.usable[row["Noise/zero.wav"]]
    np.testing.assert_array_equal(corpus.usable, corpus.has_class | corpus.background)
    for place in np.flatnonzero(corpus.has_class):
        assert corpus.labels[corpus.target[place]] == corpus.recordings[place].label
    codes = {(item.path, item.code) for item in corpus.findings}
    assert ("Noise/zero.wav", "silent-background") in codes
    assert ("hiss/faint.wav", "too-quiet") in codes
    assert corpus.described[row["hiss/faint.wav"]].emptied


@pytest.mark.parametrize("windowing", [CLEANING, PLAIN], ids=["cleaned", "as it is"])
@pytest.mark.parametrize("samples", ["windowing", "native"])
def test_sounds_and_windows_are_those_of_decoding_and_cleaning_alone(opened, windowing, samples):
    corpus = opened(windowing, samples)
    rows = np.flatnonzero(corpus.usable).tolist()
    rng = np.random.default_rng(0)
    drawn, starts, wanted = [], [], []
    for row, cleaned in zip(rows, corpus.cleaned(rows), strict=True):
        expected, _ = keep(decode(corpus.recordings[row].file, windowing.rate).waveform, windowing)
        np.testing.assert_array_equal(cleaned.waveform, expected.waveform)
        np.testing.assert_array_equal(cleaned.runs, expected.runs)
        assert corpus.described[row].samples == len(expected.waveform)
        padded = np.pad(expected.waveform, (0, windowing.window))
        for start in rng.integers(0, len(expected.waveform), 4):
            drawn.append(row)
            starts.append(start)
            wanted.append(padded[start : start + windowing.window])
    order = rng.permutation(len(drawn))
    got = corpus.windows(np.array(drawn)[order], np.array(starts)[order])
    np.testing.assert_array_equal(got, np.array(wanted)[order])
    assert got.dtype == np.float32
    nothing = np.array([], dtype=np.int64)
    assert corpus.windows(nothing, nothing).shape == (0, windowing.window)


def test_a_recording_is_decoded_once_and_with_a_cache_only_when_needed(data, tmp_path, decoded):
    cache = FeatureCache(tmp_path)
    with open_corpus(read_dataset(data), CLEANING, cache=cache) as fresh:
        rows = np.flatnonzero(fresh.usable).tolist()
        sounds = [waveform.copy() for waveform in fresh.waveforms(rows)]
        assert sorted(name for _, name in decoded) == [item.path for item in fresh.recordings]
        assert {task for task, _ in decoded} == {Task.DESCRIBE}
        findings = fresh.findings
    decoded.clear()
    with open_corpus(read_dataset(data), CLEANING, cache=cache) as known:
        assert decoded == []
        assert known.findings == findings
        for first, second in zip(fresh.described, known.described, strict=True):
            assert (first is None) == (second is None)
            if first is not None:
                np.testing.assert_equal(vars(first), vars(second))
        for _ in range(2):
            for wanted, waveform in zip(sounds[:3], known.waveforms(rows[:3]), strict=True):
                np.testing.assert_array_equal(waveform, wanted)
    assert [name for _, name in decoded] == [known.recordings[row].path for row in rows[:3]]


def test_what_does_not_fit_is_decoded_again(data, monkeypatch, decoded):
    monkeypatch.setattr(corpora, "_MOST_BYTES", 100_000)
    with open_corpus(read_dataset(data), CLEANING) as corpus:
        assert not corpus.keeps_all
        rows = np.flatnonzero(corpus.usable).tolist()
        decoded.clear()
        for row, waveform in zip(rows, corpus.waveforms(rows), strict=True):
            np.testing.assert_array_equal(
                waveform, decode(corpus.recordings[row].file, RATE).waveform
            )
        assert 0 < len(decoded) < len(rows)


def test_a_row_may_be_read_twice_and_by_two_readers_at_once(data, cache, opened):
    dataset, corpus = read_dataset(data), opened(CLEANING)
    rows = np.flatnonzero(corpus.usable).tolist()[:3]
    sounds = list(corpus.waveforms(rows))
    with open_corpus(dataset, CLEANING, cache=cache) as corpus:
        twice = corpus.waveforms([row for row in rows for _ in range(2)])
        for wanted in sounds:
            np.testing.assert_array_equal(next(twice), wanted)
            np.testing.assert_array_equal(next(twice), wanted)
    with open_corpus(dataset, CLEANING, cache=cache) as corpus:
        one, other = corpus.waveforms(rows), corpus.waveforms(rows)
        np.testing.assert_array_equal(next(one), sounds[0])
        for wanted, waveform in zip(sounds, other, strict=True):
            np.testing.assert_array_equal(waveform, wanted)
        for wanted in sounds[1:]:
            np.testing.assert_array_equal(next(one), wanted)


def test_a_decoder_that_failed_is_tried_again(data, tmp_path, monkeypatch):
    cache, dataset = FeatureCache(tmp_path), read_dataset(data)
    dataset = dataclasses.replace(dataset, recordings=dataset.recordings[-8:])
    run = WorkerPool.run

    def failing(self, task, path, *arguments, name=None, **more):
        if name == "hum/0.wav":
            raise DecoderFailed(Finding("decoder-crashed", name, {"how": "SIGSEGV"}))
        return run(self, task, path, *arguments, name=name, **more)

    with monkeypatch.context() as patched:
        patched.setattr(WorkerPool, "run", failing)
        with open_corpus(dataset, CLEANING, cache=cache) as corpus:
            assert "hum/0.wav" in {item.path for item in corpus.unusable}
    with open_corpus(dataset, CLEANING, cache=cache) as corpus:
        assert corpus.usable[row_of(corpus)["hum/0.wav"]]


def test_a_sound_of_a_class_is_not_background_at_the_same_time(tmp_path):
    folder = write_folder(tmp_path / "data", recordings=3)
    (folder / "noise").mkdir()
    copy, rate = soundfile.read(folder / "hum/1.wav", dtype="int16")
    soundfile.write(folder / "noise/copy.flac", copy, rate)
    first, _ = soundfile.read(folder / "hiss/2.wav")
    soundfile.write(folder / "noise/softer.ogg", 0.3 * first, rate)
    soundfile.write(folder / "noise/other.wav", first[::-1], rate)
    with open_corpus(read_dataset(folder), PLAIN) as corpus:
        found = {item.path: item for item in corpus.unusable}
        assert set(found) == {"noise/copy.flac", "noise/softer.ogg"}
        assert found["noise/copy.flac"].facts["other"] == "hum/1.wav"
        assert {item.path for item in corpus.select(corpus.background)} == {"noise/other.wav"}


def test_background_goes_with_its_group_or_else_with_its_fold(tmp_path):
    rows = ["path,label,group,fold"]
    for take in range(4):
        for label in ("hiss", "hum", "noise"):
            name = f"{take}-{label}.wav"
            rng = np.random.default_rng([take, len(label)])
            soundfile.write(tmp_path / name, sound("hiss", 0.3, rng)[::-1], RATE)
            group = "alone" if label == "noise" and take > 1 else take
            rows.append(f"{name},{label},{group},{take % 2}")
    (tmp_path / "data.csv").write_text("\n".join(rows))
    with open_corpus(read_dataset(tmp_path / "data.csv"), PLAIN) as corpus:
        row = row_of(corpus)
        held_out = corpus.mask([row["1-hum.wav"], row["1-hiss.wav"]])
        extended = corpus.with_background(held_out)
        assert {item.path for item in corpus.select(extended & ~held_out)} == {"1-noise.wav"}
        last = max(row[f"{take}-{label}.wav"] for take in (1, 3) for label in ("hiss", "hum"))
        extended = corpus.with_background(corpus.mask([last]))
        assert "3-noise.wav" in {item.path for item in corpus.select(extended)}


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_behind(tmp_path, monkeypatch, tiny_data, fails):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dataset = read_dataset(tiny_data)
    expected = pytest.raises(KeyError) if fails else contextlib.nullcontext()
    with expected, open_corpus(dataset, CLEANING):
        if fails:
            raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_costs_time_and_no_recording(tiny_data, monkeypatch):
    def full(*_, **__):
        return open("/dev/full", "r+b", buffering=0)

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with open_corpus(read_dataset(tiny_data), CLEANING) as corpus:
        (waveform,) = corpus.waveforms([3])
        np.testing.assert_array_equal(
            waveform, decode(corpus.recordings[3].file, CLEANING.rate).waveform
        )


def test_files_of_one_content_and_stretches_of_one_file_share_a_group(tmp_path):
    folder = write_folder(tmp_path / "data", kinds=("hiss", "hum"), recordings=3)
    shutil.copy(folder / "hum/0.wav", folder / "hum/same.wav")
    lines = ["path,label,group,start,end"]
    lines += [f"{kind}/{take}.wav,{kind},,," for kind in ("hiss", "hum") for take in range(3)]
    lines += [
        "hum/same.wav,hum,apart,,",
        "hiss/2.wav,hiss,one,0,0.2",
        "hiss/2.wav,hiss,two,0.2,0.4",
    ]
    table = folder / "data.csv"
    table.write_text("\n".join(line for line in lines if line != "hiss/2.wav,hiss,,,"))
    windowing = Windowing(rate=RATE, window=1600, hop=1600)
    with open_corpus(read_dataset(table), windowing) as corpus:
        groups = {item.name: item.group for item in corpus.recordings}
    assert groups["hum/same.wav"] == groups["hum/0.wav"]
    assert groups["hiss/2.wav [0–0.2 s]"] == groups["hiss/2.wav [0.2–0.4 s]"]
    assert len(set(groups.values())) == 6
