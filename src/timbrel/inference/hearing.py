"""A recording as a model hears it: pieces to windows to probabilities, whatever its length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np

from timbrel.audio.isolated import IsolatedDecoder
from timbrel.audio.samples import Inspection, check_rate, resample
from timbrel.audio.stream import WindowStream
from timbrel.audio.windows import (
    Windowing,
    Windows,
    cleaning_warnings,
    counts,
    power,
    sounding,
)
from timbrel.errors import InvalidArgument
from timbrel.model.runtime import Session

# Sound that is cut, and asked about, together.
_SECONDS_AT_ONCE = 10.0


class Recording(Protocol):
    """What can be heard: mono float32 pieces at the sample rate of the model, again and again.

    Attributes:
        seconds: length of the recording, known at the end of an iteration.
        warnings: what is odd about it, known at that end.
    """

    seconds: float
    warnings: tuple[str, ...]

    def __iter__(self) -> Iterator[np.ndarray]: ...


# Probabilities, float32 `(n, classes)`, of windows, float32 `(n, window)`.
Answer = Callable[[np.ndarray], np.ndarray]
# Applies a function to items and yields the results in order, such as `map`.
Spread = Callable[[Callable, Iterable], Iterable]


@dataclass(frozen=True)
class Waveform:
    """A waveform in memory, as a recording.

    Attributes:
        samples: float32 `(samples,)` at the sample rate of the model.
        seconds: its length.
        warnings: what is odd about it.
    """

    samples: np.ndarray
    seconds: float
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[np.ndarray]:
        yield self.samples

    @classmethod
    def of(cls, sound: np.ndarray, rate: int | None, wanted: int) -> Waveform:
        """Mix and resample an array.

        Args:
            sound: float `(samples,)` or `(samples, channels)`, nominally in [−1, 1].
            rate: its sample rate in Hz.
            wanted: sample rate of the model in Hz.

        Raises:
            AudioError: samples that are NaN or infinite.
            InvalidArgument: no rate, or not an array of floats.
        """
        if rate is None:
            raise InvalidArgument("`rate` must be given with a waveform, in Hz. Got None.")
        check_rate(rate)
        channels = as_channels(sound)
        if not sound.size:
            raise _wrong_array(sound)
        if channels.shape[1] > channels.shape[0]:
            raise InvalidArgument(
                "`sound` must have samples first: (samples, channels). "
                f"Got {sound.shape}; transpose it."
            )
        found = Inspection(rate)
        mono = found.mix(channels)
        found.check("waveform")
        return cls(resample(mono, rate, wanted), len(sound) / rate, tuple(found.warnings()))


def as_channels(sound: np.ndarray) -> np.ndarray:
    """Samples, float `(samples,)` or `(samples, channels)`, as float32 `(samples, channels)`.

    Raises:
        InvalidArgument: another shape, or not floats.
    """
    if (
        not isinstance(sound, np.ndarray)
        or not np.issubdtype(sound.dtype, np.floating)
        or sound.ndim not in (1, 2)
        or 0 in sound.shape[1:]
    ):
        raise _wrong_array(sound)
    return np.asarray(sound, dtype=np.float32).reshape(len(sound), -1 if sound.size else 1)


def _wrong_array(sound: object) -> InvalidArgument:
    if not isinstance(sound, np.ndarray):
        return InvalidArgument(f"`sound` must be a NumPy array. Got {type(sound).__name__}.")
    return InvalidArgument(
        "`sound` must be floats of shape (samples,) or (samples, channels), not empty. "
        f"Got {sound.dtype} of shape {sound.shape}."
    )


@dataclass(frozen=True)
class Heard:
    """What a model says of the windows of a recording.

    Attributes:
        probabilities: float32 `(n, classes)`.
        start, end: float64 `(n,)`, seconds of the original recording.
        cut: float64 `(n, 2)`, begin and end in seconds of the longest stretch that cleaning took
            out of the middle of each window; equal where there is none.
        sounding: float64 `(n, 2)`, begin and end in seconds of what is to be heard in each window.
        silent: bool `(n,)`, windows of which every sample is zero.
        counted: bool `(n,)`, windows that the answer for the recording is the mean over.
        seconds: length of the recording.
        warnings: what is odd about the recording.
    """

    probabilities: np.ndarray
    start: np.ndarray
    end: np.ndarray
    cut: np.ndarray
    sounding: np.ndarray
    silent: np.ndarray
    counted: np.ndarray
    seconds: float
    warnings: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether every sample of the recording is zero."""
        return bool(self.silent.all())


