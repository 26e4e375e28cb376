"""`timbrel listen`: a stream to predictions, with its level and their latency."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from timbrel.inference.prediction import Prediction
from timbrel.inference.predictor import Predictor


@dataclass(frozen=True)
class Live:
    """A prediction for a window of a stream, when it is made.

    Attributes:
        prediction: the answer; without a class for silence.
        level: root mean square of the samples since the prediction before, in dB of full scale;
            −inf where all of them are zero.
        latency: seconds from the last sample of the window until the prediction was made: those
            of sound that came after it, and those of computing.
    """

    prediction: Prediction
    level: float
    latency: float


def listen(
    pieces: Iterable[np.ndarray], rate: int, predictor: Predictor, *, name: str = "-"
) -> Iterator[Live]:
    """Classify a stream, window by window, as it comes.

    Args:
        pieces: float `(samples,)` or `(samples, channels)`, nominally in [−1, 1].
        rate: their sample rate in Hz.
        predictor: what `timbrel.load` gave.
        name: what to call the stream.

    Raises:
        AudioError: samples that are NaN or infinite.
        InvalidArgument: pieces that are not arrays of floats.
    """
    listener = predictor.listener(rate, name=name)
    meter = _Meter()
    received = 0
    for piece in pieces:
        arrived = time.perf_counter()
        received += len(piece)
        meter.add(piece)
        for item in listener.push(piece):
            latency = received / rate - item.end + time.perf_counter() - arrived
            yield Live(item, meter.level(), latency)
    ended = time.perf_counter()
    for item in listener.finish():
        latency = max(received / rate - item.end, 0) + time.perf_counter() - ended
        yield Live(item, meter.level(), latency)


class _Meter:
    """Measures the level of a stream since it was read the last time."""

    def __init__(self) -> None:
        self._power, self._samples, self._level = 0.0, 0, -math.inf

    def add(self, piece: np.ndarray) -> None:
        self._power += float(np.square(piece, dtype=np.float64).sum())
        self._samples += piece.size

    def level(self) -> float:
        """The level in dB of full scale; the one before where no samples came since."""
        if self._samples:
            mean = self._power / self._samples
            self._level = 10 * math.log10(mean) if mean else -math.inf
            self._power, self._samples = 0.0, 0
        return self._level
