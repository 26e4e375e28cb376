"""Read label files: Audacity label tracks and Raven selection tables.

Sources: "Importing and Exporting Labels" in the Audacity manual, and its `LabelStruct::Import`;
the Raven Pro User's Manual, and for tables over several sound files the readers of Koogu and
Rraven: a selection begins at `File Offset (s)` of `Begin File` and lasts as long as its times say.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from timbrel.findings import Finding

# Bytes that are read to find out whether a file is a label file.
_HEAD = 1 << 16

# Some programs write decimal commas.
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?")

# Names of columns that hold the labels; `label` goes before all others.
_CHOSEN = "label"
_USUAL = frozenset(
    {
        *("annotation", "annotations", "labels", "species", "common name", "class", "category"),
        *("tag", "tags", "type", "call", "call type", "song type", "sound", "sound type"),
        *("vocalization", "vocalization type", "vocalisation", "vocalisation type", "target"),
    }
)

# Columns that Raven and detectors fill in; most of their other columns end in a unit, as in `(Hz)`.
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
# Most seconds between Begin Time and File Offset, which is rounded more, where both are equal.
_SAME_TIME = 0.01


@dataclass(frozen=True)
class Stretch:
    """A labelled stretch.

    Attributes:
        line: its line in the label file, counted from 1.
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
    """The content of a label file.

    Attributes:
        known: whether it is a label track or a selection table.
        stretches: in the order of the file.
        findings: what is wrong with the file, or with lines of it, in their order.
        column: of a selection table, the name of the column with the labels.
        usual: whether that column was chosen by its name, not because it is the only one left.
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
        name: its name in findings; that of the file by default.
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
    for cells in (line.split("\t") for line in lines):
        if len(cells) == 3 and None not in (_number(cells[0]), _number(cells[1])):
            return _read_label_track
    return None


def _number(text: str) -> float | None:
    """A number with a decimal point or comma; None for anything else."""
    text = text.strip()
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None


def _stretch(
    row: str, line: int, start: float, end: float, *, label: str, file: str = ""
) -> Stretch | Finding:
    """Make a stretch, or a finding where it cannot be one."""
    if start == end:
        return Finding("label-point", row)
    if not 0 <= start < end < math.inf:
        return Finding("wrong-times", row, {"times": [start, end]})
    if not label:
        return Finding("empty-cell", row, {"column": "label"})
    return Stretch(line, start, end, label, file)


def _read_label_track(name: str, lines: Sequence[str]) -> LabelFile:
    """Read what Audacity exports."""

    def parse(line: int, cells: list[str]) -> Stretch | Finding:
        row = f"{name}, line {line}"
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
        # Older versions wrote a point as a line with one time only.
        label = cells[2].strip() if len(cells) == 3 else ""
        return _stretch(row, line, start, start if end is None else end, label=label)

    # A line that begins with a backslash holds the frequencies of the label above it.
    rows = [
        parse(number, line.split("\t"))
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("\\")
    ]
    return LabelFile(
        stretches=tuple(item for item in rows if isinstance(item, Stretch)),
        findings=tuple(item for item in rows if isinstance(item, Finding)),
    )


@dataclass(frozen=True)
class _Selection:
    """A row of a selection table: its cells by the names of their columns."""

    line: int
    cells: dict[str, str]
    label: str

    @property
    def file(self) -> str:
        """The sound file that the selection begins in, by its path where that is given."""
        path, name = self.cells.get("begin path", ""), self.cells.get("begin file", "")
        return path if not name or _base(path) == _base(name) else name

    @property
    def identity(self) -> tuple[str, ...]:
        """What the rows of one selection in several views have in common."""
        columns = ("selection", _BEGIN, _END, _OFFSET)
        return (*(self.cells.get(column, "") for column in columns), self.file)


def _read_selections(name: str, lines: Sequence[str]) -> LabelFile:
    """Read a table that Raven, or a program like it, has saved."""
    filled = [(number, _cells(line)) for number, line in enumerate(lines, 1) if line.strip()]
    (first, header), *filled = filled
    names = _names(lines[first - 1])
    if _END not in names:
        return LabelFile(findings=(Finding("selections-without-end", name),))
    # The columns that may hold the labels: one where it is clear.
    usual = [number for number, column in enumerate(names) if column in _USUAL]
    others = [
        number
        for number, column in enumerate(names)
        if column and column not in _MEASURED and not column.endswith(_MEASURED_ENDS)
    ]
    found = [names.index(_CHOSEN)] if _CHOSEN in names else usual or others
    if not found:
        return LabelFile(findings=(Finding("selections-without-label", name),))
    columns = [
        number
        for number in found
        if any(number < len(cells) and cells[number] for _, cells in filled)
    ] or found[:1]
    if len(columns) > 1:
        facts = {"columns": [header[number] for number in columns]}
        return LabelFile(findings=(Finding("selections-of-many-labels", name, facts),))
    (column,) = columns
    rows: list[_Selection] = []
    findings: dict[int, Finding] = {}
    for line, cells in filled:
        if any(cells[len(names) :]):
            counts = {"cells": len(cells), "columns": len(names)}
            findings[line] = Finding("table-columns", f"{name}, line {line}", counts)
            continue
        cells += [""] * (len(names) - len(cells))
        rows.append(_Selection(line, dict(zip(names, cells, strict=False)), cells[column]))
    # Raven writes a row of a selection for each view, waveform and spectrogram: keep one.
    labelled = {row.identity for row in rows if row.label}
    chosen: dict[tuple, _Selection] = {}
    for row in rows:
        if row.label or row.identity not in labelled:
            # Rows without a number are distinguished by their line.
            line = 0 if row.cells.get("selection") else row.line
            chosen.setdefault((*row.identity, row.label, line), row)
    several = len({_base(row.file) for row in chosen.values() if row.file}) > 1
    stretches = []
    for row in chosen.values():
        item = _parse_selection(f"{name}, line {row.line}", row, several=several)
        if isinstance(item, Stretch):
            stretches.append(item)
        else:
            findings[row.line] = item
    return LabelFile(
        stretches=tuple(stretches),
        findings=tuple(findings[line] for line in sorted(findings)),
        column=header[column],
        usual=names[column] in (*_USUAL, _CHOSEN),
    )


def _cells(line: str) -> list[str]:
    """The cells of a row, without the quotes that a spreadsheet program puts around some."""
    cells = [cell.strip() for cell in line.split("\t")]
    return [
        cell[1:-1].replace('""', '"').strip()
        if len(cell) > 1 and cell[0] == cell[-1] == '"'
        else cell
        for cell in cells
    ]


def _names(header: str) -> list[str]:
    return [" ".join(cell.replace("_", " ").split()).casefold() for cell in _cells(header)]


def _base(path: str) -> str:
    return re.split(r"[\\/]", path)[-1].casefold()


def _parse_selection(name: str, row: _Selection, *, several: bool) -> Stretch | Finding:
    """Make a stretch of a row; `several`: whether the table is of several sound files."""
    times: dict[str, float] = {}
    titles = {_BEGIN: "Begin Time", _END: "End Time", _OFFSET: "File Offset"}
    for column, title in titles.items():
        text = row.cells.get(column, "")
        value = _number(text)
        if value is not None:
            times[column] = value
        elif text or column != _OFFSET:
            return Finding("not-a-number", name, {"column": title, "text": text})
    start, end, offset = times[_BEGIN], times[_END], times.get(_OFFSET)
    ends_in = _base(row.cells.get("end path") or row.cells.get("end file", ""))
    if row.file and ends_in and ends_in != _base(row.file):
        return Finding("selection-over-files", name)
    if offset is None and several:
        return Finding("selection-without-offset", name)
    if offset is not None and abs(offset - start) > _SAME_TIME:
        if not row.file:
            return Finding("selection-without-file", name)
        # Rounding removes the error of the subtraction.
        start, end = offset, round(offset + end - start, 6)
    return _stretch(name, row.line, start, end, label=row.label, file=row.file)
