"""Read sound files in pieces, as mono float32 at one sample rate, in a fixed amount of memory.

Files are decoded by libsndfile (through soundfile).
"""

from __future__ import annotations

import math
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
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

# Writers that stream do not know the length. They write one of these sizes, or in 64 bits one that
# is larger than any file.
_UNKNOWN_SIZES = (0, 0xFFFFFFFF, 0x7FFFFFFF)
_ENDLESS = 1 << 62

# Wave64 names chunks by GUIDs that begin with the letters of the chunks of WAV.
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0"
_W64_CHUNK = b"\xf3\xac\xd3\x11\x8c\xd1\0\xc0\x4f\x8e\xdb\x8a"


def missing_bytes(file: BinaryIO) -> int:
    """Bytes of sound, at least, that the header of a file declares but the file does not contain.

    WAV (also big-endian: RIFX), RF64, W64, AIFF and AU declare the size in their header, Ogg by
    the flag on its last page (1 where it is missing), MP3 where it has a Xing or Info header. Other
    formats, and files whose header gives no size, give 0; the decoder notices the truncation of
    some of them (FLAC, CAF) but not of others (VOC, IRCAM, PAF).
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
        # The offset of the sound and its size; reversed, the magic number means little-endian.
        offset, size = struct.unpack(">II" if start[:4] == b".snd" else "<II", start[4:])
        return _lack(size, end - offset)
    if start[:4] == b"FORM" and start[8:12] in (b"AIFF", b"AIFC"):
        return _missing(file, end, b"SSND", ">I")
    if start[:4] == b"OggS":
        return _missing_ogg(file, end)
    if start[:3] == b"ID3" or (start[0:1] == b"\xff" and start[1] & 0xE0 == 0xE0):
        return _missing_mp3(file, end, start)
    return 0


def _missing_ogg(file: BinaryIO, end: int) -> int:
    """1 unless the last page is whole and flagged as the last (RFC 3533, section 6)."""
    file.seek(max(end - _OGG_PAGE, 0))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    # Of a page that is cut in its header, the sizes are not known.
    whole = len(page) >= 27 and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
    return 0 if whole and page[5] & 4 else 1


def _missing_mp3(file: BinaryIO, end: int, start: bytes) -> int:
    """Compare with the byte count of a Xing or Info header, where the first frame has one."""
    first = 0
    if start[:3] == b"ID3":
        # The size has seven bits in each byte.
        for byte in start[6:10]:
            first = first << 7 | byte & 0x7F
        first += 10
    file.seek(first)
    frame = file.read(_MP3_HEADER)
    place = max(frame.find(b"Xing"), frame.find(b"Info"))
    if place < 0 or len(frame) < place + 16:
        return 0
    flags = frame[place + 7]
    if not flags & 2:
        return 0
    (declared,) = struct.unpack_from(">I", frame, place + (12 if flags & 1 else 8))
    return max(declared - (end - first), 0)


def _missing_w64(file: BinaryIO, end: int) -> int:
    """Find the sound among chunks whose sizes include their headers of 24 bytes."""
    file.seek(40)
    while len(header := file.read(24)) == 24:
        size = struct.unpack("<Q", header[16:])[0] - 24
        if header[:16] == b"data" + _W64_CHUNK:
            return _lack(size, end - file.tell())
        if not 0 <= size <= end:
            return 0
        file.seek(size + -size % 8, os.SEEK_CUR)
    return 0


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
# that does not declare it.
_BLOCK_SECONDS = 1.5
_BLOCK = 1 << 16
_STREAMED = 1 << 62

_MP3 = ("MP3", "MPEG")

# Where a seek does not lead to the exact sound, reading begins this many seconds earlier: a frame
# of an MP3 may lie in up to 511 bytes of those before it, at low bit rates most of a second, and
# libvorbis misses its place on the last page of an OGG by some samples.
_LEAD = 1.0
_LED = (*_MP3, "OGG")

_PATH = (str, bytes, os.PathLike)


class Reading:
    """A recording as mono float32 pieces `(samples,)` at one sample rate; iterate to read it.

    Each iteration reads it anew from its beginning. A piece is about 1.5 s of sound at 44.1 kHz.

    Args:
        path: the file, or a file object that is open for reading bytes and can seek; it is read
            from its beginning, and not closed.
        rate: wanted sample rate in Hz; None for that of the file.
        start, end: the part to read, in seconds of the file; all of it by default. An end after
            the end of the file means the end of the file.
        name: the name of the file in findings; `path` by default.
        pcm: the format of a file without a header.

    Attributes:
        name: the name of the file in findings.
        rate: sample rate of the pieces in Hz; None until it is known.
        source_rate, channels: of the file; 0 until reading has begun.
        seconds: length of the part that was read, at the end of an iteration.
        findings: oddities of the file that do not stop its use, at the end of an iteration.

    Iterating raises AudioError where the recording cannot be used (missing, unreadable, empty, NaN
    or infinite samples, a part outside of it). Pieces before the first sample that is NaN or
    infinite may have been given by then.
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
        self._source = path
        if name is None:
            name = os.fspath(path) if isinstance(path, _PATH) else "file object"
        self.name = name
        self._start = 0.0 if start is None else start
        self._end = math.inf if end is None else end
        if not 0 <= self._start < self._end:
            raise AudioError(Finding("stretch-reversed", self.name, {"start": start, "end": end}))
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
        """The findings as sentences."""
        return tuple(item.reason for item in self.findings)

    def __iter__(self) -> Iterator[np.ndarray]:
        try:
            # Opened here first, because libsndfile has the same error for all failures to open.
            with self._opened() as stream:
                yield from self._pieces(stream)
        except PermissionError as error:
            raise AudioError(Finding("no-permission", self.name)) from error
        except (soundfile.LibsndfileError, soundfile.SoundFileRuntimeError, OSError) as error:
            text = getattr(error, "error_string", None) or str(error)
            cause = text.strip().rstrip(".").lower()
            if "does not exist" in cause:
                # It does exist; libsndfile has this text for some damaged files.
                cause = "damaged, or not of the format that its name says"
            raise AudioError(Finding("not-sound", self.name, {"cause": cause})) from error

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The file as bytes from its beginning; closed afterwards if it was opened here."""
        if not isinstance(self._source, _PATH):
            if not self._source.seek(0, os.SEEK_END):
                raise AudioError(Finding("no-bytes", self.name))
            self._source.seek(0)
            yield self._source
            return
        try:
            found = os.stat(self._source)
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            raise AudioError(Finding("missing", self.name)) from error
        if stat.S_ISDIR(found.st_mode):
            readable = os.access(self._source, os.R_OK | os.X_OK)
            raise AudioError(Finding("folder" if readable else "no-permission", self.name))
        if not stat.S_ISREG(found.st_mode):
            raise AudioError(Finding("not-a-file", self.name))
        if found.st_size == 0:
            raise AudioError(Finding("no-bytes", self.name))
        with open(self._source, "rb") as stream:
            yield stream

    def _pieces(self, stream: BinaryIO) -> Iterator[np.ndarray]:
        source: str | bytes | BinaryIO = stream
        if isinstance(self._source, _PATH):
            source = native_path(self._source)
        try:
            file = _Sequential(source, **({} if self._pcm is None else self._pcm.settings))
        except TypeError as error:
            # soundfile needs the format of headerless (.raw) files as arguments.
            finding = Finding("not-sound", self.name, {"cause": "it has no header"})
            raise AudioError(finding) from error
        with file:
            rate, frames, self.channels = file.samplerate, file.frames, file.channels
            self.source_rate = rate
            if rate < LEAST_RATE:
                facts = {"rate": rate, "least": LEAST_RATE}
                raise AudioError(Finding("rate-too-low", self.name, facts))
            if self.rate is None:
                self.rate = rate
            length_known = frames < _STREAMED
            first = round(self._start * rate)
            last = frames if math.isinf(self._end) else min(round(self._end * rate), frames)
            if first and length_known and first >= frames:
                facts = {"start": self._start, "seconds": frames / rate}
                raise AudioError(Finding("stretch-outside", self.name, facts))

            inspection = Inspection(rate, start=self._start)
            resampler = Resampler(rate, self.rate)
            lead = min(first, round(_LEAD * rate)) if file.format in _LED else 0
            if first:
                file.seek(first - lead)
            wanted, read, damaged = last - first + lead, 0, False
            # The limit does not depend on the sample rate, so that resampled blocks stay small too.
            most = min(round(_BLOCK_SECONDS * rate), _BLOCK)
            while read < wanted and not damaged:
                room = np.full((min(wanted - read, most), self.channels), np.nan, dtype=np.float32)
                try:
                    block = file.read(out=room)
                except soundfile.LibsndfileError:
                    # The samples before the damage have been decoded all the same.
                    block = room[: int(np.argmax(np.isnan(room).any(axis=1)))]
                    if not read and not len(block):
                        raise
                    damaged = True
                if not len(block):
                    break
                mono = inspection.mix(block[max(lead - read, 0) :])
                read += len(block)
                # After a sample that is NaN or infinite, the rest is only counted.
                if inspection.finite and len(resampled := resampler.push(mono)):
                    yield resampled

        inspection.check(self.name)
        if not inspection.samples:
            raise AudioError(Finding("no-samples", self.name))
        if len(rest := resampler.finish()):
            yield rest
        self.seconds = inspection.samples / rate
        self.findings = inspection.findings(self.name)
        # libsndfile estimates the length of an MP3 unless its header declares it, which
        # `missing_bytes` compares.
        short = length_known and read < last - first and file.format not in _MP3
        to_the_end = self._end * rate > frames
        if damaged or short or (to_the_end and missing_bytes(stream)):
            # A decoder that ends early ends at the damage, but that of OGG skips damaged pages.
            located = (damaged or short) and file.format != "OGG"
            facts = {
                "format": file.format,
                "at": self._start + self.seconds if located else None,
                "seconds": self.seconds,
            }
            self.findings = (Finding("truncated", self.name, facts), *self.findings)


class _Sequential(soundfile.SoundFile):
    """A sound file read from front to back.

    soundfile moves a seekable file to where it already is after every read. That disturbs MP3
    decoders, and fails in a file of unknown length.
    """

    def seekable(self) -> bool:
        """Return False, so that only `seek` moves the file."""
        return False


def native_path(path: str | os.PathLike) -> str | bytes:
    """The path in the form of the system: bytes where names need not be text."""
    return os.fspath(path) if os.name == "nt" else os.fsencode(path)
