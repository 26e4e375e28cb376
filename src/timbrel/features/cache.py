"""A folder of computed arrays, found again by a hash of everything that they depend on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np

from timbrel.files import replacing

_LIMIT_BYTES = 4 << 30

# The errors of reading a damaged `.npz` file, besides ValueError.
_DAMAGE = (
    *(AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError),
    *(struct.error, zipfile.BadZipFile, zlib.error),
)


def default_folder() -> Path:
    """The folder of the cache: `TIMBREL_CACHE`, or a folder in the platform's cache folder."""
    chosen = os.environ.get("TIMBREL_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "timbrel/cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/timbrel"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "timbrel"


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an `.npz` file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as stream:
        try:
            with np.load(stream, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except _DAMAGE as error:
            raise ValueError(f"{path} is damaged") from error


class FeatureCache:
    """Arrays by key, one `.npz` file an entry; beyond 4 GiB, the longest unused are removed.

    Args:
        folder: where to keep the files; None keeps nothing and finds nothing.
    """

    def __init__(self, folder: str | os.PathLike | None) -> None:
        self.folder = None if folder is None else Path(folder)

    def __repr__(self) -> str:
        return f"FeatureCache({None if self.folder is None else str(self.folder)!r})"

    @staticmethod
    def key(**parts: object) -> str:
        """Key of what is computed from `parts` (JSON data): a hexadecimal SHA-256."""
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """Arrays stored under a key, or None; an entry that is damaged is removed."""
        if self.folder is None:
            return None
        path = self.folder / f"{key}.npz"
        try:
            arrays = load_arrays(path)
        except OSError:
            return None
        except ValueError:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return arrays

    def put(self, key: str, arrays: dict[str, np.ndarray]) -> None:
        """Store arrays under a key.

        Raises:
            OutputError: the folder cannot be written.
        """
        if self.folder is None:
            return
        entries = []
        for path in self.folder.glob("*.npz"):
            # Another process may remove entries at the same time.
            with contextlib.suppress(OSError):
                facts = path.stat()
                entries.append((facts.st_mtime, facts.st_size, path))
        total = sum(array.nbytes for array in arrays.values())
        total += sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= _LIMIT_BYTES:
                break
            total -= size
            with contextlib.suppress(OSError):
                path.unlink()
        with replacing(self.folder / f"{key}.npz") as temporary, open(temporary, "wb") as file:
            # No array is called `allow_pickle`, which is an argument of its own.
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def remove(self, key: str) -> None:
        """Remove the entry of a key, if there is one."""
        if self.folder is not None:
            with contextlib.suppress(OSError):
                (self.folder / f"{key}.npz").unlink()
