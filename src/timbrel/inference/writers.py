"""Predictions as text: CSV, JSON lines, Audacity label tracks, Raven selection tables.

Whatever a name or a label holds, the text is UTF-8: bytes of a file name that are no text are
written as `\\udc80` to `\\udcff`, which JSON readers turn back into the name.

Sources: "Importing and Exporting Labels" in the Audacity manual; the Raven Pro User's Manual, for
tables over several sound files the chapter on file sequences.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterable
from typing import Protocol, TextIO

from timbrel.errors import InvalidArgument
from timbrel.inference.prediction import Prediction

_FIELDS = ("path", "label", "predicted", "probability", "accepted", "seconds", "error")
_SPAN = ("start", "end")

_SELECTION = (
    *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)"),
    *("Low Freq (Hz)", "High Freq (Hz)", "Begin Path", "File Offset (s)", "Begin File"),
    *("Label", "Probability"),
)

# What would end a cell or a line for one reader or another.
_BREAKS = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")


class Writer(Protocol):
    """One format on one stream."""

    def write(self, prediction: Prediction) -> None:
        """Write a prediction."""

    def end_recording(self, seconds: float) -> None:
        """Say that the predictions of a recording of so many seconds are written."""

    def close(self) -> None:
        """Write what is left; the stream stays open."""


class _Lines:
    """A line for each prediction.

    Args:
        stream: where they go, as UTF-8.
        header: the first line.
    """

    def __init__(self, stream: TextIO, header: str = "") -> None:
        self._stream = stream
        stream.write(header)

    def write(self, prediction: Prediction) -> None:
        """Write a prediction."""
        self._stream.write(self._line(prediction))

    def _line(self, prediction: Prediction) -> str:
        raise NotImplementedError

    def end_recording(self, seconds: float) -> None:
        """Nothing is to be done between recordings."""

    def close(self) -> None:
        """Nothing is left."""


class CsvWriter(_Lines):
    """RFC 4180, with `start` and `end` after `path` but at the level "file"."""

    def __init__(self, stream: TextIO, level: str) -> None:
        self._fields = _FIELDS if level == "file" else (_FIELDS[0], *_SPAN, *_FIELDS[1:])
        super().__init__(stream, csv_line(self._fields))

    def _line(self, prediction: Prediction) -> str:
        return csv_line([cell(getattr(prediction, name)) for name in self._fields])


class JsonWriter(_Lines):
    """A JSON object a line, with every key."""

    def _line(self, prediction: Prediction) -> str:
        fields = prediction.to_dict()
        text = json.dumps(fields, ensure_ascii=False)
        return (text if is_text(text) else json.dumps(fields)) + "\n"


class AudacityWriter(_Lines):
    """A label track; what is said of all of a recording spans all of it."""

    def _line(self, prediction: Prediction) -> str:
        start, end = _span(prediction)
        return _tabbed(f"{start:.6f}", f"{end:.6f}", prediction.label)


class RavenWriter(_Lines):
    """A selection table, over several sound files where there are several.

    Raven either opens the sound files one after the other, where `Begin Time (s)` counts through
    all of them, or looks up `Begin Path` and `File Offset (s)`; both say the same. Files that could
    not be used have no length and no place in that sequence.

    Args:
        stream: where it goes.
        rate: sample rate of the model in Hz. What it hears reaches up to half of that.
    """

    def __init__(self, stream: TextIO, rate: int) -> None:
        super().__init__(stream, _tabbed(*_SELECTION))
        self._highest = f"{rate / 2:.1f}"
        self._selection = 0
        self._before = 0.0

    def _line(self, prediction: Prediction) -> str:
        start, end = _span(prediction)
        self._selection += 1
        return _tabbed(
            *(str(self._selection), "Spectrogram 1", "1"),
            *(f"{self._before + start:.6f}", f"{self._before + end:.6f}"),
            *("0.0", self._highest),
            *(_absolute(prediction.path), f"{start:.6f}", os.path.basename(prediction.path)),
            *(prediction.label, cell(prediction.probability)),
        )

    def end_recording(self, seconds: float) -> None:
        """Let the next recording begin where this one ends."""
        self._before += seconds


def text_writer(stream: TextIO, *, form: str, level: str, rate: int) -> Writer:
    """The writer of a format that is text.

    Args:
        stream: where to, as UTF-8.
        form: "csv", "jsonl", "audacity" or "raven".
        level: "file", or "window" or "event" for `start` and `end` in the CSV.
        rate: sample rate of the model in Hz.
    """
    if form == "csv":
        return CsvWriter(stream, level)
    if form == "raven":
        return RavenWriter(stream, rate)
    return {"jsonl": JsonWriter, "audacity": AudacityWriter}[form](stream)


def write_predictions(
    predictions: Iterable[Prediction], stream: TextIO, *, form: str, level: str = "file"
) -> None:
    """Write predictions as they come, a row or line each, flushed so that a reader can follow.

    Args:
        predictions: what to write.
        stream: where to.
        form: "csv" or "jsonl".
        level: "file", or "window" or "event" for `start` and `end` after `path` in the CSV.

    Raises:
        InvalidArgument: there is no such format.
    """
    if form not in ("csv", "jsonl"):
        raise InvalidArgument(f"`form` must be one of csv, jsonl. Got '{form}'.")
    writer = CsvWriter(stream, level) if form == "csv" else JsonWriter(stream)
    for prediction in predictions:
        writer.write(prediction)
        stream.flush()


def _absolute(path: str) -> str:
    """Where a recording lies; what came from stdin (`-`) lies nowhere."""
    return path if path == "-" else os.path.abspath(path)


def is_text(text: str) -> bool:
    """Whether UTF-8 has room for it; it has none for bytes of a name that are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_text(text: str) -> str:
    """Write out what UTF-8 has no room for."""
    return text if is_text(text) else text.encode("utf-8", "backslashreplace").decode()


class _Echo:
    """A stream that gives back what is written to it."""

    @staticmethod
    def write(text: str) -> str:
        return text


def csv_line(cells: Iterable[str]) -> str:
    """A line of CSV that is text, whatever the cells hold."""
    # With this end of line, cells that hold either half of it are quoted.
    line = csv.writer(_Echo, lineterminator="\r\n").writerow(cells)
    return as_text(line.removesuffix("\r\n")) + "\n"


def _tabbed(*cells: str) -> str:
    # Neither program knows quotes or escapes.
    return as_text("\t".join(_BREAKS.sub(" ", cell) for cell in cells)) + "\n"


def _span(prediction: Prediction) -> tuple[float, float]:
    if prediction.start is None:
        return 0.0, prediction.seconds or 0.0
    return prediction.start, prediction.end


def cell(value: object) -> str:
    """A value as a cell of a table: empty for None, numbers with six decimals."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}"
    return str(value)
