"""Train a recipe's network on examples."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from timbrel.features.backend import keras
from timbrel.networks.builders import hidden_and_answer, network, parts
from timbrel.networks.distance import DistanceTemperature, weights_of
from timbrel.networks.recipes import Recipe, Schedule
from timbrel.training.checkpoint import Checkpoint
from timbrel.training.examples import Examples
from timbrel.training.feed import Plain, Scheduled, through
from timbrel.training.precision import training_policy

# Batches of a plain network that Keras hands to the backend at a time: fewer returns to Python, the
# same arithmetic. Larger steps gain nothing by it, and take longer to trace.
_STEPS_AT_ONCE = 16
_VALIDATION_BATCH = 512
# A loss that falls by less than this share of itself does not fall; in how many epochs at least.
_LEAST_FALL = 0.002
_LEAST_PATIENCE = 3
# Targets that differ by less are the same.
_SAME = 1e-4
# Windows that tell where the classes lie; more would say the same.
_MOST_KNOWN = 20_000

HISTORY_KEYS = ("epoch", "loss", "acc", "val_loss", "val_acc", "seconds")


@dataclass(frozen=True)
class Listener:
    """Who is told how training goes.

    Attributes:
        on_steps: called during an epoch with the epoch, and the batches done and to do in the whole
            training.
        on_epoch: called after an epoch with its row of the history.
        on_copies: called while copies are made to learn from, with how many of how many.
    """

    on_steps: Callable[[int, int, int], None] = lambda epoch, done, total: None
    on_epoch: Callable[[dict], None] = lambda row: None
    on_copies: Callable[[int, int], None] = lambda done, total: None


@dataclass(frozen=True, repr=False)
class Fitted:
    """A trained network.

    Attributes:
        network: in float32, whatever it was trained in.
        scale: minimum and maximum of the training pictures, which became 0 and 1.
        history: a row an epoch with `HISTORY_KEYS`; `val_` values are None without validation.
        policy: Keras dtype policy that it was trained with.
        stopped: whether training ended before all epochs, because the loss fell no more.
    """

    network: keras.Model
    scale: tuple[float, float]
    history: list[dict]
    policy: str
    stopped: bool = False

    def __repr__(self) -> str:
        last = self.history[-1] if self.history else {}
        figures = ", ".join(
            f"{key} {last[key]:.3f}" for key in HISTORY_KEYS[1:5] if last.get(key) is not None
        )
        epochs = f"{len(self.history)} epoch{'' if len(self.history) == 1 else 's'}"
        return f"Fitted({self.network.name!r}, {epochs}{f': {figures}' if figures else ''})"


def compile_network(model: keras.Model, optimizer: str | keras.Optimizer = "adam") -> keras.Model:
    """Compile a network for categorical cross-entropy and accuracy, as the tutorial does.

    Where a network ends in several classifiers, output `(batch, classifiers, classes)`, the loss is
    the mean of theirs and the accuracy that of their mean answer.
    """
    several = len(model.output_shape) == 3
    model.compile(
        loss=_mean_loss if several else "categorical_crossentropy",
        optimizer=optimizer,
        metrics=[_AccuracyOfMean(name="acc")] if several else ["acc"],
        steps_per_execution=1 if several else _STEPS_AT_ONCE,
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    return model


def fit(
    train: Examples,
    recipe: Recipe,
    *,
    validation: Examples | None = None,
    seed: int = 0,
    policy: str | None = None,
    checkpoint: Checkpoint | None = None,
    resume: bool = False,
    listener: Listener | None = None,
) -> Fitted:
    """Train a network from scratch, or on from a checkpoint.

    The order of the examples and the dropout of an epoch derive from the seed and the epoch alone,
    so that a resumed training ends where an undisturbed one does. No global random state is used.

    Args:
        train: what to learn from; class weights are balanced over it.
        recipe: names the network, the epochs, the batch size and the schedule.
        validation: what the `val_` figures are computed on; nothing is chosen by them.
        seed: of weights, order, dropout, and of copies and outliers where there are any.
        policy: Keras dtype policy; by default what `training_policy` finds fastest.
        checkpoint: where to keep the state after every epoch.
        resume: go on from the checkpoint, where there is one.
        listener: who is told.

    Raises:
        ModelError: the checkpoint is damaged or belongs to another training.
        OutputError: the checkpoint cannot be written.
    """
    policy, listener = policy or training_policy(recipe.network), listener or Listener()
    shape, classes = train.input_shape, len(train.labels)
    model = network(recipe, shape, classes, seed=seed, dtype=policy)
    fixed, learning = parts(model)
    scheduled = recipe.schedule is not None
    feed = _feed(train, recipe, seed, (fixed, listener))
    epochs = recipe.epochs_for(feed.recordings)
    compile_network(learning, feed.optimizer(epochs))
    learning.optimizer.build(learning.trainable_variables)
    history, best = checkpoint.restore(learning) if checkpoint and resume else ([], [])
    usual = {
        "validation_data": _held_out(validation, fixed),
        "callbacks": [_Steps(epochs, listener.on_steps)],
    }
    for epoch in range(len(history), epochs):
        if scheduled and stalled(history, recipe.schedule, epochs):
            break
        _reseed_dropout(learning, seed, epoch)
        history.append(_epoch(learning, feed.epoch(epoch), epoch, usual))
        if scheduled and history[-1]["loss"] <= min(row["loss"] for row in history):
            best = learning.get_weights()
        if checkpoint:
            checkpoint.save(learning, history, best)
        listener.on_epoch(history[-1])
    if best:
        learning.set_weights(best)
    exact = network(recipe, shape, classes, seed=seed, dtype="float32")
    exact.set_weights(model.get_weights())
    _know_classes(exact, train)
    how = {"history": history, "policy": policy, "stopped": len(history) < epochs}
    return Fitted(network=exact, scale=train.value_range, **how)


def _know_classes(model: keras.Model, train: Examples) -> None:
    """Tell a trained network where its classes lie, if it asks how far from them a sound is."""
    last = model.layers[-1]
    if not isinstance(last, DistanceTemperature):
        return
    few = np.unique(np.linspace(0, len(train) - 1, min(len(train), _MOST_KNOWN)).astype(int))
    known = train.select(few)
    hidden, _ = through(hidden_and_answer(model), known.X)
    last.set_weights(weights_of(hidden, known.y_flat, known.recording, classes=len(train.labels)))


def _feed(
    train: Examples, recipe: Recipe, seed: int, how: tuple[keras.Model | None, Listener]
) -> Plain | Scheduled:
    fixed, listener = how
    if recipe.schedule is None:
        return Plain(train, recipe, seed)
    return Scheduled(train, recipe, seed, fixed, tell=listener.on_copies)


def _held_out(validation: Examples | None, fixed: keras.Model | None) -> tuple | None:
    """What Keras's `fit` validates on."""
    if validation is None or not len(validation):
        return None
    return through(fixed, validation.X) if fixed else validation.X, validation.y


