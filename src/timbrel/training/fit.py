"""Train a recipe's network on examples: epochs, early stopping, checkpoints, precision."""

from __future__ import annotations

import contextlib
import json
import math
import platform
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from timbrel.errors import ModelError
from timbrel.features.backend import keras
from timbrel.features.cache import load_arrays
from timbrel.files import replacing
from timbrel.networks.builders import network
from timbrel.networks.network import Network
from timbrel.networks.recipes import Recipe, Schedule, get_recipe
from timbrel.progress import Progress, watching
from timbrel.text import counted
from timbrel.training.examples import Examples
from timbrel.training.feed import Plain, Scheduled, one_or_several, views_of

# Batches of a network with one classifier that Keras passes to the backend at a time, which saves
# time and gives the same results. Networks with larger steps gain nothing and trace longer.
_STEPS_AT_ONCE = 16
_VALIDATION_BATCH = 512
# The least fall of a loss that counts, as a share of itself, and the least patience in epochs.
_LEAST_FALL = 0.002
_LEAST_PATIENCE = 3
# Targets that differ by less are the same.
_SAME = 1e-4

HISTORY_KEYS = ("epoch", "loss", "acc", "val_loss", "val_acc", "seconds")


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training between two epochs, in one file of a folder.

    Attributes:
        folder: a folder of its own in `checkpoint/` in the model directory.
        identity: recipe, data and options (JSON data); only an equal training can be resumed.
    """

    folder: Path
    identity: dict

    @property
    def file(self) -> Path:
        """The file, replaced after every epoch."""
        return self.folder / "state.npz"

    @property
    def _identity_and_backend(self) -> dict:
        return {**self.identity, "backend": keras.backend.backend()}

    def save(self, model: keras.Model, history: list[dict], best: list[np.ndarray]) -> None:
        """Write weights, optimiser state, history, and the best weights, which may be none.

        Raises:
            OutputError: the folder cannot be written.
        """
        variables = [*model.variables, *model.optimizer.variables]
        arrays = {
            f"variable_{number}": keras.ops.convert_to_numpy(variable)
            for number, variable in enumerate(variables)
        }
        arrays |= {f"best_{number}": weight for number, weight in enumerate(best)}
        facts = json.dumps({"identity": self._identity_and_backend, "history": history})
        with replacing(self.file) as temporary, open(temporary, "wb") as file:
            np.savez(file, said=np.array(facts), **arrays)

    def restore(self, model: keras.Model) -> tuple[list[dict], list[np.ndarray]]:
        """Put the state into a compiled model; return history and best weights, empty if none.

        Raises:
            ModelError: the checkpoint is damaged, or belongs to another training.
        """
        try:
            arrays = load_arrays(self.file)
            facts = json.loads(str(arrays.pop("said")))
        except FileNotFoundError:
            return [], []
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"The checkpoint {self.file} is damaged. Start again without --resume."
            ) from error
        for name, value in json.loads(json.dumps(self._identity_and_backend)).items():
            if facts["identity"].get(name) != value:
                raise ModelError(
                    f"The checkpoint in {self.folder} belongs to a training with another {name}. "
                    "Resume with the same data and options, or start again without --resume."
                )
        variables = [*model.variables, *model.optimizer.variables]
        for number, variable in enumerate(variables):
            variable.assign(arrays[f"variable_{number}"])
        kept = sum(name.startswith("best_") for name in arrays)
        return facts["history"], [arrays[f"best_{number}"] for number in range(kept)]

    def remove(self) -> None:
        """Remove the file, and its folders if they are then empty."""
        with contextlib.suppress(OSError):
            self.file.unlink()
        for folder in (self.folder, self.folder.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()


def training_policy(network: Network) -> str:
    """Keras dtype policy to train with: "mixed_bfloat16" where that is faster, else "float32".

    Matrix units for bfloat16 (Intel AMX) halve the time of an epoch of convolutions under
    TensorFlow, whose oneDNN kernels use them. Elsewhere bfloat16 is emulated and slower. Weights
    are float32 either way, and scores and exports come from a float32 network with the same
    weights.
    """
    fast = keras.backend.backend() == "tensorflow" and "amx_bf16" in _cpu_flags()
    return "mixed_bfloat16" if fast and network.faster_in_bfloat16 else "float32"


@cache
def _cpu_flags() -> set[str]:
    if platform.system() != "Linux":
        return set()
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(line.partition(":")[2].split())


@dataclass(frozen=True, repr=False)
class Fitted:
    """A trained network.

    Attributes:
        network: in float32, whatever it was trained in.
        scale: minimum and maximum of the training pictures, which became 0 and 1.
        history: a row for each epoch with `HISTORY_KEYS`; `val_` values are None without
            validation.
        policy: Keras dtype policy that it was trained with.
        stopped: whether training ended before all epochs, because the loss no longer fell.
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
        epochs = counted(len(self.history), "epoch")
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
    recipe: str | Recipe,
    *,
    validation: Examples | None = None,
    seed: int = 0,
    policy: str | None = None,
    checkpoint: Checkpoint | None = None,
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Fitted:
    """Train a network from scratch, or continue from a checkpoint.

    The order of the examples and the dropout of an epoch derive from the seed and the epoch alone,
    so that a resumed training ends with the same weights as an uninterrupted one. No global random
    state is used.

    Args:
        train: what to learn from; class weights are balanced over it.
        recipe: a recipe or its name; gives the network, the epochs, the batch size and the
            schedule.
        validation: examples for the `val_` figures; nothing is chosen by them.
        seed: of weights, order, dropout, and of copies and outliers where there are any.
        policy: Keras dtype policy; by default what `training_policy` finds fastest.
        checkpoint: where to store the state after every epoch.
        resume: continue from the checkpoint, where there is one.
        progress: True for bars, or an object that receives the stages "making copies", where the
            recipe has a schedule, and "training", in batches, and a row of the table "epochs"
            after each epoch, with `HISTORY_KEYS`.

    Raises:
        InvalidArgument: there is no recipe of that name, or its network cannot follow a schedule.
        ModelError: the checkpoint is damaged or belongs to another training.
        OutputError: the checkpoint cannot be written.
    """
    recipe = get_recipe(recipe)
    policy = policy or training_policy(recipe.network)
    shape, classes, schedule = train.input_shape, len(train.labels), recipe.schedule
    model = network(recipe, shape, classes, seed=seed, dtype=policy)
    fixed, learning = recipe.network.divide(model)
    with watching(progress) as told:
        if schedule is None:
            feed: Plain | Scheduled = Plain(train, recipe, seed=seed, fixed=fixed)
        else:
            feed = Scheduled(train, recipe, seed=seed, fixed=fixed, progress=told)
        epochs = recipe.epochs_for(feed.recordings)
        compile_network(learning, feed.optimizer(epochs))
        learning.optimizer.build(learning.trainable_variables)
        held_out = None
        if validation is not None and len(validation):
            held_out = one_or_several(views_of(validation.X, fixed)), validation.y
        history, best = checkpoint.restore(learning) if checkpoint and resume else ([], [])
        steps = _Steps(epochs, told)
        for epoch in range(len(history), epochs):
            if schedule is not None and stalled(history, schedule, epochs):
                break
            # Dropout of an epoch depends on the seed and the epoch alone.
            for number, layer in enumerate(learning.layers):
                generator = getattr(layer, "seed_generator", None)
                if generator is not None:
                    rng = np.random.default_rng([seed, epoch, number])
                    state = rng.integers(1, 2**31, size=2)
                    generator.state.assign(state.astype("uint32"))
            data = feed.epoch(epoch)
            started = time.perf_counter()
            logs = learning.fit(
                **data,
                validation_data=held_out,
                validation_batch_size=_VALIDATION_BATCH,
                callbacks=[steps],
                epochs=epoch + 1,
                initial_epoch=epoch,
                shuffle=False,
                verbose=0,
            ).history
            row: dict[str, float | None] = {"epoch": epoch + 1}
            for key in HISTORY_KEYS[1:5]:
                row[key] = float(logs[key][0]) if key in logs else None
            row["seconds"] = round(time.perf_counter() - started, 3)
            history.append(row)
            if schedule is not None and row["loss"] <= min(each["loss"] for each in history):
                best = learning.get_weights()
            if checkpoint:
                checkpoint.save(learning, history, best)
            told.row("epochs", row)
    if best:
        learning.set_weights(best)
    exact = network(recipe, shape, classes, seed=seed, dtype="float32")
    exact.set_weights(model.get_weights())
    recipe.network.finish(
        exact,
        pictures=train.X,
        target=train.y_flat,
        recording=train.recording,
        classes=classes,
    )
    return Fitted(
        network=exact,
        scale=train.value_range,
        history=history,
        policy=policy,
        stopped=len(history) < epochs,
    )


