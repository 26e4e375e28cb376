"""Read label files: Audacity label tracks and Raven selection tables.

Sources: "Importing and Exporting Labels" in the Audacity manual, and its `LabelStruct::Import`;
the Raven Pro User's Manual, and for tables over several sound files the readers of Koogu and
Rraven: a selection begins `File Offset (s)` into `Begin File` and is as long as its times say.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from timbrel.findings import Finding

# What is read of a file to see whether it is a label file at all.
_HEAD = 1 << 16

# Some programs write decimal commas.
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?")

# Columns that hold the label by the name that people give them, `label` before all others.
_CHOSEN = "label"
_USUAL = frozenset(
    {
        *("annotation", "annotations", "labels", "species", "common name", "class", "category"),
        *("tag", "tags", "type", "call", "call type", "song type", "sound", "sound type"),
        *("vocalization", "vocalization type", "vocalisation", "vocalisation type", "target"),
    }
)

# Columns that Raven and detectors fill in; most others of theirs end in a unit, as in `(Hz)`.
_MEASURED = frozenset(
    {
        *("selection", "view", "channel", "begin file", "end file", "begin path", "end path"),
        *("begin clock time", "end clock time", "begin date", "end date", "begin date time"),
        *("end date time", "begin hour", "end hour", "occupancy", "pfc num inf pts"),
        *("score", "confidence", "rank"),
    }
)
_MEASURED_ENDS = (")", " rel.", " relative")

_BEGIN, _END, _OFFSET = "begin time (s)", "end time (s)", "file offset (s)"
# How far Begin Time and File Offset, which is rounded more, may differ and still be the same.
_SAME_TIME = 0.01


@dataclass(frozen=True)
class Stretch:
    """A labelled stretch.

    Attributes:
        line: where it stands in its file, counted from 1.
        start, end: in seconds of the recording.
        label: as text.
        file: the recording as the label file names it, name or path; empty where it names none.
    """

    line: int
    start: float
    end: float
    label: str
    file: str = ""


@dataclass(frozen=True)
class LabelFile:
    """What a label file says.

    Attributes:
        known: whether it is a label track or a selection table at all.
        stretches: in the order of the file.
        findings: what is wrong with the file, or with lines of it, in their order.
        column: of a selection table, the name of the column with the labels.
        usual: whether that column was chosen by its name, not because there is no other.
    """

    known: bool = True
    stretches: tuple[Stretch, ...] = ()
    findings: tuple[Finding, ...] = ()
    column: str | None = None
    usual: bool = True


def read_label_file(file: Path, name: str | None = None) -> LabelFile:
    """Read a label track or a selection table, in UTF-8 or UTF-16, with or without a mark.

    Whatever is wrong with the file or a row of it is among the findings. A blank file is not known
    and has none.

    Args:
        file: the file.
        name: what to call it in findings; its name by default.
    """
    name = file.name if name is None else name
    try:
        with open(file, "rb") as stream:
            content = stream.read(_HEAD)
            reader = _reader_of(_lines(content, errors="replace"))
            if reader is not None:
                content += stream.read()
    except OSError as error:
        facts = {"cause": error.strerror or str(error)}
        return LabelFile(False, findings=(Finding("label-file-unreadable", name, facts),))
    if reader is None:
        blank = not content.strip()
        return LabelFile(False, findings=() if blank else (Finding("label-file-unknown", name),))
    try:
        return reader(name, _lines(content))
    except UnicodeDecodeError:
        return LabelFile(findings=(Finding("label-file-encoding", name),))


def _lines(content: bytes, errors: str = "strict") -> list[str]:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif 0 in content[:2]:
        encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    else:
        encoding = "utf-8-sig"
    text = content.decode(encoding, errors)
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _reader_of(lines: Sequence[str]) -> Callable[[str, Sequence[str]], LabelFile] | None:
    header = next((line for line in lines if line.strip()), "")
    if _BEGIN in _names(header):
        return _read_selections
    if any(_is_label(line.split("\t")) for line in lines):
        return _read_label_track
    return None


def _is_label(cells: Sequence[str]) -> bool:
    return len(cells) == 3 and _number(cells[0]) is not None and _number(cells[1]) is not None


def _number(text: str) -> float | None:
    """A number with a decimal point or comma; None for anything else."""
    text = text.strip()
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None


def _stretch(
    row: str, line: int, start: float, end: float, *, label: str, file: str = ""
) -> Stretch | Finding:
    """Make a stretch, or say what is wrong with it."""
    if start == end:
        return Finding("label-point", row)
    if not 0 <= start < end < math.inf:
        return Finding("wrong-times", row, {"times": [start, end]})
    if not label:
        return Finding("empty-cell", row, {"column": "label"})
    return Stretch(line, start, end, label, file)


def _row_name(name: str, line: int) -> str:
    return f"{name}, line {line}"


# Audacity


def _read_label_track(name: str, lines: Sequence[str]) -> LabelFile:
    # A line that begins with a backslash holds the frequencies of the label above it.
    rows = [
        _label(_row_name(name, number), number, line.split("\t"))
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("\\")
    ]
    return LabelFile(
        stretches=tuple(item for item in rows if isinstance(item, Stretch)),
        findings=tuple(item for item in rows if isinstance(item, Finding)),
    )


def _label(row: str, line: int, cells: list[str]) -> Stretch | Finding:
    while len(cells) > 3 and not cells[-1].strip():
        cells.pop()
    start = _number(cells[0])
    if start is None:
        return Finding("label-start", row, {"text": cells[0].strip()})
    if len(cells) > 3:
        return Finding("label-columns", row, {"cells": len(cells)})
    end = _number(cells[1]) if len(cells) > 1 else None
    if end is None and len(cells) == 3:
        return Finding("not-a-number", row, {"column": "end", "text": cells[1].strip()})
    # A line with one time only is how older versions wrote a point.
    label = cells[2].strip() if len(cells) == 3 else ""
    return _stretch(row, line, start, start if end is None else end, label=label)


# Raven


@dataclass(frozen=True)
class _Row:
    line: int
    cells: dict[str, str]
    label: str

    def get(self, name: str) -> str:
        return self.cells.get(name, "")

    @property
    def file(self) -> str:
        """The sound file that the selection begins in, by its path where that is given."""
        path, name = self.get("begin path"), self.get("begin file")
        return path if not name or _base(path) == _base(name) else name

    @property
    def same(self) -> tuple[str, ...]:
        """What the rows of one selection in several views have in common."""
        return (*map(self.get, ("selection", _BEGIN, _END, _OFFSET)), self.file)


def _read_selections(name: str, lines: Sequence[str]) -> LabelFile:
    filled = [(number, _cells(line)) for number, line in enumerate(lines, 1) if line.strip()]
    header = filled[0][1]
    names = _names(lines[filled[0][0] - 1])
    if _END not in names:
        return LabelFile(findings=(Finding("selections-without-end", name),))
    columns = _label_columns(names, [cells for _, cells in filled[1:]])
    if not columns:
        return LabelFile(findings=(Finding("selections-without-label", name),))
    if len(columns) > 1:
        facts = {"columns": [header[number] for number in columns]}
        return LabelFile(findings=(Finding("selections-of-many-labels", name, facts),))
    (column,) = columns
    rows, findings = [], {}
    for line, cells in filled[1:]:
        if any(cells[len(names) :]):
            facts = {"cells": len(cells), "columns": len(names)}
            findings[line] = Finding("table-columns", _row_name(name, line), facts)
            continue
        cells += [""] * (len(names) - len(cells))
        rows.append(_Row(line, dict(zip(names, cells, strict=False)), cells[column]))
    rows = _one_view(rows)
    several = len({_base(row.file) for row in rows if row.file}) > 1
    stretches = []
    for row in rows:
        item = _selection(_row_name(name, row.line), row, several=several)
        if isinstance(item, Stretch):
            stretches.append(item)
        else:
            findings[row.line] = item
    return LabelFile(
        stretches=tuple(stretches),
        findings=tuple(findings[line] for line in sorted(findings)),
        column=header[column],
        usual=names[column] in _USUAL or names[column] == _CHOSEN,
    )


def _cells(line: str) -> list[str]:
    return [_unquoted(cell.strip()) for cell in line.split("\t")]


def _unquoted(cell: str) -> str:
    """The text of a cell that a spreadsheet program has put in quotes."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"').strip()
    return cell


