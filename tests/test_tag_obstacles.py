"""Sorting a library when others are in the way: files, disks, permissions."""

import csv
import errno
import json
import os
import shutil

import pytest

from tagging_killed import JOURNAL, Named, contents, files, other_disk, table, touch
from timbrel.errors import OutputError
from timbrel.tagging import moves, sorting, undo
from timbrel.tagging.journal import opened
from timbrel.workflows.tag import tag, undo_tag


@pytest.fixture
def at_the_last_moment(monkeypatch):
    """Do something just before `odd.wav` gets its place."""

    def install(act):
        def late(source, target):
            if target.name == "odd.wav":
                act(source, target)
            real(source, target)

        real = sorting.rename_new
        monkeypatch.setattr(sorting, "rename_new", late)

    return install


def test_nothing_is_overwritten(library, out):
    mine = touch(out / "hum" / "hum-1.wav", "mine")
    touch(out / "hiss" / "HISS-1.WAV", "mine too")
    touch(out / "tags.csv", "my table")
    before = contents(out)
    tag(library, out, Named(), mode="copy")
    assert mine.read_text() == "mine"
    assert (out / "hiss" / "hiss-1 (2).wav").exists()
    assert len(table(out, "tags (2).csv")) == 9
    assert undo_tag(out).left == []
    assert contents(out) == before


def test_a_place_that_is_taken_at_the_last_moment(library, out, at_the_last_moment):
    at_the_last_moment(lambda source, target: touch(target, "somebody's"))
    tag(library, out, Named(), mode="move")
    assert (out / "unsure" / "odd.wav").read_text() == "somebody's"
    assert (out / "unsure" / "odd (2).wav").read_bytes()[:4] == b"RIFF"
    assert not (library / "a" / "odd.wav").exists()


def test_a_file_that_vanishes_midway_is_named(library, out, at_the_last_moment):
    at_the_last_moment(lambda source, target: source.unlink())
    result = tag(library, out, Named(), mode="move")
    assert (f"{library.as_posix()}/a/odd.wav", "there is no such file") in result.failed
    assert result.placed == 7
    assert len(table(out)) == 9


@pytest.mark.parametrize("mode", ["copy", "move"])
def test_a_full_disk_ends_the_run_and_the_next_goes_on(library, out, monkeypatch, mode):
    before = contents(library)
    monkeypatch.setattr(os, "link", other_disk(os.link))
    monkeypatch.setattr(sorting, "_FILES", 3)
    real, copied = sorting.copy_whole, []

    def full(source, target):
        copied.append(source)
        if len(copied) == 5:
            target.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(source, target)

    monkeypatch.setattr(sorting, "copy_whole", full)
    with pytest.raises(OutputError, match="the disk is full. Free some space and run the same"):
        tag(library, out, Named(), mode=mode)
    assert not (out / ".timbrel-tag").exists()
    assert 0 < len(files(contents(out))) < 8
    assert tag(library, out, Named(), mode=mode).placed >= 3
    assert len(files(contents(out))) == 8
    undo_tag(out)
    assert contents(library) == before
    assert not out.exists()


def test_a_disk_that_is_full_for_the_journal(library, out, monkeypatch):
    real, calls = os.write, []

    def full(file, data):
        calls.append(len(data))
        if len(calls) == 3:
            real(file, bytes(data)[:20])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data)

    before = contents(library)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match="the disk is full"):
        tag(library, out, Named(), mode="move")
    for line in (out / JOURNAL).read_text().splitlines():
        json.loads(line)
    assert tag(library, out, Named(), mode="move").failed
    undo_tag(out)
    assert contents(library) == before


def test_links_that_a_file_system_cannot_hold(library, out, monkeypatch):
    def refused(*arguments, **options):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refused)
    with pytest.raises(OutputError, match="cannot hold symbolic links .* Use --copy or --move"):
        tag(library, out, Named())


def test_a_folder_that_is_read_only_keeps_its_files(library, out, monkeypatch):
    before = contents(library / "a")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "a" and real(path, mode))
    result = tag(library, out, Named(), mode="move")
    assert contents(library / "a") == before
    assert {path.rpartition("/")[2]: why.partition(",")[0] for path, why in result.failed} == {
        "bad.wav": "it cannot be read",
        **dict.fromkeys(["hum-1.wav", "hiss-1.wav", "odd.wav"], "its folder is read-only"),
    }


def test_a_source_that_cannot_be_removed_stays_and_its_copy_goes(library, out, monkeypatch):
    before = contents(library)
    real = os.unlink

    def refused(path, **options):
        if str(path).startswith(str(library)):
            raise PermissionError(errno.EACCES, "Permission denied")
        real(path, **options)

    for here in (True, False):
        with monkeypatch.context() as context:
            if not here:
                context.setattr(os, "link", other_disk(os.link))
            context.setattr(os, "unlink", refused)
            result = tag(library, out, Named(), mode="move")
        assert len(result.failed) == 9
        assert files(contents(out)) == {}
        assert contents(library) == before


def test_a_file_where_a_folder_should_be(library, out):
    touch(out / "hum", "a file")
    result = tag(library, out, Named(), mode="move")
    assert result.placed == 3
    assert (
        "there is a file where its folder"
        in dict(result.failed)[f"{library.as_posix()}/b/hum-2.flac"]
    )


