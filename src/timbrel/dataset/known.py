"""Data sets that are known: where they are, what belongs to them, and under which licence."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from timbrel.errors import InvalidArgument

_GITHUB = "https://github.com"
_RAW = "https://raw.githubusercontent.com"
_TUTORIAL = ("seth814/Audio-Classification", "018692a618ed4c3f9b9af7467a8246fc4fbaf1bb")
_FSDKAGGLE = "https://zenodo.org/records/2552860"
# v1.0.10.
_DIGITS = ("Jakobovski/free-spoken-digit-dataset", "d6938f9bf1545aa66d8489fc9f1385a7abd64282")
_ESC50 = ("karolpiczak/ESC-50", "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6")

ATTRIBUTION = "ATTRIBUTION.txt"


@dataclass(frozen=True)
class Source:
    """One place where files of a data set are.

    Attributes:
        url: of an archive, or of a folder where `kind` is "folder".
        kind: "archive": fetched whole (.tar.gz or .zip); "parts": a zip archive too large for
            that, of which only what is needed is fetched; "folder": its files are fetched one by
            one, under the paths that they have in the data set.
    """

    url: str
    kind: str = "archive"


@dataclass(frozen=True)
class KnownData:
    """A data set that can be fetched by name.

    Attributes:
        name: as it is asked for; also the default folder, and the name of its sums.
        title: its own name.
        about: what it is, in a line.
        recordings: how many.
        classes: how many.
        bytes: of all files, once they are unpacked.
        largest: bytes of the largest file; more is never read of any.
        licence: in short; the whole of it is in the attribution.
        home: page of the data set.
        version: which state of it.
        sources: where its files are, the best first.
        labels: path of the CSV for `timbrel train`.
        audio: folder that the CSV's paths are relative to, where that is not its own.
        makes_labels: the CSV is made from the names of the recordings; otherwise it is one of the
            files that are fetched.
        algorithm: of the sums that its files are checked with.
        notices: files with licences that are taken as they come; no sums are known of them.
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
        """Text to lie beside the recordings, of makers, licence and how they were checked."""
        return _package("known_attribution", f"{self.name}.txt").read_text(encoding="utf-8")

    @property
    def sums(self) -> str:
        """The sums of its files, in the format of `sha256sum` and `md5sum`."""
        return _package("known_sums", f"{self.name}.{self.algorithm}").read_text(encoding="utf-8")


def _package(*path: str) -> Traversable:
    return resources.files("timbrel.dataset").joinpath(*path)


def _repository(where: tuple[str, str]) -> tuple[Source, ...]:
    """A commit of a GitHub repository: as an archive, or file by file."""
    name, commit = where
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
                *_repository(_TUTORIAL),
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
            sources=_repository(_DIGITS),
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
            sources=_repository(_ESC50),
            labels="esc50.csv",
            algorithm="md5",
            notices=("LICENSE",),
        ),
    )
}


def get_known_data(name: str) -> KnownData:
    """Look up a known data set.

    Raises:
        InvalidArgument: none has that name.
    """
    if name not in KNOWN_DATA:
        raise InvalidArgument(
            f"`name` must be one of {', '.join(KNOWN_DATA)}. Got {name!r}. "
            "`timbrel data --list` says more of each."
        )
    return KNOWN_DATA[name]
