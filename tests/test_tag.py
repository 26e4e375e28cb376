"""Sorting a library, also when other programs, disks and permissions are in the way."""

import errno
import json
import os
import shutil
import tempfile
import threading
from pathlib import Path

import pytest

from tagging_killed import JOURNAL, Named, contents, files, other_disk, table, touch
from timbrel.errors import DataError, InvalidArgument, OutputError
from timbrel.inference.prediction import Prediction
from timbrel.tagging import moves, sorting, undo
from timbrel.tagging.journal import opened
from timbrel.tagging.sorting import Places, folder_names
from timbrel.workflows.tag import tag, undo_tag


def by_name(pairs):
    """Reasons by the names of the files, without their folders."""
    return {path.rpartition("/")[2]: why for path, why in pairs}


def test_links_lead_to_the_files_and_the_library_is_untouched(library, out):
    before = contents(library)
    result = tag(library, out, Named())
    assert sorted(files(contents(out))) == [
        "hiss/hiss-1 (2).wav",
        "hiss/hiss-1.wav",
        "hum/HUM-1 (2).wav",
        "hum/hum-1 (3).wav",
        "hum/hum-1.wav",
        "hum/hum-2.flac",
        "hum/hum-3.au",
        "unsure/odd.wav",
    ]
    assert contents(library) == before
    assert result.failed == [(f"{library.as_posix()}/a/bad.wav", "it cannot be read")]
    for row in table(out):
        if row["to"]:
            assert os.path.samefile(out / row["to"], row["path"])


def test_copies_are_exact_and_the_table_has_a_row_for_each_file(library, out):
    before = contents(library)
    tag(library, out, Named(), mode="copy", keep_folders=True)
    made = contents(out)
    assert made["hiss/b/deep/hiss-1.wav"] == before["b/deep/hiss-1.wav"]
    assert made["hum/b/hum-2.flac"] == before["b/hum-2.flac"]
    rows = {row.pop("path"): row for row in table(out)}
    assert len(rows) == 9
    assert rows[f"{library.as_posix()}/b/deep/hiss-1.wav"] == {
        "label": "hiss",
        "predicted": "hum",
        "probability": "0.900000",
        "accepted": "true",
        "seconds": "0.100000",
        "error": "",
        "to": "hiss/b/deep/hiss-1.wav",
    }
    assert rows[f"{library.as_posix()}/a/bad.wav"]["error"] == "it cannot be read"
    assert rows[f"{library.as_posix()}/a/odd.wav"]["to"] == "unsure/a/odd.wav"


def test_the_table_can_be_read_whatever_files_are_called(library, out):
    for name in ("cr\rx.wav", "byte\udcff.wav", 'quote",.wav'):
        shutil.copy(library / "a" / "odd.wav", library / name)
    result = tag(library, out, Named(), mode="copy")
    rows = table(out)
    found = {row["path"].rpartition("/")[2] for row in rows}
    assert {"cr\rx.wav", "byte\\udcff.wav", 'quote",.wav'} <= found
    assert len(rows) == result.placed + len(result.failed)
    assert sum(bool(row["to"]) for row in rows) == result.placed


def test_links_are_relative_on_one_disk_and_absolute_between_two(library, tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    real = os.stat
    text = moves.link_text(library / "a" / "odd.wav", tmp_path / "there" / "unsure")
    assert text == os.path.join("..", "..", "library", "a", "odd.wav")

    def stat(path, *arguments, **options):
        found = real(path, *arguments, **options)
        if str(path).endswith("there"):
            return os.stat_result([*found[:2], found.st_dev + 1, *found[3:10]])
        return found

    monkeypatch.setattr(os, "stat", stat)
    text = moves.link_text(library / "a" / "odd.wav", tmp_path / "there" / "unsure")
    assert text == str(library / "a" / "odd.wav")


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="no second file system here")
def test_moves_between_disks_and_back(library, tmp_path):
    before = contents(library)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == os.stat(tmp_path).st_dev:
            pytest.skip("no second file system here")
        out = Path(other, "sorted")
        tag(library, out, Named(), mode="move", keep_folders=True)
        assert contents(out)["hiss/a/hiss-1.wav"] == before["a/hiss-1.wav"]
        assert list(files(contents(library))) == ["a/bad.wav"]
        undo_tag(out)
        assert not out.exists()
    assert contents(library) == before


