"""What a network is given in each epoch: the tutorial's way, and by a schedule."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from timbrel.features.backend import keras
from timbrel.networks.builders import front_end
from timbrel.networks.recipes import Recipe
from timbrel.parallel import in_order
from timbrel.training.augment import augment
from timbrel.training.examples import Examples
from timbrel.training.outliers import outliers
from timbrel.training.synthesised import synthesised
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
        self.recordings = len(train.recording_class)

    def optimizer(self, epochs: int) -> str:
        """Return what the tutorial trains with, however many epochs."""
        return "adam"

    def epoch(self, epoch: int) -> dict:
        """Arguments of Keras's `fit` for an epoch, numbered from 0."""
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._x))
        return {"x": self._x[order], "y": self._y[order], **self._usual}


class Scheduled:
    """Every recording equally often, one of its changed copies at a time; see `Schedule`.

    Args:
        train: what to learn from, pictures in natural logarithms of power.
        recipe: its schedule, batch size, front end and sample rate.
        seed: of everything that is drawn.
        fixed: computes from pictures what learning begins with; see
            `timbrel.networks.builders.parts`.
        tell: called with how many copies and outliers are made, of how many.

    Attributes:
        recordings: number of recordings to learn from.
    """

    def __init__(
        self,
        train: Examples,
        recipe: Recipe,
        seed: int,
        fixed: keras.Model,
        *,
        tell: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self._recipe, self._seed = recipe, seed
        self._target = train.recording_class
        self.recordings = len(self._target)
        # Weights are balanced over recordings, each of which occurs equally often.
        weight = balanced_class_weight(self._target)
        self._weight = np.array([weight.get(n, 0.0) for n in range(len(train.labels))], "float32")
        copies = recipe.schedule.copies_each(self.recordings) * self.recordings
        # So many outliers that a network cannot learn them by heart.
        strange = max(round(recipe.schedule.outliers * copies), 1)
        whole = copies + strange
        self._views = _copies(train, recipe, seed, (fixed, lambda done: tell(done, whole)))
        said = (fixed, lambda done: tell(copies + done, whole))
        self._outliers = _of_no_class(train, recipe, seed, said, wanted=strange)

    def optimizer(self, epochs: int) -> keras.Optimizer:
        """AdamW; its rate rises and falls once over so many epochs.

        Source: Loshchilov & Hutter (2019), "Decoupled weight decay regularization"; Smith & Topin
        (2019), "Super-convergence", for the single cycle.
        """
        schedule = self._recipe.schedule
        passes = schedule.passes(self.recordings)
        windows = round(self.recordings * passes * (1 + schedule.outliers))
        steps = epochs * -(-windows // self._recipe.batch_size)
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
        """Arguments of Keras's `fit` for an epoch, numbered from 0.

        A copy of each recording, mixed, and its target with it, with that of another.

        Source: Zhang et al. (2018), "mixup: beyond empirical risk minimization".
        """
        rng = np.random.default_rng([self._seed, epoch])
        schedule, copies = self._recipe.schedule, self._views[0].shape[1]
        passes = schedule.passes(self.recordings)
        recording = np.concatenate([rng.permutation(self.recordings) for _ in range(passes)])
        target = self._target[recording]
        y = np.eye(len(self._weight), dtype=np.float32)[target]
        y = y * (1 - schedule.smoothing) + np.float32(schedule.smoothing / len(self._weight))
        place = recording, rng.integers(0, copies, len(recording))
        share = np.ones(len(recording), dtype=np.float32)
        if schedule.augmentation.mixup:
            drawn = rng.beta(*[schedule.augmentation.mixup] * 2, len(recording))
            share = np.maximum(drawn, 1 - drawn).astype(np.float32)
        other = rng.permutation(len(recording))

        def mixed(values: np.ndarray) -> np.ndarray:
            part = share.reshape(-1, *[1] * (values.ndim - 1))
            return part * values + (1 - part) * values[other]

        strange = round(schedule.outliers * len(recording))
        drawn = rng.integers(0, len(self._outliers[0]), strange)
        order = rng.permutation(len(recording) + strange)
        none = np.full((strange, y.shape[1]), 1 / y.shape[1], dtype=np.float32)
        views = zip(self._views, self._outliers, strict=True)
        return {
            "x": [np.concatenate([mixed(view[place]), out[drawn]])[order] for view, out in views],
            "y": np.concatenate([mixed(y), none])[order],
            "sample_weight": np.concatenate([self._weight[target], np.ones(strange)])[order],
            "batch_size": self._recipe.batch_size,
        }


# The fixed part of a network, and who is told how many pictures have gone through it.
_Through = tuple[keras.Model, Callable[[int], None]]


def _copies(train: Examples, recipe: Recipe, seed: int, how: _Through) -> list[np.ndarray]:
    """What learning begins with, for changed copies of each recording.

    The windows of a recording take turns.

    Returns:
        Float32 `(recordings, copies, …)` for each output of the fixed part.
    """
    used, count = np.unique(train.recording, return_counts=True)
    order = np.argsort(train.recording, kind="stable")
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    copies = recipe.schedule.copies_each(len(used))
    chosen = order[first[:, None] + np.arange(copies) % count[:, None]].ravel()

    def changed(start: int) -> np.ndarray:
        pictures = train.pictures[chosen[start : start + _AT_ONCE]]
        return _changed(pictures, recipe, np.random.default_rng([seed, _OF_COPIES, start]))

    views = _computed(changed, len(chosen), how)
    return [view.reshape(len(used), copies, *view.shape[1:]) for view in views]


def _of_no_class(
    train: Examples, recipe: Recipe, seed: int, how: _Through, *, wanted: int
) -> list[np.ndarray]:
    """What learning begins with, for outliers; float32 `(n, …)` for each output of the fixed part.

    In equal parts made of the training pictures, drawn from nothing, and, where there are any,
    drawn from the examples of none of these; `wanted` or a few more.
    """
    layer, given = front_end(recipe).layers[0], train.none_of_these
    part = _AT_ONCE // (3 if given else 2)

    def made(start: int) -> np.ndarray:
        rng = np.random.default_rng([seed, _OF_OUTLIERS, start])
        chosen = rng.integers(0, len(train), part)
        found = [outliers(train.pictures[chosen], train.y_flat[chosen], rng)]
        found.append(synthesised(part, train.input_shape[0], layer, rng=rng))
        if given:
            found.append(given.pictures[rng.integers(0, len(given), _AT_ONCE - 2 * part)])
        return _changed(np.concatenate(found), recipe, rng)

    return _computed(made, wanted, how)


def _changed(pictures: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    frame_rate = recipe.windowing.rate / recipe.front_end.hop
    return augment(pictures, recipe.schedule.augmentation, rng, frame_rate=frame_rate)


def _computed(make: Callable[[int], np.ndarray], count: int, how: _Through) -> list[np.ndarray]:
    """What the fixed part of a network makes of pictures that are made some at a time, in order.

    Pictures are made in other threads while this one computes.
    """
    (fixed, tell), views = how, []
    starts = range(0, count, _AT_ONCE)
    for start, part in zip(starts, in_order(make, starts), strict=True):
        views.append(through(fixed, part))
        tell(min(start + _AT_ONCE, count))
    return [np.concatenate(view) for view in zip(*views, strict=True)]


def through(fixed: keras.Model, pictures: np.ndarray) -> list[np.ndarray]:
    """What the fixed part of a network makes of pictures; float32 `(n, …)` each."""
    views = []
    for start in range(0, len(pictures), _AT_ONCE):
        part = pictures[start : start + _AT_ONCE]
        missing = _AT_ONCE - len(part)
        # Always as many, because another number would be compiled for anew.
        padded = np.pad(part, [(0, missing), (0, 0), (0, 0)])
        views.append([view[: len(part)] for view in fixed.predict_on_batch(padded)])
    return [np.concatenate(view) for view in zip(*views, strict=True)]


# Pictures that are changed and computed at a time.
_AT_ONCE = 128
# Tells the draw of the copies from that of the epochs.
_OF_COPIES, _OF_OUTLIERS = 1 << 31, (1 << 31) + 1
