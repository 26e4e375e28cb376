"""`timbrel data` as it is typed."""

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from conftest import interruptible
from timbrel.fetching.known import KNOWN_DATA
from timbrel.progress import TerminalProgress
from tiny_known import SOME


@pytest.fixture
def call(call, site):
    """Run `timbrel data …` where a server has a small data set; exit status, stdout and stderr."""
    run = partial(call, "data")
    run.site = site
    return run


@pytest.mark.parametrize("arguments", [(), ("--list",)])
def test_known_data_sets_are_listed(call, arguments):
    status, out, err = call(*arguments)
    assert (status, err) == (0, "\nFetch one with: timbrel data NAME\n")
    for known in KNOWN_DATA.values():
        parts = (known.name, known.title, known.about, known.licence, known.home, known.version)
        for part in (*parts, f"{known.recordings} recordings"):
            assert part in out
    assert "882 MB, verified by MD5" in out
    assert call("-q", *arguments)[1:] == (out, "")


def test_a_data_set_is_fetched(call):
    status, out, err = call("instruments")
    assert status == 0
    assert out == (
        "instruments: 40 recordings, all verified by SHA-256; fetched.\n"
        "Labels     instruments/instruments.csv\n"
        "Recordings instruments/wavfiles\n"
        "Licence    CC0\n"
        "           H\n"
        "           Authors and how to cite them: instruments/ATTRIBUTION.txt\n"
    )
    assert err == (
        f"From {call.site.url}/all.tar.gz …\n"
        "Train on it with: timbrel train instruments/instruments.csv --audio instruments/wavfiles\n"
    )
    status, out, err = call("instruments", "--quiet")
    assert (status, err) == (0, "")
    assert out.startswith(
        "instruments: 40 recordings, all verified by SHA-256; all files were present.\n"
    )


def test_replaced_and_foreign_files_are_named(call):
    call("instruments", "-o", "my data")
    Path("my data", SOME).write_bytes(b"damaged")
    Path("my data/instruments.csv").unlink()
    for name in "abcde":
        Path("my data", name).touch()
    status, out, err = call("instruments", "-o", "my data")
    assert status == 0
    assert "; 39 files were present, 2 fetched, 1 of them to replace damaged files.\n" in out
    assert "Not part of this data set, and left unchanged: a, b, c and 2 more.\n" in err
    assert "timbrel train 'my data/instruments.csv' --audio 'my data/wavfiles'\n" in err


def test_a_warning_names_changed_labels_that_are_kept(call):
    call("instruments")
    Path("instruments/instruments.csv").write_text("mine")
    status, _, err = call("instruments", "-q")
    assert status == 0
    assert err == (
        "Warning: instruments/instruments.csv held other labels; they are kept as "
        "instruments.csv.1.kept.\n"
    )


def test_sources_are_tried_in_order(call):
    url = call.site.url
    status, _, err = call("instruments", "--source", "none", "--source", f"{url}/raw/")
    assert status == 0
    assert err.startswith(f"From none …\nFrom {url}/raw/ …\n")


def test_failures_that_are_retried_are_named(call):
    url = f"{call.site.url}/all.tar.gz"
    call.site.pages["/all.tar.gz"].breaks = [1000]
    status, _, err = call("instruments")
    assert status == 0
    assert err.startswith(
        f"From {url} …\n{url}: the connection broke after 0.0 of 0.0 MB. Trying again in 1 s.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "`name` must be one of instruments, digits, esc50. Got 'nonsense'."),
        (["instruments", "-o", "file"], "`--output` must be a folder. 'file' is a file."),
        (["instruments", "--source", "ftp://a/b"], "`--source` must be a folder, an archive"),
        (["instruments", "--source", "no.zip"], "no.zip: there is no such file or folder. Try"),
        (["instruments", "--source", "file"], "mirror that has it with `--source`."),
    ],
)
def test_wrong_use_is_one_sentence_and_status_2(call, arguments, sentence):
    Path("file").touch()
    status, out, err = call(*arguments)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith("Error: ")
    assert sentence in err
    assert os.listdir() == ["file"]


def test_bars_are_moved_unless_quiet(call, monkeypatch):
    moved = []
    monkeypatch.setattr(TerminalProgress, "stage", lambda self, name, *it: moved.append(name))
    call("instruments")
    call("instruments")
    assert list(dict.fromkeys(moved)) == ["unpacking", "checking"]
    moved.clear()
    call("instruments", "--quiet")
    assert moved == []


# The program, with the data set of the tests in place of the real one; it stops amid an archive.
STALLING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from dataclasses import replace
from timbrel.fetching import known
from timbrel.progress import TerminalProgress
real = known.KNOWN_DATA["digits"]
source = known.Source(sys.argv.pop(1))
known.KNOWN_DATA["digits"] = replace(real, sources=(source,))
def stage(self, name, *done):
    print(name, file=sys.stderr, flush=True)
    sys.stdin.readline()
TerminalProgress.stage = stage
from timbrel.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_keeps_fetched_files(site):
    url = site.put("/digits.tar.gz", b"\x1f\x8b" + bytes(1_000_000))
    command = interruptible(url, "data", "digits")
    command[2] = STALLING
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, **pipes, text=True) as process:
        lines = [process.stderr.readline() for _ in range(2)]
        assert lines == [f"From {url} …\n", "fetching\n"]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    kept = Path(".digits.partial")
    assert err == (
        f"Interrupted. Fetched files are kept in {kept.absolute()}; the same command continues "
        "from here.\n"
    )
    assert not Path("digits").exists()
    assert sum(file.stat().st_size for file in kept.glob("*.part")) > 0
