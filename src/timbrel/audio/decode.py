"""Sound files to mono float32 waveforms at one sample rate.

Reading is libsndfile's (through soundfile), resampling is soxr's at quality HQ, which is also what
librosa 0.11 uses by default.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from timbrel.audio.truncation import missing_bytes
from timbrel.errors import AudioError, InvalidArgument

# What libsndfile 1.2 reads; `find recordings in a folder` goes by these, whatever their case.
EXTENSIONS = frozenset(
    f".{name}"
    for name in (
        *("wav", "wave", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "aifc"),
        *("au", "snd", "caf", "w64", "rf64", "sf", "voc", "paf"),
    )
)


# Frames that are read at a time, and the length that libsndfile gives a file that does not say it.
_BLOCK = 1 << 16
_STREAMED = 1 << 62

_MP3 = ("MP3", "MPEG")

# Where a seek does not lead to the exact sound, reading begins this many seconds earlier: a frame
# of an MP3 may lie in up to 511 bytes of those before it, at low bit rates most of a second, and
# libvorbis misses its place on the last page of an OGG by some samples.
_LEAD = 1.0
_LED = (*_MP3, "OGG")


# Parts of what is said of a recording by which a program can tell one cause from another.
NO_FILE = "there is no such file"
NO_PERMISSION = "no permission to read it"
A_FOLDER = "this is a folder, not a recording"
NO_BYTES = "the file is empty (0 bytes)"
NO_SAMPLES = "it holds no samples"
NOT_FINITE = "NaN or infinite"
WRONG_STRETCH = "its stretch"
TRUNCATED = "shorter than its header says (truncated)"
ABOVE_FULL_SCALE = "times full scale"


@dataclass(frozen=True)
class Decoded:
    """One recording as samples.

    Attributes:
        waveform: float32 `(samples,)`, mono, nominally in [−1, 1].
        rate: sample rate of `waveform` in Hz.
        source_rate: sample rate of the file in Hz.
        channels: channels in the file.
        seconds: length of what was read.
        warnings: what is odd about the file but does not stop its use.
    """

    waveform: np.ndarray
    rate: int
    source_rate: int
    channels: int
    seconds: float
    warnings: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether every sample is exactly zero."""
        return not self.waveform.any()


def decode(
    path: str | os.PathLike,
    rate: int | None,
    *,
    start: float | None = None,
    end: float | None = None,
    name: str | None = None,
) -> Decoded:
    """Read a recording, mix it to mono and resample it.

    Args:
        path: the file.
        rate: wanted sample rate in Hz; None for that of the file.
        start, end: the stretch to read, in seconds of the file; all of it by default. An end
            after the end of the file means the end of the file.
        name: what to call the file in messages; `path` by default.

    Raises:
        AudioError: the recording cannot be used (missing, unreadable, empty, NaN or infinite
            samples, a stretch outside of it).
    """
    name = os.fspath(path) if name is None else name
    start, end = _stretch(start, end, name)
    samples, source_rate, warnings = _read(path, name, start=start, end=end)
    channels = samples.shape[1]
    check_finite(samples, source_rate, name, start=start)
    mono = samples[:, 0] if channels == 1 else samples.mean(axis=1, dtype=np.float32)
    rate = source_rate if rate is None else rate
    peak = float(np.abs(mono).max())
    if peak > 1.0:
        warnings.append(
            f"peaks at {peak:.3g} {ABOVE_FULL_SCALE}; the samples were used as they are, "
            "normalise the file if that is not intended"
        )
    return Decoded(
        waveform=resample(mono, source_rate, rate),
        rate=rate,
        source_rate=source_rate,
        channels=channels,
        seconds=len(mono) / source_rate,
        warnings=tuple(warnings),
    )


def resample(waveform: np.ndarray, source_rate: int, rate: int) -> np.ndarray:
    """Resample a mono waveform `(samples,)` to `rate` Hz, float32 `(≈ samples · ratio,)`.

    A recording so short that nothing would remain keeps one sample.

    Source: the SoX resampler library, quality HQ (https://sourceforge.net/p/soxr).
    """
    if rate <= 0 or source_rate <= 0:
        raise InvalidArgument(f"Sample rates must be above 0 Hz. Got {source_rate} and {rate}.")
    waveform = np.ascontiguousarray(waveform, dtype=np.float32)
    if source_rate == rate:
        return waveform
    resampled = soxr.resample(waveform, source_rate, rate, quality="HQ")
    return resampled if len(resampled) else waveform[:1]


def check_finite(samples: np.ndarray, rate: int, name: str, *, start: float = 0.0) -> None:
    """Raise AudioError, with the first place, where samples are NaN or infinite.

    Args:
        samples: float `(samples,)` or `(samples, channels)`.
        rate: sample rate in Hz.
        name: what to call the recording.
        start: seconds of the recording at which the samples begin.
    """
    finite = np.isfinite(samples).reshape(len(samples), -1).all(axis=1)
    if finite.all():
        return
    first = start + int(np.argmin(finite)) / rate
    count = int(len(finite) - finite.sum())
    raise AudioError(
        name,
        f"{count} of {len(finite)} samples {'is' if count == 1 else 'are'} {NOT_FINITE}, the "
        f"first at {first:.3f} s; export the recording again",
    )


