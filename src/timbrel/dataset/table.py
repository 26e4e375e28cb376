"""Read `DATA` that is a CSV of paths and labels."""

from __future__ import annotations

import csv
import io
import os
import posixpath
from pathlib import Path

from timbrel.dataset.recording import Dataset, Recording
from timbrel.dataset.repeats import settle_repeats
from timbrel.errors import DataError
from timbrel.findings import Finding

COLUMNS = {
    "path": ("path", "fname", "filename", "file"),
    "label": ("label", "category", "class", "target"),
    "group": ("group", "speaker", "site", "src_file"),
    "fold": ("fold",),
    "start": ("start",),
    "end": ("end",),
}


def read_csv(file: Path, audio: Path) -> Dataset:
    """Read a CSV with a header; `audio` is the folder that its paths are relative to.

    Raises:
        DataError: it cannot be read, is no CSV in UTF-8, or lacks a column.
    """
    columns, width, rows = _rows(file)
    recordings, findings = [], []
    for number, row in rows:
        name = f"{file.name}, row {number}"
        if any(cell.strip() for cell in row[width:]):
            findings.append(Finding("csv-columns", name, {"cells": len(row), "columns": width}))
            continue
        values = {
            column: (row[index] if index < len(row) else "") for column, index in columns.items()
        }
        item = _recording(name, values, audio)
        (recordings if isinstance(item, Recording) else findings).append(item)
    kept, more = settle_repeats(recordings, str(file))
    return Dataset(str(file), tuple(kept), (*findings, *more))


def _rows(file: Path) -> tuple[dict[str, int], int, list[tuple[int, list[str]]]]:
    """Columns by meaning, the number of columns, and the rows with their line numbers."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"'{file}' is not a CSV in UTF-8. Save it as CSV UTF-8 in your spreadsheet program."
        ) from error
    except OSError as error:
        raise DataError(f"'{file}' cannot be read: {error.strerror or error}.") from error
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        numbered = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(
            f"'{file}' is not a CSV: {error}, near line {reader.line_num}. Look for a quote that "
            "is not closed."
        ) from error
    names = [name.strip().lower() for name in numbered[0][1]] if numbered else []
    columns = {
        meaning: names.index(name)
        for meaning, accepted in COLUMNS.items()
        for name in [next((name for name in accepted if name in names), None)]
        if name is not None
    }
    for meaning in ("path", "label"):
        if meaning not in columns:
            raise DataError(
                f"'{file}' has no column for the {meaning}. Expected one of "
                f"{', '.join(COLUMNS[meaning])} in its header. Got {', '.join(names) or 'nothing'}."
            )
    return columns, len(names), numbered[1:]


def _recording(row: str, values: dict[str, str], audio: Path) -> Recording | Finding:
    """Make a recording of a row, or say what is wrong with the row."""
    path, label = values["path"].strip(), values["label"].strip()
    if not path or not label:
        return Finding("empty-cell", row, {"column": "label" if path else "path"})
    stretch = {}
    for name in ("start", "end"):
        text = values.get(name, "").strip()
        try:
            stretch[name] = float(text) if text else None
        except ValueError:
            return Finding("not-a-number", row, {"column": name, "text": text})
    start, end = stretch["start"], stretch["end"]
    if not (0 <= (start or 0.0) < (float("inf") if end is None else end)):
        return Finding("wrong-times", row, {"times": [start, end]})
    if "\0" in path:
        return Finding("impossible-path", row)
    if not os.path.exists(audio / path):
        path = path.replace("\\", "/")
    return Recording(
        path=path,
        file=audio / path,
        label=label,
        group=values.get("group", "").strip() or posixpath.normpath(path),
        fold=values.get("fold", "").strip() or None,
        start=start,
        end=end,
    )
