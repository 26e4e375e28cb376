"""Folders and CSV files to recordings, and a finding for each row that cannot be used."""

import math
import os
from pathlib import Path

import pytest

from timbrel.audio.decode import EXTENSIONS
from timbrel.dataset.manifest import Recording, find_recordings, read_dataset
from timbrel.errors import DataError


@pytest.fixture
def table(tmp_path):
    """Write a CSV and read it."""

    def read(content, **options):
        file = tmp_path / "data.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_dataset(file, **options)

    return read


@pytest.fixture
def folder(tmp_path):
    """Make empty files in a folder and read it."""

    def read(*paths):
        for path in paths:
            file = tmp_path / "data" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        return read_dataset(tmp_path / "data")

    return read


def pairs(dataset):
    return [(item.path, item.label) for item in dataset.recordings]


def found(dataset):
    """Path, code and facts of each finding."""
    return [(item.path, item.code, item.facts) for item in dataset.findings]


def message(read, *arguments, **options):
    with pytest.raises(DataError) as caught:
        read(*arguments, **options)
    return str(caught.value)


# CSV files


def test_a_table_of_paths_and_labels(table, tmp_path):
    dataset = table("path,label\nb/1.wav,Flute\na.wav,Oboe\n")
    assert pairs(dataset) == [("b/1.wav", "Flute"), ("a.wav", "Oboe")]
    assert [item.file for item in dataset.recordings] == [
        tmp_path / "b/1.wav",
        tmp_path / "a.wav",
    ]
    assert dataset.labels == ["Flute", "Oboe"]
    assert dataset.counts() == {"Flute": 1, "Oboe": 1}
    assert (dataset.problems, dataset.notes) == ((), ())
    first = dataset.recordings[0]
    assert (first.group, first.fold, first.start, first.end) == ("b/1.wav", None, None, None)


@pytest.mark.parametrize("path", ["path", "fname", "filename", "file", "FName"])
@pytest.mark.parametrize("label", ["label", "category", "class", "target", " Label "])
def test_other_names_of_columns(table, path, label):
    assert pairs(table(f"{label},take,{path}\nFlute,1,a.wav\n")) == [("a.wav", "Flute")]


@pytest.mark.parametrize("name", ["group", "speaker", "site", "src_file"])
def test_other_names_of_the_group(table, name):
    dataset = table(f"path,label,{name}\na.wav,x, G 1 \nb.wav,x,\n")
    assert [item.group for item in dataset.recordings] == ["G 1", "b.wav"]


def test_the_name_that_stands_first_in_the_list_wins(table):
    (item,) = table("target,category,src_file,group,file,path\n7,dog,s,g,f.wav,p.wav\n").recordings
    assert (item.path, item.label, item.group) == ("p.wav", "dog", "g")


def test_folds_and_stretches(table):
    dataset = table("path,label,fold,start,end\na.wav,x,10,0.5,2\na.wav,y,9,,0.25\na.wav,z,,2,\n")
    rows = [(item.fold, item.start, item.end, item.name) for item in dataset.recordings]
    assert rows == [
        ("10", 0.5, 2.0, "a.wav [0.5–2 s]"),
        ("9", None, 0.25, "a.wav [0–0.25 s]"),
        (None, 2.0, None, "a.wav [2–end s]"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xef\xbb\xbfpath,label\na.wav,x\n", id="byte order mark"),
        pytest.param(b"path,label\r\na.wav,x\r\n", id="Windows lines"),
        pytest.param(b"path,label\ra.wav,x\r", id="old Mac lines"),
        pytest.param(b"path,label\na.wav,x", id="no last line end"),
        pytest.param(b"path;label\na.wav;x\n", id="semicolons"),
        pytest.param(b"path\tlabel\na.wav\tx\n", id="tabs"),
        pytest.param(b'"path","label"\n"a.wav","x"\n', id="quotes"),
        pytest.param(b'"path";"label"\n"a.wav";"x"\n', id="quotes and semicolons"),
        pytest.param(b"path,label\n a.wav , x \n", id="spaces"),
        pytest.param(b"path,label\n\n,\na.wav,x\n\n", id="blank rows"),
        pytest.param(b"path,label,note\na.wav,x\n", id="a short row"),
        pytest.param(b"path,label\na.wav,x,,\n", id="empty cells at the end"),
    ],
)
def test_every_way_to_write_a_table_is_read_alike(table, content):
    dataset = table(content)
    assert pairs(dataset) == [("a.wav", "x")]
    assert (dataset.problems, dataset.notes) == ((), ())


