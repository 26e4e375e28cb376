"""Read `DATA`: a folder of recordings, by class or with label files, or a CSV."""

from __future__ import annotations

import csv
import io
import os
import posixpath
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from timbrel.audio.decode import EXTENSIONS
from timbrel.dataset.annotations import LABEL_EXTENSIONS, read_annotated
from timbrel.dataset.recording import NONE_OF_THESE, Dataset, Recording, settle_repeats, targets
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


__all__ = [
    "NONE_OF_THESE",
    "Dataset",
    "Recording",
    "find_recordings",
    "read_dataset",
    "targets",
]

# What is sound, or holds some, but cannot be read: worth a word where it is passed over.
_OTHER_SOUNDS = frozenset(
    f".{name}"
    for name in (
        *("m4a", "m4b", "aac", "mp4", "mov", "3gp", "3g2", "amr", "wma", "webm", "mka"),
        *("ape", "wv", "tta", "mpc", "ac3", "dts", "dsf", "dff", "ra"),
    )
)


def read_dataset(data: str | os.PathLike, audio: str | os.PathLike | None = None) -> Dataset:
    """Read a data set; no sound file is opened.

    Rows that cannot be used, and what was passed over or decided, are among its findings.

    Args:
        data: a folder with one sub-folder per class, a folder of recordings with label files
            (Audacity label tracks, Raven selection tables) beside them, or a CSV with a header.
        audio: folder that the CSV's paths are relative to; the CSV's own folder by default.

    Raises:
        DataError: there is no such file or folder, no class in it, or the CSV lacks a column.
    """
    source = Path(data)
    if audio is not None and not Path(audio).is_dir():
        raise DataError(f"--audio: there is no folder '{audio}'.")
    if source.is_dir():
        if audio is not None:
            raise DataError(f"--audio goes with a CSV, but '{data}' is a folder of recordings.")
        dataset = _read_folder(source)
    elif source.is_file():
        dataset = read_csv(source, Path(audio) if audio is not None else source.parent)
    else:
        raise DataError(f"There is no file or folder '{data}'.")
    if not dataset.labels:
        raise DataError(_nothing_found(dataset))
    return dataset


def find_recordings(
    folder: Path, *, without: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Walk a folder for files with the extension of a sound file, sorted, hidden ones left out.

    Links to folders are not followed. A folder that cannot be opened comes at the end, as if it
    were a recording, so that reading it says so.

    Args:
        folder: where to look.
        without: says of each folder inside it whether it is left out.
    """
    closed: list[OSError] = []
    yield from _find_files(folder, EXTENSIONS, without=without, closed=closed)
    yield from (Path(error.filename) for error in closed)


def _find_files(
    folder: Path,
    extensions: Collection[str],
    *,
    without: Callable[[Path], bool] | None = None,
    closed: list[OSError] | None = None,
) -> Iterator[Path]:
    def note(error: OSError) -> None:
        if closed is not None:
            closed.append(error)

    for parent, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if without is not None:
            folders[:] = [name for name in folders if not without(Path(parent, name))]
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in extensions:
                yield Path(parent, name)


def _nothing_found(dataset: Dataset) -> str:
    if dataset.problems:
        return f"No recording in '{dataset.source}' can be used. First: {dataset.problems[0]}."
    if dataset.recordings:
        return f"'{dataset.source}' holds examples of none of these only, and no class."
    expected = (
        f"There are no labelled recordings in '{dataset.source}'. Expected one sub-folder per "
        "class with sound files in it, recordings with Audacity label tracks or Raven selection "
        "tables beside them, or a CSV with the columns path and label."
    )
    return " ".join((expected, *dataset.notes[:2]))


def _read_folder(folder: Path) -> Dataset:
    source, closed = str(folder), []
    recordings = list(_find_files(folder, EXTENSIONS, closed=closed))
    texts = _find_files(folder, LABEL_EXTENSIONS)
    findings = []
    for error in closed:
        # Nobody can say what it holds: it may be a whole class.
        inside = os.path.relpath(error.filename, folder).replace(os.sep, "/")
        path = source if inside == "." else inside
        findings.append(Finding("closed-folder", path, {"cause": error.strerror or str(error)}))
    # Somebody may believe these to be among the recordings.
    kinds = [file.suffix.lower() for file in _find_files(folder, _OTHER_SOUNDS)]
    if kinds:
        facts = {"count": len(kinds), "kinds": sorted(set(kinds))}
        findings.append(Finding("passed-over", source, facts))
    annotated, strays = read_annotated(folder, recordings, texts)
    if annotated is not None:
        return replace(annotated, findings=(*findings, *annotated.findings))
    outer = {item.path.split("/")[0] for item in findings if item.code == "closed-folder"}
    classes = _read_classes(folder, recordings, outer)
    return replace(classes, findings=(*findings, *strays, *classes.findings))


def _read_classes(folder: Path, files: Sequence[Path], closed: Collection[str]) -> Dataset:
    """Read a folder with a sub-folder per class; `closed` are those that cannot be opened."""
    recordings, loose = [], 0
    for file in files:
        parts = file.relative_to(folder).parts
        if len(parts) == 1:
            loose += 1
            continue
        path = "/".join(parts)
        recordings.append(Recording(path=path, file=file, label=parts[0], group=path))
    recordings.sort(key=lambda item: item.path)
    findings = []
    if loose:
        facts = {"count": loose, "folder": str(folder)}
        findings.append(Finding("loose-recordings", str(folder), facts))
    known = {item.label for item in recordings} | set(closed)
    findings += (
        Finding("folder-without-recordings", str(folder), {"folder": name})
        for name in _folders_in(folder)
        if not name.startswith(".") and name not in known
    )
    return Dataset(str(folder), tuple(recordings), tuple(findings))


def _folders_in(folder: Path) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # The walk has told of it.
        return []
    return [name for name in names if os.path.isdir(folder / name)]
