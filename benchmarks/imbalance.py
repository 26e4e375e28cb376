"""Claim: small classes are not forgotten, and how the default recipe sees to that.

In each of the four folds of `benchmarks/variants.py`, inside the first training part of
`instruments`, the recordings that are trained on are thinned out: of the ten classes, in an order
that turns from fold to fold, 18, 14, 11, 9, 7, 5, 4, 3, 2 and 2 recordings stay. The network is
trained three times: with classes weighed by their recordings, as the recipe does; with recordings
of small classes repeated until all classes have as many; and with neither. It is scored on the
fold that was kept aside, in which all classes have six. Printed are the mean recall of all classes
and of the four smallest, with 95 % intervals from a bootstrap over the recordings.

    python benchmarks/imbalance.py [--seeds 3]
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from dataclasses import replace
from unittest.mock import patch

import numpy as np

from machine import save
from timbrel.evaluation.metrics import share_interval
from timbrel.training.examples import Examples
from timbrel.training.fit import fit
from variants import OURS, Data, answers, data_for, inner_folds, only

SIZES = (18, 14, 11, 9, 7, 5, 4, 3, 2, 2)
SMALLEST = 4


def thinned(target: np.ndarray, turn: int) -> tuple[np.ndarray, np.ndarray]:
    """Which recordings stay, at most `SIZES` of each class, and the classes from large to small."""
    order = np.roll(np.arange(len(SIZES)), turn)
    kept = [np.flatnonzero(target == n)[:size] for n, size in zip(order, SIZES, strict=True)]
    return np.sort(np.concatenate(kept)), order


def repeated(examples: Examples) -> Examples:
    """Repeat recordings of small classes until every class has as many as the largest."""
    classes = examples.recording_class
    numbers = np.unique(examples.recording)
    most = np.bincount(classes).max()
    chosen, recording = [], []
    for target in np.unique(classes):
        for turn in range(most):
            of_class = numbers[classes == target]
            places = np.flatnonzero(examples.recording == of_class[turn % len(of_class)])
            recording += [target * most + turn] * len(places)
            chosen += places.tolist()
    return replace(examples.select(np.array(chosen)), recording=np.array(recording))


def answered(data: Data, what: tuple[np.ndarray, np.ndarray], how: tuple[str, int]) -> np.ndarray:
    """What the recordings of a fold are taken for; int `(files,)`."""
    (learn, aside), (arm, seed) = what, how
    examples = only(data, learn)
    if arm == "repeated recordings":
        examples = repeated(examples)
    unweighted = patch(
        "timbrel.training.feed.balanced_class_weight",
        lambda target: dict.fromkeys(np.unique(target).tolist(), 1.0),
    )
    with unweighted if arm == "neither" else nullcontext():
        fitted = fit(examples, OURS, seed=seed)
    asked = answers(fitted, [data.known[number] for number in aside]).mean(axis=0)
    return asked.argmax(axis=1)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=3)
    chosen = options.parse_args()
    data = data_for(OURS.windowing, OURS.front_end, as_the_tutorial=False)
    target, folds = inner_folds(data)
    print("| small classes | mean recall | recall of the four smallest |")
    print("|---" * 3 + "|", flush=True)
    result = {}
    for arm in ("class weights", "repeated recordings", "neither"):
        found, small, file = [], [], []
        for seed in range(chosen.seeds):
            for turn, (learn, aside) in enumerate(folds):
                kept, order = thinned(target[learn], 3 * turn)
                answer = answered(data, (learn[kept], aside), (arm, seed))
                found.append(answer == target[aside])
                small.append(np.isin(target[aside], order[-SMALLEST:]))
                file.append(aside)
        # Every fold has as many of each class: the share that is right is the mean recall.
        found, small, file = (np.concatenate(part) for part in (found, small, file))
        result[arm] = {
            name: {"recall": float(found[of].mean()), "ci95": share_interval(found[of], file[of])}
            for name, of in (("all", np.ones(len(found), dtype=bool)), ("smallest", small))
        }
        cells = [
            f"{one['recall']:.1%} ({one['ci95'][0]:.0%}–{one['ci95'][1]:.0%})"
            for one in result[arm].values()
        ]
        print(f"| {arm} | {' | '.join(cells)} |", flush=True)
    save("imbalance", {"seeds": chosen.seeds, "arms": result})


if __name__ == "__main__":
    main()
