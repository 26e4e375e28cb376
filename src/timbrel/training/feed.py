"""The batches of each epoch and the optimiser: as in the tutorial, or by a schedule."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from timbrel.errors import InvalidArgument
from timbrel.features.backend import keras
from timbrel.networks.builders import front_end
from timbrel.networks.network import outputs_of
from timbrel.networks.recipes import Recipe, Schedule
from timbrel.progress import Progress
from timbrel.training.examples import Examples, balanced_class_weight
from timbrel.workers import in_order

# Share of all steps in which the learning rate rises, and where it starts and ends.
_RISE = 0.15
_LOWEST = 1e-3
# Pictures that are augmented at a time.
_AT_ONCE = 128
# Parts of the seeds of copies and of outliers, which differ from the numbers of epochs.
_OF_COPIES, _OF_OUTLIERS = 1 << 31, (1 << 31) + 1


class Plain:
    """All windows once an epoch, in random order, with balanced class weights; Adam.

    Args:
        train: what to learn from.
        recipe: gives the batch size.
        seed: of the order.
        fixed: the fixed part of the network, see `timbrel.networks.network.Network.divide`.

    Attributes:
        recordings: number of recordings to learn from.
    """

    def __init__(
        self, train: Examples, recipe: Recipe, *, seed: int, fixed: keras.Model | None = None
    ) -> None:
        self._x = views_of(train.X, fixed)
        self._y = train.y
        self._seed = seed
        self._batch_size = recipe.batch_size
        self._class_weight = train.class_weight
        self.recordings = len(train.recording_class)

    def optimizer(self, epochs: int) -> str:
        """The tutorial's optimiser, whatever the number of epochs."""
        return "adam"

    def epoch(self, epoch: int) -> dict:
        """Arguments of Keras's `fit` for an epoch, numbered from 0."""
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._y))
        return {
            "x": one_or_several([view[order] for view in self._x]),
            "y": self._y[order],
            "batch_size": self._batch_size,
            "class_weight": self._class_weight,
        }


