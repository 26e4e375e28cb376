"""Each format is read back by a reader of somebody else's, and by our own reader of label files."""

import _pyio
import io
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pandas
import pytest
from crowsetta.formats.bbox import Raven
from crowsetta.formats.seq import AudSeq
from pyarrow import parquet

from timbrel.dataset.label_files import read_label_file
from timbrel.inference.formats import FORMATS
from timbrel.inference.outputs import opened
from timbrel.inference.prediction import UNKNOWN, Prediction

LABELS = ["Größe, laut", 'tom 12" "deep"', "a\tb", "snare\r\nrim", "太鼓", "x\u2028y", "\\n", "0"]
# What a label track can hold of them.
ON_ONE_LINE = ["Größe, laut", 'tom 12" "deep"', "a b", "snare rim", "太鼓", "x y", "\\n", "0"]
RATE = 32_000
TEXT = [name for name, kind in FORMATS.items() if not kind.binary]
DOCS = Path(__file__).parents[1] / "docs"


def predicted(path, label, start=None, *, seconds=20.0, probability=0.75):
    return Prediction(
        path=path,
        label=label,
        predicted=label,
        probability=probability,
        accepted=True,
        top=((label, probability), ("other, thing", 1 - probability)),
        seconds=seconds,
        start=start,
        end=None if start is None else start + 1.25,
    )


WINDOWS = [predicted("a/b.wav", label, number * 2.0) for number, label in enumerate(LABELS)]
ODD = [
    Prediction(path="quiet.wav", label=UNKNOWN, accepted=False, seconds=3.0, start=0.0, end=3.0),
    Prediction(path='br"ok,en.wav', error="it cannot\nbe read"),
]


def write(target, recordings, form, level="window"):
    """Write lists of predictions; one list for each recording."""
    files = [found[0].path for found in recordings]
    with opened(str(target), files, form=form, level=level, rate=RATE) as output:
        for path, found in zip(files, recordings, strict=True):
            output.begin(path)
            for prediction in found:
                output.write(prediction)
            output.end()
    return target


def fields(predictions):
    return [prediction.to_dict() for prediction in predictions]


# Tables


def test_pandas_reads_the_csv(tmp_path):
    file = write(tmp_path / "out.csv", [WINDOWS, *([item] for item in ODD)], "csv")
    table = pandas.read_csv(file, dtype={"label": str, "predicted": str})
    rows = [*WINDOWS, *ODD]
    assert list(table.columns) == [
        "path", "start", "end", "label", "predicted", "probability", "accepted", "seconds", "error"
    ]  # fmt: skip
    for name in table.columns:
        expected = [getattr(item, name) for item in rows]
        assert [None if pandas.isna(cell) else cell for cell in table[name]] == expected, name


def test_pandas_reads_the_json_lines(tmp_path):
    file = write(tmp_path / "out.jsonl", [WINDOWS, *([item] for item in ODD)], "jsonl")
    table = pandas.read_json(file, lines=True, dtype=False)
    for row, item in zip(table.to_dict("records"), [*WINDOWS, *ODD], strict=True):
        expected = item.to_dict()
        assert list(row) == list(expected)
        assert {
            key: None if not isinstance(cell, list) and pandas.isna(cell) else cell
            for key, cell in row.items()
        } == expected


def test_pyarrow_and_pandas_read_the_parquet(tmp_path):
    file = write(tmp_path / "out.parquet", [WINDOWS, *([item] for item in ODD)], "parquet")
    table = parquet.read_table(file)
    assert {field.name: str(field.type) for field in table.schema} == {
        "path": "string",
        "start": "double",
        "end": "double",
        "label": "string",
        "predicted": "string",
        "probability": "double",
        "accepted": "bool",
        "top": "list<element: struct<label: string, probability: double>>",
        "seconds": "double",
        "error": "string",
    }
    assert table.column_names == list(ODD[0].to_dict())
    assert table.to_pylist() == fields([*WINDOWS, *ODD])
    assert list(pandas.read_parquet(file)["label"].dropna()) == [*LABELS, UNKNOWN]


def test_parquet_is_written_in_groups_of_rows_as_they_come(tmp_path, monkeypatch):
    monkeypatch.setattr(FORMATS["parquet"], "rows_in_group", 4)
    with open(tmp_path / "out.parquet", "wb") as stream:
        writer = FORMATS["parquet"](stream)
        sizes = []
        for prediction in WINDOWS[:4] * 2 + WINDOWS[:1]:
            writer.write(prediction)
            sizes.append(stream.tell())
        writer.close()
    grew = [number for number in range(1, 9) if sizes[number] > sizes[number - 1]]
    assert grew == [3, 7]
    written = parquet.ParquetFile(tmp_path / "out.parquet")
    groups = [written.metadata.row_group(n).num_rows for n in range(written.num_row_groups)]
    assert groups == [4, 4, 1]
    assert written.read().to_pylist() == fields(WINDOWS[:4] * 2 + WINDOWS[:1])
    written.close()


