"""The journal of a sorted library: what will be done and what was, a line of JSON each.

Lines by their `line`:

    run      a command begins: version, mode, source, model, options
    folder   a folder that is about to be made
    plan     a file that is about to be placed: number `n`, `path`, `to`, how, and the prediction
    done     the plan `n` is carried out, and on disk for good
    dropped  the plan `n` is given up; nothing of it is left
    failed   a file that could not be used, with the prediction and why
    table    a table that is about to be written, with its SHA-256
    undo     taking back has begun

A plan without `done` or `dropped` is where a run was interrupted.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from timbrel.errors import FULL, DataError, InvalidArgument, OutputError
from timbrel.files import take_lock

VERSION = 1


@dataclass
class State:
    """What a journal says, in little memory.

    Attributes:
        runs: all commands, in their order.
        placed: hashes of the sources (folder, path) that were linked or copied.
        pending: plans that were interrupted, with the run that each belongs to.
        done: files that were placed.
        tables: SHA-256 of every table that was written, by name.
        next: number of the next plan.
        undo: whether taking back has begun.
        damaged: numbers of the lines that cannot be read.
    """

    runs: list[dict] = field(default_factory=list)
    placed: set[int] = field(default_factory=set)
    pending: dict[int, tuple[dict, dict]] = field(default_factory=dict)
    done: int = 0
    tables: dict[str, set[str]] = field(default_factory=dict)
    next: int = 0
    undo: bool = False
    damaged: list[int] = field(default_factory=list)

    def knows(self, source: str, path: str) -> bool:
        """Whether a file was linked or copied before."""
        return hash((source, path)) in self.placed


def read_lines(path: Path, damaged: list[int] | None = None) -> Iterator[dict]:
    """The lines of a journal, in their order.

    The last line may have been cut off by an interruption; it is passed over, as is what cannot be
    read.

    Args:
        path: the journal.
        damaged: receives the number of each line but the last that cannot be read.

    Raises:
        DataError: there is no such file, it is not a journal, or of a newer version.
    """
    try:
        with open(path, "rb") as file:
            for number, text in enumerate(file, 1):
                row = _parsed(text)
                if number == 1 and not _torn_first(text):
                    _check_first(path, row)
                if row is not None:
                    yield row
                elif text.endswith(b"\n") and damaged is not None:
                    damaged.append(number)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from error


def _parsed(text: bytes) -> dict | None:
    try:
        row = json.loads(text)
    except ValueError:
        return None
    return row if isinstance(row, dict) and "line" in row else None


def _torn_first(text: bytes) -> bool:
    """Whether a journal was cut off while its first line was written."""
    begin = b'{"line":"run"'
    whole = text.endswith(b"\n") or bool(text.strip(b"\0"))
    return not whole or (not text.endswith(b"\n") and begin.startswith(text[: len(begin)]))


def _check_first(path: Path, row: dict | None) -> None:
    if row is None or row.get("line") != "run" or "version" not in row:
        raise DataError(f"'{path}' is not a journal of timbrel tag.")
    if row["version"] > VERSION:
        raise DataError(
            f"'{path}' was written by a newer Timbrel (journal version {row['version']}; this one "
            f"knows {VERSION}). Install that one to go on."
        )


def settled(lines: Iterable[dict]) -> Iterator[tuple[dict, dict, str]]:
    """Each plan that came to an end, with its run and "done", "dropped" or "pending"."""
    run: dict = {}
    open_plans: dict[int, tuple[dict, dict]] = {}
    for row in lines:
        kind = row["line"]
        if kind == "run":
            run = row
        elif kind == "plan":
            open_plans[row["n"]] = (run, row)
        elif kind in ("done", "dropped") and row["n"] in open_plans:
            yield (*open_plans.pop(row["n"]), kind)
    for pair in open_plans.values():
        yield (*pair, "pending")


def read_state(path: Path) -> State:
    """Read a journal once, from beginning to end.

    Raises:
        DataError: it cannot be read at all.
    """
    state = State()

    def noted() -> Iterator[dict]:
        for row in read_lines(path, state.damaged):
            if row["line"] == "run":
                state.runs.append(row)
            elif row["line"] == "plan":
                state.next = max(state.next, row["n"] + 1)
            elif row["line"] == "table":
                state.tables.setdefault(row["name"], set()).add(row["sha256"])
            state.undo = state.undo or row["line"] == "undo"
            yield row

    for run, plan, how in settled(noted()):
        if how == "pending":
            state.pending[plan["n"]] = (run, plan)
        state.done += how == "done"
        # A file that is found where one was moved away is another.
        if how == "done" and run["mode"] != "move":
            state.placed.add(hash((run["source"], plan["path"])))
    return state


class Journal:
    """A journal that is written to, by this process alone.

    Args:
        path: the file; made if there is none.

    Raises:
        InvalidArgument: another process writes to it.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            _lock(self._file, path)
            self._size = _cut_torn_line(self._file)
        except BaseException:
            self.close()
            raise

    def write(self, rows: Iterable[dict], *, sync: bool = True) -> None:
        """Add lines, all of them or none; with `sync` they outlast a power cut.

        Raises:
            OutputError: they cannot be written.
        """
        # ASCII: names that are no text, and no half of a character at a cut.
        text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()
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

    def close(self) -> None:
        """Let others write."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


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


def _lock(file: int, path: Path) -> None:
    """Keep other processes from writing."""
    if not take_lock(file):
        raise InvalidArgument(
            f"Another timbrel tag is at work on '{path.parent}'. Wait for it to end."
        )


def _cut_torn_line(file: int) -> int:
    """Remove what an interruption left of a last line; return the length."""
    size = end = os.lseek(file, 0, os.SEEK_END)
    while end:
        start = max(0, end - (1 << 16))
        os.lseek(file, start, os.SEEK_SET)
        found = os.read(file, end - start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(file, end)
    os.lseek(file, end, os.SEEK_SET)
    return end
