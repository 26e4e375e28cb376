"""Folders of recordings with label files beside them."""

import numpy as np
import pytest
import soundfile

from conftest import RATE, sound
from timbrel.dataset.folds import hold_out
from timbrel.dataset.manifest import read_dataset
from timbrel.errors import DataError
from timbrel.features.cache import FeatureCache
from timbrel.findings import Finding
from timbrel.networks.recipes import get_recipe
from timbrel.training.prepare import prepare

TRACK = "0\t1\tx\n1.5\t2\ty\n"
HEADER = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"
TABLE = f"{HEADER}\tSpecies\n1\tSpectrogram 1\t1\t3\t4\t100\t200\tz\n"


@pytest.fixture
def folder(tmp_path):
    """Write files (recordings are empty) and read the folder."""

    def read(files):
        for name, content in files.items():
            file = tmp_path / "data" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else (content or "").encode())
        return read_dataset(tmp_path / "data")

    return read


def rows(dataset):
    return [(item.path, item.start, item.end, item.label) for item in dataset.recordings]


def found(dataset):
    """Code and facts of each finding."""
    return [(item.code, item.facts) for item in dataset.findings]


def message(read, files):
    with pytest.raises(DataError) as caught:
        read(files)
    return str(caught.value)


# Which label file goes with which recording


def test_each_stretch_is_a_recording_and_its_sound_file_is_its_group(folder, tmp_path):
    dataset = folder({"take1.wav": None, "take1.txt": TRACK})
    assert rows(dataset) == [("take1.wav", 0.0, 1.0, "x"), ("take1.wav", 1.5, 2.0, "y")]
    assert {item.group for item in dataset.recordings} == {"take1.wav"}
    assert {item.file for item in dataset.recordings} == {tmp_path / "data" / "take1.wav"}
    assert {item.fold for item in dataset.recordings} == {None}
    assert dataset.findings == ()
    assert dataset.source == str(tmp_path / "data")
    assert dataset.labels == ["x", "y"]


@pytest.mark.parametrize(
    ("recording", "text"),
    [
        ("take1.wav", "take1.txt"),
        ("take1.wav", "take1.TXT"),
        ("Take1.WAV", "take1.txt"),
        ("take1.wav", "take1.wav.txt"),
        ("take1.wav", "take1_labels.txt"),
        ("take1.wav", "take1-labels.txt"),
        ("take1.wav", "take1 labels.txt"),
        ("take1.wav", "take1.label.txt"),
        ("take1.wav", "take1.wav_labels.txt"),
        ("2021.05.10 dawn.flac", "2021.05.10 dawn.txt"),
        ("take_labels.mp3", "take_labels.txt"),
        ("labels.wav", "labels.txt"),
        ("größe 太.ogg", "größe 太.txt"),
        ("take1.wav", "take1.Table.1.selections.txt"),
        ("take1.wav", "take1.Table.12.selections.txt"),
        ("take1.wav", "take1.selections.txt"),
        ("take1.wav", "take1.wav.Table.1.selections.txt"),
    ],
)
@pytest.mark.parametrize("content", [TRACK, TABLE], ids=["track", "table"])
def test_names_of_label_files(folder, recording, text, content):
    # The other recording keeps the label file from being the only one beside the only recording.
    dataset = folder({recording: None, "other.wav": None, text: content})
    assert {item.path for item in dataset.recordings} == {recording}
    assert len(dataset.notes) == 1


def test_folders_are_searched_at_any_depth(folder):
    """Stretches are sorted by recording and time; hidden files and folders are passed over."""
    dataset = folder({
        "site a/2024/1.wav": None, "site a/2024/1.txt": "1.5\t2\ty\n0\t1\tx\n",
        "site b/1.wav": None, "site b/1.txt": "3\t4\tz\n",
        "2.wav": None, "2.txt": "5\t6\tx\n",
        "._2.txt": "0\t1\tq\n", ".old/b.wav": None, ".old/b.txt": TRACK,
    })  # fmt: skip
    assert rows(dataset) == [
        ("2.wav", 5.0, 6.0, "x"),
        ("site a/2024/1.wav", 0.0, 1.0, "x"),
        ("site a/2024/1.wav", 1.5, 2.0, "y"),
        ("site b/1.wav", 3.0, 4.0, "z"),
    ]
    assert [item.group for item in dataset.recordings] == [item.path for item in dataset.recordings]
    assert found(dataset) == [("labels-from-files", {"count": 3})]


