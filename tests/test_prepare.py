"""Recordings of one sound share a group, whatever was done to the file, and that is said."""

import csv
import hashlib
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from conftest import RATE, write_folder
from timbrel.audio.decode import decode
from timbrel.dataset.manifest import read_dataset
from timbrel.features.cache import FeatureCache
from timbrel.networks.recipes import get_recipe
from timbrel.training.prepare import prepare


@pytest.fixture
def copied(tmp_path):
    """Three classes of four; some recordings of "hiss" once more, changed."""
    data = write_folder(tmp_path / "data", recordings=4)
    first, _ = soundfile.read(data / "hiss" / "0.wav")
    second, _ = soundfile.read(data / "hiss" / "1.wav")
    soundfile.write(data / "hiss" / "softer.wav", 0.2 * first, RATE)
    soundfile.write(data / "hiss" / "trimmed.mp3", first[len(first) // 5 :], RATE)
    soundfile.write(data / "hum" / "wrong.flac", second, RATE)
    shutil.copy(data / "hiss" / "2.wav", data / "hiss" / "same.wav")
    return data


def test_copies_share_a_group_and_each_is_named(copied, tmp_path, recorder):
    cache = FeatureCache(tmp_path / "cache")
    for cached in (False, True):
        prepared = prepare(read_dataset(copied), cache=cache, progress=recorder)
        assert prepared.cached is cached
        assert_copies_are_joined_and_named(prepared)
    assert "comparing" in {stage[0] for stage in recorder.stages}


def assert_copies_are_joined_and_named(prepared):
    assert prepared.sound_sha256 == tuple(
        hashlib.sha256(decode(item.file, RATE).waveform.tobytes()).hexdigest()
        for item in prepared.recordings
    )
    group = {item.path: item.group for item in prepared.recordings}
    joined = {
        "hiss/0.wav": {"hiss/softer.wav", "hiss/trimmed.mp3"},
        "hiss/1.wav": {"hum/wrong.flac"},
        "hiss/2.wav": {"hiss/same.wav"},
    }
    for path, copies in joined.items():
        assert {other for other in group if group[other] == group[path]} == {path, *copies}
    assert len(set(group.values())) == 12
    found = {(item.path, item.code, item.facts["other"]) for item in prepared.audit.warnings}
    copies = {
        ("hiss/same.wav", "exact-duplicate", "hiss/2.wav"),
        ("hiss/softer.wav", "near-duplicate", "hiss/0.wav"),
        ("hiss/trimmed.mp3", "near-duplicate", "hiss/0.wav"),
        ("hum/wrong.flac", "exact-duplicate", "hiss/1.wav"),
    }
    assert found == copies | {("hum/wrong.flac", "label-conflict", "hiss/1.wav")}
    assert {(item.path, item.code, item.facts["other"]) for item in prepared.audit.copies} == copies


@pytest.mark.slow
def test_the_groups_that_the_data_has_are_joined_whole(copied, tmp_path):
    paths = sorted(path.relative_to(copied).as_posix() for path in copied.rglob("*.*"))
    with open(tmp_path / "list.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "group"))
        for number, path in enumerate(paths):
            speaker = "copies" if path in ("hiss/softer.wav", "hum/0.wav") else f"{number % 5}"
            writer.writerow((path, path.partition("/")[0], speaker))
    given = {item.path: item for item in read_dataset(tmp_path / "list.csv", copied).recordings}
    prepared = prepare(read_dataset(tmp_path / "list.csv", copied), cache=FeatureCache(None))
    group = {item.path: item.group for item in prepared.recordings}
    assert group["hum/0.wav"] == group["hiss/softer.wav"] == group["hiss/0.wav"]
    for one in group:
        for other in group:
            if given[one].group == given[other].group:
                assert group[one] == group[other]


@pytest.mark.slow
def test_recordings_without_a_copy_keep_their_groups(tiny_data):
    dataset = read_dataset(tiny_data)
    prepared = prepare(dataset, cache=FeatureCache(None))
    assert prepared.recordings == dataset.recordings
    assert prepared.audit.warnings == ()


def test_silent_and_unreadable_recordings_do_not_shift_the_pairs(copied, tmp_path):
    soundfile.write(copied / "hiss" / "00.wav", np.zeros(RATE), RATE)
    (copied / "hiss" / "01.wav").write_text("words")
    prepared = prepare(read_dataset(copied), cache=FeatureCache(None))
    group = {item.path: item.group for item in prepared.recordings}
    assert group["hiss/softer.wav"] == group["hiss/0.wav"] == group["hiss/trimmed.mp3"]
    assert group["hum/wrong.flac"] == group["hiss/1.wav"]


@pytest.mark.slow
def test_a_recording_with_nothing_to_recognise_has_no_digest(copied):
    soundfile.write(copied / "hum" / "faint.wav", np.full(RATE, 1e-9), RATE, subtype="FLOAT")
    prepared = prepare(read_dataset(copied), cache=FeatureCache(None))
    digest = {
        item.path: sound
        for item, sound in zip(prepared.recordings, prepared.sound_sha256, strict=True)
    }
    assert [path for path in digest if not digest[path]] == ["hum/faint.wav"]


def test_many_recordings_are_held_in_as_many_windows_as_copies_are_made_of(tiny_data, tmp_path):
    recipe = get_recipe("statistics-cnn")
    recipe = replace(recipe, windowing=replace(recipe.windowing, window=2048, hop=1024))
    dataset, cache, windows = read_dataset(tiny_data), FeatureCache(tmp_path / "cache"), []
    for copies in (12_000, 48):
        schedule = replace(recipe.schedule, copies=copies)
        prepared = prepare(dataset, replace(recipe, schedule=schedule), cache=cache)
        windows.append(np.bincount(prepared.examples.recording))
        assert not prepared.cached
    assert windows[0].tolist() == [16] * 24
    assert windows[1].tolist() == [3] * 24
