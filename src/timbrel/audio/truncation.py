"""Find sound files that end before their header says.

libsndfile reads what is there and does not complain, so the header is compared with the file here.
Sources: "Multimedia Programming Interface and Data Specifications 1.0" (RIFF and RIFX, 1991); EBU
Tech 3306, "RF64: An extended File Format for Audio Data" (2009); Sony, "Wave64 File Format" (W64);
Sun and NeXT, "Audio file format" (AU; audio(5) of SunOS); Apple, "Audio Interchange File Format:
AIFF" (1989); RFC 3533 (Ogg, 2003); the Xing header of MP3 files as LAME writes it.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

# The largest page of an Ogg file, and where in an MP3 frame a Xing header can stand.
_OGG_PAGE = 65_307
_MP3_HEADER = 256

# Writers that stream do not know the length and put one of these in its place, or in 64 bits
# something beyond every file.
_UNKNOWN_SIZES = (0, 0xFFFFFFFF, 0x7FFFFFFF)
_ENDLESS = 1 << 62

# Wave64 names chunks by GUIDs that begin with the letters of the chunks of WAV.
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0"
_W64_CHUNK = b"\xf3\xac\xd3\x11\x8c\xd1\0\xc0\x4f\x8e\xdb\x8a"


def missing_bytes(file: BinaryIO) -> int:
    """Bytes of sound that the header of a file promises and the file does not hold, at least.

    WAV (also big-endian: RIFX), RF64, W64, AIFF and AU say it in their header, Ogg by the mark on
    its last page (1 where it is missing), MP3 where it has a Xing or Info header. Other formats,
    and files whose header does not say, give 0; of these the decoder notices some (FLAC, CAF) and
    others not (VOC, IRCAM, PAF).
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(12)
    if start[:4] in (b"RIFF", b"RF64") and start[8:12] == b"WAVE":
        return _missing(file, end, b"data", "<I")
    if start[:4] == b"RIFX" and start[8:12] == b"WAVE":
        return _missing(file, end, b"data", ">I")
    if start == _W64_RIFF[:12]:
        return _missing_w64(file, end)
    if start[:4] in (b".snd", b"dns.") and len(start) == 12:
        return _missing_au(end, start)
    if start[:4] == b"FORM" and start[8:12] in (b"AIFF", b"AIFC"):
        return _missing(file, end, b"SSND", ">I")
    if start[:4] == b"OggS":
        return _missing_ogg(file, end)
    if start[:3] == b"ID3" or (start[0:1] == b"\xff" and start[1] & 0xE0 == 0xE0):
        return _missing_mp3(file, end, start)
    return 0


def _missing_ogg(file: BinaryIO, end: int) -> int:
    """1 unless the last page is whole and says that it is the last (RFC 3533, section 6)."""
    file.seek(max(end - _OGG_PAGE, 0))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return 1
    whole = len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
    return 0 if whole and page[5] & 4 else 1


def _missing_mp3(file: BinaryIO, end: int, start: bytes) -> int:
    """Compare with the byte count of a Xing or Info header, where the first frame has one."""
    first = 0
    if start[:3] == b"ID3":
        sizes = start[6:10]
        first = 10 + sum(
            (byte & 0x7F) << shift for byte, shift in zip(sizes, (21, 14, 7, 0), strict=True)
        )
    file.seek(first)
    frame = file.read(_MP3_HEADER)
    place = max(frame.find(b"Xing"), frame.find(b"Info"))
    if place < 0 or len(frame) < place + 16:
        return 0
    flags = frame[place + 7]
    if not flags & 2:
        return 0
    (promised,) = struct.unpack_from(">I", frame, place + (12 if flags & 1 else 8))
    return max(promised - (end - first), 0)


def _missing_w64(file: BinaryIO, end: int) -> int:
    """Find the sound among chunks of any length, whose sizes count their headers of 24 bytes."""
    file.seek(40)
    while len(header := file.read(24)) == 24:
        size = struct.unpack("<Q", header[16:])[0] - 24
        if header[:16] == b"data" + _W64_CHUNK:
            return _lack(size, end - file.tell())
        if not 0 <= size <= end:
            return 0
        file.seek(size + -size % 8, os.SEEK_CUR)
    return 0


def _missing_au(end: int, start: bytes) -> int:
    """AU has one header, with where the sound begins and its size; reversed it is little-endian."""
    offset, size = struct.unpack(">II" if start[:4] == b".snd" else "<II", start[4:])
    return _lack(size, end - offset)


def _missing(file: BinaryIO, end: int, wanted: bytes, size_format: str) -> int:
    """Find the sound among the chunks of a WAV, RF64 or AIFF file.

    RF64 puts the size of `data` into the chunk `ds64` before it, after that of the whole file.
    """
    long_size = 0
    while len(header := file.read(8)) == 8:
        size = struct.unpack(size_format, header[4:])[0]
        if header[:4] == wanted:
            return _lack(long_size if size in _UNKNOWN_SIZES else size, end - file.tell())
        content = file.tell()
        if header[:4] == b"ds64" and len(sizes := file.read(16)) == 16:
            long_size = struct.unpack("<8xQ", sizes)[0]
        file.seek(content + size + size % 2)
    return 0


def _lack(size: int, there: int) -> int:
    unknown = size in _UNKNOWN_SIZES or size >= _ENDLESS
    return 0 if unknown else max(size - max(there, 0), 0)
