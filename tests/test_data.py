"""Known data sets, fetched from a server on this machine into a folder."""

import errno
import gzip
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from timbrel.dataset.manifest import read_dataset
from timbrel.errors import FetchError, InvalidArgument, OutputError
from timbrel.fetching.known import ATTRIBUTION, KNOWN_DATA, Source
from timbrel.progress import Progress
from timbrel.workflows import data
from timbrel.workflows.data import fetch_data, unfinished
from tiny_known import FILES, LABELS, LIST, RECORDINGS, SOME, tar_gz, tiny, wav, zipped


def asked(site):
    return [path for path, _ in site.asked]


def content_of(folder):
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in Path(folder).rglob("*")
        if file.is_file()
    }


def assert_whole(folder, more=()):
    found = content_of(folder)
    assert found.pop(ATTRIBUTION) == KNOWN_DATA["instruments"].attribution.encode()
    for path in more:
        del found[path]
    assert found == FILES
    assert not unfinished(folder).exists()
    assert not Path(folder).with_name(f".{Path(folder).name}.partial").exists()


def test_a_data_set_is_fetched_and_ready_to_train(site, recorder):
    result = fetch_data("instruments", progress=recorder)
    assert_whole("instruments")
    assert (result.fetched, result.checked, result.repaired, result.foreign) == (41, 0, (), ())
    assert (result.path, result.notes) == (Path("instruments"), ())
    assert asked(site) == ["/all.tar.gz"]
    assert recorder.stages == [
        ("sources", 0, 4, f"{site.url}/all.tar.gz"),
        *(("unpacking", done, 41, "files") for done in range(1, 42)),
        ("sources", 4, 4, ""),
    ]
    dataset = read_dataset(result.labels, result.audio)
    assert dataset.counts() == {"Cello": 20, "Flute": 20}
    assert all(item.file.is_file() for item in dataset.recordings)
    Path("usual").touch()
    modes = {Path("instruments", path).stat().st_mode for path in FILES}
    assert modes == {Path("usual").stat().st_mode}


def test_a_whole_one_is_only_checked(site):
    fetch_data("instruments", "there")
    site.asked.clear()
    before = {path: os.stat(f"there/{path}").st_mtime_ns for path in [*FILES, ATTRIBUTION]}
    result = fetch_data("instruments", "there")
    assert (result.fetched, result.checked) == (0, 41)
    assert site.asked == []
    assert {path: os.stat(f"there/{path}").st_mtime_ns for path in before} == before


def test_damaged_and_missing_files_are_fetched_one_by_one_and_others_left_alone(site):
    fetch_data("instruments", "there")
    site.asked.clear()
    Path("there", SOME).write_bytes(b"damaged")
    Path("there/wavfiles/00000003.wav").unlink()
    Path("there/notes.txt").write_text("mine")
    Path("there/wavfiles/mine.wav").write_text("mine")
    Path("there/.hidden").write_text("mine")
    result = fetch_data("instruments", "there")
    assert asked(site) == ["/raw/wavfiles/00000003.wav", f"/raw/{SOME}"]
    assert (result.fetched, result.checked, result.repaired) == (2, 39, (SOME,))
    assert result.foreign == ("notes.txt", "wavfiles/mine.wav")
    assert_whole("there", more=("notes.txt", "wavfiles/mine.wav", ".hidden"))


def test_labels_that_someone_worked_on_are_kept(site):
    fetch_data("instruments", "there")
    for mine in ("first", "second"):
        Path("there/instruments.csv").write_text(mine)
        result = fetch_data("instruments", "there")
        assert "they are kept as instruments.csv." in result.notes[0]
    assert Path("there/instruments.csv.1.kept").read_text() == "first"
    assert Path("there/instruments.csv.2.kept").read_text() == "second"
    assert_whole("there", more=("instruments.csv.1.kept", "instruments.csv.2.kept"))