def test_labels_are_text(table):
    content = 'path,label\na.wav,0\nb.wav,NA\nc.wav,"Drum, ""big"""\nd.wav,Hi hat\ne.wav,Größe\n'
    content += "f.wav,太鼓\ng.wav,None\nh.wav,1.0\ni.wav,true\n"
    expected = ["0", "NA", 'Drum, "big"', "Hi hat", "Größe", "太鼓", "None", "1.0", "true"]
    dataset = table(content)
    assert [item.label for item in dataset.recordings] == expected
    assert dataset.labels == sorted(expected)


@pytest.mark.parametrize(
    ("cell", "path"),
    [
        ('"ä ö/Take 1, loud.wav"', "ä ö/Take 1, loud.wav"),
        ("a\\b\\c.wav", "a/b/c.wav"),
        ("gone.wav", "gone.wav"),
    ],
    ids=["commas, spaces and other letters", "backslashes of Windows", "a missing file"],
)
def test_paths(table, tmp_path, cell, path):
    (item,) = table(f"path,label\n{cell},x\n").recordings
    assert (item.path, item.group, item.file) == (path, path, tmp_path / path)


def test_paths_are_relative_to_the_audio_folder(table, tmp_path):
    (tmp_path / "wav").mkdir()
    absolute = tmp_path / "other" / "b.wav"
    dataset = table(f"path,label\na.wav,x\n{absolute},x\n", audio=tmp_path / "wav")
    assert [item.file for item in dataset.recordings] == [tmp_path / "wav" / "a.wav", absolute]
    assert dataset.recordings[0].path == "a.wav"


def test_the_real_tables(shared):
    instruments = read_dataset(shared / "data/instruments/instruments.csv")
    assert len(instruments.recordings) == 300
    assert set(instruments.counts().values()) == {30}
    digits = read_dataset(shared / "data/digits/digits.csv")
    assert digits.labels == list("0123456789")
    assert len({item.group for item in digits.recordings}) == 6
    elsewhere = read_dataset(shared / "data/elsewhere/elsewhere.csv")
    assert "unknown" not in elsewhere.labels
    assert elsewhere.counts()["unknown"] == 36
    for dataset in (instruments, digits, elsewhere):
        assert (dataset.problems, dataset.notes) == ((), ())


# Rows that cannot be used


