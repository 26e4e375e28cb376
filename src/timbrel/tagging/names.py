"""Where files go: names that every file system can hold, none of them twice."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from timbrel.files import folded
from timbrel.inference.prediction import Prediction

# Where the model answers "unknown", whatever the classes are called.
UNSURE = "unsure"
TABLE = "tags.csv"
JOURNAL = "timbrel-tag.jsonl"
STAGING = ".timbrel-tag"

# Bytes that a name may have on all usual file systems.
_LONGEST = 255

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\ud800-\udfff]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", flags=re.IGNORECASE)


def folder_names(labels: Iterable[str]) -> dict[str, str]:
    """Name a folder for each class: its label, as far as file systems allow.

    Forbidden characters become `_`. Labels that some file system would take for the same, or for
    one of the names that are used otherwise (`unsure`, `tags.csv`, …), are numbered: `unsure (2)`.

    Args:
        labels: the classes; equal ones share a folder.
    """
    taken = {folded(name) for name in (UNSURE, TABLE, JOURNAL, STAGING)}
    names = {}
    for label in dict.fromkeys(labels):
        name = _FORBIDDEN.sub("_", label).rstrip(". ").lstrip(" ")
        if name.startswith("."):  # Hidden, or not a folder of its own.
            name = f"_{name[1:]}"
        if not name or _DEVICES.fullmatch(name):
            name += "_"
        free = (numbered(name, "", number) for number in count(1))
        names[label] = next(found for found in free if folded(found) not in taken)
        taken.add(folded(names[label]))
    return names


def numbered(stem: str, extension: str, number: int) -> str:
    """`a.wav`, `a (2).wav`, …; the stem is cut where the name would be too long."""
    ending = extension if number == 1 else f" ({number}){extension}"
    while len(os.fsencode(stem + ending)) > _LONGEST:
        stem = stem[:-1]
    return stem + ending


class Places:
    """Gives each file a place of its own: a folder, and a name that no other has in it.

    Two names are the same if some usual file system would say so: case and the way in which
    accents are composed do not tell them apart. What is on disk is read once for each folder.

    Args:
        out: the folder of the sorted library.
        labels: the classes.
        keep_folders: keep the sub-folders of the library below each class folder.

    Attributes:
        folders: the folder of each class.
    """

    def __init__(self, out: Path, labels: Iterable[str], *, keep_folders: bool) -> None:
        self.folders = folder_names(labels)
        self._out, self._keep_folders = out, keep_folders
        self._listed: set[str] = set()
        # Every name that is taken, and the number to try next for another file of that name.
        self._taken: dict[str, int] = {}

    def take(self, path: str, prediction: Prediction) -> str:
        """A place for a file of the library, relative to `out`, joined with `/`."""
        folder = self.folders[prediction.label] if prediction.accepted else UNSURE
        parent, _, name = path.rpartition("/")
        if self._keep_folders and parent:
            folder = f"{folder}/{parent}"
        if folder not in self._listed:
            self._listed.add(folder)
            # Whether a folder can be made where there is a file shows when it is made.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                for there in os.listdir(self._out / folder):
                    self._taken.setdefault(folded(f"{folder}/{there}"), 2)
        stem, extension = os.path.splitext(name)
        wanted = folded(f"{folder}/{name}")
        number = self._taken.get(wanted, 1)
        while folded(place := f"{folder}/{numbered(stem, extension, number)}") in self._taken:
            number += 1
        self._taken.setdefault(folded(place), 2)
        self._taken[wanted] = number + 1
        return place
