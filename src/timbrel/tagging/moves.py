"""Place files, take single files back, and take a whole sorted library back.

Nothing is overwritten, and no content is removed that is not known to be elsewhere. Every step
leaves a state from which the same call can be made again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from timbrel.errors import OutputError, TimbrelError
from timbrel.progress import Progress
from timbrel.tagging.journal import Journal, Plan, opened, read_journal
from timbrel.tagging.labels import apply_delta
from timbrel.tagging.names import JOURNAL, STAGING
from timbrel.text import plain, plural

_CHUNK = 1 << 20

# Errors of file systems without hard links, and of systems that forbid one.
_NO_HARD_LINKS = frozenset(
    getattr(errno, name)
    for name in ("EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK")
)


class LeftAlone(TimbrelError):
    """A file cannot be taken back; the message is the reason, without the path."""


def reason(error: OSError) -> str:
    """Say why a file could not be placed or taken back."""
    if error.errno == errno.ENOENT:
        return "there is no such file"
    return (error.strerror or str(error)).rstrip(".")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rename_new(source: Path, target: Path) -> None:
    """Rename a file within its file system, never over another.

    Raises:
        FileExistsError: `target` exists.
        OSError: it cannot be done; then nothing has changed.
    """
    if os.name == "nt":  # There, renaming itself refuses to overwrite.
        os.rename(source, target)
        return
    try:
        os.link(source, target, follow_symlinks=False)
        linked = True
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))  # Reserves the name.
        linked = False
    try:
        if linked:
            os.unlink(source)
        else:
            os.rename(source, target)
    except OSError:
        os.unlink(target)
        raise


def copy_whole(source: Path, target: Path) -> str:
    """Copy a file with its times, onto the disk for good, and read it back; return its SHA-256.

    Raises:
        OSError: it cannot be read or written, or was not written as it was read.
    """
    digest = hashlib.sha256()
    with open(source, "rb") as old, open(target, "wb") as new:
        while piece := old.read(_CHUNK):
            digest.update(piece)
            new.write(piece)
        new.flush()
        os.fsync(new.fileno())
    copy_times(source, target)
    if sha256_of(target) != digest.hexdigest():
        raise OSError(errno.EIO, "what was written is not what was read", str(target))
    return digest.hexdigest()


def copy_times(source: Path, target: Path) -> None:
    """Give a copy the times and permissions of its source, as far as the file system allows."""
    with contextlib.suppress(PermissionError):
        shutil.copystat(source, target)


def sync(path: Path) -> None:
    """Make what happened to a file or in a folder survive a power cut, where the system can."""
    if os.name == "nt" and path.is_dir():
        return
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def link_text(source: Path, folder: Path) -> str:
    """What a symbolic link to `source` holds, in `folder`, which need not exist yet.

    Relative where both lie on one disk, so that the disk may be mounted elsewhere and both may be
    moved together; absolute otherwise, since then they are moved alone.
    """
    parent, beside = os.path.realpath(source.parent), os.path.realpath(folder)
    exists = Path(beside)
    while not exists.exists():
        exists = exists.parent
    if os.stat(parent).st_dev == exists.stat().st_dev:
        parent = os.path.relpath(parent, beside)
    return os.path.join(parent, source.name)


def is_placed(plan: Plan, target: Path) -> bool:
    """Whether what a plan puts in its place is at `target`, unchanged.

    Raises:
        OSError: that cannot be found out.
    """
    if plan.kind == "link":
        return target.is_symlink() and os.readlink(target) == plan.text
    if not _is_file(target):
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
    # A name beside the source, always the same, so that what an interruption left is found.
    name = hashlib.sha256(os.fsencode(source.name)).hexdigest()[:16]
    partial = source.with_name(f".timbrel-{name}.tmp")
    partial.unlink(missing_ok=True)
    if target.stat().st_size:
        remove_reserved(source)
    unchanged = plan.kind == "replace" and is_placed(plan, target)
    if os.path.lexists(source):
        # The same file is there: a move, there or back, was interrupted when almost done.
        if not _is_file(source) or not (
            os.path.samefile(source, target)
            or sha256_of(source) == (plan.original if unchanged else sha256_of(target))
        ):
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
    if _is_file(path) and path.stat().st_size == 0:
        os.unlink(path)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def clear(staging: Path) -> None:
    """Remove copies in the making, of which none is the only one."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(staging):
            os.unlink(entry)
        staging.rmdir()


