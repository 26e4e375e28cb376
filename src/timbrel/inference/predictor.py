"""Predict with a finished model: any sound in, predictions and embeddings out."""

from __future__ import annotations

import io
import math
import os
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from timbrel.audio.decode import IsolatedDecoder
from timbrel.audio.pcm import Pcm, temporary_copy
from timbrel.audio.reading import Reading
from timbrel.audio.samples import Inspection, Resampler, check_rate
from timbrel.audio.windows import Windows, WindowStream, power
from timbrel.errors import AudioError, InvalidArgument, OutputError
from timbrel.files import with_slashes
from timbrel.inference.events import EventSettings, check_share, find_events
from timbrel.inference.prediction import UNKNOWN, Prediction, Predictions
from timbrel.inference.scores import (
    Recording,
    Waveform,
    WindowScores,
    as_channels,
    is_silent,
    score_in_worker,
    score_windows,
)
from timbrel.model.directory import LoadedModel, load_model
from timbrel.model.metadata import recipe_name, windowing_of
from timbrel.text import first_names, plain
from timbrel.workers import in_order

LEVELS = ("file", "window", "event")

# The path of a sound file, its content, the open file, or samples.
Sound = str | os.PathLike | bytes | bytearray | memoryview | BinaryIO | np.ndarray

# How much of a stream cleaning decides on at a time.
_STREAM_SECONDS = 0.01


