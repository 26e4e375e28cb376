"""Read `DATA`: a folder with one sub-folder per class, or a CSV of paths and labels."""

from __future__ import annotations

import csv
import io
import os
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from timbrel.audio.decode import EXTENSIONS
from timbrel.errors import DataError

COLUMNS = {
    "path": ("path", "fname", "filename", "file"),
    "label": ("label", "category", "class", "target"),
    "group": ("group", "speaker", "site", "src_file"),
    "fold": ("fold",),
    "start": ("start",),
    "end": ("end",),
}

# Labels (whatever their case) of examples that belong to no class.
NONE_OF_THESE = frozenset({"noise", "silence", "background", "unknown"})


@dataclass(frozen=True)
class Recording:
    """One labelled recording, or a stretch of one.

    Attributes:
        path: as the data names it, joined with `/`.
        file: where it lies.
        label: its class as text.
        group: recordings that must not be torn apart by a split share it.
        fold: the data's own fold, or None.
        start, end: the stretch in seconds, or None for all of it.
    """

    path: str
    file: Path
    label: str
    group: str
    fold: str | None = None
    start: float | None = None
    end: float | None = None

    @property
    def none_of_these(self) -> bool:
        """Whether it is an example of no class."""
        return self.label.casefold() in NONE_OF_THESE

    @property
    def name(self) -> str:
        """The path, and the stretch where there is one."""
        if self.start is None and self.end is None:
            return self.path
        end = "end" if self.end is None else f"{self.end:g}"
        return f"{self.path} [{self.start or 0:g}–{end} s]"


@dataclass(frozen=True)
class Problem:
    """A recording that cannot be used, or a row that names none.

    Attributes:
        path: the recording or row.
        message: what is wrong and what to do.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True)
class Dataset:
    """Labelled recordings.

    Attributes:
        source: what the user named.
        recordings: in the order of the CSV, or sorted by path.
        problems: rows that could not be used.
        notes: what was passed over, in sentences.
    """

    source: str
    recordings: tuple[Recording, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """The classes, sorted; examples of none of these are not among them."""
        return sorted({item.label for item in self.recordings if not item.none_of_these})

    def counts(self) -> Counter[str]:
        """Recordings per label."""
        return Counter(item.label for item in self.recordings)


def read_dataset(data: str | os.PathLike, audio: str | os.PathLike | None = None) -> Dataset:
    """Read a data set; no sound file is opened.

    Args:
        data: a folder with one sub-folder per class, or a CSV with a header.
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
    if not dataset.labels:
        raise DataError(_nothing_found(dataset))
    return dataset


def find_recordings(folder: Path) -> Iterator[Path]:
    """Walk a folder for files with the extension of a sound file, sorted, hidden ones left out."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS:
                yield Path(parent, name)


def _nothing_found(dataset: Dataset) -> str:
    if dataset.problems:
        return f"No recording in '{dataset.source}' can be used. First: {dataset.problems[0]}."
    if dataset.recordings:
        return f"'{dataset.source}' holds examples of none of these only, and no class."
    return (
        f"There are no recordings in '{dataset.source}'. Expected one sub-folder per class "
        "with sound files in it, or a CSV with the columns path and label."
    )


def _read_folder(folder: Path) -> Dataset:
    recordings, loose = [], 0
    for file in find_recordings(folder):
        parts = file.relative_to(folder).parts
        if len(parts) == 1:
            loose += 1
            continue
        path = "/".join(parts)
        recordings.append(Recording(path=path, file=file, label=parts[0], group=path))
    recordings.sort(key=lambda item: item.path)
    notes = []
    if loose:
        lie = "recording lies" if loose == 1 else "recordings lie"
        left = "is" if loose == 1 else "are"
        notes.append(
            f"{loose} {lie} directly in '{folder}', in no class folder, and {left} left out."
        )
    classes = {item.label for item in recordings}
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in classes:
            notes.append(f"The folder '{entry.name}' holds no sound file of a known kind.")
    return Dataset(source=str(folder), recordings=tuple(recordings), notes=tuple(notes))


def _read_csv(file: Path, audio: Path) -> Dataset:
    columns, width, rows = _rows(file)
    recordings, problems = [], []
    for number, row in rows:
        if any(cell.strip() for cell in row[width:]):
            message = (
                f"it has {len(row)} cells and the header {width}; put text with commas in quotes"
            )
            problems.append(Problem(f"{file.name}, row {number}", message))
            continue
        values = {name: (row[index] if index < len(row) else "") for name, index in columns.items()}
        item = _recording(values, audio)
        if isinstance(item, Recording):
            recordings.append(item)
        else:
            problems.append(Problem(f"{file.name}, row {number}", item))
    kept, more, notes = _settle_repeats(recordings)
    return Dataset(
        source=str(file), recordings=tuple(kept), problems=(*problems, *more), notes=notes
    )


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


def _recording(values: dict[str, str], audio: Path) -> Recording | str:
    """Make a recording of a row, or say what is wrong with the row."""
    path, label = values["path"].strip(), values["label"].strip()
    if not path or not label:
        return f"it has no {'path' if not path else 'label'}; fill it in or delete the row"
    stretch = {}
    for name in ("start", "end"):
        text = values.get(name, "").strip()
        try:
            stretch[name] = float(text) if text else None
        except ValueError:
            return f"its {name} must be a number of seconds. Got '{text}'"
    start, end = stretch["start"], stretch["end"]
    if not (0 <= (start or 0.0) < (float("inf") if end is None else end)):
        return f"its start must be at least 0 and before its end. Got {start} and {end}"
    if "\0" in path:
        return "its path holds a character that no file name can"
    if not (audio / path).exists():
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


def _settle_repeats(
    recordings: Iterable[Recording],
) -> tuple[list[Recording], list[Problem], tuple[str, ...]]:
    """Take out rows that contradict another one, and rows that only repeat one."""
    by_path: dict[str, list[Recording]] = {}
    kept: list[Recording] = []
    contradicted: dict[Recording, str] = {}
    repeated = 0
    for item in recordings:
        others = by_path.setdefault(posixpath.normpath(item.path), [])
        if any(_same(item, other) for other in others):
            repeated += 1
            continue
        for other in others:
            if other.label != item.label and _overlap(other, item):
                message = (
                    f"it is labelled both '{other.label}' and '{item.label}' for overlapping "
                    "times; keep one of the rows"
                )
                contradicted |= {item: message, other: message}
        others.append(item)
        kept.append(item)
    problems = dict.fromkeys(Problem(item.path, text) for item, text in contradicted.items())
    notes = ()
    if repeated:
        notes = (
            f"{repeated} {'row repeats' if repeated == 1 else 'rows repeat'} another row and "
            f"{'is' if repeated == 1 else 'are'} left out.",
        )
    return [item for item in kept if item not in contradicted], list(problems), notes


def _same(one: Recording, other: Recording) -> bool:
    return (one.label, one.start, one.end) == (other.label, other.start, other.end)


def _overlap(one: Recording, other: Recording) -> bool:
    infinity = float("inf")
    return (one.start or 0.0) < (infinity if other.end is None else other.end) and (
        other.start or 0.0
    ) < (infinity if one.end is None else one.end)
