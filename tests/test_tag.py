import os
import shutil
import threading

import pytest

from tagging_killed import JOURNAL, Named, contents, files, table, touch
from timbrel.errors import DataError, InvalidArgument, OutputError
from timbrel.progress import Progress
from timbrel.tagging.journal import opened
from timbrel.tagging.moves import link_text
from timbrel.workflows.tag import tag, undo_tag


class Watcher(Progress):
    def __init__(self):
        self.rows, self.stages = [], []

    def row(self, table, row):
        assert table == "files"
        self.rows.append(row)

    def stage(self, name, done, total, note=""):
        self.stages.append((name, done, total))


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


def test_the_table_has_a_row_for_each_file(library, out):
    tag(library, out, Named(), mode="copy", keep_folders=True)
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


def test_links_hold_when_both_folders_move_together(library, out, tmp_path):
    tag(library, out, Named())
    (tmp_path / "elsewhere").mkdir()
    library.rename(tmp_path / "elsewhere" / "library")
    out.rename(tmp_path / "elsewhere" / "sorted")
    assert (tmp_path / "elsewhere/sorted/hiss/hiss-1.wav").read_bytes()[:4] == b"RIFF"


def test_links_to_another_disk_are_absolute(library, tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    real = os.stat

    def stat(path, *arguments, **options):
        found = real(path, *arguments, **options)
        if str(path).endswith("there"):
            return os.stat_result([*found[:2], found.st_dev + 1, *found[3:10]])
        return found

    monkeypatch.setattr(os, "stat", stat)
    text = link_text(library / "a" / "odd.wav", tmp_path / "there" / "unsure")
    assert text == str(library / "a" / "odd.wav")


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="no second file system here")
def test_moves_between_disks_and_back(library, tmp_path):
    import tempfile

    before = contents(library)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == os.stat(tmp_path).st_dev:
            pytest.skip("no second file system here")
        out = tmp_path.__class__(other, "sorted")
        tag(library, out, Named(), mode="move", keep_folders=True)
        assert contents(out)["hiss/a/hiss-1.wav"] == before["a/hiss-1.wav"]
        assert list(files(contents(library))) == ["a/bad.wav"]
        undo_tag(out)
        assert not out.exists()
    assert contents(library) == before


def test_copies_keep_content_times_and_permissions(library, out):
    tag(library, out, Named(), mode="copy", keep_folders=True)
    made, before = contents(out), contents(library)
    assert made["hiss/b/deep/hiss-1.wav"] == before["b/deep/hiss-1.wav"]
    assert made["hum/b/hum-2.flac"] == before["b/hum-2.flac"]


def test_a_second_run_adds_what_is_new(library, out):
    tag(library, out, Named(), mode="copy")
    first = files(contents(out))
    assert tag(library, out, Named(), mode="copy").before == 8
    assert files(contents(out)) == first
    shutil.copy(library / "b" / "hum-2.flac", library / "b" / "hum-9.flac")
    (out / "hiss" / "hiss-1.wav").unlink()  # Somebody did not want it.
    result = tag(library, out, Named(), mode="copy")
    assert (result.placed, result.before) == (1, 8)
    assert set(files(contents(out))) == {*first, "hum/hum-9.flac"} - {"hiss/hiss-1.wav"}
    assert len(table(out)) == 10


def test_what_failed_is_tried_again(library, out):
    tag(library, out, Named())
    assert [row["error"] for row in table(out)].count("it cannot be read") == 1
    (library / "a" / "bad.wav").rename(library / "a" / "hum-7.wav")
    assert tag(library, out, Named()).failed == []
    assert [row["error"] for row in table(out) if row["error"]] == []


def test_a_file_where_one_was_moved_away_is_another(library, out):
    tag(library, out, Named(), mode="move")
    touch(library / "a" / "odd.wav", "new")
    result = tag(library, out, Named(), mode="move")
    assert (result.placed, result.before) == (1, 0)
    assert (out / "unsure" / "odd (2).wav").read_text() == "new"


def test_two_libraries_into_one(library, out, tmp_path):
    touch(tmp_path / "more" / "hiss-1.wav")
    before = contents(tmp_path)
    tag(library, out, Named(), mode="move")
    tag(tmp_path / "more", out, Named(), mode="copy")
    assert (out / "hiss" / "hiss-1 (3).wav").read_text() == "x"
    assert len(table(out)) == 10
    undo_tag(out / JOURNAL)
    assert contents(tmp_path) == before


