"""Where predictions go: fields, names, folders, what is replaced and what is not."""

import csv
import importlib.util
import io
import json
import os
import stat
import threading
import weakref

import pytest

from timbrel.dataset.manifest import read_dataset
from timbrel.errors import InvalidArgument, MissingExtra, OutputError
from timbrel.inference.formats import FORMATS
from timbrel.inference.outputs import names_for, opened, places
from timbrel.inference.prediction import UNKNOWN, Prediction

WITH_PYARROW = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="the parquet extra is not installed"
)
EVERY = [pytest.param(form, marks=WITH_PYARROW) if form == "parquet" else form for form in FORMATS]


def prediction(path, label="dog", **more):
    return Prediction(path=path, label=label, predicted=label, probability=0.5, seconds=2.0, **more)


def put(target, recordings, *, form="csv", given=(), level="file"):
    """Write what is given for each recording, path and predictions; return the output."""
    files = [path for path, _ in recordings]
    settings = {"form": form, "level": level, "rate": 16_000}
    with opened(str(target), files, given=given, **settings) as output:
        for path, found in recordings:
            output.begin(path)
            for item in found:
                output.write(item)
            output.end()
    return output


def each(*paths):
    return [(path, [prediction(path)]) for path in paths]


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def library(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"sound")
    return [str(folder / name) for name in names]


# Fields of rows

SURE = Prediction(
    path="a/b.wav",
    label="Flute",
    predicted="Flute",
    probability=0.75,
    accepted=True,
    top=(("Flute", 0.75), ("Oboe", 0.25)),
    seconds=1.5,
)
UNSURE = Prediction(
    path="c.wav",
    label=UNKNOWN,
    predicted="Oboe",
    probability=1 / 3,
    accepted=False,
    top=(("Oboe", 1 / 3),),
    seconds=2.0,
    start=0.1,
    end=0.2,
)
SILENT = Prediction(path="d.wav", label=UNKNOWN, accepted=False, seconds=0.5)
BROKEN = Prediction(path="e.wav", error="it cannot be read")
ALL = [SURE, UNSURE, SILENT, BROKEN]


def text_of(folder, predictions, form, level="file"):
    """One prediction for each recording, as text."""
    recordings = [(item.path, [item]) for item in predictions]
    put(folder / "out", recordings, form=form, level=level)
    return (folder / "out").read_bytes().decode()


def test_the_keys_are_always_there_and_null_when_empty():
    keys = ("path", "start", "end", "label", "predicted", "probability", "accepted", "top")
    assert list(SURE.to_dict()) == [*keys, "seconds", "error"]
    assert SURE.to_dict()["top"] == [
        {"label": "Flute", "probability": 0.75},
        {"label": "Oboe", "probability": 0.25},
    ]
    empty = dict.fromkeys(SURE.to_dict())
    silent = {"path": "d.wav", "label": "unknown", "accepted": False, "seconds": 0.5}
    assert SILENT.to_dict() == empty | silent
    assert BROKEN.to_dict() == empty | {"path": "e.wav", "error": "it cannot be read"}


def test_the_rows_of_recordings_and_of_windows(tmp_path):
    assert text_of(tmp_path, ALL, "csv") == (
        "path,label,predicted,probability,accepted,seconds,error\n"
        "a/b.wav,Flute,Flute,0.750000,true,1.500000,\n"
        "c.wav,unknown,Oboe,0.333333,false,2.000000,\n"
        "d.wav,unknown,,,false,0.500000,\n"
        "e.wav,,,,,,it cannot be read\n"
    )
    lines = text_of(tmp_path, ALL, "jsonl", "window").splitlines()
    assert [json.loads(line) for line in lines] == [item.to_dict() for item in ALL]
    assert text_of(tmp_path, ALL[1:], "csv", "window") == (
        "path,start,end,label,predicted,probability,accepted,seconds,error\n"
        "c.wav,0.100000,0.200000,unknown,Oboe,0.333333,false,2.000000,\n"
        "d.wav,,,unknown,,,false,0.500000,\n"
        "e.wav,,,,,,,,it cannot be read\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "a,b",
        'a"b',
        "a;b",
        "Größe",
        "太鼓",
        "a\nb",
        "a\r\nb",
        "a\rb",
        "a\\b",
        " a ",
        "#a",
        "NA",
        "\u2028",
    ],
)
def test_every_text_survives_csv_and_json(tmp_path, text):
    rows = [Prediction(path=text, label=text, predicted=text), Prediction(path=text, error=text)]
    table = io.StringIO(text_of(tmp_path, rows, "csv"), newline="")
    first, second = csv.DictReader(table)
    assert [first[name] for name in ("path", "label", "predicted")] == [text] * 3
    assert second["error"] == text
    content = text_of(tmp_path, rows, "jsonl")
    first, second, _ = content.split("\n")
    assert [json.loads(first), json.loads(second)] == [item.to_dict() for item in rows]
    assert ("太鼓" in content) == (text == "太鼓")


# Names


def names(files, given=(), ending=".csv"):
    _, inside = places(files, given)
    return [path.as_posix() for path in names_for(inside, ending)]


