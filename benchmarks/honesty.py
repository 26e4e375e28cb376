"""Claim: the tutorial's random-window split says far more than is true.

Trains a recipe once the tutorial's way (a tenth of the drawn windows held out at random) and once
for each of five folds of whole recordings, and prints the three figures side by side. The folds
are `StratifiedKFold(5, shuffle=True, random_state=0)` over the recordings in file order. Each
network learns from everything outside its fold, for the recipe's number of epochs; nothing is
chosen by the held-out part. A file's answer is the mean over its drawn windows.

    python benchmarks/honesty.py [--recipe tutorial-cnn] [--seed 0]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.model_selection import StratifiedKFold

from machine import instruments, save
from timbrel import fit, get_recipe, prepare, read_dataset
from timbrel.evaluation.calibration import file_means
from timbrel.evaluation.metrics import interval


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--recipe", default="tutorial-cnn")
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    recipe = get_recipe(chosen.recipe)
    started = time.perf_counter()
    prepared = prepare(read_dataset(*instruments()), recipe)
    prepared_in = time.perf_counter() - started
    examples, recordings = prepared.examples, prepared.recordings

    order = np.random.default_rng(chosen.seed).permutation(len(examples))
    tenth = len(examples) // 10
    seen = examples.select(order[tenth:])
    fitted = fit(seen, recipe, seed=chosen.seed)
    low, high = fitted.scale
    aside = examples.select(order[:tenth])
    pictures = (aside.pictures - low) / (high - low)
    answers = fitted.network.predict(pictures, batch_size=512, verbose=0).argmax(axis=1)
    leaky = float((answers == aside.y_flat).mean())
    print(f"random windows held out: {leaky:.1%} of {tenth} windows right", flush=True)

    labels = [item.label for item in recordings]
    target = np.array([examples.labels.index(label) for label in labels])
    files = np.zeros((len(recordings), len(examples.labels)))
    right = np.zeros(len(examples), dtype=bool)
    folds = StratifiedKFold(5, shuffle=True, random_state=0).split(labels, labels)
    seconds = []
    for number, (_, test) in enumerate(folds):
        train, unheard = examples.split(np.isin(np.arange(len(labels)), test))
        before = time.perf_counter()
        fitted = fit(train, recipe, seed=chosen.seed)
        seconds.append(time.perf_counter() - before)
        p = fitted.network.predict(unheard.X, batch_size=512, verbose=0)
        members, number_of = np.unique(unheard.recording, return_inverse=True)
        files[members] = file_means(p, number_of)
        right[np.isin(examples.recording, test)] = p.argmax(axis=1) == unheard.y_flat
        share = (files[members].argmax(axis=1) == target[members]).mean()
        print(f"fold {number + 1}: {share:.1%} of {len(members)} files right", flush=True)
    honest = float((files.argmax(axis=1) == target).mean())
    span = interval(files, target, np.arange(len(target)))["accuracy"]
    result = {
        "recipe": recipe.name,
        "seed": chosen.seed,
        "random_split_window_accuracy": round(leaky, 4),
        "honest_window_accuracy": round(float(right.mean()), 4),
        "honest_file_accuracy": round(honest, 4),
        "honest_file_accuracy_ci95": [round(edge, 4) for edge in span],
        "seconds": {"prepare": round(prepared_in, 1), "train_a_fold": round(np.mean(seconds), 1)},
    }
    save(f"honesty-{recipe.name}", result)
    print(
        f"{recipe.name}: random windows {leaky:.1%}; unheard recordings: windows "
        f"{right.mean():.1%}, files {honest:.1%} (95 % interval {span[0]:.0%} to {span[1]:.0%})"
    )


if __name__ == "__main__":
    main()
