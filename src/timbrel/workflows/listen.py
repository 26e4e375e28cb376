"""`timbrel listen`: classify a stream, with its level and the latency of each prediction."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from timbrel.inference.prediction import Prediction
from timbrel.inference.predictor import Predictor


@dataclass(frozen=True)
class Live:
    """A prediction for a window of a stream, when it is made.

    Attributes:
        prediction: the answer; without a class for silence.
        level: root mean square of the samples since the previous prediction, in dB of full scale;
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
    power, samples, level = 0.0, 0, -math.inf
    received = 0
    # None stands for the end of the stream.
    for piece in chain(pieces, [None]):
        arrived = time.perf_counter()
        if piece is None:
            found = listener.finish()
        else:
            received += len(piece)
            power += float(np.square(piece, dtype=np.float64).sum())
            samples += piece.size
            found = listener.push(piece)
        for item in found:
            if samples:  # Else the level is that of the previous prediction.
                mean = power / samples
                level = 10 * math.log10(mean) if mean else -math.inf
                power, samples = 0.0, 0
            # Resampled, the last window may end after the last sample.
            behind = received / rate - (item.end or 0.0)
            behind = max(behind, 0.0) if piece is None else behind
            yield Live(item, level, behind + time.perf_counter() - arrived)
