"""Sound files in pieces: mono float32 at one sample rate, in memory that their length does not set.

Reading is libsndfile's (through soundfile).
"""

from __future__ import annotations

import math
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO

import numpy as np
import soundfile

from timbrel.audio.pcm import Pcm
from timbrel.audio.samples import LEAST_RATE, Inspection, Resampler
from timbrel.errors import AudioError
from timbrel.findings import Finding
from timbrel.text import plain

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


# Seconds, and frames at most, that are read at a time, and the length that libsndfile gives a file
# that does not say it.
_BLOCK_SECONDS = 1.5
_BLOCK = 1 << 16
_STREAMED = 1 << 62

_MP3 = ("MP3", "MPEG")

# Where a seek does not lead to the exact sound, reading begins this many seconds earlier: a frame
# of an MP3 may lie in up to 511 bytes of those before it, at low bit rates most of a second, and
# libvorbis misses its place on the last page of an OGG by some samples.
_LEAD = 1.0
_LED = (*_MP3, "OGG")


class Reading:
    """A recording as mono float32 pieces `(samples,)` at one sample rate; iterate to read it.

    Each iteration reads it anew from its beginning. A piece is about 1.5 s of sound at 44.1 kHz.

    Args:
        path: the file, or a file object that is open for reading bytes and can seek; it is read
            from its beginning, and not closed.
        rate: wanted sample rate in Hz; None for that of the file.
        start, end: the stretch to read, in seconds of the file; all of it by default. An end
            after the end of the file means the end of the file.
        name: what to call the file in findings; `path` by default.
        pcm: what the bytes of a file without a header are.

    Attributes:
        name: what the file is called in findings.
        rate: sample rate of the pieces in Hz; None until it is known.
        source_rate, channels: of the file; 0 until reading has begun.
        seconds: length of what has been read, at the end of an iteration.
        findings: what is odd about the file but does not stop its use, at that end.

    Iterating raises AudioError where the recording cannot be used (missing, unreadable, empty, NaN
    or infinite samples, a stretch outside of it). Pieces from before the first sample that is not
    a number may have been given by then.
    """

    def __init__(
        self,
        path: str | os.PathLike | BinaryIO,
        rate: int | None,
        *,
        start: float | None = None,
        end: float | None = None,
        name: str | None = None,
        pcm: Pcm | None = None,
    ) -> None:
        self._path = path
        if name is None:
            name = "file object" if _is_open(path) else os.fspath(path)
        self.name = name
        self._start, self._end = _stretch(start, end, self.name)
        self._pcm = pcm
        self.rate = rate
        self.source_rate = self.channels = 0
        self.seconds = 0.0
        self.findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        rate = "its own rate" if self.rate is None else f"{self.rate} Hz"
        return plain(f"Reading({self.name!r} at {rate})")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the file, in words."""
        return tuple(item.reason for item in self.findings)

    def __iter__(self) -> Iterator[np.ndarray]:
        try:
            yield from self._pieces()
        except PermissionError as error:
            raise AudioError(Finding("no-permission", self.name)) from error
        except (soundfile.LibsndfileError, soundfile.SoundFileRuntimeError, OSError) as error:
            finding = Finding("not-sound", self.name, {"cause": _cause(error)})
            raise AudioError(finding) from error

    def _pieces(self) -> Iterator[np.ndarray]:
        _check_there(self._path, self.name)
        # libsndfile calls whatever keeps a file from being opened a system error.
        with _binary(self._path), self._open() as file:
            self.source_rate, self.channels = file.samplerate, file.channels
            if file.samplerate < LEAST_RATE:
                rates = {"rate": file.samplerate, "least": LEAST_RATE}
                raise AudioError(Finding("rate-too-low", self.name, rates))
            if self.rate is None:
                self.rate = file.samplerate
            stretch = _Stretch(file, self.name, start=self._start, end=self._end)
            found = Inspection(file.samplerate, start=self._start)
            resampler = Resampler(file.samplerate, self.rate)
            for block in stretch:
                mono = found.mix(block)
                # The rest is only counted where one sample is not a number.
                if found.finite and len(resampled := resampler.push(mono)):
                    yield resampled
        found.check(self.name)
        if not found.samples:
            raise AudioError(Finding("no-samples", self.name))
        if len(rest := resampler.finish()):
            yield rest
        self.seconds = found.samples / self.source_rate
        self.findings = (*self._damage(stretch), *found.findings(self.name))

    def _open(self) -> _Sequential:
        settings = {} if self._pcm is None else self._pcm.settings
        try:
            path = self._path if _is_open(self._path) else native_path(self._path)
            return _Sequential(path, **settings)
        except TypeError as error:
            # soundfile wants to be told all about headerless (.raw) files.
            finding = Finding("not-sound", self.name, {"cause": "it has no header"})
            raise AudioError(finding) from error

    def _damage(self, stretch: _Stretch) -> tuple[Finding, ...]:
        """Why there is less than there should be; not more than can be known of it.

        A decoder that ends early does so at the end of the file or where it cannot go on; that of
        OGG leaves out the pages that are damaged.
        """
        early = stretch.ends_early
        with _binary(self._path) as file:
            if not early and not (stretch.to_the_end and missing_bytes(file)):
                return ()
        known = early and stretch.format != "OGG"
        facts = {
            "format": stretch.format,
            "at": self._start + self.seconds if known else None,
            "seconds": self.seconds,
        }
        return (Finding("truncated", self.name, facts),)


class _Sequential(soundfile.SoundFile):
    """A sound file read from front to back.

    soundfile moves a seekable file to where it already is after every read. That disturbs MP3
    decoders, and fails in a file that does not know its length.
    """

    def seekable(self) -> bool:
        """Say no, so that nothing but `seek` moves the file."""
        return False


class _Stretch:
    """Blocks `(samples, channels)` of a part of an open file, read in its order.

    What comes before damage counts, and a streamed file has no known length.

    Args:
        file: the file, at its beginning.
        name: what to call it in messages.
        start, end: the stretch in seconds.

    Attributes:
        format: as libsndfile calls it.
        to_the_end: whether the file may be expected to go on for as long as the stretch.
        ends_early: whether the file ended before it says; known when all blocks were read.
    """

    def __init__(self, file: _Sequential, name: str, *, start: float, end: float) -> None:
        self._file = file
        self._known = file.frames < _STREAMED
        self._first = round(start * file.samplerate)
        self._last = (
            file.frames if math.isinf(end) else min(round(end * file.samplerate), file.frames)
        )
        self.format = file.format
        self.to_the_end = end * file.samplerate > file.frames
        self.ends_early = False
        if self._first and self._known and self._first >= file.frames:
            facts = {"start": start, "seconds": file.frames / file.samplerate}
            raise AudioError(Finding("stretch-outside", name, facts))

    def __iter__(self) -> Iterator[np.ndarray]:
        file = self._file
        lead = min(self._first, round(_LEAD * file.samplerate)) if self.format in _LED else 0
        if self._first:
            file.seek(self._first - lead)
        wanted, read, damaged = self._last - self._first + lead, 0, False
        # Whatever the sample rate: what is resampled from a block must not fill the memory.
        most = min(round(_BLOCK_SECONDS * file.samplerate), _BLOCK)
        while wanted > read and not damaged:
            room = np.full((min(wanted - read, most), file.channels), np.nan, dtype=np.float32)
            try:
                block = file.read(out=room)
            except soundfile.LibsndfileError:
                # What was decoded before the damage is in its place all the same.
                block = room[: int(np.argmax(np.isnan(room).any(axis=1)))]
                if not read and not len(block):
                    raise
                damaged = True
            if not len(block):
                break
            skipped = max(lead - read, 0)
            read += len(block)
            yield block[skipped:]
        # The length of an MP3 is an estimate unless its own header says it, which is looked at
        # apart.
        short = self._known and read < self._last - self._first and self.format not in _MP3
        self.ends_early = damaged or short


def _stretch(start: float | None, end: float | None, name: str) -> tuple[float, float]:
    first = 0.0 if start is None else start
    last = math.inf if end is None else end
    if not 0 <= first < last:
        raise AudioError(Finding("stretch-reversed", name, {"start": start, "end": end}))
    return first, last


def _is_open(path: str | os.PathLike | BinaryIO) -> bool:
    return hasattr(path, "read")


def _binary(path: str | os.PathLike | BinaryIO) -> AbstractContextManager[BinaryIO]:
    """The file at its beginning, which is closed afterwards if it was not open already."""
    if not _is_open(path):
        return open(path, "rb")
    path.seek(0)
    return nullcontext(path)


def _check_there(path: str | os.PathLike | BinaryIO, name: str) -> None:
    if _is_open(path):
        if not path.seek(0, os.SEEK_END):
            raise AudioError(Finding("no-bytes", name))
        return
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise AudioError(Finding("missing", name)) from error
    if stat.S_ISDIR(found.st_mode):
        may = os.access(path, os.R_OK | os.X_OK)
        raise AudioError(Finding("folder" if may else "no-permission", name))
    if not stat.S_ISREG(found.st_mode):
        raise AudioError(Finding("not-a-file", name))
    if found.st_size == 0:
        raise AudioError(Finding("no-bytes", name))


def native_path(path: str | os.PathLike) -> str | bytes:
    """The path as the system has it: bytes where names need not be text."""
    return os.fspath(path) if os.name == "nt" else os.fsencode(path)


def _cause(error: Exception) -> str:
    text = (getattr(error, "error_string", None) or str(error)).strip().rstrip(".").lower()
    if "does not exist" in text:
        # It does; this is what libsndfile says of some damaged files.
        return "damaged, or not of the format that its name says"
    return text
