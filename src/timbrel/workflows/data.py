"""`timbrel data`: fetch a known data set, and check every file.

Only files of the data set are kept, under their paths; each source is used for the files that are
still missing. So half an archive, a mirror that lacks some files, or two archives are of use.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import quote, urlsplit

from timbrel.errors import FULL, FetchError, InvalidArgument, OutputError, TimbrelError
from timbrel.fetching.archives import DamagedArchive, Member, read_members
from timbrel.fetching.download import NotFetched, download, open_remote
from timbrel.fetching.known import (
    ATTRIBUTION,
    COLLECTION_TABLE,
    KNOWN_DATA,
    KnownData,
    Source,
    has_sum,
    make_labels,
    pick_labels,
    restore,
)
from timbrel.files import take_lock
from timbrel.progress import Progress, watching

# The earlier name of the class, which stays public.
FetchObserver = Progress

# A WAV header may hold a list of tags.
_TAGS = 1 << 16
# Archives hold more than the recordings; one that is larger than this is something else.
_TIMES, _AT_LEAST = 4, 1 << 26
# Files in a row that a folder on a server lacks, before the rest is not looked for.
_MOST_LACKING = 10
# A few files are fetched one by one rather than in the archive of all.
_FEW = 20


@dataclass(frozen=True)
class FetchedData:
    """A data set that is ready to be used.

    Attributes:
        known: its name, licence and attribution.
        path: its folder.
        labels: the CSV for `timbrel.train`.
        audio: the folder that the CSV's paths are relative to; None for the CSV's own.
        fetched: files that came in this call.
        repaired: files that were there before and were damaged.
        checked: files that were there before and are right.
        foreign: files in the folder that do not belong to the data set; they were left alone.
        notes: what else is worth knowing.
    """

    known: KnownData
    path: Path
    labels: Path
    audio: Path | None
    fetched: int
    repaired: tuple[str, ...]
    checked: int
    foreign: tuple[str, ...]
    notes: tuple[str, ...]


def fetch_data(
    name: str,
    output: str | os.PathLike | None = None,
    *,
    source: str | os.PathLike | Sequence[str | os.PathLike] | None = None,
    progress: Progress | bool = False,
) -> FetchedData:
    """Fetch a known data set into a folder, and check every file by its sum.

    The folder appears when it is whole. If it is there already, it is checked, and what is missing
    or damaged is fetched; nothing else in it is touched. An interrupted call is resumed by the same
    call.

    Args:
        name: one of `timbrel.KNOWN_DATA`.
        output: the folder; by default one of the data set's name.
        source: used instead of the known sources: an archive (.zip, .tar, .tar.gz) or a folder on
            the disk, the address of an archive, or that of a folder, which ends with `/`; several
            are used one after the other.
        progress: True for bars in a notebook or on a terminal's stderr, or an object to tell. The
            stages are "checking", "sources" (the note is the current source), "fetching" (in MB),
            "files" (fetched one by one), "unpacking", and "waiting" (in seconds; the note says what
            went wrong and is tried again).

    Raises:
        InvalidArgument: no data set has that name, `output` is a file, or `source` is an address
            of another kind.
        FetchError: not all of it could be fetched; what came is kept for the next call.
        OutputError: the folder cannot be written; what came is kept for the next call.
    """
    if name not in KNOWN_DATA:
        raise InvalidArgument(
            f"`name` must be one of {', '.join(KNOWN_DATA)}. Got {name!r}. "
            "`timbrel data --list` says more of each."
        )
    shown = Path(name if output is None else output)
    target = Path(os.path.realpath(shown))
    if target.exists() and not target.is_dir():
        raise InvalidArgument(f"`output` must be a folder. '{shown}' is a file.")
    sources: list[Source | Path] = list(KNOWN_DATA[name].sources)
    if source is not None:
        given = [source] if isinstance(source, str | os.PathLike) else source
        sources = [_parse_source(os.fspath(item)) for item in given]
    with watching(progress) as watcher:
        try:
            return _Fetch(KNOWN_DATA[name], target, shown, watcher).run(sources)
        except TimbrelError:
            raise
        except OSError as error:
            if error.errno in FULL:
                raise OutputError(
                    f"Cannot write {shown}: the disk is full. Free some space and run the same "
                    "command again: it goes on where this one stopped."
                ) from error
            raise OutputError.of(shown, error) from error


def _parse_source(text: str) -> Source | Path:
    """An address of a server as a source, anything else as a path."""
    scheme, separator, _ = text.partition("://")
    if not separator or not scheme.isalnum():
        return Path(text)
    try:
        host = urlsplit(text).hostname
    except ValueError:
        host = None
    if scheme.lower() not in ("http", "https") or not host:
        raise InvalidArgument(
            f"`source` must be a folder, an archive, or an address that begins with https:// or "
            f"http://. Got '{text}'."
        )
    return Source(text, "folder" if text.endswith("/") else "archive")


def unfinished(output: str | os.PathLike) -> Path:
    """The folder in which `fetch_data` keeps files until all of them are there.

    It is next to a new folder, under its name, but inside one that already exists, so that both
    are on one disk.
    """
    target = Path(os.path.realpath(output))
    if target.is_dir():
        return target / ".timbrel-data.partial"
    return target.with_name(f".{target.name}.partial")


class _Fetch:
    """One call of `fetch_data`.

    Attributes:
        work: the folder of unfinished files.
        folder: where whole files are put under their paths: the target if it is there already,
            otherwise a folder in `work` that becomes the target.
        existed: whether the target was there before.
        needed: how many files were not there.
        missing: paths of the files that are still not there, each with its fault in the last source
            that had it; None where none had it.
        notices: files with licences that are still missing.
        problems: why sources failed, wholly or in part, each with the sources that failed so.
        restored: recordings that were given the usual WAV header.
    """

    def __init__(self, known: KnownData, target: Path, shown: Path, progress: Progress) -> None:
        self.known = known
        self.target = target
        self.shown = shown
        self.progress = progress
        self.existed = target.is_dir()
        self.work = unfinished(target)
        self.folder = target if self.existed else self.work / "files"
        # No two files of one data set have the same name.
        self.paths = {PurePosixPath(path).name: path for path in known.digests}
        self.needed = 0
        self.missing: dict[str, str | None] = {}
        self.notices = [name for name in known.notices if not (self.folder / name).exists()]
        self.problems: dict[str, list[str]] = {}
        self.restored = 0
        self.notes: list[str] = []
        self.member_limit = known.largest + _TAGS
        self.unpacked_limit = _TIMES * known.bytes + _AT_LEAST

    def run(self, sources: list[Source | Path]) -> FetchedData:
        generated = {ATTRIBUTION: self.known.attribution.encode()}
        if self.known.makes_labels:
            generated[self.known.labels] = make_labels(self.known)
        damaged = self._check([*self.known.digests, *generated])
        # Files that an interrupted call left count as fetched by this one.
        self.needed = len(self.missing) if self.existed else len(self.known.digests)
        for path in list(generated):
            file = self.folder / path
            if file.is_file() and file.read_bytes() == generated[path]:
                del generated[path]
        if self.needed or generated:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.work.mkdir(exist_ok=True)
            with open(self.work / "lock", "a") as lock:
                if not take_lock(lock.fileno()):
                    raise InvalidArgument(
                        f"Another timbrel data is fetching '{self.shown}'. Wait for it to end."
                    )
                self._gather(sources)
                if not self.missing:
                    for path, content in generated.items():
                        self._write(path, content)
                    if not self.existed:
                        os.rename(self.folder, self.target)
            if self.missing:
                raise self._failure(sources)
            shutil.rmtree(self.work)
        if self.restored:
            self.notes.append(
                f"{self.restored} recordings came with another WAV header and were given the "
                "usual one; their samples are as they were."
            )
        foreign: list[str] = []
        if self.existed:
            own = {*self.known.digests, self.known.labels, ATTRIBUTION, *self.known.notices}
            for file in sorted(self.folder.rglob("*")):
                path = file.relative_to(self.folder).as_posix()
                # Hidden files belong to the system, or to us.
                if path not in own and "/." not in f"/{path}" and not file.is_dir():
                    foreign.append(path)
        return FetchedData(
            known=self.known,
            path=self.shown,
            labels=self.shown / self.known.labels,
            audio=self.shown / self.known.audio if self.known.audio else None,
            fetched=self.needed,
            repaired=tuple(damaged) if self.existed else (),
            checked=len(self.known.digests) - self.needed,
            foreign=tuple(foreign),
            notes=tuple(self.notes),
        )

    def _check(self, own: list[str]) -> list[str]:
        """Find the missing files; return the paths of those that are there and damaged.

        Raises:
            InvalidArgument: there is a folder in the place of a file, or the other way around.
        """
        folders = {path.rpartition("/")[0] for path in own} - {""}
        for path in sorted({*own, *folders}):
            place = self.folder / path
            if os.path.lexists(place) and place.is_dir() != (path in folders):
                raise InvalidArgument(
                    f"'{self.shown / path}' is in the way of '{self.known.name}': it is "
                    f"{'no' if path in folders else 'a'} folder. Move it away, or choose another "
                    "folder with `output`."
                )
        damaged = []
        for number, path in enumerate(self.known.digests, start=1):
            file = self.folder / path
            try:
                with file.open("rb") as content:
                    right = has_sum(self.known, path, content)
            except OSError:  # Not there, a link that leads nowhere, or a file that cannot be read.
                right = False
            if not right:
                self.missing[path] = None
                if os.path.lexists(file):
                    damaged.append(path)
            if self.existed:
                self.progress.stage("checking", number, len(self.known.digests), "files")
        return damaged

    def _write(self, path: str, content: bytes) -> None:
        """Write a file under another name first, so that it is whole under its own."""
        new = self.work / "new"
        new.write_bytes(content)
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if path == self.known.labels and os.path.lexists(file):
            # Somebody may have worked on labels that are not those of the data set.
            number = 1
            while os.path.lexists(kept := file.with_name(f"{file.name}.{number}.kept")):
                number += 1
            os.rename(file, kept)
            self.notes.append(
                f"{self.shown / path} held other labels; they are kept as {kept.name}."
            )
        os.replace(new, file)

    def _gather(self, sources: list[Source | Path]) -> None:
        """Use the sources until nothing is missing; fill `missing` and `problems`."""
        if len(self.missing) <= max(_FEW, len(self.known.digests) // _FEW):
            sources = sorted(sources, key=lambda it: getattr(it, "kind", "") != "folder")
        for number, source in enumerate(sources):
            if not self.missing:
                break
            place = str(source) if isinstance(source, Path) else source.url
            self.progress.stage("sources", number, len(sources), place)
            try:
                if isinstance(source, Path):
                    self._from_disk(source)
                elif source.kind == "folder":
                    self._from_server(source.url)
                elif source.kind == "parts":
                    with open_remote(source.url, self.progress) as archive:
                        self._from_archive(archive)
                else:
                    self._from_download(source.url)
            except NotFetched as error:
                self.problems.setdefault(error.reason, []).append(error.url)
            except (FetchError, DamagedArchive) as error:
                self.problems.setdefault(str(error), []).append(place)
        self.progress.stage("sources", len(sources), len(sources))

    def _from_disk(self, source: Path) -> None:
        """Take files from an archive, or from anywhere in a folder, by their names."""
        if not source.is_dir():
            try:
                archive = source.open("rb")
            except FileNotFoundError as error:
                raise FetchError("there is no such file or folder") from error
            except OSError as error:
                raise FetchError(f"it cannot be read: {error.strerror or error}") from error
            with archive:
                self._from_archive(archive)
            return
        for file in source.rglob("*"):
            name = file.relative_to(source).as_posix()
            if not self._wants(name) or not file.is_file():
                continue
            try:
                with file.open("rb") as opened:
                    # A larger file has another sum.
                    member = Member(name, opened.read(self.member_limit))
            except OSError as error:
                member = Member(name, fault=f"it cannot be read: {error.strerror or error}")
            self._add(member)

    def _from_server(self, url: str) -> None:
        """Fetch files one by one."""
        lacking = 0
        wanted = [*self.missing, *self.notices]
        for number, path in enumerate(wanted):
            self.progress.stage("files", number, len(wanted))
            file = self._part(url + quote(path))
            try:
                download(url + quote(path), file, limit=self.member_limit, progress=self.progress)
            except NotFetched as error:
                lacking += 1
                if error.status not in (404, 410) or lacking >= _MOST_LACKING:
                    raise
                if path in self.missing:
                    self.missing[path] = error.reason
            else:
                lacking = 0
                self._add(Member(path, file.read_bytes()))
                file.unlink()
        self.progress.stage("files", len(wanted), len(wanted))

    def _from_download(self, url: str) -> None:
        """Fetch an archive and read it; once more where it turns out to be damaged."""
        file = self._part(url)
        # An interrupted call may have left all of it.
        self._salvage(file)
        for last in (False, True):
            if not self.missing:
                return
            try:
                download(url, file, limit=self.unpacked_limit, progress=self.progress)
            except NotFetched:
                # The server may not be able to send the rest of it later.
                self._salvage(file)
                raise
            try:
                with file.open("rb") as archive:
                    self._from_archive(archive)
            except DamagedArchive:
                # It may be whole on the server: a proxy may have damaged it, or it was changed on
                # the server after an earlier call.
                file.unlink()
                if last:
                    raise
            else:
                file.unlink()
                return

    def _salvage(self, file: Path) -> None:
        """Take the whole files out of an archive of which only a part may be there."""
        if file.exists():
            with contextlib.suppress(DamagedArchive), file.open("rb") as archive:
                self._from_archive(archive)

    def _part(self, url: str) -> Path:
        """The file into which an address is fetched."""
        return self.work / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.part"

    def _from_archive(self, archive: BinaryIO) -> None:
        for member in read_members(
            archive,
            self._wants,
            member_limit=self.member_limit,
            unpacked_limit=self.unpacked_limit,
        ):
            self._add(member)

    def _wants(self, name: str) -> bool:
        """Whether a file of this name, in any folder, is still missing."""
        parts = name.replace("\\", "/").split("/")
        if parts[-1] == COLLECTION_TABLE:
            return not self.known.makes_labels and self.known.labels in self.missing
        if parts[-1] in self.notices:
            return len(parts) <= 2
        return self.paths.get(parts[-1]) in self.missing

    def _add(self, member: Member) -> None:
        """Keep a missing file if its sum is right."""
        name = member.name.replace("\\", "/").rpartition("/")[2]
        if name in self.notices:
            if member.fault is None:
                self.notices.remove(name)
                self._write(name, member.content)
            return
        content = member.content
        if name == COLLECTION_TABLE:
            name = self.known.labels
            content = pick_labels(self.known, content) or b""
        path = self.paths[name]
        known = restore(self.known, path, content)
        if member.fault is not None:
            self.missing[path] = member.fault
        elif known is None:
            self.missing[path] = "its sum is wrong"
        else:
            self.restored += known != content
            self._write(path, known)
            del self.missing[path]
            done = self.needed - len(self.missing)
            self.progress.stage("unpacking", done, self.needed, "files")

    def _failure(self, sources: list[Source | Path]) -> FetchError:
        """The error that says which files are missing, and why; removes an empty work folder."""
        reasons = []
        for reason, places in self.problems.items():
            names = places
            if len(places) > 1:
                # Addresses of archives are long.
                hosts = (urlsplit(it).hostname or it if "://" in it else it for it in places)
                names = list(dict.fromkeys(hosts))
            reasons.append(f"{', '.join(names)}: {reason}")
        why = "; ".join(reasons)
        kept = any(file.is_file() and file.stat().st_size for file in self.work.rglob("*"))
        came = kept or len(self.missing) < self.needed
        if came or any(self.missing.values()):
            # A damaged file first, if there is any.
            path = min(self.missing, key=lambda path: self.missing[path] is None)
            text = f"Cannot fetch all of '{self.known.name}': {path}: "
            text += self.missing[path] or "it is not there"
            text += f", and {len(self.missing) - 1} more" if len(self.missing) > 1 else ""
            text += f" ({why})" if why else ""
        else:
            places = [str(it) if isinstance(it, Path) else it.url for it in sources]
            why = why or f"nothing of it is in {', '.join(places)}"
            text = f"Cannot fetch '{self.known.name}': {why}"
        text += (
            ". Try again later, or name an archive, a folder or a mirror that has it with `source`."
        )
        if came:
            text += " What came is kept: the same command goes on from here."
        if not kept:
            shutil.rmtree(self.work)
        return FetchError(text)
