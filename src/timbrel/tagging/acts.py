"""Place a file, find out after an interruption whether it was, and take it back.

Nothing here overwrites or removes what is not known to be elsewhere, and every step leaves a state
from which `happened` and `take_back` can tell what was done. The kinds of plan:

    link     a symbolic link; `text` is what it holds
    copy     a copy; `sha256` of what was made
    rename   a move within one file system
    replace  a move by copy, to another file system or with a label written into the file:
             `sha256` of what was made, `original` that of the source, `delta` from one to the other
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from pathlib import Path

from timbrel.errors import TimbrelError
from timbrel.tagging.delta import apply_delta

_CHUNK = 1 << 20

# What file systems without hard links say, or systems that do not let us make one.
_NO_HARD_LINKS = frozenset(
    getattr(errno, name)
    for name in ("EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK")
)


class LeftAlone(TimbrelError):
    """Something cannot be taken back; the message is the reason, without the path."""


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
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))  # Claims the name.
        _or_remove(target, os.rename, source, target)
    else:
        _or_remove(target, os.unlink, source)


def _or_remove(made: Path, function: object, *arguments: Path) -> None:
    try:
        function(*arguments)
    except OSError:
        os.unlink(made)
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
    """Give a copy the times and permissions of its source, as far as the file system lets us."""
    with contextlib.suppress(PermissionError):
        shutil.copystat(source, target)


def sync(path: Path) -> None:
    """Make what happened to a file or in a folder outlast a power cut, where the system can."""
    if os.name == "nt" and path.is_dir():
        return
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def link_text(source: Path, folder: Path) -> str:
    """What a symbolic link in `folder`, which need not exist yet, to `source` holds.

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


def can_rename(source: Path, folder: Path) -> bool:
    """Whether a file can be renamed into a folder, on the same file system.

    Raises:
        OSError: that cannot be found out.
    """
    probe = folder / "probe"
    try:
        os.link(source, probe, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_HARD_LINKS:
            return source.stat().st_dev == folder.stat().st_dev
        if error.errno == errno.EXDEV:
            return False
        raise
    os.unlink(probe)
    return True


def carry_out(plan: dict, source: Path, target: Path, *, staged: Path | None) -> None:
    """Do what a plan says; the source of a "replace" is removed by `remove_source`, later.

    Raises:
        FileExistsError: `target` exists by now.
        OSError: it cannot be done; then nothing has changed.
    """
    if plan["kind"] == "link":
        os.symlink(plan["text"], target)
    elif plan["kind"] == "rename":
        rename_new(source, target)
    else:
        rename_new(staged, target)


def remove_source(plan: dict, source: Path, target: Path) -> None:
    """End a move by copy, once the copy is on disk for good.

    Raises:
        OSError: the source cannot be removed; then the copy is.
    """
    if plan["kind"] == "replace":
        _or_remove(target, os.unlink, source)


def happened(plan: dict, source: Path, target: Path) -> bool:
    """Whether an interrupted plan was carried out; what is half done is completed or undone.

    Raises:
        OSError: that cannot be found out, or not be done.
    """
    if plan["kind"] == "link":
        return _is_link(target, plan["text"])
    if plan["kind"] == "rename":
        return _renamed(source, target)
    if not _is_file(target, plan["sha256"]):
        _remove_claim(target)
        return False
    if plan["kind"] == "replace" and os.path.lexists(source):
        if not _is_file(source, plan["original"]):  # It was changed meanwhile: the copy is old.
            os.unlink(target)
            return False
        sync(target.parent)
        os.unlink(source)
    return True


def _renamed(source: Path, target: Path) -> bool:
    if not os.path.lexists(source):
        return os.path.lexists(target)
    if os.path.lexists(target) and _same(source, target):
        os.unlink(target)
    else:
        _remove_claim(target)
    return False


def _remove_claim(target: Path) -> None:
    """Remove the empty file by which `rename_new` may have claimed a name."""
    if target.is_file() and not target.is_symlink() and target.stat().st_size == 0:
        os.unlink(target)


def _same(one: Path, two: Path) -> bool:
    """Whether two names are of one file, or of two with the same content."""
    return os.path.samefile(one, two) or _is_file(one, sha256_of(two))


def _is_link(path: Path, text: str) -> bool:
    return path.is_symlink() and os.readlink(path) == text


def _is_file(path: Path, sha256: str) -> bool:
    return path.is_file() and not path.is_symlink() and sha256_of(path) == sha256


def take_back(plan: dict, source: Path, target: Path) -> str | None:
    """Undo a plan that was carried out; do nothing where that has happened already.

    Returns:
        What is worth knowing, if anything.

    Raises:
        LeftAlone: it is not what was made, or the source's place is taken.
        OSError: it cannot be done; then nothing has changed.
    """
    if plan["kind"] in ("rename", "replace"):
        return _move_back(plan, source, target)
    if os.path.lexists(target):
        made = (
            _is_link(target, plan["text"])
            if plan["kind"] == "link"
            else _is_file(target, plan["sha256"])
        )
        if not made:
            raise LeftAlone("it was changed or replaced since, and is left alone")
        os.unlink(target)
    return None


def _move_back(plan: dict, source: Path, target: Path) -> str | None:
    if not os.path.lexists(target):
        if os.path.lexists(source):
            return None
        raise LeftAlone(f"it is no longer there, and not at {source} either")
    _partial(source).unlink(missing_ok=True)
    if os.path.lexists(source) and target.stat().st_size:
        _remove_claim(source)
    if os.path.lexists(source):
        _end_of_moving_back(plan, source, target)
        return None
    source.parent.mkdir(parents=True, exist_ok=True)
    changed = plan["kind"] == "replace" and not _is_file(target, plan["sha256"])
    if plan.get("delta") and not changed:
        _rebuild(plan, source, target)
        return None
    try:
        rename_new(target, source)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        partial = _partial(source)
        try:
            copy_whole(target, partial)
            rename_new(partial, source)
        finally:
            partial.unlink(missing_ok=True)
        sync(source.parent)
        os.unlink(target)
    return "it was changed since, and went back as it is now" if changed else None


def _end_of_moving_back(plan: dict, source: Path, target: Path) -> None:
    """End what was interrupted after the source was there again, or say that another is."""
    made = plan["kind"] == "replace" and _is_file(target, plan["sha256"])
    if not (_is_file(source, plan["original"]) if made else _same(source, target)):
        raise LeftAlone(f"there is a file at {source} again; this one is left alone")
    os.unlink(target)


def _rebuild(plan: dict, source: Path, target: Path) -> None:
    """Put the file as it was, without the label, back to its place."""
    partial = _partial(source)
    try:
        with open(partial, "wb") as file:
            apply_delta(plan["delta"], target, file.write)
            file.flush()
            os.fsync(file.fileno())
        if sha256_of(partial) != plan["original"]:
            raise LeftAlone("the file as it was cannot be made from it, and it is left alone")
        copy_times(target, partial)
        rename_new(partial, source)
    finally:
        partial.unlink(missing_ok=True)
    sync(source.parent)
    os.unlink(target)


def _partial(path: Path) -> Path:
    """A name beside `path`, the same whenever it is needed, so that an old one is replaced."""
    name = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".timbrel-{name}.tmp")
