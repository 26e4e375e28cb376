"""Cut a waveform into windows: whole recordings, or a stream piece by piece."""

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
        hop: samples from one window to the next when a whole recording is heard.
        clean_threshold: level of the envelope, in units of full scale, above which sound is kept;
            None keeps everything.
        clean_window: length of the envelope's rolling mean in seconds.
        depth: decibels below its loudest window down to which a window of a recording counts for
            the answer; None counts all.
    """

    rate: int
    window: int
    hop: int
    clean_threshold: float | None = None
    clean_window: float = 0.1
    depth: float | None = None

    @property
    def least(self) -> float:
        """Samples below which there is too little sound.

        A window, which silence would fill up. Where nothing is cleaned away, what hears such
        windows leaves silence out by itself, and a click of 20 ms is heard as well as any.
        """
        if self.clean_threshold is not None:
            return self.window
        return min(self.window, _LEAST_SECONDS * self.rate)

    def falls_short(self, samples: float) -> bool:
        """Whether there is too little sound."""
        return samples < self.least


@dataclass(frozen=True)
class Windows:
    """The consecutive windows of one recording.

    Attributes:
        samples: float32 `(n, window)`.
        start, end: float64 `(n,)`, seconds of the original recording.
        cut: float64 `(n, 2)`, begin and end in seconds of the longest stretch that cleaning took
            out of the middle of each; equal where there is none.
    """

    samples: np.ndarray
    start: np.ndarray
    end: np.ndarray
    cut: np.ndarray


def longest_cuts(runs: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """What was taken out of the middle of windows, the longest stretch of each.

    Args:
        runs: int64 `(k, 2)`, first sample and end of each kept stretch in the original.
        first, last: int `(n,)`, the stretches that windows begin and end in.

    Returns:
        int64 `(n, 2)`, first sample and end; equal where nothing was.
    """
    cuts = np.stack([runs[first, 1]] * 2, axis=1)
    for number in np.flatnonzero(last > first):
        inside = slice(first[number], last[number] + 1)
        ends, starts = runs[inside, 1][:-1], runs[inside, 0][1:]
        longest = np.argmax(starts - ends)
        cuts[number] = ends[longest], starts[longest]
    return cuts


def keep(waveform: np.ndarray, windowing: Windowing) -> tuple[Cleaned, bool]:
    """Clean a waveform; where nothing would remain, keep all of it.

    Returns:
        What is kept, and whether cleaning left something.
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
    """What a user should know of a recording after cleaning.

    Args:
        name: what to call the recording.
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
            # What is too short before it is cleaned is not so because of cleaning.
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
    """Which of the consecutive windows of a recording its answer is the mean over.

    Silence before, between and after sounds says nothing of them; it must not outvote them.

    Args:
        power: of all of them, float32 `(n,)`.
        windowing: how recordings become windows.

    Returns:
        bool `(n,)`, true of the loudest at least.
    """
    if windowing.depth is None or not len(power):
        return np.ones(len(power), dtype=bool)
    return power >= power.max() * 10 ** (-windowing.depth / 10)


def counting(samples: np.ndarray, windowing: Windowing) -> np.ndarray:
    """Return the windows that count, of all of a recording, float32 `(n, window)`."""
    return samples[counts(power(samples), windowing)]


def sounding(samples: np.ndarray, windowing: Windowing) -> np.ndarray:
    """Where in windows there is sound: from the first piece to the last that is loud enough.

    A piece of 20 ms is loud enough where it is no further below the loudest of its window than
    windows may be below the loudest of a recording. Where all windows count, all of a window does.

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
    # What does not fill a piece at the end goes with the last one.
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
    """Windows of so many samples to compute together: `most`, or fewer where they are long.

    A front end makes several copies of its frames, which overlap, so that long windows by the
    hundred would take gigabytes.
    """
    return max(min(most, _SAMPLES_AT_ONCE // window), 1)


def pad_to_window(waveform: np.ndarray, window: int) -> np.ndarray:
    """Zero-pad a waveform `(samples,)` at its end to at least one window."""
    return np.pad(waveform, (0, max(window - len(waveform), 0)))


def consecutive(cleaned: Cleaned, windowing: Windowing) -> Windows:
    """Cut what was kept into consecutive windows, every `hop` samples.

    A recording shorter than a window becomes one zero-padded window. Where windows overlap, so
    does the last one where it reaches beyond the end; where they do not, a remainder shorter than
    a window is left out.
    """
    padded = pad_to_window(cleaned.waveform, windowing.window)
    if windowing.hop < windowing.window:
        padded = np.pad(padded, (0, (windowing.window - len(padded)) % windowing.hop))
    samples = sliding_window_view(padded, windowing.window)[:: windowing.hop]
    first = np.arange(len(samples)) * windowing.hop
    last = np.minimum(first + windowing.window, len(cleaned.waveform)) - 1
    cuts = longest_cuts(cleaned.runs, cleaned.run_of(first), cleaned.run_of(last))
    return Windows(
        samples=samples,
        start=cleaned.source_index(first) / windowing.rate,
        end=(cleaned.source_index(last) + 1) / windowing.rate,
        cut=cuts / windowing.rate,
    )


def sounding_starts(waveform: np.ndarray, *, window: int, depth: float | None) -> np.ndarray:
    """Where windows may begin that have sound in them, eight places a window.

    Args:
        waveform: float32 `(samples,)`.
        window: length of a window in samples.
        depth: decibels below the loudest such window down to which one counts; None: all do.

    Returns:
        First samples, int64 `(k,)`, rising, one at least.
    """
    last = max(len(waveform) - window, 0)
    starts = np.unique(np.append(np.arange(0, last, start_step(window)), last))
    if depth is None:
        return starts
    sums = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])
    power = sums[np.minimum(starts + window, len(waveform))] - sums[starts]
    return starts[power >= power.max() * 10 ** (-depth / 10)]


