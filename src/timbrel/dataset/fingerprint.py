"""SHA-256 sums of recordings and of data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from timbrel.dataset.manifest import Recording
from timbrel.parallel import in_order


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal; empty where it cannot be read."""
    try:
        with open(file, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def recording_sha256(recordings: Sequence[Recording]) -> list[str]:
    """Return the SHA-256 of each recording's file, read in parallel."""
    files = list(dict.fromkeys(item.file for item in recordings))
    sums = dict(zip(files, in_order(file_sha256, files), strict=True))
    return [sums[item.file] for item in recordings]


def dataset_sha256(recordings: Sequence[Recording], sums: Sequence[str]) -> str:
    """Return one SHA-256 over contents, labels, groups and stretches, in the order given."""
    whole = hashlib.sha256()
    for item, digest in zip(recordings, sums, strict=True):
        whole.update(
            f"{digest}\t{item.label}\t{item.group}\t{item.start}\t{item.end}\n".encode(
                errors="surrogateescape"
            )
        )
    return whole.hexdigest()
