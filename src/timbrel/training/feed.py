"""What a network is given in each epoch: the tutorial's way, and by a schedule."""

from __future__ import annotations

import numpy as np

from timbrel.features.backend import keras
from timbrel.networks.recipes import Recipe
from timbrel.training.augment import augment, mix
from timbrel.training.examples import Examples
from timbrel.training.weights import balanced_class_weight

# Share of all steps in which the learning rate rises, and where it starts and ends.
_RISE = 0.15
_LOWEST = 1e-3


class Plain:
    """All windows once an epoch, in an order drawn for it, with balanced class weights; Adam.

    Args:
        train: what to learn from.
        recipe: names the batch size.
        seed: of the order.

    Attributes:
        recordings: number of recordings to learn from.
    """

    def __init__(self, train: Examples, recipe: Recipe, seed: int) -> None:
        self._x, self._y = train.X, train.y
        self._seed = seed
        self._usual = {"batch_size": recipe.batch_size, "class_weight": train.class_weight}
        self.recordings = len(np.unique(train.recording))

    def optimizer(self, epochs: int) -> str:
        """Return what the tutorial trains with, however many epochs."""
        return "adam"

    def epoch(self, epoch: int) -> dict:
        """Arguments of Keras's `fit` for an epoch, numbered from 0."""
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._x))
        return {"x": self._x[order], "y": self._y[order], **self._usual}


class Scheduled:
    """Every recording equally often, changed anew each time, weighed by class; see `Schedule`.

    Args:
        train: what to learn from, pictures in natural logarithms of power.
        recipe: its schedule, batch size, front end and sample rate.
        seed: of everything that is drawn.

    Attributes:
        recordings: number of recordings to learn from.
    """

    def __init__(self, train: Examples, recipe: Recipe, seed: int) -> None:
        self._train, self._recipe, self._seed = train, recipe, seed
        used, first, self._count = np.unique(train.recording, return_index=True, return_counts=True)
        self._order = np.argsort(train.recording, kind="stable")
        self._first = np.concatenate([[0], np.cumsum(self._count)[:-1]])
        self.recordings = len(used)
        # Weights are balanced over recordings, each of which occurs equally often.
        weight = balanced_class_weight(train.y_flat[first])
        self._weight = np.array([weight.get(n, 0.0) for n in range(len(train.labels))], "float32")

    def optimizer(self, epochs: int) -> keras.Optimizer:
        """AdamW; its rate rises and falls once over so many epochs.

        Source: Loshchilov & Hutter (2019), "Decoupled weight decay regularization"; Smith & Topin
        (2019), "Super-convergence", for the single cycle.
        """
        schedule = self._recipe.schedule
        passes = schedule.passes(self.recordings)
        steps = epochs * -(-self.recordings * passes // self._recipe.batch_size)
        rise = max(round(_RISE * steps), 1)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=_LOWEST * schedule.learning_rate,
            warmup_target=schedule.learning_rate,
            warmup_steps=rise,
            decay_steps=max(steps - rise, 1),
            alpha=_LOWEST,
        )
        found = keras.optimizers.AdamW(rate, weight_decay=schedule.weight_decay)
        found.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return found

    def epoch(self, epoch: int) -> dict:
        """Arguments of Keras's `fit` for an epoch, numbered from 0."""
        rng = np.random.default_rng([self._seed, epoch])
        passes = self._recipe.schedule.passes(self.recordings)
        turns = [rng.permutation(self.recordings) for _ in range(passes)]
        recording = np.concatenate(turns)
        place = self._first[recording] + rng.integers(0, self._count[recording])
        what, how = (self._train, self._weight), (self._recipe, (self._seed, epoch))
        return {"x": _Batches(self._order[place], what, how)}


class _Batches(keras.utils.PyDataset):
    """The batches of one epoch; each derives from the seed, the epoch and its number alone."""

    def __init__(
        self,
        chosen: np.ndarray,
        what: tuple[Examples, np.ndarray],
        how: tuple[Recipe, tuple[int, int]],
    ) -> None:
        super().__init__()
        self._chosen = chosen
        self._train, self._weight = what
        self._recipe, self._seed = how
        self._frame_rate = self._recipe.windowing.rate / self._recipe.front_end.hop

    def __len__(self) -> int:
        return -(-len(self._chosen) // self._recipe.batch_size)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        size, schedule = self._recipe.batch_size, self._recipe.schedule
        chosen = self._chosen[number * size : (number + 1) * size]
        target = self._train.y_flat[chosen]
        classes, changes = len(self._train.labels), schedule.augmentation
        rng = np.random.default_rng([*self._seed, number])
        x = augment(self._train.pictures[chosen], changes, rng, frame_rate=self._frame_rate)
        y = np.eye(classes, dtype=np.float32)[target]
        y = y * (1 - schedule.smoothing) + np.float32(schedule.smoothing / classes)
        x, y = mix(x, y, changes.mixup, rng)
        return x, y, self._weight[target]