def test_a_folder_that_was_given_keeps_its_sub_folders(tmp_path):
    files = library(tmp_path, "a/b/1.wav", "a/b/2.wav")
    assert names(files, [str(tmp_path / "a")]) == ["b/1.csv", "b/2.csv"]
    assert names(files, [str(tmp_path)]) == ["a/b/1.csv", "a/b/2.csv"]
    assert names(files, files) == ["1.csv", "2.csv"]


def test_folders_and_files_that_were_given_do_not_fall_together(tmp_path):
    files = library(tmp_path, "a/x/1.wav", "b/1.wav", "c/1.wav")
    given = [str(tmp_path / "a"), str(tmp_path / "b"), files[2]]
    assert names(files, given) == ["a/x/1.csv", "b/1.csv", "c/1.csv"]
    assert names(files[1:], files[1:]) == ["b/1.csv", "c/1.csv"]


def test_a_folder_without_recordings_has_a_name_too(tmp_path):
    (tmp_path / "empty").mkdir()
    path = str(tmp_path / "empty")
    assert names([path], [path]) == ["empty.csv"]


def test_relative_paths_lead_nowhere_else(tmp_path, monkeypatch):
    library(tmp_path, "a/1.wav", "b/2.wav")
    monkeypatch.chdir(tmp_path / "a")
    files = ["1.wav", "../b/2.wav"]
    assert names(files, files) == ["a/1.csv", "b/2.csv"]
    assert names(["../a/1.wav"], ["../a/1.wav"]) == ["1.csv"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["x.wav", "x.flac", "y.wav"], ["x.wav.csv", "x.flac.csv", "y.csv"]),
        (["x.wav", "X.WAV"], ["x.wav.csv", "X.WAV-2.csv"]),
        (["x.wav", "X.flac"], ["x.wav.csv", "X.flac.csv"]),
        (["e\u0301.wav", "\xe9.mp3"], ["e\u0301.wav.csv", "\xe9.mp3.csv"]),
        (["x.wav", "x.flac", "x.wav.ogg"], ["x.wav.csv", "x.flac.csv", "x.wav-2.csv"]),
        (["x.wav", "x.wav"], ["x.csv", "x.csv"]),
        (["take.1.wav", "take.2.wav"], ["take.1.csv", "take.2.csv"]),
    ],
)
def test_no_two_recordings_share_a_name(files, expected):
    assert names(files, files) == expected


@pytest.mark.parametrize("form", ["audacity", "raven"])
def test_label_files_written_beside_recordings_are_read_with_them(tmp_path, form):
    files = library(tmp_path, "a/x.wav", "a/x.flac", "a/1.y.wav", "b/x.wav")
    labels = ["dog", "cat", "cow", "dog"]
    recordings = [
        (path, [prediction(path, label)]) for path, label in zip(files, labels, strict=True)
    ]
    put(tmp_path, recordings, form=form, given=[str(tmp_path)])
    read = read_dataset(tmp_path)
    assert not read.problems
    assert {item.file: item.label for item in read.recordings} == {
        tmp_path / path: label for path, label in zip(files, labels, strict=True)
    }
    assert {(item.start, item.end) for item in read.recordings} == {(0, 2)}


# Folders


@pytest.mark.parametrize("form", EVERY)
def test_a_folder_gets_a_file_for_each_recording(tmp_path, form):
    ending = FORMATS[form].extension
    paths = ["/there/a.wav", "/there/b/a.wav"]
    output = put(f"{tmp_path}/new/", each(*paths), form=form)
    assert tree(tmp_path / "new") == [f"a{ending}", f"b/a{ending}"]
    assert (output.done, output.rows) == (2, 2)
    put(tmp_path / "new", each("/there/c.wav"), form=form)
    assert f"c{ending}" in tree(tmp_path / "new")


def test_each_file_appears_when_its_recording_is_done(tmp_path):
    with opened(f"{tmp_path}/", ["a.wav", "b.wav"]) as output:
        for name in ("a", "b"):
            output.begin(f"{name}.wav")
            output.write(prediction(f"{name}.wav"))
            assert not (tmp_path / f"{name}.csv").exists()
            output.end()
            assert (tmp_path / f"{name}.csv").read_text().count("\n") == 2


@pytest.mark.parametrize("form", EVERY)
def test_a_recording_that_was_left_halfway_has_no_file(tmp_path, form):
    with opened(f"{tmp_path}/", ["a.wav", "b.wav"], form=form) as output:
        output.begin("a.wav")
        output.end()
        output.begin("b.wav")
        output.write(prediction("b.wav"))
        output.stop()
    assert [name.partition(".")[0] for name in tree(tmp_path)] == ["a"]
    assert (output.done, output.cut) == (1, None)


