"""Audacity label tracks and Raven selection tables, row by row, beside crowsetta's readers."""

import math

import crowsetta
import numpy as np
import pytest
from crowsetta.formats.bbox import AudBBox, Raven
from crowsetta.formats.seq import AudSeq

from timbrel.dataset.label_files import LabelFile, Stretch, read_label_file
from timbrel.findings import Finding

HEADER = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


@pytest.fixture
def read(tmp_path):
    """Write a label file and read it."""

    def write_and_read(content):
        file = tmp_path / "take.txt"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_label_file(file)

    return write_and_read


def triples(labels):
    return [(item.start, item.end, item.label) for item in labels.stretches]


def table(*rows, more="Annotation"):
    """A selection table: number, view, begin, end, then what stands in the further columns."""
    lines = [f"{HEADER}\t{more}" if more else HEADER]
    for number, view, begin, end, *rest in rows:
        cells = (number, view, 1, begin, end, 100.0, 8000.0, *rest)
        lines.append("\t".join(map(str, cells)))
    return "\n".join(lines) + "\n"


# Audacity


def test_a_label_track(read):
    labels = read("0.500000\t1.250000\tdog\n2.000000\t3.500000\tgrey heron, far\n")
    assert labels == LabelFile(
        stretches=(Stretch(1, 0.5, 1.25, "dog"), Stretch(2, 2.0, 3.5, "grey heron, far"))
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "0.1\t0.3\tSP\n\\\t6441.064453\t12296.577148\n0.5\t3.0\tCRER\n\\\t-1.0\t8866.9\n\\\tx\n",
            [(0.1, 0.3, "SP"), (0.5, 3.0, "CRER")],
        ),
        (
            "43352,824046\t43525,837661\tmusic\n1,5\t2\tx\n",
            [(43352.824046, 43525.837661, "music"), (1.5, 2.0, "x")],
        ),
        ("5\t6\tb\n7\t8\tb\n0\t1\ta\n", [(5, 6, "b"), (7, 8, "b"), (0, 1, "a")]),
        ("0\t1\ta\t\t\n2\t3\tb\n", [(0.0, 1.0, "a"), (2.0, 3.0, "b")]),
    ],
    ids=["frequencies", "decimal commas", "several tracks in one file", "tabs at the end"],
)
def test_what_label_tracks_may_hold(read, content, expected):
    labels = read(content)
    assert (triples(labels), labels.findings) == (expected, ())


def test_labels_are_text(read):
    names = ["0", "NA", "nan", "1.0", '"quoted"', "太鼓", "a, b", "True"]
    content = "".join(f"{n}\t{n + 1}\t {name} \n" for n, name in enumerate(names))
    assert [item[2] for item in triples(read(content))] == names


ENCODINGS = [
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "\r\n", "\r", "no last line end"
]  # fmt: skip


def encoded(content, way):
    if way == "no last line end":
        return content.rstrip("\n").encode()
    return content.replace("\n", way).encode() if way[0] == "\r" else content.encode(way)


@pytest.mark.parametrize("way", ENCODINGS)
def test_every_way_to_save_a_file_is_read_alike(read, way):
    track = "0.5\t1.5\tGröße 太\n\\\t1\t2\n\n2\t3\tb\n"
    selections = table((1, "Spectrogram 1", 0.5, 1.5, "Größe 太"), (2, "Spectrogram 1", 2, 3, "b"))
    for content in (track, selections):
        assert triples(read(encoded(content, way))) == [(0.5, 1.5, "Größe 太"), (2.0, 3.0, "b")]


NO_LABEL = {"column": "label"}


@pytest.mark.parametrize(
    ("row", "code", "facts"),
    [
        ("2.5\t2.5\tclick", "label-point", {}),
        ("2.5\t2.5\t", "label-point", {}),
        ("2.5\tclick", "label-point", {}),
        ("2.5", "label-point", {}),
        ("2\t3\t", "empty-cell", NO_LABEL),
        ("2\t3\t ", "empty-cell", NO_LABEL),
        ("2\t3", "empty-cell", NO_LABEL),
        ("3\t2\tx", "wrong-times", {"times": [3, 2]}),
        ("-1\t2\tx", "wrong-times", {"times": [-1, 2]}),
        ("1e999\t2\tx", "wrong-times", {"times": [math.inf, 2]}),
        ("x\t2\t3", "label-start", {"text": "x"}),
        ("nan\t2\t3", "label-start", {"text": "nan"}),
        ("1_0\t20\tx", "label-start", {"text": "1_0"}),
        ("1,000.5\t2000\tx", "label-start", {"text": "1,000.5"}),
        ("0:01\t0:02\tx", "label-start", {"text": "0:01"}),
        ("1\tsoon\tx", "not-a-number", {"column": "end", "text": "soon"}),
        ("1\t2\tx\ty", "label-columns", {"cells": 4}),
        ("some text", "label-start", {"text": "some text"}),
    ],
)
def test_a_bad_label_is_named_by_its_line_and_the_others_are_used(read, row, code, facts):
    labels = read(f"0\t1\ta\n\n{row}\n8\t9\tb\n")
    assert triples(labels) == [(0.0, 1.0, "a"), (8.0, 9.0, "b")]
    assert labels.findings == (Finding(code, "take.txt, line 3", facts),)


