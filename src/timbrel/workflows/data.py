"""`timbrel data`: fetch a known data set, and check every file."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from timbrel.dataset.known import ATTRIBUTION, KnownData, Source, get_known_data
from timbrel.dataset.known_labels import make_labels
from timbrel.dataset.sums import Sums
from timbrel.errors import FULL, InvalidArgument, OutputError, TimbrelError
from timbrel.fetching.collecting import LOCK, Collection, FetchObserver, what_is_missing
from timbrel.fetching.http import is_url
from timbrel.files import take_lock, write_bytes

_INSIDE = ".timbrel-data.partial"


@dataclass(frozen=True)
class FetchedData:
    """A data set that lies ready.

    Attributes:
        known: which it is, with licence and attribution.
        path: its folder.
        labels: the CSV for `timbrel.train`.
        audio: the folder that the CSV's paths are relative to; None for the CSV's own.
        fetched: files that came in this call.
        repaired: files that were there before and were not what is known of them.
        checked: files that were there before and are right.
        foreign: files in the folder that are not of the data set; they were left alone.
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
    observer: FetchObserver | None = None,
) -> FetchedData:
    """Fetch a known data set into a folder, and check every file by its sum.

    The folder appears when it is whole. If it is there already, it is checked, and what is missing
    or damaged is fetched; nothing else in it is touched. An interrupted call is resumed by the same
    call.

    Args:
        name: one of `timbrel.KNOWN_DATA`.
        output: the folder; by default one of the data set's name.
        source: where to take it from, instead of where it is known to be: an archive (.zip, .tar,
            .tar.gz) or a folder on the disk, the address of an archive, or that of a folder, which
            ends with `/`; several are asked one after the other.
        observer: told how it goes.

    Raises:
        InvalidArgument: no data set has that name, `output` is a file, or `source` is no address
            that can be fetched from.
        FetchError: not all of it could be had; what came is kept for the next call.
        OutputError: the folder cannot be written; what came is kept for the next call.
    """
    known = get_known_data(name)
    target = Path(os.path.realpath(name if output is None else output))
    shown = Path(name if output is None else output)
    if target.exists() and not target.is_dir():
        raise InvalidArgument(f"`output` must be a folder. '{shown}' is a file.")
    sources = list(known.sources) if source is None else _given(source)
    try:
        return _Fetch(known, target, shown, observer or FetchObserver()).run(sources)
    except TimbrelError:
        raise
    except OSError as error:
        raise _cannot_write(shown, error) from error


def _given(source: str | os.PathLike | Sequence[str | os.PathLike]) -> list[Source | Path]:
    """The sources that were asked for."""
    items = [source] if isinstance(source, str | os.PathLike) else source
    return [_source(os.fspath(item)) for item in items]


def _source(text: str) -> Source | Path:
    if not is_url(text):
        return Path(text)
    return Source(text, "folder" if text.endswith("/") else "archive")


def _cannot_write(target: Path, error: OSError) -> OutputError:
    if error.errno in FULL:
        return OutputError(
            f"Cannot write {target}: the disk is full. Free some space and run the same command "
            "again: it goes on where this one stopped."
        )
    return OutputError.of(target, error)


def unfinished(output: str | os.PathLike) -> Path:
    """Where a call of `fetch_data` keeps what it has, until all of it is there.

    That is beside a new folder, under its name, but inside one that is there already, so that both
    are on one disk.
    """
    target = Path(os.path.realpath(output))
    return target / _INSIDE if target.is_dir() else target.with_name(f".{target.name}.partial")


