"""Drawn windows as pictures with their classes: the tutorial's `X` and `y`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from timbrel.audio.windows import start_step
from timbrel.errors import InvalidArgument
from timbrel.text import first_names, plain, plural


def balanced_class_weight(target: np.ndarray) -> dict[int, float]:
    """Weights that make every class count the same: n / (classes · count of the class).

    Args:
        target: int `(n,)`, class of each window.

    Returns:
        A weight for every class that occurs, as Keras's `fit` takes them.

    Source: King & Zeng (2001), "Logistic regression in rare events data"; the same as
    scikit-learn's `compute_class_weight("balanced", classes=np.unique(y), y=y)`.
    """
    classes, counts = np.unique(target, return_counts=True)
    weights = len(target) / (len(classes) * counts)
    return {int(number): float(weight) for number, weight in zip(classes, weights, strict=True)}


def draw_windows(
    samples: np.ndarray, target: np.ndarray, *, window: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw twice as many windows as fit into the recordings.

    A window's class is drawn with probability proportional to the mean length of the class's
    recordings, its recording uniformly within the class, its start uniformly within the recording.
    A recording that was not drawn gets one window, so that every recording has one.

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
        most: largest number from one recording.
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


@dataclass(frozen=True, repr=False)
class Examples:
    """Drawn windows as pictures, ready for `fit`.

    Attributes:
        pictures: float32 `(n, …)`, as the front end gives them, for instance `(n, 13, 9, 1)`.
        y_flat: int64 `(n,)`, class of each picture, an index into `labels`.
        recording: int64 `(n,)`, the recording that each window was drawn from.
        start: int64 `(n,)`, first sample of each window in the cleaned recording.
        labels: the classes, sorted.
        scale: minimum and maximum that become 0 and 1; the pictures' own by default.
        scales: False for networks that take pictures as the front end gives them.
        background: windows of sounds that belong to no class, to learn as such.
    """

    pictures: np.ndarray
    y_flat: np.ndarray
    recording: np.ndarray
    start: np.ndarray
    labels: tuple[str, ...]
    scale: tuple[float, float] | None = None
    scales: bool = True
    background: Examples | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    def __repr__(self) -> str:
        recordings = plural(len(np.unique(self.recording)), "recording")
        classes = plural(len(self.labels), "class", "classes")
        return plain(
            f"Examples(X {self.pictures.shape}, y ({len(self)}, {len(self.labels)}): windows of "
            f"{recordings}, {classes}: {first_names(self.labels)})"
        )

    @property
    def value_range(self) -> tuple[float, float]:
        """Minimum and maximum that become 0 and 1 in `X`; 0 and 1 where nothing is scaled."""
        if not self.scales:
            return 0.0, 1.0
        if self.scale is not None:
            return self.scale
        return float(self.pictures.min()), float(self.pictures.max())

    @property
    def X(self) -> np.ndarray:  # noqa: N802 - the tutorial's name, and everyone's
        """Scaled pictures, float32 `(n, …)`; 0 to 1 for those that the scale was taken from."""
        if not self.scales:
            return self.pictures
        low, high = self.value_range
        return (self.pictures - np.float32(low)) / np.float32(max(high - low, 1e-30))

    @property
    def y(self) -> np.ndarray:
        """One-hot classes, float32 `(n, classes)`."""
        return np.eye(len(self.labels), dtype=np.float32)[self.y_flat]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one picture."""
        return self.pictures.shape[1:]

    @property
    def recording_class(self) -> np.ndarray:
        """Class of each recording that windows are drawn from, by its number; int64 `(r,)`."""
        return self.y_flat[np.unique(self.recording, return_index=True)[1]]

    @property
    def background_recordings(self) -> np.ndarray:
        """The recordings of `background`, int64 `(r,)`, ascending."""
        if self.background is None:
            return np.empty(0, dtype=np.int64)
        return np.unique(self.background.recording)

    def background_mask(self, rows: int) -> np.ndarray:
        """Bool `(rows,)`, which rows of a corpus of so many are learned from as background."""
        return np.isin(np.arange(rows), self.background_recordings)

    @property
    def class_weight(self) -> dict[int, float]:
        """Balanced class weights, as `fit` takes them."""
        return balanced_class_weight(self.y_flat)

    @property
    def sha256(self) -> str:
        """SHA-256 of recordings, starts and background pictures, in hexadecimal."""
        whole = hashlib.sha256(self.recording.astype(np.int64).tobytes())
        whole.update(self.start.astype(np.int64).tobytes())
        if self.background is not None:
            whole.update(self.background.pictures.tobytes())
        return whole.hexdigest()

    def select(self, chosen: np.ndarray) -> Examples:
        """Return the pictures at a mask or at positions, scaled as here.

        Args:
            chosen: bool or int `(…,)`.
        """
        return replace(
            self,
            scale=self.value_range if len(self) else self.scale,
            pictures=self.pictures[chosen],
            y_flat=self.y_flat[chosen],
            recording=self.recording[chosen],
            start=self.start[chosen],
        )

    def split(self, held_out: np.ndarray) -> tuple[Examples, Examples]:
        """Split by recording, and take the scale from the training part alone.

        Args:
            held_out: bool `(recordings,)`, which recordings are not trained on.

        Returns:
            The training part and the held-out part, both scaled by the training part's range.

        Raises:
            InvalidArgument: the mask leaves nothing to train on.
        """
        held_out = np.asarray(held_out, dtype=bool)
        train, aside = self.split_windows(held_out[self.recording])
        if self.background is not None:
            learned = self.background.select(~held_out[self.background.recording])
            train = replace(train, background=learned)
        return train, aside

    def split_windows(self, aside: np.ndarray) -> tuple[Examples, Examples]:
        """Split by window, and take the scale from the training part alone.

        Windows of one recording can be in both parts. The tutorial splits this way, and a score
        computed this way is too high; use `split` to hold out whole recordings.

        Args:
            aside: bool `(n,)`, which windows are not trained on.

        Returns:
            The training part and the held-out part, both scaled by the training part's range.

        Raises:
            InvalidArgument: the mask leaves nothing to train on.
        """
        if aside.all():
            raise InvalidArgument("`held_out` must leave recordings to train on. Got all of them.")
        train = replace(self.select(~aside), scale=None)
        train = replace(train, scale=train.value_range)
        return train, replace(self.select(aside), scale=train.scale)

    def restrict(self, labels: Sequence[str]) -> Examples:
        """Keep the windows of some classes, which become the only classes.

        Args:
            labels: some of `labels`.
        """
        kept = tuple(label for label in self.labels if label in set(labels))
        number = np.array([kept.index(label) if label in kept else -1 for label in self.labels])
        chosen = number[self.y_flat] >= 0
        part = self.select(chosen)
        return replace(part, scale=self.scale, y_flat=number[part.y_flat], labels=kept)
