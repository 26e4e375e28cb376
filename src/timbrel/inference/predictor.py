"""One path from a recording to an answer: read, clean, cut, run the graph, put it into words."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from numbers import Real
from pathlib import Path

import numpy as np

from timbrel.audio.isolated import IsolatedDecoder
from timbrel.audio.pcm import Pcm
from timbrel.audio.reading import Reading
from timbrel.errors import AudioError, InvalidArgument, OutputError
from timbrel.files import with_slashes
from timbrel.inference.answers import Answers
from timbrel.inference.events import EventSettings
from timbrel.inference.hearing import Heard, Recording, Waveform, hear, hear_elsewhere
from timbrel.inference.listening import Listener
from timbrel.inference.prediction import Prediction
from timbrel.inference.predictions import Predictions
from timbrel.model.directory import LoadedModel, load_model
from timbrel.model.metadata import recipe_name, windowing_of
from timbrel.parallel import in_order
from timbrel.wording import first_names, plain

LEVELS = ("file", "window", "event")

# A file, or samples in memory.
Sound = str | os.PathLike | np.ndarray


class Predictor:
    """Predicts with one model.

    Args:
        model: what `load_model` gave.
        threshold: probability from which a class is accepted; the model's own by default.
        top: how many classes a prediction lists.

    Attributes:
        labels: the classes, in the order of the probabilities.
        windowing: how recordings become windows.
        threshold: probability from which a class is accepted.
    """

    def __init__(self, model: LoadedModel, *, threshold: float | None = None, top: int = 5) -> None:
        if threshold is not None and not (isinstance(threshold, Real) and 0 <= threshold <= 1):
            raise InvalidArgument(f"`threshold` must be between 0 and 1. Got {threshold}.")
        if not isinstance(top, int) or top < 1:
            raise InvalidArgument(f"`top` must be at least 1. Got {top}.")
        self.metadata = model.metadata
        self.labels: list[str] = model.metadata["labels"]
        self.windowing = windowing_of(model.metadata)
        self.threshold = (
            float(model.metadata["thresholds"]["unknown"]) if threshold is None else threshold
        )
        self._session, self._graph = model.session, model.graph
        self._answers = Answers(self.labels, self.threshold, min(top, len(self.labels)))

    def __repr__(self) -> str:
        return plain(
            f"Predictor({recipe_name(self.metadata)}, {len(self.labels)} classes: "
            f"{first_names(self.labels)})"
        )

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        """Calibrated probabilities of float32 windows `(n, window)`; float32 `(n, classes)`."""
        return self._session.run(windows)[0]

    def predict(self, sound: Sound, rate: int | None = None) -> Prediction:
        """Classify one recording.

        Args:
            sound: a file, or a waveform: float `(samples,)` or `(samples, channels)`, nominally
                in [−1, 1].
            rate: sample rate of a waveform in Hz.

        Raises:
            AudioError: the recording cannot be used.
            InvalidArgument: a waveform without a rate, or not an array of floats.
        """
        return self._answers.of_recording(*self._heard(sound, rate))

    def predict_windows(self, sound: Sound, rate: int | None = None) -> Predictions:
        """Classify every window of one recording; arguments and errors as for `predict`."""
        return self._answers.of_windows(*self._heard(sound, rate))

    def predict_events(
        self, sound: Sound, rate: int | None = None, *, events: EventSettings | None = None
    ) -> Predictions:
        """Find the events of one recording: consecutive windows of one class, merged.

        Args:
            sound, rate: as for `predict`; so are the errors.
            events: what makes an event.
        """
        return self._answers.of_events(*self._heard(sound, rate), events or EventSettings())

    def predict_many(
        self,
        paths: Iterable[str | os.PathLike],
        level: str = "file",
        *,
        events: EventSettings | None = None,
        pcm: Pcm | None = None,
        tell: Callable[[str, float], object] = lambda path, seconds: None,
    ) -> Iterator[Sequence[Prediction]]:
        """Classify files in parallel, in their order; the predictions for each.

        A file that cannot be used gives one prediction with `error`. More than one file are heard
        in processes of their own, one for each core, so that a codec that crashes or hangs costs
        one file. A single file is heard in this process, and its windows are shared out among the
        cores: there is nothing else to be lost, and starting another process would take longer than
        all the rest.

        Args:
            paths: the files.
            level: "file" for one prediction a file, "window" for one a window, "event" for one an
                event. A recording without an event gives one with neither `label` nor `error`, for
                its `seconds` and `warnings`.
            events: what makes an event.
            pcm: what the bytes of a single file without a header are.
            tell: called with the path of a single file and how many seconds of it have been heard,
                now and then.

        Raises:
            InvalidArgument: there is no such level.
            DecoderError: the processes that decode cannot be started.
        """
        if level not in LEVELS:
            raise InvalidArgument(f"`level` must be one of {', '.join(LEVELS)}. Got '{level}'.")
        if isinstance(paths, str | os.PathLike):
            raise InvalidArgument(f"`paths` must be a list of files. Got '{paths}'; put it in [ ].")
        say = {
            "file": lambda name, heard: [self._answers.of_recording(name, heard)],
            "window": self._answers.of_windows,
            "event": lambda name, heard: (
                self._answers.of_events(name, heard, events or EventSettings())
                or [Prediction(name, seconds=heard.seconds, warnings=heard.warnings)]
            ),
        }[level]
        paths = iter(paths)
        first = list(islice(paths, 2))
        if len(first) < 2:
            for path in first:
                reading = Reading(path, self.windowing.rate, pcm=pcm)
                said = partial(tell, with_slashes(path))
                yield _attempt(path, lambda: self._hear(reading, tell=said), say)  # noqa: B023
            return
        with self._laid_aside() as graph, IsolatedDecoder() as decoder:
            yield from in_order(
                lambda path: _attempt(
                    path, lambda: hear_elsewhere(decoder, path, self.windowing, graph), say
                ),
                chain(first, paths),
                stop=decoder.close,
            )

    @contextmanager
    def _laid_aside(self) -> Iterator[Path]:
        """The model in a file that stays as it is, whatever becomes of the user's."""
        with tempfile.TemporaryDirectory(prefix="timbrel-") as folder:
            path = Path(folder, "model.onnx")
            try:
                path.write_bytes(self._graph)
            except OSError as error:
                raise OutputError.of(path, error) from error
            yield path

    def listen(
        self, pieces: Iterable[np.ndarray], rate: int, *, name: str = "-"
    ) -> Iterator[Prediction]:
        """Classify every window of a stream as soon as its last sample has come.

        The predictions are those of `predict_windows` for the whole, but that `seconds` is None
        and that where a recipe cleans, each hop of which nothing is kept gives a prediction of its
        own without a class. Such a recipe answers half of its envelope's window later.

        Args:
            pieces: float `(samples,)` or `(samples, channels)`, nominally in [−1, 1], of any
                length.
            rate: their sample rate in Hz.
            name: what to call the stream in `path`.

        Raises:
            AudioError: samples that are NaN or infinite.
            InvalidArgument: pieces that are not arrays of floats.
        """
        listener = self.listener(rate, name=name)
        for piece in pieces:
            yield from listener.push(piece)
        yield from listener.finish()

    def listener(self, rate: int, *, name: str = "-") -> Listener:
        """What `listen` uses, for whoever has the pieces handed in: `push` them, then `finish`."""
        return Listener(self._answers, self.probabilities, self.windowing, rate=rate, name=name)

    def _heard(self, sound: Sound, rate: int | None) -> tuple[str, Heard]:
        if isinstance(sound, np.ndarray):
            return "", self._hear(Waveform.of(sound, rate, self.windowing.rate))
        if not isinstance(sound, str | os.PathLike):
            raise InvalidArgument(
                f"`sound` must be a file or a NumPy array. Got {type(sound).__name__}."
            )
        if rate is not None:
            raise InvalidArgument(
                f"`rate` goes with a waveform; a file says its own. Got {rate} and '{sound}'."
            )
        return with_slashes(sound), self._hear(Reading(sound, self.windowing.rate))

    def _hear(
        self, recording: Recording, *, tell: Callable[[float], object] = lambda seconds: None
    ) -> Heard:
        return hear(recording, self.windowing, self.probabilities, spread=in_order, tell=tell)


def _attempt(
    path: str | os.PathLike,
    listen: Callable[[], Heard],
    say: Callable[[str, Heard], Sequence[Prediction]],
) -> Sequence[Prediction]:
    name = with_slashes(path)
    try:
        heard = listen()
    except AudioError as error:
        return [Prediction(path=name, error=error.reason)]
    return say(name, heard)


def load(
    model: str | os.PathLike | None = None, *, threshold: float | None = None, top: int = 5
) -> Predictor:
    """Load a model, ready to predict.

    Args:
        model: a model directory or its `model.onnx`; by default the instrument model that comes
            with the package.
        threshold: probability from which a class is accepted; the model's own by default.
        top: how many classes a prediction lists.

    Raises:
        ModelError: the model cannot be read.
    """
    return Predictor(load_model(model, threads=1), threshold=threshold, top=top)
