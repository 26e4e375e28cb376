"""SHA-256 sums of recordings and of data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from timbrel.dataset.manifest import Problem, Recording
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


def join_duplicates(
    recordings: Sequence[Recording], sums: Sequence[str]
) -> tuple[list[Recording], list[Problem]]:
    """Give recordings whose files are the same, byte for byte, one group.

    Returns:
        The recordings in their order, and a remark for each file that repeats another.
    """
    group = {item.group: item.group for item in recordings}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    first: dict[str, Recording] = {}
    remarks = []
    for item, digest in zip(recordings, sums, strict=True):
        other = first.setdefault(digest, item) if digest else item
        if other.file != item.file:
            message = f"it is the same file as {other.path}; both stay on one side of the split"
            remarks.append(Problem(item.name, message))
        group[root(item.group)] = root(other.group)
    return [replace(item, group=root(item.group)) for item in recordings], remarks


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