@pytest.mark.parametrize(
    ("row", "code", "facts"),
    [
        ("a.wav,,,", "empty-cell", {"column": "label"}),
        ("a.wav", "empty-cell", {"column": "label"}),
        (",x,,", "empty-cell", {"column": "path"}),
        ("a.wav,x,soon,", "not-a-number", {"column": "start", "text": "soon"}),
        ("a.wav,x,0,1:30", "not-a-number", {"column": "end", "text": "1:30"}),
        ("a.wav,x,2,1", "wrong-times", {"times": [2.0, 1.0]}),
        ("a.wav,x,1,1", "wrong-times", {"times": [1.0, 1.0]}),
        ("a.wav,x,-1,", "wrong-times", {"times": [-1.0, None]}),
        ("a.wav,x,nan,1", "wrong-times", {"times": [pytest.approx(math.nan, nan_ok=True), 1.0]}),
        ("a.wav,x,0,nan", "wrong-times", {"times": [0.0, pytest.approx(math.nan, nan_ok=True)]}),
        ("a\0.wav,x,,", "impossible-path", {}),
        ("Take 1, loud.wav,x,0,1", "csv-columns", {"cells": 5, "columns": 4}),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_used(table, row, code, facts):
    dataset = table(f"path,label,start,end\nb.wav,y,,\n\n{row}\nc.wav,z,,\n")
    assert found(dataset) == [("data.csv, row 4", code, facts)]
    assert dataset.problems == dataset.findings
    assert pairs(dataset) == [("b.wav", "y"), ("c.wav", "z")]


def test_a_contradiction_says_where_the_other_label_is(table):
    rows = "path,label,start,end\na.wav,x,0.5,2\na.wav,z,1,4\nb.wav,x,,\nb.wav,z,3,\n"
    with pytest.raises(DataError, match="No recording"):
        table(rows)
    assert [
        (item.path, item.code, *item.facts.values()) for item in table(rows + "c,x").findings
    ] == [
        ("a.wav [0.5–2 s]", "overlapping-labels", "x", "z", "1–4 s"),
        ("a.wav [1–4 s]", "overlapping-labels", "z", "x", "0.5–2 s"),
        ("b.wav", "overlapping-labels", "x", "z", "3–end s"),
        ("b.wav [3–end s]", "overlapping-labels", "z", "x", "all"),
    ]


def test_rows_of_one_path_share_a_group_and_one_label_may_overlap_itself(table):
    dataset = table("path,label,start,end\na.wav,x,0,2\na.wav,x,1,3\na.wav,y,3,4\nb.wav,y,,\n")
    assert [item.group for item in dataset.recordings] == ["a.wav", "a.wav", "a.wav", "b.wav"]
    assert dataset.problems == ()


def test_repeated_rows_count_once(table):
    dataset = table("path,label\na.wav,x\nb.wav,y\na.wav,x\na.wav,x\n")
    assert pairs(dataset) == [("a.wav", "x"), ("b.wav", "y")]
    assert [(item.code, item.facts) for item in dataset.findings] == [
        ("repeated-rows", {"count": 2})
    ]
    assert dataset.notes == (dataset.findings[0].text,)
    assert dataset.problems == ()


# Tables that cannot be used


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "file name,label\na.wav,x\n",
            "no column for the path. Expected one of path, fname, filename, file in its header. "
            "Got file name, label.",
        ),
        (
            "path,kind\na.wav,x\n",
            "no column for the label. Expected one of label, category, class, target in its "
            "header. Got path, kind.",
        ),
        ("a.wav,Flute\nb.wav,Oboe\n", "Got a.wav, flute."),
        ("", "Got nothing."),
        ("\n\n", "Got nothing."),
    ],
)
def test_a_missing_column_is_named_with_what_is_there(table, tmp_path, content, expected):
    sentence = message(table, content)
    assert sentence.startswith(f"'{tmp_path / 'data.csv'}' has ")
    assert sentence.endswith(expected)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings_are_named_with_what_to_do(table, tmp_path, encoding):
    sentence = message(table, "path,label\na.wav,Flöte\n".encode(encoding))
    assert str(tmp_path / "data.csv") in sentence
    assert "not a CSV in UTF-8" in sentence
    assert "Save it as CSV UTF-8" in sentence


def test_a_quote_that_is_never_closed_does_not_swallow_the_table(table):
    sentence = message(table, 'path,label\na.wav,x\nb.wav,"y\nc.wav,z\nd.wav,x\n')
    assert "is not a CSV" in sentence


def test_a_table_without_rows_says_what_was_expected(table, tmp_path):
    assert message(table, "path,label\n") == (
        f"There are no labelled recordings in '{tmp_path / 'data.csv'}'. Expected one sub-folder "
        "per class with sound files in it, recordings with Audacity label tracks or Raven "
        "selection tables beside them, or a CSV with the columns path and label."
    )