@pytest.mark.parametrize("name", ["Label Track.txt", "labels.txt", "Textspur.txt", "a.txt.txt"])
@pytest.mark.parametrize("content", [TRACK, TABLE], ids=["track", "table"])
def test_the_only_label_file_goes_with_the_only_recording(folder, name, content):
    dataset = folder({"s/take1.wav": None, f"s/{name}": content, "s/readme.txt": "By the lake."})
    assert {item.path for item in dataset.recordings} == {"s/take1.wav"}
    assert found(dataset) == [
        ("labels-from-files", {"count": 1}),
        ("lone-label-files", {"count": 1, "first": f"s/{name}", "recording": "take1.wav"}),
    ]


@pytest.mark.parametrize(
    "files",
    [
        {"take1.wav": None, "take2.wav": None, "Label Track.txt": TRACK},
        {"take1.wav": None, "Label Track.txt": TRACK, "Label Track 2.txt": TRACK},
        {"deep/take1.wav": None, "Label Track.txt": TRACK},
        {"take1.wav": None, "Label Track.txt": TABLE.replace("View", "Begin File")},
    ],
    ids=["two recordings", "two label files", "another folder", "the table names another"],
)
def test_a_label_file_without_a_recording_is_a_stray(folder, files, tmp_path):
    others = {"z/a.wav": None, "z/a.txt": TRACK}
    dataset = folder(files | others)
    assert {item.path for item in dataset.recordings} == {"z/a.wav"}
    strays = sum("Label" in name for name in files)
    first = min(name for name in files if "Label" in name)
    assert ("stray-label-files", {"count": strays, "first": first}) in found(dataset)


def test_a_recording_with_a_label_file_of_its_name_takes_no_other(folder):
    dataset = folder({"a.wav": None, "a.txt": TRACK, "Label Track.txt": "8\t9\tw\n"})
    assert [label for *_, label in rows(dataset)] == ["x", "y"]
    assert found(dataset) == [("stray-label-files", {"count": 1, "first": "Label Track.txt"})]


def test_strays_alone_are_named_in_the_error(folder, tmp_path):
    files = {"take1.wav": None, "take2.wav": None, "Label Track.txt": TRACK}
    assert message(folder, files) == (
        f"There are no labelled recordings in '{tmp_path / 'data'}'. Expected one sub-folder per "
        "class with sound files in it, recordings with Audacity label tracks or Raven selection "
        "tables beside them, or a CSV with the columns path and label. 1 label file belongs to no "
        "recording and is left out, the first is 'Label Track.txt'. A label file for 'take1.wav' "
        f"is called 'take1.txt'. 2 recordings lie directly in '{tmp_path / 'data'}', in no class "
        "folder, and are left out."
    )


def test_a_name_that_fits_two_recordings_is_named(folder):
    files = {"a.wav": None, "a.flac": None, "a.txt": TRACK, "b.wav": None, "b.txt": TRACK}
    dataset = folder(files)
    assert {item.path for item in dataset.recordings} == {"b.wav"}
    (finding,) = dataset.problems
    assert (finding.path, finding.code) == ("a.txt", "label-file-of-either")
    assert [finding.facts[key] for key in ("first", "second", "name")] == [
        "a.flac",
        "a.wav",
        "a.flac.txt",
    ]
    dataset = folder({"a.wav.txt": "8\t9\tw\n"})
    assert ("a.wav", 8.0, 9.0, "w") in rows(dataset)


def test_names_that_differ_in_case_alone(folder, tmp_path):
    (tmp_path / "probe").touch()
    if (tmp_path / "PROBE").exists():
        pytest.skip("this file system does not tell them apart")
    dataset = folder({"a.wav": None, "A.wav": None, "a.txt": TRACK, "A.wav.txt": "8\t9\tw\n"})
    assert rows(dataset) == [
        ("A.wav", 8.0, 9.0, "w"),
        ("a.wav", 0.0, 1.0, "x"),
        ("a.wav", 1.5, 2.0, "y"),
    ]
    assert dataset.findings == ()


def test_several_label_files_of_a_recording_are_all_used(folder):
    dataset = folder({
        "a.wav": None, "a.txt": TRACK, "a.Table.1.selections.txt": TABLE,
        "a.Table.2.selections.txt": TABLE.replace("\t3\t4\t", "\t5\t6\t"),
    })  # fmt: skip
    assert [label for *_, label in rows(dataset)] == ["x", "y", "z", "z"]
    files = ["a.Table.1.selections.txt", "a.Table.2.selections.txt", "a.txt"]
    facts = {"count": 1, "first": "a.wav", "files": files}
    assert found(dataset) == [("several-label-files", facts)]