class _Fetch:
    """One call of `fetch_data`."""

    def __init__(
        self, known: KnownData, target: Path, shown: Path, observer: FetchObserver
    ) -> None:
        self.known = known
        self.target = target
        self.shown = shown
        self.observer = observer
        self.sums = Sums.read(known.sums, known.algorithm)
        self.notes: list[str] = []

    def run(self, sources: list[Source | Path]) -> FetchedData:
        there = self.target.is_dir()
        good, damaged = self._look() if there else (set(), [])
        needed = [path for path in self.sums.digests if path not in good]
        fetched = 0
        if needed:
            fetched = self._fetch(needed, sources)
        elif there:
            self._write_made(self.target)
        return FetchedData(
            known=self.known,
            path=self.shown,
            labels=self.shown / self.known.labels,
            audio=self.shown / self.known.audio if self.known.audio else None,
            fetched=fetched,
            repaired=tuple(damaged),
            checked=len(good),
            foreign=tuple(self._foreign()) if there else (),
            notes=tuple(self.notes),
        )

    def _look(self) -> tuple[set[str], list[str]]:
        """What of the data set is in the folder: paths that are right, and that are not."""
        good, damaged = set(), []
        paths = {*self.sums.digests, self.known.labels}
        folders = {path.rpartition("/")[0] for path in paths} - {""}
        for path in sorted(paths | folders):
            file = self.target / path
            if os.path.lexists(file) and file.is_dir() != (path in folders):
                raise InvalidArgument(
                    f"'{self.shown / path}' is in the way of '{self.known.name}': it is "
                    f"{'no' if path in folders else 'a'} folder. Move it away, or choose another "
                    "folder with `output`."
                )
        for number, path in enumerate(self.sums.digests, start=1):
            file = self.target / path
            if os.path.lexists(file):
                if self._is_right(path, file):
                    good.add(path)
                else:
                    damaged.append(path)
            self.observer.progress("checking", number, len(self.sums.digests))
        return good, damaged

    def _is_right(self, path: str, file: Path) -> bool:
        try:
            return self.sums.matches_file(path, file)
        except OSError:  # A link that leads nowhere, or a file that may not be read.
            return False

    def _fetch(self, needed: list[str], sources: list[Source | Path]) -> int:
        """Gather what is needed, and put it in its place when nothing is missing."""
        there = self.target.is_dir()
        work = unfinished(self.target)
        with _locked(work, self.shown):
            collection = Collection(
                self.known,
                self.sums,
                work,
                needed=needed,
                notices=[it for it in self.known.notices if not (self.target / it).exists()],
                observer=self.observer,
            )
            collection.gather(sources)
            if not collection.missing:
                self._place(collection.files, whole=not there)
        if collection.missing:
            error = what_is_missing(collection, sources)
            if not collection.came:
                shutil.rmtree(work)
            raise error
        shutil.rmtree(work)
        if collection.rewritten:
            self.notes.append(
                f"{collection.rewritten} recordings came with another WAV header and were given "
                "the usual one; their samples are as they were."
            )
        return len(needed)

    def _place(self, files: Path, *, whole: bool) -> None:
        if whole:
            self._write_made(files)
            # An empty folder may have come in between, a full one is not replaced.
            os.rename(files, self.target)
            return
        # The labels last: where they are, everything is.
        paths = sorted(
            (file.relative_to(files).as_posix() for file in files.rglob("*") if file.is_file()),
            key=lambda path: path == self.known.labels,
        )
        for path in paths:
            target = self.target / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if path == self.known.labels:
                self._set_aside(target)
            os.replace(files / path, target)
        self._write_made(self.target)

    def _write_made(self, folder: Path) -> None:
        """Write what is not fetched: the attribution, and labels that are in the names."""
        made = {ATTRIBUTION: self.known.attribution.encode()}
        if self.known.makes_labels:
            made[self.known.labels] = make_labels(self.known, self.sums.digests)
        for path, content in made.items():
            file = folder / path
            if not file.is_file() or file.read_bytes() != content:
                if path == self.known.labels:
                    self._set_aside(file)
                write_bytes(file, content)

    def _set_aside(self, file: Path) -> None:
        """Keep labels that are not those of the data set: someone may have worked on them."""
        if not os.path.lexists(file):
            return
        number = 1
        while os.path.lexists(kept := file.with_name(f"{file.name}.{number}.kept")):
            number += 1
        os.rename(file, kept)
        self.notes.append(
            f"{self.shown / file.name} held other labels; they are kept as {kept.name}."
        )

    def _foreign(self) -> Iterator[str]:
        """Files that are not of the data set."""
        own = {*self.sums.digests, self.known.labels, ATTRIBUTION, *self.known.notices}
        for where, folders, names in os.walk(self.target):
            folders.sort()
            for name in sorted(names):
                path = (Path(where) / name).relative_to(self.target).as_posix()
                # What is hidden belongs to the system, or to us.
                if path not in own and not path.startswith(".") and "/." not in path:
                    yield path


@contextlib.contextmanager
def _locked(work: Path, shown: Path) -> Iterator[None]:
    """Make the folder for what is unfinished, and keep other processes out of it."""
    work.mkdir(parents=True, exist_ok=True)
    file = os.open(work / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not take_lock(file):
            raise InvalidArgument(
                f"Another timbrel data is fetching '{shown}'. Wait for it to end."
            )
        yield
    finally:
        os.close(file)
