"""What the files are called that hold what is said of a recording each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import takewhile
from pathlib import Path

from timbrel.files import folded


def places(files: Sequence[str], given: Iterable[str]) -> tuple[str, list[tuple[str, ...]]]:
    """The deepest folder that holds all that was given, and where in it each file lies.

    Args:
        files: the recordings.
        given: the files and folders that they were found in.

    Returns:
        The folder, and for each recording the folders in it and its name.
    """
    parts = [_parts(file) for file in files]
    folders = {_parts(path) for path in given if os.path.isdir(path)}
    starts = set(folders)
    for file in parts:
        if not any(file[:depth] in folders for depth in range(1, len(file))):
            starts.add(file[:-1])
    root = reduce(_shared, starts) if starts else ()
    return os.path.join(*root) if root else "", [file[len(root) :] for file in parts]


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """What two paths have in common, from the root on."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return tuple(part for part, _ in same)


def _parts(path: str) -> tuple[str, ...]:
    return Path(os.path.abspath(path)).parts


def names_for(inside: Sequence[tuple[str, ...]], ending: str) -> list[Path]:
    """Where the output of each recording goes: its name without extension, unless two share it.

    Names that differ in their case alone, or in how an accent is encoded, are one on some systems.

    Args:
        inside: folders and name of each recording, as `places` gives them.
        ending: what takes the place of the extension.

    Returns:
        A path for each recording, never one for two of them.
    """
    stems = {place: _stem(place) for place in inside}
    shared: dict[str, int] = {}
    for stem in stems.values():
        shared[folded(stem)] = shared.get(folded(stem), 0) + 1
    taken: set[str] = set()
    names = {}
    for place, stem in stems.items():
        base = _joined(place) if shared[folded(stem)] > 1 else stem
        name, number = base, 1
        while folded(name) in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(folded(name))
        names[place] = Path(name + ending)
    return [names[place] for place in inside]


def _stem(place: tuple[str, ...]) -> str:
    return os.path.splitext(_joined(place))[0]


def _joined(place: tuple[str, ...]) -> str:
    # Of another drive on Windows, its letter; never a place outside the folder.
    return "/".join(part.rstrip(":\\/") for part in place).lstrip("/")