def test_a_second_run_adds_what_is_new_and_tries_again_what_failed(library, out):
    tag(library, out, Named(), mode="copy")
    first = files(contents(out))
    assert tag(library, out, Named(), mode="copy").before == 8
    assert files(contents(out)) == first
    shutil.copy(library / "b" / "hum-2.flac", library / "b" / "hum-9.flac")
    (out / "hiss" / "hiss-1.wav").unlink()  # The user did not want it.
    result = tag(library, out, Named(), mode="copy")
    assert (result.placed, result.before) == (1, 8)
    assert set(files(contents(out))) == {*first, "hum/hum-9.flac"} - {"hiss/hiss-1.wav"}
    assert [row["error"] for row in table(out) if row["error"]] == ["it cannot be read"]
    assert len(table(out)) == 10
    (library / "a" / "bad.wav").rename(library / "a" / "hum-7.wav")
    assert tag(library, out, Named(), mode="copy").failed == []
    assert [row["error"] for row in table(out) if row["error"]] == []


def test_two_libraries_into_one(library, out, tmp_path):
    touch(tmp_path / "more" / "hiss-1.wav")
    before = contents(tmp_path)
    tag(library, out, Named(), mode="move")
    result = tag(tmp_path / "more", out, Named(), mode="copy")
    assert (result.placed, result.before) == (1, 0)
    assert (out / "hiss" / "hiss-1 (3).wav").read_text() == "x"
    assert len(table(out)) == 10
    undo_tag(out / JOURNAL)
    assert contents(tmp_path) == before


def test_links_in_the_library(library, out):
    (library / "a" / "loop").symlink_to(library)
    (library / "a" / "hum-7.wav").symlink_to("hum-1.wav")
    (library / "a" / "hum-8.wav").symlink_to("hum-8.wav")
    before = contents(library)
    failed = by_name(tag(library, out, Named(), mode="move").failed)
    assert failed.keys() == {"bad.wav", "hum-7.wav", "hum-8.wav"}
    assert "symbolic link" in failed["hum-7.wav"]
    undo_tag(out)
    assert contents(library) == before
    tag(library, out, Named(), mode="copy")
    assert not (out / "hum" / "hum-7.wav").is_symlink()


@pytest.mark.parametrize("to", ["library/a/sorted", "."], ids=["inside", "around"])
def test_the_sorted_library_may_be_inside_or_around_the_library(library, tmp_path, to):
    before = contents(tmp_path)
    for placed in (8, 0):  # No file is sorted twice.
        assert tag(library, tmp_path / to, Named(), mode="copy").placed == placed
    undo_tag(tmp_path / to)
    assert contents(tmp_path) == before


def test_folders_that_lie_in_each_others_way(library, tmp_path):
    os.symlink(library, tmp_path / "alias")
    for same in (library / "." / "a" / "..", tmp_path / "alias"):
        with pytest.raises(InvalidArgument, match="`to` must be another folder"):
            tag(library, same, Named())
    for name in ("Hum", "unsure/new"):
        touch(tmp_path / "all" / name / "hum-1.wav")
        with pytest.raises(InvalidArgument, match="into which files will be sorted"):
            tag(tmp_path / "all" / name, tmp_path / "all", Named())


def test_another_way_of_sorting_the_same_is_refused(library, out):
    tag(library, out, Named())
    other = Named()
    other.threshold = 0.7
    for model, options, sentence in (
        (Named(), {"mode": "copy"}, "with another way of placing"),
        (Named(), {"keep_folders": True}, "with another choice of `keep_folders`"),
        (other, {}, "with another threshold"),
    ):
        before = contents(out)
        with pytest.raises(InvalidArgument, match=sentence):
            tag(library, out, model, **options)
        assert contents(out) == before


def test_a_dry_run_says_what_a_run_does_and_touches_nothing(library, out, tmp_path, recorder):
    before = contents(tmp_path)
    done = type(recorder)()
    result = tag(library, out, Named(), mode="move", dry_run=True, progress=recorder)
    assert contents(tmp_path) == before
    assert (result.journal, result.table) == (None, None)
    assert tag(library, out, Named(), mode="move", progress=done).counts == result.counts
    assert recorder.rows == done.rows
    places = {row["path"].rpartition("/")[2]: row["to"] for row in recorder.table("files")}
    assert (places["odd.wav"], places["bad.wav"]) == ("unsure/odd.wav", None)
    assert recorder.stages == done.stages == [("sorting", count, 9, "") for count in range(10)]