def test_examples_of_none_of_these_alone_are_no_data_set(table, tmp_path):
    assert message(table, "path,label\na.wav,noise\n") == (
        f"'{tmp_path / 'data.csv'}' holds examples of none of these only, and no class."
    )


def test_a_table_of_bad_rows_gives_the_first(table, tmp_path):
    assert message(table, "path,label\na.wav,\nb.wav,\n") == (
        f"No recording in '{tmp_path / 'data.csv'}' can be used. First: data.csv, row 2: "
        "it has no label; fill it in or delete the row."
    )


def test_what_is_not_there_is_named(table, tmp_path):
    gone = tmp_path / "gone"
    assert message(read_dataset, gone) == f"There is no file or folder '{gone}'."
    assert message(table, "path,label\na.wav,x\n", audio=gone) == (
        f"--audio: there is no folder '{gone}'."
    )
    assert message(read_dataset, tmp_path, audio=tmp_path) == (
        f"--audio goes with a CSV, but '{tmp_path}' is a folder of recordings."
    )


# Folders


def test_a_folder_of_classes(folder, tmp_path):
    """The first folder is the class, however deep a recording lies; each is its own group."""
    dataset = folder(
        "Oboe/1.wav", "Flute/2.wav", "Flute/10.wav", "Flute/a/b/1.wav", "ö, x/Oboe/1.wav"
    )
    assert pairs(dataset) == [
        ("Flute/10.wav", "Flute"),
        ("Flute/2.wav", "Flute"),
        ("Flute/a/b/1.wav", "Flute"),
        ("Oboe/1.wav", "Oboe"),
        ("ö, x/Oboe/1.wav", "ö, x"),
    ]
    assert [item.group for item in dataset.recordings] == [item.path for item in dataset.recordings]
    assert dataset.recordings[0].file == tmp_path / "data" / "Flute" / "10.wav"
    assert dataset.source == str(tmp_path / "data")
    assert dataset.findings == ()


def test_other_files_are_passed_over_without_a_word(folder):
    """Extensions are read in any case; hidden files and folders are passed over."""
    dataset = folder(
        *("x/a.WAV", "x/b.Flac", "x/c.mp3", "x/d.txt", "x/e.wav.bak", "x/wav", "x/m4a"),
        *("x/cover.jpg", "x/._a.wav", "x/.trash/b.wav", ".git/c.wav", ".d.wav", "x/.e.m4a"),
    )
    assert [item.path for item in dataset.recordings] == ["x/a.WAV", "x/b.Flac", "x/c.mp3"]
    assert dataset.findings == ()


def test_sound_that_cannot_be_read_is_counted_and_passed_over(folder):
    dataset = folder("x/a.wav", "x/b.m4a", "y/deep/a.M4A", "x/c.wma", "b.Wv", "x/.trash/d.ape")
    assert pairs(dataset) == [("x/a.wav", "x")]
    finding = dataset.findings[0]
    facts = {"count": 4, "kinds": [".m4a", ".wma", ".wv"]}
    assert (finding.code, finding.facts) == ("passed-over", facts)


def test_a_folder_of_nothing_but_sound_that_cannot_be_read_says_so(folder):
    sentence = message(folder, *(f"{label}/{n}.m4a" for label in "xyz" for n in range(2)))
    assert sentence.startswith("There are no labelled recordings in")
    assert "6 files of kinds that cannot be read (.m4a) were skipped" in sentence


def test_no_kind_of_file_is_read_and_passed_over_as_well(folder):
    assert folder(*(f"x/a{extension}" for extension in EXTENSIONS)).findings == ()


def test_loose_recordings_are_counted_and_left_out(folder, tmp_path):
    dataset = folder("x/a.wav", "b.wav", "c.wav", "notes.txt")
    assert pairs(dataset) == [("x/a.wav", "x")]
    data = str(tmp_path / "data")
    assert found(dataset) == [(data, "loose-recordings", {"count": 2, "folder": data})]


