"""`timbrel listen`: a stream to answers, with how loud it is and how late they come."""

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
    """An answer about a stream, when it comes.

    Attributes:
        prediction: what is heard; without a class where there is silence.
        level: root mean square of what has come since the answer before, in dB of full scale;
            −inf where all of it is zero.
        latency: seconds from the last sample that the answer is about until it was there: those
            of sound that had come after it, and those of computing.
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
            late = received / rate - item.end + time.perf_counter() - arrived
            yield Live(item, meter.level(), late)
    ended = time.perf_counter()
    for item in listener.finish():
        late = max(received / rate - item.end, 0) + time.perf_counter() - ended
        yield Live(item, meter.level(), late)


class _Meter:
    """How loud a stream has been since it was last asked."""

    def __init__(self) -> None:
        self._power, self._samples, self._level = 0.0, 0, -math.inf

    def add(self, piece: np.ndarray) -> None:
        self._power += float(np.square(piece, dtype=np.float64).sum())
        self._samples += piece.size

    def level(self) -> float:
        """In dB of full scale; what it was where nothing has come since."""
        if self._samples:
            mean = self._power / self._samples
            self._level = 10 * math.log10(mean) if mean else -math.inf
            self._power, self._samples = 0.0, 0
        return self._level
