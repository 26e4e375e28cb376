"""Hear recordings that were kept aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.audio.isolated import IsolatedDecoder
from timbrel.audio.windows import Windowing, consecutive, keep, pad_to_window
from timbrel.dataset.manifest import Problem, Recording, targets
from timbrel.errors import AudioError
from timbrel.parallel import in_order
from timbrel.training.examples import Examples
from timbrel.training.prepare import Prepared


@dataclass(frozen=True)
class Aside:
    """Windows of recordings that were kept aside.

    Attributes:
        recordings: the recordings.
        target: int `(files,)`, their classes.
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
    prepared: Prepared,
    chosen: np.ndarray,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Aside:
    """Decode, clean and cut recordings that take no part in training.

    Args:
        prepared: the data set.
        chosen: int `(files,)`, which of its recordings to hear.
        progress: called with what is done of how much.
    """
    windows, drawn = [], []
    for whole, part in hear_each(prepared, chosen):
        windows.append(whole)
        drawn.append(part)
        if progress:
            progress(len(windows), len(chosen))
    used = tuple(prepared.recordings[number] for number in chosen)
    empty = np.empty((0, prepared.recipe.windowing.window), dtype=np.float32)
    return Aside(
        recordings=used,
        target=targets(used, prepared.examples.labels),
        windows=np.concatenate([empty, *windows]),
        file=np.repeat(np.arange(len(used)), [len(part) for part in windows]),
        drawn=np.concatenate([empty, *drawn]),
        drawn_file=np.repeat(np.arange(len(used)), [len(part) for part in drawn]),
    )


def hear_each(
    prepared: Prepared, chosen: np.ndarray, *, drawn: Examples | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Decode, clean and cut recordings one after the other, a few ahead.

    Args:
        prepared: the data set.
        chosen: int `(files,)`, which of its recordings to hear.
        drawn: which drawn windows to cut; all by default.

    Yields:
        Consecutive windows and drawn windows of a recording, float32 `(n, window)` both.
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


@dataclass(frozen=True)
class NoneOfThese:
    """Examples that belong to no class; they are never trained on.

    Attributes:
        recordings: those that can be used.
        windows: float32 `(n, window)` for each, its consecutive windows.
        problems: those that cannot be used.
    """

    recordings: tuple[Recording, ...]
    windows: tuple[np.ndarray, ...]
    problems: tuple[Problem, ...]


def hear_none_of_these(recordings: Sequence[Recording], windowing: Windowing) -> NoneOfThese:
    """Decode, clean and cut the examples of none of these; digital silence needs no model."""
    others = [item for item in recordings if item.none_of_these]
    used, windows, problems = [], [], []

    def attempt(item: Recording) -> np.ndarray | AudioError:
        try:
            decoded = decoder.decode(
                item.file, windowing.rate, start=item.start, end=item.end, name=item.name
            )
        except AudioError as error:
            return error
        if decoded.silent:
            return np.empty((0, windowing.window), dtype=np.float32)
        return consecutive(keep(decoded.waveform, windowing)[0], windowing).samples

    with IsolatedDecoder() as decoder:
        heard = in_order(attempt, others, stop=decoder.close)
        for item, found in zip(others, heard, strict=True):
            if isinstance(found, AudioError):
                problems.append(Problem(item.name, found.reason))
            elif len(found):
                used.append(item)
                windows.append(found)
    return NoneOfThese(tuple(used), tuple(windows), tuple(problems))


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
    return consecutive(cleaned, windowing).samples, drawn
