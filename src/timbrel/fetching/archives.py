"""Read files out of archives that may be damaged or made to do harm.

Members are read into memory, up to a limit, and only those whose name is wanted. Nothing is
unpacked to a path that an archive names, so a name with `..` or a drive in it does no harm, and
links, devices and folders are skipped.
"""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

# A list of members or a name that is longer was made to fill the memory.
_MOST_AT_ONCE = 1 << 22
# Reads after the end of a file: a reader that makes more of them never stops.
_MOST_EMPTY = 100
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError),
    # These are raised for some archives that were made to do harm; OSError for bad gzip.
    *(OSError, ValueError, NotImplementedError, RuntimeError, IndexError, OverflowError),
)


class DamagedArchive(Exception):
    """An archive that cannot be read, or not to its end."""


@dataclass(frozen=True)
class Member:
    """A wanted file of an archive."""

    name: str  # As the archive has it.
    content: bytes = b""  # Empty where there is a fault.
    fault: str | None = None  # Why it could not be read.


class _Bounded(io.RawIOBase):
    """A file that refuses to be read in very large pieces, or endlessly after its end."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        super().__init__()
        self._file = file
        self._empty = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        most = _MOST_AT_ONCE + 1
        content = self._file.read(most if size is None or size < 0 else min(size, most))
        if len(content) == most:
            raise DamagedArchive("a list or a name in it is so long that it must be forged")
        self._empty = 0 if content else self._empty + 1
        if self._empty > _MOST_EMPTY:
            raise EOFError("it ends early")
        return content


def read_members(
    file: IO[bytes], wanted: Callable[[str], bool], *, member_limit: int, unpacked_limit: int
) -> Iterator[Member]:
    """Yield the wanted files of a zip or tar archive (gzip or plain), one after the other.

    Args:
        file: the archive, open for reading bytes, at its start.
        wanted: called with each name; its result may change between members.
        member_limit: bytes of a member; a larger one is a fault.
        unpacked_limit: bytes of everything before the end of the last member of a tar archive,
            which has to be unpacked to be skipped.

    Raises:
        DamagedArchive: it is no such archive, is damaged or cut off, or unpacks to too much; the
            members before are whole.
    """
    head = file.read(512)
    file.seek(0)
    start = head.lstrip()[:14].lower()
    try:
        if head.startswith(b"PK"):
            yield from _read_zip(file, wanted, member_limit)
        elif head.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
                yield from _read_tar(unpacked, wanted, member_limit, unpacked_limit)
                # To tarfile, damage may look like the end; the sum of gzip is at its real end.
                while unpacked.tell() < unpacked_limit and unpacked.read(_MOST_AT_ONCE):
                    pass
        elif head[257:262] == b"ustar":
            yield from _read_tar(file, wanted, member_limit, unpacked_limit)
        elif not head:
            raise DamagedArchive("it is empty")
        elif start.startswith((b"<!doctype html", b"<html")):
            raise DamagedArchive(
                "it is a web page, not an archive; the network may ask for a login, or the address "
                "may be that of a page"
            )
        else:
            raise DamagedArchive("it is neither a zip nor a tar archive (.zip, .tar or .tar.gz)")
    except _DAMAGE as error:
        raise DamagedArchive(f"it is damaged or cut off ({_in_words(error)})") from error


def _read_zip(
    file: IO[bytes], wanted: Callable[[str], bool], member_limit: int
) -> Iterator[Member]:
    with zipfile.ZipFile(_Bounded(file)) as archive:
        for info in archive.infolist():
            if not wanted(info.filename):
                continue
            content, fault = b"", None
            if info.is_dir() or stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
                fault = "it is a link or a folder there"
            elif info.flag_bits & 1:
                fault = "it is encrypted"
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                fault = "it is packed in an unusual way"
            elif info.file_size > member_limit:
                fault = _too_large(info.file_size)
            else:
                try:
                    with archive.open(info) as opened:
                        # More than the archive says is not unpacked; its sum is then wrong.
                        content = opened.read(info.file_size)
                except _DAMAGE as error:
                    fault = f"it is damaged ({_in_words(error)})"
            yield Member(info.filename, content, fault)


def _read_tar(
    file: IO[bytes] | gzip.GzipFile,
    wanted: Callable[[str], bool],
    member_limit: int,
    unpacked_limit: int,
) -> Iterator[Member]:
    with tarfile.open(fileobj=_Bounded(file), mode="r:") as archive:
        while (info := archive.next()) is not None:
            # Otherwise it keeps all that were skipped.
            archive.members = []  # type: ignore[attr-defined]  # typeshed lacks it.
            if info.size < 0 or info.offset_data + info.size > unpacked_limit:
                raise DamagedArchive(
                    f"it unpacks to more than {unpacked_limit / 1e6:.0f} MB, which is far more "
                    "than expected"
                )
            if not wanted(info.name):
                continue
            content, fault = b"", None
            if not info.isreg() or info.issparse():
                fault = "it is a link, a folder or a device there"
            elif info.size > member_limit:
                fault = _too_large(info.size)
            else:
                opened = archive.extractfile(info)
                content = opened.read() if opened is not None else b""
                if len(content) != info.size:
                    raise EOFError("the last file is cut off")
            yield Member(info.name, content, fault)


def _too_large(size: int) -> str:
    return f"it unpacks to {size:,} bytes, which is more than expected"


def _in_words(error: BaseException) -> str:
    return str(error).rstrip(".") or type(error).__name__