def test_a_folder_with_other_files_and_links_is_filled(site):
    Path("precious").write_text("mine")
    Path("there/wavfiles").mkdir(parents=True)
    Path("there/mine.txt").write_text("mine")
    # Links are replaced and not followed.
    Path("there", SOME).symlink_to(Path("precious").absolute())
    Path("there/wavfiles/00000001.wav").symlink_to("nowhere")
    assert fetch_data("instruments", "there").foreign == ("mine.txt",)
    assert_whole("there", more=("mine.txt",))
    assert Path("precious").read_text() == "mine"


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_behind_a_link_is_filled(site, exists):
    if exists:
        Path("real").mkdir()
    Path("link").symlink_to("real")
    fetch_data("instruments", "link")
    assert Path("link").is_symlink()
    assert_whole("real")


@pytest.mark.parametrize(
    "place", ["there", "there/wavfiles", f"there/{SOME}", "there/instruments.csv"]
)
def test_what_is_in_the_way_is_named_and_left(site, place):
    place = Path(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.suffix:
        place.mkdir()
    else:
        place.write_text("mine")
    with pytest.raises(InvalidArgument, match=f"'{place}' is "):
        fetch_data("instruments", "there")
    assert place.is_dir() or place.read_text() == "mine"
    assert site.asked == []


# Broken transfers


def test_a_broken_transfer_is_resumed_by_the_next_call(site):
    page = site.pages["/all.tar.gz"]
    half = len(page.content) // 2
    page.breaks = [half, *[0] * 4]
    for path in FILES:
        del site.pages[f"/raw/{path}"]
    with pytest.raises(FetchError, match="What came is kept: the same command goes on from here"):
        fetch_data("instruments")
    assert not Path("instruments").exists()
    site.asked.clear()
    fetch_data("instruments")
    assert_whole("instruments")
    assert site.asked[0][1] == f"bytes={half}-"


@pytest.mark.parametrize("levels", [(0, 1), (1, 0)], ids=["shrank", "grew"])
def test_an_archive_that_changed_after_a_part_came_is_fetched_anew(site, levels):
    before, after = (gzip.compress(gzip.decompress(tar_gz(FILES)), level) for level in levels)
    end = len(before) // 2
    url = site.put("/all.tar.gz", before, breaks=[end, *[0] * 4])
    with pytest.raises(FetchError, match="What came is kept"):
        fetch_data("instruments", source=url)
    site.put("/all.tar.gz", after)
    site.asked.clear()
    fetch_data("instruments", source=url)
    assert_whole("instruments")
    assert site.asked == [("/all.tar.gz", f"bytes={end}-"), ("/all.tar.gz", None)]


def test_what_came_whole_is_not_fetched_again_where_the_server_has_no_parts(site):
    page = site.pages["/all.tar.gz"]
    page.ranges, page.breaks = False, [len(page.content) * 9 // 10] * 5
    result = fetch_data("instruments")
    assert_whole("instruments")
    assert result.fetched == 41
    one_by_one = asked(site)[5:]
    assert 0 < len(one_by_one) < 10
    assert all(path.startswith("/raw/wavfiles/") for path in one_by_one)


def test_an_archive_that_is_damaged_on_the_way_is_fetched_once_more(site):
    good = site.pages["/all.tar.gz"].content
    site.put("/all.tar.gz", good[: len(good) // 2])

    class Mending(Progress):
        def stage(self, name, *done):
            if name == "unpacking":
                site.put("/all.tar.gz", good)

    fetch_data("instruments", progress=Mending())
    assert asked(site) == ["/all.tar.gz", "/all.tar.gz"]
    assert_whole("instruments")


def test_the_first_source_failing_the_next_ones_are_asked(site):
    del site.pages["/all.tar.gz"]
    result = fetch_data("instruments")
    assert_whole("instruments")
    assert len(site.asked) == 1 + len(FILES)
    assert result.fetched == 41


def test_the_original_collection_is_of_use(site):
    """Labels from its table, and recordings by parts of its archive, with headers of its own."""
    for path in FILES:
        del site.pages[f"/raw/{path}"]
    del site.pages["/all.tar.gz"]
    table = LABELS.replace("label\n", "label,license\n").replace("Flute\n", "Flute,CC0\n")
    site.put("/meta.zip", zipped({"train_post_competition.csv": table.encode()}))
    others = [{f"{part}{number}.wav": os.urandom(500_000) for number in range(10)} for part in "ab"]
    tagged = {path: wav(content[44:], before=LIST) for path, content in RECORDINGS.items()}
    archive = zipped({**others[0], **tagged, **others[1]})
    site.put("/train.zip", archive)
    result = fetch_data("instruments")
    assert_whole("instruments")
    assert result.notes == (
        "40 recordings came with another WAV header and were given the usual one; their samples "
        "are as they were.",
    )
    parts = [wanted for path, wanted in site.asked if path == "/train.zip"]
    came = sum(1 + int(b) - int(a) for a, b in (it[6:].split("-") for it in parts))
    assert came < len(archive) / 4
    assert len(parts) < 10


# No network, nothing there, and what is wrong


def test_no_network_is_one_sentence(site, monkeypatch):
    sources = [Source("http://127.0.0.1:9/a.tar.gz"), Source("http://localhost:9/b/", "folder")]
    known = tiny("instruments", FILES, sources, audio="wavfiles", makes_labels=False)
    monkeypatch.setitem(KNOWN_DATA, "instruments", known)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(FetchError) as caught:
        fetch_data("instruments")
    assert str(caught.value) == (
        "Cannot fetch 'instruments': 127.0.0.1, localhost: the server cannot be reached; there may "
        "be no network. Try again later, or name an archive, a folder or a mirror that has it with "
        "`source`."
    )
    assert os.listdir() == []


def test_nothing_there_is_one_sentence(site):
    site.put("/page.zip", b"<!DOCTYPE html>")
    for name, sentence in {"none": "the server answered 404 Not Found", "page": "it is a"}.items():
        with pytest.raises(FetchError) as caught:
            fetch_data("instruments", source=f"{site.url}/{name}.zip")
        said = str(caught.value)
        assert said.startswith(f"Cannot fetch 'instruments': {site.url}/{name}.zip: {sentence}")
        assert said.endswith(
            ". Try again later, or name an archive, a folder or a mirror that has it with `source`."
        )
        assert os.listdir() == []


def test_a_wrong_sum_is_named_and_the_rest_kept(site):
    site.put("/bad.tar.gz", tar_gz({**FILES, SOME: wav(b"else")}))
    with pytest.raises(FetchError) as caught:
        fetch_data("instruments", source=f"{site.url}/bad.tar.gz")
    assert str(caught.value) == (
        f"Cannot fetch all of 'instruments': {SOME}: its sum is wrong. Try again later, or name an "
        "archive, a folder or a mirror that has it with `source`. What came is kept: the same "
        "command goes on from here."
    )
    assert not Path("instruments").exists()
    site.asked.clear()
    # The files that were kept are checked before they are used.
    (unfinished("instruments") / "files/wavfiles/00000009.wav").write_bytes(b"rot")
    fetch_data("instruments")
    assert asked(site) == [f"/raw/{SOME}", "/raw/wavfiles/00000009.wav"]
    assert_whole("instruments")


def test_what_comes_into_a_folder_that_is_there_is_kept(site):
    Path("there").mkdir()
    half = dict(list(FILES.items())[::2])
    Path("half.zip").write_bytes(zipped(half))
    with pytest.raises(FetchError, match="Cannot fetch all of .* What came is kept") as caught:
        fetch_data("instruments", "there", source="half.zip")
    assert "00000000.wav: it is not there, and 19 more. Try again" in str(caught.value)
    assert content_of("there") == half
    with pytest.raises(FetchError, match=r"Cannot fetch 'instruments': no: there is .*`source`\.$"):
        fetch_data("instruments", "there", source="no")
    fetch_data("instruments", "there")
    assert_whole("there")


def test_an_archive_without_end_fills_no_disk(site, monkeypatch):
    monkeypatch.setattr(data, "_AT_LEAST", 0)
    site.put("/x.zip", bytes(5_000_000), length=False)
    with pytest.raises(FetchError, match=r"does not end, and no more than 0\.\d MB are expected"):
        fetch_data("instruments", source=f"{site.url}/x.zip")


def hostile(kind):
    """An archive that has everything under wrong names, as links, too large, or twice."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as file:

        def add(name, content):
            info = tarfile.TarInfo(name)
            if kind == "links":
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                info.size = len(content)
            file.addfile(info, io.BytesIO(content))

        for path, content in FILES.items():
            if kind == "twice":
                add(path, bytes(len(content)))
            prefix = {"up": "../../../", "root": "/"}.get(kind, "")
            add(prefix + path, content + bytes(1_000_000 if kind == "large" else 0))
        add("../../evil.wav", b"evil")
    return archive.getvalue()


@pytest.mark.parametrize("kind", ["links", "large", "up", "root", "twice"])
def test_hostile_archives_write_nothing_but_what_is_known(site, tmp_path, kind):
    (tmp_path / "deep/er").mkdir(parents=True)
    os.chdir(tmp_path / "deep/er")
    Path("x.tar").write_bytes(hostile(kind))
    if kind in ("up", "root", "twice"):
        fetch_data("instruments", source="x.tar")
        assert_whole("instruments")
    else:
        with pytest.raises(FetchError, match="instruments.csv: it (is a link|unpacks to)"):
            fetch_data("instruments", source="x.tar")
        assert not Path("instruments").exists()
    assert set(os.listdir()) <= {"x.tar", "instruments"}
    assert os.listdir(tmp_path) == ["deep"]


# Sources of one's own


def test_sources_on_the_disk(site):
    Path("a.zip").write_bytes(zipped(FILES, "any/where/"))
    Path("b.tar").write_bytes(gzip.decompress(tar_gz(FILES, "")))
    for path, content in FILES.items():
        file = Path("c/some/where", path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    for number, source in enumerate(("a.zip", "b.tar", "c", Path("c"))):
        fetch_data("instruments", str(number), source=source)
        assert_whole(str(number))
    assert site.asked == []


def test_what_one_source_lacks_the_next_has(site):
    half = dict(list(FILES.items())[::2])
    Path("half.zip").write_bytes(zipped(half))
    site.put("/rest.zip", zipped({path: FILES[path] for path in FILES if path not in half}))
    with pytest.raises(FetchError, match="it is not there, and 19 more"):
        fetch_data("instruments", source="half.zip")
    fetch_data("instruments", source=["half.zip", f"{site.url}/rest.zip"])
    assert_whole("instruments")


def test_a_mirror_is_asked_for_every_file_unless_it_has_none(site):
    with pytest.raises(FetchError, match="the server answered 404"):
        fetch_data("instruments", source=f"{site.url}/empty/")
    assert len(site.asked) == 10
    site.asked.clear()
    fetch_data("instruments", source=f"{site.url}/raw/")
    assert_whole("instruments")
    assert sorted(asked(site)) == sorted(f"/raw/{path}" for path in FILES)


NO_ADDRESS = "must be a folder, an archive, or an address that"
NO_FILE = "there is no such file or folder"


@pytest.mark.parametrize(
    ("source", "error", "sentence"),
    [
        *((it, InvalidArgument, NO_ADDRESS) for it in ("ftp://example.org/a.zip", "file:///a.zip")),
        *((it, InvalidArgument, NO_ADDRESS) for it in ("a://b.zip/", "https://", "http://[/")),
        *((it, FetchError, NO_FILE) for it in ("data.zip", "C:\\a.zip", "/data/x", "./http:/x")),
        ("empty", FetchError, "Cannot fetch 'instruments': nothing of it is in empty"),
    ],
)
def test_a_source_that_is_of_no_use(site, source, error, sentence):
    Path("empty").mkdir()
    with pytest.raises(error, match=sentence):
        fetch_data("instruments", source=source)
    assert os.listdir() == ["empty"]


def test_a_name_that_is_not_known():
    with pytest.raises(InvalidArgument, match="must be one of instruments, digits, esc50. Got 'x'"):
        fetch_data("x")


# Data sets whose labels are made


def test_labels_are_made_from_names(site, monkeypatch):
    files = {
        f"recordings/{d}_{who}_0.wav": wav(bytes([d, len(who)]))
        for d in (3, 7)
        for who in ("ann", "bo")
    }
    site.put("/digits.tar.gz", tar_gz(files))
    known = tiny("digits", files, [Source(f"{site.url}/digits.tar.gz")])
    monkeypatch.setitem(KNOWN_DATA, "digits", known)
    result = fetch_data("digits")
    lines = Path("digits/digits.csv").read_text().splitlines()
    assert lines[:2] == ["path,label,group", "recordings/3_ann_0.wav,3,ann"]
    recordings = read_dataset(result.labels).recordings
    assert {(item.label, item.group) for item in recordings} == {
        (d, who) for d in "37" for who in ("ann", "bo")
    }
    assert all(item.file.is_file() for item in recordings)
    Path("digits/digits.csv").write_text("mine")
    again = fetch_data("digits")
    assert (again.fetched, again.checked) == (0, 4)
    assert Path("digits/digits.csv").read_text().splitlines() == lines


def test_licences_that_come_along_are_kept(site, monkeypatch):
    files = {"audio/1-17-A-0.wav": wav(b"ab"), "audio/2-19-B-49.wav": wav(b"cd")}
    notice = {"LICENSE": b"who made what", "deep/er/LICENSE": b"of something else"}
    site.put("/esc50.tar.gz", tar_gz({**notice, **files}))
    known = tiny("esc50", files, [Source(f"{site.url}/esc50.tar.gz")], notices=("LICENSE",))
    monkeypatch.setitem(KNOWN_DATA, "esc50", known)
    result = fetch_data("esc50")
    assert Path("esc50/LICENSE").read_bytes() == b"who made what"
    assert result.foreign == ()
    # One that is there is not fetched again with a recording that has to be.
    Path("esc50/LICENSE").write_bytes(b"with notes of mine")
    Path("esc50/audio/1-17-A-0.wav").unlink()
    fetch_data("esc50")
    assert Path("esc50/LICENSE").read_bytes() == b"with notes of mine"
    assert Path("esc50/esc50.csv").read_text() == (
        "path,label,group,fold\naudio/1-17-A-0.wav,dog,17,1\naudio/2-19-B-49.wav,hand_saw,19,2\n"
    )


# The disk


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_full_disk_is_one_sentence_and_the_next_call_goes_on(site, monkeypatch, after):
    usual, count = Path.write_bytes, []

    def write(self, content):
        if self.name == "new":
            count.append(self)
            if len(count) > after:
                raise OSError(errno.ENOSPC, "No space left on device")
        return usual(self, content)

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(OutputError) as caught:
        fetch_data("instruments")
    assert str(caught.value) == (
        "Cannot write instruments: the disk is full. Free some space and run the same command "
        "again: it goes on where this one stopped."
    )
    assert not Path("instruments").exists()
    monkeypatch.setattr(Path, "write_bytes", usual)
    site.asked.clear()
    fetch_data("instruments")
    assert site.asked == []  # The archive was whole.
    assert_whole("instruments")


def test_a_really_full_disk(site, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    if os.name == "nt" or os.geteuid() or subprocess.run(mounted, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        with pytest.raises(OutputError, match="the disk is full"):
            fetch_data("instruments", disk / "data")
        assert not (disk / "data").exists()
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        fetch_data("instruments", disk / "data")
        assert_whole(disk / "data")
        # And a folder that is a disk of its own.
        (disk / "data/instruments.csv").unlink()
        fetch_data("instruments", disk)
        assert_whole(disk, more=[f"data/{path}" for path in [*RECORDINGS, ATTRIBUTION]])
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(os.name == "nt" or not os.geteuid(), reason="everything may be written")
def test_a_folder_that_may_not_be_written_is_one_sentence(site):
    Path("closed").mkdir(mode=0o555)
    with pytest.raises(OutputError, match="no permission"):
        fetch_data("instruments", "closed/there")


def test_two_at_once_are_told(site):
    program = (
        "import fcntl, sys\nfile = open(sys.argv[1], 'w')\nfcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\nsys.stdin.read()\n"
    )
    unfinished("instruments").mkdir()
    command = [sys.executable, "-c", program, str(unfinished("instruments") / "lock")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InvalidArgument, match="Another timbrel data is fetching 'instruments'"):
            fetch_data("instruments")
        other.stdin.close()
    fetch_data("instruments")
    assert_whole("instruments")
