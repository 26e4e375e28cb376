"""Read files out of archives that may be damaged or made to do harm.

Nothing is ever unpacked to where an archive says: members are read into memory, bounded, and only
those whose name is wanted. So a name with `..` or a drive in it leads nowhere, and links, devices
and folders are passed over.
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
from typing import BinaryIO

from timbrel.errors import FetchError
from timbrel.fetching.parts import RemoteFile

# Lists of members and names that are longer than that were made to fill the memory.
_MOST_AT_ONCE = 1 << 22
# A reader of tar archives that asks so often behind the end would do so for ever.
_MOST_EMPTY = 100
# Before the data of a zip member: its header, its name and what is known of it once more.
_LOCAL_HEADER = 30 + 1024
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError),
    # What an archive that is made up can lead these modules to, too; OSError is bad gzip.
    *(OSError, ValueError, NotImplementedError, RuntimeError, IndexError, OverflowError),
)


class DamagedArchive(FetchError):
    """An archive that cannot be read, or not to its end."""


@dataclass(frozen=True)
class Member:
    """A wanted file of an archive.

    Attributes:
        name: as the archive has it.
        content: what it holds; empty where there is a fault.
        fault: why it could not be read, or None.
    """

    name: str
    content: bytes = b""
    fault: str | None = None


@dataclass(frozen=True)
class Limits:
    """How much is read of an archive.

    Attributes:
        member: bytes of a member; more make it a fault.
        unpacked: bytes of everything before the end of the last wanted member of a tar archive,
            which has to be unpacked to be passed over.
    """

    member: int
    unpacked: int


def read_members(file: BinaryIO, wanted: Callable[[str], bool], limits: Limits) -> Iterator[Member]:
    """Give the wanted files of a zip or tar archive (gzip or plain), one after the other.

    Args:
        file: the archive, open for reading bytes, at its start.
        wanted: asked for each name; the answer may change as members come.
        limits: how much is read.

    Raises:
        DamagedArchive: it is no such archive, is damaged or cut off, or unpacks to too much; what
            came before was whole.
    """
    sparing = _Sparing(file)
    head = sparing.read(512)
    sparing.seek(0)
    try:
        if head.startswith(b"PK"):
            yield from _zip(sparing, wanted, limits)
        elif head.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=sparing, mode="rb") as unpacked:
                yield from _tar(unpacked, wanted, limits)
        elif head[257:262] == b"ustar":
            yield from _tar(sparing.file, wanted, limits)
        else:
            raise DamagedArchive(_no_archive(head))
    except FetchError:
        raise
    except _DAMAGE as error:
        if isinstance(error.__context__, FetchError):
            # The reason, which zipfile takes for damage.
            raise error.__context__ from None
        raise DamagedArchive(f"it is damaged or cut off ({_said(error)})") from error


class _Sparing(io.RawIOBase):
    """A file of which no more than some megabytes are read at once."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self.file = file

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        if size is None or size < 0:
            size = _MOST_AT_ONCE + 1
        content = self.file.read(min(size, _MOST_AT_ONCE + 1))
        if len(content) > _MOST_AT_ONCE:
            raise DamagedArchive("a list or a name in it is so long that it must be made up")
        return content


class _Ending(_Sparing):
    """A file behind whose end nobody may ask for ever."""

    _empty = 0

    def read(self, size: int = -1) -> bytes:
        content = super().read(size)
        self._empty = 0 if content else self._empty + 1
        if self._empty > _MOST_EMPTY:
            raise EOFError("it ends early")
        return content


def _zip(file: _Sparing, wanted: Callable[[str], bool], limits: Limits) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if not wanted(info.filename):
                continue
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir() or kind not in (0, stat.S_IFREG):
                yield Member(info.filename, fault="it is a link or a folder there")
            elif info.flag_bits & 1:
                yield Member(info.filename, fault="it is encrypted")
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                yield Member(info.filename, fault="it is packed in an unusual way")
            elif info.file_size > limits.member:
                yield Member(info.filename, fault=_too_large(info.file_size))
            else:
                yield _read_zipped(archive, info, file.file)


def _read_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: BinaryIO) -> Member:
    if isinstance(file, RemoteFile):
        file.expect(info.header_offset, _LOCAL_HEADER + info.compress_size)
    try:
        with archive.open(info) as member:
            # What unpacks to more than the archive says is cut there, and its sum is then wrong.
            return Member(info.filename, member.read(info.file_size))
    except FetchError:
        raise
    except _DAMAGE as error:
        return Member(info.filename, fault=f"it is damaged ({_said(error)})")


def _tar(file: BinaryIO, wanted: Callable[[str], bool], limits: Limits) -> Iterator[Member]:
    with tarfile.open(fileobj=_Ending(file), mode="r:") as archive:
        while (info := archive.next()) is not None:
            # All that was passed over would be kept.
            archive.members = []
            if info.size < 0 or info.offset_data + info.size > limits.unpacked:
                raise DamagedArchive(
                    f"it unpacks to more than {limits.unpacked / 1e6:.0f} MB, which is far more "
                    "than expected"
                )
            if not wanted(info.name):
                continue
            if not info.isreg() or info.issparse():
                yield Member(info.name, fault="it is a link, a folder or a device there")
            elif info.size > limits.member:
                yield Member(info.name, fault=_too_large(info.size))
            else:
                yield Member(info.name, _read_packed(archive, info))


def _read_packed(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    with archive.extractfile(info) as member:
        content = member.read()
    if len(content) != info.size:
        raise EOFError("the last file is cut off")
    return content


def _too_large(size: int) -> str:
    return f"it unpacks to {size:,} bytes, which is more than expected"


def _no_archive(head: bytes) -> str:
    start = head.lstrip()[:14].lower()
    if not head:
        return "it is empty"
    if start.startswith((b"<!doctype html", b"<html")):
        return (
            "it is a web page, not an archive; the network may ask for a login, or the address "
            "may be that of a page"
        )
    return "it is neither a zip nor a tar archive (.zip, .tar or .tar.gz)"


def _said(error: BaseException) -> str:
    return str(error).rstrip(".") or type(error).__name__
