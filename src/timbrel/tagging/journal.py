"""The journal of a sorted library: what will be done and what was done, one line of JSON each.

The field `line` of a line says what it is:

    run      a command begins: version, mode, source, model, options
    folder   a folder that is about to be made
    plan     a file that is about to be placed
    done     plan `n` was carried out and is safely on disk
    dropped  plan `n` was given up; after `done`: undo takes its file back
    failed   a file that could not be used, and why
    table    a table that is about to be written, with its SHA-256
    undo     undo begins
    found    undo found the file of plan `n`, which was moved by hand, at `to`

A plan with neither `done` nor `dropped` is where a run was interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from timbrel.errors import FULL, DataError, InvalidArgument, OutputError
from timbrel.files import replacing, take_lock

# In the folder of the sorted library: the journal, and copies that are being made.
JOURNAL = "timbrel-tag.jsonl"
STAGING = ".timbrel-tag"
VERSION = 1


@dataclass(slots=True, kw_only=True)
class Plan:
    """A file that was placed, or was about to be: how, and the prediction."""

    run: dict[str, Any]  # The line of its run.
    n: int
    path: str  # Relative to the library, joined with `/`.
    to: str  # Its new place, relative to the folder of the sorted library, joined with `/`.
    # "link"; "copy"; "rename" for a move within one file system; "replace" for a move by copying:
    # to another file system, or because a label was written into the file.
    kind: str
    text: str | None = None  # Target of a link.
    # Of the file that was placed; not of a link. Journals of older versions have no size, and no
    # sum of "rename".
    size: int | None = None
    sha256: str | None = None
    # SHA-256 of the source of "replace", and what leads back to it, where it is another file.
    original: str | None = None
    delta: str | None = None
    label: str
    predicted: str | None
    probability: float | None
    accepted: bool
    seconds: float
    done: bool = False  # It was carried out.
    undone: bool = False  # Undo has begun to take it back.
    found: str | None = None  # Where undo found the file, if it was moved by hand; as `to`.

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

    def line(self) -> dict[str, Any]:
        """Its line in a journal."""
        values = {key: getattr(self, key) for key in _WRITTEN}
        return {"line": "plan"} | {
            key: value
            for key, value in values.items()
            if value is not None or key in ("predicted", "probability")
        }


_WRITTEN = [
    item.name for item in fields(Plan) if item.name not in ("run", "done", "undone", "found")
]


@dataclass
class Journal:
    """The content of a journal; lines can be added while it is `opened`."""

    path: Path
    runs: list[dict[str, Any]] = field(default_factory=list)
    plans: dict[int, Plan] = field(default_factory=dict)  # By their numbers.
    next: int = 0  # Number of the next plan.
    folders: list[str] = field(default_factory=list)  # Relative to that of the journal.
    failed: list[dict[str, Any]] = field(default_factory=list)  # Each line with its `run`.
    tables: dict[str, set[str]] = field(default_factory=dict)  # SHA-256 of what was written.
    undo: bool = False  # Undo has begun.
    damaged: list[int] = field(default_factory=list)  # Numbers of lines that cannot be read.
    _file: int = -1
    _size: int = 0  # Bytes of its whole lines.

    def write(self, rows: Iterable[dict], *, sync: bool = True) -> None:
        """Add lines, all of them or none; with `sync` they survive a power cut."""
        text = _lines(rows)
        try:
            left = memoryview(text)
            while left:
                left = left[os.write(self._file, left) :]
            if sync:
                os.fsync(self._file)
        except OSError as error:
            self._cut()
            raise cannot_write(self.path, error) from error
        self._size += len(text)

    def keep(self, plans: Iterable[Plan]) -> None:
        """Replace the file by a journal of nothing but some plans that were carried out."""
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

    def _add(self, row: dict[str, Any]) -> None:
        """Add the content of a line; of plans that were given up, only the number is kept."""
        line = row.pop("line")
        if line == "run":
            self.runs.append(row)
        elif line == "plan":
            known = {key: row[key] for key in _WRITTEN if key in row}
            self.plans[row["n"]] = Plan(run=self.runs[-1], **known)
            self.next = max(self.next, row["n"] + 1)
        elif line == "folder":
            self.folders.append(row["name"])
        elif line == "failed":
            self.failed.append({"run": self.runs[-1]} | row)
        elif line == "table":
            self.tables.setdefault(row["name"], set()).add(row["sha256"])
        elif line == "undo":
            self.undo = True
        elif line in ("done", "dropped", "found") and row["n"] in self.plans:
            plan = self.plans[row["n"]]
            if line == "done":
                plan.done = True
            elif line == "found":
                plan.found = row["to"]
            elif plan.done:
                plan.undone = True
            else:
                del self.plans[row["n"]]

    def _cut(self) -> None:
        """Remove what follows the last whole line."""
        if os.fstat(self._file).st_size > self._size:
            os.ftruncate(self._file, self._size)
        os.lseek(self._file, self._size, os.SEEK_SET)


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
                try:
                    row = json.loads(text)
                    readable = isinstance(row, dict) and "line" in row
                except ValueError:
                    readable = False
                whole = text.endswith(b"\n")
                # The very first line may be cut off as well, or be zeros after a power cut.
                cut_off = not whole and (
                    begin.startswith(text[: len(begin)]) or not text.strip(b"\0")
                )
                if number == 1 and not cut_off:
                    if not readable or row["line"] != "run" or "version" not in row:
                        raise DataError(f"'{path}' is not a journal of timbrel tag.")
                    if row["version"] > VERSION:
                        raise DataError(
                            f"'{path}' was written by a newer Timbrel (journal version "
                            f"{row['version']}; this one knows {VERSION}). Install that version "
                            "to continue."
                        )
                if not whole:
                    break
                journal._size += len(text)
                if readable:
                    journal._add(row)
                else:
                    journal.damaged.append(number)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    return journal


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
        journal._cut()
        yield journal
    finally:
        os.close(file)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Why a sorted library cannot be written, and what to do."""
    if error.errno in FULL:
        return OutputError(
            f"Cannot write {path}: the disk is full. Free some space and run the same command "
            "again: it continues where this one stopped."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"Cannot write {path}: no permission. Choose another folder with `to`.")
    return OutputError.of(path, error)
