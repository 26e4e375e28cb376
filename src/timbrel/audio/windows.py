"""Clean a waveform and cut it into windows: whole recordings, or a stream piece by piece."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from timbrel.audio.clean import Cleaned, CleanStream, clean, uncleaned
from timbrel.findings import Finding

_SAMPLES_AT_ONCE = 1 << 21
_LEAST_SECONDS = 0.02
PIECE_SECONDS = 0.02


@dataclass(frozen=True)
class Windowing:
    """How a recording becomes windows; part of a recipe and of `model.json`.

    Attributes:
        rate: sample rate in Hz.
        window: length of a window in samples.
        hop: samples from one window to the next in a whole recording.
        clean_threshold: level of the envelope, in units of full scale, above which sound is kept;
            None keeps everything.
        clean_window: length of the envelope's rolling mean in seconds.
        depth: decibels below the loudest window of a recording down to which windows count for
            its answer; None counts all.
    """

    rate: int
    window: int
    hop: int
    clean_threshold: float | None = None
    clean_window: float = 0.1
    depth: float | None = None

    @property
    def least(self) -> float:
        """Samples below which a recording is too short.

        A window, because a shorter recording would be filled up with silence. Networks for
        recordings that are not cleaned ignore silence, so that 20 ms are enough for them.
        """
        if self.clean_threshold is not None:
            return self.window
        return min(self.window, _LEAST_SECONDS * self.rate)

    def falls_short(self, samples: float) -> bool:
        """Whether a recording of this many samples is too short."""
        return samples < self.least


@dataclass(frozen=True)
class Windows:
    """The consecutive windows of one recording.

    Attributes:
        samples: float32 `(n, window)`.
        start, end: float64 `(n,)`, seconds of the original recording.
        cut: float64 `(n, 2)`, begin and end in seconds of the longest part that cleaning removed
            from the middle of each; equal where there is none.
    """

    samples: np.ndarray
    start: np.ndarray
    end: np.ndarray
    cut: np.ndarray


def keep(waveform: np.ndarray, windowing: Windowing) -> tuple[Cleaned, bool]:
    """Clean a waveform; where nothing would remain, keep all of it.

    Returns:
        The kept samples, and whether cleaning left any.
    """
    if windowing.clean_threshold is None:
        return uncleaned(waveform), True
    length = int(windowing.rate * windowing.clean_window)
    cleaned = clean(waveform, windowing.clean_threshold, length)
    if len(cleaned.waveform) == 0:
        return uncleaned(waveform), False
    return cleaned, True


def cleaning_findings(
    name: str, windowing: Windowing, *, seconds: float, kept: float
) -> tuple[Finding, ...]:
    """Findings on the length and the level of a recording after cleaning.

    Args:
        name: the name of the recording in findings.
        windowing: how recordings become windows.
        seconds: length of the recording.
        kept: seconds that cleaning keeps; 0 where it would keep nothing.
    """
    cleans = windowing.clean_threshold is not None
    findings = []
    if cleans and not kept:
        findings.append(Finding("too-quiet", name, {"threshold": windowing.clean_threshold}))
    # Resampling rounds the length up to a whole sample.
    used = min(seconds, kept or seconds)
    if windowing.falls_short(used * windowing.rate + 0.5):
        facts = {
            "seconds": seconds,
            # A recording that is too short before cleaning is not so because of cleaning.
            "kept": None if windowing.falls_short(seconds * windowing.rate + 0.5) else kept,
            "least": windowing.least / windowing.rate,
            "cleans": cleans,
        }
        findings.append(Finding("too-short", name, facts))
    return tuple(findings)


def power(samples: np.ndarray) -> np.ndarray:
    """Sum of squares of windows, float32 `(n, window)`; float32 `(n,)`."""
    return np.einsum("ij,ij->i", samples, samples)


def counts(power: np.ndarray, windowing: Windowing) -> np.ndarray:
    """Which windows of a recording count for its answer, which is the mean over these.

    Silence before, between and after the sounds does not count.

    Args:
        power: of all windows of the recording, float32 `(n,)`.
        windowing: how recordings become windows.

    Returns:
        bool `(n,)`, True for the loudest at least.
    """
    if windowing.depth is None or not len(power):
        return np.ones(len(power), dtype=bool)
    return power >= power.max() * 10 ** (-windowing.depth / 10)


def counting(samples: np.ndarray, windowing: Windowing) -> np.ndarray:
    """Return the windows that count, of all of a recording, float32 `(n, window)`."""
    return samples[counts(power(samples), windowing)]


def sounding(samples: np.ndarray, windowing: Windowing) -> np.ndarray:
    """Where there is sound in each window: from its first piece that is loud enough to its last.

    A piece of 20 ms is loud enough where it is at most `depth` below the loudest piece of its
    window. Without a `depth`, the sound is the whole window.

    Args:
        samples: float32 `(n, window)`.
        windowing: how recordings become windows.

    Returns:
        int64 `(n, 2)`, first sample and end in each window.
    """
    count, window = samples.shape
    whole = np.tile(np.array([0, window], dtype=np.int64), (count, 1))
    size = int(PIECE_SECONDS * windowing.rate)
    if windowing.depth is None or not count or window < 2 * size or not size:
        return whole
    # The last piece includes the remainder of the window.
    pieces = samples[:, : window // size * size].reshape(count, -1, size)
    loudness = np.einsum("ijk,ijk->ij", pieces, pieces)
    loudest = loudness.max(axis=1, keepdims=True)
    loud = loudness >= loudest * 10 ** (-windowing.depth / 10)
    first = loud.argmax(axis=1)
    after = loud[:, ::-1].argmax(axis=1)
    whole[:, 0] = first * size
    whole[after > 0, 1] = (loud.shape[1] - after[after > 0]) * size
    return whole


def windows_at_once(window: int, *, most: int) -> int:
    """How many windows of a length to compute together: `most`, or fewer of long ones.

    A front end makes several copies of its overlapping frames, so that hundreds of long windows
    would take gigabytes.
    """
    return max(min(most, _SAMPLES_AT_ONCE // window), 1)


def pad_to_window(waveform: np.ndarray, window: int) -> np.ndarray:
    """Zero-pad a waveform `(samples,)` at its end to at least one window."""
    return np.pad(waveform, (0, max(window - len(waveform), 0)))


def consecutive(cleaned: Cleaned, windowing: Windowing) -> Windows:
    """Cut the kept samples into consecutive windows, every `hop` samples.

    A recording shorter than a window becomes one zero-padded window. Where windows overlap, the
    last one may reach beyond the end and is zero-padded; where they do not, a remainder shorter
    than a window is left out.
    """
    padded = pad_to_window(cleaned.waveform, windowing.window)
    if windowing.hop < windowing.window:
        padded = np.pad(padded, (0, (windowing.window - len(padded)) % windowing.hop))
    samples = sliding_window_view(padded, windowing.window)[:: windowing.hop]
    return _windows(samples, np.arange(len(samples)) * windowing.hop, cleaned, windowing)


def _windows(
    samples: np.ndarray, first: np.ndarray, cleaned: Cleaned, windowing: Windowing
) -> Windows:
    """Windows that begin at the kept samples `first`, with their times."""
    last = np.minimum(first + windowing.window, len(cleaned.waveform)) - 1
    first_run, last_run = cleaned.run_of(first), cleaned.run_of(last)
    cuts = np.stack([cleaned.runs[first_run, 1]] * 2, axis=1)
    for number in np.flatnonzero(last_run > first_run):
        inside = slice(first_run[number], last_run[number] + 1)
        ends, starts = cleaned.runs[inside, 1][:-1], cleaned.runs[inside, 0][1:]
        longest = np.argmax(starts - ends)
        cuts[number] = ends[longest], starts[longest]
    return Windows(
        samples=samples,
        start=cleaned.source_index(first) / windowing.rate,
        end=(cleaned.source_index(last) + 1) / windowing.rate,
        cut=cuts / windowing.rate,
    )


def sounding_starts(waveform: np.ndarray, *, window: int, depth: float | None) -> np.ndarray:
    """Where windows that contain sound may begin; eight places a window are considered.

    Args:
        waveform: float32 `(samples,)`.
        window: length of a window in samples.
        depth: decibels below the loudest such window down to which one counts; None: all do.

    Returns:
        First samples, int64 `(k,)`, ascending, one at least.
    """
    last = max(len(waveform) - window, 0)
    starts = np.unique(np.append(np.arange(0, last, start_step(window)), last))
    if depth is None:
        return starts
    sums = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])
    power = sums[np.minimum(starts + window, len(waveform))] - sums[starts]
    return starts[power >= power.max() * 10 ** (-depth / 10)]


def start_step(window: int) -> int:
    """Samples between the places that `sounding_starts` considers."""
    return max(window // 8, 1)


_NO_RUNS = np.empty((0, 2), dtype=np.int64)


class WindowStream:
    """Clean a waveform and cut it into consecutive windows, piece by piece.

    The windows equal those of `keep` and `consecutive` for the whole waveform, except that there
    are none where cleaning leaves nothing.

    Args:
        windowing: how recordings become windows.
        block: samples that cleaning decides together, fewer for a shorter delay; see
            `CleanStream`.

    Attributes:
        kept: number of samples that cleaning has kept.
        decided: number of samples for which it is known whether they are kept.
        runs: int64 `(k, 2)`, first sample and end in the original of the samples that were newly
            kept by the last `push` or `finish`.
    """

    def __init__(self, windowing: Windowing, *, block: int | None = None) -> None:
        self._windowing = windowing
        self._cleaner = None
        if windowing.clean_threshold is not None:
            length = int(windowing.rate * windowing.clean_window)
            blocks = {} if block is None else {"block": block}
            self._cleaner = CleanStream(windowing.clean_threshold, length, **blocks)
        # The kept samples from number `_begin` on, their runs, and where the next window begins.
        self._here = np.empty(0, dtype=np.float32)
        self._runs = _NO_RUNS
        self._begin = self._next = 0
        self.kept = self.decided = 0
        self.runs = _NO_RUNS

    def push(self, piece: np.ndarray) -> Windows:
        """Take the next piece, float32 `(samples,)`; return the windows that are complete now."""
        if self._cleaner is None:
            end = self.decided + len(piece)
            runs = np.array([[self.decided, end]]) if len(piece) else _NO_RUNS
            self.decided = end
        else:
            piece, runs = self._cleaner.push(piece)
            self.decided = self._cleaner.decided
        return self._cut(piece, runs)

    def finish(self) -> Windows:
        """Return the last windows; nothing can be pushed after it."""
        kept, runs = np.empty(0, dtype=np.float32), _NO_RUNS
        if self._cleaner is not None:
            kept, runs = self._cleaner.finish()
            self.decided = self._cleaner.decided
        windows = self._cut(kept, runs)
        window, hop = self._windowing.window, self._windowing.hop
        short = 0 < self.kept < window
        rest = hop < window < self.kept and (self.kept - window) % hop
        if not short and not rest:
            return windows
        cleaned = Cleaned(self._here, self._runs, self.decided)
        padded = pad_to_window(self._here, window)[np.newaxis]
        last = _windows(padded, np.zeros(1, dtype=np.int64), cleaned, self._windowing)
        return Windows(
            samples=np.concatenate([windows.samples, last.samples]),
            start=np.concatenate([windows.start, last.start]),
            end=np.concatenate([windows.end, last.end]),
            cut=np.concatenate([windows.cut, last.cut]),
        )

    def _cut(self, kept: np.ndarray, runs: np.ndarray) -> Windows:
        """Take newly kept samples, and cut the windows that are complete."""
        self.runs, self.kept = runs, self.kept + len(kept)
        self._here = np.concatenate([self._here, kept])
        self._runs = np.concatenate([self._runs, runs])
        window, hop = self._windowing.window, self._windowing.hop
        # Where windows do not touch, the samples between them may not all be here yet.
        first = self._next - self._begin
        count = max((self.kept - self._next - window) // hop + 1, 0)
        samples = np.empty((0, window), dtype=np.float32)
        if count:
            samples = sliding_window_view(self._here[first:], window)[::hop][:count]
        cleaned = Cleaned(self._here, self._runs, self.decided)
        windows = _windows(samples, first + hop * np.arange(count), cleaned, self._windowing)

        # Drop the samples before the next window, and their runs.
        self._next += count * hop
        passed = min(self._next, self.kept) - self._begin
        if passed:
            self._here, self._begin = self._here[passed:].copy(), self._begin + passed
            run = cleaned.run_of(passed)
            begin = cleaned.source_index(passed)
            self._runs = self._runs[run:].copy()
            self._runs[0, 0] = begin
        return windows
