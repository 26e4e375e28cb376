"""Taking a sorted library back: whole, after changes by hand, and after being killed."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tagging_killed import CASES, JOURNAL, Named, by_hand, contents, files, touch
from timbrel.errors import DataError
from timbrel.tagging import undo
from timbrel.workflows.tag import tag, undo_tag


@pytest.fixture
def out(tmp_path):
    return tmp_path / "new" / "sorted"


@pytest.fixture
def moved(library, out):
    """Sort the library by moving; what it was like."""
    before = contents(library)
    tag(library, out, Named(), mode="move")
    return before


def edit(path, text="edited"):
    path.chmod(0o600)
    path.write_text(text)


@pytest.mark.parametrize("keep_folders", [False, True], ids=["flat", "kept"])
@pytest.mark.parametrize("mode", ["link", "copy", "move"])
@pytest.mark.parametrize("there", [False, True], ids=["new", "there"])
def test_everything_is_as_before(library, out, tmp_path, mode, keep_folders, there):
    if there:
        touch(out / "hum" / "mine.txt", "mine")
        (out / "empty").mkdir()
    before = contents(tmp_path)
    tag(library, out, Named(), mode=mode, keep_folders=keep_folders)
    assert undo_tag(out).count == 8
    assert contents(tmp_path) == before


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("case", CASES)
def test_killed_at_any_call_nothing_is_lost(case, tmp_path):
    # In memory where that is possible: most of the time goes into syncing a disk.
    memory = Path("/dev/shm")
    folder = memory if os.access(memory, os.W_OK) else tmp_path
    if "labels" in case:
        pytest.importorskip("mutagen", reason="the tags extra is not installed")
    program = Path(__file__).with_name("tagging_killed.py")
    with tempfile.TemporaryDirectory(dir=folder) as home:
        done = subprocess.run(
            [sys.executable, program, case, home], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr[-3000:]
    in_sorting, in_taking_back = map(int, done.stdout.split())
    assert in_sorting > 40
    assert in_taking_back > 15


# Changes by hand


@pytest.mark.parametrize("mode", ["link", "copy"])
def test_what_was_changed_is_named_and_left_alone_until_it_is_mended(library, out, mode):
    before = contents(library)
    tag(library, out, Named(), mode=mode)
    changed = out / "hum" / "hum-1.wav"
    keep = changed.with_name("kept")
    changed.rename(keep)
    touch(changed, "edited")
    for _ in range(2):
        result = undo_tag(out / JOURNAL)
        why = "it was changed or replaced since, and is left alone; the file that was put there is"
        assert result.left == [(str(changed), f"{why} at {keep} now")]
        assert changed.read_text() == "edited"
        assert (out / JOURNAL).exists()
    assert result.count == 0
    # The others are sorted again.
    again = tag(library, out, Named(), mode=mode)
    assert (again.placed, again.before) == (7, 1)
    changed.unlink()
    keep.rename(changed)
    assert undo_tag(out).left == []
    assert not out.exists()
    assert contents(library) == before


def test_a_place_that_is_taken_again_is_left_alone(library, out, moved):
    source, target = library / "a" / "odd.wav", out / "unsure" / "odd.wav"
    content = target.read_bytes()
    why = f"there is a file at {source} again; this one is left alone"
    source.symlink_to(target)
    assert undo_tag(out).left == [(str(target), why)]
    assert target.read_bytes() == content
    source.unlink()
    touch(source, "new")
    assert undo_tag(out).left == [(str(target), why)]
    assert (source.read_text(), target.read_bytes()) == ("new", content)
    source.unlink()
    assert undo_tag(out).count == 1
    assert contents(library) == moved


@pytest.mark.parametrize("mode", ["link", "copy", "move"])
def test_a_file_that_was_deleted_in_the_meantime_is_not_counted(library, out, mode):
    tag(library, out, Named(), mode=mode)
    gone = out / "hum" / "hum-1.wav"
    gone.unlink()
    result = undo_tag(out)
    assert result.count == 7
    if mode == "move":
        source = library / "a" / "hum-1.wav"
        assert result.left == [(str(gone), f"it is no longer there, and not at {source} either")]
        assert result.notes == []
        assert undo_tag(out).left == result.left
    else:
        assert result.left == []
        assert result.notes == [f"{library.as_posix()}/a/hum-1.wav: {gone} was gone already"]
        assert not out.exists()


def test_a_moved_file_that_was_edited_returns_as_it_is(library, out, moved):
    edit(out / "unsure" / "odd.wav")
    result = undo_tag(out)
    assert (result.count, result.left) == (8, [])
    why = "it was changed since, and went back as it is now"
    assert result.notes == [f"{library.as_posix()}/a/odd.wav: {why}"]
    assert (library / "a" / "odd.wav").read_text() == "edited"


def test_moved_files_that_were_moved_by_hand_are_found_and_brought_back(library, out, moved):
    (out / "hum").rename(out / "bass")
    by_hand(out)
    result = undo_tag(out)
    assert (result.count, result.left) == (8, [])
    assert sorted(result.files) == sorted(
        f"{library.as_posix()}/{name}" for name in files(moved) if name != "a/bad.wav"
    )
    assert contents(library) == moved
    assert {note.split(": ", 1)[1] for note in result.notes} == {
        f"it was found at {out / name}, and brought back from there"
        for name in (
            *("hiss/hiss-1.wav", "hiss/hiss-1 (2).wav", "kept/deep/odd.wav"),
            *("bass/hum-1.wav", "bass/HUM-1 (2).wav", "bass/hum-1 (3).wav"),
            *("bass/hum-2.flac", "bass/hum-3.au"),
        )
    }
    # Folders that were made by hand stay, and nothing else.
    assert list(contents(out)) == ["bass", "kept", "kept/deep"]


@pytest.mark.parametrize("mode", ["link", "copy"])
def test_links_and_copies_that_were_moved_by_hand_are_named_and_left_alone(library, out, mode):
    before = contents(library)
    tag(library, out, Named(), mode=mode)
    odd = out / "unsure" / "odd.wav"
    (out / "hiss" / "kept").mkdir()
    odd.rename(out / "hiss" / "kept" / "strange.wav")
    for count in (7, 0):
        result = undo_tag(out)
        why = f"it is no longer there, but at {out}/hiss/kept/strange.wav, and is left alone"
        assert (result.count, result.left, result.notes) == (count, [(str(odd), why)], [])
    assert list(files(contents(out))) == ["hiss/kept/strange.wav"]
    (out / "hiss" / "kept" / "strange.wav").unlink()
    assert undo_tag(out).left == []
    assert contents(library) == before


def test_the_place_of_a_file_that_was_moved_by_hand_may_be_taken_again(library, out, moved):
    touch(library / "a" / "odd.wav", "new")
    touch(library / "b" / "hum-2.flac", "new")
    (out / "unsure" / "odd.wav").rename(out / "strange.wav")
    (out / "hum" / "hum-2.flac").unlink()
    for count in (6, 0):
        result = undo_tag(out)
        again = f"there is a file at {library}/a/odd.wav again; this one is left alone"
        lost = f"it is no longer there, and not at {library}/b/hum-2.flac either"
        left = [(str(out / "strange.wav"), again), (str(out / "hum" / "hum-2.flac"), lost)]
        assert (result.count, sorted(result.left)) == (count, sorted(left))
    assert (library / "a" / "odd.wav").read_text() == "new"
    (library / "a" / "odd.wav").unlink()
    assert undo_tag(out).count == 1
    assert not (out / "strange.wav").exists()


def test_files_that_were_exchanged_by_hand_go_back_to_their_own_places(library, out, moved):
    one, two, three = (out / "hum" / name for name in ("hum-1.wav", "hum-2.flac", "hum-3.au"))
    one.rename(out / "spare")
    two.rename(one)
    three.rename(two)
    (out / "spare").rename(three)
    result = undo_tag(out)
    assert (result.count, result.left) == (8, [])
    assert contents(library) == moved
    assert not out.exists()


def test_a_file_that_was_moved_onto_another_is_not_taken_for_it(library, out, moved):
    one, two = out / "hum" / "hum-1.wav", out / "hum" / "hum-2.flac"
    two.replace(one)
    result = undo_tag(out)
    why = f"it is no longer there, and not at {library / 'a' / 'hum-1.wav'} either"
    assert (result.count, result.left) == (7, [(str(one), why)])
    assert contents(library)["b/hum-2.flac"] == moved["b/hum-2.flac"]


def test_another_file_in_the_place_of_one_that_was_moved_by_hand_stays(library, out, moved):
    odd = out / "unsure" / "odd.wav"
    odd.rename(out / "strange.wav")
    touch(odd, "mine")
    result = undo_tag(out)
    why = "it is not the file that was put there, and is left alone"
    assert (result.count, result.left) == (8, [(str(odd), why)])
    assert contents(library) == moved
    assert list(files(contents(out))) == ["unsure/odd.wav"]


def test_a_file_that_was_moved_back_by_hand_is_not_claimed(library, out, moved):
    odd = out / "unsure" / "odd.wav"
    odd.rename(library / "a" / "odd.wav")
    result = undo_tag(out)
    why = f"{odd} was gone already, and there is a file at its old place"
    assert (result.count, result.left) == (7, [])
    assert result.notes == [f"{library.as_posix()}/a/odd.wav: {why}"]
    assert contents(library) == moved
    assert not out.exists()


def test_of_equal_files_each_goes_back_once(library, out):
    odd, other = library / "a" / "odd.wav", library / "b" / "other.wav"
    shutil.copy(odd, other)
    before = contents(library)
    tag(library, out, Named(), mode="move")
    (out / "unsure").rename(out / "strange")
    assert undo_tag(out).count == 9
    assert contents(library) == before  # Their times as well: the names tell them apart.
    shutil.rmtree(out)
    tag(library, out, Named(), mode="move")
    for name in ("odd", "other"):
        (out / "unsure" / f"{name}.wav").rename(out / f"strange-{name}.wav")
    assert undo_tag(out).count == 9
    assert odd.read_bytes() == other.read_bytes()
    tag(library, out, Named(), mode="move")
    touch(odd, "new")
    (out / "unsure" / "other.wav").unlink()
    result = undo_tag(out)
    assert {left for left, _ in result.left} == {
        str(out / "unsure" / f"{name}.wav") for name in ("odd", "other")
    }
    assert (result.count, other.exists()) == (7, False)


def test_nothing_is_taken_from_the_library_or_from_what_another_run_sorted(library, tmp_path):
    # Both lie in the folder that is searched, and hold the same content.
    before = contents(library)
    inner = tmp_path / "inner"
    tag(library, inner, Named(), mode="copy")
    tag(library, tmp_path, Named(), mode="copy")
    (tmp_path / "unsure" / "odd.wav").unlink()
    result = undo_tag(tmp_path)
    assert (result.count, result.left) == (7, [])
    assert undo_tag(inner).count == 8
    assert contents(library) == before


def test_folders_that_were_removed_come_back_and_the_sorted_library_may_be_moved(
    library, out, tmp_path, moved
):
    shutil.rmtree(library / "b")
    out.rename(tmp_path / "elsewhere")
    undo_tag(tmp_path / "elsewhere")
    assert contents(library) == moved
    assert not (tmp_path / "elsewhere").exists()


def test_a_table_that_was_changed_stays(library, out):
    tag(library, out, Named())
    with open(out / "tags.csv", "a") as file:
        file.write("a line of mine\n")
    ((left, _),) = undo_tag(out).left
    assert left == str(out / "tags.csv")
    assert list(contents(out)) == ["tags.csv"]


# Interruptions


def test_an_edited_file_that_was_half_moved_back_is_not_left_behind(
    library, out, moved, monkeypatch
):
    edited, real = out / "unsure" / "odd.wav", os.unlink
    edit(edited)

    def interrupted(path, **options):
        if path == edited:
            raise KeyboardInterrupt
        real(path, **options)

    with monkeypatch.context() as context:
        context.setattr(os, "unlink", interrupted)
        with pytest.raises(KeyboardInterrupt):
            undo_tag(out)
    assert edited.samefile(library / "a" / "odd.wav")
    assert undo_tag(out).count == 8
    assert (library / "a" / "odd.wav").read_text() == "edited"
    assert not out.exists()


def test_half_taken_back_is_ended_before_anything_else(library, out, moved, monkeypatch, recorder):
    real, calls = undo.take_back, []

    def interrupted(plan, target):
        calls.append(target)
        if len(calls) == 4:
            raise KeyboardInterrupt
        real(plan, target)

    with monkeypatch.context() as context:
        context.setattr(undo, "take_back", interrupted)
        with pytest.raises(KeyboardInterrupt):
            undo_tag(out)
    with pytest.raises(DataError, match="is half taken back. Finish that first: timbrel tag"):
        tag(library, out, Named(), mode="move")
    result = undo_tag(out, recorder)
    assert (result.count, result.notes) == (8, [])
    assert recorder.stages == [("taking back", done, 8, "") for done in range(1, 9)]
    assert contents(library) == moved


# Journals


@pytest.mark.parametrize("by_hands", [False, True], ids=["in place", "moved by hand"])
@pytest.mark.parametrize("mode", ["copy", "move"])
def test_a_journal_of_an_earlier_version_has_fewer_sums(library, out, mode, by_hands):
    before = contents(library)
    tag(library, out, Named(), mode=mode)
    rows = [json.loads(line) for line in (out / JOURNAL).read_text().splitlines()]
    for row in rows:
        row.pop("size", None)
        if row.get("kind") == "rename":
            del row["sha256"]
    (out / JOURNAL).write_text("".join(json.dumps(row) + "\n" for row in rows))
    if by_hands:
        (out / "unsure" / "odd.wav").rename(out / "strange.wav")
    result = undo_tag(out)
    assert (result.count, len(result.left)) == ((7, 1) if by_hands else (8, 0))
    if by_hands:
        found = f"but at {out / 'strange.wav'}," in result.left[0][1]
        assert found == (mode == "copy")
        (out / "strange.wav").replace(library / "a" / "odd.wav")
        assert (undo_tag(out).count, out.exists()) == (0, False)
    assert contents(library) == before


def test_lines_that_cannot_be_read_are_named_and_cost_their_file_alone(library, out):
    tag(library, out, Named(), mode="copy")
    lines = (out / JOURNAL).read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if '"n":3' in line)
    lines[number] = "\0" * 40
    (out / JOURNAL).write_text("\n".join(lines) + "\n")
    result = undo_tag(out)
    assert result.notes == [f"line {number + 1} of the journal cannot be read"]
    assert result.count == 7
    assert len(files(contents(out))) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not a journal, without a newline at its end", "is not a journal of timbrel tag"),
        ('{"line":"run","version":2,"mode":"move"}\n', "was written by a newer Timbrel"),
        ('["line"]\n', "is not a journal of timbrel tag"),
        (None, "cannot be read: No such file"),
    ],
)
def test_only_a_journal_is_taken_for_one(tmp_path, text, sentence):
    path = tmp_path / "journal.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=sentence):
        undo_tag(path)
    assert text is None or path.read_text() == text


@pytest.mark.skipif(os.name != "posix", reason="names are text here")
def test_names_that_are_no_text(library, out):
    strange = library / "a" / os.fsdecode(b"hum-\xff\n.wav")
    (library / "a" / "hum-1.wav").rename(strange)
    before = contents(library)
    tag(library, out, Named(), mode="move")
    assert (out / "hum" / strange.name).exists()
    # The table is text, whatever files are called; the journal has the very bytes.
    assert rb"hum-\udcff" in (out / "tags.csv").read_bytes()
    undo_tag(out)
    assert contents(library) == before