def test_wrong_use(library, out, tmp_path):
    (tmp_path / "empty").mkdir()
    for source, to, options, error, sentence in (
        (tmp_path / "nowhere", out, {}, DataError, "There is no folder"),
        (tmp_path / "empty", out, {}, DataError, "There is no sound file"),
        (library, out, {"mode": "cut"}, InvalidArgument, "link, copy, move. Got 'cut'"),
        (library, out, {"write_tags": True}, InvalidArgument, "`write_tags` goes with copies"),
        (library, out, {"threshold": 0.5}, InvalidArgument, "`threshold` goes with a model's"),
        (library, touch(tmp_path / "file"), {}, OutputError, "it is a file"),
        (library, "/proc/timbrel", {}, OutputError, "Cannot write"),
    ):
        with pytest.raises(error, match=sentence):
            tag(source, to, Named(), **options)
    assert not out.exists()


def test_only_one_at_a_time(library, out):
    tag(library, out, Named())
    failures = []

    def attempt():
        for work in (lambda: tag(library, out, Named()), lambda: undo_tag(out)):
            try:
                work()
            except InvalidArgument as error:
                failures.append(str(error))

    with opened(out / JOURNAL):
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    assert len(failures) == 2
    assert "Another timbrel tag is at work" in failures[0]
    assert tag(library, out, Named()).before == 8


# Names


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("unsure", "unsure (2)"),
        ("Unsure", "Unsure (2)"),
        ("TAGS.csv", "TAGS.csv (2)"),
        ("kick/snare", "kick_snare"),
        ("..", "_"),
        (".hidden", "_hidden"),
        ("", "_"),
        ("/", "_"),
        ('a\\b:c*d?e"f<g>h|i\n', "a_b_c_d_e_f_g_h_i_"),
        ("trailing. ", "trailing"),
        ("con", "con_"),
        ("COM1.wav", "COM1.wav_"),
        ("x\ud800y", "x_y"),
        *((name, name) for name in ("Hi-hat", "Bass drum", "0", "größer", "鼓", "v1.2", "console")),
        ("é" * 200, "é" * 127),
    ],
)
def test_labels_become_names_of_folders(label, name):
    found = folder_names([label])[label]
    assert found == name
    assert len(os.fsencode(found)) <= 255


def test_no_two_labels_share_a_folder():
    labels = ["Kick", "kick", "KICK", "a/b", "a:b", "caf\u00e9", "cafe\u0301", "unsure", "Straße"]
    labels += ["STRASSE", "x" * 300, "x" * 301]
    found = list(folder_names(labels).values())
    assert found[:5] == ["Kick", "kick (2)", "KICK (3)", "a_b", "a_b (2)"]
    assert len({name.casefold() for name in found}) == len(labels)
    assert found[5:7] == ["caf\u00e9", "cafe\u0301 (2)"]
    assert found[-1].endswith(" (2)")
    assert all(len(os.fsencode(name)) <= 255 for name in found)


@pytest.fixture
def take(tmp_path):
    """Where a file of a class would be placed."""
    places = Places(tmp_path, ["hum", "hiss"], keep_folders=False)
    return lambda label, path: places.take(path, Prediction(path, label, accepted=True))


def test_names_are_numbered_as_on_any_file_system(tmp_path, take):
    touch(tmp_path / "hum" / "A (2).WAV")
    taken = [
        take("hum", path) for path in ("1/a.wav", "2/A.wav", "3/a.WAV", "a (2).wav", "4/b.wav")
    ]
    assert taken == [
        f"hum/{name}" for name in ("a.wav", "A (3).wav", "a (4).WAV", "a (2) (2).wav", "b.wav")
    ]
    assert take("hiss", "a.wav") == "hiss/a.wav"
    long = "x" * 251 + ".wav"
    assert take("hiss", long) == f"hiss/{long}"
    assert take("hiss", long) == "hiss/" + "x" * 247 + " (2).wav"


def test_a_million_of_one_name_is_not_quadratic(take, monkeypatch):
    made, real = [], sorting.numbered
    monkeypatch.setattr(sorting, "numbered", lambda *name: made.append(name) or real(*name))
    for number in range(1, 501):
        expected = "hum/kick.wav" if number == 1 else f"hum/kick ({number}).wav"
        assert take("hum", f"{number}/kick.wav") == expected
    assert len(made) < 1100


# Obstacles


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


