"""The folder of a sorted library: opened with its journal, listed in a table."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from timbrel.errors import DataError, InvalidArgument, OutputError
from timbrel.inference.writers import cell, csv_line
from timbrel.tagging.acts import happened, sha256_of, sync
from timbrel.tagging.journal import (
    VERSION,
    Journal,
    State,
    cannot_write,
    read_lines,
    read_state,
    settled,
)
from timbrel.tagging.names import JOURNAL, STAGING, TABLE, FreeNames
from timbrel.tagging.sorting import PREDICTED, reason

_COLUMNS = ("path", *PREDICTED, "error", "to")

# What makes a run another run of the same folder.
SETTINGS = {
    "mode": "another way of placing",
    "model": "another model",
    "threshold": "another threshold",
    "keep_folders": "another choice of `keep_folders`",
    "write_tags": "another choice of `write_tags`",
}


@dataclass
class Library:
    """A sorted library that is open for this process alone.

    Attributes:
        out: its folder.
        journal: where everything is written down.
        state: what the journal said at the beginning.
        staging: an empty folder for copies in the making.
    """

    out: Path
    journal: Journal
    state: State
    staging: Path


def look_at(out: Path, run: dict) -> State:
    """What the journal in `out` says, which may not be there, before anything is touched.

    Raises:
        DataError: it cannot be read, or is being taken back.
        InvalidArgument: the same folder was sorted into `out` in another way.
    """
    path = out / JOURNAL
    state = read_state(path) if path.exists() else State()
    if state.undo:
        raise DataError(
            f"'{out}' is half taken back. End that first: timbrel tag --undo \"{path}\""
        )
    for old in state.runs:
        differs = [text for key, text in SETTINGS.items() if old[key] != run[key]]
        if old["source"] == run["source"] and differs:
            raise InvalidArgument(
                f"'{run['typed']}' was sorted into '{out}' before, with {differs[0]}. Choose "
                f'another folder with `to`, or take that back first: timbrel tag --undo "{path}"'
            )
    return state


@contextlib.contextmanager
def opened(out: Path, run: dict) -> Iterator[Library]:
    """Open a library, make it where there is none, and bring an interrupted run to order.

    Raises:
        DataError, InvalidArgument: as for `look_at`, or another process is at work on it.
        OutputError: it cannot be written.
    """
    look_at(out, run)
    made = _make(out)
    journal = Journal(out / JOURNAL)
    try:
        state = look_at(out, run)
        staging = out / STAGING
        if not state.runs and staging.exists():
            raise OutputError(f"'{staging}' exists, but no journal beside it. Move it away.")
        journal.write([{"line": "run", "version": VERSION, **run, "made": made}])
        sync(out)
        clear(staging)
        bring_to_order(out, journal, state)
        try:
            staging.mkdir()
        except OSError as error:
            raise cannot_write(staging, error) from error
        yield Library(out, journal, state, staging)
        journal.write([])
    finally:
        clear(out / STAGING)
        journal.close()


def _make(out: Path) -> int:
    """Make the folder; return how many folders, itself and those around it, that took."""
    missing = []
    for folder in (out, *out.parents):
        if os.path.lexists(folder):
            break
        missing.append(folder)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError(f"Cannot write {out}: it is a file. Choose another folder.") from error
    except OSError as error:
        raise cannot_write(out, error) from error
    return len(missing)


def clear(staging: Path) -> None:
    """Remove copies in the making, of which none is the only one."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(staging):
            os.unlink(entry)
        staging.rmdir()


def bring_to_order(out: Path, journal: Journal, state: State) -> None:
    """Find out how the plans of an interrupted run ended, and write it down."""
    for number, (run, plan) in state.pending.items():
        try:
            done = happened(plan, Path(run["source"], plan["path"]), out / plan["to"])
        except OSError as error:
            raise OutputError(
                f"Cannot find out whether '{plan['path']}' was placed: {reason(error)}. "
                "Run the command again when that is mended."
            ) from error
        journal.write([{"line": "done" if done else "dropped", "n": number}], sync=False)
        if done and run["mode"] != "move":
            state.placed.add(hash((run["source"], plan["path"])))
    state.pending.clear()
    journal.write([])


def write_table(library: Library) -> Path:
    """Write the table of all files, each with its place; return where it is.

    A table that somebody else made, or changed, is left alone: this one is numbered.

    Raises:
        OutputError: it cannot be written.
    """
    out, journal = library.out, library.journal
    partial = library.staging / TABLE
    try:
        with open(partial, "w", encoding="utf-8", newline="") as stream:
            stream.writelines(map(csv_line, chain([_COLUMNS], _rows(journal.path))))
            stream.flush()
            os.fsync(stream.fileno())
        target = out / _table_name(out, read_state(journal.path).tables)
        journal.write([{"line": "table", "name": target.name, "sha256": sha256_of(partial)}])
        os.replace(partial, target)
    except OutputError:
        raise
    except OSError as error:
        raise cannot_write(out / TABLE, error) from error
    return target


def _table_name(out: Path, ours: dict[str, set[str]]) -> str:
    free = FreeNames(out)
    for name in ours:
        if (out / name).is_file() and sha256_of(out / name) in ours[name]:
            return name
    return free.take(".", TABLE)


def _rows(path: Path) -> Iterator[list[str]]:
    """A row a file: those that were placed, and those that could not be in the last run."""
    runs = (row for row in read_lines(path) if row["line"] == "run")
    last = {row["source"]: number for number, row in enumerate(runs)}
    number, run = -1, {}
    failed: dict[str, dict] = {}

    def watched() -> Iterator[dict]:
        nonlocal number, run
        for row in read_lines(path):
            if row["line"] == "run":
                number, run = number + 1, row
            elif row["line"] == "failed" and last[run["source"]] == number:
                failed[f"{run['typed']}/{row['path']}"] = row
            yield row

    for old, plan, how in settled(watched()):
        if how == "done":
            name = f"{old['typed']}/{plan['path']}"
            failed.pop(name, None)
            yield [name, *(cell(plan[key]) for key in PREDICTED), "", plan["to"]]
    for name, row in failed.items():
        yield [name, *("" for _ in PREDICTED), row["error"], ""]
