"""SHA-256 sums of recordings and of data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from timbrel.dataset.manifest import Recording
from timbrel.workers import in_order


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


def join_groups(
    recordings: Sequence[Recording], pairs: Iterable[tuple[int, int]]
) -> list[Recording]:
    """Make one group of the groups of the two recordings of each pair, and of what they share."""
    group = {item.group: item.group for item in recordings}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    for one, other in pairs:
        group[root(recordings[other].group)] = root(recordings[one].group)
    return [replace(item, group=root(item.group)) for item in recordings]


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
