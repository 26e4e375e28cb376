"""Rename, copy and link single files. Nothing is overwritten."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from pathlib import Path

# Errors of file systems without hard links, and of systems that forbid one.
_NO_HARD_LINKS = frozenset(
    getattr(errno, name)
    for name in ("EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK")
)


def reason(error: OSError) -> str:
    """Why a file could not be placed or taken back, without its path."""
    if error.errno == errno.ENOENT:
        return "there is no such file"
    return (error.strerror or str(error)).rstrip(".")


def is_file(path: Path) -> bool:
    """Whether there is a file, and not a link to one."""
    return path.is_file() and not path.is_symlink()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rename_new(source: Path, target: Path) -> None:
    """Rename a file within its file system, never over another; if it fails, nothing changes."""
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
    """Copy a file with its times, safely onto the disk, and compare; return its SHA-256."""
    shutil.copyfile(source, target)
    with open(target, "rb+") as copy:
        os.fsync(copy.fileno())
    copy_times(source, target)
    digest = sha256_of(source)
    if sha256_of(target) != digest:
        raise OSError(errno.EIO, "its copy differs from it", str(target))
    return digest


def copy_times(source: Path, target: Path) -> None:
    """Give a copy the times and permissions of its source, as far as the file system allows."""
    with contextlib.suppress(PermissionError):
        shutil.copystat(source, target)


def sync(path: Path) -> None:
    """Make changes of a file or in a folder survive a power cut, where the system can."""
    if os.name == "nt" and path.is_dir():
        return
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def link_text(source: Path, folder: Path) -> str:
    """The target of a symbolic link to `source` in `folder`, which need not exist yet.

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


def clear(staging: Path) -> None:
    """Remove unfinished copies; the originals of all of them exist."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(staging):
            os.unlink(entry)
        staging.rmdir()
