"""One path from a recording to an answer: decode, clean, cut, run the graph, average."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from timbrel.audio.decode import Decoded, check_finite, decode, resample
from timbrel.audio.isolated import IsolatedDecoder
from timbrel.audio.windows import Windowing, Windows, cleaning_warnings, consecutive, counting, keep
from timbrel.errors import AudioError, InvalidArgument
from timbrel.files import with_slashes
from timbrel.inference.prediction import UNKNOWN, Prediction
from timbrel.model.directory import LoadedModel, load_model
from timbrel.model.metadata import windowing_of
from timbrel.parallel import in_order

LEVELS = ("file", "window")


@dataclass(frozen=True)
class Heard:
    """A recording as the model hears it.

    Attributes:
        windows: the consecutive windows; None where every sample is zero.
        seconds: length of the recording.
        warnings: what is odd about the recording.
    """

    windows: Windows | None
    seconds: float
    warnings: tuple[str, ...] = ()


def hear(waveform: np.ndarray, windowing: Windowing, warnings: tuple[str, ...] = ()) -> Heard:
    """Clean and cut a mono waveform at the model's sample rate.

    Args:
        waveform: float32 `(samples,)`.
        windowing: how recordings become windows.
        warnings: what decoding noticed.
    """
    seconds = len(waveform) / windowing.rate
    if not waveform.any():
        return Heard(None, seconds, warnings)
    cleaned, left = keep(waveform, windowing)
    found = cleaning_warnings(cleaned, windowing, left=left)
    return Heard(consecutive(cleaned, windowing), seconds, (*warnings, *found))


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
        if threshold is not None and not 0 <= threshold <= 1:
            raise InvalidArgument(f"`threshold` must be between 0 and 1. Got {threshold}.")
        if top < 1:
            raise InvalidArgument(f"`top` must be at least 1. Got {top}.")
        self.metadata = model.metadata
        self.labels: list[str] = model.metadata["labels"]
        self.windowing = windowing_of(model.metadata)
        self.threshold = (
            float(model.metadata["thresholds"]["unknown"]) if threshold is None else threshold
        )
        self._session = model.session
        self._top = min(top, len(self.labels))

    def __repr__(self) -> str:
        return (
            f"Predictor({self.metadata['recipe']['name']}, {len(self.labels)} classes: "
            f"{', '.join(self.labels)})"
        )

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        """Calibrated probabilities of float32 windows `(n, window)`; float32 `(n, classes)`."""
        return self._session.run(windows)[0]

    def predict(self, sound: str | os.PathLike | np.ndarray, rate: int | None = None) -> Prediction:
        """Classify one recording.

        Args:
            sound: a file, or a waveform: float `(samples,)` or `(samples, channels)`, nominally
                in [−1, 1].
            rate: sample rate of a waveform in Hz.

        Raises:
            AudioError: the recording cannot be used.
            InvalidArgument: a waveform without a rate, or not an array of floats.
        """
        return self._whole(*self._hear(sound, rate))

    def predict_windows(
        self, sound: str | os.PathLike | np.ndarray, rate: int | None = None
    ) -> list[Prediction]:
        """Classify every window of one recording; arguments and errors as for `predict`."""
        return self._each(*self._hear(sound, rate))

    def predict_many(
        self, paths: Iterable[str | os.PathLike], level: str = "file"
    ) -> Iterator[list[Prediction]]:
        """Classify files in parallel, in their order; a list of predictions for each.

        A file that cannot be used gives one prediction with `error`. More than one file are decoded
        in processes of their own, so that a codec that crashes or hangs costs one file. A single
        file is decoded in this process: there is nothing else to be lost, and starting another
        process would take longer than all the rest.

        Args:
            paths: the files.
            level: "file" for one prediction a file, "window" for one a window.

        Raises:
            InvalidArgument: there is no such level.
            DecoderError: the processes that decode cannot be started.
        """
        if level not in LEVELS:
            raise InvalidArgument(f"`level` must be one of {', '.join(LEVELS)}. Got '{level}'.")
        paths = iter(paths)
        first = list(islice(paths, 2))
        if len(first) < 2:
            yield from (self._attempt(path, level, decode) for path in first)
            return
        with IsolatedDecoder() as decoder:
            yield from in_order(
                lambda path: self._attempt(path, level, decoder.decode),
                chain(first, paths),
                stop=decoder.close,
            )

    def _attempt(
        self, path: str | os.PathLike, level: str, decode: Callable[..., Decoded]
    ) -> list[Prediction]:
        try:
            decoded = decode(path, self.windowing.rate)
        except AudioError as error:
            return [Prediction(path=with_slashes(path), error=error.reason)]
        name, heard = with_slashes(path), self._heard(decoded)
        return [self._whole(name, heard)] if level == "file" else self._each(name, heard)

    def _heard(self, decoded: Decoded) -> Heard:
        return hear(decoded.waveform, self.windowing, decoded.warnings)

    def _hear(self, sound: str | os.PathLike | np.ndarray, rate: int | None) -> tuple[str, Heard]:
        if isinstance(sound, np.ndarray):
            return "", hear(self._from_array(sound, rate), self.windowing)
        return with_slashes(sound), self._heard(decode(sound, self.windowing.rate))

    def _from_array(self, sound: np.ndarray, rate: int | None) -> np.ndarray:
        if rate is None:
            raise InvalidArgument("`rate` must be given with a waveform, in Hz. Got None.")
        if (
            not np.issubdtype(sound.dtype, np.floating)
            or sound.ndim not in (1, 2)
            or not sound.size
        ):
            raise InvalidArgument(
                "`sound` must be floats of shape (samples,) or (samples, channels), not empty. "
                f"Got {sound.dtype} of shape {sound.shape}."
            )
        if sound.ndim == 2 and sound.shape[1] > sound.shape[0]:
            raise InvalidArgument(
                "`sound` must have samples first: (samples, channels). "
                f"Got {sound.shape}; transpose it."
            )
        check_finite(sound, rate, "waveform")
        mono = sound.astype(np.float32) if sound.ndim == 1 else sound.mean(axis=1, dtype=np.float32)
        return resample(mono, rate, self.windowing.rate)

    def _whole(self, name: str, heard: Heard) -> Prediction:
        if heard.windows is None:
            return self._silence(name, heard)
        samples = counting(heard.windows.samples, self.windowing)
        mean = self.probabilities(samples).mean(axis=0, dtype=np.float64)
        return self._answer(name, heard, mean)

    def _each(self, name: str, heard: Heard) -> list[Prediction]:
        if heard.windows is None:
            return [self._silence(name, heard, span=(0.0, heard.seconds))]
        windows = heard.windows
        rows = zip(self.probabilities(windows.samples), windows.start, windows.end, strict=True)
        return [
            self._answer(name, heard, row.astype(np.float64), span=(start, end))
            for row, start, end in rows
        ]

    def _answer(
        self,
        name: str,
        heard: Heard,
        probabilities: np.ndarray,
        *,
        span: tuple[float, float] | tuple[None, None] = (None, None),
    ) -> Prediction:
        best = np.argsort(-probabilities, kind="stable")[: self._top]
        top = tuple((self.labels[number], float(probabilities[number])) for number in best)
        predicted, probability = top[0]
        accepted = probability >= self.threshold
        return Prediction(
            path=name,
            label=predicted if accepted else UNKNOWN,
            predicted=predicted,
            probability=probability,
            accepted=accepted,
            top=top,
            seconds=heard.seconds,
            warnings=heard.warnings,
            start=None if span[0] is None else float(span[0]),
            end=None if span[1] is None else float(span[1]),
        )

    def _silence(
        self,
        name: str,
        heard: Heard,
        *,
        span: tuple[float, float] | tuple[None, None] = (None, None),
    ) -> Prediction:
        return Prediction(
            path=name,
            label=UNKNOWN,
            accepted=False,
            seconds=heard.seconds,
            warnings=heard.warnings,
            start=span[0],
            end=span[1],
        )


def load(model: str | os.PathLike, *, threshold: float | None = None, top: int = 5) -> Predictor:
    """Load a model directory or its `model.onnx`, ready to predict.

    Raises:
        ModelError: the model cannot be read.
    """
    return Predictor(load_model(model, threads=1), threshold=threshold, top=top)
