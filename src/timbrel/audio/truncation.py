"""Find sound files that end before their header says.

libsndfile reads what is there and does not complain, so the header is compared with the file here.
Sources: "Multimedia Programming Interface and Data Specifications 1.0" (RIFF/WAVE, 1991); Apple,
"Audio Interchange File Format: AIFF" (1989); RFC 3533 (Ogg, 2003); the Xing header of MP3 files as
LAME writes it.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

# The largest page of an Ogg file, and where in an MP3 frame a Xing header can stand.
_OGG_PAGE = 65_307
_MP3_HEADER = 256

# Writers that stream do not know the length and put one of these in its place.
_UNKNOWN_SIZES = (0, 0xFFFFFFFF, 0x7FFFFFFF)


def missing_bytes(path: str | os.PathLike) -> int:
    """Bytes of sound that the header of a file promises and the file does not hold, at least.

    WAV and AIFF say it in their header, Ogg by the mark on its last page (1 where it is missing),
    MP3 where it has a Xing or Info header. Other formats, and files whose header does not say,
    give 0; of these the decoder notices some (FLAC) and others not (AU, W64).
    """
    with open(path, "rb") as file:
        start = file.read(12)
        if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
            return _missing(file, b"data", "<I")
        if start[:4] == b"FORM" and start[8:12] in (b"AIFF", b"AIFC"):
            return _missing(file, b"SSND", ">I")
        if start[:4] == b"OggS":
            return _missing_ogg(file)
        if start[:3] == b"ID3" or (start[0:1] == b"\xff" and start[1] & 0xE0 == 0xE0):
            return _missing_mp3(file, start)
    return 0


def _missing_ogg(file: BinaryIO) -> int:
    """1 unless the last page is whole and says that it is the last (RFC 3533, section 6)."""
    size = os.fstat(file.fileno()).st_size
    file.seek(max(size - _OGG_PAGE, 0))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return 1
    whole = len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
    return 0 if whole and page[5] & 4 else 1


def _missing_mp3(file: BinaryIO, start: bytes) -> int:
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
    return max(promised - (os.fstat(file.fileno()).st_size - first), 0)


def _missing(file: BinaryIO, wanted: bytes, size_format: str) -> int:
    end = os.fstat(file.fileno()).st_size
    while len(header := file.read(8)) == 8:
        size = struct.unpack(size_format, header[4:])[0]
        if header[:4] == wanted:
            there = end - file.tell()
            return 0 if size in _UNKNOWN_SIZES else max(size - there, 0)
        file.seek(size + size % 2, os.SEEK_CUR)
    return 0