class Predictor:
    """Predicts with one model.

    All methods that take a `sound` take the same:

    - the path of a sound file, as `str` or `os.PathLike`;
    - its content, as `bytes`, `bytearray` or `memoryview`;
    - a file object that is open for reading bytes. It is read from its beginning, and not closed.
      One that cannot seek (a pipe, a socket) is copied to a temporary file first;
    - a waveform, a NumPy array of floats `(samples,)` or `(samples, channels)`, nominally in
      [−1, 1], with its sample rate in Hz as `rate`.

    The same samples give the same answer whichever way they come. All of them are read in this
    process; `predict_many` has other processes for files whose decoder may crash.

    A predictor may be kept for as long as a program runs and be shared between threads: no method
    changes it, each call has its own buffers, and one ONNX session may be run by several threads at
    once. A file object, and what `listener` gives, belong to one thread at a time.

    Errors name the file by its path, and other sounds as "waveform", "bytes", or by the name of the
    file object.

    Args:
        model: what `load_model` gave.
        threshold: probability from which a class is accepted; the model's own by default.
        top: how many classes a prediction lists.

    Attributes:
        metadata: the content of `model.json`.
        labels: the classes, in the order of the probabilities.
        windowing: how recordings become windows.
        threshold: probability from which a class is accepted.
    """

    def __init__(self, model: LoadedModel, *, threshold: float | None = None, top: int = 5) -> None:
        if threshold is not None:
            check_share("threshold", threshold)
        if not isinstance(top, int) or top < 1:
            raise InvalidArgument(f"`top` must be at least 1. Got {top}.")
        self.metadata = model.metadata
        self.labels: list[str] = model.metadata["labels"]
        self.windowing = windowing_of(model.metadata)
        self.threshold = float(
            model.metadata["thresholds"]["unknown"] if threshold is None else threshold
        )
        self._session, self._graph, self._top = model.session, model.graph, top

    def __repr__(self) -> str:
        return plain(
            f"Predictor({recipe_name(self.metadata)}, {len(self.labels)} classes: "
            f"{first_names(self.labels)})"
        )

    def run(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Run the model on windows, float32 `(n, window)` at the sample rate of the model.

        Returns:
            Calibrated probabilities `(n, classes)` and embeddings `(n, d)`, float32 both.
        """
        return self._session.run(windows)

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        """Calibrated probabilities of float32 windows `(n, window)`; float32 `(n, classes)`."""
        return self._session.run(windows)[0]

    def predict(self, sound: Sound, rate: int | None = None) -> Prediction:
        """Classify one recording: the mean over the windows that count.

        Args:
            sound: a path, bytes, a binary file object or a waveform, as above.
            rate: sample rate of a waveform in Hz; a file says its own.

        Raises:
            AudioError: the recording cannot be used.
            InvalidArgument: something else, a waveform without a rate, or not an array of floats.
            OutputError: the temporary file for a file object that cannot seek cannot be written.
        """
        return self.to_predictions(self.window_scores(sound, rate), path=path_of(sound))[0]

    def predict_windows(self, sound: Sound, rate: int | None = None) -> Predictions:
        """Classify every window of one recording; arguments and errors as for `predict`."""
        scores = self.window_scores(sound, rate)
        return self.to_predictions(scores, "window", path=path_of(sound))

    def predict_events(
        self, sound: Sound, rate: int | None = None, *, events: EventSettings | None = None
    ) -> Predictions:
        """Find the events of one recording: consecutive windows of one class, merged.

        Args:
            sound, rate: as for `predict`; so are the errors.
            events: what makes an event.
        """
        scores = self.window_scores(sound, rate)
        return self.to_predictions(scores, "event", path=path_of(sound), events=events)

    def embed(self, sound: Sound, rate: int | None = None) -> np.ndarray:
        """Embed one recording: the mean over the windows that count for its answer.

        Returns:
            The hidden units below the classifier, float32 `(d,)`.

        Arguments and errors are those of `predict`.
        """
        scores = self.window_scores(sound, rate, embeddings=True)
        counted = np.asarray(scores.embeddings)[scores.counted]
        return counted.mean(axis=0, dtype=np.float64).astype(np.float32)

    def embed_windows(self, sound: Sound, rate: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Embed every window of one recording; arguments and errors as for `predict`.

        Returns:
            Embeddings, float32 `(n, d)`; and begin and end of each window in seconds of the
            recording, float64 `(n, 2)`.
        """
        scores = self.window_scores(sound, rate, embeddings=True)
        return np.asarray(scores.embeddings), np.stack([scores.start, scores.end], axis=1)

    def window_scores(
        self,
        sound: Sound,
        rate: int | None = None,
        *,
        embeddings: bool = False,
        pcm: Pcm | None = None,
        progress: Callable[[float], object] = lambda seconds: None,
    ) -> WindowScores:
        """Run the model on every window of one recording.

        Args:
            sound, rate: as for `predict`; so are the errors.
            embeddings: whether to keep the embeddings, `4 d` bytes for each window.
            pcm: what the bytes of a sound file without a header are.
            progress: called with the seconds that were read, now and then.
        """
        with self._opened(sound, rate, pcm) as recording:
            return score_windows(
                recording,
                self.windowing,
                self.run,
                embeddings=embeddings,
                apply=in_order,
                progress=progress,
            )

    def to_predictions(
        self,
        scores: WindowScores,
        level: str = "file",
        *,
        path: str = "",
        events: EventSettings | None = None,
    ) -> Predictions:
        """Predictions from the scores of the windows of a recording.

        Args:
            scores: what `window_scores` gave.
            level: "file" for one prediction, "window" for one a window, made when it is read
                because there may be a million, or "event" for one an event, all of them accepted.
            path: what to call the recording.
            events: what makes an event.

        Raises:
            InvalidArgument: there is no such level.
        """
        _check_level(level)
        whole = Prediction(path=path, seconds=scores.seconds, findings=scores.findings)
        if level == "window":

            def of_window(number: int) -> Prediction:
                start, end = float(scores.start[number]), float(scores.end[number])
                item = replace(whole, start=start, end=end)
                silent = scores.silent[number]
                return self._classified(item, None if silent else scores.probabilities[number])

            return Predictions(range(len(scores.start)), make=of_window)
        if level == "event":
            settings = events or EventSettings()
            return Predictions(
                self._classified(
                    replace(whole, start=event.start, end=event.end),
                    scores.probabilities[event.windows].mean(axis=0, dtype=np.float64),
                    accepted=True,
                )
                for event in find_events(scores, settings, threshold=self.threshold)
            )
        if scores.silent.all():
            return Predictions([self._classified(whole, None)])
        mean = scores.probabilities[scores.counted].mean(axis=0, dtype=np.float64)
        return Predictions([self._classified(whole, mean)])

    def predict_many(
        self,
        paths: Iterable[str | os.PathLike],
        level: str = "file",
        *,
        events: EventSettings | None = None,
        pcm: Pcm | None = None,
        progress: Callable[[str, float], object] = lambda path, seconds: None,
    ) -> Generator[Sequence[Prediction]]:
        """Classify files in parallel, in their order; the predictions for each.

        A file that cannot be used gives one prediction with `error`. Two files or more are read in
        other processes, one for each core, so that a codec that crashes or hangs costs one file. A
        single file is read in this process, and its windows are divided among the cores: nothing
        else can be lost, and starting another process would take longer than all the rest.

        Args:
            paths: the files.
            level: "file" for one prediction a file, "window" for one a window, "event" for one an
                event. A recording without an event gives one with neither `label` nor `error`, for
                its `seconds` and `findings`.
            events: what makes an event.
            pcm: what the bytes of a single file without a header are.
            progress: called with the path of a single file and how many seconds of it were read,
                now and then.

        Raises:
            InvalidArgument: there is no such level.
            DecoderError: the processes that decode cannot be started.
        """
        _check_level(level)
        if isinstance(paths, str | os.PathLike):
            raise InvalidArgument(f"`paths` must be a list of files. Got '{paths}'; put it in [ ].")

        def predict(path: str | os.PathLike, score: Callable[[], WindowScores]) -> Predictions:
            name = with_slashes(path)
            try:
                scores = score()
            except AudioError as error:
                return Predictions(
                    [Prediction(path=name, error=error.reason, findings=(error.finding,))]
                )
            return self.to_predictions(scores, level, path=name, events=events) or Predictions(
                [Prediction(path=name, seconds=scores.seconds, findings=scores.findings)]
            )

        paths = iter(paths)
        first = list(islice(paths, 2))
        if len(first) < 2:
            for path in first:
                of_path = partial(progress, with_slashes(path))
                score = partial(self.window_scores, path, pcm=pcm, progress=of_path)
                yield predict(path, score)
            return
        with tempfile.TemporaryDirectory(prefix="timbrel-") as folder, IsolatedDecoder() as decoder:
            # The user's own file may change meanwhile.
            graph = Path(folder, "model.onnx")
            try:
                graph.write_bytes(self._graph)
            except OSError as error:
                raise OutputError.of(graph, error) from error
            yield from in_order(
                lambda path: predict(
                    path, lambda: score_in_worker(decoder, path, self.windowing, graph)
                ),
                chain(first, paths),
                stop=decoder.close,
            )

    def listen(
        self, pieces: Iterable[np.ndarray], rate: int, *, name: str = "-"
    ) -> Iterator[Prediction]:
        """Classify every window of a stream as soon as its last sample has come.

        The predictions are those of `predict_windows` for the whole, with two differences:
        `seconds` is None; and where a recipe cleans, each hop of which nothing is kept gives a
        prediction of its own without a class. Such a recipe answers half of its envelope's window
        later.

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
        """What `listen` uses, for callbacks: `push` each piece, then `finish`."""
        return Listener(self, rate, name=name)

    @contextmanager
    def _opened(self, sound: Sound, rate: int | None, pcm: Pcm | None) -> Iterator[Recording]:
        """Open any kind of sound as a recording at the sample rate of the model."""
        if isinstance(sound, np.ndarray):
            yield Waveform.of(sound, rate, self.windowing.rate)
            return
        source: str | os.PathLike | BinaryIO
        given: object = sound
        if isinstance(sound, str | os.PathLike):
            name, source = os.fspath(sound), sound
        elif isinstance(sound, bytes | bytearray | memoryview):
            name, source = "bytes", io.BytesIO(sound)
        elif hasattr(sound, "read") and not isinstance(given, io.TextIOBase):
            name, source = path_of(sound) or "file object", sound
        else:
            raise InvalidArgument(
                "`sound` must be a path, bytes, a file object that is open for reading bytes, or a "
                f"NumPy array. Got {type(sound).__name__}."
            )
        if rate is not None:
            raise InvalidArgument(
                f"`rate` goes with a waveform; a file says its own. Got {rate} and '{name}'."
            )
        if isinstance(source, str | os.PathLike) or source.seekable():
            yield Reading(source, self.windowing.rate, name=name, pcm=pcm)
        else:
            with temporary_copy(source, pcm) as path:
                yield Reading(path, self.windowing.rate, name=name, pcm=pcm)

    def _classified(
        self, item: Prediction, probabilities: np.ndarray | None, *, accepted: bool | None = None
    ) -> Prediction:
        """Complete a prediction that has everything but the answer.

        Args:
            item: the prediction.
            probabilities: `(classes,)`, those of one window or a mean; None for silence.
            accepted: whether the most probable class is accepted; by default, whether its
                probability reaches the threshold.
        """
        if probabilities is None:
            return replace(item, label=UNKNOWN, accepted=False)
        best = np.argsort(-probabilities, kind="stable")[: self._top]
        top = tuple((self.labels[number], float(probabilities[number])) for number in best)
        predicted, probability = top[0]
        if accepted is None:
            accepted = probability >= self.threshold
        return replace(
            item,
            label=predicted if accepted else UNKNOWN,
            predicted=predicted,
            probability=probability,
            accepted=accepted,
            top=top,
        )


class Listener:
    """Takes a stream piece by piece and gives predictions; `Predictor.listener` makes one.

    Args:
        predictor: the model.
        rate: sample rate of the stream in Hz.
        name: what to call the stream.
    """

    def __init__(self, predictor: Predictor, rate: int, *, name: str) -> None:
        check_rate(rate)
        self._predictor, self._rate, self._name = predictor, rate, name
        self._inspection = Inspection(rate)
        windowing = predictor.windowing
        self._resampler = Resampler(rate, windowing.rate)
        block = max(int(windowing.rate * _STREAM_SECONDS), 1)
        self._stream = WindowStream(windowing, block=block)
        # Hops are counted from the beginning of the stream: the next one that may be silent, and
        # the end of the last one that cleaning has kept something of.
        self._next_hop = self._end_of_sound = 0
        self._ended = False
        # Length of the stream, once it has ended.
        self._seconds = math.inf

    def push(self, piece: np.ndarray) -> list[Prediction]:
        """Take the next piece; return the predictions that can be made now, in the order of time.

        Args:
            piece: float `(samples,)` or `(samples, channels)`, nominally in [−1, 1].

        Raises:
            AudioError: samples that are NaN or infinite.
            InvalidArgument: not an array of floats, or the stream has ended.
        """
        self._check_open()
        mono = self._inspection.mix(as_channels(piece))
        self._inspection.check(self._name)
        return self._predict(self._stream.push(self._resampler.push(mono)))

    def finish(self) -> list[Prediction]:
        """Return the rest; nothing can be pushed after it."""
        self._check_open()
        self._ended = True
        # Resampling rounds the length up to a whole sample.
        self._seconds = self._inspection.samples / self._rate
        found = self._predict(self._stream.push(self._resampler.finish()))
        return found + self._predict(self._stream.finish())

    def _check_open(self) -> None:
        if self._ended:
            raise InvalidArgument("The stream has ended; make a new listener for another one.")

    def _predict(self, windows: Windows) -> list[Prediction]:
        """Predictions for windows, and for the hops before them that cleaning kept nothing of."""
        predictor = self._predictor
        rate, hop = predictor.windowing.rate, predictor.windowing.hop
        # Begin and end of each, and the probabilities; None for silence.
        answers: list[tuple[float, float, np.ndarray | None]] = []
        if predictor.windowing.clean_threshold is not None:
            decided = self._stream.decided
            for first, end in [*self._stream.runs.tolist(), [decided, decided]]:
                # Hops that end before the next kept stretch begins.
                while (self._next_hop + 1) * hop <= first:
                    if self._next_hop >= self._end_of_sound:
                        begin = self._next_hop * hop / rate
                        answers.append((begin, (self._next_hop + 1) * hop / rate, None))
                    self._next_hop += 1
                if end > first:
                    self._end_of_sound = max(self._end_of_sound, (end - 1) // hop + 1)
        if len(windows.samples):
            probabilities = predictor.probabilities(windows.samples)
            silent = is_silent(windows.samples, power(windows.samples))
            for number, row in enumerate(probabilities):
                times = float(windows.start[number]), float(windows.end[number])
                answers.append((*times, None if silent[number] else row))
        return [
            predictor._classified(
                Prediction(path=self._name, start=begin, end=min(end, self._seconds)), row
            )
            for begin, end, row in sorted(answers, key=lambda answer: answer[1])
        ]


def path_of(sound: Sound) -> str:
    """`Prediction.path` of a sound: that of a file, joined with `/`; empty for other sounds."""
    name = sound if isinstance(sound, str | os.PathLike) else getattr(sound, "name", None)
    return with_slashes(name) if isinstance(name, str | os.PathLike) else ""


def _check_level(level: str) -> None:
    if level not in LEVELS:
        raise InvalidArgument(f"`level` must be one of {', '.join(LEVELS)}. Got '{level}'.")


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
