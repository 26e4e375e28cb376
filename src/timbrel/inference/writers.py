"""Predictions to text: CSV and JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from typing import TextIO

from timbrel.errors import InvalidArgument
from timbrel.inference.prediction import Prediction

FORMATS = ("csv", "jsonl")

_FIELDS = ("path", "label", "predicted", "probability", "accepted", "seconds", "error")
_SPAN = ("start", "end")


def write_predictions(
    predictions: Iterable[Prediction], stream: TextIO, *, form: str, level: str = "file"
) -> None:
    """Write predictions as they come, a row or line each, flushed so that a reader can follow.

    Args:
        predictions: what to write.
        stream: where to.
        form: "csv" or "jsonl".
        level: "file", or "window" for `start` and `end` after `path` in the CSV.
    """
    if form not in FORMATS:
        raise InvalidArgument(f"`form` must be one of {', '.join(FORMATS)}. Got '{form}'.")
    if form == "jsonl":
        for prediction in predictions:
            stream.write(json.dumps(prediction.to_dict(), ensure_ascii=False) + "\n")
            stream.flush()
        return
    fields = _FIELDS if level == "file" else (_FIELDS[0], *_SPAN, *_FIELDS[1:])
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(fields)
    for prediction in predictions:
        writer.writerow([cell(getattr(prediction, name)) for name in fields])
        stream.flush()


def cell(value: object) -> str:
    """A value as it stands in a CSV."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}"
    return str(value)
