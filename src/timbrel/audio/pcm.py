"""Raw PCM: samples without a header, as programs pipe them to each other.

Source of the header that some put before it: "Multimedia Programming Interface and Data
Specifications 1.0" (RIFF, 1991), and Microsoft's WAVEFORMATEXTENSIBLE.
"""

from __future__ import annotations

import math
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

import numpy as np

from timbrel.audio.samples import check_rate
from timbrel.errors import AudioError, InvalidArgument, OutputError
from timbrel.findings import Finding

# NumPy's type, what its full scale is, and libsndfile's name, of each format.
_FORMATS = {"s16le": ("<i2", 2.0**15, "PCM_16"), "f32le": ("<f4", 1.0, "FLOAT")}
PCM_FORMATS = tuple(_FORMATS)

# How a WAV header names these, by format tag and bits; the tag of WAVEFORMATEXTENSIBLE, which has
# the true one further on.
_TAGS = {(1, 16): "s16le", (3, 32): "f32le"}
_EXTENSIBLE = 0xFFFE

# How files begin that are no raw PCM, and what to call them.
_BEGINNINGS = {
    "FLAC": b"fLaC",
    "Ogg": b"OggS",
    "MP3": (b"ID3\x02", b"ID3\x03", b"ID3\x04"),
    "RF64": b"RF64",
    "AIFF": b"FORM",
    "AU": b".snd",
    "CAF": b"caff",
}

# With more, libsndfile reads nothing.
_MOST_CHANNELS = 1024

# What is taken from a pipe at most at once, in seconds of sound: what comes faster than it is
# played is answered piece by piece all the same.
_SECONDS_AT_ONCE = 0.02

# Lengths that a header gives from here on, and 0, stand for "until the stream ends".
_ENDLESS = 0x7FFFF000


@dataclass(frozen=True)
class Pcm:
    """What the bytes of raw PCM are.

    Attributes:
        rate: sample rate in Hz.
        form: "s16le" (16-bit integers) or "f32le" (32-bit floats), little-endian both.
        channels: samples of so many channels take turns.

    Raises:
        InvalidArgument: a number is below 1, or there is no such format.
    """

    rate: int
    form: str = "s16le"
    channels: int = 1

    def __post_init__(self) -> None:
        check_rate(self.rate, "pcm_rate")
        if not 1 <= self.channels <= _MOST_CHANNELS:
            raise InvalidArgument(
                f"`pcm_channels` must be between 1 and {_MOST_CHANNELS}. Got {self.channels}."
            )
        if self.form not in _FORMATS:
            raise InvalidArgument(
                f"`pcm_format` must be one of {', '.join(PCM_FORMATS)}. Got '{self.form}'."
            )

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return np.dtype(_FORMATS[self.form][0]).itemsize * self.channels

    @property
    def settings(self) -> dict:
        """Arguments of `soundfile.SoundFile` for a file of this."""
        return {
            "samplerate": self.rate,
            "channels": self.channels,
            "format": "RAW",
            "subtype": _FORMATS[self.form][2],
            "endian": "LITTLE",
        }

    def samples(self, content: bytes) -> np.ndarray:
        """Whole frames of bytes as float32 `(n, channels)`, full scale 1."""
        kind, scale, _ = _FORMATS[self.form]
        return (np.frombuffer(content, dtype=kind) / np.float32(scale)).reshape(-1, self.channels)


def read_stream(stream: BinaryIO, pcm: Pcm | None) -> tuple[int, Iterator[np.ndarray]]:
    """Take a stream of samples as it comes.

    Args:
        stream: what is piped in; a WAV header before the samples is understood.
        pcm: what the bytes are; None where there is a header.

    Returns:
        The sample rate in Hz, and pieces float32 `(samples, channels)` of whatever length comes.

    Raises:
        InvalidArgument: there is no header, and nothing is known of the bytes; or both.
        AudioError: nothing comes, or the header is not of a format that can be taken.
    """
    start = _exactly(stream, 12)
    if not start:
        raise AudioError(Finding("nothing-piped", "-"))
    left = math.inf
    if has_header(start):
        check_headerless(start, pcm)
        (pcm, left), start = _read_header(stream), b""
    if pcm is None:
        raise InvalidArgument(
            "What comes on stdin has no WAV header. Give its sample rate with `pcm_rate`, and "
            "`pcm_format` and `pcm_channels` where it is not mono of 16 bits."
        )
    check_headerless(start, pcm)
    most = max(round(_SECONDS_AT_ONCE * pcm.rate), 1) * pcm.frame_bytes
    contents = iter(lambda: _some(stream, most), b"")
    return pcm.rate, _pieces(chain([start], _first(contents, left)), pcm)