def hear(
    recording: Recording,
    windowing: Windowing,
    answer: Answer,
    *,
    spread: Spread = map,
    tell: Callable[[float], object] = lambda seconds: None,
) -> Heard:
    """Clean and cut a recording, and ask a model about each window.

    What is held of it is some seconds of sound, and some bytes for each window.

    Args:
        recording: what to hear. It is read twice where cleaning leaves nothing of it.
        windowing: how recordings become windows.
        answer: asks the model.
        spread: asks about several batches of windows at once, if it can.
        tell: called with the seconds of the recording that have been heard, now and then.

    Raises:
        Whatever reading the recording does.
    """
    asked = _ask(_told(recording, windowing.rate, tell), windowing, answer, spread=spread)
    left = asked.kept > 0
    if not left:
        uncleaned = Windowing(windowing.rate, windowing.window, windowing.hop)
        asked = _ask(_told(recording, windowing.rate, tell), uncleaned, answer, spread=spread)
    probabilities, start, end, cut, sound, loudness, silent = map(
        np.concatenate, zip(*asked.rows, strict=True)
    )
    # Resampling rounds the length up to a whole sample.
    end, cut, sound = (np.minimum(times, recording.seconds) for times in (end, cut, sound))
    odd = () if silent.all() else cleaning_warnings(asked.kept, windowing, left=left)
    return Heard(
        probabilities=probabilities,
        start=start,
        end=end,
        cut=cut,
        sounding=sound,
        silent=silent,
        counted=counts(loudness, windowing),
        seconds=recording.seconds,
        warnings=(*recording.warnings, *odd),
    )


def hear_elsewhere(decoder: IsolatedDecoder, path: str, windowing: Windowing, graph: Path) -> Heard:
    """Have a file read, and the model asked, by another process.

    Args:
        decoder: asks the other process.
        path: the file.
        windowing: how recordings become windows.
        graph: a file with the content of `model.onnx`.

    Raises:
        AudioError: the recording cannot be used.
        DecoderError: the process cannot be started.
    """
    settings = {"windowing": asdict(windowing), "graph": str(graph)}
    by = (__name__, "hear_for_parent", settings)
    facts, arrays = decoder.describe(path, windowing.rate, by=by)
    return Heard(**arrays, seconds=facts["seconds"], warnings=tuple(facts["warnings"]))


def hear_for_parent(
    recording: Recording, *, windowing: dict, graph: str
) -> tuple[dict, dict[str, np.ndarray]]:
    """`hear` in the process that `hear_elsewhere` asks: the fields of `Heard`."""
    session = _session(graph)
    heard = hear(recording, Windowing(**windowing), lambda windows: session.run(windows)[0])
    found = {item.name: getattr(heard, item.name) for item in fields(heard)}
    facts = {name: found.pop(name) for name in ("seconds", "warnings")}
    return facts, found


@lru_cache(maxsize=1)
def _session(graph: str) -> Session:
    return Session(Path(graph).read_bytes(), "The model", threads=1)


def is_silent(samples: np.ndarray, loudness: np.ndarray) -> np.ndarray:
    """Which windows hold nothing but zeros.

    Args:
        samples: float32 `(n, window)`.
        loudness: their `power`, which faint sound may leave at 0.

    Returns:
        bool `(n,)`.
    """
    silent = loudness == 0
    silent[silent] = ~samples[silent].any(axis=1)
    return silent


@dataclass(frozen=True)
class _Asked:
    """Probabilities, times, power and silence of windows, batch by batch; samples kept."""

    rows: list[tuple[np.ndarray, ...]]
    kept: int


def _told(
    pieces: Iterable[np.ndarray], rate: int, tell: Callable[[float], object]
) -> Iterator[np.ndarray]:
    """Pieces, while somebody is told how far they have come."""
    samples = 0
    for piece in pieces:
        yield piece
        samples += len(piece)
        tell(samples / rate)


def _ask(
    pieces: Iterable[np.ndarray], windowing: Windowing, answer: Answer, *, spread: Spread
) -> _Asked:
    stream = WindowStream(windowing)

    def ask(windows: Windows) -> tuple[np.ndarray, ...]:
        loudness = power(windows.samples)
        silent = is_silent(windows.samples, loudness)
        times = (windows.start, windows.end, windows.cut, _sounding(windows, windowing))
        return answer(windows.samples), *times, loudness, silent

    rows = list(spread(ask, _batches(pieces, stream, windowing)))
    return _Asked(rows, stream.kept)


def _sounding(windows: Windows, windowing: Windowing) -> np.ndarray:
    """Where in windows there is sound, in seconds of the recording."""
    span = np.stack([windows.start, windows.end], axis=1)
    if windowing.clean_threshold is not None:  # Silence is cut already.
        return span
    inside = windows.start[:, np.newaxis] + sounding(windows.samples, windowing) / windowing.rate
    return np.minimum(inside, windows.end[:, np.newaxis])


def _batches(
    pieces: Iterable[np.ndarray], stream: WindowStream, windowing: Windowing
) -> Iterator[Windows]:
    """Cut a recording into windows, many at a time."""
    whole = map(stream.push, _gathered(pieces, windowing.rate * _SECONDS_AT_ONCE))
    for windows in chain(whole, map(WindowStream.finish, [stream])):
        if len(windows.samples):
            yield windows


def _gathered(pieces: Iterable[np.ndarray], enough: float) -> Iterator[np.ndarray]:
    """Join pieces to such as have so many samples."""
    waiting: list[np.ndarray] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(map(len, waiting)) >= enough:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)