def _native(path: str | os.PathLike) -> str | bytes:
    """The path as the system has it: bytes where names need not be text."""
    return os.fspath(path) if os.name == "nt" else os.fsencode(path)


class _Sequential(soundfile.SoundFile):
    """A sound file read from front to back.

    soundfile moves a seekable file to where it already is after every read. That disturbs MP3
    decoders, and fails in a file that does not know its length.
    """

    def seekable(self) -> bool:
        """Say no, so that nothing but `seek` moves the file."""
        return False


def _stretch(start: float | None, end: float | None, name: str) -> tuple[float, float]:
    first = 0.0 if start is None else start
    last = math.inf if end is None else end
    if not 0 <= first < last:
        raise AudioError(
            name,
            f"{WRONG_STRETCH} must start at 0 s or later and end after that. Got {start} to {end}",
        )
    return first, last


def _read(
    path: str | os.PathLike, name: str, *, start: float, end: float
) -> tuple[np.ndarray, int, list[str]]:
    """Samples `(samples, channels)`, sample rate, and what is odd about the file."""
    if not os.path.exists(path):
        raise AudioError(name, NO_FILE)
    if os.path.isdir(path):
        raise AudioError(name, A_FOLDER)
    if os.path.getsize(path) == 0:
        raise AudioError(name, NO_BYTES)
    try:
        # libsndfile calls whatever keeps a file from being opened a system error.
        with open(path, "rb"), _Sequential(_native(path)) as file:
            samples, ends_early = _read_stretch(file, name, start=start, end=end)
            rate = file.samplerate
            beyond = end * rate > file.frames
    except PermissionError as error:
        raise AudioError(name, NO_PERMISSION) from error
    except (soundfile.LibsndfileError, soundfile.SoundFileRuntimeError, OSError) as error:
        raise AudioError(name, f"it cannot be read as a sound file ({_cause(error)})") from error
    except TypeError as error:
        # soundfile wants to be told all about headerless (.raw) files.
        raise AudioError(name, "it cannot be read as a sound file (it has no header)") from error
    if len(samples) == 0:
        raise AudioError(name, NO_SAMPLES)
    if ends_early or (beyond and missing_bytes(path)):
        length = len(samples) / rate
        damage = _damage(file.format, ends_early=ends_early, at=start + length)
        return samples, rate, [f"{damage}; the {length:.2f} s that could be read were used"]
    return samples, rate, []


def _damage(file_format: str, *, ends_early: bool, at: float) -> str:
    """Why there is less than there should be; not more than can be known of it.

    A decoder that ends early does so at the end of the file or where it cannot go on; that of OGG
    leaves out the pages that are damaged.
    """
    if file_format == "OGG":
        return f"the file is damaged, or {TRUNCATED}"
    if ends_early:
        return f"nothing can be read after {at:.2f} s: the file is damaged there, or {TRUNCATED}"
    return f"the file is {TRUNCATED}"


def _read_stretch(
    file: _Sequential, name: str, *, start: float, end: float
) -> tuple[np.ndarray, bool]:
    """Read in blocks: what comes before damage counts, and a streamed file has no known length.

    Returns:
        Samples `(samples, channels)`, and whether the file ends before it says.
    """
    known = file.frames < _STREAMED
    first = round(start * file.samplerate)
    last = file.frames if math.isinf(end) else min(round(end * file.samplerate), file.frames)
    lead = min(first, round(_LEAD * file.samplerate)) if file.format in _LED else 0
    if first:
        if known and first >= file.frames:
            seconds = file.frames / file.samplerate
            raise AudioError(
                name,
                f"{WRONG_STRETCH} starts at {start:g} s, but the file ends at {seconds:.3f} s",
            )
        file.seek(first - lead)
    blocks, wanted, damaged = [], last - first + lead, False
    while wanted > 0:
        room = np.full((min(wanted, _BLOCK), file.channels), np.nan, dtype=np.float32)
        try:
            block = file.read(out=room)
        except soundfile.LibsndfileError:
            # What was decoded before the damage is in its place all the same.
            block = room[: int(np.argmax(np.isnan(room).any(axis=1)))]
            if not blocks and not len(block):
                raise
            damaged = True
        blocks.append(block)
        wanted = 0 if damaged or not len(block) else wanted - len(block)
    samples = np.concatenate(blocks) if blocks else np.empty((0, file.channels), np.float32)
    # The length of an MP3 is an estimate unless its own header says it, which is looked at apart.
    read = sum(len(block) for block in blocks)
    short = known and read < last - first and file.format not in _MP3
    return samples[lead:], damaged or short


def _cause(error: Exception) -> str:
    text = (getattr(error, "error_string", None) or str(error)).strip().rstrip(".").lower()
    if "does not exist" in text:
        # It does; this is what libsndfile says of some damaged files.
        return "damaged, or not of the format that its name says"
    return text
