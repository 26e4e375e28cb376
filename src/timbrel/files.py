"""Write files as a whole, lock them, and compare their names."""

from __future__ import annotations

import os
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from timbrel.errors import OutputError


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside `path`, and rename it to `path` when the block ends well.

    The temporary file is made at once, so a place that cannot be written is found before the work
    is done. When the block raises, the temporary file is removed and `path` is as it was.

    Raises:
        OutputError: the file, or the folder around it, cannot be written.
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise OutputError(f"Cannot write {path}: it is a folder. Name a file in it.")
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        try:
            yield temporary
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except (OutputError, BrokenPipeError):
        # The block may print to a pipe that was closed.
        raise
    except OSError as error:
        raise OutputError.of(path, error) from error


def with_slashes(path: str | os.PathLike) -> str:
    """A path joined with `/`; a backslash that is part of a name stays."""
    text = os.fspath(path)
    if "\\" in text and os.sep == "/" and os.path.exists(text):
        return text
    return text.replace("\\", "/")


def folded(name: str) -> str:
    """A form of a name that is equal for names that some usual file system takes for the same.

    Some file systems ignore case, or how accents are composed.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OutputError: it cannot be written; what was there before is untouched.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def take_lock(file: int) -> bool:
    """Take the lock of an open file, if no other process has it; it is released when we end.

    Args:
        file: its descriptor.

    Returns:
        False where another process has it; True also where the system has no such locks.
    """
    try:
        import fcntl
    except ImportError:  # Windows.
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # A file system without locks.
    return True


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8; bytes of a file name that are not text become `?`."""
    path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
