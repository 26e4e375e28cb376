"""The data sets that are known: their addresses, files and licences."""

from __future__ import annotations

import csv
import hashlib
import io
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import PurePosixPath

_GITHUB = "https://github.com"
_RAW = "https://raw.githubusercontent.com"
_TUTORIAL = ("seth814/Audio-Classification", "018692a618ed4c3f9b9af7467a8246fc4fbaf1bb")
_FSDKAGGLE = "https://zenodo.org/records/2552860"
# v1.0.10.
_DIGITS = ("Jakobovski/free-spoken-digit-dataset", "d6938f9bf1545aa66d8489fc9f1385a7abd64282")
_ESC50 = ("karolpiczak/ESC-50", "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6")

ATTRIBUTION = "ATTRIBUTION.txt"
# FSDKaggle2018 lists all its recordings in this table; the instruments are among them.
COLLECTION_TABLE = "train_post_competition.csv"
# The classes of ESC-50 by their number, which is in the name of each recording.
ESC50_CLASSES = (
    *("dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow"),
    *("rain", "sea_waves", "crackling_fire", "crickets", "chirping_birds", "water_drops"),
    *("wind", "pouring_water", "toilet_flush", "thunderstorm", "crying_baby", "sneezing"),
    *("clapping", "breathing", "coughing", "footsteps", "laughing", "brushing_teeth", "snoring"),
    *("drinking_sipping", "door_wood_knock", "mouse_click", "keyboard_typing"),
    *("door_wood_creaks", "can_opening", "washing_machine", "vacuum_cleaner", "clock_alarm"),
    *("clock_tick", "glass_breaking", "helicopter", "chainsaw", "siren", "car_horn", "engine"),
    *("train", "church_bells", "airplane", "fireworks", "hand_saw"),
)


@dataclass(frozen=True)
class Source:
    """An address of files of a data set.

    Attributes:
        url: of an archive, or of a folder where `kind` is "folder".
        kind: "archive": fetched whole (.tar.gz or .zip); "parts": a zip archive too large for
            that, of which only the needed parts are fetched; "folder": its files are fetched one
            by one, under the paths that they have in the data set.
    """

    url: str
    kind: str = "archive"


@dataclass(frozen=True)
class KnownData:
    """A data set that can be fetched by name.

    Attributes:
        name: for `timbrel data` and `timbrel.fetch_data`; also the default folder.
        title: its full name.
        about: a description, in a line.
        recordings: number of recordings.
        classes: number of classes.
        bytes: of all files, once they are unpacked.
        largest: bytes of the largest file; no more is read of any.
        licence: in short; the attribution has the full text.
        home: page of the data set.
        version: a release, or a commit.
        sources: addresses of its files, the best first.
        labels: path of the CSV for `timbrel train`.
        audio: folder that the CSV's paths are relative to, where that is not its own.
        makes_labels: the CSV is made from the names of the recordings; otherwise it is one of the
            files that are fetched.
        algorithm: of the sums that its files are checked with.
        notices: files with licences, which are not checked: no sums of them are known.
    """

    name: str
    title: str
    about: str
    recordings: int
    classes: int
    bytes: int
    largest: int
    licence: str
    home: str
    version: str
    sources: tuple[Source, ...]
    labels: str
    audio: str | None = None
    makes_labels: bool = True
    algorithm: str = "sha256"
    notices: tuple[str, ...] = ()

    @property
    def attribution(self) -> str:
        """The makers, the licence and the checks, as a text to store with the recordings."""
        return _text("attribution", f"{self.name}.txt")

    @property
    def sums(self) -> str:
        """The sums of its files, in the format of `sha256sum` and `md5sum`."""
        return _text("sums", f"{self.name}.{self.algorithm}")

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """The sum of each file in hexadecimal, by its path joined with `/`."""
        pairs = (line.split("  ", 1) for line in self.sums.splitlines())
        return {path: digest for digest, path in pairs}


def _text(folder: str, name: str) -> str:
    return resources.files("timbrel.fetching").joinpath(folder, name).read_text(encoding="utf-8")


def _repository(name: str, commit: str) -> tuple[Source, ...]:
    """A commit of a GitHub repository: as an archive, or file by file."""
    return (
        Source(f"{_GITHUB}/{name}/archive/{commit}.tar.gz"),
        Source(f"{_RAW}/{name}/{commit}/", "folder"),
    )