def test_a_table_without_rows_has_its_columns(tmp_path):
    empty = [[Prediction(path="a.wav", seconds=2.0)]]
    assert parquet.read_table(write(tmp_path / "a.parquet", empty, "parquet")).num_rows == 0
    assert len(pandas.read_csv(write(tmp_path / "a.csv", empty, "csv"))) == 0
    assert write(tmp_path / "a.jsonl", empty, "jsonl").read_bytes() == b""


# Label tracks


def test_crowsetta_and_our_reader_read_the_label_track(tmp_path):
    file = write(tmp_path / "out.txt", [WINDOWS], "audacity")
    assert file.read_bytes().startswith("0.000000\t1.250000\tGröße, laut\n".encode())
    read = AudSeq.from_file(file)
    assert list(read.labels) == ON_ONE_LINE
    assert list(read.start_times) == [item.start for item in WINDOWS]
    assert list(read.end_times) == [item.end for item in WINDOWS]
    ours = read_label_file(file)
    assert ours.findings == ()
    assert [(item.start, item.end, item.label) for item in ours.stretches] == [
        (item.start, item.end, label) for item, label in zip(WINDOWS, ON_ONE_LINE, strict=True)
    ]


# Selection tables


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of crowsetta's own call
def test_crowsetta_and_our_reader_read_the_selection_table(tmp_path):
    file = write(tmp_path / "out.txt", [WINDOWS], "raven")
    read = Raven.from_file(file, annot_col="Label").df
    assert list(read["annotation"]) == ON_ONE_LINE
    assert list(read["begin_time_s"]) == [item.start for item in WINDOWS]
    assert list(read["end_time_s"]) == [item.end for item in WINDOWS]
    assert set(read["low_freq_hz"]) == {0}
    assert set(read["high_freq_hz"]) == {RATE / 2}
    assert list(read["Selection"]) == list(range(1, len(WINDOWS) + 1))
    assert set(read["Probability"]) == {0.75}
    ours = read_label_file(file)
    assert (ours.findings, ours.column) == ((), "Label")
    assert [(item.start, item.end, item.label) for item in ours.stretches] == [
        (item.start, item.end, label) for item, label in zip(WINDOWS, ON_ONE_LINE, strict=True)
    ]


def test_times_count_through_the_files_that_raven_can_open(tmp_path):
    recordings = [
        [predicted("a.wav", "dog", 1.0, seconds=3.0), predicted("a.wav", "cat", 1.5, seconds=3.0)],
        [Prediction(path="broken.wav", error="it cannot be read")],
        [Prediction(path="nothing in it.wav", seconds=4.0)],
        [predicted("b/a.flac", "dog", 0.5, seconds=2.0)],
        [predicted("c.wav", "cow", 0.25, seconds=2.0)],
    ]
    file = write(tmp_path / "out.txt", recordings, "raven")
    table = pandas.read_csv(file, sep="\t")
    assert list(table["Begin Time (s)"]) == [1.0, 1.5, 7.5, 9.25]
    assert list(table["End Time (s)"]) == [2.25, 2.75, 8.75, 10.5]
    assert list(table["File Offset (s)"]) == [1.0, 1.5, 0.5, 0.25]
    assert list(table["Begin Path"]) == [
        os.path.abspath(path) for path in ("a.wav", "a.wav", "b/a.flac", "c.wav")
    ]
    assert list(table["Begin File"]) == ["a.wav", "a.wav", "a.flac", "c.wav"]
    ours = read_label_file(file)
    assert ours.findings == ()
    assert [(item.file, item.start, item.end, item.label) for item in ours.stretches] == [
        (os.path.abspath(item.path), item.start, item.end, item.label)
        for found in recordings
        for item in found
        if item.label
    ]


def test_a_label_for_a_whole_recording_spans_it(tmp_path):
    recordings = [[predicted(f"{name}.wav", name, seconds=2.5)] for name in "ab"]
    table = pandas.read_csv(write(tmp_path / "out.txt", recordings, "raven", "file"), sep="\t")
    assert list(table["Begin Time (s)"]) == [0, 2.5]
    assert list(table["End Time (s)"]) == [2.5, 5]
    assert list(table["File Offset (s)"]) == [0, 0]
    file = write(tmp_path / "out.txt", recordings[:1], "audacity", "file")
    assert file.read_bytes() == b"0.000000\t2.500000\ta\n"


def test_selections_count_on_over_all_files_and_silence_has_no_probability(tmp_path):
    file = write(tmp_path / "out.txt", [WINDOWS[:2], ODD[:1]], "raven")
    table = pandas.read_csv(file, sep="\t")
    assert list(table["Selection"]) == [1, 2, 3]
    assert table["Probability"].isna().tolist() == [False, False, True]
    assert list(table["Label"])[2] == UNKNOWN


