import json
import os
import shutil

import pytest

from tagging_killed import JOURNAL, Named, contents, files
from timbrel.errors import DataError
from timbrel.tagging import taking_back
from timbrel.workflows.tag import tag, undo_tag


@pytest.fixture
def out(tmp_path):
    return tmp_path / "new" / "sorted"


@pytest.mark.parametrize("options", [{}, {"keep_folders": True}], ids=["flat", "kept"])
@pytest.mark.parametrize("mode", ["link", "copy", "move"])
@pytest.mark.parametrize("there", [False, True], ids=["new", "there"])
def test_everything_is_as_before(library, out, tmp_path, mode, options, there):
    if there:
        (out / "hum").mkdir(parents=True)
        (out / "hum" / "mine.txt").write_text("mine")
        (out / "empty").mkdir()
    before = contents(tmp_path)
    tag(library, out, Named(), mode=mode, **options)
    assert undo_tag(out).count == 8
    assert contents(tmp_path) == before


@pytest.mark.parametrize("mode", ["link", "copy"])
def test_what_was_changed_is_named_and_left_alone_until_it_is_mended(library, out, mode):
    before = contents(library)
    tag(library, out, Named(), mode=mode)
    changed = out / "hum" / "hum-1.wav"
    keep = changed.with_name("kept")
    changed.rename(keep)
    changed.write_text("edited")
    for _ in range(2):
        result = undo_tag(out / JOURNAL)
        assert result.left == [
            (str(changed), "it was changed or replaced since, and is left alone")
        ]
        assert changed.read_text() == "edited"
        assert (out / JOURNAL).exists()
    assert result.count == 0
    changed.unlink()
    keep.rename(changed)
    assert undo_tag(out).left == []
    assert not out.exists()
    assert contents(library) == before


def test_a_place_that_is_taken_again_is_left_alone(library, out):
    tag(library, out, Named(), mode="move")
    (library / "a" / "odd.wav").write_text("new")
    moved = (out / "unsure" / "odd.wav").read_bytes()
    ((left, why),) = undo_tag(out).left
    assert left == str(out / "unsure" / "odd.wav")
    assert why.startswith(f"there is a file at {library / 'a' / 'odd.wav'} again")
    assert (library / "a" / "odd.wav").read_text() == "new"
    assert (out / "unsure" / "odd.wav").read_bytes() == moved
    (library / "a" / "odd.wav").unlink()
    assert undo_tag(out).count == 1
    assert (library / "a" / "odd.wav").read_bytes() == moved


def test_what_is_left_is_not_sorted_again_and_the_rest_is(library, out):
    tag(library, out, Named(), mode="copy")
    (out / "hum" / "hum-1.wav").write_text("edited")
    undo_tag(out)
    result = tag(library, out, Named(), mode="copy")
    assert (result.placed, result.before) == (7, 1)
    assert (out / "hum" / "hum-1.wav").read_text() == "edited"


def test_what_was_deleted_in_the_meantime(library, out):
    tag(library, out, Named(), mode="link")
    (out / "hum" / "hum-1.wav").unlink()
    assert undo_tag(out).left == []
    tag(library, out, Named(), mode="move")
    (out / "hum" / "hum-1.wav").unlink()
    ((_, why),) = undo_tag(out).left
    assert "no longer there, and not at" in why


def test_a_moved_file_that_was_edited_returns_as_it_is(library, out):
    tag(library, out, Named(), mode="move")
    edited = out / "unsure" / "odd.wav"
    edited.chmod(0o600)
    edited.write_text("edited")
    assert undo_tag(out).left == []
    assert (library / "a" / "odd.wav").read_text() == "edited"


def test_folders_that_were_removed_come_back(library, out):
    before = contents(library)
    tag(library, out, Named(), mode="move")
    shutil.rmtree(library / "b")
    undo_tag(out)
    assert contents(library) == before


def test_a_sorted_library_that_was_moved_is_taken_back_from_there(library, out, tmp_path):
    before = contents(library)
    tag(library, out, Named(), mode="move")
    out.rename(tmp_path / "elsewhere")
    undo_tag(tmp_path / "elsewhere")
    assert contents(library) == before
    assert not (tmp_path / "elsewhere").exists()


def test_a_table_that_was_changed_stays(library, out):
    tag(library, out, Named())
    with open(out / "tags.csv", "a") as file:
        file.write("a line of mine\n")
    ((left, _),) = undo_tag(out).left
    assert left == str(out / "tags.csv")
    assert list(contents(out)) == ["tags.csv"]


def test_half_taken_back_is_ended_before_anything_else(library, out, monkeypatch):
    before = contents(library)
    tag(library, out, Named(), mode="move")

    def interrupted(plan, source, target, calls=[]):  # noqa: B006
        calls.append(target)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(plan, source, target)

    real = taking_back.take_back
    with monkeypatch.context() as context:
        context.setattr(taking_back, "take_back", interrupted)
        with pytest.raises(KeyboardInterrupt):
            undo_tag(out)
    with pytest.raises(DataError, match="is half taken back. End that first: timbrel tag --undo"):
        tag(library, out, Named(), mode="move")
    assert undo_tag(out).count == 8
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


def test_only_a_journal_is_taken_for_one(library, tmp_path):
    text = "not a journal, without a newline at its end"
    (tmp_path / "notes.txt").write_text(text)
    with pytest.raises(DataError, match=r"notes.txt' is not a journal of timbrel tag"):
        undo_tag(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == text
    with pytest.raises(DataError, match="cannot be read: No such file"):
        undo_tag(tmp_path)
    newer = {"line": "run", "version": 2, "mode": "move"}
    (tmp_path / "newer.jsonl").write_text(json.dumps(newer) + "\n")
    with pytest.raises(DataError, match="was written by a newer Timbrel"):
        undo_tag(tmp_path / "newer.jsonl")


@pytest.mark.skipif(os.name != "posix", reason="names are text here")
def test_names_that_are_no_text(tmp_path, library, out):
    strange = library / "a" / os.fsdecode(b"hum-\xff\n.wav")
    (library / "a" / "hum-1.wav").rename(strange)
    before = contents(library)
    tag(library, out, Named(), mode="move")
    assert (out / "hum" / strange.name).exists()
    # The table is text, whatever files are called; the journal has the very bytes.
    assert rb"hum-\udcff" in (out / "tags.csv").read_bytes()
    undo_tag(out)
    assert contents(library) == before
