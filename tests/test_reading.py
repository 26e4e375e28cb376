"""Reading recordings in pieces, and headers that declare more sound than the file contains."""

import io
import struct
import tempfile

import numpy as np
import pytest
import soundfile

from timbrel.audio.reading import Reading, missing_bytes
from timbrel.audio.samples import resample
from timbrel.errors import AudioError


def test_a_reading_can_be_read_again(tmp_path):
    waveform = np.float32(np.random.default_rng(0).uniform(-1.5, 1.5, (200_000, 2)))
    soundfile.write(tmp_path / "x.wav", waveform, 44_100, subtype="FLOAT")
    reading = Reading(tmp_path / "x.wav", 16_000)
    assert (reading.source_rate, reading.channels, reading.seconds) == (0, 0, 0)
    parts = list(reading)
    assert len(parts) > 2
    np.testing.assert_array_equal(np.concatenate(parts), np.concatenate(list(reading)))
    expected = resample(waveform.mean(axis=1, dtype=np.float32), 44_100, 16_000)
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    assert (reading.source_rate, reading.channels) == (44_100, 2)
    assert reading.seconds == 200_000 / 44_100
    assert [item.code for item in reading.findings] == ["too-loud"]


@pytest.mark.parametrize("share", [1, 0.7])
@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3", "aiff", "w64"])
def test_a_file_object_is_read_as_the_file(tmp_path, extension, share):
    path = tmp_path / f"x.{extension}"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.3, 0.3, (150_000, 2)), 44_100)
    content = path.read_bytes()[: int(share * path.stat().st_size)]
    path.write_bytes(content)
    for stretch in ({"start": 0.5, "end": 1.25}, {}):
        expected = Reading(path, 16_000, **stretch)
        waveform = np.concatenate(list(expected))
        with open(path, "rb") as file, tempfile.SpooledTemporaryFile() as spooled:
            spooled.write(content)
            for source in (file, spooled, io.BytesIO(content)):
                # Wherever it stands; and again.
                source.seek(7)
                reading = Reading(source, 16_000, **stretch)
                for _ in range(2):
                    np.testing.assert_array_equal(np.concatenate(list(reading)), waveform)
                assert (reading.seconds, reading.source_rate) == (expected.seconds, 44_100)
                assert reading.warnings == expected.warnings
                assert not source.closed
    assert any("truncated" in warning for warning in expected.warnings) == (share < 1)


@pytest.mark.parametrize(("content", "reason"), [(b"", "0 bytes"), (b"words" * 9, "sound file")])
def test_a_file_object_that_cannot_be_used_is_named(content, reason):
    for name, expected in [(None, "file object"), ("upload", "upload")]:
        with pytest.raises(AudioError, match=reason) as raised:
            list(Reading(io.BytesIO(content), 16_000, name=name))
        assert raised.value.path == expected


def test_numbers_that_are_none_are_counted_to_the_end(tmp_path):
    waveform = np.zeros((300_000, 2), dtype=np.float32)
    waveform[[70_000, 250_000], 1] = np.nan
    soundfile.write(tmp_path / "x.wav", waveform, 8000, subtype="FLOAT")
    given = []
    with pytest.raises(AudioError, match=r"2 of 300000 samples are .* first at 8\.750 s"):
        given.extend(Reading(tmp_path / "x.wav", 8000))
    assert sum(map(len, given)) <= 70_000


# Headers


SOUND = bytes(range(200))
# How the names of all chunks of Wave64 but the first go on.
GUID = b"\xf3\xac\xd3\x11\x8c\xd1\0\xc0\x4f\x8e\xdb\x8a"


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


def w64(*, before=(), sound=SOUND, size=None):
    def part(name, content, size=None):
        size = 24 + len(content) if size is None else size
        return name + GUID + struct.pack("<Q", size) + content + bytes(-len(content) % 8)

    form = struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16)
    head = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0" + bytes(8) + b"wave" + GUID
    parts = [part(b"fmt ", form), *(part(*chunk) for chunk in before), part(b"data", sound, size)]
    return head + b"".join(parts)


def missing(content):
    return missing_bytes(io.BytesIO(content))


@pytest.mark.parametrize("content", [wav(), aiff(), w64(), w64(before=[(b"fact", bytes(8))])])
def test_libsndfile_reads_the_files_of_this_module(tmp_path, content):
    (tmp_path / "sound").write_bytes(content)
    samples, rate = soundfile.read(tmp_path / "sound")
    assert (len(samples), rate) == (100, 8000)


@pytest.mark.parametrize("cut", [1, 2, 37, 200])
@pytest.mark.parametrize("content", [wav(), aiff(), aiff(kind=b"AIFC")])
def test_missing_bytes_are_counted(content, cut):
    assert missing(content) == 0
    assert missing(content[:-cut]) == cut


@pytest.mark.parametrize("extra", [b"", b"x", b"odd", b"even"])
def test_chunks_before_the_sound_are_stepped_over(extra):
    assert missing(wav(before=[chunk(b"LIST", extra), chunk(b"bext", b"123")])[:-10]) == 10
    assert missing(aiff(before=[chunk(b"MARK", extra, ">")])[:-10]) == 10


