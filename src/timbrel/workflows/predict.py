"""`timbrel predict`: files, folders and stdin to predictions."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from timbrel.audio.pcm import Pcm, temporary_copy
from timbrel.errors import InvalidArgument
from timbrel.files import with_slashes
from timbrel.findings import Finding
from timbrel.inference.events import EventSettings
from timbrel.inference.prediction import Prediction, Predictions
from timbrel.inference.predictor import Predictor, load
from timbrel.progress import Progress, watching

STDIN = "-"

# One path, or any number of them.
Paths = str | os.PathLike | Iterable[str | os.PathLike]


def expand(paths: Paths) -> list[str]:
    """Replace every folder by the recordings in it, and every pattern by what fits it, sorted.

    A folder without any recording stays, and so does a pattern that nothing fits. An existing file
    or folder is not taken for a pattern. `**` stands for folders at any depth.

    Returns:
        Paths joined with `/`, in the order given.

    Raises:
        InvalidArgument: stdin (`-`) beside others.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    names = [os.fspath(path) for path in given]
    if STDIN in names and len(names) > 1:
        raise InvalidArgument(
            "`-` (stdin) cannot be predicted beside other paths; a file of that name is ./-"
        )
    return [file for name in names for file in _expand(name)]


def _expand(path: str) -> list[str]:
    found = []
    if os.path.isdir(path):
        # Takes longer to import than a file takes to predict, and is needed for folders alone.
        from timbrel.dataset.manifest import find_recordings

        found = [file.as_posix() for file in find_recordings(Path(path))]
    elif glob.has_magic(path) and not os.path.lexists(path):
        fit = sorted(glob.glob(path, recursive=True))
        # `**` finds the files in a folder, and the folder.
        found = [with_slashes(name) for name in fit if not os.path.isdir(name)]
        found = found or [file for folder in fit for file in _expand(folder)]
    return found or [with_slashes(path)]


def predict(
    paths: Paths,
    predictor: Predictor | str | os.PathLike | None = None,
    *,
    level: str = "file",
    events: EventSettings | None = None,
    progress: Progress | bool = False,
) -> Predictions:
    """Classify files and folders, in order.

    A recording that cannot be used, and a folder that holds none, give a prediction with `error`.
    All are predicted before this returns; `Predictor.predict_many` gives the predictions for each
    file as soon as it is done.

    Args:
        paths: files, folders and patterns, or a single one.
        predictor: what `timbrel.load` gave, or a model directory or its `model.onnx`; by default
            the instrument model that comes with the package.
        level: "file", "window" or "event".
        events: what makes an event.
        progress: True for a bar, in a notebook's cell or on a terminal's stderr, or an object to
            tell.

    Raises:
        DecoderError: the processes that decode cannot be started.
        InvalidArgument: there is no such level, or stdin is among the paths.
        ModelError: the model cannot be read.
    """
    predictor = predictor if isinstance(predictor, Predictor) else load(predictor)
    files = expand(paths)
    predictions: list[Prediction] = []
    with watching(progress) as told:
        results = predict_each(files, predictor, level=level, events=events)
        for done, found in enumerate(results, 1):
            predictions += (item for item in found if not item.no_event)
            told.stage("predicting", done, len(files))
    return Predictions(predictions)


def predict_each(
    files: Sequence[str],
    predictor: Predictor,
    *,
    level: str = "file",
    events: EventSettings | None = None,
    stdin: BinaryIO | None = None,
    pcm: Pcm | None = None,
    progress: Callable[[str, float], object] = lambda path, seconds: None,
) -> Generator[Iterable[Prediction]]:
    """Classify the files that `expand` gave, in order; the predictions for each of them.

    Args:
        files: the files, and folders that hold none.
        predictor: what `timbrel.load` gave.
        level: "file", "window" or "event"; a recording without an event gives one prediction with
            neither `label` nor `error`.
        events: what makes an event.
        stdin: where the bytes of `-` come from.
        pcm: what these bytes are; None for a sound file.
        progress: called with a path and how many seconds of it were read, now and then, from any
            thread.
    """
    if list(files) == [STDIN] and stdin is not None:
        with temporary_copy(stdin, pcm) as path:
            for found in predictor.predict_many(
                [path],
                level,
                events=events,
                pcm=pcm,
                progress=lambda _, seconds: progress(STDIN, seconds),
            ):
                yield (_of_stdin(item) for item in found)
        return
    for found in predictor.predict_many(files, level, events=events, progress=progress):
        # Every folder that holds recordings was replaced by them.
        if any(item.code == "folder" for item in found[0].findings):
            nothing = Finding("folder-without-sound", found[0].path)
            yield [replace(found[0], error=nothing.reason, findings=(nothing,))]
        else:
            yield found


def _of_stdin(item: Prediction) -> Prediction:
    """The same prediction with the path of stdin, in its findings too."""
    findings = tuple(replace(finding, path=STDIN) for finding in item.findings)
    return replace(item, path=STDIN, findings=findings)