class Scheduled:
    """Every recording equally often, as one of its augmented copies each time; see `Schedule`.

    Args:
        train: what to learn from.
        recipe: its schedule, batch size and front end.
        seed: of all random draws.
        fixed: the fixed part of the network, see `timbrel.networks.network.Network.divide`.
        progress: receives the stage "making copies", in copies and outliers.

    Attributes:
        recordings: number of recordings to learn from.

    Raises:
        InvalidArgument: the network takes pictures in another form than the front end gives.
    """

    def __init__(
        self,
        train: Examples,
        recipe: Recipe,
        *,
        seed: int,
        fixed: keras.Model | None,
        progress: Progress,
    ) -> None:
        layer, *arrangement = front_end(recipe).layers
        if arrangement:
            raise InvalidArgument(
                "A recipe with a schedule must have a network that takes pictures as the front end "
                f"gives them. Got '{recipe.network.kind}'."
            )
        schedule = self._schedule = recipe.schedule or Schedule()
        self._batch_size, self._seed = recipe.batch_size, seed
        self._target = train.recording_class
        self.recordings = len(self._target)
        # Weights are balanced over recordings, each of which occurs equally often.
        weight = balanced_class_weight(self._target)
        self._weight = np.array([weight.get(n, 0.0) for n in range(len(train.labels))], "float32")

        # Copies: the windows of a recording take turns.
        self._copies_each = schedule.copies_each(self.recordings)
        copies = self._copies_each * self.recordings
        _, count = np.unique(train.recording, return_counts=True)
        order = np.argsort(train.recording, kind="stable")
        first = np.concatenate([[0], np.cumsum(count)[:-1]])
        turns = np.arange(self._copies_each) % count[:, None]
        chosen = order[first[:, None] + turns].ravel()

        def changed_copies(start: int) -> np.ndarray:
            rng = np.random.default_rng([seed, _OF_COPIES, start])
            pictures = train.pictures[chosen[start : start + _AT_ONCE]]
            return layer.changed(pictures, schedule.augmentation, rng)

        # Outliers, enough that a network cannot memorise them: those that the front end makes, with
        # and without training pictures, and the given background, if any.
        given = train.background
        self._outlier_share = schedule.outliers if layer.makes_outliers or given else 0.0
        outliers = max(round(self._outlier_share * copies), 1) if self._outlier_share else 0
        part = _AT_ONCE // (3 if given else 2) if layer.makes_outliers else 0

        def changed_outliers(start: int) -> np.ndarray:
            rng = np.random.default_rng([seed, _OF_OUTLIERS, start])
            found = []
            if layer.makes_outliers:
                used = rng.integers(0, len(train), part)
                found.append(layer.outliers(train.pictures[used], train.y_flat[used], rng))
            if given:
                used = rng.integers(0, len(given), _AT_ONCE - 2 * part)
                found.append(given.pictures[used])
            return layer.changed(np.concatenate(found), schedule.augmentation, rng)

        low, high = train.value_range

        def views(make: Callable[[int], np.ndarray], count: int, done: int) -> list[np.ndarray]:
            """Augment pictures in other threads while this one computes the fixed part."""
            parts = []
            starts = range(0, count, _AT_ONCE)
            for start, pictures in zip(starts, in_order(make, starts), strict=True):
                if train.scales:
                    pictures = (pictures - np.float32(low)) / np.float32(max(high - low, 1e-30))
                parts.append(views_of(pictures, fixed))
                end = done + min(start + _AT_ONCE, count)
                progress.stage("making copies", end, copies + outliers)
            return [np.concatenate(view) for view in zip(*parts, strict=True)]

        self._copies = views(changed_copies, copies, 0)
        self._outliers = views(changed_outliers, outliers, copies)

    def optimizer(self, epochs: int) -> keras.Optimizer:
        """AdamW with a learning rate that rises and falls once over this number of epochs.

        Source: Loshchilov & Hutter (2019), "Decoupled weight decay regularization"; Smith & Topin
        (2019), "Super-convergence", for the single cycle.
        """
        schedule = self._schedule
        windows = self.recordings * schedule.passes(self.recordings) * (1 + self._outlier_share)
        steps = epochs * -(-round(windows) // self._batch_size)
        rise = max(round(_RISE * steps), 1)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=_LOWEST * schedule.learning_rate,
            warmup_target=schedule.learning_rate,
            warmup_steps=rise,
            decay_steps=max(steps - rise, 1),
            alpha=_LOWEST,
        )
        optimizer = keras.optimizers.AdamW(rate, weight_decay=schedule.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer

    def epoch(self, epoch: int) -> dict:
        """Arguments of Keras's `fit` for an epoch, numbered from 0.

        Copies of recordings, each mixed with a copy of another one; their targets likewise.

        Source: Zhang et al. (2018), "mixup: beyond empirical risk minimization".
        """
        rng = np.random.default_rng([self._seed, epoch])
        schedule, classes = self._schedule, len(self._weight)
        passes = schedule.passes(self.recordings)
        recording = np.concatenate([rng.permutation(self.recordings) for _ in range(passes)])
        count = len(recording)
        target = self._target[recording]
        y = np.eye(classes, dtype=np.float32)[target]
        y = y * (1 - schedule.smoothing) + np.float32(schedule.smoothing / classes)
        copy = recording * self._copies_each + rng.integers(0, self._copies_each, count)
        share = np.ones(count, dtype=np.float32)
        mixup = schedule.augmentation.mixup
        if mixup:
            one = rng.beta(mixup, mixup, count)
            share = np.maximum(one, 1 - one).astype(np.float32)
        other = rng.permutation(count)

        def mixed(values: np.ndarray) -> np.ndarray:
            part = share.reshape(-1, *[1] * (values.ndim - 1))
            return part * values + (1 - part) * values[other]

        x, y = [mixed(view[copy]) for view in self._copies], mixed(y)
        weight = self._weight[target]
        outliers = round(self._outlier_share * count)
        if outliers:
            drawn = rng.integers(0, len(self._outliers[0]), outliers)
            x = [np.concatenate([a, b[drawn]]) for a, b in zip(x, self._outliers, strict=True)]
            y = np.concatenate([y, np.full((outliers, classes), 1 / classes, dtype=np.float32)])
            weight = np.concatenate([weight, np.ones(outliers)])
        order = rng.permutation(len(y))
        return {
            "x": one_or_several([view[order] for view in x]),
            "y": y[order],
            "sample_weight": weight[order],
            "batch_size": self._batch_size,
        }


def views_of(pictures: np.ndarray, fixed: keras.Model | None) -> list[np.ndarray]:
    """Inputs of the part that learns: outputs of the fixed part, or the pictures themselves."""
    return [pictures] if fixed is None else outputs_of(fixed, pictures)


def one_or_several(views: list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
    """Inputs as Keras takes them: an array for a network with one input, else a list."""
    return views[0] if len(views) == 1 else views