def test_folders_without_sound_are_named(folder, tmp_path):
    dataset = folder("x/a.wav", "empty/notes.txt", "data/b.m4a", ".hidden/c.txt")
    assert [item.facts["folder"] for item in dataset.findings if "folder" in item.facts] == [
        "data",
        "empty",
    ]
    assert {item.path for item in dataset.findings} == {str(tmp_path / "data")}


@pytest.mark.parametrize("paths", [["a.wav"], ["x/notes.txt"], [".hidden/a.wav"]])
def test_a_folder_without_classes_says_what_was_expected(folder, paths):
    assert "Expected one sub-folder per class with sound files in it" in message(folder, *paths)


def test_a_class_that_cannot_be_opened_is_named(folder, closed):
    closed("C", "deep")
    dataset = folder("A/1.wav", "B/1.wav", "C/1.wav", "A/deep/1.wav", "D/deep/1.wav")
    assert pairs(dataset) == [("A/1.wav", "A"), ("B/1.wav", "B")]
    assert [item.path for item in dataset.problems] == ["A/deep", "C", "D/deep"]
    assert {item.code for item in dataset.findings} == {"closed-folder"}
    assert dataset.problems[1].facts == {"cause": "Permission denied"}


def test_a_closed_folder_among_labelled_recordings_is_no_recording_without_labels(tmp_path, closed):
    for name in ("a.wav", "b/c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a.txt").write_text("0.0\t1.0\thum\n")
    closed("b")
    dataset = read_dataset(tmp_path)
    assert [item.path for item in dataset.problems] == ["b"]
    assert dataset.notes == ()


def test_a_data_set_that_cannot_be_opened_at_all_is_an_error(folder, closed):
    closed("data")
    assert message(folder, "A/1.wav").endswith(
        "data: this folder cannot be opened (Permission denied); change its permissions or leave "
        "it out."
    )


def test_a_folder_may_be_named_by_text_and_by_a_relative_path(folder, tmp_path, monkeypatch):
    whole = folder("x/a.wav")
    monkeypatch.chdir(tmp_path)
    relative = read_dataset("data")
    assert pairs(relative) == pairs(whole)
    assert relative.recordings[0].file == Path("data/x/a.wav")


def test_recordings_are_found_whatever_their_depth(tmp_path):
    for path in ("b.wav", "a/c.ogg", "a/.h.wav", "a/d.txt"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    found = [os.path.relpath(path, tmp_path) for path in find_recordings(tmp_path)]
    assert sorted(found) == [os.path.join("a", "c.ogg"), "b.wav"]


# None of these


@pytest.mark.parametrize("name", ["noise", "Silence", "BACKGROUND", "unknown"])
def test_examples_of_none_of_these_are_recordings_and_no_class(folder, table, name):
    for dataset in (
        folder("Flute/1.wav", f"{name}/1.wav"),
        table(f"path,label\nFlute/1.wav,Flute\n{name}/1.wav, {name}\n"),
    ):
        assert dataset.labels == ["Flute"]
        assert dataset.counts()[name] == 1
        assert [item.none_of_these for item in dataset.recordings] == [
            item.label == name for item in dataset.recordings
        ]


@pytest.mark.parametrize("label", ["noises", "white noise", "other", "un known"])
def test_labels_that_only_look_like_none_of_these_are_classes(label):
    assert not Recording("a.wav", Path("a.wav"), label, "a.wav").none_of_these


def test_rows_of_a_closed_folder_cost_nothing_else(tmp_path, closed):
    """They are rows like others, and decoding says what is wrong with each."""
    table = tmp_path / "sounds.csv"
    table.write_text("path,label\nclosed/a.wav,Bell\nopen/b.wav,Flute\n")
    closed("closed")
    assert [item.path for item in read_dataset(table).recordings] == ["closed/a.wav", "open/b.wav"]