# All


@pytest.mark.parametrize("form", FORMATS)
def test_names_that_are_no_text_leave_the_rest_readable(tmp_path, form):
    odd = os.fsdecode(b"Fl\xf6te.wav")
    found = [
        [predicted(odd, "Größe")],
        [predicted("b.wav", "b")],
        [Prediction(path=odd, error=f"not {odd}")],
    ]
    file = write(tmp_path / "out", found, form, "file") if form != "audacity" else None
    if form == "csv":
        paths = list(pandas.read_csv(file)["path"])
        assert paths == ["Fl\\udcf6te.wav", "b.wav", "Fl\\udcf6te.wav"]
    elif form == "jsonl":
        lines = file.read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in lines] == fields(item[0] for item in found)
        assert "Größe" not in lines[0]
    elif form == "raven":
        table = pandas.read_csv(file, sep="\t")
        assert list(table["Begin File"]) == ["Fl\\udcf6te.wav", "b.wav"]
    elif form == "parquet":
        table = parquet.read_table(file)
        assert table["path"].to_pylist()[0] == "Fl\\udcf6te.wav"
        assert table["error"].to_pylist()[2] == "not Fl\\udcf6te.wav"


@pytest.mark.parametrize("form", TEXT)
def test_lines_end_alike_on_every_platform(tmp_path, form, monkeypatch):
    monkeypatch.setattr(os, "linesep", "\r\n")
    # The one in C does not ask what `linesep` is.
    monkeypatch.setattr("timbrel.inference.outputs.open", _pyio.open, raising=False)
    content = write(tmp_path / "out", [WINDOWS], form).read_bytes()
    # That within a label of the CSV is the label's own.
    assert content.count(b"\r") == (2 if form == "csv" else 0)
    assert content.endswith(b"\n")


def test_numbers_have_six_decimals_where_people_read_them(tmp_path):
    third = predicted("a.wav", "dog", 1 / 3, probability=1 / 3)
    for form in ("csv", "audacity", "raven"):
        text = write(tmp_path / form, [[third]], form).read_text(encoding="utf-8")
        assert "0.333333" in text
        assert "0.3333333" not in text
        assert "1.583333" in text


@pytest.mark.parametrize("form", TEXT)
def test_stdout_is_utf8_and_whole_after_each_prediction(form, monkeypatch):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="cp1252", newline="\r\n")
    monkeypatch.setattr("sys.stdout", stream)
    with opened(None, ["a.wav"], form=form, level="window") as output:
        output.begin("a.wav")
        for number in range(3):
            output.write(predicted("a.wav", f"太鼓{number}", float(number)))
            assert f"太鼓{number}" in raw.getvalue().decode("utf-8")
            assert raw.getvalue().endswith(b"\n")
        output.end()
    assert b"\r" not in raw.getvalue()


# One entry in the registry

ANOTHER = """
from timbrel.inference.formats import FORMATS, Format

class Labels(Format):
    name, extension, default_level, lists_top = "labels", ".lab", "event", True

    def write(self, prediction):
        self._stream.write(f"{prediction.label}\\n")

FORMATS["labels"] = Labels
import sys
from timbrel.cli.main import main
main(sys.argv[1:])
"""


def test_a_format_in_the_registry_is_one_of_the_program(tiny_model, tiny_data, tmp_path):
    def run(*arguments):
        command = [sys.executable, "-c", ANOTHER, "predict", *map(str, arguments)]
        wide = {**os.environ, "COLUMNS": "200"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=wide)
        assert done.returncode == 0, done.stderr
        return " ".join(re.sub("[^ -~]", " ", done.stdout).split())

    help_text = run("--help")
    assert "csv|jsonl|audacity|raven|parquet|labels" in help_text
    assert "event for audacity and raven and labels" in help_text
    assert "jsonl and parquet and labels" in help_text
    run(tiny_data / "hum", "-m", tiny_model, "-f", "labels", "-l", "file", "-o", f"{tmp_path}/")
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"{n}.lab" for n in range(8)]
    assert (tmp_path / "0.lab").read_text() in ("hum\n", "unknown\n")


# The page about them


@pytest.mark.parametrize("form", TEXT)
def test_the_documentation_shows_what_is_written(form):
    example = runpy.run_path(str(DOCS / "predictions.py"))["example"]
    page = (DOCS / "reference" / "predictions.md").read_text(encoding="utf-8")
    assert f"\n{example(form)}```" in page


def test_the_documentation_lists_every_format():
    page = (DOCS / "reference" / "predictions.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| [^|]+ \| `(\w+)` \|[^|]+\| ([^|]+) \| `take1(.+)` \|$", page, re.MULTILINE
    )
    assert {name: ("with `error`" in errors, extension) for name, errors, extension in rows} == {
        name: (kind.has_errors, kind.extension) for name, kind in FORMATS.items()
    }
