"""Claim: the tutorial's network trains at least 1.4 times as fast as with plain Keras.

Both train the same network from the same initial weights on the same windows with the same batch
size and epochs; the plain way is Keras's `fit` with `shuffle=True` in float32. They take turns,
epoch by epoch, and the ratio is the median over the pairs, because other work on the machine can
double the time of an epoch. Accuracy is that of a float32 network on recordings that took no part
in training. The gain comes from bfloat16 where the processor has matrix units for it, and from
handing Keras several batches at a time; elsewhere from the latter alone.

    python benchmarks/tutorial_training.py [--folds 1] [--seeds 3] [--epochs 10]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.model_selection import StratifiedKFold

from machine import recordings, save
from timbrel import Progress, Recipe, fit, get_recipe, network, prepare, read_dataset
from timbrel.evaluation.calibration import file_means
from timbrel.training.examples import Examples


class Plain(Progress):
    """The tutorial's way, an epoch after each of those of `fit`."""

    def __init__(self, train: Examples, recipe: Recipe, seed: int) -> None:
        self.train, self.recipe = train, recipe
        self.model = network(recipe, train.input_shape, len(train.labels), seed=seed)
        self.model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["acc"])
        self.arrays = (train.X, train.y)
        self.seconds: list[float] = []

    def row(self, table: str, row: dict) -> None:
        """Train one epoch."""
        started = time.perf_counter()
        self.model.fit(
            *self.arrays,
            epochs=1,
            batch_size=self.recipe.batch_size,
            shuffle=True,
            class_weight=self.train.class_weight,
            verbose=0,
        )
        self.seconds.append(time.perf_counter() - started)


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
    prepared = prepare(read_dataset(*recordings("instruments")), recipe)
    labels = [item.label for item in prepared.recordings]
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(labels, labels))
    ways = ("plain Keras", "timbrel")
    seconds = {way: [] for way in ways}
    scores = {way: [] for way in ways}
    for fold in range(chosen.folds):
        held_out = np.isin(np.arange(len(labels)), folds[fold][1])
        train, aside = prepared.examples.split(held_out)
        for seed in range(chosen.seeds):
            plain = Plain(train, recipe, seed)
            fitted = fit(train, recipe, seed=seed, progress=plain)
            models = (plain.model, fitted.network)
            times = (plain.seconds, [row["seconds"] for row in fitted.history])
            for way, model, epochs in zip(ways, models, times, strict=True):
                # The first epoch holds the compilation of the network.
                seconds[way] += epochs[1:] or epochs
                scores[way].append((fold, seed, *accuracy(model, aside)))
                windows, files = scores[way][-1][2:]
                print(
                    f"fold {fold} seed {seed} {way:12} {np.median(epochs):6.2f} s an epoch, "
                    f"windows {windows:.1%}, files {files:.1%}",
                    flush=True,
                )
    ratios = np.array(seconds["plain Keras"]) / np.array(seconds["timbrel"])
    result = {
        "windows": len(train),
        "epochs": chosen.epochs,
        "folds": chosen.folds,
        "seeds": chosen.seeds,
        "trained_in": fitted.policy,
        "ratio": round(float(np.median(ratios)), 2),
        "ratio_quartiles": [round(float(edge), 2) for edge in np.percentile(ratios, [25, 75])],
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
    save("tutorial_training", result)
    for way, figures in result["ways"].items():
        print(
            f"{way:12} {figures['seconds_per_epoch']:6.2f} s an epoch, honest accuracy: "
            f"windows {figures['window_accuracy']:.1%}, files {figures['file_accuracy']:.1%}"
        )
    low, high = result["ratio_quartiles"]
    print(f"timbrel is {result['ratio']} times as fast (quartiles {low} to {high})")


if __name__ == "__main__":
    main()