# Raven


def test_a_selection_table(read):
    labels = read(table((1, "Spectrogram 1", 1.5, 2.25, "EATO"), (2, "Spectrogram 1", 3, 4, "X")))
    assert labels == LabelFile(
        stretches=(Stretch(2, 1.5, 2.25, "EATO"), Stretch(3, 3.0, 4.0, "X")),
        column="Annotation",
    )


def test_each_selection_counts_once_however_many_views_show_it(read):
    labels = read(
        table(
            (1, "Waveform 1", 1, 2, "a"),
            (1, "Spectrogram 1", 1, 2, "a"),
            (2, "Waveform 1", 3, 4, ""),
            (2, "Spectrogram 1", 3, 4, "b"),
            (3, "Waveform 1", 5, 6, ""),
            (3, "Spectrogram 1", 5, 6, ""),
        )
    )
    assert triples(labels) == [(1.0, 2.0, "a"), (3.0, 4.0, "b")]
    assert labels.findings == (Finding("empty-cell", "take.txt, line 6", NO_LABEL),)


def test_one_number_for_different_selections_hides_none_of_them(read):
    # Tables that were joined begin to count anew.
    labels = read(table((1, "Spectrogram 1", 1, 2, "a"), (1, "Spectrogram 1", 5, 6, "b")))
    assert len(labels.stretches) == 2
    labels = read(table((1, "Spectrogram 1", 1, 2, "a"), (1, "Spectrogram 1", 1, 2, "b")))
    assert len(labels.stretches) == 2


@pytest.mark.parametrize(
    "name",
    [
        *("Annotation", "Species", "label", "Class", "Call type", "Call_Type", "Sound type"),
        *("Common Name", "Tags", "species", "  Type "),
    ],
)
def test_usual_names_of_the_column_with_the_labels(read, name):
    content = table(
        (1, "Spectrogram 1", 1, 2, "clear", "a", "Ann", 0.9),
        more=f"Notes\t{name}\tAnalyst\tScore",
    )
    labels = read(content)
    assert triples(labels) == [(1.0, 2.0, "a")]
    assert (labels.column, labels.usual) == (name.strip(), True)


def test_the_only_column_that_raven_does_not_write_holds_the_labels(read):
    more = "Delta Time (s)\tPeak Freq (Hz)\tAvg Power Density (dB FS/Hz)\tOccupancy\tWer"
    labels = read(table((1, "Spectrogram 1", 1, 2, 1, 440, -75, 3, "Amsel"), more=more))
    assert triples(labels) == [(1.0, 2.0, "Amsel")]
    assert (labels.column, labels.usual) == ("Wer", False)


def test_the_column_called_label_wins_and_an_empty_one_is_no_candidate(read):
    content = table((1, "Spectrogram 1", 1, 2, "x", "y", "z"), more="Annotation\tLabel\tSpecies")
    assert triples(read(content)) == [(1.0, 2.0, "y")]
    content = table((1, "Spectrogram 1", 1, 2, "", "y"), more="Annotation\tSpecies")
    assert triples(read(content)) == [(1.0, 2.0, "y")]
    labels = read(table((1, "Spectrogram 1", 1, 2, "", ""), more="Annotation\tSpecies"))
    assert labels.findings == (Finding("empty-cell", "take.txt, line 2", NO_LABEL),)


