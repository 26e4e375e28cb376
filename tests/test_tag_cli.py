"""`timbrel tag` as a user meets it."""

import csv
import os
import re
import shutil
import signal
import subprocess
import time
from functools import partial

import pytest

from conftest import interruptible, write_folder
from tagging_killed import contents


@pytest.fixture
def call(call):
    return partial(call, "tag")


@pytest.fixture
def library(tmp_path):
    return write_folder(tmp_path / "library", recordings=2)


def test_sorts_says_what_it_did_and_takes_it_back(call, library, tmp_path, tiny_model):
    out = tmp_path / "sorted"
    before = contents(tmp_path)
    options = (library, "--to", out, "-m", tiny_model, "--threshold", 0)
    status, shown, _ = call(*options, "--dry-run")
    assert status == 0
    assert contents(tmp_path) == before
    assert re.search(rf"% +hum +{library}/hum/0\.wav → hum/0\.wav\n", shown)
    assert "6 files would be linked into 3 folders." in shown
    status, shown, err = call(*options)
    assert status == 0
    assert re.search(r"hiss +2 *\n +hum +2 *\n +whistle +2 *\n", shown)
    assert shown.endswith("6 files linked into 3 folders.\n")
    assert f'Undo it with: timbrel tag --undo "{out}/timbrel-tag.jsonl"' in err
    assert (out / "hum" / "1.wav").resolve() == library / "hum" / "1.wav"
    assert call(*options)[1] == "Nothing new; 6 were placed before.\n"
    assert call("--undo", out / "timbrel-tag.jsonl")[:2] == (0, "6 files taken back.\n")
    assert contents(tmp_path) == before


def test_what_an_earlier_run_sorted_is_left_out(call, library, tmp_path, tiny_model):
    inside = library / "old" / "sorted"
    options = ("-m", tiny_model, "--threshold", 0)
    assert call(library, "--to", inside, *options)[0] == 0
    for more in ("--dry-run",), ():
        status, shown, err = call(library, "--to", tmp_path / "new", *options, *more)
        assert status == 0
        assert "6 files" in shown
        assert err.count(f"{inside} is left out: an earlier run of tag sorted into it;") == 1
    # As the library itself it is sorted, and once taken back it is a folder like others.
    assert "6 files" in call(inside, "--to", tmp_path / "again", *options)[1]
    for folder in (tmp_path / "new", tmp_path / "again", inside):
        assert call("--undo", folder)[0] == 0
    assert "left out" not in call(library, "--to", tmp_path / "new", *options)[2]


def test_a_folder_of_nothing_but_what_was_sorted_says_so(call, library, tmp_path, tiny_model):
    (tmp_path / "all").mkdir()
    assert call(library, "--to", tmp_path / "all" / "sorted", "-m", tiny_model)[0] == 0
    status, _, err = call(tmp_path / "all", "--to", tmp_path / "new", "-m", tiny_model)
    assert status == 2
    assert err.endswith(
        f"in '{tmp_path}/all' but in {tmp_path}/all/sorted, which an earlier run sorted.\n"
    )


def test_unsure_and_unusable(call, library, tmp_path, tiny_model):
    (library / "words.wav").write_text("words")
    options = (library, "--to", tmp_path / "sorted", "-m", tiny_model, "--threshold", 1, "--copy")
    status, shown, err = call(*options, "--quiet")
    assert status == 1
    assert shown == "6 files copied into 1 folder, 6 of them into unsure.\n"
    assert f"Left out: {library}/words.wav: it cannot be read as a sound file" in err
    assert "Undo it" not in err
    assert sorted(path.name for path in (tmp_path / "sorted" / "unsure").iterdir())[:2] == [
        "0 (2).wav",
        "0 (3).wav",
    ]
    with open(tmp_path / "sorted" / "tags.csv", newline="") as stream:
        header = next(csv.reader(stream))
    assert header == [
        "path",
        "label",
        "predicted",
        "probability",
        "accepted",
        "seconds",
        "error",
        "to",
    ]