def _names(header: str) -> list[str]:
    return [" ".join(cell.replace("_", " ").split()).casefold() for cell in _cells(header)]


def _base(path: str) -> str:
    return re.split(r"[\\/]", path)[-1].casefold()


def _label_columns(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """The numbers of the columns that may hold the labels; one where it is clear."""
    if _CHOSEN in names:
        return [names.index(_CHOSEN)]
    usual = [number for number, name in enumerate(names) if name in _USUAL]
    others = [
        number
        for number, name in enumerate(names)
        if name and name not in _MEASURED and not name.endswith(_MEASURED_ENDS)
    ]
    found = usual or others
    filled = [
        number for number in found if any(number < len(cells) and cells[number] for cells in rows)
    ]
    return filled or found[:1]


def _one_view(rows: Sequence[_Row]) -> list[_Row]:
    """One row for each selection: Raven writes one for each view, waveform and spectrogram."""
    labelled = {row.same for row in rows if row.label}
    chosen: dict[tuple, _Row] = {}
    for row in rows:
        if row.label or row.same not in labelled:
            # Rows without a number are told apart by their line.
            key = (*row.same, row.label, "" if row.get("selection") else row.line)
            chosen.setdefault(key, row)
    return list(chosen.values())


def _selection(name: str, row: _Row, *, several: bool) -> Stretch | Finding:
    """Make a stretch of a row, or say what is wrong with it.

    Args:
        name: what to call the row.
        row: the row.
        several: whether the table is of several sound files.
    """
    times = {}
    for column, title in (
        (_BEGIN, "Begin Time"),
        (_END, "End Time"),
        (_OFFSET, "File Offset"),
    ):
        text = row.get(column)
        times[column] = _number(text)
        if times[column] is None and (text or column != _OFFSET):
            return Finding("not-a-number", name, {"column": title, "text": text})
    start, end, offset = times[_BEGIN], times[_END], times[_OFFSET]
    ends_in = _base(row.get("end path") or row.get("end file"))
    if row.file and ends_in and ends_in != _base(row.file):
        return Finding("selection-over-files", name)
    if offset is None and several:
        return Finding("selection-without-offset", name)
    if offset is not None and abs(offset - start) > _SAME_TIME:
        if not row.file:
            return Finding("selection-without-file", name)
        # Rounding takes the noise of the subtraction away.
        start, end = offset, round(offset + end - start, 6)
    return _stretch(name, row.line, start, end, label=row.label, file=row.file)
