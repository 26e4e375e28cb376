"""The scores of a model for each window of a recording, in memory that its length does not set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from timbrel.audio.reading import Reading
from timbrel.audio.samples import Inspection, check_rate, resample
from timbrel.audio.windows import (
    Windowing,
    Windows,
    WindowStream,
    cleaning_findings,
    counts,
    power,
    sounding,
)
from timbrel.errors import InvalidArgument
from timbrel.files import with_slashes
from timbrel.findings import Finding, pack, unpack
from timbrel.model.runtime import Session
from timbrel.workers import Task, WorkerPool

# Seconds of sound that are cut into windows together.
_BATCH_SECONDS = 10.0

# Probabilities `(n, classes)` and embeddings `(n, d)` of windows `(n, window)`, float32 all.
Run = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Waveform:
    """A waveform in memory, as a recording.

    Attributes:
        samples: float32 `(samples,)` at the sample rate of the model.
        seconds: its length.
        findings: what is odd about it.
        name: its name in findings.
    """

    samples: np.ndarray
    seconds: float
    findings: tuple[Finding, ...] = ()
    name: str = "waveform"

    def __iter__(self) -> Iterator[np.ndarray]:
        yield self.samples

    @classmethod
    def of(cls, sound: np.ndarray, rate: int | None, model_rate: int) -> Waveform:
        """Mix and resample an array.

        Args:
            sound: float `(samples,)` or `(samples, channels)`, nominally in [−1, 1].
            rate: its sample rate in Hz.
            model_rate: sample rate of the model in Hz.

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
        inspection = Inspection(rate)
        mono = inspection.mix(channels)
        inspection.check(cls.name)
        findings = inspection.findings(cls.name)
        return cls(resample(mono, rate, model_rate), len(sound) / rate, findings)


# Mono float32 pieces `(samples,)` at the sample rate of the model, which can be read again. Its
# `seconds` and `findings` are known at the end of an iteration.
Recording = Reading | Waveform


def as_channels(sound: np.ndarray) -> np.ndarray:
    """Samples, float `(samples,)` or `(samples, channels)`, as float32 `(samples, channels)`.

    Raises:
        InvalidArgument: another shape, or not floats.
    """
    if not isinstance(sound, np.ndarray):
        raise InvalidArgument(f"`sound` must be a NumPy array. Got {type(sound).__name__}.")
    is_float = np.issubdtype(sound.dtype, np.floating)
    if not is_float or sound.ndim not in (1, 2) or 0 in sound.shape[1:]:
        raise _wrong_array(sound)
    return np.asarray(sound, dtype=np.float32).reshape(len(sound), -1 if sound.size else 1)


def _wrong_array(sound: np.ndarray) -> InvalidArgument:
    return InvalidArgument(
        "`sound` must be floats of shape (samples,) or (samples, channels), not empty. "
        f"Got {sound.dtype} of shape {sound.shape}."
    )


@dataclass(frozen=True)
class WindowScores:
    """The scores of a model for the windows of one recording.

    Attributes:
        probabilities: float32 `(n, classes)`.
        start, end: float64 `(n,)`, seconds of the original recording.
        cut: float64 `(n, 2)`, begin and end in seconds of the longest stretch that cleaning took
            out of the middle of each window; equal where there is none.
        sounding: float64 `(n, 2)`, begin and end in seconds of the sound in each window.
        silent: bool `(n,)`, windows of which every sample is zero.
        counted: bool `(n,)`, windows that count for the answer for the whole recording.
        seconds: length of the recording.
        findings: what is odd about the recording.
        embeddings: float32 `(n, d)`, hidden units below the classifier; None unless requested.
    """

    probabilities: np.ndarray
    start: np.ndarray
    end: np.ndarray
    cut: np.ndarray
    sounding: np.ndarray
    silent: np.ndarray
    counted: np.ndarray
    seconds: float
    findings: tuple[Finding, ...] = ()
    embeddings: np.ndarray | None = None