# What is left out, and the findings about it


def test_recordings_without_a_label_file_are_counted_and_left_out(folder):
    dataset = folder({"b.wav": None, "b.txt": TRACK, "c.wav": None, "d.wav": None, "e.m4a": None})
    assert {item.path for item in dataset.recordings} == {"b.wav"}
    assert found(dataset) == [
        ("passed-over", {"count": 1, "kinds": [".m4a"]}),
        ("without-label-file", {"count": 2, "first": "c.wav"}),
    ]
    assert dataset.notes == tuple(item.text for item in dataset.findings)


@pytest.mark.parametrize("content", ["", "\n", f"{HEADER}\tSpecies\n"])
def test_recordings_with_a_label_file_that_says_nothing_are_counted(folder, content):
    dataset = folder({"a.wav": None, "a.txt": content, "b.wav": None, "b.txt": TRACK})
    assert {item.path for item in dataset.recordings} == {"b.wav"}
    facts = {"count": 1, "first": "a.wav", "file": "a.txt"}
    assert found(dataset) == [("without-label", facts)]


def test_bad_rows_are_named_with_file_and_line(folder, tmp_path):
    dataset = folder({"s/a.wav": None, "s/a.txt": "0\t1\tx\n2\t2\tclick\n3\t4\t\n5\t6\ty\n"})
    assert [label for *_, label in rows(dataset)] == ["x", "y"]
    assert [(item.path, item.code) for item in dataset.findings] == [
        ("s/a.txt, line 2", "label-point"),
        ("s/a.txt, line 3", "empty-cell"),
        (str(tmp_path / "data"), "labels-from-files"),
    ]
    assert dataset.problems == dataset.findings[:2]


def test_one_bad_file_is_named_and_the_others_are_used(folder):
    dataset = folder({
        "a.wav": None, "a.txt": "It rained.",
        "b.wav": None, "b.txt": "0\t1\tGröße\n".encode("latin-1"),
        "c.wav": None, "c.txt": TABLE.replace("Species", "A\tB").replace("200\tz", "200\ty\tz"),
        "d.wav": None, "d.txt": TRACK,
    })  # fmt: skip
    assert {item.path for item in dataset.recordings} == {"d.wav"}
    assert sorted(problem.path for problem in dataset.problems) == ["a.txt", "b.txt", "c.txt"]
    (finding,) = [item for item in dataset.findings if not item.unusable]
    assert (finding.code, finding.facts["count"]) == ("without-label", 3)


def test_columns_that_differ_or_were_guessed_are_a_finding(folder):
    files = {"a.wav": None, "a.txt": TABLE, "b.wav": None, "b.txt": TABLE}
    assert folder(files).findings == ()
    files["b.txt"] = TABLE.replace("Species", "Call type")
    facts = {"columns": [["Call type", 1], ["Species", 1]]}
    assert found(folder(files)) == [("chosen-columns", facts)]
    files = {"a.txt": TABLE.replace("Species", "Wer"), "b.txt": TABLE.replace("Species", "Wer")}
    assert found(folder(files)) == [("chosen-columns", {"columns": [["Wer", 2]]})]


# Folders of classes


CLASSES = {f"{label}/{n}.wav": None for label in ("Flute", "Oboe") for n in range(3)}


def test_label_files_win_over_folders_and_that_is_a_finding(folder):
    classes = folder(CLASSES)
    assert (classes.labels, classes.findings) == (["Flute", "Oboe"], ())
    dataset = folder({"Flute/1.txt": TRACK})
    assert {item.path for item in dataset.recordings} == {"Flute/1.wav"}
    assert dataset.labels == ["x", "y"]
    assert found(dataset) == [
        ("labels-from-files", {"count": 1}),
        ("without-label-file", {"count": 5, "first": "Flute/0.wav"}),
    ]


@pytest.mark.parametrize(
    "content", ["A flute in a hall.\n", "", "1 2 3\n4 5 6\n", "1\t2\n3\t4\n", "0.5 1.5 x\n"]
)
def test_other_texts_beside_recordings_do_not_matter(folder, content):
    texts = dict.fromkeys(("Flute/1.txt", "Oboe/1.txt", "readme.txt"), content)
    dataset = folder(CLASSES | texts)
    assert dataset.labels == ["Flute", "Oboe"]
    assert (len(dataset.recordings), dataset.findings) == (6, ())