@pytest.mark.parametrize(
    ("more", "code", "facts"),
    [
        (
            "Annotation\tSpecies",
            "selections-of-many-labels",
            {"columns": ["Annotation", "Species"]},
        ),
        ("Wer\tWo", "selections-of-many-labels", {"columns": ["Wer", "Wo"]}),
        ("Peak Freq (Hz)\tOccupancy", "selections-without-label", {}),
    ],
)
def test_a_table_whose_labels_cannot_be_told_is_one_finding(read, more, code, facts):
    labels = read(table((1, "Spectrogram 1", 1, 2, "x", "y"), more=more))
    assert (labels.stretches, labels.findings) == ((), (Finding(code, "take.txt", facts),))


def test_a_table_of_several_sound_files(read):
    more = "Begin File\tBegin Path\tFile Offset (s)\tSpecies"
    path = "D:\\survey\\b.wav"
    labels = read(
        table(
            (1, "Spectrogram 1", 1.5, 2.0, "a.wav", "D:\\survey\\a.wav", 1.5, "x"),
            (2, "Spectrogram 1", 61.25, 62.0, "b.wav", path, 1.25, "y"),
            (3, "Spectrogram 1", 61.123456789, 62.123456789, "b.wav", path, 1.1235, "y"),
            more=more,
        )
    )
    assert labels.findings == ()
    assert labels.stretches[0] == Stretch(2, 1.5, 2.0, "x", "D:\\survey\\a.wav")
    assert labels.stretches[1] == Stretch(3, 1.25, 2.0, "y", path)
    assert labels.stretches[2].start == 1.1235
    assert labels.stretches[2].end == pytest.approx(2.1235, abs=1e-9)


def test_an_offset_that_only_rounds_the_time_changes_nothing(read):
    row = (1, "Spectrogram 1", 1.123456789, 2.5, "a.wav", 1.1235, "x")
    content = table(row, more="Begin File\tFile Offset (s)\tSpecies")
    assert triples(read(content)) == [(1.123456789, 2.5, "x")]


def test_a_table_of_several_files_without_offsets_says_so(read):
    content = table(
        (1, "Spectrogram 1", 1, 2, "a.wav", "x"),
        (2, "Spectrogram 1", 61, 62, "b.wav", "x"),
        more="Begin File\tSpecies",
    )
    labels = read(content)
    assert labels.stretches == ()
    assert labels.findings == tuple(
        Finding("selection-without-offset", f"take.txt, line {line}") for line in (2, 3)
    )


@pytest.mark.parametrize(
    ("row", "more", "code", "facts"),
    [
        ((61, 62, 1, "x"), "File Offset (s)\tSpecies", "selection-without-file", {}),
        (
            (1, 2, "a.wav", "b.wav", "x"),
            "Begin File\tEnd File\tSpecies",
            "selection-over-files",
            {},
        ),
        (("soon", 2, "x"), "Species", "not-a-number", {"column": "Begin Time", "text": "soon"}),
        ((1, "", "x"), "Species", "not-a-number", {"column": "End Time", "text": ""}),
        (
            (1, 2, "a.wav", "?", "x"),
            "Begin File\tFile Offset (s)\tSpecies",
            "not-a-number",
            {"column": "File Offset", "text": "?"},
        ),
        ((2, 1, "x"), "Species", "wrong-times", {"times": [2, 1]}),
        ((2, 2, "x"), "Species", "label-point", {}),
        ((1, 2, ""), "Species", "empty-cell", NO_LABEL),
        ((1, 2, "x", "more"), "Species", "table-columns", {"cells": 9, "columns": 8}),
    ],
)
def test_a_bad_selection_is_named_by_its_line(read, row, more, code, facts):
    cells = {"Begin File": "a.wav", "End File": "a.wav", "File Offset (s)": 8, "Species": "y"}
    good = (8, 9, *(cells[name] for name in more.split("\t")))
    labels = read(table((1, "Spectrogram 1", *row), (2, "Spectrogram 1", *good), more=more))
    assert triples(labels) == [(8.0, 9.0, "y")]
    assert labels.findings == (Finding(code, "take.txt, line 2", facts),)


def test_short_rows_and_decimal_commas_in_a_table(read):
    content = "Begin Time (s)\tEnd Time (s)\tSpecies\tNotes\n1,5\t2,5\tx\n"
    assert triples(read(content)) == [(1.5, 2.5, "x")]


def test_cells_that_a_spreadsheet_has_quoted(read):
    content = table((1, "Spectrogram 1", 1, 2, '"song, ""loud"""'))
    assert triples(read(content)) == [(1.0, 2.0, 'song, "loud"')]
    # A quote that is never closed does not swallow the rows below.
    content = table((1, "Spectrogram 1", 1, 2, '"song'), (2, "Spectrogram 1", 3, 4, "b"))
    assert triples(read(content)) == [(1.0, 2.0, '"song'), (3.0, 4.0, "b")]