@pytest.mark.parametrize("nothing", [[], [Prediction(path="a.wav", seconds=2.0)]])
def test_nothing_found_is_an_empty_file_and_not_heard_is_none(tmp_path, nothing):
    broken = [Prediction(path="b.wav", error="it cannot be read")]
    recordings = [("a.wav", nothing), ("b.wav", broken)]
    output = put(tmp_path, recordings, form="audacity")
    assert tree(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b""
    assert (output.done, output.rows) == (1, 0)
    put(tmp_path, recordings, form="raven")
    assert (tmp_path / "a.selections.txt").read_text().startswith("Selection\t")
    put(tmp_path, recordings, form="csv")
    assert (tmp_path / "a.csv").read_text().count("\n") == 1
    assert "it cannot be read" in (tmp_path / "b.csv").read_text()


def test_what_lies_beside_a_recording_is_not_replaced(tmp_path):
    files = library(tmp_path, "a/x.wav", "a/y.wav")
    (tmp_path / "a" / "y.txt").write_text("0\t1\tby hand\n")
    with pytest.raises(InvalidArgument, match="y.txt exists already next to its recording"):
        put(tmp_path, each(*files), form="audacity", given=[str(tmp_path)])
    assert tree(tmp_path) == ["a/x.wav", "a/y.txt", "a/y.wav"]
    assert (tmp_path / "a" / "y.txt").read_text() == "0\t1\tby hand\n"


# One file


def test_a_file_appears_when_all_is_done(tmp_path):
    target = tmp_path / "new" / "out.csv"
    with opened(str(target), ["a.wav"]) as output:
        output.begin("a.wav")
        output.write(prediction("a.wav"))
        output.end()
        assert not target.exists()
    assert target.read_text().count("\n") == 2
    assert tree(tmp_path) == ["new/out.csv"]


@pytest.mark.parametrize("form", EVERY)
def test_an_error_leaves_what_was_there(tmp_path, form):
    target = tmp_path / "out"
    target.write_text("before")

    def predictions():
        yield prediction("a.wav")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        put(target, [("a.wav", predictions())], form=form)
    assert target.read_text() == "before"
    assert os.listdir(tmp_path) == ["out"]


def test_stopping_before_anything_is_written_leaves_what_was_there(tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("before")
    with opened(str(target), ["a.wav"]) as output:
        output.begin("a.wav")
        output.stop()
    assert target.read_text() == "before"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_stopping_halfway_keeps_what_is_written_and_knows_what_was_cut(tmp_path):
    target = tmp_path / "out.csv"
    with opened(str(target), ["a.wav", "b.wav"]) as output:
        output.begin("a.wav")
        output.write(prediction("a.wav"))
        output.end()
        assert output.cut is None
        output.begin("b.wav")
        assert output.cut is None
        output.write(prediction("b.wav"))
        output.stop()
    assert (output.done, output.cut) == (1, "b.wav")
    assert target.read_text().count("\n") == 3


def test_a_recording_is_not_replaced_by_what_is_said_of_it(tmp_path):
    (path,) = library(tmp_path, "a.wav")
    with pytest.raises(InvalidArgument, match="is one of the recordings"):
        put(path, each(path))
    with pytest.raises(InvalidArgument, match="is one of the recordings"):
        put(path, each("gone.wav", os.path.join(str(tmp_path), ".", "a.wav")))
    assert (tmp_path / "a.wav").read_bytes() == b"sound"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    # Were the pipe replaced, its reader would wait for ever.
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    put(pipe, each("a.wav", "b.wav"))
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    reader.join()
    assert read[0].count("\n") == 3


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("form", EVERY)
@pytest.mark.parametrize("rows", [1, 20_000])
def test_a_full_disk_is_one_sentence(form, rows):
    with pytest.raises(OutputError, match="Cannot write /dev/full: the disk is full"):
        put(
            "/dev/full",
            [("a.wav", [prediction("a.wav", start=n, end=n + 1) for n in range(rows)])],
            form=form,
        )


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        OutputError, match="Cannot write .*file/in/it/: .*; choose another place\\.$"
    ):
        put(f"{tmp_path}/file/in/it/", each("a.wav"))


def test_a_label_track_is_of_one_recording(tmp_path):
    target = tmp_path / "out.txt"
    with pytest.raises(InvalidArgument, match="there are 2; name a folder for them"):
        put(target, each("a.wav", "b.wav"), form="audacity")
    assert not target.exists()
    put(target, each("a.wav"), form="audacity")
    assert target.read_text() == "0.000000\t2.000000\tdog\n"


def test_parquet_wants_a_file_and_its_extra(tmp_path, monkeypatch):
    with (
        pytest.raises(InvalidArgument, match="name a file or a folder with -o"),
        opened(None, ["a.wav"], form="parquet"),
    ):
        pass
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtra, match=r'pip install "timbrel\[parquet\]"'):
        put(tmp_path / "out", each("a.wav"), form="parquet")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", EVERY)
def test_nobody_collects_the_predictions(tmp_path, form):
    alive = weakref.WeakSet()
    most = 0
    with opened(str(tmp_path / "out"), ["a.wav"], form=form, level="window") as output:
        output.begin("a.wav")
        for number in range(100):
            item = prediction("a.wav", start=number, end=number + 1)
            alive.add(item)
            output.write(item)
            most = max(most, len(alive))
        output.end()
    assert most <= 2
