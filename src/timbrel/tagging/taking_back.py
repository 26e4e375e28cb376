"""Take a sorted library back, as its journal says."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from timbrel.errors import OutputError
from timbrel.files import replacing
from timbrel.tagging.acts import LeftAlone, sha256_of, sync, take_back
from timbrel.tagging.journal import Journal, State, read_lines, read_state, settled
from timbrel.tagging.names import STAGING
from timbrel.tagging.sorted_library import bring_to_order, clear
from timbrel.tagging.sorting import reason
from timbrel.wording import plain, plural


@dataclass(repr=False)
class TakenBack:
    """What came of taking a library back.

    Attributes:
        count: files that are as they were before.
        left: files that were left alone, and why.
        notes: what else is worth knowing.
    """

    count: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        left = f", {len(self.left)} left alone" if self.left else ""
        return plain(f"TakenBack({plural(self.count, 'file')}{left})")


def take_library_back(
    path: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> TakenBack:
    """Bring every file back, remove links, copies and folders that were made, and the journal.

    What was changed since, or whose place is taken, is left alone; then the journal stays, for
    what is left. May be interrupted and repeated.

    Args:
        path: the journal, in the folder of the sorted library.
        progress: called after each file with the number so far and the total.

    Raises:
        DataError: there is no such journal.
        InvalidArgument: another process is at work on it.
        OutputError: it cannot be written.
    """
    read_state(path)  # Nothing else must be opened for writing.
    out = path.parent
    journal = Journal(path)
    try:
        state = read_state(path)
        clear(out / STAGING)
        bring_to_order(out, journal, state)
        state = read_state(path)
        if state.runs and not state.undo:
            journal.write([{"line": "undo"}])
        result = TakenBack()
        result.notes += (f"line {number} of the journal cannot be read" for number in state.damaged)
        remaining = _files(path, result, lambda done: progress(done, state.done))
        _tables(out, state, result)
        _folders(path)
        if remaining:
            _keep(path, remaining)
            return result
    finally:
        journal.close()
    _remove(path, state)
    return result


def _files(path: Path, result: TakenBack, progress: Callable[[int], None]) -> set[int]:
    """Take all files back; return the numbers of the plans that were left alone."""
    remaining, filled = set(), set()
    for run, plan, how in settled(read_lines(path)):
        if how != "done":
            continue
        target = path.parent / plan["to"]
        try:
            source = Path(run["source"], plan["path"])
            note = take_back(plan, source, target)
        except (LeftAlone, OSError) as error:
            why = str(error) if isinstance(error, LeftAlone) else reason(error)
            result.left.append((str(target), why))
            remaining.add(plan["n"])
        else:
            result.count += 1
            if run["mode"] == "move":
                filled.add(source.parent)
            if note:
                result.notes.append(f"{run['typed']}/{plan['path']}: {note}")
        progress(result.count + len(remaining))
    for folder in filled:  # The journal must not be gone before all of this is on disk.
        sync(folder)
    return remaining


def _tables(out: Path, state: State, result: TakenBack) -> None:
    for name, sums in state.tables.items():
        table = out / name
        if not table.is_file():
            continue
        if sha256_of(table) in sums:
            table.unlink()
        else:
            result.left.append((str(table), "it was changed since, and is left alone"))


def _folders(path: Path) -> None:
    """Remove the folders that were made, if they are empty, the inner ones first."""
    made = [row["name"] for row in read_lines(path) if row["line"] == "folder"]
    for name in reversed(made):
        with contextlib.suppress(OSError):
            (path.parent / name).rmdir()


def _keep(path: Path, remaining: set[int]) -> None:
    """Leave of the journal what is still to be taken back."""
    with replacing(path) as partial, open(partial, "w", encoding="ascii") as file:
        for row in read_lines(path):
            if row["line"] != "undo" and ("n" not in row or row["n"] in remaining):
                file.write(json.dumps(row, separators=(",", ":")) + "\n")


def _remove(path: Path, state: State) -> None:
    """Remove the journal, and the folders around it that were made for it."""
    try:
        path.unlink()
    except OSError as error:
        raise OutputError.of(path, error) from error
    folder = path.parent
    for _ in range(state.runs[0]["made"] if state.runs else 0):
        try:
            folder.rmdir()
        except OSError:
            break
        folder = folder.parent