def test_a_table_without_an_end_and_one_without_rows(read):
    labels = read("Selection\tBegin Time (s)\tSpecies\n1\t2\tx\n")
    assert labels.findings == (Finding("selections-without-end", "take.txt"),)
    assert read(table()) == LabelFile(column="Annotation")


# Other files


@pytest.mark.parametrize(
    "content",
    [
        "The recorder stood at the lake.\n",
        "0.5 1.5 dog\n",
        "path,label\na.wav,x\n",
        "0.5\t1.5\n2\t3\n",
        "1\t2\t3\t4\n",
        bytes(range(256)) * 300,
        b"\xff\xfe\x00",
    ],
)
def test_other_files_are_not_taken_for_label_files(read, content):
    labels = read(content)
    assert (labels.known, labels.stretches) == (False, ())
    assert labels.findings == (Finding("label-file-unknown", "take.txt"),)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_blank_file_is_no_label_file_and_nothing_is_wrong_with_it(read, content):
    assert read(content) == LabelFile(known=False)


def test_another_encoding_is_named(read):
    labels = read("0\t1\tGröße\n".encode("latin-1"))
    assert labels.known
    assert labels.findings == (Finding("label-file-encoding", "take.txt"),)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    labels = read_label_file(tmp_path / "gone.txt", "a class/gone.txt")
    facts = {"cause": "No such file or directory"}
    finding = Finding("label-file-unreadable", "a class/gone.txt", facts)
    assert labels == LabelFile(known=False, findings=(finding,))


@pytest.mark.slow
def test_a_long_file_is_read_to_its_end(read):
    content = "".join(f"{n}\t{n + 0.5}\tclass {n % 7}\n" for n in range(20_000))
    assert len(content) > 1 << 17
    assert len(read(content).stretches) == 20_000


# The same files through crowsetta

# crowsetta 5.1.2 calls pandas in ways that pandas 3 no longer likes.
as_crowsetta = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def same(labels, expected):
    expected = list(expected)
    assert labels.findings == ()
    assert [item.label for item in labels.stretches] == [label for _, _, label in expected]
    times = np.array([(item.start, item.end) for item in labels.stretches])
    np.testing.assert_allclose(times, [(start, end) for start, end, _ in expected], rtol=1e-12)


def rows_of(track):
    return zip(track.start_times, track.end_times, track.labels, strict=True)


def random_labels(seed, count=200):
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 3600, count)
    end = start + rng.uniform(0.01, 5, count)
    names = np.array(["EATO", "Cardinalis cardinalis", "canto 2", "Größe", "太鼓", "x, y"])
    return start, end, rng.choice(names, count)


@pytest.mark.slow
@as_crowsetta
def test_a_label_track_as_crowsetta_reads_it(tmp_path):
    example = crowsetta.example("marron1", return_path=True)
    track = AudSeq.from_file(example)
    same(read_label_file(example), rows_of(track))
    assert len(track.labels) == 61

    file = tmp_path / "random.txt"
    start, end, label = random_labels(0)
    AudSeq(start, end, label, file).to_file(file)
    track = AudSeq.from_file(file)
    same(read_label_file(file), rows_of(track))


@as_crowsetta
def test_a_label_track_with_frequencies_as_crowsetta_reads_it():
    example = crowsetta.example("spinetail.txt", return_path=True)
    boxes = AudBBox.from_file(example).to_bbox()
    same(read_label_file(example), [(box.onset, box.offset, box.label) for box in boxes])
    assert len(boxes) == 18


@as_crowsetta
def test_a_selection_table_as_crowsetta_reads_it(tmp_path):
    example = crowsetta.example("Recording1", return_path=True)
    boxes = Raven.from_file(example, annot_col="Species").to_bbox()
    same(read_label_file(example), [(box.onset, box.offset, box.label) for box in boxes])
    assert len(boxes) == 6

    file = tmp_path / "random.Table.1.selections.txt"
    rows = zip(*random_labels(1), strict=True)
    content = table(*((n, "Spectrogram 1", *row) for n, row in enumerate(rows, 1)))
    file.write_text(content, encoding="utf-8")
    boxes = Raven.from_file(file).to_bbox()
    same(read_label_file(file), [(box.onset, box.offset, box.label) for box in boxes])
    assert len(boxes) == 200
