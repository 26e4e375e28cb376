"""From what a model says of windows to predictions for recordings, windows and events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from timbrel.inference.events import EventSettings, find_events
from timbrel.inference.hearing import Heard
from timbrel.inference.prediction import UNKNOWN, Prediction
from timbrel.inference.predictions import Predictions


@dataclass(frozen=True)
class Answers:
    """Puts probabilities into words.

    Attributes:
        labels: the classes, in the order of the probabilities.
        threshold: probability from which a class is accepted.
        top: how many classes a prediction lists.
    """

    labels: Sequence[str]
    threshold: float
    top: int

    def of_recording(self, name: str, heard: Heard) -> Prediction:
        """The answer for a recording: the mean over the windows that count."""
        facts = {"seconds": heard.seconds, "warnings": heard.warnings}
        if heard.nothing:
            return silence(name, **facts)
        mean = heard.probabilities[heard.counted].mean(axis=0, dtype=np.float64)
        return self.of_probabilities(name, mean, **facts)

    def of_windows(self, name: str, heard: Heard) -> Predictions:
        """The answer for each window, made when it is asked for: there may be a million."""

        def answer(number: int) -> Prediction:
            facts = {
                "seconds": heard.seconds,
                "warnings": heard.warnings,
                "start": float(heard.start[number]),
                "end": float(heard.end[number]),
            }
            if heard.silent[number]:
                return silence(name, **facts)
            probabilities = heard.probabilities[number].astype(np.float64)
            return self.of_probabilities(name, probabilities, **facts)

        return Predictions(_Made(answer, len(heard.start)))

    def of_events(self, name: str, heard: Heard, settings: EventSettings) -> Predictions:
        """The answer for each event: the mean over its windows; all events are accepted."""
        events = find_events(heard, settings, threshold=self.threshold)
        return Predictions(
            self.of_probabilities(
                name,
                heard.probabilities[event.windows].mean(axis=0, dtype=np.float64),
                accepted=True,
                seconds=heard.seconds,
                warnings=heard.warnings,
                start=event.start,
                end=event.end,
            )
            for event in events
        )

    def of_probabilities(
        self,
        name: str,
        probabilities: np.ndarray,
        *,
        accepted: bool | None = None,
        seconds: float | None = None,
        warnings: tuple[str, ...] = (),
        start: float | None = None,
        end: float | None = None,
    ) -> Prediction:
        """The answer for probabilities, float64 `(classes,)`.

        Args:
            name: the recording.
            probabilities: of one window, or a mean.
            accepted: whether the most probable class is; by default, whether its probability
                reaches the threshold.
            seconds, warnings, start, end: as in `Prediction`.
        """
        best = np.argsort(-probabilities, kind="stable")[: self.top]
        top = tuple((self.labels[number], float(probabilities[number])) for number in best)
        predicted, probability = top[0]
        accepted = probability >= self.threshold if accepted is None else accepted
        return Prediction(
            path=name,
            label=predicted if accepted else UNKNOWN,
            predicted=predicted,
            probability=probability,
            accepted=accepted,
            top=top,
            seconds=seconds,
            warnings=warnings,
            start=start,
            end=end,
        )


def silence(name: str, **facts: object) -> Prediction:
    """The answer where there is nothing to be heard; `facts` are other fields of `Prediction`."""
    return Prediction(path=name, label=UNKNOWN, accepted=False, **facts)


class _Made(Sequence[Prediction]):
    """Predictions that are made when they are asked for."""

    def __init__(self, make: Callable[[int], Prediction], count: int) -> None:
        self._make, self._count = make, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> _Made: ...
    def __getitem__(self, index: int | slice) -> Prediction | _Made:
        numbers = range(self._count)[index]
        if isinstance(index, slice):
            return _Made(lambda number: self._make(numbers[number]), len(numbers))
        return self._make(numbers)
