"""Arrays by key, and never a damaged one."""

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from timbrel.errors import OutputError
from timbrel.features import cache as module
from timbrel.features.cache import FeatureCache, default_folder

KEY = "a" * 64


def arrays(value=0):
    return {
        "pictures": np.full((2, 3, 1), value, dtype=np.float32),
        "start": np.arange(5),
        "kept": np.array([True, False]),
        "said": np.array('["é", "太鼓"]'),
        "empty": np.empty((0, 7)),
    }


def assert_same(got, expected):
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_array_equal(got[name], array)


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "some" / "cache")


# Put and get


def test_arrays_come_back_as_they_were(cache):
    assert cache.get(KEY) is None
    cache.put(KEY, arrays())
    assert_same(FeatureCache(str(cache.folder)).get(KEY), arrays())
    assert cache.get("b" * 64) is None


def test_a_later_entry_replaces_an_earlier_one(cache):
    cache.put(KEY, arrays(1))
    cache.put(KEY, arrays(2))
    assert_same(cache.get(KEY), arrays(2))
    assert len(list(cache.folder.iterdir())) == 1


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cache = FeatureCache(None)
    cache.put(KEY, arrays())
    assert cache.get(KEY) is None
    assert list(tmp_path.iterdir()) == []


def test_threads_never_see_half_an_entry(cache):
    def work(number):
        cache.put(KEY, arrays(number % 2))
        got = cache.get(KEY)
        return got is not None and np.ptp(got["pictures"]) == 0 and len(got) == len(arrays())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(40)))


# Keys


def test_a_key_depends_on_its_parts_but_not_on_their_order():
    key = FeatureCache.key(rate=16_000, label="é", list=[1, None, 2.5])
    assert key == FeatureCache.key(list=[1, None, 2.5], label="é", rate=16_000)
    assert len(key) == 64
    assert set(key) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "other",
    [
        {"rate": 16_001, "names": ["a", "b"]},
        {"rate": "16000", "names": ["a", "b"]},
        {"rate": 16_000, "names": ["b", "a"]},
        {"rate": 16_000, "names": ["ab"]},
        {"rate": 16_000, "names": ["a", "b", None]},
        {"rate": 16_000},
    ],
)
def test_another_part_gives_another_key(other):
    assert FeatureCache.key(**other) != FeatureCache.key(rate=16_000, names=["a", "b"])


def test_keys_are_the_same_in_every_process():
    code = "from timbrel.features.cache import FeatureCache as C; print(C.key(b={'x': 1}, a='é'))"
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    there = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == FeatureCache.key(a="é", b={"x": 1})


# Damage


def test_a_truncated_entry_is_not_there_and_is_removed(cache):
    cache.put(KEY, arrays())
    (path,) = cache.folder.iterdir()
    content = path.read_bytes()
    for length in range(0, len(content), 41):
        path.write_bytes(content[:length])
        assert cache.get(KEY) is None
        assert not path.exists()


def test_an_entry_with_a_wrong_byte_is_never_taken_for_other_arrays(cache):
    cache.put(KEY, arrays())
    (path,) = cache.folder.iterdir()
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        got = cache.get(KEY)
        # Some bytes, such as those of the time of day, hold nothing that is wanted.
        assert path.exists() == (got is not None)
        for name, array in (got or {}).items():
            np.testing.assert_array_equal(array, arrays()[name])


def _single(file):
    np.save(file, np.arange(3))


def _pickled(file):
    np.savez(file, pictures=np.array([{"a": 1}], dtype=object))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"\x80\x04}.", _single, _pickled])
def test_another_kind_of_file_is_not_an_entry(cache, content):
    cache.folder.mkdir(parents=True)
    path = cache.folder / f"{KEY}.npz"
    with open(path, "wb") as file:
        content(file) if callable(content) else file.write(content)
    assert cache.get(KEY) is None
    assert not path.exists()


# A folder that cannot be written


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    cache = FeatureCache(tmp_path / "file")
    with pytest.raises(OutputError) as caught:
        cache.put(KEY, arrays())
    assert str(caught.value).startswith(f"Cannot write {tmp_path / 'file'}")
    assert cache.get(KEY) is None


def test_an_entry_of_a_folder_that_cannot_be_written_is_used(cache, monkeypatch):
    def refuse(path, *arguments):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    cache.put(KEY, arrays())
    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: refuse(path))
    assert_same(cache.get(KEY), arrays())


def test_a_full_disk_is_an_error_and_leaves_the_earlier_entry(cache, monkeypatch):
    def run_full(file, **_):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    cache.put(KEY, arrays(1))
    monkeypatch.setattr(np, "savez", run_full)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        cache.put(KEY, arrays(2))
    assert str(cache.folder) in str(caught.value)
    assert len(list(cache.folder.iterdir())) == 1
    assert_same(cache.get(KEY), arrays(1))


def test_an_interruption_leaves_nothing_behind(cache, monkeypatch):
    def interrupt(file, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cache.put(KEY, arrays())
    assert list(cache.folder.iterdir()) == []


# Room


def fill(cache, *keys):
    """Put entries of 8000 bytes and some, the first the oldest."""
    for age, key in enumerate(reversed(keys)):
        cache.put(key, {"x": np.zeros(1000)})
        os.utime(cache.folder / f"{key}.npz", (0, 1_000_000 - age))


def kept(cache):
    return sorted(path.stem for path in cache.folder.iterdir())


@pytest.mark.parametrize(
    ("limit", "used", "left"), [(30_000, None, "bcd"), (20_000, "a", "ad"), (34_000, None, "abcd")]
)
def test_the_longest_unused_make_room(cache, monkeypatch, limit, used, left):
    fill(cache, "a", "b", "c")
    if used:
        assert cache.get(used) is not None
    monkeypatch.setattr(module, "_LIMIT_BYTES", limit)
    cache.put("d", {"x": np.zeros(1000)})
    assert kept(cache) == list(left)


def test_other_files_of_the_folder_are_left_alone(cache, monkeypatch):
    fill(cache, "a")
    (cache.folder / "notes.txt").write_text("mine")
    monkeypatch.setattr(module, "_LIMIT_BYTES", 0)
    cache.put("b", {"x": np.zeros(1000)})
    assert kept(cache) == ["b", "notes"]


# Where


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TIMBREL_CACHE", str(tmp_path / "here"))
    assert default_folder() == tmp_path / "here"


@pytest.mark.parametrize("given", [None, ""])
@pytest.mark.parametrize(
    ("platform", "variable", "inside"),
    [
        ("linux", "XDG_CACHE_HOME", "timbrel"),
        ("linux", None, ".cache/timbrel"),
        ("darwin", None, "Library/Caches/timbrel"),
        ("win32", "LOCALAPPDATA", "timbrel/cache"),
        ("win32", None, "AppData/Local/timbrel/cache"),
    ],
)
def test_each_platform_has_its_folder(monkeypatch, tmp_path, platform, variable, inside, given):
    for name in ("TIMBREL_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    if given is not None:
        monkeypatch.setenv("TIMBREL_CACHE", given)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", platform)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path))
    assert default_folder() == tmp_path / inside
