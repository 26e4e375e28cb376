"""A stream as a model hears it: an answer for every window, as soon as its last sample has come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from timbrel.audio.samples import Inspection, Resampler, check_rate
from timbrel.audio.stream import WindowStream
from timbrel.audio.windows import Windowing, Windows, power
from timbrel.errors import InvalidArgument
from timbrel.inference.answers import Answers, silence
from timbrel.inference.hearing import Answer, as_channels, is_silent
from timbrel.inference.prediction import Prediction

# How much of a stream cleaning decides on at a time.
_BLOCK_SECONDS = 0.01


class Listener:
    """Takes a stream piece by piece, and gives predictions; `Predictor.listener` makes one.

    Args:
        answers: puts probabilities into words.
        answer: probabilities, float32 `(n, classes)`, of float32 windows `(n, window)`.
        windowing: how recordings become windows.
        rate: sample rate of the stream in Hz.
        name: what to call the stream.
    """

    def __init__(
        self, answers: Answers, answer: Answer, windowing: Windowing, *, rate: int, name: str
    ) -> None:
        self._answers, self._answer, self._windowing = answers, answer, windowing
        self._name = name
        check_rate(rate)
        self._found, self._rate = Inspection(rate), rate
        self._resampler = Resampler(rate, windowing.rate)
        block = max(int(windowing.rate * _BLOCK_SECONDS), 1)
        self._stream = WindowStream(windowing, block=block)
        # Hops of the stream, counted from its beginning: the next one to be looked at, and up to
        # which one there is something to hear.
        self._hop = self._heard = 0
        self._ended = False

    def push(self, piece: np.ndarray) -> list[Prediction]:
        """Take the next piece; return what has become known, in the order of time.

        Args:
            piece: float `(samples,)` or `(samples, channels)`, nominally in [−1, 1].

        Raises:
            AudioError: samples that are NaN or infinite.
            InvalidArgument: not an array of floats, or the stream has ended.
        """
        self._go_on()
        mono = self._found.mix(as_channels(piece))
        self._found.check(self._name)
        return self._say(self._stream.push(self._resampler.push(mono)))

    def finish(self) -> list[Prediction]:
        """Return the rest; nothing can be pushed after it."""
        self._go_on()
        self._ended = True
        found = self._say(self._stream.push(self._resampler.finish()))
        found += self._say(self._stream.finish())
        # Resampling rounds the length up to a whole sample.
        seconds = self._found.samples / self._rate
        return [replace(item, end=min(item.end, seconds)) for item in found]

    def _go_on(self) -> None:
        if self._ended:
            raise InvalidArgument("The stream has ended; make a new listener for another one.")

    def _say(self, windows: Windows) -> list[Prediction]:
        silences = self._silences()
        if not len(windows.samples):
            return silences
        probabilities = self._answer(windows.samples).astype(np.float64)
        silent = is_silent(windows.samples, power(windows.samples))
        heard = [
            silence(self._name, start=float(start), end=float(end))
            if nothing
            else self._answers.of_probabilities(self._name, row, start=float(start), end=float(end))
            for row, start, end, nothing in zip(
                probabilities, windows.start, windows.end, silent, strict=True
            )
        ]
        return sorted([*silences, *heard], key=lambda item: item.end)

    def _silences(self) -> list[Prediction]:
        """A prediction for each whole hop of which cleaning has kept nothing."""
        if self._windowing.clean_threshold is None:
            return []
        rate, hop = self._windowing.rate, self._windowing.hop
        found = []
        runs = [*self._stream.runs.tolist(), [self._stream.decided, self._stream.decided]]
        for first, end in runs:
            # What ends before the next stretch that was kept is certain.
            while (self._hop + 1) * hop <= first:
                if self._hop >= self._heard:
                    span = (self._hop * hop / rate, (self._hop + 1) * hop / rate)
                    found.append(silence(self._name, start=span[0], end=span[1]))
                self._hop += 1
            if end > first:
                self._heard = max(self._heard, (end - 1) // hop + 1)
        return found