def score_windows(
    recording: Recording,
    windowing: Windowing,
    run: Run,
    *,
    embeddings: bool = False,
    apply: Callable[[Callable, Iterable], Iterable] = map,
    progress: Callable[[float], object] = lambda seconds: None,
) -> WindowScores:
    """Clean a recording, cut it into windows and run a model on each.

    Some seconds of sound, and the results, are all that is in memory.

    Args:
        recording: what to read; twice, where cleaning leaves nothing of it.
        windowing: how recordings become windows.
        run: runs the model.
        embeddings: whether to keep the embeddings of the windows, too.
        apply: applies a function to items in order, as `map` does; may use several threads.
        progress: called with the seconds of the recording that were read, now and then.

    Raises:
        Whatever reading the recording raises.
    """
    used, stream = windowing, WindowStream(windowing)

    def cut() -> Iterator[Windows]:
        waiting: list[np.ndarray] = []
        read = pushed = 0
        for piece in recording:
            waiting.append(piece)
            read += len(piece)
            if read - pushed >= used.rate * _BATCH_SECONDS:
                windows = stream.push(np.concatenate(waiting))
                waiting, pushed = [], read
                yield windows
            progress(read / used.rate)
        if waiting:
            yield stream.push(np.concatenate(waiting))
        yield stream.finish()

    def score(windows: Windows) -> dict[str, np.ndarray]:
        probabilities, embedding = run(windows.samples)
        sound = np.stack([windows.start, windows.end], axis=1)
        if used.clean_threshold is None:  # Else silence was cut out already.
            inside = windows.start[:, np.newaxis] + sounding(windows.samples, used) / used.rate
            sound = np.minimum(inside, windows.end[:, np.newaxis])
        loudness = power(windows.samples)
        return {
            "probabilities": probabilities,
            "start": windows.start,
            "end": windows.end,
            "cut": windows.cut,
            "sounding": sound,
            "silent": is_silent(windows.samples, loudness),
            "loudness": loudness,
        } | ({"embeddings": embedding} if embeddings else {})

    batches = list(apply(score, (windows for windows in cut() if len(windows.samples))))
    kept = stream.kept / windowing.rate
    if not kept:
        used = replace(windowing, clean_threshold=None, depth=None)
        stream = WindowStream(used)
        batches = list(apply(score, (windows for windows in cut() if len(windows.samples))))
    found = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    for name in ("end", "cut", "sounding"):
        # Resampling rounds the length up to a whole sample.
        found[name] = np.minimum(found[name], recording.seconds)
    findings = recording.findings
    if not found["silent"].all():
        findings += cleaning_findings(
            recording.name, windowing, seconds=recording.seconds, kept=kept
        )
    counted = counts(found.pop("loudness"), windowing)
    return WindowScores(counted=counted, seconds=recording.seconds, findings=findings, **found)


def is_silent(samples: np.ndarray, loudness: np.ndarray) -> np.ndarray:
    """Which windows hold nothing but zeros.

    Args:
        samples: float32 `(n, window)`.
        loudness: their `power`, which may be 0 for faint sound, too.

    Returns:
        bool `(n,)`.
    """
    silent = loudness == 0
    silent[silent] = ~samples[silent].any(axis=1)
    return silent


def score_in_worker(
    pool: WorkerPool, path: str | os.PathLike, windowing: Windowing, graph: Path
) -> WindowScores:
    """Read a file and run the model on its windows in another process.

    Args:
        pool: has the other processes.
        path: the file.
        windowing: how recordings become windows.
        graph: a file with the content of `model.onnx`.

    Raises:
        AudioError: the recording cannot be used.
        DecoderError: the process cannot be started.
    """
    facts, arrays = pool.run(
        Task.SCORE,
        path,
        windowing.rate,
        name=with_slashes(path),
        windowing=asdict(windowing),
        graph=str(graph),
    )
    return WindowScores(**arrays, seconds=facts["seconds"], findings=unpack(facts["findings"]))


def score_for_parent(
    recording: Recording, *, windowing: dict, graph: str
) -> tuple[dict, dict[str, np.ndarray]]:
    """Do `Task.SCORE`, for `score_in_worker`: the fields of `WindowScores`."""
    scores = score_windows(recording, Windowing(**windowing), _session(graph).run)
    found = {item.name: getattr(scores, item.name) for item in fields(scores)}
    del found["embeddings"]
    facts = {"seconds": found.pop("seconds"), "findings": pack(found.pop("findings"))}
    return facts, found


@lru_cache(maxsize=1)
def _session(graph: str) -> Session:
    return Session(Path(graph).read_bytes(), "The model", threads=1)