def test_links_in_the_library(library, out):
    (library / "a" / "loop").symlink_to(library)
    (library / "a" / "hum-7.wav").symlink_to("hum-1.wav")
    (library / "a" / "hum-8.wav").symlink_to("hum-8.wav")
    before = contents(library)
    result = tag(library, out, Named(), mode="move")
    assert {path.rpartition("/")[2] for path, _ in result.failed} == {
        "bad.wav",
        "hum-7.wav",
        "hum-8.wav",
    }
    assert "symbolic link" in dict(result.failed)[f"{library.as_posix()}/a/hum-7.wav"]
    undo_tag(out)
    assert contents(library) == before
    tag(library, out, Named(), mode="copy")
    assert not (out / "hum" / "hum-7.wav").is_symlink()


def test_a_library_around_the_sorted_one_is_not_sorted_twice(library):
    before = contents(library)
    out = library / "a" / "sorted"
    for placed in (8, 0):
        assert tag(library, out, Named(), mode="copy").placed == placed
    undo_tag(out)
    assert contents(library) == before


def test_a_library_within_the_sorted_one(library, tmp_path):
    before = contents(tmp_path)
    tag(library, tmp_path, Named(), mode="move")
    assert (tmp_path / "hum" / "hum-2.flac").is_file()
    undo_tag(tmp_path)
    assert contents(tmp_path) == before


def test_folders_that_lie_in_each_others_way(library, tmp_path):
    with pytest.raises(InvalidArgument, match="`to` must be another folder"):
        tag(library, library / "." / "a" / "..", Named())
    os.symlink(library, tmp_path / "alias")
    with pytest.raises(InvalidArgument, match="`to` must be another folder"):
        tag(library, tmp_path / "alias", Named())
    for name in ("Hum", "unsure/new"):
        touch(tmp_path / "all" / name / "hum-1.wav")
        with pytest.raises(InvalidArgument, match="into which files will be sorted"):
            tag(tmp_path / "all" / name, tmp_path / "all", Named())


def test_another_way_of_sorting_the_same_is_refused(library, out):
    tag(library, out, Named())
    other = Named()
    other.threshold = 0.7
    for options, sentence in (
        ({"mode": "copy"}, "with another way of placing"),
        ({"keep_folders": True}, "with another choice of `keep_folders`"),
    ):
        with pytest.raises(InvalidArgument, match=sentence):
            tag(library, out, Named(), **options)
    with pytest.raises(InvalidArgument, match="with another threshold"):
        tag(library, out, other)


def test_a_dry_run_says_what_a_run_does_and_touches_nothing(library, out, tmp_path):
    before = contents(tmp_path)
    said, done = Watcher(), Watcher()
    result = tag(library, out, Named(), mode="move", dry_run=True, progress=said)
    assert contents(tmp_path) == before
    assert (result.journal, result.table) == (None, None)
    assert tag(library, out, Named(), mode="move", progress=done).counts == result.counts
    assert said.rows == done.rows
    places = {row["path"].rpartition("/")[2]: row["to"] for row in said.rows}
    assert (places["odd.wav"], places["bad.wav"]) == ("unsure/odd.wav", None)
    assert said.stages == done.stages == [("sorting", count, 9) for count in range(10)]


def test_wrong_use(library, out, tmp_path):
    with pytest.raises(DataError, match="There is no folder"):
        tag(tmp_path / "nowhere", out, Named())
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="There is no sound file"):
        tag(tmp_path / "empty", out, Named())
    with pytest.raises(InvalidArgument, match="`mode` must be one of link, copy, move. Got 'cut'"):
        tag(library, out, Named(), mode="cut")
    with pytest.raises(InvalidArgument, match="`write_tags` goes with copies"):
        tag(library, out, Named(), write_tags=True)
    with pytest.raises(InvalidArgument, match="`threshold` goes with a model's path"):
        tag(library, out, Named(), threshold=0.5)
    with pytest.raises(OutputError, match="it is a file"):
        tag(library, touch(tmp_path / "file"), Named())
    with pytest.raises(OutputError, match="Cannot write"):
        tag(library, "/proc/timbrel", Named())
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
