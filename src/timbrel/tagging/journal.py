"""The journal of a sorted library: what will be done and what was done, one line of JSON each.

The field `line` of a line says what it is:

    run      a command begins: version, mode, source, model, options
    folder   a folder that is about to be made
    plan     a file that is about to be placed
    done     plan `n` was carried out, and is on disk for good
    dropped  plan `n` was given up; after `done`: undo takes its file back
    failed   a file that could not be used, and why
    table    a table that is about to be written, with its SHA-256
    undo     undo begins
    found    undo has found the file of plan `n`, which was moved by hand, at `to`

A plan with neither `done` nor `dropped` is where a run was interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import json
import mmap
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

from timbrel.errors import FULL, DataError, InvalidArgument, OutputError
from timbrel.files import replacing, take_lock

VERSION = 1


@dataclass(slots=True, kw_only=True)
class Plan:
    """A file that was placed, or was about to be: how, and the prediction.

    Attributes:
        run: the line of its run.
        n: its number.
        path: the file, relative to the library, joined with `/`.
        to: its new place, relative to the folder of the sorted library, joined with `/`.
        kind: "link"; "copy"; "rename" for a move within one file system; "replace" for a move by
            copying: to another file system, or because a label was written into the file.
        text: what a link holds.
        size, sha256: of the file that was placed; not of a link. Journals of older versions have no
            `size`, and no `sha256` of "rename".
        original: SHA-256 of the source of "replace".
        delta: leads back to the source of "replace", where that is another file.
        label, predicted, probability, accepted, seconds: the prediction.
        done: whether it was carried out.
        undone: whether undo has begun to take it back.
        found: where undo found the file, if it was moved by hand; as `to`.
    """

    run: dict
    n: int
    path: str
    to: str
    kind: str
    text: str | None = None
    size: int | None = None
    sha256: str | None = None
    original: str | None = None
    delta: str | None = None
    label: str
    predicted: str | None
    probability: float | None
    accepted: bool
    seconds: float
    done: bool = False
    undone: bool = False
    found: str | None = None

    @property
    def source(self) -> Path:
        """Where the file was in the library."""
        return Path(self.run["source"], self.path)

    @property
    def name(self) -> str:
        """The file as the user would name it."""
        return f"{self.run['typed'].rstrip('/')}/{self.path}"

    @property
    def moved(self) -> bool:
        """Whether the file itself is moved, and not copied or linked to."""
        return self.kind in ("rename", "replace")

    def line(self) -> dict:
        """Its line in a journal."""
        values = {key: getattr(self, key) for key in _IN_LINE}
        empty = {key for key in _OF_SOME_KINDS if values[key] is None}
        return {"line": "plan"} | {key: values[key] for key in _IN_LINE if key not in empty}


_IN_LINE = [
    item.name for item in fields(Plan) if item.name not in ("run", "done", "undone", "found")
]
_OF_SOME_KINDS = ("text", "size", "sha256", "original", "delta")


@dataclass
class Journal:
    """What a journal says; lines can be added while it is `opened`.

    Attributes:
        path: the file.
        runs: the lines of all runs, in their order.
        plans: files that were placed or were about to be, by the number of the plan.
        next: number of the next plan.
        folders: folders that were made, relative to that of the journal.
        failed: lines of the files that could not be used, each with its `run`.
        tables: SHA-256 of each table that was written, by name.
        undo: whether undo has begun.
        damaged: numbers of the lines that cannot be read.
    """

    path: Path
    runs: list[dict] = field(default_factory=list)
    plans: dict[int, Plan] = field(default_factory=dict)
    next: int = 0
    folders: list[str] = field(default_factory=list)
    failed: list[dict] = field(default_factory=list)
    tables: dict[str, set[str]] = field(default_factory=dict)
    undo: bool = False
    damaged: list[int] = field(default_factory=list)
    _file: int = -1
    _size: int = 0

    def write(self, rows: Iterable[dict], *, sync: bool = True) -> None:
        """Add lines, all of them or none; with `sync` they survive a power cut.

        Raises:
            OutputError: they cannot be written.
        """
        text = _lines(rows)
        try:
            left = memoryview(text)
            while left:
                left = left[os.write(self._file, left) :]
            if sync:
                os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
            raise cannot_write(self.path, error) from error
        self._size += len(text)

    def keep(self, plans: Iterable[Plan]) -> None:
        """Replace the file by a journal of nothing but some plans that were carried out.

        Raises:
            OutputError: it cannot be written.
        """
        rows = [{"line": "folder", "name": name} for name in self.folders]
        for name, sums in self.tables.items():
            rows += ({"line": "table", "name": name, "sha256": sha256} for sha256 in sums)
        with replacing(self.path) as partial, open(partial, "wb") as file:
            for number, run in enumerate(self.runs):
                file.write(_lines([{"line": "run"} | run]))
                file.write(_lines(rows if number == 0 else []))
                for plan in plans:
                    if plan.run is run:
                        file.write(_lines([plan.line(), {"line": "done", "n": plan.n}]))


def _lines(rows: Iterable[dict]) -> bytes:
    # ASCII: file names that are not valid text can be written, and no character is cut in two.
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode("ascii")


def read_journal(path: Path) -> Journal:
    """Read a journal. The last line may have been cut off by an interruption.

    Raises:
        DataError: there is no such file, it is not a journal, or of a newer version.
    """
    journal = Journal(path)
    begin = b'{"line":"run"'
    try:
        with open(path, "rb") as file:
            for number, text in enumerate(file, 1):
                whole = text.endswith(b"\n")
                try:
                    row = json.loads(text)
                    line = row.pop("line")
                except (ValueError, LookupError, TypeError, AttributeError):
                    row, line = {}, "damaged"
                # The very first line may be cut off, too, or zeros after a power cut.
                if number == 1 and (
                    whole or (text.strip(b"\0") and not begin.startswith(text[: len(begin)]))
                ):
                    if line != "run" or "version" not in row:
                        raise DataError(f"'{path}' is not a journal of timbrel tag.")
                    if row["version"] > VERSION:
                        raise DataError(
                            f"'{path}' was written by a newer Timbrel (journal version "
                            f"{row['version']}; this one knows {VERSION}). Install that one to go "
                            "on."
                        )
                if line != "damaged":
                    _add(journal, line, row)
                elif whole:
                    journal.damaged.append(number)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    return journal


def _add(journal: Journal, line: str, row: dict) -> None:
    """Add what a line says; of plans that were given up, only the number is kept."""
    if line == "run":
        journal.runs.append(row)
    elif line == "plan":
        known = {key: row[key] for key in _IN_LINE if key in row}
        journal.plans[row["n"]] = Plan(run=journal.runs[-1], **known)
        journal.next = max(journal.next, row["n"] + 1)
    elif line == "folder":
        journal.folders.append(row["name"])
    elif line == "failed":
        journal.failed.append({"run": journal.runs[-1]} | row)
    elif line == "table":
        journal.tables.setdefault(row["name"], set()).add(row["sha256"])
    elif line == "undo":
        journal.undo = True
    elif line in ("done", "dropped", "found") and row["n"] in journal.plans:
        plan = journal.plans[row["n"]]
        if line == "done":
            plan.done = True
        elif line == "found":
            plan.found = row["to"]
        elif plan.done:
            plan.undone = True
        else:
            del journal.plans[row["n"]]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """Open a journal for writing, by this process alone; it is made if there is none.

    Raises:
        InvalidArgument: another process writes to it.
        OutputError: it cannot be written.
        DataError: as for `read_journal`.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        if not take_lock(file):
            raise InvalidArgument(
                f"Another timbrel tag is at work on '{path.parent}'. Wait for it to end."
            )
        journal = read_journal(path)
        journal._file = file
        if os.fstat(file).st_size:  # Remove what an interruption left of a last line.
            with mmap.mmap(file, 0, access=mmap.ACCESS_READ) as text:
                journal._size = text.rfind(b"\n") + 1
            os.ftruncate(file, journal._size)
            os.lseek(file, journal._size, os.SEEK_SET)
        yield journal
    finally:
        os.close(file)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Say why a sorted library cannot be written, and what to do."""
    if error.errno in FULL:
        return OutputError(
            f"Cannot write {path}: the disk is full. Free some space and run the same command "
            "again: it goes on where this one stopped."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"Cannot write {path}: no permission. Choose another folder with `to`.")
    return OutputError.of(path, error)
