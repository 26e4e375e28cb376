"""`timbrel predict`: files and folders to predictions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from timbrel.files import with_slashes
from timbrel.inference.prediction import Prediction
from timbrel.inference.predictor import Predictor

_NO_SOUND = (
    "there is no sound file (.wav, .flac, .ogg, .mp3, …) in this folder or in those inside it"
)


def expand(paths: Iterable[str | os.PathLike]) -> list[str]:
    """Replace every folder by the recordings in it, sorted; a folder without any stays.

    Returns:
        Paths joined with `/`, in the order given.
    """
    files = []
    for path in paths:
        found = _inside(Path(path)) if os.path.isdir(path) else []
        files += [file.as_posix() for file in found] or [with_slashes(path)]
    return files


def _inside(folder: Path) -> list[Path]:
    # Reading data sets takes longer to import than hearing a file, where only files are named.
    from timbrel.dataset.manifest import find_recordings

    return list(find_recordings(folder))


def predict(
    paths: Iterable[str | os.PathLike], predictor: Predictor, *, level: str = "file"
) -> Iterator[Prediction]:
    """Classify files and folders, in order.

    A recording that cannot be used, and a folder that holds none, give a prediction with `error`.

    Args:
        paths: files and folders.
        predictor: what `timbrel.load` gave.
        level: "file" or "window".
    """
    return chain.from_iterable(predict_each(expand(paths), predictor, level=level))


def predict_each(
    files: Iterable[str], predictor: Predictor, *, level: str = "file"
) -> Iterator[list[Prediction]]:
    """Classify what `expand` gave, in order; the predictions for each of the files.

    Args:
        files: the files, and folders that hold none.
        predictor: what `timbrel.load` gave.
        level: "file" or "window".
    """
    for found in predictor.predict_many(files, level):
        # All folders that hold recordings were replaced by them.
        if found and found[0].error is not None and os.path.isdir(found[0].path):
            yield [replace(found[0], error=_NO_SOUND)]
        else:
            yield found