def stalled(history: list[dict], schedule: Schedule, epochs: int) -> bool:
    """Whether training has stopped learning: its loss falls no more.

    Args:
        history: a row an epoch, `loss` in it.
        schedule: names the patience.
        epochs: planned in all.
    """
    losses = [row["loss"] for row in history]
    patience = max(math.ceil(schedule.patience * epochs), _LEAST_PATIENCE)
    before, lately = losses[:-patience], losses[-patience:]
    return bool(before) and min(lately) > min(before) * (1 - _LEAST_FALL)


def _mean_loss(target, answers):
    """Cross-entropy of each classifier, averaged; `(batch,)`."""
    wanted = keras.ops.broadcast_to(target[:, None], keras.ops.shape(answers))
    each = keras.losses.categorical_crossentropy(wanted, answers)
    return keras.ops.mean(each, axis=1)


class _AccuracyOfMean(keras.metrics.Mean):
    """How often the mean answer is right, of all that has an answer: what is of no class has none.

    It is told by a target that is the same for every class.
    """

    def update_state(self, target, answers, sample_weight=None):
        """Count a batch."""
        right = keras.metrics.categorical_accuracy(target, keras.ops.mean(answers, axis=1))
        has_class = keras.ops.max(target, axis=1) - keras.ops.min(target, axis=1) > _SAME
        return super().update_state(right, sample_weight=has_class)


def _epoch(model: keras.Model, data: dict, epoch: int, usual: dict) -> dict:
    """Train one epoch, numbered from 0, on what its feed gives; its row of the history."""
    started = time.perf_counter()
    logs = model.fit(
        **data,
        **usual,
        epochs=epoch + 1,
        initial_epoch=epoch,
        shuffle=False,
        validation_batch_size=_VALIDATION_BATCH,
        verbose=0,
    ).history
    row = {key: float(logs[key][0]) if key in logs else None for key in HISTORY_KEYS[1:5]}
    return {"epoch": epoch + 1, **row, "seconds": round(time.perf_counter() - started, 3)}


def _reseed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    for number, layer in enumerate(model.layers):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            state = np.random.default_rng([seed, epoch, number]).integers(1, 2**31, size=2)
            generator.state.assign(state.astype("uint32"))


class _Steps(keras.callbacks.Callback):
    def __init__(self, epochs: int, tell: Callable[[int, int, int], None]) -> None:
        super().__init__()
        self.epochs, self.tell = epochs, tell
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        steps = self.params["steps"]
        # Keras counts the last group of batches as a full one.
        done = self.epoch * steps + min(batch + 1, steps)
        self.tell(self.epoch + 1, done, self.epochs * steps)
