"""A small data set that is known from the tests alone, and archives of it."""

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from dataclasses import dataclass

from timbrel.fetching.known import KnownData, Source

MONO = (1, 1, 44_100, 88_200, 2, 16)


def wav(samples=b"\1\2\3\4", *, form=MONO, extra=b"", before=b"", after=b""):
    """A WAV file with something between, before or after what is needed."""
    head = struct.pack("<HHIIHH", *form) + extra
    chunks = before + b"fmt " + struct.pack("<I", len(head)) + head
    chunks += b"data" + struct.pack("<I", len(samples)) + samples + after
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


LIST = b"LIST" + struct.pack("<I", 3) + b"abc\0"

RECORDINGS = {
    f"wavfiles/{number:08x}.wav": wav(bytes([number]) * (4000 + 2 * number)) for number in range(40)
}
LABELS = "fname,label\n" + "".join(
    f"{path[9:]},{'Cello' if number % 2 else 'Flute'}\n" for number, path in enumerate(RECORDINGS)
)
FILES = {"instruments.csv": LABELS.encode(), **RECORDINGS}
SOME = "wavfiles/00000007.wav"


@dataclass(frozen=True)
class Tiny(KnownData):
    """A data set that is known from the tests alone."""

    files: tuple = ()

    @property
    def sums(self):
        return "".join(
            f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in self.files
        )


def tiny(name, files, sources, **settings):
    return Tiny(
        name=name,
        title="T",
        about="A",
        recordings=sum(path.endswith(".wav") for path in files),
        classes=2,
        bytes=sum(map(len, files.values())),
        largest=max(map(len, files.values())),
        licence="CC0",
        home="H",
        version="V",
        sources=tuple(sources),
        labels=f"{name}.csv",
        files=tuple(files.items()),
        **settings,
    )


def tar_gz(files, root="Audio-Classification-0186/"):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as file:
        for path, content in {"README.md": b"text", **files}.items():
            info = tarfile.TarInfo(root + path)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return gzip.compress(archive.getvalue(), 1)


def zipped(files, root="FSDKaggle2018.audio_train/"):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path, content in files.items():
            file.writestr(root + path.rpartition("/")[2], content)
    return archive.getvalue()


def put(site):
    """Have the data set on a server as the tutorial's author has it; return what is known of it."""
    site.put("/all.tar.gz", tar_gz(FILES))
    for path, content in FILES.items():
        site.put(f"/raw/{path}", content)
    sources = [Source(f"{site.url}/all.tar.gz"), Source(f"{site.url}/raw/", "folder")]
    sources += [Source(f"{site.url}/meta.zip"), Source(f"{site.url}/train.zip", "parts")]
    return tiny("instruments", FILES, sources, audio="wavfiles", makes_labels=False)
