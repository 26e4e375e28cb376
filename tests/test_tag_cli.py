"""`timbrel tag` as a user meets it."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import interruptible, write_folder
from tagging_killed import Named, contents
from timbrel.cli.main import main


@pytest.fixture
def call(capfd, monkeypatch):
    """Run `timbrel tag …` with a model that reads names; return exit status, stdout and stderr."""
    monkeypatch.setattr("timbrel.workflows.tag.load", lambda model, threshold: Named())

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main(["tag", *(str(word) for word in arguments)])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return stopped.value.code or 0, out, err

    return run


@pytest.fixture
def library(library):
    (library / "a" / "bad.wav").unlink()
    return library


def test_sorts_says_what_it_did_and_takes_it_back(call, library, tmp_path):
    out = tmp_path / "sorted"
    before = contents(tmp_path)
    status, said, _ = call(library, "--to", out, "--dry-run")
    assert status == 0
    assert contents(tmp_path) == before
    assert f" 90.0%  hum           {library}/b/hum-2.flac → hum/hum-2.flac\n" in said
    assert "8 files would be linked into 3 folders, 1 of them into unsure." in said
    status, said, err = call(library, "--to", out)
    assert status == 0
    assert re.search(r"hiss +2 *\n +hum +5 *\n +unsure +1 *\n", said)
    assert said.endswith("8 files linked into 3 folders, 1 of them into unsure.\n")
    assert f'To take it back: timbrel tag --undo "{out}/timbrel-tag.jsonl"' in err
    assert (out / "hum" / "hum-2.flac").resolve() == library / "b" / "hum-2.flac"
    assert call(library, "--to", out)[1] == "Nothing new; 8 were placed before.\n"
    assert call("--undo", out / "timbrel-tag.jsonl")[:2] == (0, "8 files taken back.\n")
    assert contents(tmp_path) == before


def test_what_an_earlier_run_sorted_is_left_out(call, library, tmp_path):
    inside = library / "old" / "sorted"
    assert call(library, "--to", inside)[0] == 0
    for more in ("--dry-run",), ():
        status, said, err = call(library, "--to", tmp_path / "new", *more)
        assert status == 0
        assert "8 files" in said
        assert err.count(f"{inside} is left out: an earlier run of tag sorted into it;") == 1
    status, _, err = call(inside.parent, "--to", tmp_path / "again")
    assert status == 2
    assert err.endswith(f"in '{inside.parent}' but in {inside}, which an earlier run sorted.\n")
    # As the library itself it is sorted, and once taken back it is a folder like others.
    assert "8 files" in call(inside, "--to", tmp_path / "again")[1]
    for folder in (tmp_path / "new", tmp_path / "again", inside):
        assert call("--undo", folder)[0] == 0
    assert "left out" not in call(library, "--to", tmp_path / "new")[2]


def test_a_file_that_cannot_be_used_is_named(call, library, tmp_path):
    (library / "bad.wav").write_text("words")
    status, said, err = call(library, "--to", tmp_path / "sorted", "--copy", "--quiet")
    assert status == 1
    assert said == "8 files copied into 3 folders, 1 of them into unsure.\n"
    assert f"Left out: {library}/bad.wav: it cannot be read" in err
    assert "take it back" not in err


def test_what_is_left_when_taking_back_is_named(call, library, tmp_path):
    out = tmp_path / "sorted"
    call(library, "--to", out, "--copy")
    edited = out / "unsure" / "odd.wav"
    edited.chmod(0o600)
    edited.write_text("edited")
    status, said, err = call("--undo", out)
    assert (status, said) == (1, "7 files taken back.\n")
    assert f"Left: {edited}: it was changed or replaced since" in " ".join(err.split())


def test_what_was_moved_by_hand_is_found_and_named(call, library, tmp_path):
    out, before = tmp_path / "sorted", contents(library)
    names = [f"{library}/{path.relative_to(library)}" for path in library.rglob("*-*")]
    call(library, "--to", out, "--move", "--keep-folders")
    one, two = out / "hum/b/hum-2.flac", out / "unsure/a/odd.wav"
    one.rename(out / "kept.flac")
    two.rename(tmp_path / "elsewhere.wav")
    status, said, err = call("--undo", out, "--verbose")
    assert status == 1
    assert sorted(said.splitlines()) == sorted(
        [*(f"Taken back: {name}" for name in names), "7 files taken back."]
    )
    found, left = err.splitlines()
    assert found.startswith(
        f"Warning: {library}/b/hum-2.flac: it was found at {out / 'kept.flac'},"
    )
    why = f"it is no longer there, and not at {library}/a/odd.wav either"
    assert left == f"Left: {two}: {why}"
    (tmp_path / "elsewhere.wav").rename(out / "found again.wav")
    assert call("--undo", out)[:2] == (0, "1 file taken back.\n")
    assert contents(library) == before


@pytest.mark.skipif(os.name == "nt", reason="brackets and slashes")
def test_a_folder_may_look_like_markup(call, library, tmp_path):
    status, said, err = call(library, "--to", tmp_path / "so[" / "]rt[red]")
    assert status == 0
    assert "/so[/]rt[red]" in "".join(said.split())
    assert "--undo" in err


def test_wrong_use_is_one_sentence(call, library, tmp_path):
    out = tmp_path / "sorted"
    for arguments, sentence in (
        ([library], "timbrel tag DIR --to OUT"),
        (["--to", out], "timbrel tag DIR --to OUT"),
        ([library, "--to", out, "--copy", "--move"], "Got --copy and --move."),
        ([library, "--to", out, "--write-tags"], "`--write-tags` goes with"),
        ([library, "--to", library], "`--to` must be another folder"),
        ([library, "--undo", out], "--undo goes alone"),
        (["--undo", library / "b" / "hum-2.flac"], "is not a journal of timbrel tag"),
        ([library, "--to", "/proc/x"], "Cannot write"),
    ):
        status, said, err = call(*arguments)
        assert (status, said) == (2, ""), arguments
        assert sentence in " ".join(err.split()), (arguments, err)
    assert not out.exists()


@pytest.mark.slow
def test_interrupted_it_says_how_to_go_on(tmp_path, tiny_model):
    library, out = write_folder(tmp_path / "library", recordings=2), tmp_path / "sorted"
    for number in range(600):
        shutil.copy(library / "hum" / "0.wav", library / "hum" / f"{number + 10}.wav")
    before = contents(library)
    options = ("-m", tiny_model, "--move", "--threshold", "0")
    command = interruptible("tag", library, "--to", out, *options)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (out / "hum").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGINT)
        err = process.communicate()[1]
    assert process.returncode == 130, err
    assert "Interrupted. The same command goes on from here; this takes everything back:" in err
    assert f'timbrel tag --undo "{out}/timbrel-tag.jsonl"' in err
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert not list(library.rglob("*.wav"))
    subprocess.run(interruptible("tag", "--undo", out), check=True, capture_output=True)
    assert contents(library) == before
    assert not out.exists()