def start_step(window: int) -> int:
    """Samples between places that `sounding_starts` looks at."""
    return max(window // 8, 1)


_NONE = np.empty(0, dtype=np.float32)


class WindowStream:
    """Clean a waveform and cut it into consecutive windows, piece by piece.

    The windows are those that `keep` and `consecutive` make of the whole waveform, but that a
    waveform of which cleaning leaves nothing has none.

    Args:
        windowing: how recordings become windows.
        block: samples that cleaning decides together, fewer for a shorter delay; see
            `CleanStream`.

    Attributes:
        kept: samples that cleaning has kept.
        decided: samples of which it is known whether they are kept.
        runs: int64 `(k, 2)`, first sample and end in the original of what was newly kept by the
            last `push` or `finish`.
    """

    def __init__(self, windowing: Windowing, *, block: int | None = None) -> None:
        self._windowing = windowing
        self._cleaner = None
        if windowing.clean_threshold is not None:
            length = int(windowing.rate * windowing.clean_window)
            blocks = {} if block is None else {"block": block}
            self._cleaner = CleanStream(windowing.clean_threshold, length, **blocks)
        # The kept samples from number `_begin` on, and where the next window begins.
        self._here = _NONE
        self._begin = self._next = 0
        # Stretches: where they end in what was kept; where they begin and end in the original.
        self._ends = np.empty(0, dtype=np.int64)
        self._stretches = np.empty((0, 2), dtype=np.int64)
        self.kept = self.decided = 0
        self.runs = np.empty((0, 2), dtype=np.int64)

    def push(self, piece: np.ndarray) -> Windows:
        """Take the next piece, float32 `(samples,)`; return the windows that are whole now."""
        if self._cleaner is None:
            span = [self.decided, self.decided + len(piece)]
            self.decided = span[1]
            self._keep(piece, np.array([span] if len(piece) else [], np.int64).reshape(-1, 2))
        else:
            self._keep(*self._cleaner.push(piece))
            self.decided = self._cleaner.decided
        return self._cut()

    def finish(self) -> Windows:
        """Return the last windows; nothing can be pushed after it."""
        if self._cleaner is None:
            self._keep(_NONE, np.empty((0, 2), dtype=np.int64))
        else:
            self._keep(*self._cleaner.finish())
            self.decided = self._cleaner.decided
        windows = self._cut()
        window, hop = self._windowing.window, self._windowing.hop
        short = 0 < self.kept < window
        rest = hop < window < self.kept and (self.kept - window) % hop
        if not short and not rest:
            return windows
        last = pad_to_window(self._here, window)[np.newaxis]
        return _joined(windows, self._times(last, np.array([self._next])))

    def _keep(self, kept: np.ndarray, runs: np.ndarray) -> None:
        self.runs = runs
        # Stretches before the next window are not needed any more.
        passed = np.searchsorted(self._ends, self._next, side="right")
        ends = self.kept + np.cumsum(runs[:, 1] - runs[:, 0])
        self._ends = np.concatenate([self._ends[passed:], ends])
        self._stretches = np.concatenate([self._stretches[passed:], runs])
        self.kept += len(kept)
        self._here = np.concatenate([self._here, kept])

    def _cut(self) -> Windows:
        window, hop = self._windowing.window, self._windowing.hop
        count = max((self.kept - self._next - window) // hop + 1, 0)
        first = self._next + hop * np.arange(count)
        # Windows that do not touch leave something out between them, of which not all is here yet.
        from_next = self._here[self._next - self._begin :]
        samples = (
            sliding_window_view(from_next, window)[::hop][:count]
            if count
            else np.empty((0, window), dtype=np.float32)
        )
        windows = self._times(samples, first)
        self._next += count * hop
        passed = min(self._next, self.kept) - self._begin
        if passed:
            self._here, self._begin = self._here[passed:].copy(), self._begin + passed
        return windows

    def _times(self, samples: np.ndarray, first: np.ndarray) -> Windows:
        rate = self._windowing.rate
        last = np.minimum(first + self._windowing.window, self.kept) - 1
        one, other = (np.searchsorted(self._ends, index, side="right") for index in (first, last))
        start = self._stretches[one, 1] - (self._ends[one] - first)
        end = self._stretches[other, 1] - (self._ends[other] - last) + 1
        cut = longest_cuts(self._stretches, one, other)
        return Windows(samples=samples, start=start / rate, end=end / rate, cut=cut / rate)


def _joined(one: Windows, other: Windows) -> Windows:
    return Windows(
        samples=np.concatenate([one.samples, other.samples]),
        start=np.concatenate([one.start, other.start]),
        end=np.concatenate([one.end, other.end]),
        cut=np.concatenate([one.cut, other.cut]),
    )
