"""SHA-256 sums of recordings and of data sets."""

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest

from timbrel.dataset.copies import (
    dataset_sha256,
    file_sha256,
    join_groups,
    recording_sha256,
)
from timbrel.dataset.manifest import Recording, read_dataset


def recording(file, label="Flute", **more):
    return Recording(path=file.name, file=file, label=label, group=file.name, **more)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("content", [b"", b"a", b"\0" * 3_000_000])
def test_a_file_has_the_sum_that_hashlib_gives(tmp_path, content):
    (tmp_path / "x.wav").write_bytes(content)
    assert file_sha256(tmp_path / "x.wav") == sha256(content)


def test_a_file_that_cannot_be_read_has_none(tmp_path):
    assert file_sha256(tmp_path / "gone.wav") == ""
    assert file_sha256(tmp_path) == ""


def test_sums_come_in_the_order_of_the_recordings(tmp_path):
    files = [tmp_path / f"{number}.wav" for number in range(20)]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]))
    order = [files[number * 7 % 20] for number in range(20)] + [files[3], tmp_path / "gone.wav"]
    sums = recording_sha256([recording(file) for file in order])
    assert sums[:-1] == [sha256(file.read_bytes()) for file in order[:-1]]
    assert sums[-1] == ""


def test_a_data_set_has_the_sum_of_its_lines():
    items = [
        recording(Path("a.wav"), start=0.5, end=2.0),
        recording(Path("b.wav"), label="Violín, 2"),
    ]
    lines = "s1\tFlute\ta.wav\t0.5\t2.0\ns2\tViolín, 2\tb.wav\tNone\tNone\n"
    assert dataset_sha256(items, ["s1", "s2"]) == sha256(lines.encode())


@pytest.mark.parametrize(
    "change", [{"label": "Oboe"}, {"group": "other"}, {"start": 0.5}, {"end": 0.5}]
)
def test_every_part_that_matters_changes_the_sum(change):
    items = [recording(Path("a.wav")), recording(Path("b.wav"))]
    changed = [items[0], dataclasses.replace(items[1], **change)]
    assert dataset_sha256(items, ["1", "2"]) != dataset_sha256(changed, ["1", "2"])


def test_content_and_order_change_the_sum_and_the_place_does_not():
    items = [recording(Path("a.wav")), recording(Path("b.wav"))]
    moved = [dataclasses.replace(item, file=Path("elsewhere") / item.file) for item in items]
    whole = dataset_sha256(items, ["1", "2"])
    assert whole != dataset_sha256(items, ["1", "3"])
    assert whole != dataset_sha256(items[::-1], ["2", "1"])
    assert whole == dataset_sha256(moved, ["1", "2"])


def test_names_that_are_not_utf_8_have_a_sum_too(tmp_path):
    folder = os.fsencode(tmp_path) + b"/Fl\xf6te"
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    with open(folder + b"/\xe9.wav", "wb"):
        pass
    dataset = read_dataset(tmp_path)
    assert len(dataset.recordings) == 1
    assert len(dataset_sha256(dataset.recordings, recording_sha256(dataset.recordings))) == 64


def test_groups_that_a_pair_connects_become_one():
    items = [recording(Path(f"{number}.wav")) for number in range(6)]
    items[4] = dataclasses.replace(items[4], group="2.wav")
    joined = join_groups(items, [(3, 4), (0, 1)])
    groups = [item.group for item in joined]
    assert groups[2] == groups[3] == groups[4]
    assert groups[0] == groups[1]
    assert len(set(groups)) == 3
    assert [dataclasses.replace(item, group="") for item in joined] == [
        dataclasses.replace(item, group="") for item in items
    ]