def stalled(history: list[dict], schedule: Schedule, epochs: int) -> bool:
    """Whether training has stopped learning: its loss no longer falls.

    Args:
        history: a row for each epoch with its `loss`.
        schedule: gives the patience.
        epochs: planned in all.
    """
    losses = [row["loss"] for row in history]
    patience = max(math.ceil(schedule.patience * epochs), _LEAST_PATIENCE)
    before, recent = losses[:-patience], losses[-patience:]
    return bool(before) and min(recent) > min(before) * (1 - _LEAST_FALL)


def _mean_loss(target, answers):
    """Cross-entropy of each classifier, averaged; `(batch,)`."""
    wanted = keras.ops.broadcast_to(target[:, None], keras.ops.shape(answers))
    each = keras.losses.categorical_crossentropy(wanted, answers)
    return keras.ops.mean(each, axis=1)


class _AccuracyOfMean(keras.metrics.Mean):
    """Accuracy of the mean answer over examples of classes.

    An outlier has no class; its target is the same probability for every class.
    """

    def update_state(self, target, answers, sample_weight=None):
        """Count a batch."""
        right = keras.metrics.categorical_accuracy(target, keras.ops.mean(answers, axis=1))
        has_class = keras.ops.max(target, axis=1) - keras.ops.min(target, axis=1) > _SAME
        return super().update_state(right, sample_weight=has_class)


class _Steps(keras.callbacks.Callback):
    """Reports how many batches of the whole training are done."""

    def __init__(self, epochs: int, progress: Progress) -> None:
        super().__init__()
        self.epochs, self.progress = epochs, progress
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        steps = self.params["steps"]
        # Keras counts the last group of batches as a full one.
        done = self.epoch * steps + min(batch + 1, steps)
        self.progress.stage("training", done, self.epochs * steps, f"epoch {self.epoch + 1}")
