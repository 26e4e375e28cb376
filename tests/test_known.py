"""What is known of the data sets that can be fetched, against what is there."""

import csv
import hashlib
import io
import re
import struct

import numpy as np
import pytest
import soundfile

from timbrel.dataset.folds import deal_folds
from timbrel.dataset.manifest import read_dataset
from timbrel.fetching.known import (
    ESC50_CLASSES,
    KNOWN_DATA,
    has_sum,
    make_labels,
    pick_labels,
    plain_wav,
    restore,
)
from tiny_known import LIST, MONO, tiny, wav

EVERY = pytest.mark.parametrize("known", KNOWN_DATA.values(), ids=KNOWN_DATA)


def rows(content):
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


@EVERY
def test_every_recording_has_a_sum_and_a_name_of_its_own(known):
    length = {"sha256": 64, "md5": 32}[known.algorithm]
    assert all(re.fullmatch(rf"[0-9a-f]{{{length}}}", it) for it in known.digests.values())
    recordings = [path for path in known.digests if path.endswith(".wav")]
    assert len(recordings) == known.recordings
    names = {path.rpartition("/")[2] for path in known.digests}
    assert len(names) == len(known.digests) == len(known.sums.splitlines())
    # What is not made is among the files that are fetched.
    assert (known.labels in known.digests) is not known.makes_labels
    assert len(set(known.digests.values())) == len(known.digests)
    for path in known.digests:
        assert not path.startswith("/")
        assert ".." not in path.split("/")


@EVERY
def test_the_attribution_names_source_and_licence(known):
    text = known.attribution
    for part in (known.home, *re.findall(r"[0-9a-f]{40}", known.version), "creativecommons.org"):
        assert part in text
    assert re.search(r"CC BY(-\w\w)? \d\.0", known.licence)[0] in text
    assert {"sha256": "SHA-256", "md5": "MD5"}[known.algorithm] in text
    assert max(map(len, text.splitlines())) <= 100


@EVERY
def test_sources_are_encrypted_and_fixed(known):
    commit = re.search(r"[0-9a-f]{40}", known.version)[0]
    for source in known.sources:
        assert source.url.startswith("https://")
        assert commit in source.url or "/records/2552860/" in source.url
        assert (source.kind == "folder") is source.url.endswith("/")


@pytest.mark.parametrize("name", ["instruments", "digits"])
def test_sums_and_sizes_are_those_of_the_real_recordings(shared, name):
    known, folder = KNOWN_DATA[name], shared / "data" / name
    for path in known.digests:
        with (folder / path).open("rb") as file:
            assert has_sum(known, path, file), path
    sizes = [(folder / path).stat().st_size for path in known.digests]
    assert (sum(sizes), max(sizes)) == (known.bytes, known.largest)
    on_disk = {file.relative_to(folder).as_posix() for file in folder.rglob("*.wav")}
    assert on_disk == {path for path in known.digests if path.endswith(".wav")}


def test_the_digits_are_those_that_were_published(shared):
    """By a digest over names and contents that others published for v1.0.10."""
    digest = hashlib.sha256()
    for file in sorted((shared / "data/digits/recordings").glob("*.wav")):
        digest.update(file.name.encode() + file.read_bytes())
    assert digest.hexdigest() == "45a9b976ba3397a2fd5c70a9f2e43c34f442a3a6be47392ecfc41174b678f37e"


def test_the_labels_of_the_digits_are_those_of_the_real_recordings(shared):
    known = KNOWN_DATA["digits"]
    made = make_labels(known)
    assert rows(made) == rows((shared / "data/digits/digits.csv").read_bytes())


def test_labels_picked_from_the_whole_collection_are_the_tutorials(shared):
    known = KNOWN_DATA["instruments"]
    content = (shared / "data/instruments/instruments.csv").read_bytes()
    # As the collection has them: in another order, among others, with more columns.
    lines = [f"{row['fname']},{row['label']},1,17,Attribution" for row in rows(content)]
    table = "\n".join(["fname,label,manually_verified,freesound_id,license", "0.wav,Bark,0,1,CC0"])
    table += "\n" + "\n".join(sorted(lines)) + "\n"
    assert pick_labels(known, table.encode()) == content
    assert restore(known, known.labels, content) == content
    lacking = table.replace(f"{lines[7]}\n", "")
    assert pick_labels(known, lacking.encode()) is None


@pytest.mark.parametrize(
    "table", [b"", b"\xff\xfe", b"name,label\na.wav,Dog\n", b'fname,label\n"a']
)
def test_what_is_no_table_of_the_collection(table):
    assert pick_labels(tiny("x", {"a.wav": wav()}, ()), table) is None


def test_the_labels_of_esc50_are_in_its_names():
    known = KNOWN_DATA["esc50"]
    made = rows(make_labels(known))
    # From the table that comes with it.
    some = {row["path"]: (row["label"], row["group"], row["fold"]) for row in made}
    assert some["audio/1-85362-A-0.wav"] == ("dog", "85362", "1")
    assert some["audio/2-104105-B-19.wav"] == ("thunderstorm", "104105", "2")
    assert some["audio/2-104475-A-37.wav"] == ("clock_alarm", "104475", "2")
    assert some["audio/5-198411-E-20.wav"] == ("crying_baby", "198411", "5")
    assert len(ESC50_CLASSES) == len(set(ESC50_CLASSES)) == 50
    labels = [row["label"] for row in made]
    assert {labels.count(label) for label in ESC50_CLASSES} == {40}
    folds = {}
    for row in made:
        folds.setdefault(row["group"], set()).add(row["fold"])
    # Its author holds that no clip lies in two folds; by the names, four of them do.
    torn = {clip for clip, its in folds.items() if len(its) > 1}
    assert (len(folds), torn) == (1524, {"131943", "134049", "209698", "234879"})


def test_the_folds_of_esc50_are_used(tmp_path):
    known = KNOWN_DATA["esc50"]
    (tmp_path / "esc50.csv").write_bytes(make_labels(known))
    recordings = read_dataset(tmp_path / "esc50.csv").recordings
    folds = deal_folds(recordings)
    assert len(folds) == 5
    assert len({item.label for item in recordings}) == known.classes


# Headers


EXTENSIBLE = (0xFFFE, *MONO[1:])
ONE = tiny("x", {"a.wav": wav()}, ())
GUID = struct.pack("<HHIH", 22, 16, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")


@pytest.mark.parametrize(
    "content",
    [
        wav(),
        wav(before=LIST),
        wav(after=LIST),
        wav(extra=b"\0\0"),
        wav(form=EXTENSIBLE, extra=GUID),
    ],
)
def test_the_same_samples_under_another_header_are_recognised(content):
    assert plain_wav(content) == wav()
    assert restore(ONE, "a.wav", content) == wav()


@pytest.mark.parametrize(
    "other",
    [wav(b"\1\2\3\5"), wav(form=(1, 1, 48_000, 96_000, 2, 16)), wav()[:-1], b"", b"RIFF"],
)
def test_other_samples_are_not_recognised(other):
    assert restore(ONE, "a.wav", other) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF\0\0\0\0WAVE",
        b"OggS" + wav()[4:],
        wav(form=(3, 1, 44_100, 176_400, 4, 32)),
        wav()[:36],
        b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd",
        b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff",
    ],
)
def test_what_is_no_wav_of_integers_has_no_plain_form(content):
    assert plain_wav(content) is None


def test_a_plain_header_is_what_others_write(tmp_path):
    samples = np.arange(-500, 500, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 8000, subtype="PCM_16")
    content = (tmp_path / "a.wav").read_bytes()
    assert plain_wav(content) == content
