"""Hear recordings that were kept aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from timbrel.audio.isolated import IsolatedDecoder
from timbrel.audio.windows import (
    Windowing,
    consecutive,
    counting,
    keep,
    pad_to_window,
    windows_at_once,
)
from timbrel.dataset.manifest import Recording, targets
from timbrel.parallel import in_order
from timbrel.training.examples import Examples
from timbrel.training.prepare import Prepared

_AT_ONCE = 512

# Windows that are kept to compare an export with its Keras model: so many, or so many samples.
_MOST_SOME, _SAMPLES_OF_SOME = 2048, 1 << 23


@dataclass(frozen=True)
class Aside:
    """What a network says of recordings that were kept aside.

    Attributes:
        recordings: the recordings.
        target: int `(files,)`, their classes.
        windows: float32 `(n, classes)`, probabilities of the consecutive windows of all of them
            that count (`timbrel.audio.windows.counts`).
        file: int `(n,)`, the recording of each.
        drawn: float32 `(m, classes)`, probabilities of the windows that were drawn from them.
        drawn_file: int `(m,)`, the recording of each.
        some: float32 `(k, window)`, drawn windows from all over the recordings.
    """

    recordings: tuple[Recording, ...]
    target: np.ndarray
    windows: np.ndarray
    file: np.ndarray
    drawn: np.ndarray
    drawn_file: np.ndarray
    some: np.ndarray


def hear_aside(
    prepared: Prepared,
    chosen: np.ndarray,
    answer: Callable[[np.ndarray], np.ndarray],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Aside:
    """Let a network hear recordings that take no part in training, a few at a time.

    Args:
        prepared: the data set.
        chosen: int `(files,)`, which of its recordings to hear.
        answer: probabilities, float32 `(n, classes)`, of float32 windows `(n, window)`.
        progress: called with what is done of how much.
    """
    window, classes = prepared.recipe.windowing.window, len(prepared.examples.labels)
    windows, drawn = (_Answers(answer, (window, classes)) for _ in range(2))
    most, files = max(min(_MOST_SOME, _SAMPLES_OF_SOME // window), 1), max(len(chosen), 1)
    apart, each = -(-files // most), max(most // files, 1)
    some = [np.empty((0, window), dtype=np.float32)]
    for number, (whole, part) in enumerate(hear_each(prepared, chosen)):
        windows.add(whole)
        drawn.add(part)
        if number % apart == 0:
            some.append(part[:each])
        if progress:
            progress(number + 1, len(chosen))
    used = tuple(prepared.recordings[number] for number in chosen)
    return Aside(
        recordings=used,
        target=targets(used, prepared.examples.labels),
        windows=windows.all(),
        file=np.repeat(np.arange(len(used)), windows.counts),
        drawn=drawn.all(),
        drawn_file=np.repeat(np.arange(len(used)), drawn.counts),
        some=np.concatenate(some),
    )


class _Answers:
    """Asks for many windows at a time, however few a recording has, and keeps the answers alone."""

    def __init__(self, answer: Callable[[np.ndarray], np.ndarray], shape: tuple[int, int]) -> None:
        window, classes = shape
        self._answer = answer
        self._enough = windows_at_once(window, most=_AT_ONCE)
        self._waiting: list[np.ndarray] = []
        self._answers = [np.empty((0, classes), dtype=np.float32)]
        self.counts: list[int] = []

    def add(self, windows: np.ndarray) -> None:
        self.counts.append(len(windows))
        self._waiting.append(windows)
        if sum(map(len, self._waiting)) >= self._enough:
            self._ask()

    def all(self) -> np.ndarray:
        self._ask()
        return np.concatenate(self._answers)

    def _ask(self) -> None:
        if any(map(len, self._waiting)):
            self._answers.append(self._answer(np.concatenate(self._waiting)))
        self._waiting = []


def hear_each(
    prepared: Prepared, chosen: np.ndarray, *, drawn: Examples | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Decode, clean and cut recordings one after the other, a few ahead.

    Args:
        prepared: the data set.
        chosen: int `(files,)`, which of its recordings to hear.
        drawn: which drawn windows to cut; all by default.

    Yields:
        Consecutive windows that count and drawn windows of a recording, float32 `(n, window)` both.
    """
    examples = prepared.examples if drawn is None else drawn
    order = np.argsort(examples.recording, kind="stable")
    edges = np.searchsorted(examples.recording[order], [chosen, np.asarray(chosen) + 1])
    jobs = [
        (prepared.recordings[number], examples.start[order[first:last]])
        for number, first, last in zip(chosen, *edges, strict=True)
    ]
    windowing = prepared.recipe.windowing
    with IsolatedDecoder() as decoder:
        yield from in_order(lambda job: _hear(decoder, job, windowing), jobs, stop=decoder.close)


def _hear(
    decoder: IsolatedDecoder, job: tuple[Recording, np.ndarray], windowing: Windowing
) -> tuple[np.ndarray, np.ndarray]:
    item, starts = job
    decoded = decoder.decode(
        item.file, windowing.rate, start=item.start, end=item.end, name=item.name
    )
    cleaned, _ = keep(decoded.waveform, windowing)
    padded = pad_to_window(cleaned.waveform, windowing.window)
    drawn = padded[starts[:, None] + np.arange(windowing.window)]
    return counting(consecutive(cleaned, windowing).samples, windowing), drawn
