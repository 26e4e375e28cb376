"""Archives that are whole, cut off, or made to do harm."""

import bz2
import contextlib
import gzip
import io
import struct
import tarfile
import tracemalloc
import warnings
import zipfile

import pytest

from timbrel.fetching.archives import DamagedArchive, Member, read_members

A, B = b"a" * 3000, bytes(range(256)) * 10


def wanted(name):
    return name.rpartition("/")[2] in ("a.wav", "b.wav")


def members(archive, unpacked_limit=1_000_000):
    """The members that are wanted, one after the other."""
    file = io.BytesIO(archive)
    return read_members(file, wanted, member_limit=10_000, unpacked_limit=unpacked_limit)


def read(archive, unpacked_limit=1_000_000):
    return list(members(archive, unpacked_limit))


def make_zip(*members):
    """A zip archive of (name or ZipInfo, content)."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return archive.getvalue()


def make_tar(*members):
    """A tar archive of (name or TarInfo, content)."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as file:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if info.isreg():
                info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return archive.getvalue()


KINDS = {"zip": make_zip, "tar": make_tar, "tar.gz": lambda *it: gzip.compress(make_tar(*it))}
MEMBERS = (("x/README", b"text"), ("x/a.wav", A), ("x/deep/b.wav", B))


@pytest.mark.parametrize("kind", KINDS)
def test_wanted_files_are_read_and_nothing_is_written(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read(KINDS[kind](*MEMBERS)) == [Member("x/a.wav", A), Member("x/deep/b.wav", B)]
    for name in ("../../a.wav", "/etc/a.wav", "x/../../a.wav", "C:/a.wav"):
        assert read(KINDS[kind]((name, A))) == [Member(name, A)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_odd_names_do_no_harm(kind):
    names = [".", "x\n/a.wav", "ü/a.wav", "a" * 200, "NUL", "a.wav/", "a.WAV"]
    if kind != "zip":  # Which Python does not write with such names.
        names += ["", "\udcff/b.wav"]
    found = read(KINDS[kind](*((name, A) for name in names)))
    assert [it.name for it in found] == [it for it in names if it.endswith(".wav")]
    assert {it.content for it in found} == {A}


@pytest.mark.parametrize("kind", KINDS)
def test_names_that_come_twice_come_twice(kind):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name")
        archive = KINDS[kind](("x/a.wav", A), ("x/a.wav", B))
    assert [member.content for member in read(archive)] == [A, B]


@pytest.mark.parametrize(
    "kind",
    [
        *(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE),
        tarfile.DIRTYPE,
    ],
)
def test_what_is_no_file_in_a_tar_archive_is_not_read(kind):
    info = tarfile.TarInfo("x/a.wav")
    info.type, info.linkname = kind, "/etc/passwd"
    first, second = read(make_tar((info, b""), ("x/b.wav", B)))
    assert (first.content, first.fault) == (b"", "it is a link, a folder or a device there")
    assert second == Member("x/b.wav", B)


def test_a_link_in_a_zip_archive_is_not_read():
    info = zipfile.ZipInfo("x/a.wav")
    info.external_attr = 0o120777 << 16
    first, second = read(make_zip((info, "/etc/passwd"), ("x/b.wav", B)))
    assert (first.content, first.fault) == (b"", "it is a link or a folder there")
    assert second == Member("x/b.wav", B)


def patched(archive, field, value, *, of="<H", signature=b"PK\x01\x02"):
    """A zip archive with a field of its first entry changed."""
    changed = bytearray(archive)
    struct.pack_into(of, changed, changed.index(signature) + field, value)
    return bytes(changed)


def test_an_encrypted_file_is_said_to_be():
    archive = patched(make_zip(("x/a.wav", A), ("x/b.wav", B)), 8, 1)
    first, second = read(archive)
    assert first.fault == "it is encrypted"
    assert second == Member("x/b.wav", B)


def test_an_unusual_packing_is_not_tried():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("x/a.wav", A)
    assert read(archive.getvalue())[0].fault == "it is packed in an unusual way"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_larger_than_expected_is_not_unpacked(kind):
    first, second = read(KINDS[kind](("x/a.wav", bytes(20_000)), ("x/b.wav", B)))
    assert first.fault == "it unpacks to 20,000 bytes, which is more than expected"
    assert second == Member("x/b.wav", B)


def test_a_zip_bomb_that_lies_about_its_size_is_cut():
    bomb = make_zip(("x/a.wav", bytes(20_000_000)), ("x/b.wav", B))
    # Both places where a size is kept say that it is small.
    small = patched(patched(bomb, 24, 100, of="<I"), 22, 100, of="<I", signature=b"PK\x03\x04")
    tracemalloc.start()
    first, second = read(small)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert first.fault is not None or len(first.content) <= 100
    assert second == Member("x/b.wav", B)
    assert peak < 5_000_000


def test_a_tar_bomb_before_the_wanted_files_is_not_unpacked():
    archive = gzip.compress(make_tar(("x/bomb", bytes(5_000_000)), ("x/a.wav", A)))
    with pytest.raises(DamagedArchive, match="unpacks to more than 1 MB, which is far more"):
        read(archive)


def test_a_tar_bomb_of_many_files_is_not_unpacked():
    many = [(f"x/{number}", bytes(1000)) for number in range(1000)]
    archive = gzip.compress(make_tar(("x/a.wav", A), *many, ("x/b.wav", B)))
    found = members(archive)
    assert next(found) == Member("x/a.wav", A)
    with pytest.raises(DamagedArchive, match="unpacks to more than"):
        next(found)


def test_a_name_of_many_megabytes_does_not_fill_the_memory():
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 10_000_000
    archive = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(10_000_000), 1)
    with pytest.raises(DamagedArchive, match="must be forged"):
        read(archive, unpacked_limit=1 << 40)


def test_a_list_of_many_megabytes_does_not_fill_the_memory():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for number in range(100):
            info = zipfile.ZipInfo(f"{number}")
            info.comment = bytes(60_000)
            file.writestr(info, b"")
    with pytest.raises(DamagedArchive, match="must be forged"):
        read(archive.getvalue())


def test_a_sparse_file_that_never_ends_is_not_waited_for():
    # Its map says that it has many parts, and the archive ends before them.
    info = tarfile.TarInfo("x/a.wav")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    info.size = 512
    archive = info.tobuf(tarfile.PAX_FORMAT) + b"999999\n".ljust(512, b"1")
    with pytest.raises(DamagedArchive, match="damaged or cut off"):
        read(archive)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9, 0.99])
