"""A small library to sort; as a program, sort it, killed at each change of the disk.

It is a program since it forks, and the tests' process has threads.
"""

import csv
import errno
import hashlib
import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path
from types import MappingProxyType

import numpy as np
import soundfile

from timbrel.inference.prediction import Prediction
from timbrel.tagging import sorting
from timbrel.workflows.tag import tag, undo_tag

# All that changes a disk, but for the content of copies in the making.
CALLS = (
    *("link", "symlink", "rename", "replace", "unlink", "mkdir", "rmdir"),
    *("write", "fsync", "ftruncate"),
)

JOURNAL = "timbrel-tag.jsonl"

CASES = {
    "link": {"mode": "link"},
    "link, folders kept": {"mode": "link", "keep_folders": True},
    "copy": {"mode": "copy"},
    "copy with labels": {"mode": "copy", "write_tags": True},
    "move": {"mode": "move", "keep_folders": True},
    "move to another disk": {"mode": "move"},
    "move with labels": {"mode": "move", "write_tags": True},
    "move without hard links": {"mode": "move"},
}


class Named:
    """Answers what the name of a file says."""

    labels = ("hiss", "hum")
    threshold = 0.5
    metadata = MappingProxyType({"labels": labels})

    def predict_many(self, paths):
        for path in paths:
            yield [self._answer(path)]

    def _answer(self, path):
        word = path.stem.partition("-")[0].lower()
        if not path.is_file():
            return Prediction(path=str(path), error="there is no such file")
        if word == "bad":
            return Prediction(path=str(path), error="it cannot be read")
        sure = word in self.labels
        label = word if sure else "unknown"
        return Prediction(str(path), label, "hum", 0.9 if sure else 0.2, sure, seconds=0.1)


def make_library(folder):
    """Files of one name in several folders, of several formats, times and permissions."""
    names = [
        *("a/hum-1.wav", "a/hiss-1.wav", "a/odd.wav", "a/bad.wav"),
        *("b/hum-1.wav", "b/HUM-1.wav", "b/hum-2.flac", "b/hum-3.au", "b/deep/hiss-1.wav"),
    ]
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = np.random.default_rng(number).normal(size=800) * 0.1
        soundfile.write(path, sound, 8000)
        os.utime(path, ns=(10**18 + number, 10**18 + 7 * number))
        path.chmod(0o444 if number % 2 else 0o640)


def table(out, name="tags.csv"):
    """The rows of a table that was written."""
    with open(out / name, newline="") as stream:
        return list(csv.DictReader(stream))


def touch(path, text="x"):
    """Write a file with some text, and the folders around it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def contents(folder):
    """Everything in a folder: what it is, its content, time and permissions."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            state = path.stat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[name] = (digest, state.st_mtime_ns, oct(state.st_mode))
        else:
            found[name] = "folder"
    return found


def files(found):
    """What there is of files and links, without journal and table."""
    return {
        name: state
        for name, state in found.items()
        if state != "folder" and name not in (JOURNAL, "tags.csv")
    }


def other_disk(link):
    """A stand-in for `os.link`, as if the library were on a disk of its own."""

    def linked(source, target, **options):
        if ("library" in Path(source).parts) != ("library" in Path(target).parts):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        link(source, target, **options)

    return linked


def by_hand(out):
    """Move some of what was sorted: exchange two files, move one into a new folder."""
    one, two = sorted((out / "hiss").rglob("*.wav"))
    one.rename(out / "spare")
    two.rename(one)
    (out / "spare").rename(two)
    (out / "kept" / "deep").mkdir(parents=True)
    next((out / "unsure").rglob("odd.wav")).rename(out / "kept" / "deep" / "odd.wav")


def killed(work, after):
    """Do some work in another process, and kill it at a call; half a write is made.

    Returns whether it was killed, after so many calls.
    """
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    calls = count(1)

    def watched(name, function):
        def call(*arguments, **options):
            if next(calls) == after:
                if name == "write":
                    function(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    for name in CALLS:
        setattr(os, name, watched(name, getattr(os, name)))
    try:
        work()
    finally:
        os._exit(0)


def prepare(case):
    """Stand in for the disks of a case."""

    def no_link(*arguments, **options):
        raise OSError(errno.EPERM, "no hard links here")

    sorting._FILES = 4
    if case.endswith("to another disk"):
        os.link = other_disk(os.link)
    if case == "move without hard links":
        os.link = no_link


def check(case, home):
    """Kill at every call; return how many there are in sorting and in taking back."""
    prepare(case)
    library, out = home / "library", home / "sorted"
    sort = lambda: tag(library, out, Named(), **CASES[case])  # noqa: E731
    undo = lambda: undo_tag(out)  # noqa: E731
    make_library(library)
    before = contents(library)
    sort()
    sorted_library, sorted_out = contents(library), contents(out)
    table = (out / "tags.csv").read_text()
    undo()

    def as_before(place, *, begun=True):
        assert contents(library) == before, place
        # Killed before its first line, the journal does not know who made the folder.
        assert not out.exists() or not (begun or contents(out)), place
        shutil.rmtree(out, ignore_errors=True)

    as_before("undone")
    spare = home / "spare"
    kills = 0
    while killed(sort, kills + 1):
        kills += 1
        place = f"{case}: call {kills}"
        found = {state[0] for state in files({**contents(library), **contents(out)}).values()}
        lost = {state[0] for state in files(before).values()} - found
        assert CASES[case].get("write_tags") or not lost, place
        keep(home, spare)
        begun = (out / JOURNAL).exists() and "\n" in (out / JOURNAL).read_text()
        sort()
        assert contents(library) == sorted_library, place
        assert files(contents(out)) == files(sorted_out), place
        assert not (out / ".timbrel-tag").exists(), place
        rows = (out / "tags.csv").read_text().split("\n")
        assert sorted(rows) == sorted(table.split("\n")), place
        undo()
        as_before(f"{place}, resumed and undone", begun=begun)
        keep(spare, home)
        if (out / JOURNAL).exists():
            undo()
        as_before(f"{place}, undone", begun=begun)
    undo()
    as_before("never killed")
    return kills, check_undo(home, sort, undo, moved=CASES[case]["mode"] == "move")


def check_undo(home, sort, undo, *, moved):
    """Kill taking back at every call, and take back again; every file is counted, once."""
    library, out = home / "library", home / "sorted"
    before = contents(library)
    sort()
    if moved:
        by_hand(out)
    keep(home, home / "sorted once")
    kills = 0
    while killed(undo, kills + 1):
        kills += 1
        if (out / JOURNAL).exists():
            result = undo()
            assert (result.count, result.left) == (8, []), f"undo: call {kills}"
        assert contents(library) == before, f"undo: call {kills}"
        assert not files(contents(out)), f"undo: call {kills}"
        keep(home / "sorted once", home)
    shutil.rmtree(out, ignore_errors=True)
    return kills


def keep(source, target):
    """Copy library and sorted library as they are."""
    for name in ("library", "sorted"):
        shutil.rmtree(target / name, ignore_errors=True)
        if (source / name).exists():
            shutil.copytree(source / name, target / name, symlinks=True)


if __name__ == "__main__":
    sys.stdout.write("{} {}".format(*check(sys.argv[1], Path(sys.argv[2]))))
