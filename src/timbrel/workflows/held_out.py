"""Hear recordings that were kept aside, and score a model on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.audio.decode import decode
from timbrel.audio.windows import Windowing, consecutive, keep, pad_to_window
from timbrel.dataset.manifest import Problem, Recording
from timbrel.errors import AudioError
from timbrel.parallel import in_order
from timbrel.training.examples import Examples


@dataclass(frozen=True)
class Aside:
    """Windows of recordings that were kept aside.

    Attributes:
        recordings: the recordings.
        target: int `(files,)`, their classes; −1 for an example of none of these.
        windows: float32 `(n, window)`, consecutive windows of all of them.
        file: int `(n,)`, the recording of each.
        drawn: float32 `(m, window)`, the windows that were drawn from them.
        drawn_file: int `(m,)`, the recording of each.
    """

    recordings: tuple[Recording, ...]
    target: np.ndarray
    windows: np.ndarray
    file: np.ndarray
    drawn: np.ndarray
    drawn_file: np.ndarray


def hear_aside(
    recordings: Sequence[Recording],
    examples: Examples,
    windowing: Windowing,
    *,
    chosen: np.ndarray,
    progress: Callable[[int, int], None] | None = None,
) -> Aside:
    """Decode, clean and cut recordings that take no part in training.

    Args:
        recordings: all recordings in use.
        examples: the windows drawn from them.
        windowing: how recordings become windows.
        chosen: int `(files,)`, which recordings to hear.
        progress: called with what is done of how much.
    """
    starts = [examples.start[examples.recording == number] for number in chosen]
    jobs = [(recordings[number], start) for number, start in zip(chosen, starts, strict=True)]
    windows, drawn = [], []
    for done, (whole, part) in enumerate(in_order(lambda job: _hear(job, windowing), jobs), 1):
        windows.append(whole)
        drawn.append(part)
        if progress:
            progress(done, len(jobs))
    labels = list(examples.labels)
    used = tuple(recordings[number] for number in chosen)
    return Aside(
        recordings=used,
        target=np.array([labels.index(item.label) for item in used], dtype=np.int64),
        windows=_joined(windows, windowing),
        file=np.repeat(np.arange(len(used)), [len(part) for part in windows]),
        drawn=_joined(drawn, windowing),
        drawn_file=np.repeat(np.arange(len(used)), [len(part) for part in drawn]),
    )


@dataclass(frozen=True)
class NoneOfThese:
    """Examples that belong to no class; they are never trained on.

    Attributes:
        windows: float32 `(n, window)` for each, its consecutive windows.
        problems: those that cannot be used.
    """

    windows: tuple[np.ndarray, ...]
    problems: tuple[Problem, ...]


def hear_none_of_these(recordings: Sequence[Recording], windowing: Windowing) -> NoneOfThese:
    """Decode, clean and cut the examples of none of these; digital silence needs no model."""
    windows, problems = [], []
    for item in recordings:
        if not item.none_of_these:
            continue
        try:
            decoded = decode(item.file, windowing.rate, start=item.start, end=item.end)
        except AudioError as error:
            problems.append(Problem(item.name, error.reason))
            continue
        if not decoded.silent:
            windows.append(consecutive(keep(decoded.waveform, windowing)[0], windowing).samples)
    return NoneOfThese(tuple(windows), tuple(problems))


def _hear(job: tuple[Recording, np.ndarray], windowing: Windowing) -> tuple[np.ndarray, np.ndarray]:
    item, starts = job
    decoded = decode(item.file, windowing.rate, start=item.start, end=item.end, name=item.name)
    cleaned, _ = keep(decoded.waveform, windowing)
    padded = pad_to_window(cleaned.waveform, windowing.window)
    drawn = padded[starts[:, None] + np.arange(windowing.window)]
    return consecutive(cleaned, windowing).samples, drawn


def _joined(parts: list[np.ndarray], windowing: Windowing) -> np.ndarray:
    return np.concatenate([np.empty((0, windowing.window), dtype=np.float32), *parts])
