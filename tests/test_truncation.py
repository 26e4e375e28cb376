"""Headers that promise more sound than the file holds."""

import struct

import pytest
import soundfile

from timbrel.audio.truncation import missing_bytes

SOUND = bytes(range(200))


def chunk(name, content, order="<", size=None):
    """A RIFF or AIFF chunk, padded to an even length."""
    size = len(content) if size is None else size
    return name + struct.pack(f"{order}I", size) + content + b"\0" * (len(content) % 2)


def wav(*, before=(), size=None, after=()):
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16)
    body = b"".join([chunk(b"fmt ", form), *before, chunk(b"data", SOUND, size=size), *after])
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def aiff(*, before=(), size=None, kind=b"AIFF"):
    rate = struct.pack(">HQ", 16_383 + 12, 8000 << 51)
    form = struct.pack(">hIh", 1, len(SOUND) // 2, 16) + rate
    body = b"".join(
        [chunk(b"COMM", form, ">"), *before, chunk(b"SSND", bytes(8) + SOUND, ">", size)]
    )
    return b"FORM" + struct.pack(">I", 4 + len(body)) + kind + body


@pytest.fixture
def missing(tmp_path):
    def count(content):
        (tmp_path / "sound").write_bytes(content)
        return missing_bytes(tmp_path / "sound")

    return count


@pytest.mark.parametrize("content", [wav(), aiff()])
def test_the_files_made_here_are_what_libsndfile_reads(tmp_path, content):
    (tmp_path / "sound").write_bytes(content)
    samples, rate = soundfile.read(tmp_path / "sound")
    assert (len(samples), rate) == (100, 8000)


@pytest.mark.parametrize("cut", [1, 2, 37, 200])
@pytest.mark.parametrize("content", [wav(), aiff(), aiff(kind=b"AIFC")])
def test_what_was_cut_off_is_counted(missing, content, cut):
    assert missing(content) == 0
    assert missing(content[:-cut]) == cut


@pytest.mark.parametrize("extra", [b"", b"x", b"odd", b"even"])
def test_chunks_before_the_sound_are_stepped_over(missing, extra):
    assert missing(wav(before=[chunk(b"LIST", extra), chunk(b"bext", b"123")])[:-10]) == 10
    assert missing(aiff(before=[chunk(b"MARK", extra, ">")])[:-10]) == 10


def test_a_chunk_before_the_sound_does_not_pass_for_it(missing):
    decoy = chunk(b"LIST", b"data" + struct.pack("<I", 9999))
    assert missing(wav(before=[decoy])) == 0


def test_chunks_after_the_sound_are_not_counted_as_sound_that_is_there(missing):
    whole = wav(after=[chunk(b"LIST", b"x" * 50)])
    assert missing(whole) == 0
    assert missing(whole[:-30]) == 0


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_that_the_writer_did_not_know_promises_nothing(missing, size):
    assert missing(wav(size=size)) == 0
    assert missing(aiff(size=size)) == 0


def test_a_length_one_longer_than_the_file_promises_a_byte(missing):
    assert missing(wav(size=len(SOUND) + 1)) == 1


@pytest.mark.parametrize("length", [0, 3, 11, 12, 15, 20, 36, 40])
def test_a_file_that_ends_before_its_sound_gives_nothing(missing, length):
    assert missing(wav()[:length]) == 0


def test_other_files_give_nothing(missing, tmp_path):
    soundfile.write(tmp_path / "x.flac", [0.1, 0.2] * 2000, 8000)
    assert missing((tmp_path / "x.flac").read_bytes()[:-100]) == 0
    assert missing(b"data" * 100) == 0
    assert missing(b"RIFF\0\0\0\0AVI " + chunk(b"data", SOUND)[:-50]) == 0