def test_a_chunk_before_the_sound_does_not_pass_for_it():
    decoy = chunk(b"LIST", b"data" + struct.pack("<I", 9999))
    assert missing(wav(before=[decoy])) == 0


def test_chunks_after_the_sound_are_not_counted_as_sound_that_is_there():
    whole = wav(after=[chunk(b"LIST", b"x" * 50)])
    assert missing(whole) == 0
    assert missing(whole[:-30]) == 0


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_that_the_writer_did_not_know_promises_nothing(size):
    assert missing(wav(size=size)) == 0
    assert missing(aiff(size=size)) == 0


@pytest.mark.parametrize("length", [0, 3, 11, 12, 15, 20, 36, 40])
def test_a_file_that_ends_before_its_sound_gives_nothing(length):
    assert missing(wav()[:length]) == 0


# Formats as libsndfile writes them, and where their header holds the size of the sound: behind
# which bytes, how far behind, in which format, and what counts to it besides the sound.
WRITTEN = {
    "RF64": ({"format": "RF64"}, (b"ds64", 16, "<Q", 0)),
    "W64": ({"format": "W64"}, (b"data\xf3\xac", 16, "<Q", 24)),
    "AU": ({"format": "AU"}, (b".snd", 8, ">I", 0)),
    "AU, little-endian": ({"format": "AU", "endian": "LITTLE"}, (b"dns.", 8, "<I", 0)),
    "RIFX": ({"format": "WAV", "endian": "BIG"}, (b"data", 4, ">I", 0)),
}


@pytest.fixture(params=WRITTEN)
def written(request, tmp_path):
    """A file of 999 samples, itself with another size in its header, and the largest size."""
    how, (before, distance, layout, more) = WRITTEN[request.param]
    path = tmp_path / "written"
    soundfile.write(path, np.linspace(-0.5, 0.5, 999), 8000, subtype="PCM_16", **how)
    content = path.read_bytes()
    place = content.index(before) + distance
    assert struct.unpack_from(layout, content, place) == (2 * 999 + more,)

    def sized(size):
        changed = bytearray(content)
        struct.pack_into(layout, changed, place, size)
        return bytes(changed)

    return content, sized, (1 << 8 * struct.calcsize(layout)) - 1


@pytest.mark.parametrize("cut", [1, 2, 37, 998, 1998])
def test_missing_bytes_of_other_formats_are_counted(written, cut):
    content = written[0]
    assert missing(content) == 0
    assert missing(content[:-cut]) == cut


def test_bytes_after_the_sound_of_other_formats_are_not_missing(written):
    assert missing(written[0] + b"LIST\4\0\0\0more") == 0


@pytest.mark.parametrize("size", ["none", "largest", "largest with a sign"])
def test_other_formats_that_do_not_know_their_size_promise_nothing(written, size):
    content, sized, largest = written
    unknown = sized({"none": 0, "largest": largest, "largest with a sign": largest // 2}[size])
    assert unknown != content
    assert missing(unknown) == 0
    assert missing(unknown[:-500]) == 0


def test_a_size_one_larger_promises_a_byte(written):
    content, sized, _ = written
    more = 24 if content.startswith(b"riff") else 0
    assert missing(sized(2 * 999 + more + 1)) == 1


def test_headers_that_end_early_break_nothing(written):
    content = written[0]
    for length in range(120):
        assert 0 <= missing(content[:length]) <= 2 * 999 + len(content)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9])
def test_chunks_of_w64_are_aligned_to_eight_bytes(length):
    whole = w64(before=[(b"fact", bytes(length))])
    assert missing(whole) == 0
    assert missing(whole[:-10]) == 10


@pytest.mark.parametrize("size", [0, 23, 1 << 40, (1 << 63) - 1, (1 << 64) - 1])
def test_a_chunk_of_w64_with_a_size_that_cannot_be_ends_the_search(size):
    assert missing(w64(before=[(b"fact", bytes(8), size)])[:-10]) == 0


def test_rf64_may_be_longer_than_32_bits_can_say():
    sizes = struct.pack("<QQQI", 0, 5 << 32, 0, 0)
    content = b"RF64" + b"\xff" * 4 + b"WAVE" + chunk(b"ds64", sizes) + wav(size=0xFFFFFFFF)[12:]
    assert missing(content) == (5 << 32) - len(SOUND)


def test_rf64_goes_by_the_size_beside_the_sound_where_there_is_one():
    sizes = struct.pack("<QQQI", 0, 5 << 32, 0, 0)
    content = b"RF64" + b"\xff" * 4 + b"WAVE" + chunk(b"ds64", sizes) + wav()[12:]
    assert missing(content) == 0
    assert missing(content[:-10]) == 10


def test_other_files_give_nothing(tmp_path):
    soundfile.write(tmp_path / "x.flac", [0.1, 0.2] * 2000, 8000)
    assert missing((tmp_path / "x.flac").read_bytes()[:-100]) == 0
    assert missing(b"data" * 100) == 0
    assert missing(b"RIFF\0\0\0\0AVI " + chunk(b"data", SOUND)[:-50]) == 0