def test_a_file_leaves_a_disk_only_when_it_is_on_the_other_for_good(library, out, monkeypatch):
    monkeypatch.setattr(os, "link", other_disk(os.link))
    events, unlink = [], os.unlink

    def watched(path, **options):
        events.append(("unlink", str(path)))
        unlink(path, **options)

    for module in (undo, sorting):
        monkeypatch.setattr(module, "sync", lambda path: events.append(("sync", str(path))))
    monkeypatch.setattr(os, "unlink", watched)
    tag(library, out, Named(), mode="move", keep_folders=True)
    written = events.index(("sync", str(out / "unsure" / "a")))
    assert written < events.index(("unlink", str(library / "a" / "odd.wav")))

    events.clear()
    undo_tag(out)
    written = events.index(("sync", str(library / "a")))
    assert written < events.index(("unlink", str(out / "unsure" / "a" / "odd.wav")))
    assert not out.exists()


def test_what_an_interruption_left_of_a_line_is_cut_off(library, out):
    tag(library, out, Named())
    whole = (out / "timbrel-tag.jsonl").read_bytes()
    (out / "timbrel-tag.jsonl").write_bytes(whole + b'{"line":"plan"' + b"x" * 100_000)
    with opened(out / "timbrel-tag.jsonl") as journal:
        journal.write([{"line": "undo"}])
    assert (out / "timbrel-tag.jsonl").read_bytes() == whole + b'{"line":"undo"}\n'


def test_what_is_changed_while_it_is_moved_stays_as_it_is_now(
    library, out, monkeypatch, at_the_last_moment
):
    monkeypatch.setattr(os, "link", other_disk(os.link))
    odd = library / "a" / "odd.wav"
    odd.chmod(0o600)
    # First it is renamed, which fails; then it is copied.
    at_the_last_moment(lambda source, target: source == odd or odd.write_text("edited"))
    result = tag(library, out, Named(), mode="move")
    assert "it changed while it was read" in dict(result.failed)[odd.as_posix()]
    assert odd.read_text() == "edited"
    assert not (out / "unsure" / "odd.wav").exists()


def test_a_copy_that_is_not_what_was_read_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"sound")
    right = moves.copy_whole(tmp_path / "a", tmp_path / "b")
    assert right == moves.sha256_of(tmp_path / "a")
    monkeypatch.setattr(shutil, "copyfile", lambda source, target: touch(target, "noise"))
    with pytest.raises(OSError, match="its copy differs from it"):
        moves.copy_whole(tmp_path / "a", tmp_path / "c")


def forget_the_end(out, name):
    """Take the line that says that a file was placed from the journal, as if interrupted."""
    lines = (out / JOURNAL).read_text().splitlines(keepends=True)
    n = [row["n"] for row in map(json.loads, lines) if row.get("to", "").endswith(name)][-1]
    lines.remove(f'{{"line":"done","n":{n}}}\n')
    (out / JOURNAL).write_text("".join(lines))


@pytest.mark.parametrize("disk", ["one disk", "two disks"])
def test_going_on_loses_nothing_that_was_changed_meanwhile(library, out, monkeypatch, disk):
    if disk == "two disks":
        monkeypatch.setattr(os, "link", other_disk(os.link))
    odd = library / "a" / "odd.wav"
    before = odd.read_bytes()
    tag(library, out, Named(), mode="move")
    forget_the_end(out, "odd.wav")
    touch(odd, "another file, made while the program was not running")
    tag(library, out, Named(), mode="move")
    assert (out / "unsure" / "odd.wav").read_bytes() == before
    assert (out / "unsure" / "odd (2).wav").read_text().startswith("another file")
    assert not odd.exists()


@pytest.mark.parametrize("edited", [False, True], ids=["as it was", "edited"])
@pytest.mark.parametrize("disk", ["one disk", "two disks"])
def test_what_was_placed_last_is_taken_back_too(library, out, monkeypatch, disk, edited):
    if disk == "two disks":
        monkeypatch.setattr(os, "link", other_disk(os.link))
    before = contents(library)
    tag(library, out, Named(), mode="move")
    forget_the_end(out, "odd.wav")
    if edited:
        (out / "unsure" / "odd.wav").chmod(0o600)
        touch(out / "unsure" / "odd.wav", "edited")
    assert undo_tag(out).count == 8
    if edited:
        assert (library / "a" / "odd.wav").read_text() == "edited"
    else:
        assert contents(library) == before


def test_the_table_can_be_read_whatever_files_are_called(library, out):
    names = ["cr\rx.wav", "byte\udcff.wav", 'quote",.wav']
    for name in names:
        (library / name).write_bytes((library / "a" / "odd.wav").read_bytes())
    result = tag(library, out, Named(), mode="copy")
    with open(out / "tags.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {row["path"].rpartition("/")[2] for row in rows}
    assert {"cr\rx.wav", "byte\\udcff.wav", 'quote",.wav'} <= found
    assert len(rows) == result.placed + len(result.failed)
    assert sum(bool(row["to"]) for row in rows) == result.placed