@pytest.fixture(params=["one disk", "two disks"])
def disks(request, monkeypatch):
    """Library and sorted library on one disk, or on two."""
    if request.param == "two disks":
        monkeypatch.setattr(os, "link", other_disk(os.link))


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
    at_the_last_moment(lambda source, target: touch(target, "another program's"))
    tag(library, out, Named(), mode="move")
    assert (out / "unsure" / "odd.wav").read_text() == "another program's"
    assert (out / "unsure" / "odd (2).wav").read_bytes()[:4] == b"RIFF"
    assert not (library / "a" / "odd.wav").exists()


def test_a_file_that_vanishes_midway_is_named(library, out, at_the_last_moment):
    at_the_last_moment(lambda source, target: source.unlink())
    result = tag(library, out, Named(), mode="move")
    assert by_name(result.failed)["odd.wav"] == "there is no such file"
    assert result.placed == 7
    assert len(table(out)) == 9


def test_a_file_that_is_changed_while_it_is_moved_stays(
    library, out, monkeypatch, at_the_last_moment
):
    monkeypatch.setattr(os, "link", other_disk(os.link))
    odd = library / "a" / "odd.wav"
    odd.chmod(0o600)
    # First it is renamed, which fails; then it is copied.
    at_the_last_moment(lambda source, target: source == odd or odd.write_text("edited"))
    result = tag(library, out, Named(), mode="move")
    assert "it changed while it was read" in by_name(result.failed)["odd.wav"]
    assert odd.read_text() == "edited"
    assert not (out / "unsure" / "odd.wav").exists()


@pytest.mark.parametrize("mode", ["copy", "move"])
def test_a_full_disk_ends_the_run_and_the_next_continues(library, out, monkeypatch, mode):
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
    failed = by_name(tag(library, out, Named(), mode="move").failed)
    assert contents(library / "a") == before
    assert failed.pop("bad.wav") == "it cannot be read"
    assert failed.keys() == {"hum-1.wav", "hiss-1.wav", "odd.wav"}
    assert all(why.startswith("its folder is read-only") for why in failed.values())


def test_a_source_that_cannot_be_removed_stays_and_its_copy_goes(library, out, disks, monkeypatch):
    before = contents(library)
    real = os.unlink

    def refused(path, **options):
        if str(path).startswith(str(library)):
            raise PermissionError(errno.EACCES, "Permission denied")
        real(path, **options)

    monkeypatch.setattr(os, "unlink", refused)
    result = tag(library, out, Named(), mode="move")
    assert len(result.failed) == 9
    assert files(contents(out)) == {}
    assert contents(library) == before


def test_a_file_where_a_folder_should_be(library, out):
    touch(out / "hum", "a file")
    result = tag(library, out, Named(), mode="move")
    assert result.placed == 3
    assert "there is a file where its folder" in by_name(result.failed)["hum-2.flac"]


def test_a_file_is_removed_from_a_disk_only_when_its_copy_is_safely_on_the_other(
    library, out, monkeypatch
):
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


def test_a_copy_that_differs_is_an_error(tmp_path, monkeypatch):
    touch(tmp_path / "a", "sound")
    assert moves.copy_whole(tmp_path / "a", tmp_path / "b") == moves.sha256_of(tmp_path / "a")
    monkeypatch.setattr(shutil, "copyfile", lambda source, target: touch(target, "noise"))
    with pytest.raises(OSError, match="its copy differs from it"):
        moves.copy_whole(tmp_path / "a", tmp_path / "c")


@pytest.mark.parametrize("cut", [b'{"line":"plan"' + b"x" * 100_000, b'{"line":"undo"}'])
def test_a_line_that_was_cut_off_is_removed(library, out, cut):
    tag(library, out, Named())
    whole = (out / JOURNAL).read_bytes()
    (out / JOURNAL).write_bytes(whole + cut)
    with opened(out / JOURNAL) as journal:
        assert not journal.undo
        journal.write([{"line": "undo"}])
    assert (out / JOURNAL).read_bytes() == whole + b'{"line":"undo"}\n'


def forget_the_end(out, name):
    """Remove the line that says that a file was placed from the journal, as if interrupted."""
    lines = (out / JOURNAL).read_text().splitlines(keepends=True)
    n = [row["n"] for row in map(json.loads, lines) if row.get("to", "").endswith(name)][-1]
    lines.remove(f'{{"line":"done","n":{n}}}\n')
    (out / JOURNAL).write_text("".join(lines))


def test_going_on_loses_nothing_that_was_changed_meanwhile(library, out, disks):
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
def test_the_file_that_was_placed_last_is_taken_back_too(library, out, disks, edited):
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
