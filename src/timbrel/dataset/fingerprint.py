"""SHA-256 sums of recordings and of data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from timbrel.dataset.manifest import Problem, Recording
from timbrel.parallel import in_order

_ONE_SIDE = "both stay on one side of the split"


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
    recordings: Sequence[Recording], sums: Sequence[str], *, outcome: str = _ONE_SIDE
) -> tuple[list[Recording], list[Problem]]:
    """Give recordings whose files are the same, byte for byte, one group.

    Args:
        recordings: the recordings.
        sums: of their files.
        outcome: what a remark says that one group means.

    Returns:
        The recordings in their order, and a remark for each file that repeats another.
    """
    first: dict[str, int] = {}
    pairs, remarks = [], []
    for number, (item, digest) in enumerate(zip(recordings, sums, strict=True)):
        place = first.setdefault(digest, number) if digest else number
        other = recordings[place]
        if other.file != item.file:
            message = f"it is the same file as {other.path}; {outcome}"
            remarks.append(Problem(item.name, message + _disagreement(item, other)))
        pairs.append((place, number))
    return join_groups(recordings, pairs), remarks


def join_copies(
    recordings: Sequence[Recording],
    sums: Sequence[str],
    pairs: Iterable[tuple[int, int]],
    *,
    outcome: str = _ONE_SIDE,
) -> tuple[list[Recording], list[Problem]]:
    """Give recordings of one sound one group.

    Args:
        recordings: the recordings.
        sums: of their files; what `join_duplicates` has joined is not remarked upon again.
        pairs: numbers of recordings that are the same sound, the lower one first.
        outcome: what a remark says that one group means.

    Returns:
        The recordings in their order, and a remark for each that repeats another.
    """
    pairs = list(pairs)
    remarks: dict[str, Problem] = {}
    for one, other in pairs:
        first, second = recordings[one], recordings[other]
        if sums[one] == sums[other]:
            continue
        disagreement = _disagreement(second, first)
        if first.group != second.group or disagreement:
            message = f"it is the same sound as {first.name}; {outcome}"
            remarks.setdefault(second.name, Problem(second.name, message + disagreement))
    return join_groups(recordings, pairs), list(remarks.values())


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


def _disagreement(item: Recording, other: Recording) -> str:
    """Say so where two recordings of one sound have two labels."""
    if item.label == other.label:
        return ""
    return (
        f", but it is labelled '{item.label}' and the other '{other.label}': listen, and correct "
        "one of the labels"
    )


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
