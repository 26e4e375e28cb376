"""The formats that predictions are written in: one class each, all of them in `FORMATS`.

Text is always UTF-8: bytes of a file name that are no text are written as `\\udc80` to `\\udcff`,
which JSON readers turn back into the name.

Sources: RFC 4180; "Importing and Exporting Labels" in the Audacity manual; the Raven Pro User's
Manual, for tables over several sound files the chapter on file sequences.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, ClassVar

from timbrel.errors import InvalidArgument, MissingExtra
from timbrel.text import TerminalRows

if TYPE_CHECKING:
    from timbrel.inference.prediction import Prediction

# Characters that end a cell or a line for some readers.
_BREAKS = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")


class Format:
    """Writes predictions to one stream in one format, each as it comes.

    Class attributes that a format may set, after `name` and `extension`:

    - `binary`: whether it takes a stream of bytes instead of text;
    - `has_errors`: whether it has a row for a recording that could not be used;
    - `lists_top`: whether a row lists the most probable classes;
    - `default_level`: what a row stands for by default.

    Args:
        stream: where to write; it stays open.
        level: what a row stands for: "file", "window" or "event".
        rate: sample rate of the model in Hz.
    """

    name: ClassVar[str]
    # Replaces the extension of a recording in the name of its own output.
    extension: ClassVar[str]
    binary: ClassVar[bool] = False
    has_errors: ClassVar[bool] = True
    lists_top: ClassVar[bool] = False
    default_level: ClassVar[str] = "file"

    def __init__(self, stream: IO | TerminalRows, *, level: str = "file", rate: int = 1) -> None:
        self._stream = stream

    @classmethod
    def check_target(cls, target: str, recordings: int) -> None:
        """Raise an error where the format cannot be written to a target.

        Args:
            target: "stdout", "file" for all recordings in one, or "folder" for a file each.
            recordings: how many there are.
        """

    def write(self, prediction: Prediction) -> None:
        """Write a prediction that has a `label`, or an `error` if the format has room for it."""
        raise NotImplementedError

    def end_recording(self, seconds: float) -> None:
        """Take note that all predictions of a recording of so many seconds are written."""

    def close(self) -> None:
        """Write what is left."""


class Csv(Format):
    """RFC 4180, with `start` and `end` after `path` except at the level "file"."""

    name, extension = "csv", ".csv"

    def __init__(self, stream: IO | TerminalRows, *, level: str = "file", rate: int = 1) -> None:
        super().__init__(stream)
        times = () if level == "file" else ("start", "end")
        answer = ("label", "predicted", "probability", "accepted", "seconds", "error")
        self._fields = ("path", *times, *answer)
        stream.write(csv_line(self._fields))

    def write(self, prediction: Prediction) -> None:
        """Write a row."""
        self._stream.write(csv_line(cell(getattr(prediction, name)) for name in self._fields))


class JsonLines(Format):
    """A JSON object a line, with every key."""

    name, extension, lists_top = "jsonl", ".jsonl", True

    def write(self, prediction: Prediction) -> None:
        """Write a line."""
        fields = prediction.to_dict()
        line = json.dumps(fields, ensure_ascii=False)
        try:
            line.encode()
        except UnicodeEncodeError:
            line = json.dumps(fields)
        self._stream.write(line + "\n")


class Audacity(Format):
    """A label track; the label of a whole recording spans all of it."""

    # Our own reader of label files knows this extension, and that of Raven.
    name, extension = "audacity", ".txt"
    has_errors, default_level = False, "event"

    @classmethod
    def check_target(cls, target: str, recordings: int) -> None:
        """Raise InvalidArgument for several recordings in one track."""
        if recordings > 1 and target != "folder":
            raise InvalidArgument(
                f"A label track is of one recording, and there are {recordings}; name a folder for "
                "them, as in -o labels/."
            )

    def write(self, prediction: Prediction) -> None:
        """Write a label."""
        start, end = _span(prediction)
        self._stream.write(_tabbed(start, end, prediction.label))


class Raven(Format):
    """A selection table, over several sound files where there are several.

    Raven either opens the sound files one after the other, where `Begin Time (s)` counts through
    all of them, or looks up `Begin Path` and `File Offset (s)`; both say the same. Files that could
    not be used have no length and no place in that sequence. The frequencies are those of the
    input of the model.
    """

    name, extension = "raven", ".selections.txt"
    has_errors, default_level = False, "event"

    def __init__(self, stream: IO | TerminalRows, *, level: str = "file", rate: int = 1) -> None:
        super().__init__(stream)
        self._highest = f"{rate / 2:.1f}"
        self._selections = 0
        self._seconds_before = 0.0
        times = ("Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)")
        file = ("Begin Path", "File Offset (s)", "Begin File")
        stream.write(_tabbed("Selection", "View", "Channel", *times, *file, "Label", "Probability"))

    def write(self, prediction: Prediction) -> None:
        """Write a selection."""
        start, end = _span(prediction)
        self._selections += 1
        path = prediction.path
        self._stream.write(
            _tabbed(
                str(self._selections),
                "Spectrogram 1",
                "1",
                self._seconds_before + start,
                self._seconds_before + end,
                "0.0",
                self._highest,
                path if path == "-" else os.path.abspath(path),
                start,
                os.path.basename(path),
                prediction.label,
                prediction.probability,
            )
        )

    def end_recording(self, seconds: float) -> None:
        """Let the next recording begin where this one ends."""
        self._seconds_before += seconds


class Parquet(Format):
    """A table with the keys of `Prediction.to_dict` as columns, in their order."""

    name, extension, binary, lists_top = "parquet", ".parquet", True, True
    # Rows that wait in memory for the next row group, some ten megabytes.
    rows_in_group: ClassVar[int] = 1 << 14

    def __init__(self, stream: IO | TerminalRows, *, level: str = "file", rate: int = 1) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        super().__init__(stream)
        text, number = pa.string(), pa.float64()
        top = pa.list_(pa.struct([("label", text), ("probability", number)]))
        self._schema = pa.schema(
            [
                pa.field("path", text, nullable=False),
                *(("start", number), ("end", number), ("label", text), ("predicted", text)),
                *(("probability", number), ("accepted", pa.bool_()), ("top", top)),
                *(("seconds", number), ("error", text)),
            ]
        )
        self._batch = pa.RecordBatch.from_pylist
        self._file = parquet.ParquetWriter(stream, self._schema)
        self._rows: list[dict] = []

    @classmethod
    def check_target(cls, target: str, recordings: int) -> None:
        """Raise InvalidArgument for stdout, and MissingExtra where pyarrow is not installed."""
        if target == "stdout":
            raise InvalidArgument("Parquet is not text; name a file or a folder with -o.")
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise MissingExtra.of("parquet", "Writing Parquet") from None

    def write(self, prediction: Prediction) -> None:
        """Take a row."""
        row = prediction.to_dict()
        for key in ("path", "error"):
            if row[key] is not None:
                row[key] = _as_utf8(row[key])
        self._rows.append(row)
        if len(self._rows) == self.rows_in_group:
            self._write_group()

    def close(self) -> None:
        """Write the last row group, and the footer."""
        if self._rows:
            self._write_group()
        self._file.close()

    def _write_group(self) -> None:
        self._file.write_batch(self._batch(self._rows, schema=self._schema))
        self._rows = []


FORMATS: dict[str, type[Format]] = {
    kind.name: kind for kind in (Csv, JsonLines, Audacity, Raven, Parquet)
}


def csv_line(cells: Iterable[str]) -> str:
    """A line of CSV, in UTF-8 always."""
    stream = io.StringIO()
    # With this end of line, cells that hold either half of it are quoted.
    csv.writer(stream, lineterminator="\r\n").writerow(cells)
    return _as_utf8(stream.getvalue().removesuffix("\r\n")) + "\n"


def cell(value: object) -> str:
    """A value as a cell of a table: empty for None, numbers with six decimals."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}"
    return str(value)


def _span(prediction: Prediction) -> tuple[float, float]:
    """Begin and end of a prediction in seconds; all of the recording at the level "file"."""
    if prediction.start is None or prediction.end is None:
        return 0.0, prediction.seconds or 0.0
    return float(prediction.start), float(prediction.end)


def _tabbed(*values: object) -> str:
    """A line of cells between tabs; neither Audacity nor Raven knows quotes or escapes."""
    return _as_utf8("\t".join(_BREAKS.sub(" ", cell(value)) for value in values)) + "\n"


def _as_utf8(text: str) -> str:
    """Escape what UTF-8 cannot hold, such as bytes of a file name that are no text."""
    return text.encode("utf-8", "backslashreplace").decode()