def settle(journal: Journal, *, take: bool) -> None:
    """Find out how the plans ended in which a run was interrupted, and write it down.

    Args:
        journal: the journal.
        take: take back what was placed, unless another file is at its old place by now; otherwise
            it counts as done.

    Raises:
        OutputError: that cannot be done, or not be written down.
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
            elif plan.moved and _is_file(target) and not os.path.lexists(plan.source):
                plan.done = True  # It was moved, and edited since.
        except LeftAlone:
            plan.done = True
        except OSError as error:
            raise OutputError(
                f"'{plan.path}' was being placed when a run was interrupted, and cannot be put "
                f"back: {reason(error)}. Run the command again when that is mended."
            ) from error
        if not plan.done:
            del journal.plans[plan.n]
        journal.write([{"line": "done" if plan.done else "dropped", "n": plan.n}], sync=False)
    journal.write([])


@dataclass(repr=False)
class TakenBack:
    """What came of taking a sorted library back.

    Attributes:
        files: the files that were taken back, as they are named in `tags.csv`: links and copies
            were removed, moved files are at their old place again.
        left: what was left where it is, with its path and the reason.
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

    What was changed since, or whose old place is taken, is left alone; then the journal stays, for
    what is left. May be interrupted and repeated.

    Args:
        path: the journal, in the folder of the sorted library.
        progress: told of the stages "taking back" and, for files that are not where they were
            put, "searching".

    Raises:
        DataError: there is no such journal.
        InvalidArgument: another process is at work on it.
        OutputError: it cannot be written.
    """
    read_journal(path)  # What is no journal must not be opened for writing.
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
    """Take back what is in its place, then what was moved by hand, then what was changed.

    Returns:
        The plans that are left.
    """
    out = journal.path.parent
    left: list[Plan] = []
    filled: set[Path] = set()
    moved_by_hand: list[Path] = []  # Places in which files were that were found elsewhere.

    def leave(plan: Plan, target: Path, why: str) -> None:
        result.left.append((str(target), why))
        left.append(plan)

    def take(plan: Plan, target: Path, note: str | None = None) -> None:
        # If undo is interrupted, this says that the file was there and undo has removed it.
        with contextlib.suppress(OutputError):  # A full disk must not keep undo from freeing it.
            journal.write([{"line": "dropped", "n": plan.n}], sync=False)
        try:
            take_back(plan, target)
        except (LeftAlone, OSError) as error:
            leave(plan, target, str(error) if isinstance(error, LeftAlone) else reason(error))
        else:
            taken(plan, target, note)

    def taken(plan: Plan, target: Path, note: str | None = None) -> None:
        result.files.append(plan.name)
        if plan.moved:
            filled.add(plan.source.parent)
        if plan.found:
            note = f"it was found at {target}, and brought back from there"
            moved_by_hand.append(out / plan.to)
        if note:
            result.notes.append(f"{plan.name}: {note}")

    elsewhere: list[Plan] = []
    for number, plan in enumerate(journal.plans.values(), 1):
        target = out / (plan.found or plan.to)
        try:
            if is_placed(plan, target):
                take(plan, target)
            elif (
                plan.undone
                and not os.path.lexists(target)
                and (os.path.lexists(plan.source) or not plan.moved)
            ):
                taken(plan, target)  # By an undo that was interrupted.
            else:
                elsewhere.append(plan)
        except OSError as error:
            leave(plan, target, reason(error))
        progress.stage("taking back", number, len(journal.plans))

    found = _find_elsewhere(journal, elsewhere, {path for path, _ in result.left})
    # What was moved by hand comes first: it may be in the place of a file that seems to be changed.
    elsewhere.sort(key=lambda plan: plan.n not in found)
    for number, plan in enumerate(elsewhere, 1):
        target, place = out / plan.to, found.get(plan.n)
        try:
            original = plan.original or plan.sha256
            if plan.moved and _is_file(plan.source) and original in (None, sha256_of(plan.source)):
                gone = f"{target} was gone already, and there is a file at its old place"
                result.notes.append(f"{plan.name}: {gone}")
            elif plan.moved and place:
                plan.found = place.relative_to(out).as_posix()
                with contextlib.suppress(OutputError):
                    journal.write([{"line": "found", "n": plan.n, "to": plan.found}], sync=False)
                take(plan, place)
            elif plan.moved and _is_file(target):
                take(plan, target, "it was changed since, and went back as it is now")
            elif os.path.lexists(target):
                now = f"; what was put there is at {place} now" if place else ""
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
    for folder in filled:  # The journal must not be gone before all of this is on disk.
        sync(folder)
    return left


def _find_elsewhere(journal: Journal, plans: list[Plan], known: set[str]) -> dict[int, Path]:
    """Find files by size and SHA-256, and links by what they hold, in the sorted library.

    Args:
        journal: its journal; the libraries that were sorted are left out.
        plans: files that are not where they were put.
        known: files that are where they were put; they are left out.

    Returns:
        Where each plan's file is, by the number of the plan; a file that was moved is given once.
    """
    if not plans:
        return {}
    libraries = {run["source"] for run in journal.runs}
    sizes = {plan.size for plan in plans if plan.sha256}  # None where it is not known.
    contents: dict[str, list[Path]] = {}

    def is_searched(folder: str) -> bool:
        # What another run sorted belongs to its journal.
        return folder not in libraries and not os.path.lexists(os.path.join(folder, JOURNAL))

    for parent, folders, names in os.walk(journal.path.parent):
        folders[:] = sorted(name for name in folders if is_searched(os.path.join(parent, name)))
        for path in (Path(parent, name) for name in sorted(names)):
            if str(path) in known:
                continue
            with contextlib.suppress(OSError):  # A file that cannot be read is not recognised.
                if path.is_symlink():
                    contents.setdefault(os.readlink(path), []).append(path)
                elif _is_file(path) and (None in sizes or path.stat().st_size in sizes):
                    contents.setdefault(sha256_of(path), []).append(path)
    found: dict[int, Path] = {}
    for plan in plans:
        places = contents.get(plan.text or plan.sha256 or "", [])
        if places:
            # Of equal files any will do, but those of other names may have other times.
            name = Path(plan.to).name
            found[plan.n] = min(places, key=lambda path, name=name: path.name != name)
            if plan.moved:
                places.remove(found[plan.n])
    return found