def test_a_stray_label_file_among_classes_is_a_finding(folder):
    dataset = folder(CLASSES | {"Flute/Label Track.txt": TRACK})
    assert dataset.labels == ["Flute", "Oboe"]
    assert found(dataset) == [("stray-label-files", {"count": 1, "first": "Flute/Label Track.txt"})]


# Tables of several sound files


def survey(*rows, name="File Offset (s)"):
    """A selection table with `Begin Path` and `File Offset (s)`."""
    lines = [f"Selection\tView\tBegin Time (s)\tEnd Time (s)\tBegin Path\t{name}\tSpecies"]
    for number, row in enumerate(rows, 1):
        lines.append("\t".join(map(str, (number, "Spectrogram 1", *row))))
    return "\n".join(lines)


def test_a_table_may_name_the_sound_file_of_each_row(folder):
    dataset = folder({
        "a.wav": None, "b/b.wav": None, "c.wav": None,
        "all of them.txt": survey(
            (1, 2, "D:\\s\\a.wav", 1, "x"),
            (61, 62, "/home/me/B.WAV", 1, "y"),
            (65, 66, "b.wav", 5, "x"),
        ),
    })  # fmt: skip
    assert rows(dataset) == [
        ("a.wav", 1.0, 2.0, "x"),
        ("b/b.wav", 1.0, 2.0, "y"),
        ("b/b.wav", 5.0, 6.0, "x"),
    ]
    assert [item.group for item in dataset.recordings] == ["a.wav", "b/b.wav", "b/b.wav"]
    assert dataset.problems == ()
    assert ("without-label-file", {"count": 1, "first": "c.wav"}) in found(dataset)


def test_rows_whose_sound_file_is_not_known_are_named_together(folder):
    table = survey(
        (1, 2, "a.wav", 1, "x"),
        (61, 62, "gone.wav", 1, "x"),
        (63, 64, "gone.wav", 3, "x"),
        (70, 71, "", "", "x"),
    )
    dataset = folder({"a.wav": None, "c.wav": None, "all.txt": table})
    assert rows(dataset) == [("a.wav", 1.0, 2.0, "x")]
    facts = {"count": 2, "file": "gone.wav"}
    assert dataset.problems == (
        Finding("selection-without-offset", "all.txt, line 5"),
        Finding("rows-of-missing-file", "all.txt, line 3", facts),
    )
    table = survey((1, 2, "a.wav", 1, "x"), (70, 71, "", "", "x"))
    (finding,) = folder({"all.txt": table}).problems
    assert (finding.path, finding.code) == ("all.txt, line 3", "rows-without-file")
    assert finding.facts["count"] == 1


def test_folders_of_a_path_tell_recordings_of_one_name_apart(folder):
    table = survey(
        (1, 2, "D:\\Survey\\North\\1.wav", 1, "x"),
        (61, 62, "D:\\survey\\south\\1.wav", 1, "y"),
        (63, 64, "1.wav", 3, "z"),
    )
    files = {"north/1.wav": None, "south/1.wav": None, "all.txt": table}
    dataset = folder(files)
    assert rows(dataset) == [("north/1.wav", 1.0, 2.0, "x"), ("south/1.wav", 1.0, 2.0, "y")]
    (finding,) = dataset.problems
    facts = {"count": 1, "file": "1.wav", "first": "north/1.wav", "second": "south/1.wav"}
    assert (finding.path, finding.code) == ("all.txt, line 4", "rows-of-either-file")
    assert finding.facts == facts


def test_of_recordings_of_one_name_the_one_beside_the_table_is_meant(folder):
    table = survey((1, 2, "1.wav", 1, "x"), (61, 62, "2.wav", 1, "y"))
    files = {f"{side}/{n}.wav": None for side in ("north", "south") for n in (1, 2)}
    dataset = folder(files | {"south/all.txt": table})
    assert rows(dataset) == [("south/1.wav", 1.0, 2.0, "x"), ("south/2.wav", 1.0, 2.0, "y")]


@pytest.mark.parametrize("recording", ["take1.flac", "new name.wav"])
def test_a_recording_that_was_converted_or_renamed_is_found(folder, recording):
    text = f"{recording.rpartition('.')[0]}.Table.1.selections.txt"
    dataset = folder({recording: None, "b.wav": None, text: survey((1, 2, "take1.wav", 1, "x"))})
    assert rows(dataset) == [(recording, 1.0, 2.0, "x")]
    assert dataset.problems == ()