def test_an_archive_that_is_cut_off_gives_what_is_whole(kind, share):
    noise = [(f"x/{number}", bytes([number]) * 700) for number in range(50)]
    archive = KINDS[kind](("x/a.wav", A), *noise, ("x/b.wav", B))
    came = []
    # A tar archive may seem to end between two files.
    with contextlib.suppress(DamagedArchive):
        for member in members(archive[: int(share * len(archive))]):
            came.append(member)
    whole = [Member("x/a.wav", A), Member("x/b.wav", B)]
    assert came == whole[: len(came)]
    if kind == "tar" and share > 0.2:
        assert came


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_with_a_wrong_bit_never_ends_in_a_traceback(kind):
    archive = KINDS[kind](*MEMBERS)
    for place in range(0, len(archive), max(1, len(archive) // 300)):
        damaged = bytearray(archive)
        damaged[place] ^= 0xFF
        with contextlib.suppress(DamagedArchive):
            assert all(isinstance(member, Member) for member in members(bytes(damaged)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"  <!DOCTYPE html><html>Log in", "it is a web page, not an archive"),
        (b"<html>", "it is a web page"),
        (bz2.compress(b"tar"), "neither a zip nor a tar archive"),
        (b"RIFF", "neither a zip nor a tar archive"),
        (b"PK but no zip", "damaged or cut off"),
        (b"\x1f\x8bno gzip", "damaged or cut off"),
    ],
)
def test_what_is_no_archive_is_said_to_be(content, said):
    with pytest.raises(DamagedArchive, match=said):
        read(content)
