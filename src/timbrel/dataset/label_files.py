"""Read label files: Audacity label tracks and Raven selection tables.

Sources: "Importing and Exporting Labels" in the Audacity manual, and its `LabelStruct::Import`;
the Raven Pro User's Manual, and for tables over several sound files the readers of Koogu and
Rraven: a selection begins `File Offset (s)` into `Begin File` and is as long as its times say.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
        faults: line and what is wrong with it; line 0 for the whole file.
        column: of a selection table, the name of the column with the labels.
        usual: whether that column was chosen by its name, not because there is no other.
    """

    known: bool = True
    stretches: tuple[Stretch, ...] = ()
    faults: tuple[tuple[int, str], ...] = ()
    column: str | None = None
    usual: bool = True


def read_label_file(file: Path) -> LabelFile:
    """Read a label track or a selection table, in UTF-8 or UTF-16, with or without a mark.

    Whatever is wrong with the file or a row of it is among the faults. A blank file is not known
    and has none.
    """
    try:
        with open(file, "rb") as stream:
            content = stream.read(_HEAD)
            reader = _reader_of(_lines(content, errors="replace"))
            if reader is not None:
                content += stream.read()
    except OSError as error:
        return LabelFile(False, faults=((0, f"it cannot be read: {error.strerror or error}"),))
    if reader is None:
        fault = (
            "it is neither an Audacity label track (start, end and label, with tabs between them) "
            "nor a Raven selection table (with a column 'Begin Time (s)')"
        )
        return LabelFile(False, faults=((0, fault),) if content.strip() else ())
    try:
        return reader(_lines(content))
    except UnicodeDecodeError:
        fault = "it is not text in UTF-8; save it again with the encoding UTF-8"
        return LabelFile(faults=((0, fault),))


def _lines(content: bytes, errors: str = "strict") -> list[str]:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif 0 in content[:2]:
        encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    else:
        encoding = "utf-8-sig"
    text = content.decode(encoding, errors)
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _reader_of(lines: Sequence[str]) -> Callable[[Sequence[str]], LabelFile] | None:
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


def _stretch(line: int, start: float, end: float, *, label: str, file: str = "") -> Stretch | str:
    """Make a stretch, or say what is wrong with it."""
    if start == end:
        return "it marks a point in time and no stretch; give it a length or delete it"
    if not 0 <= start < end < math.inf:
        return f"its start must be at least 0 and before its end. Got {start:g} and {end:g}"
    if not label:
        return "it has no label; fill it in or delete the row"
    return Stretch(line, start, end, label, file)


def _sorted_out(read: Iterator[tuple[int, Stretch | str]]) -> dict[str, tuple]:
    rows = list(read)
    return {
        "stretches": tuple(item for _, item in rows if isinstance(item, Stretch)),
        "faults": tuple((line, item) for line, item in rows if isinstance(item, str)),
    }


# Audacity


def _read_label_track(lines: Sequence[str]) -> LabelFile:
    # A line that begins with a backslash holds the frequencies of the label above it.
    rows = (
        (number, _label(number, line.split("\t")))
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("\\")
    )
    return LabelFile(**_sorted_out(rows))


def _label(line: int, cells: list[str]) -> Stretch | str:
    while len(cells) > 3 and not cells[-1].strip():
        cells.pop()
    start = _number(cells[0])
    if start is None:
        return f"it must begin with a number of seconds. Got '{cells[0].strip()}'"
    if len(cells) > 3:
        return (
            f"it has {len(cells)} columns, not start, end and label; take the tab out of the label"
        )
    end = _number(cells[1]) if len(cells) > 1 else None
    if end is None and len(cells) == 3:
        return f"its end must be a number of seconds. Got '{cells[1].strip()}'"
    # A line with one time only is how older versions wrote a point.
    label = cells[2].strip() if len(cells) == 3 else ""
    return _stretch(line, start, start if end is None else end, label=label)


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


def _read_selections(lines: Sequence[str]) -> LabelFile:
    filled = [(number, _cells(line)) for number, line in enumerate(lines, 1) if line.strip()]
    header = filled[0][1]
    names = _names(lines[filled[0][0] - 1])
    if _END not in names:
        fault = "it has no column 'End Time (s)'; show that column in Raven and save it again"
        return LabelFile(faults=((0, fault),))
    column = _label_column(header, names, [cells for _, cells in filled[1:]])
    if isinstance(column, str):
        return LabelFile(faults=((0, column),))
    rows, faults = [], []
    for line, cells in filled[1:]:
        if any(cells[len(names) :]):
            faults.append((line, f"it has {len(cells)} cells and the header {len(names)}"))
            continue
        cells += [""] * (len(names) - len(cells))
        rows.append(_Row(line, dict(zip(names, cells, strict=False)), cells[column]))
    rows = _one_view(rows)
    several = len({_base(row.file) for row in rows if row.file}) > 1
    read = _sorted_out((row.line, _selection(row, several)) for row in rows)
    return LabelFile(
        stretches=read["stretches"],
        faults=tuple(sorted((*faults, *read["faults"]))),
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


def _label_column(
    header: Sequence[str], names: Sequence[str], rows: Sequence[Sequence[str]]
) -> int | str:
    """The number of the column with the labels, or why there is no saying."""
    if _CHOSEN in names:
        return names.index(_CHOSEN)
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
    found = filled or found[:1]
    if len(found) == 1:
        return found[0]
    if not found:
        return "it has no column for the labels; add one in Raven and call it 'label'"
    listed = ", ".join(f"'{header[number]}'" for number in found)
    return f"any of its columns {listed} may hold the labels; rename the one that does to 'label'"


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


def _selection(row: _Row, several: bool) -> Stretch | str:
    times = {}
    for name in (_BEGIN, _END, _OFFSET):
        text = row.get(name)
        times[name] = _number(text)
        if times[name] is None and (text or name != _OFFSET):
            title = {_BEGIN: "Begin Time", _END: "End Time", _OFFSET: "File Offset"}[name]
            return f"its {title} must be a number of seconds. Got '{text}'"
    start, end, offset = times[_BEGIN], times[_END], times[_OFFSET]
    ends_in = _base(row.get("end path") or row.get("end file"))
    if row.file and ends_in and ends_in != _base(row.file):
        return "it begins in one sound file and ends in another; split it where they meet"
    if offset is None and several:
        return (
            "the table is of several sound files and does not say where in its file this begins; "
            "add the measurement File Offset in Raven and save the table again"
        )
    if offset is not None and abs(offset - start) > _SAME_TIME:
        if not row.file:
            return (
                "it lies in a sound file that the table does not name; add the measurement Begin "
                "File in Raven and save the table again"
            )
        # Rounding takes the noise of the subtraction away.
        start, end = offset, round(offset + end - start, 6)
    return _stretch(row.line, start, end, label=row.label, file=row.file)
