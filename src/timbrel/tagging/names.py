"""Names of folders and files that every file system can hold, none of them twice."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from timbrel.files import folded

# What the model will not vouch for goes here, whatever the classes are called.
UNSURE = "unsure"
TABLE = "tags.csv"
JOURNAL = "timbrel-tag.jsonl"
STAGING = ".timbrel-tag"

# Bytes that a name may have on all usual file systems.
_LONGEST = 255

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\ud800-\udfff]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", flags=re.IGNORECASE)


def folder_names(labels: Iterable[str]) -> dict[str, str]:
    """A folder name for each class: its label, as far as file systems allow.

    What no name may hold becomes `_`. Labels that some file system would take for the same, or for
    one of the names that are used otherwise (`unsure`, `tags.csv`, …), are numbered: `unsure (2)`.

    Args:
        labels: the classes; equal ones share a folder.
    """
    taken = {folded(name) for name in (UNSURE, TABLE, JOURNAL, STAGING)}
    names = {}
    for label in dict.fromkeys(labels):
        whole, number = _possible(label), 1
        name = _shortened(whole, "")
        while folded(name) in taken:
            number += 1
            name = _shortened(whole, f" ({number})")
        taken.add(folded(name))
        names[label] = name
    return names


class FreeNames:
    """Gives every file a name that no other has in its folder: `a.wav`, `a (2).wav`, ….

    Two names are the same if some usual file system would say so: case and the way in which
    accents are composed do not tell them apart. What is on disk is read once for each folder, and
    of every name a number is kept.

    Args:
        out: the folder in which all folders lie.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._looked_in: set[str] = set()
        # Numbers instead of names, for the sake of memory: should two names ever share one, a
        # file is numbered that need not be.
        self._taken: set[int] = set()
        self._next: dict[int, int] = {}

    def take(self, folder: str, name: str) -> str:
        """The first free name in a folder (relative to `out`, joined with `/`)."""
        self._look_in(folder)
        stem, extension = os.path.splitext(name)
        wanted = _key(folder, name)
        number = self._next.get(wanted, 1)
        while True:
            ending = extension if number == 1 else f" ({number}){extension}"
            found = name if number == 1 else _shortened(stem, ending)
            number += 1
            if _key(folder, found) not in self._taken:
                break
        if number > 2:
            self._next[wanted] = number
        self._taken.add(_key(folder, found))
        return found

    def _look_in(self, folder: str) -> None:
        if folder in self._looked_in:
            return
        self._looked_in.add(folder)
        try:
            with os.scandir(self._out / folder) as entries:
                self._taken.update(_key(folder, entry.name) for entry in entries)
        except (FileNotFoundError, NotADirectoryError):
            pass  # Nothing is taken; whether the folder can be made shows when it is.


def _key(folder: str, name: str) -> int:
    return hash(folded(f"{folder}/{name}"))


def _possible(label: str) -> str:
    name = _FORBIDDEN.sub("_", label).rstrip(". ").lstrip(" ")
    if name.startswith("."):  # Hidden, or not a folder of its own.
        name = f"_{name[1:]}"
    return f"{name}_" if not name or _DEVICES.fullmatch(name) else name


def _shortened(stem: str, ending: str) -> str:
    room = _LONGEST - len(os.fsencode(ending))
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem + ending
