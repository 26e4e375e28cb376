"""Claim: the tutorial's network trains at least 1.4 times as fast as with plain Keras.

Both train the same network from the same initial weights on the same windows with the same batch
size and epochs; the plain way is one `fit` with `shuffle=True` in float32. They take turns, seed
by seed, so that a busy machine slows both. Accuracy is that of a float32 network on recordings
that took no part in training. The gain comes from bfloat16 where the processor has matrix units
for it, and from handing Keras several batches at a time; elsewhere from the latter alone.

    python benchmarks/tutorial_training.py [--folds 1] [--seeds 3] [--epochs 10]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.model_selection import StratifiedKFold

from machine import instruments, save
from timbrel import fit, get_recipe, network, prepare, read_dataset
from timbrel.evaluation.calibration import file_means
from timbrel.training.examples import Examples


def plain(train: Examples, recipe, seed: int):
    """Train as the tutorial does; return the network and the seconds of each epoch."""
    import keras

    ends = []
    model = network(recipe, train.input_shape, len(train.labels), seed=seed)
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["acc"])
    clock = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
    )
    started = time.perf_counter()
    model.fit(
        train.X,
        train.y,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        shuffle=True,
        class_weight=train.class_weight,
        callbacks=[clock],
        verbose=0,
    )
    return model, list(np.diff([started, *ends]))


def timbrels(train: Examples, recipe, seed: int):
    """Train Timbrel's way; return the network and the seconds of each epoch."""
    fitted = fit(train, recipe, seed=seed)
    return fitted.network, [row["seconds"] for row in fitted.history]


def accuracy(model, held_out: Examples) -> tuple[float, float]:
    """Share of held-out windows and files that are answered correctly."""
    p = np.asarray(model.predict(held_out.X, batch_size=512, verbose=0))
    files, number = np.unique(held_out.recording, return_inverse=True)
    target = np.array([held_out.y_flat[number == file][0] for file in range(len(files))])
    by_file = file_means(p, number).argmax(axis=1)
    return float((p.argmax(1) == held_out.y_flat).mean()), float((by_file == target).mean())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--folds", type=int, default=1, help="how many of five folds")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--epochs", type=int, default=10)
    chosen = options.parse_args()
    recipe = get_recipe("tutorial-cnn").adjusted(epochs=chosen.epochs)
    prepared = prepare(read_dataset(*instruments()), recipe)
    labels = [item.label for item in prepared.recordings]
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(labels, labels))
    ways = {"plain Keras": plain, "timbrel": timbrels}
    seconds = {way: [] for way in ways}
    scores = {way: [] for way in ways}
    for fold in range(chosen.folds):
        held_out = np.isin(np.arange(len(labels)), folds[fold][1])
        train, aside = prepared.examples.split(held_out)
        for seed in range(chosen.seeds):
            for way, work in ways.items():
                model, epochs = work(train, recipe, seed)
                # The first epoch holds the compilation of the network.
                seconds[way] += epochs[1:] or epochs
                scores[way].append((fold, seed, *accuracy(model, aside)))
                median = np.median(epochs[1:] or epochs)
                windows, files = scores[way][-1][2:]
                print(
                    f"fold {fold} seed {seed} {way:12} {median:6.2f} s an epoch, "
                    f"windows {windows:.1%}, files {files:.1%}",
                    flush=True,
                )
    result = {
        "windows": len(train),
        "epochs": chosen.epochs,
        "folds": chosen.folds,
        "seeds": chosen.seeds,
        "ways": {
            way: {
                "seconds_per_epoch": round(float(np.median(seconds[way])), 2),
                "window_accuracy": round(float(np.mean([row[2] for row in scores[way]])), 4),
                "file_accuracy": round(float(np.mean([row[3] for row in scores[way]])), 4),
                "runs": scores[way],
            }
            for way in ways
        },
    }
    one, two = result["ways"].values()
    result["ratio"] = round(one["seconds_per_epoch"] / two["seconds_per_epoch"], 2)
    save("tutorial_training", result)
    for way, figures in result["ways"].items():
        print(
            f"{way:12} {figures['seconds_per_epoch']:6.2f} s an epoch, honest accuracy: "
            f"windows {figures['window_accuracy']:.1%}, files {figures['file_accuracy']:.1%}"
        )
    print(f"timbrel is {result['ratio']} times as fast")


if __name__ == "__main__":
    main()
