"""Raw PCM: samples without a header, as programs pipe them to each other.

Source of the WAV header that some programs put before the samples: "Multimedia Programming
Interface and Data Specifications 1.0" (RIFF, 1991), and Microsoft's WAVEFORMATEXTENSIBLE.
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
from typing import BinaryIO

import numpy as np

from timbrel.audio.samples import check_rate
from timbrel.errors import AudioError, InvalidArgument, OutputError
from timbrel.findings import Finding

# NumPy's type, the value of full scale, and libsndfile's name of each format.
_FORMATS = {"s16le": ("<i2", 2.0**15, "PCM_16"), "f32le": ("<f4", 1.0, "FLOAT")}
PCM_FORMATS = tuple(_FORMATS)

# The formats by format tag and bits in a WAV header; the tag of WAVEFORMATEXTENSIBLE, which has
# the true tag further on.
_TAGS = {(1, 16): "s16le", (3, 32): "f32le"}
_EXTENSIBLE = 0xFFFE

# The first bytes of sound files that are not raw PCM.
_BEGINNINGS = {
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"ID3\x02": "MP3",
    b"ID3\x03": "MP3",
    b"ID3\x04": "MP3",
    b"RF64": "RF64",
    b"FORM": "AIFF",
    b".snd": "AU",
    b"caff": "CAF",
}

# The most channels that libsndfile reads.
_MOST_CHANNELS = 1024

# The most that is taken from a pipe at once, in seconds of sound, so that results come piece by
# piece also where the samples come faster than they are played.
_SECONDS_AT_ONCE = 0.02

# In a header, this length and larger ones, and 0, mean "until the stream ends".
_ENDLESS = 0x7FFFF000


@dataclass(frozen=True)
class Pcm:
    """The format of raw PCM.

    Attributes:
        rate: sample rate in Hz.
        form: "s16le" (16-bit integers) or "f32le" (32-bit floats), both little-endian.
        channels: number of channels, whose samples are interleaved.

    Raises:
        InvalidArgument: a number is out of range, or the format is not known.
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
        """Arguments of `soundfile.SoundFile` for a file of this format."""
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
    """Read a stream of samples as it comes.

    Args:
        stream: raw PCM, or PCM with a WAV header.
        pcm: the format of raw PCM; None where there is a header.

    Returns:
        The sample rate in Hz, and pieces float32 `(samples, channels)` of whatever length comes.

    Raises:
        InvalidArgument: there is neither a header nor `pcm`, or there are both.
        AudioError: the stream is empty, or the format in the header is not supported.
    """
    start = _read_exactly(stream, 12)
    if not start:
        raise AudioError(Finding("nothing-piped", "-"))
    check_headerless(start, pcm)
    left = math.inf
    if pcm is None:
        if not _is_wav(start):
            raise InvalidArgument(
                "The sound on stdin has no WAV header. Give its sample rate with `pcm_rate`, and "
                "`pcm_format` and `pcm_channels` unless it is mono with 16 bits."
            )
        pcm, left = _read_header(stream)
        start = b""
    return pcm.rate, _pieces(stream, pcm, start=start, left=left)


def _is_wav(start: bytes) -> bool:
    return start[:4] == b"RIFF" and start[8:12] == b"WAVE"


def check_headerless(start: bytes, pcm: Pcm | None) -> None:
    """Raise InvalidArgument where raw PCM is expected, but the bytes are a sound file.

    Args:
        start: the first 12 bytes.
        pcm: the format of raw PCM; None where a sound file is expected.
    """
    if pcm is None:
        return
    if _is_wav(start):
        raise InvalidArgument(
            "The sound on stdin has a WAV header, which gives its format; leave out `pcm_rate`."
        )
    if (kind := _BEGINNINGS.get(start[:4])) is not None:
        raise InvalidArgument(
            f"The input on stdin is a sound file ({kind}), not raw PCM; leave out `pcm_rate`."
        )


@contextmanager
def temporary_copy(stream: BinaryIO, pcm: Pcm | None = None) -> Iterator[str]:
    """Copy a stream to a temporary file, because decoders must seek; give the path of the file.

    Args:
        stream: the content of a sound file, or raw PCM.
        pcm: the format of raw PCM; None for a sound file.

    Raises:
        InvalidArgument: the stream is a sound file although `pcm` is given.
        OutputError: the file cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="timbrel-") as folder:
        path = os.path.join(folder, "sound")
        try:
            with open(path, "wb") as file:
                start = _read_exactly(stream, 12)
                check_headerless(start, pcm)
                file.write(start)
                shutil.copyfileobj(stream, file, 1 << 20)
        except OSError as error:
            raise OutputError.of(folder, error) from error
        yield path


def _pieces(stream: BinaryIO, pcm: Pcm, *, start: bytes, left: float) -> Iterator[np.ndarray]:
    """Whole frames of `start` and of the next `left` bytes of a stream, as they come."""
    # `read1` returns the bytes that are there, at least one unless the stream has ended.
    read = getattr(stream, "read1", stream.read)
    most = max(round(_SECONDS_AT_ONCE * pcm.rate), 1) * pcm.frame_bytes
    waiting, empty = start, True
    while True:
        whole = len(waiting) - len(waiting) % pcm.frame_bytes
        if whole:
            yield pcm.samples(waiting[:whole])
            waiting, empty = waiting[whole:], False
        # After the sound, a file may hold other things.
        content = read(most)[: int(min(left, most))] if left > 0 else b""
        if not content:
            break
        left -= len(content)
        waiting += content
    if empty:
        raise AudioError(Finding("no-samples", "-"))


def _read_exactly(stream: BinaryIO, count: int) -> bytes:
    """Read `count` bytes, or all where there are fewer."""
    found = b""
    while len(found) < count and (more := stream.read(count - len(found))):
        found += more
    return found


def _read_header(stream: BinaryIO) -> tuple[Pcm, float]:
    """Read a WAV header after its first 12 bytes: the format, and the bytes of sound."""
    pcm = None
    while len(header := _read_exactly(stream, 8)) == 8:
        name, size = struct.unpack("<4sI", header)
        if name == b"data" and pcm is not None:
            return pcm, math.inf if size == 0 or size >= _ENDLESS else size
        content = _read_exactly(stream, size + size % 2)
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
