"""Sort files into a folder for each class, in batches: journal, act, journal.

A batch is written to the journal as planned and is on disk before the first file of it is touched;
it is written as done when all of it is on disk. Copies are made in a staging folder first, so that
a file appears under its name only when it is whole.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from timbrel.errors import FULL, DataError, InvalidArgument, OutputError
from timbrel.files import folded
from timbrel.inference.formats import cell, csv_line
from timbrel.inference.prediction import Prediction
from timbrel.tagging.journal import (
    JOURNAL,
    STAGING,
    VERSION,
    Journal,
    Plan,
    cannot_write,
    opened,
    read_journal,
)
from timbrel.tagging.labels import Labeller, NotLabelled, apply_delta, make_delta
from timbrel.tagging.moves import (
    clear,
    copy_times,
    copy_whole,
    link_text,
    reason,
    rename_new,
    sha256_of,
    sync,
)
from timbrel.tagging.undo import settle

MODES = ("link", "copy", "move")

# The folder of files for which the model answers "unknown", whatever the classes are called.
UNSURE = "unsure"
TABLE = "tags.csv"

# Files and seconds after which a batch is carried out.
_FILES, _SECONDS = 256, 1.0

# Bytes that a name may have on all usual file systems, and names that some of them refuse.
_LONGEST = 255
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\ud800-\udfff]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", flags=re.IGNORECASE)

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)

_CHANGED = "it changed while it was read; run the command again"

_PREDICTED = ("label", "predicted", "probability", "accepted", "seconds")

# Settings that two runs must share if they sort the same library into the same folder.
_SETTINGS = {
    "mode": "another way of placing",
    "model": "another model",
    "threshold": "another threshold",
    "keep_folders": "another choice of `keep_folders`",
    "write_tags": "another choice of `write_tags`",
}


def folder_names(labels: Iterable[str]) -> dict[str, str]:
    """Name a folder for each class: its label, as far as file systems allow.

    Forbidden characters become `_`. Labels that some file system would take for the same, or for
    one of the names that are used otherwise (`unsure`, `tags.csv`, …), are numbered: `unsure (2)`.
    """
    taken = {folded(name) for name in (UNSURE, TABLE, JOURNAL, STAGING)}
    names = {}
    for label in dict.fromkeys(labels):
        name = _FORBIDDEN.sub("_", label).rstrip(". ").lstrip(" ")
        if name.startswith("."):  # Hidden, or not a folder of its own.
            name = f"_{name[1:]}"
        if not name or _DEVICES.fullmatch(name):
            name += "_"
        free = (numbered(name, "", number) for number in count(1))
        names[label] = next(found for found in free if folded(found) not in taken)
        taken.add(folded(names[label]))
    return names


def numbered(stem: str, extension: str, number: int) -> str:
    """`a.wav`, `a (2).wav`, …; the stem is cut where the name would be too long."""
    ending = extension if number == 1 else f" ({number}){extension}"
    while len(os.fsencode(stem + ending)) > _LONGEST:
        stem = stem[:-1]
    return stem + ending


class Places:
    """Gives each file a place of its own: a folder, and a name that no other has in it.

    Two names are the same if some usual file system would say so: case and the way in which
    accents are composed do not tell them apart. Each folder on disk is listed once.
    """

    def __init__(self, out: Path, labels: Iterable[str], *, keep_folders: bool) -> None:
        self.folders = folder_names(labels)  # By class.
        self._out, self._keep_folders = out, keep_folders
        self._listed: set[str] = set()
        # Every name that is taken, and the number to try next for another file of that name.
        self._taken: dict[str, int] = {}

    def take(self, path: str, prediction: Prediction) -> str:
        """A place for a file of the library, relative to `out`, joined with `/`."""
        label = prediction.label if prediction.accepted else None
        folder = UNSURE if label is None else self.folders[label]
        parent, _, name = path.rpartition("/")
        if self._keep_folders and parent:
            folder = f"{folder}/{parent}"
        if folder not in self._listed:
            self._listed.add(folder)
            # If there is a file in the way of the folder, that shows when the folder is made.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                for there in os.listdir(self._out / folder):
                    self._taken.setdefault(folded(f"{folder}/{there}"), 2)
        stem, extension = os.path.splitext(name)
        wanted = folded(f"{folder}/{name}")
        number = self._taken.get(wanted, 1)
        while folded(place := f"{folder}/{numbered(stem, extension, number)}") in self._taken:
            number += 1
        self._taken.setdefault(folded(place), 2)
        self._taken[wanted] = number + 1
        return place


@dataclass
class Item:
    """A file of the library, from its prediction to its place."""

    path: str  # Relative to the library, joined with `/`.
    prediction: Prediction  # Or why the file could not be used or placed.
    to: str | None = None  # Its new place, relative to the folder of the sorted library, if any.
    note: str | None = None  # A sentence that the user should read.
    place: str | None = None  # Where it is about to be placed, and how.
    plan: Plan = field(init=False)
    staged: Path | None = None  # The copy that will be renamed to its place, if any.
    seen: tuple[int, int] = (0, 0)  # Size and time of change (ns) before it was copied.


def read_before(out: Path, run: dict[str, Any]) -> Journal:
    """Read the journal in `out`, if there is one, and check that this run may continue there.

    Args:
        out: the folder of the sorted library.
        run: a line of the journal, without `line`, `version` and `made`.

    Raises:
        DataError: the journal cannot be read, or undo has begun.
        InvalidArgument: the same folder was sorted into `out` in another way.
    """
    path = out / JOURNAL
    journal = read_journal(path) if path.exists() else Journal(path)
    if journal.undo:
        raise DataError(
            f"'{out}' is half taken back. Finish that first: timbrel tag --undo \"{path}\""
        )
    for old in journal.runs:
        differs = [text for key, text in _SETTINGS.items() if old[key] != run[key]]
        if old["source"] == run["source"] and differs:
            raise InvalidArgument(
                f"'{run['typed']}' was sorted into '{out}' before, with {differs[0]}. Choose "
                f'another folder with `to`, or take that back first: timbrel tag --undo "{path}"'
            )
    return journal


@contextlib.contextmanager
def sorting(
    out: Path, run: dict[str, Any], places: Places, labeller: Labeller | None = None
) -> Iterator[Sorter]:
    """Open a sorted library, or make it; unfinished work of an interrupted run is taken back.

    Raises DataError and InvalidArgument as `read_before` and `opened`; OutputError where the
    library cannot be written.
    """
    made = next(n for n, folder in enumerate((out, *out.parents)) if os.path.lexists(folder))
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError(f"Cannot write {out}: it is a file. Choose another folder.") from error
    except OSError as error:
        raise cannot_write(out, error) from error
    staging = out / STAGING
    with opened(out / JOURNAL) as journal:
        read_before(out, run)
        if not journal.runs and staging.exists():
            raise OutputError(f"'{staging}' exists, but no journal beside it. Move it away.")
        try:
            journal.write([{"line": "run", "version": VERSION, **run, "made": made}])
            journal.runs.append(run)
            sync(out)
            clear(staging)
            settle(journal, take=True)
            try:
                staging.mkdir()
            except OSError as error:
                raise cannot_write(staging, error) from error
            yield Sorter(run, places, labeller, journal)
            journal.write([])
        finally:
            clear(staging)


class Sorter:
    """Places files, batch by batch, and writes down everything in the `journal`."""

    def __init__(
        self, run: dict[str, Any], places: Places, labeller: Labeller | None, journal: Journal
    ) -> None:
        self.journal, self._out = journal, journal.path.parent
        self._run, self._source, self._mode = run, Path(run["source"]), run["mode"]
        self._places, self._labeller = places, labeller
        self._batch: list[Item] = []
        self._began = 0.0
        self._folders: set[str] = set()
        # Devices from which files cannot be renamed into `out`.
        self._other_devices: set[int] = set()

    def add(self, path: str, prediction: Prediction) -> list[Item]:
        """Add a file, relative to the library; a full batch is carried out and returned.

        After an OutputError, the journal has what was done.
        """
        if not self._batch:
            self._began = time.monotonic()
        self._batch.append(Item(path, prediction))
        full = len(self._batch) >= _FILES or time.monotonic() - self._began >= _SECONDS
        return self.finish() if full else []

    def finish(self) -> list[Item]:
        """Carry out the files that were added, and return them."""
        batch, self._batch = self._batch, []
        waiting = [item for item in batch if item.prediction.error is None]
        while waiting:
            waiting = self._carry_out(waiting)
        failed = [
            {"path": item.path, "error": item.prediction.error} for item in batch if not item.to
        ]
        self.journal.write(({"line": "failed"} | row for row in failed), sync=False)
        self.journal.failed += ({"run": self._run} | row for row in failed)
        return batch

    def _carry_out(self, items: list[Item]) -> list[Item]:
        """Place files; returns those that must be tried again, in another place or another way."""
        planned, again = [], []
        for item in items:
            with self._failing(item):
                item.plan = self._plan(item)
                planned.append(item)
        folders = []
        for item in planned:
            for parent in reversed(Path(item.plan.to).parents[:-1]):
                name = parent.as_posix()
                if name not in self._folders and not os.path.lexists(self._out / name):
                    folders.append({"line": "folder", "name": name})
                self._folders.add(name)
        self.journal.write([*folders, *(item.plan.line() for item in planned)])
        changed = set()
        for item in planned:
            with self._failing(item):
                if self._act(item):
                    item.to = item.plan.to
                    item.plan.done = True
                    self.journal.plans[item.plan.n] = item.plan
                    changed.add((self._out / item.to).parent)
                    if item.plan.moved:
                        changed.add(item.plan.source.parent)
                else:
                    again.append(item)
        for folder in sorted(changed):
            sync(folder)
        ends = ({"line": "done" if item.to else "dropped", "n": item.plan.n} for item in planned)
        self.journal.write(ends, sync=False)
        return again

    @contextlib.contextmanager
    def _failing(self, item: Item) -> Iterator[None]:
        """Leave a file where it is if it cannot be placed, unless that is so of all files."""
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                raise cannot_write(self._out, error) from error
            if self._mode == "link" and error.errno in _NO_LINKS:
                raise OutputError(
                    f"'{self._out}' cannot hold symbolic links ({error.strerror}). Use --copy or "
                    "--move."
                ) from error
            item.to = None
            item.prediction = Prediction(path=item.prediction.path, error=reason(error))

    def _plan(self, item: Item) -> Plan:
        """Choose a place, and make the copy that will be renamed to it, if one is needed."""
        source, answer = self._source / item.path, item.prediction
        labeller = self._labeller if answer.accepted else None
        if self._mode == "move" and not os.access(source.parent, os.W_OK):
            raise OSError(
                errno.EACCES, "its folder is read-only, so it cannot be moved; --copy copies it"
            )
        found = source.lstat() if self._mode == "link" else source.stat()
        item.place = item.place or self._places.take(item.path, answer)
        plan = Plan(
            run=self._run,
            n=self.journal.next,
            path=item.path,
            to=item.place,
            kind=self._mode,
            **{name: getattr(answer, name) for name in _PREDICTED},
        )
        self.journal.next += 1
        if self._mode == "link":
            plan.text = link_text(source, (self._out / plan.to).parent)
        elif self._mode == "move" and labeller is None and found.st_dev not in self._other_devices:
            plan.kind, plan.size, plan.sha256 = "rename", found.st_size, sha256_of(source)
        else:
            staged = item.staged = self._out / STAGING / f"{plan.n}{source.suffix}"
            item.seen = (found.st_size, found.st_mtime_ns)
            original = plan.sha256 = copy_whole(source, staged)
            if labeller is not None:
                staged.chmod(0o600)
                try:
                    labeller.write(staged, plan.label, original=source)
                    copy_times(source, staged)
                    sync(staged)
                    plan.sha256 = sha256_of(staged)
                except NotLabelled as error:
                    item.note = str(error) if error.of_kind else f"{answer.path}: {error}"
                    copy_whole(source, staged)
            plan.size = staged.stat().st_size
            if self._mode == "move":
                plan.kind, plan.original = "replace", original
                if plan.sha256 != original:
                    plan.delta = make_delta(source, staged)
                    digest = hashlib.sha256()
                    apply_delta(plan.delta, staged, digest.update)
                    if digest.hexdigest() != original:
                        raise OSError(errno.EIO, _CHANGED)
        return plan

    def _act(self, item: Item) -> bool:
        """Do what was planned; False if it must be planned again."""
        plan = item.plan
        source, target = plan.source, self._out / plan.to
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise OSError(
                errno.ENOTDIR, f"there is a file where its folder '{target.parent}' should be"
            ) from error
        try:
            if plan.text is not None:
                os.symlink(plan.text, target)
            else:
                rename_new(item.staged or source, target)
        except FileExistsError:  # Another program has taken its place since.
            item.place = None
            return False
        except OSError as error:
            if plan.kind != "rename" or error.errno != errno.EXDEV:
                raise
            self._other_devices.add(source.stat().st_dev)
            return False
        if plan.kind == "replace":
            sync(target.parent)  # The copy must be safely on disk before the source is removed.
            try:
                found = source.stat()
                if (found.st_size, found.st_mtime_ns) != item.seen:
                    raise OSError(errno.EIO, _CHANGED)
                os.unlink(source)
            except OSError:
                os.unlink(target)
                raise
        return True


def write_table(journal: Journal) -> Path:
    """Write the table of all files that were placed or, in the last run, failed; returns its path.

    A table that the user made or changed is left alone; the new one is numbered.
    """
    out = journal.path.parent
    partial = out / STAGING / TABLE
    last = {run["source"]: run for run in journal.runs}

    def rows() -> Iterator[list[str]]:
        yield ["path", *_PREDICTED, "error", "to"]
        for plan in journal.plans.values():
            yield [plan.name, *(cell(getattr(plan, key)) for key in _PREDICTED), "", plan.to]
        for row in journal.failed:
            if row["run"] is last[row["run"]["source"]]:
                name = f"{row['run']['typed'].rstrip('/')}/{row['path']}"
                yield [name, *("" for _ in _PREDICTED), row["error"], ""]

    try:
        with open(partial, "w", encoding="utf-8", newline="") as stream:
            stream.writelines(map(csv_line, rows()))
            stream.flush()
            os.fsync(stream.fileno())
        for name, sums in journal.tables.items():
            target = out / name
            if target.is_file() and sha256_of(target) in sums:
                break
        else:
            names = (numbered("tags", ".csv", number) for number in count(1))
            target = next(out / name for name in names if not os.path.lexists(out / name))
        journal.write([{"line": "table", "name": target.name, "sha256": sha256_of(partial)}])
        os.replace(partial, target)
    except OutputError:
        raise
    except OSError as error:
        raise cannot_write(out / TABLE, error) from error
    return target