KNOWN_DATA = {
    data.name: data
    for data in (
        KnownData(
            name="instruments",
            title="The tutorial's instruments, from FSDKaggle2018",
            about="ten instruments, 30 recordings of each",
            recordings=300,
            classes=10,
            bytes=134_283_564,
            largest=2_321_468,
            licence="CC BY 4.0; each recording under a Creative Commons licence of its own",
            home=f"{_GITHUB}/{_TUTORIAL[0]}",
            version=f"commit {_TUTORIAL[1]}",
            sources=(
                *_repository(*_TUTORIAL),
                Source(f"{_FSDKAGGLE}/files/FSDKaggle2018.meta.zip"),
                Source(f"{_FSDKAGGLE}/files/FSDKaggle2018.audio_train.zip", "parts"),
            ),
            labels="instruments.csv",
            audio="wavfiles",
            makes_labels=False,
        ),
        KnownData(
            name="digits",
            title="Free Spoken Digit Dataset",
            about="the digits 0 to 9, spoken 50 times by each of six people",
            recordings=3000,
            classes=10,
            bytes=21_128_848,
            largest=36_568,
            licence="CC BY-SA 4.0",
            home=f"{_GITHUB}/{_DIGITS[0]}",
            version=f"v1.0.10, commit {_DIGITS[1]}",
            sources=_repository(*_DIGITS),
            labels="digits.csv",
        ),
        KnownData(
            name="esc50",
            title="ESC-50: Dataset for Environmental Sound Classification",
            about="50 classes of everyday sounds, 40 recordings of 5 s of each, in five folds",
            recordings=2000,
            classes=50,
            # 2000 recordings of 5 s at 44.1 kHz, 16 bit, and a header of 44 bytes each.
            bytes=2000 * 441_044,
            largest=441_044,
            licence="CC BY-NC 3.0",
            home=f"{_GITHUB}/{_ESC50[0]}",
            version=f"commit {_ESC50[1]}",
            sources=_repository(*_ESC50),
            labels="esc50.csv",
            algorithm="md5",
            notices=("LICENSE",),
        ),
    )
}


def has_sum(known: KnownData, path: str, content: io.BufferedReader | io.BytesIO) -> bool:
    """Whether an open file has the known sum of the file `path`."""
    digest = hashlib.file_digest(
        content, lambda: hashlib.new(known.algorithm, usedforsecurity=False)
    )
    return digest.hexdigest() == known.digests[path]


def restore(known: KnownData, path: str, content: bytes) -> bytes | None:
    """The file `path` as it is known, if this is it or has the same samples; otherwise None.

    Copies of the recordings may have other WAV headers, for example with a list of tags.
    """
    for candidate in (content, plain_wav(content)):
        if candidate is not None and has_sum(known, path, io.BytesIO(candidate)):
            return candidate
    return None


def plain_wav(content: bytes) -> bytes | None:
    """The same PCM samples under the shortest header, 44 bytes; None if there are none."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return None
    form, start = None, 12
    while start + 8 <= len(content):
        kind, size = struct.unpack_from("<4sI", content, start)
        chunk = content[start + 8 : start + 8 + size]
        if kind == b"fmt " and len(chunk) >= 16:
            # In the extensible format, the tag of the samples follows later.
            extensible = chunk[:2] == b"\xfe\xff" and len(chunk) >= 26
            tag = chunk[24:26] if extensible else chunk[:2]
            form = tag + chunk[2:16] if tag == b"\x01\x00" else None
        elif kind == b"data" and form is not None:
            head = struct.pack("<4sI4s4sI", b"RIFF", 36 + len(chunk), b"WAVE", b"fmt ", 16)
            return head + form + struct.pack("<4sI", b"data", len(chunk)) + chunk
        # Chunks begin at even offsets.
        start += 8 + size + size % 2
    return None


def make_labels(known: KnownData) -> bytes:
    """Make the CSV of a data set from the names of its recordings."""
    stems = {path: PurePosixPath(path).stem for path in known.digests}
    if known.name == "digits":
        rows = [("path", "label", "group")]
        for path, stem in stems.items():
            digit, speaker, _ = stem.split("_")
            rows.append((path, digit, speaker))
        return _csv(rows)
    table = [("path", "label", "group", "fold")]
    for path, stem in stems.items():
        # Takes of one clip are parts of one recording.
        fold, clip, _, target = stem.split("-")
        table.append((path, ESC50_CLASSES[int(target)], clip, fold))
    return _csv(table)


def pick_labels(known: KnownData, table: bytes) -> bytes | None:
    """Make the CSV of a data set from the table of a larger collection.

    Both have the columns `fname` and `label`. Returns None where the table cannot be read or lacks
    a recording.
    """
    try:
        lines = csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline=""), strict=True)
        labels = {row.get("fname"): row.get("label") for row in lines}
    except (UnicodeDecodeError, csv.Error):
        return None
    names = [PurePosixPath(path).name for path in known.digests if path != known.labels]
    rows = [(name, labels.get(name)) for name in names]
    if any(label is None for _, label in rows):
        return None
    return _csv([("fname", "label"), *rows])


def _csv(rows: Sequence[tuple[str | None, ...]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
