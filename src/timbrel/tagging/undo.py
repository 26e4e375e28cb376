"""Take single files back, and a whole sorted library.

Nothing is overwritten, and no content is removed that is not known to be elsewhere. Every step
leaves a state from which the same call can be made again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from timbrel.errors import OutputError
from timbrel.progress import Progress
from timbrel.tagging.journal import JOURNAL, STAGING, Journal, Plan, opened, read_journal
from timbrel.tagging.labels import apply_delta
from timbrel.tagging.moves import (
    clear,
    copy_times,
    copy_whole,
    is_file,
    reason,
    rename_new,
    sha256_of,
    sync,
)
from timbrel.text import plain, plural


class LeftAlone(OSError):
    """A file cannot be taken back; the message is the reason, without the path."""


def is_placed(plan: Plan, target: Path) -> bool:
    """Whether the file or link of a plan is at `target`, unchanged."""
    if plan.kind == "link":
        return target.is_symlink() and os.readlink(target) == plan.text
    if not is_file(target):
        return False
    if plan.sha256 is None:  # Only its name is known; an empty file is a reserved name.
        return target.stat().st_size > 0
    return sha256_of(target) == plan.sha256


def take_back(plan: Plan, target: Path) -> None:
    """Undo a plan whose file is at `target`: remove the link or copy, or move the file back.

    Raises:
        LeftAlone: there is another file at `source`, or the original cannot be made again.
        OSError: it cannot be done; then nothing has changed.
    """
    if not plan.moved:
        os.unlink(target)
        return
    source = plan.source
    # Always the same name, so that the file that an interruption left is found.
    name = hashlib.sha256(os.fsencode(source.name)).hexdigest()[:16]
    partial = source.with_name(f".timbrel-{name}.tmp")
    partial.unlink(missing_ok=True)
    if target.stat().st_size:
        remove_reserved(source)
    unchanged = plan.kind == "replace" and is_placed(plan, target)
    if os.path.lexists(source):
        # The same file is there if a move, there or back, was interrupted near its end.
        same = is_file(source) and (
            os.path.samefile(source, target)
            or sha256_of(source) == (plan.original if unchanged else sha256_of(target))
        )
        if not same:
            raise LeftAlone(f"there is a file at {source} again; this one is left alone")
        os.unlink(target)
        return
    source.parent.mkdir(parents=True, exist_ok=True)
    delta = plan.delta if unchanged else None
    if delta is None:
        try:
            rename_new(target, source)
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
    try:
        if delta is None:
            copy_whole(target, partial)
        else:
            with open(partial, "wb") as file:
                apply_delta(delta, target, file.write)
                file.flush()
                os.fsync(file.fileno())
            if sha256_of(partial) != plan.original:
                raise LeftAlone("the file as it was cannot be made from it, and it is left alone")
            copy_times(target, partial)
        rename_new(partial, source)
    finally:
        partial.unlink(missing_ok=True)
    sync(source.parent)
    os.unlink(target)


def remove_reserved(path: Path) -> None:
    """Remove the empty file with which an interrupted `rename_new` reserved a name."""
    if is_file(path) and path.stat().st_size == 0:
        os.unlink(path)


def settle(journal: Journal, *, take: bool) -> None:
    """Find out how plans ended that an interruption left open, and write it down.

    With `take`, files that were placed are taken back, unless another file is at their old place
    by now; otherwise they count as done.
    """
    for plan in [plan for plan in journal.plans.values() if not plan.done]:
        target = journal.path.parent / plan.to
        try:
            if plan.kind != "link":
                remove_reserved(target)
            if is_placed(plan, target):
                plan.done = not take
                if take:
                    take_back(plan, target)
            elif plan.moved and is_file(target) and not os.path.lexists(plan.source):
                plan.done = True  # It was moved, and edited since.
        except LeftAlone:
            plan.done = True
        except OSError as error:
            raise OutputError(
                f"'{plan.path}' was being placed when a run was interrupted, and cannot be put "
                f"back: {reason(error)}. Mend that and run the command again."
            ) from error
        if not plan.done:
            del journal.plans[plan.n]
        journal.write([{"line": "done" if plan.done else "dropped", "n": plan.n}], sync=False)
    journal.write([])


@dataclass(repr=False)
class TakenBack:
    """The result of taking a sorted library back.

    Attributes:
        files: the files that were taken back, as they are named in `tags.csv`: links and copies
            were removed, moved files are at their old place again.
        left: paths that were left where they are, each with the reason.
        notes: what else is worth knowing: files that were found elsewhere and brought back from
            there, links and copies that were gone already.
    """

    files: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        left = f", {len(self.left)} left alone" if self.left else ""
        return plain(f"TakenBack({plural(self.count, 'file')}{left})")

    @property
    def count(self) -> int:
        """How many files were taken back."""
        return len(self.files)


def take_library_back(path: Path, progress: Progress) -> TakenBack:
    """Bring every file back, remove links, copies and folders that were made, and the journal.

    See `timbrel.undo_tag`; `path` is the journal, in the folder of the sorted library.
    """
    read_journal(path)  # A file that is no journal must not be opened for writing.
    out = path.parent
    with opened(path) as journal:
        clear(out / STAGING)
        settle(journal, take=False)
        if journal.runs and not journal.undo:
            journal.write([{"line": "undo"}])
        result = TakenBack()
        result.notes += (f"line {n} of the journal cannot be read" for n in journal.damaged)
        remaining = _take_files_back(journal, result, progress)
        for name, sums in journal.tables.items():
            table = out / name
            if table.is_file() and sha256_of(table) in sums:
                table.unlink()
            elif table.is_file():
                result.left.append((str(table), "it was changed since, and is left alone"))
        for name in reversed(journal.folders):  # The inner ones first.
            with contextlib.suppress(OSError):  # Those that are not empty stay.
                (out / name).rmdir()
        if remaining:
            journal.keep(remaining)
            return result
    try:
        path.unlink()
    except OSError as error:
        raise OutputError.of(path, error) from error
    with contextlib.suppress(OSError):  # Folders that are not empty stay.
        for folder in (out, *out.parents)[: journal.runs[0]["made"] if journal.runs else 0]:
            folder.rmdir()
    return result


def _take_files_back(journal: Journal, result: TakenBack, progress: Progress) -> list[Plan]:
    """Take back files in their places, then those moved by hand, then those changed.

    Returns the plans that are left.
    """
    out = journal.path.parent
    remaining: list[Plan] = []
    moved_by_hand: list[Path] = []  # Where files were put that were found elsewhere.
    folders: set[Path] = set()  # In which moved files are again.

    def leave(plan: Plan, target: Path, why: str) -> None:
        result.left.append((str(target), why))
        remaining.append(plan)

    def take(plan: Plan, target: Path, note: str = "") -> None:
        # If undo is interrupted, this line tells the next one who removed the file. A full disk
        # must not keep undo from freeing it.
        with contextlib.suppress(OutputError):
            journal.write([{"line": "dropped", "n": plan.n}], sync=False)
        take_back(plan, target)
        taken(plan, target, note)

    def taken(plan: Plan, target: Path, note: str = "") -> None:
        result.files.append(plan.name)
        if plan.moved:
            folders.add(plan.source.parent)
        if plan.found:
            note = f"it was found at {target}, and brought back from there"
            moved_by_hand.append(out / plan.to)
        if note:
            result.notes.append(f"{plan.name}: {note}")

    elsewhere: list[Plan] = []
    for number, plan in enumerate(journal.plans.values(), 1):
        target = out / (plan.found or plan.to)
        try:
            back = os.path.lexists(plan.source) or not plan.moved
            if is_placed(plan, target):
                take(plan, target)
            elif plan.undone and back and not os.path.lexists(target):
                taken(plan, target)  # By an undo that was interrupted.
            else:
                elsewhere.append(plan)
        except OSError as error:
            leave(plan, target, reason(error))
        progress.stage("taking back", number, len(journal.plans))

    found = _find_elsewhere(journal, elsewhere, known={path for path, _ in result.left})
    # Files that were moved by hand come first: one may be in the place of another.
    elsewhere.sort(key=lambda plan: plan.n not in found)
    for number, plan in enumerate(elsewhere, 1):
        target, place = out / plan.to, found.get(plan.n)
        try:
            original = plan.original or plan.sha256
            if plan.moved and is_file(plan.source) and original in (None, sha256_of(plan.source)):
                gone = f"{target} was gone already, and there is a file at its old place"
                result.notes.append(f"{plan.name}: {gone}")
            elif plan.moved and place:
                target, plan.found = place, place.relative_to(out).as_posix()
                with contextlib.suppress(OutputError):
                    journal.write([{"line": "found", "n": plan.n, "to": plan.found}], sync=False)
                take(plan, target)
            elif plan.moved and is_file(target):
                take(plan, target, "it was changed since, and went back as it is now")
            elif os.path.lexists(target):
                now = f"; the file that was put there is at {place} now" if place else ""
                leave(plan, target, f"it was changed or replaced since, and is left alone{now}")
            elif place:
                leave(plan, target, f"it is no longer there, but at {place}, and is left alone")
            elif plan.moved:
                leave(plan, target, f"it is no longer there, and not at {plan.source} either")
            else:
                result.notes.append(f"{plan.name}: {target} was gone already")
        except OSError as error:
            leave(plan, target, reason(error))
        progress.stage("searching", number, len(elsewhere))
    for target in filter(os.path.lexists, moved_by_hand):
        why = "it is not the file that was put there, and is left alone"
        result.left.append((str(target), why))
    for folder in folders:  # All of this must be on disk before the journal is removed.
        sync(folder)
    return remaining


def _find_elsewhere(journal: Journal, plans: list[Plan], *, known: set[str]) -> dict[int, Path]:
    """Find files by size and SHA-256, and links by their targets, in the sorted library.

    The libraries, and the `known` files, are not searched. Returns the places by the numbers of
    the plans; a file that was moved is given once.
    """
    if not plans:
        return {}
    libraries = {run["source"] for run in journal.runs}
    sizes = {plan.size for plan in plans if plan.sha256}  # None where it is not known.
    contents: dict[str, list[Path]] = {}
    for parent, folders, names in os.walk(journal.path.parent):
        inside = sorted(os.path.join(parent, name) for name in folders)
        # The files that another run sorted belong to its journal.
        folders[:] = [
            os.path.basename(folder)
            for folder in inside
            if folder not in libraries and not os.path.lexists(os.path.join(folder, JOURNAL))
        ]
        for path in (Path(parent, name) for name in sorted(names)):
            if str(path) in known:
                continue
            with contextlib.suppress(OSError):  # A file that cannot be read is not recognised.
                if path.is_symlink():
                    contents.setdefault(os.readlink(path), []).append(path)
                elif is_file(path) and (None in sizes or path.stat().st_size in sizes):
                    contents.setdefault(sha256_of(path), []).append(path)
    found: dict[int, Path] = {}
    for plan in plans:
        places = contents.get(plan.text or plan.sha256 or "", [])
        if places:
            # Of equal files any will do, but those of other names may have other times.
            same_name = (path for path in places if path.name == Path(plan.to).name)
            found[plan.n] = next(same_name, places[0])
            if plan.moved:
                places.remove(found[plan.n])
    return found
