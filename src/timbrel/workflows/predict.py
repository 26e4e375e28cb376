"""`timbrel predict`: files, folders and stdin to predictions."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from timbrel.audio.pcm import Pcm, check_headerless
from timbrel.audio.reading import A_FOLDER
from timbrel.display.bars import telling_steps
from timbrel.errors import InvalidArgument, OutputError
from timbrel.files import with_slashes
from timbrel.inference.events import EventSettings
from timbrel.inference.prediction import Prediction
from timbrel.inference.predictions import Predictions
from timbrel.inference.predictor import Predictor, load

STDIN = "-"

# One path, or any number of them.
Paths = str | os.PathLike | Iterable[str | os.PathLike]

_NO_SOUND = (
    "there is no sound file (.wav, .flac, .ogg, .mp3, …) in this folder or in those inside it"
)


def expand(paths: Paths) -> list[str]:
    """Replace every folder by the recordings in it, and every pattern by what fits it, sorted.

    A folder without any recording stays, and so does a pattern that nothing fits. What is there
    under its name is not a pattern. `**` stands for folders at any depth.

    Returns:
        Paths joined with `/`, in the order given.

    Raises:
        InvalidArgument: stdin (`-`) beside others.
    """
    paths = [paths] if isinstance(paths, str | os.PathLike) else paths
    paths = [os.fspath(path) for path in paths]
    if STDIN in paths and len(paths) > 1:
        raise InvalidArgument(
            "`-` (stdin) cannot be predicted beside other paths; a file of that name is ./-"
        )
    return list(chain.from_iterable(map(_expand, paths)))


def _expand(path: str) -> list[str]:
    if os.path.isdir(path):
        return [file.as_posix() for file in _inside(Path(path))] or [with_slashes(path)]
    if os.path.lexists(path) or not glob.has_magic(path):
        return [with_slashes(path)]
    fit = sorted(glob.glob(path, recursive=True))
    # `**` finds what is in a folder, and the folder.
    files = [file for file in fit if not os.path.isdir(file)]
    return [with_slashes(file) for file in files] or (
        list(chain.from_iterable(map(_expand, fit))) or [with_slashes(path)]
    )


def _inside(folder: Path) -> list[Path]:
    # Reading data sets takes longer to import than hearing a file, where only files are named.
    from timbrel.dataset.manifest import find_recordings

    return list(find_recordings(folder))


def predict(
    paths: Paths,
    predictor: Predictor | str | os.PathLike | None = None,
    *,
    level: str = "file",
    events: EventSettings | None = None,
    progress: bool = False,
) -> Predictions:
    """Classify files and folders, in order.

    A recording that cannot be used, and a folder that holds none, give a prediction with `error`.
    All are heard before the answers are returned; `Predictor.predict_many` gives those for each
    file as soon as it is heard.

    Args:
        paths: files, folders and patterns, or a single one.
        predictor: what `timbrel.load` gave, or a model directory or its `model.onnx`; by default
            the instrument model that comes with the package.
        level: "file", "window" or "event".
        events: what makes an event.
        progress: show a bar as the work goes on, in a notebook's cell or on a terminal's stderr.

    Raises:
        DecoderError: the processes that decode cannot be started.
        InvalidArgument: there is no such level, or stdin is among the paths.
        ModelError: the model cannot be read.
    """
    predictor = predictor if isinstance(predictor, Predictor) else load(predictor)
    files, answers = expand(paths), []
    with telling_steps(progress, "predicting") as tell:
        found = predict_each(files, predictor, level=level, events=events)
        for done, items in enumerate(found, 1):
            answers += (item for item in items if item.label or item.error)
            tell(done, len(files))
    return Predictions(answers)


def predict_each(
    files: Sequence[str],
    predictor: Predictor,
    *,
    level: str = "file",
    events: EventSettings | None = None,
    stdin: tuple[BinaryIO, Pcm | None] | None = None,
    tell: Callable[[str, float], object] = lambda path, seconds: None,
) -> Generator[Iterable[Prediction]]:
    """Classify what `expand` gave, in order; the predictions for each of the files.

    Args:
        files: the files, and folders that hold none.
        predictor: what `timbrel.load` gave.
        level: "file", "window" or "event"; a recording without an event gives one prediction with
            neither `label` nor `error`.
        events: what makes an event.
        stdin: where the bytes of `-` come from, and what they are: None for a sound file.
        tell: called with a path and how many seconds of it have been heard, now and then, from any
            thread.
    """
    if list(files) == [STDIN] and stdin is not None:
        with _aside(*stdin) as path:
            for found in predictor.predict_many(
                [path], level, events=events, pcm=stdin[1], tell=lambda _, heard: tell(STDIN, heard)
            ):
                yield (replace(item, path=STDIN) for item in found)
        return
    for found in predictor.predict_many(files, level, events=events, tell=tell):
        # All folders that hold recordings were replaced by them.
        if found[0].error == A_FOLDER:
            yield [replace(found[0], error=_NO_SOUND)]
        else:
            yield found


@contextmanager
def _aside(stream: BinaryIO, pcm: Pcm | None) -> Iterator[str]:
    """Lay what comes aside in a file: formats are not made to be read from a pipe."""
    with tempfile.TemporaryDirectory(prefix="timbrel-") as folder:
        path = os.path.join(folder, "stdin")
        try:
            with open(path, "wb") as file:
                start = stream.read(12)
                check_headerless(start, pcm)
                file.write(start)
                shutil.copyfileobj(stream, file, 1 << 20)
        except OSError as error:
            raise OutputError.of(folder, error) from error
        yield path
