"""Read `DATA`: a folder of recordings, by class or with label files, or a CSV."""

from __future__ import annotations

import csv
import io
import math
import os
import posixpath
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from timbrel.audio.decode import EXTENSIONS
from timbrel.dataset.annotations import LABEL_EXTENSIONS, read_annotated
from timbrel.dataset.recording import Dataset, Recording, settle_repeats
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

# Files that are, or contain, sound but cannot be read: a finding counts them.
_OTHER_SOUNDS = frozenset(
    f".{name}"
    for name in (
        *("m4a", "m4b", "aac", "mp4", "mov", "3gp", "3g2", "amr", "wma", "webm", "mka"),
        *("ape", "wv", "tta", "mpc", "ac3", "dts", "dsf", "dff", "ra"),
    )
)


def read_dataset(data: str | os.PathLike, audio: str | os.PathLike | None = None) -> Dataset:
    """Read a data set; no sound file is opened.

    Rows that cannot be used, and what was left out or decided, are among its findings.

    Args:
        data: a folder with one sub-folder per class, a folder of recordings with label files
            (Audacity label tracks, Raven selection tables), or a CSV with a header.
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
        dataset = _read_csv(source, Path(audio) if audio is not None else source.parent)
    else:
        raise DataError(f"There is no file or folder '{data}'.")
    if dataset.labels:
        return dataset
    if dataset.problems:
        raise DataError(
            f"No recording in '{dataset.source}' can be used. First: {dataset.problems[0]}."
        )
    if dataset.recordings:
        raise DataError(f"'{dataset.source}' holds examples of none of these only, and no class.")
    expected = (
        f"There are no labelled recordings in '{dataset.source}'. Expected one sub-folder per "
        "class with sound files in it, recordings with Audacity label tracks or Raven selection "
        "tables beside them, or a CSV with the columns path and label."
    )
    raise DataError(" ".join((expected, *dataset.notes[:2])))


def find_recordings(
    folder: Path, *, without: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Walk a folder for files with the extension of a sound file, sorted, hidden ones left out.

    Links to folders are not followed. A folder that cannot be opened comes at the end, as if it
    were a recording, so that reading it fails with a message.

    Args:
        folder: where to look.
        without: whether a folder inside it is left out.
    """
    closed: list[OSError] = []
    yield from _find_files(folder, EXTENSIONS, without=without, on_error=closed.append)
    yield from (Path(error.filename) for error in closed)


def _find_files(
    folder: Path,
    extensions: Collection[str],
    *,
    without: Callable[[Path], bool] | None = None,
    on_error: Callable[[OSError], object] | None = None,
) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if without is not None:
            folders[:] = [name for name in folders if not without(Path(parent, name))]
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in extensions:
                yield Path(parent, name)


def _read_csv(file: Path, audio: Path) -> Dataset:
    """Read a CSV with a header; `audio` is the folder that its paths are relative to."""
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
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(
            f"'{file}' is not a CSV: {error}, near line {reader.line_num}. Look for a quote that "
            "is not closed."
        ) from error
    names = [name.strip().lower() for name in rows[0][1]] if rows else []
    columns: dict[str, int] = {}
    for meaning, accepted in COLUMNS.items():
        present = [name for name in accepted if name in names]
        if present:
            columns[meaning] = names.index(present[0])
        elif meaning in ("path", "label"):
            raise DataError(
                f"'{file}' has no column for the {meaning}. Expected one of "
                f"{', '.join(accepted)} in its header. Got {', '.join(names) or 'nothing'}."
            )
    recordings: list[Recording] = []
    findings: list[Finding] = []
    for number, row in rows[1:]:
        name = f"{file.name}, row {number}"
        if any(cell.strip() for cell in row[len(names) :]):
            facts = {"cells": len(row), "columns": len(names)}
            findings.append(Finding("csv-columns", name, facts))
            continue
        cells = dict.fromkeys(COLUMNS, "")
        cells |= {key: row[index].strip() for key, index in columns.items() if index < len(row)}
        item = _recording(name, cells, audio)
        if isinstance(item, Recording):
            recordings.append(item)
        else:
            findings.append(item)
    kept, more = settle_repeats(recordings, str(file))
    return Dataset(str(file), tuple(kept), (*findings, *more))


def _recording(row: str, cells: dict[str, str], audio: Path) -> Recording | Finding:
    """Make a recording of a row, or a finding where it cannot be used."""
    path = cells["path"]
    for column in ("path", "label"):
        if not cells[column]:
            return Finding("empty-cell", row, {"column": column})
    times: dict[str, float | None] = {}
    for column in ("start", "end"):
        try:
            times[column] = float(cells[column]) if cells[column] else None
        except ValueError:
            return Finding("not-a-number", row, {"column": column, "text": cells[column]})
    start, end = times["start"], times["end"]
    if not 0 <= (start or 0.0) < (math.inf if end is None else end):
        return Finding("wrong-times", row, {"times": [start, end]})
    if "\0" in path:
        return Finding("impossible-path", row)
    if not os.path.exists(audio / path):
        path = path.replace("\\", "/")
    return Recording(
        path=path,
        file=audio / path,
        label=cells["label"],
        group=cells["group"] or posixpath.normpath(path),
        fold=cells["fold"] or None,
        start=start,
        end=end,
    )


def _read_folder(folder: Path) -> Dataset:
    """Read a folder with label files or, where there are none, with a sub-folder per class."""
    source = str(folder)
    closed: list[OSError] = []
    files = list(_find_files(folder, EXTENSIONS, on_error=closed.append))
    findings = []
    for error in closed:
        # Its content is not known: it may be a whole class.
        inside = os.path.relpath(error.filename, folder).replace(os.sep, "/")
        path = source if inside == "." else inside
        findings.append(Finding("closed-folder", path, {"cause": error.strerror or str(error)}))
    # The user may believe these to be among the recordings.
    kinds = [file.suffix.lower() for file in _find_files(folder, _OTHER_SOUNDS)]
    if kinds:
        facts = {"count": len(kinds), "kinds": sorted(set(kinds))}
        findings.append(Finding("passed-over", source, facts))
    annotated, strays = read_annotated(folder, files, _find_files(folder, LABEL_EXTENSIONS))
    if annotated is not None:
        return replace(annotated, findings=(*findings, *annotated.findings))

    # Folders that cannot be opened need no second finding.
    known = {item.path.split("/")[0] for item in findings if item.code == "closed-folder"}
    findings += strays
    recordings, loose = [], 0
    for file in files:
        parts = file.relative_to(folder).parts
        if len(parts) == 1:
            loose += 1
            continue
        path = "/".join(parts)
        recordings.append(Recording(path=path, file=file, label=parts[0], group=path))
        known.add(parts[0])
    if loose:
        facts = {"count": loose, "folder": source}
        findings.append(Finding("loose-recordings", source, facts))
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # There is a finding about it.
        names = []
    findings += (
        Finding("folder-without-recordings", source, {"folder": name})
        for name in names
        if not name.startswith(".") and name not in known and os.path.isdir(folder / name)
    )
    recordings.sort(key=lambda item: item.path)
    return Dataset(source, tuple(recordings), tuple(findings))
