"""Draw training windows from recordings at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from timbrel.audio.windows import start_step
from timbrel.errors import InvalidArgument


def draw_windows(
    samples: np.ndarray, target: np.ndarray, *, window: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw twice as many windows as fit into the recordings.

    A window's class is drawn with probability proportional to the mean length of the class's
    recordings, its recording uniformly within the class, its start uniformly within the recording.
    A recording that the draw misses gets one window more, so that none goes unheard.

    Args:
        samples: int `(recordings,)`, length of each cleaned recording.
        target: int `(recordings,)`, class of each, 0 to classes − 1, every class present.
        window: length of a window in samples.
        seed: of the draw.

    Returns:
        Recording and first sample of each window, int64 `(n,)` both.

    Source: `build_rand_feat` of https://github.com/seth814/Audio-Classification.
    """
    samples, target = np.asarray(samples, dtype=np.int64), np.asarray(target, dtype=np.int64)
    if len(samples) == 0 or len(samples) != len(target):
        raise InvalidArgument(
            "`samples` and `target` must have the same length, above 0. "
            f"Got {len(samples)} and {len(target)}."
        )
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(target == number) for number in range(target.max() + 1)]
    mean = np.array([samples[member].mean() for member in members])
    count = 2 * int(samples.sum() / window)
    classes = rng.choice(len(members), size=count, p=mean / mean.sum())
    sizes = np.array([len(member) for member in members])
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    recording = np.concatenate(members)[first[classes] + rng.integers(0, sizes[classes])]
    missed = np.setdiff1d(np.arange(len(samples)), recording)
    recording = np.concatenate([recording, missed])
    start = rng.integers(0, np.maximum(samples[recording] - window, 0) + 1)
    return recording, start


def spread_windows(
    starts: Sequence[np.ndarray], *, window: int, most: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw windows from every recording, twice as many as fit into it.

    A recording no longer than a window is drawn once, from its beginning.

    Args:
        starts: of each recording, from `sounding_starts`; between neighbours windows may begin
            anywhere.
        window: length of a window in samples.
        most: of one recording, however long.
        seed: of the draw.

    Returns:
        Recording and first sample of each window, int64 `(n,)` both.
    """
    rng, step = np.random.default_rng(seed), start_step(window)
    found = []
    for places in starts:
        apart = np.diff(places, append=places[-1])
        apart[apart > step] = 0
        sounding = apart.sum() + (window if len(places) > 1 else 0)
        count = min(max(-(-2 * int(sounding) // window), 1), most)
        chosen = rng.integers(0, len(places), count)
        found.append(places[chosen] + (rng.random(count) * apart[chosen]).astype(np.int64))
    return np.repeat(np.arange(len(starts)), list(map(len, found))), np.concatenate(found)
