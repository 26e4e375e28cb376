"""What a model says of a recording or of a stretch of it."""

from __future__ import annotations

from dataclasses import dataclass

from timbrel.wording import percent, plain

UNKNOWN = "unknown"


@dataclass(frozen=True, repr=False)
class Prediction:
    """The answer for one recording, window or event; every writer uses these fields.

    One without `label` and without `error` says that in the recording no event was found.

    Attributes:
        path: the recording, as it was named.
        label: the answer: a class, or "unknown" where the model will not vouch for one.
        predicted: the most probable class, None where nothing was heard.
        probability: of `predicted`, 0 to 1.
        accepted: whether `probability` reaches the threshold.
        top: the most probable classes with their probabilities, best first.
        seconds: length of the recording.
        error: why the recording could not be used; then `label` to `seconds` are None.
        start, end: seconds of the original recording, for windows and events.
        warnings: what is odd about the recording but did not stop its use; writers leave it out.
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
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        what = repr(self.path) if self.path else "waveform"
        return plain(f"Prediction({what}{self._times()}: {self._said()})")

    def _times(self) -> str:
        if self.start is None or self.end is None:
            return ""
        return f", {self.start:.2f}–{self.end:.2f} s"

    def _said(self) -> str:
        if self.error is not None:
            return f"not usable, {self.error}"
        if self.label is None:
            return "no event"
        if self.predicted is None:
            return f"{self.label}, silence"
        guess = "" if self.accepted else f", most probably {self.predicted}"
        return f"{self.label}{guess} {percent(self.probability)}"

    def _repr_html_(self) -> str:
        from timbrel.inference.drawing import prediction_html

        return prediction_html(self)

    def to_dict(self) -> dict:
        """Return all fields as JSON data; those that are empty are None."""
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
