"""What a model predicts for a recording, or for a part of it, and sequences of such predictions."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, overload

from timbrel.findings import Finding
from timbrel.wording import percent, plain, shorten

UNKNOWN = "unknown"

# Predictions for windows are made when they are read, so `repr` does not count those of a long
# recording; of the labels that it counts, it names a few.
_COUNTED = 5000
_NAMED = 5


@dataclass(frozen=True, repr=False)
class Prediction:
    """The answer for one recording, window or event; every output format uses these fields.

    Attributes:
        path: the recording, as it was named; empty for sound without a name.
        label: the answer: a class, or "unknown" where the model is not sure enough of any.
        predicted: the most probable class; None for digital silence.
        probability: of `predicted`, 0 to 1.
        accepted: whether `probability` reaches the threshold.
        top: the most probable classes with their probabilities, best first.
        seconds: length of the recording.
        error: why the recording could not be used; then `label` to `seconds` are None.
        start, end: seconds of the original recording, for windows and events.
        findings: what is odd about the recording, or why it could not be used; not written to
            outputs.
    """

    path: str
    label: str | None = None
    predicted: str | None = None
    probability: float | None = None
    accepted: bool | None = None
    top: tuple[tuple[str, float], ...] = ()
    seconds: float | None = None
    error: str | None = None
    start: float | None = None
    end: float | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the recording but did not stop its use, in words."""
        return tuple(item.reason for item in self.findings if not item.unusable)

    @property
    def no_event(self) -> bool:
        """Whether this only says that no event was found in the recording, and how long it is."""
        return self.label is None and self.error is None

    def __repr__(self) -> str:
        name = repr(self.path) if self.path else "waveform"
        if self.start is not None and self.end is not None:
            name += f", {self.start:.2f}–{self.end:.2f} s"
        if self.error is not None:
            answer = f"not usable, {self.error}"
        elif self.label is None:
            answer = "no event"
        elif self.predicted is None:
            answer = f"{self.label}, silence"
        else:
            guess = "" if self.accepted else f", most probably {self.predicted}"
            answer = f"{self.label}{guess} {percent(self.probability)}"
        return plain(f"Prediction({name}: {answer})")

    def _repr_html_(self) -> str:
        from timbrel.inference.drawing import prediction_html

        return prediction_html(self)

    def to_dict(self) -> dict:
        """Return all fields but `findings` as JSON data; those that are empty are None."""
        top = [{"label": label, "probability": value} for label, value in self.top]
        return {
            "path": self.path,
            "start": self.start,
            "end": self.end,
            "label": self.label,
            "predicted": self.predicted,
            "probability": self.probability,
            "accepted": self.accepted,
            "top": top or None,
            "seconds": self.seconds,
            "error": self.error,
        }


class Predictions(Sequence[Prediction]):
    """Predictions in order; equal to a list or a tuple of the same ones.

    Args:
        items: the predictions, or what `make` makes them of.
        make: makes a prediction of an item, each time it is read: there may be a million.
    """

    def __init__(
        self,
        items: Iterable[Prediction] | Sequence[Any] = (),
        make: Callable[[Any], Prediction] | None = None,
    ) -> None:
        self._items = items if isinstance(items, Sequence) else tuple(items)
        self._make = make

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Predictions: ...
    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        found = self._items[index]
        if isinstance(index, slice):
            return Predictions(found, self._make)
        return found if self._make is None else self._make(found)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Predictions | list | tuple):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    # A list that is equal to it has no hash.
    __hash__ = None

    def __add__(self, other: Sequence[Prediction]) -> Predictions:
        if not isinstance(other, Predictions | list | tuple):
            return NotImplemented
        return Predictions([*self, *other])

    def __repr__(self) -> str:
        count = f"{len(self):,} prediction{'' if len(self) == 1 else 's'}"
        if not 0 < len(self) <= _COUNTED:
            return f"<{count}>"
        counts = Counter(
            "not usable" if item.error is not None else item.label or "without an event"
            for item in self
        ).most_common()
        labels = ", ".join(f"{times} {shorten(label, 40)}" for label, times in counts[:_NAMED])
        return plain(f"<{count}: {labels}{', …' if len(counts) > _NAMED else ''}>")

    def _repr_html_(self) -> str:
        from timbrel.inference.drawing import predictions_html

        return predictions_html(self)