def has_header(start: bytes) -> bool:
    """Whether a stream that begins with these 12 bytes is a WAV file."""
    return start[:4] == b"RIFF" and start[8:12] == b"WAVE"


def check_headerless(start: bytes, pcm: Pcm | None) -> None:
    """Raise InvalidArgument where raw PCM is promised, and the bytes are a sound file.

    Args:
        start: the first 12 bytes.
        pcm: what was promised; None for a sound file.
    """
    if pcm is None:
        return
    if has_header(start):
        raise InvalidArgument(
            "What comes on stdin has a WAV header, which says what it is; leave out `pcm_rate`."
        )
    for kind, beginning in _BEGINNINGS.items():
        if start.startswith(beginning):
            raise InvalidArgument(
                f"What comes on stdin is a sound file ({kind}), not raw PCM; leave out `pcm_rate`."
            )


@contextmanager
def temporary_copy(stream: BinaryIO, pcm: Pcm | None = None) -> Iterator[str]:
    """Copy a stream to a temporary file, because decoders must seek; the path of the file.

    Args:
        stream: the content of a sound file, or raw PCM.
        pcm: what the bytes are; None for a sound file.

    Raises:
        InvalidArgument: raw PCM was promised, and a sound file comes.
        OutputError: the file cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="timbrel-") as folder:
        path = os.path.join(folder, "sound")
        try:
            with open(path, "wb") as file:
                start = _exactly(stream, 12)
                check_headerless(start, pcm)
                file.write(start)
                shutil.copyfileobj(stream, file, 1 << 20)
        except OSError as error:
            raise OutputError.of(folder, error) from error
        yield path


def _first(contents: Iterator[bytes], left: float) -> Iterator[bytes]:
    """The first so many bytes: after its sound, a file may hold other things."""
    for content in contents:
        if left <= 0:
            return
        yield content[: int(min(left, len(content)))]
        left -= len(content)


def _pieces(contents: Iterator[bytes], pcm: Pcm) -> Iterator[np.ndarray]:
    rest, nothing = b"", True
    for content in contents:
        rest += content
        whole = len(rest) - len(rest) % pcm.frame_bytes
        if whole:
            yield pcm.samples(rest[:whole])
            rest, nothing = rest[whole:], False
    if nothing:
        raise AudioError(Finding("no-samples", "-"))


def _some(stream: BinaryIO, most: int) -> bytes:
    """What there is, at least a byte unless the stream has ended."""
    read = getattr(stream, "read1", stream.read)
    return read(most)


def _exactly(stream: BinaryIO, count: int) -> bytes:
    """So many bytes, or all where there are fewer."""
    found = b""
    while len(found) < count and (more := stream.read(count - len(found))):
        found += more
    return found


def _read_header(stream: BinaryIO) -> tuple[Pcm, float]:
    """Read a WAV header, after its first 12 bytes; what follows, and how many bytes of it."""
    pcm = None
    while len(header := _exactly(stream, 8)) == 8:
        name, size = struct.unpack("<4sI", header)
        if name == b"data" and pcm is not None:
            return pcm, math.inf if size == 0 or size >= _ENDLESS else size
        content = _exactly(stream, size + size % 2)
        if name == b"fmt " and len(content) >= 16:
            tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", content)
            if tag == _EXTENSIBLE and len(content) >= 26:
                (tag,) = struct.unpack_from("<H", content, 24)
            if (tag, bits) not in _TAGS:
                raise AudioError(Finding("pcm-bits", "-", {"bits": bits}))
            try:
                pcm = Pcm(rate, _TAGS[tag, bits], channels)
            except InvalidArgument as error:
                facts = {"channels": channels, "rate": rate}
                raise AudioError(Finding("wrong-header", "-", facts)) from error
    raise AudioError(Finding("header-cut", "-"))