def test_what_is_left_when_taking_back_is_named(call, library, tmp_path, tiny_model):
    out = tmp_path / "sorted"
    call(library, "--to", out, "-m", tiny_model, "--threshold", 0, "--copy", "--keep-folders")
    edited = next((out / "hum" / "hum").iterdir())
    edited.write_text("edited")
    status, shown, err = call("--undo", out)
    assert (status, shown) == (1, "5 files taken back.\n")
    assert f"Left: {edited}: it was changed or replaced since" in " ".join(err.split())


def test_what_was_moved_by_hand_is_found_and_named(call, library, tmp_path, tiny_model):
    out, before = tmp_path / "sorted", contents(library)
    call(library, "--to", out, "-m", tiny_model, "--threshold", 0, "--move", "--keep-folders")
    one, two = sorted((out / "hum" / "hum").iterdir())
    one.rename(out / "kept.wav")
    two.rename(tmp_path / "elsewhere.wav")
    status, shown, err = call("--undo", out, "--verbose")
    names = [path.relative_to(tmp_path).as_posix() for path in library.rglob("*.wav")]
    assert (status, len(names)) == (1, 5)
    assert sorted(shown.splitlines()) == sorted(
        [*(f"Taken back: {tmp_path}/{name}" for name in names), "5 files taken back."]
    )
    lines = err.splitlines()
    assert lines[0].startswith("Warning: ")
    assert lines[0].endswith(f"it was found at {out / 'kept.wav'}, and brought back from there")
    why = f"it is no longer there, and not at {library / 'hum' / two.name} either"
    assert lines[1:] == [f"Left: {two}: {why}"]
    (tmp_path / "elsewhere.wav").rename(out / "found again.wav")
    assert call("--undo", out)[:2] == (0, "1 file taken back.\n")
    assert contents(library) == before


@pytest.mark.skipif(os.name == "nt", reason="brackets and slashes")
def test_a_folder_may_look_like_markup(call, library, tmp_path, tiny_model):
    out = tmp_path / "so[" / "]rt[red]"
    status, shown, err = call(library, "--to", out, "-m", tiny_model, "--threshold", 0)
    assert status == 0
    assert "/so[/]rt[red]" in "".join(shown.split())
    assert "--undo" in err


def test_wrong_use_is_one_sentence(call, library, tmp_path, tiny_model):
    out = tmp_path / "sorted"
    for arguments, sentence in (
        ([library], "timbrel tag DIR --to OUT"),
        (["--to", out], "timbrel tag DIR --to OUT"),
        ([library, "--to", out, "-m", tiny_model, "--copy", "--move"], "Got --copy and --move."),
        ([library, "--to", out, "-m", tiny_model, "--write-tags"], "`--write-tags` goes with"),
        ([library, "--to", library, "-m", tiny_model], "`--to` must be another folder"),
        ([library, "--undo", out], "--undo takes no folder"),
        (["--undo", tmp_path / "nothing.jsonl"], "cannot be read: No such file"),
        (["--undo", library / "hum" / "0.wav"], "is not a journal of timbrel tag"),
        ([tmp_path / "no", "--to", out, "-m", tiny_model], "There is no folder"),
        ([library, "--to", "/proc/x", "-m", tiny_model], "Cannot write"),
    ):
        status, shown, err = call(*arguments)
        assert (status, shown) == (2, ""), arguments
        assert sentence in " ".join(err.split()), (arguments, err)
    assert not out.exists()


@pytest.mark.slow
def test_an_interruption_says_how_to_continue(library, tmp_path, tiny_model):
    for number in range(600):
        shutil.copy(library / "hum" / "0.wav", library / "hum" / f"{number + 10}.wav")
    before, out = contents(library), tmp_path / "sorted"
    options = ("-m", tiny_model, "--move", "--threshold", "0")
    command = interruptible("tag", library, "--to", out, *options)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (out / "hum").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGINT)
        err = process.communicate()[1]
    assert process.returncode == 130, err
    assert "Interrupted. The same command continues from here; this undoes everything:" in err
    assert f'timbrel tag --undo "{out}/timbrel-tag.jsonl"' in err
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert not list(library.rglob("*.wav"))
    subprocess.run(interruptible("tag", "--undo", out), check=True, capture_output=True)
    assert contents(library) == before
    assert not out.exists()
