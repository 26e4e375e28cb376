"""Gather the files of a known data set from one source after the other.

Only what is known is kept, under the path that it has in the data set; a source is asked for what
is still missing. So half an archive, a mirror that lacks some files, or two archives together are
all of use.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from timbrel.dataset.known import KnownData, Source
from timbrel.dataset.known_labels import COLLECTION_TABLE, pick_labels
from timbrel.dataset.sums import Sums
from timbrel.errors import FetchError
from timbrel.fetching.archives import DamagedArchive, Limits, Member, read_members
from timbrel.fetching.download import Download, fetch_small
from timbrel.fetching.http import NotFetched
from timbrel.fetching.parts import RemoteFile

# A WAV header may bring a list of tags along.
_TAGS = 1 << 16
# Archives hold more than the recordings; what is larger than that is something else.
_TIMES, _AT_LEAST = 4, 1 << 26
# Files in a row that a folder on a server lacks, before the rest is not asked for.
_MOST_LACKING = 10
# A few files are fetched one by one rather than in the archive of all.
_FEW = 20
# In the folder of what is gathered, held while that is done.
LOCK = "lock"
_WRONG = "its sum is wrong"
_NOT_THERE = "it is not there"


class FetchObserver:
    """Told how fetching goes; each method does nothing unless overridden."""

    def source(self, where: str) -> None:
        """This source is asked now."""

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """A stage has done so much of so much; "checking" and "unpacking" count files, "fetching"
        bytes, of which the total may not be known.
        """

    def note(self, text: str) -> None:
        """Something went wrong and is tried again; what, in a sentence."""


class Collection:
    """The files of a data set, as far as they are there, in a folder of their own.

    Args:
        known: which data set.
        sums: of its files.
        folder: where they are gathered; what an earlier run left there is used.
        needed: paths of the files that are wanted.
        notices: files with licences that are taken along where a source has them.
        observer: told how it goes.

    Attributes:
        files: the folder in `folder` in which the files lie under their paths.
        missing: paths of the files that are still wanted, each with what is wrong with it.
        problems: sources that are of no use, or not wholly, and why.
        rewritten: recordings that were given the usual WAV header.
    """

    def __init__(
        self,
        known: KnownData,
        sums: Sums,
        folder: Path,
        *,
        needed: list[str],
        notices: list[str],
        observer: FetchObserver,
    ) -> None:
        self.known = known
        self.files = folder / "files"
        self.missing: dict[str, str] = dict.fromkeys(needed, _NOT_THERE)
        self.problems: list[tuple[str, str]] = []
        self.rewritten = 0
        self._sums = sums
        self._folder = folder
        self._needed = len(needed)
        self._observer = observer
        self._notices = set(notices)
        self._limits = Limits(known.largest + _TAGS, _TIMES * known.bytes + _AT_LEAST)
        self.files.mkdir(parents=True, exist_ok=True)
        self._take_over()

    @property
    def came(self) -> bool:
        """Whether an earlier run or this one gathered something."""
        return any(file.name != LOCK for file in _files_in(self._folder))

    def gather(self, sources: list[Source | Path]) -> None:
        """Ask the sources until nothing is missing; see `missing` and `problems` for the rest.

        Raises:
            OSError: a file cannot be written.
        """
        for source in sources:
            self._salvage(source)
        if len(self.missing) <= max(_FEW, len(self._sums.digests) // _FEW):
            sources = sorted(sources, key=lambda it: getattr(it, "kind", "") != "folder")
        for source in sources:
            if not self.missing:
                return
            where = str(source) if isinstance(source, Path) else source.url
            self._observer.source(where)
            try:
                self._ask(source)
            except NotFetched as error:
                self.problems.append((error.url, error.reason))
                self._salvage(source)
            except FetchError as error:
                self.problems.append((where, str(error)))

    def _ask(self, source: Source | Path) -> None:
        if isinstance(source, Path):
            if source.is_dir():
                self._from_folder(source)
            else:
                self._from_archive(source)
        elif source.kind == "folder":
            self._from_server(source.url)
        elif source.kind == "parts":
            with RemoteFile(
                source.url,
                progress=lambda came: self._observer.progress("fetching", came, None),
                tell=self._observer.note,
            ) as file:
                self._read(file)
        else:
            self._from_download(source.url)

    # Sources

    def _from_folder(self, folder: Path) -> None:
        """Copy files that lie under their paths, or under their names anywhere in a folder."""
        for file in _files_in(folder):
            name = file.relative_to(folder).as_posix()
            if self._wants(name):
                self._add(self._from_disk(name, file))

    def _from_disk(self, name: str, file: Path) -> Member:
        try:
            if not file.is_file():
                return Member(name, fault="it is no file there")
            with file.open("rb") as opened:
                content = opened.read(self._limits.member + 1)
        except OSError as error:
            return Member(name, fault=f"it cannot be read: {error.strerror or error}")
        if len(content) > self._limits.member:
            return Member(name, fault="it is larger than expected")
        return Member(name, content)

    def _from_archive(self, file: Path) -> None:
        try:
            archive = file.open("rb")
        except FileNotFoundError as error:
            raise FetchError("there is no such file or folder") from error
        except OSError as error:
            raise FetchError(f"it cannot be read: {error.strerror or error}") from error
        with archive:
            self._read(archive)

    def _from_download(self, url: str) -> None:
        """Fetch an archive and read it; once more where it turns out to be damaged."""
        for more in (True, False):
            download = self._download(url)
            download.run()
            try:
                self._from_archive(download.file)
            except DamagedArchive:
                # It need not be like that on the server: a proxy may have mixed it up.
                download.discard()
                if not more:
                    raise
            else:
                download.discard()
                return

    def _from_server(self, url: str) -> None:
        """Fetch files one by one."""
        lacking = 0
        wanted = [*self.missing, *self._notices]
        for number, path in enumerate(wanted):
            self._observer.progress("files", number, len(wanted))
            try:
                file = self._folder / "file.part"
                content = fetch_small(
                    Download(
                        url + quote(path),
                        file,
                        limit=self._limits.member,
                        tell=self._observer.note,
                    )
                )
            except NotFetched as error:
                lacking += 1
                if error.status not in (404, 410) or lacking >= _MOST_LACKING:
                    raise
                self._fail(path, error.reason)
            else:
                lacking = 0
                self._add(Member(path, content))
        self._observer.progress("files", len(wanted), len(wanted))

    def _salvage(self, source: Source | Path) -> None:
        """Take what is whole out of an archive that came in part.

        Its server may not be able to go on where it stopped.
        """
        if self.missing and isinstance(source, Source) and source.kind == "archive":
            download = self._download(source.url)
            if download.size and not download.whole:
                with contextlib.suppress(FetchError):
                    self._from_archive(download.file)

    def _download(self, url: str) -> Download:
        name = hashlib.sha256(url.encode()).hexdigest()[:16]
        return Download(
            url,
            self._folder / f"{name}.part",
            limit=self._limits.unpacked,
            progress=lambda done, total: self._observer.progress("fetching", done, total),
            tell=self._observer.note,
        )

    # Files

    def _read(self, archive: object) -> None:
        for member in read_members(archive, self._wants, self._limits):
            self._add(member)

    def _wants(self, name: str) -> bool:
        """Whether a file of this name, in whatever folder, is still wanted."""
        parts = name.replace("\\", "/").split("/")
        path = self._sums.by_name.get(parts[-1])
        return (
            (path is not None and path in self.missing)
            or (parts[-1] == COLLECTION_TABLE and self._lacks_labels)
            or (parts[-1] in self._notices and len(parts) <= 2)
        )

    @property
    def _lacks_labels(self) -> bool:
        return not self.known.makes_labels and self.known.labels in self.missing

    def _add(self, member: Member) -> None:
        """Keep a file if it is what is known of it."""
        name = member.name.replace("\\", "/").rpartition("/")[2]
        path = self._sums.by_name.get(name)
        content = member.content
        if name == COLLECTION_TABLE and path is None:
            path = self.known.labels
            names = [it.rpartition("/")[2] for it in self._sums.digests if it != path]
            content = pick_labels(content, names) or b""
        if member.fault is not None:
            self._fail(path, member.fault)
        elif path is None:
            self._notices.discard(name)
            self._write(name, content)
        elif (known := self._sums.restore(path, content)) is None:
            self._fail(path, _WRONG)
        else:
            self.rewritten += known != content
            self._write(path, known)
            del self.missing[path]
            done = self._needed - len(self.missing)
            self._observer.progress("unpacking", done, self._needed)

    def _fail(self, path: str | None, fault: str) -> None:
        if path in self.missing:
            self.missing[path] = fault

    def _write(self, path: str, content: bytes) -> None:
        """Write a file under another name first: what has its name is whole."""
        target = self.files / path
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
        try:
            new.write_bytes(content)
            os.replace(new, target)
        finally:
            new.unlink(missing_ok=True)

    def _take_over(self) -> None:
        """Use what an earlier run gathered, and remove what it left unfinished."""
        for file in list(_files_in(self.files)):
            path = file.relative_to(self.files).as_posix()
            if path in self.missing and self._sums.matches_file(path, file):
                del self.missing[path]
            elif path not in self._notices:
                file.unlink()
        self._notices -= {name for name in self._notices if (self.files / name).exists()}


def _files_in(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        for name in names:
            yield Path(where) / name


def what_is_missing(collection: Collection, sources: list[Source | Path]) -> FetchError:
    """Say in a sentence or two what could not be had, and why."""
    name, missing = collection.known.name, collection.missing
    why = _reasons(collection.problems)
    if any(fault != _NOT_THERE for fault in missing.values()) or collection.came:
        path = min(missing, key=lambda it: missing[it] == _NOT_THERE)
        others = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        what = f"Cannot fetch all of '{name}': {path}: {missing[path]}{others}"
        why = f" ({why})" if why else ""
    else:
        what = f"Cannot fetch '{name}'"
        places = ", ".join(str(it) if isinstance(it, Path) else it.url for it in sources)
        why = f": {why or f'nothing of it is in {places}'}"
    kept = " What came is kept: the same command goes on from here." if collection.came else ""
    return FetchError(
        f"{what}{why}. Try again later, or name an archive, a folder or a mirror that has it with "
        f"`source`.{kept}"
    )


def _reasons(problems: list[tuple[str, str]]) -> str:
    """Each source with its reason; those of one reason together."""
    places: dict[str, list[str]] = {}
    for where, reason in problems:
        places.setdefault(reason, []).append(where)
    return "; ".join(
        f"{where[0] if len(where) == 1 else ', '.join(dict.fromkeys(map(_place, where)))}: {reason}"
        for reason, where in places.items()
    )


def _place(where: str) -> str:
    return urlsplit(where).hostname or where if "://" in where else where