# Repeats and contradictions


def test_the_same_stretch_twice_counts_once(folder):
    dataset = folder({"a.wav": None, "a.txt": TRACK + TRACK})
    assert len(dataset.recordings) == 2
    assert found(dataset) == [("repeated-rows", {"count": 2})]


def test_overlapping_labels_contradict_each_other(folder):
    content = "0\t1\tx\n2\t5\tdog\n3\t4\tcat\n5\t6\ty\n"
    dataset = folder({"s/a.wav": None, "s/a.txt": content})
    assert [label for *_, label in rows(dataset)] == ["x", "y"]
    assert [(item.path, item.facts["where"]) for item in dataset.problems] == [
        ("s/a.wav [2–5 s]", "3–4 s"),
        ("s/a.wav [3–4 s]", "2–5 s"),
    ]


# End to end

KINDS = ("hiss", "hum", "whistle")


def write_field(folder, *, recordings=6, extension="wav", each=2):
    """Long recordings with stretches of three kinds of sound, and an Audacity track for each."""
    folder.mkdir()
    for number in range(recordings):
        rng = np.random.default_rng([7, number])
        kinds = rng.permutation([*KINDS, "noise"] * each)
        parts, labels, now = [], [], 0.0
        for kind in kinds:
            pause, length = rng.uniform(0.1, 0.4), rng.uniform(0.4, 0.7)
            quiet = rng.normal(size=int(pause * RATE)) * 1e-4
            voice = sound("hiss" if kind == "noise" else kind, length, rng)
            now += len(quiet) / RATE
            labels.append(f"{now:.6f}\t{now + len(voice) / RATE:.6f}\t{kind}")
            now += len(voice) / RATE
            parts += [quiet, voice]
        soundfile.write(folder / f"site{number}.{extension}", np.concatenate(parts), RATE)
        (folder / f"site{number}.txt").write_text("\n".join(labels) + "\n")
    return folder


def test_whole_recordings_are_held_out(tmp_path):
    dataset = read_dataset(write_field(tmp_path / "field"))
    items = [item for item in dataset.recordings if not item.none_of_these]
    assert len(items) == 36
    held_out = hold_out(items, folds=3, seed=0)
    sides = {}
    for item, out in zip(items, held_out.held_out, strict=True):
        sides.setdefault(item.path, set()).add(bool(out))
    assert sorted(map(len, sides.values())) == [1] * 6
    assert {len(side) for side in sides.values()} == {1}
    assert sum(side == {True} for side in sides.values()) == 2
    assert held_out.grouped


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["flac", "mp3"])
def test_a_stretch_is_the_same_sound_in_every_format(tmp_path, extension):
    """The drawn windows of stretches of a compressed file against those of the plain one."""
    cache = FeatureCache(None)
    plain = read_dataset(write_field(tmp_path / "wav", recordings=2))
    other = read_dataset(write_field(tmp_path / extension, recordings=2, extension=extension))
    recipe = get_recipe("tutorial-cnn").adjusted(clean_threshold=0.0)
    one, two = (prepare(data, recipe, cache=cache) for data in (plain, other))
    assert [item.name.replace(".wav", "") for item in one.recordings] == [
        item.name.replace(f".{extension}", "") for item in two.recordings
    ]
    np.testing.assert_array_equal(one.examples.recording, two.examples.recording)
    # Lossy compression blurs a picture; the wrong place in the file would make another one.
    same = [
        np.corrcoef(left.ravel(), right.ravel())[0, 1]
        for left, right in zip(one.examples.pictures, two.examples.pictures, strict=True)
    ]
    assert np.median(same) > (0.9999 if extension == "flac" else 0.9)


@pytest.mark.slow
def test_training_on_label_tracks(tmp_path):
    from timbrel import load, train

    result = train(write_field(tmp_path / "field"), tmp_path / "model", epochs=2)
    evaluation = result.evaluation
    assert evaluation["labels"] == list(KINDS)
    assert (evaluation["data"]["files"], evaluation["data"]["groups"]) == (36, 6)
    scored = {row["path"].partition(" [")[0] for row in evaluation["predictions"]}
    assert len(evaluation["predictions"]) == 6 * len(scored)
    assert len(scored) < 6
    assert evaluation["unknown"] is not None
    assert result.problems == ()
    assert load(result.path).labels == list(KINDS)
