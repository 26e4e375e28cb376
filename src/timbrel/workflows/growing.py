"""The learning curve: would more recordings help, and of which class."""

from __future__ import annotations

import math

import numpy as np

from timbrel.dataset.folds import Folds, groups_by_label
from timbrel.dataset.manifest import targets
from timbrel.evaluation.intervals import share_interval
from timbrel.training.prepare import Prepared
from timbrel.wording import counted
from timbrel.workflows.runner import Heard, Runner, Task

# Parts of each fold's training part, the whole of which cross-validation has trained on already.
SHARES = (0.125, 0.25, 0.5)


def grow(prepared: Prepared, held_out: np.ndarray, share: float, *, seed: int = 0) -> np.ndarray:
    """Choose a share of the groups of each class to train on, at least one.

    A larger share holds all of a smaller one, given the same seed.

    Args:
        prepared: the data set.
        held_out: bool `(recordings,)`, what is not trained on in any case.
        share: 0 to 1.
        seed: of the order in which groups come.

    Returns:
        bool `(recordings,)`, which recordings to train on.
    """
    left = [item for item, out in zip(prepared.recordings, held_out, strict=True) if not out]
    names = sorted({item.group for item in left})
    order = np.random.default_rng(seed).permutation(len(names))
    place = {names[number]: int(rank) for rank, number in enumerate(order)}
    chosen = set()
    for groups in groups_by_label(left).values():
        count = max(math.ceil(share * len(groups) - 1e-9), 1)
        chosen.update(sorted(groups, key=place.__getitem__)[:count])
    mine = np.array([item.group in chosen for item in prepared.recordings])
    return mine & ~held_out


def learning_curve(
    runner: Runner, prepared: Prepared, folds: Folds, *, full: list[Heard], seed: int = 0
) -> list[dict]:
    """Train on growing parts of each fold's training part; the `learning_curve` record.

    Args:
        runner: trains, or takes up what is trained.
        prepared: the data set.
        folds: how it is dealt; each network hears the fold that it was trained without.
        full: what the networks trained on the whole parts said.
        seed: of the choice, weights, order and dropout.

    Returns:
        For each share `recordings` (the mean over the folds), `share`, `accuracy` of files and its
        `ci95`, and `recall` by class.
    """
    rows = []
    for share in SHARES:
        heard, sizes = [], []
        for fold in range(len(folds)):
            held_out = folds.number == fold
            chosen = grow(prepared, held_out, share, seed=seed)
            learn, _ = prepared.examples.split(~chosen)
            name = f"fold {fold + 1} of {len(folds)} on {counted(chosen.sum(), 'recording')}"
            nothing = prepared.examples.select(np.zeros(len(prepared.examples), dtype=bool))
            task = Task(
                name=name,
                learn=learn,
                validation=None,
                numbers=np.flatnonzero(held_out),
                drawn=nothing,
                seed=seed,
            )
            heard.append(runner.run(task))
            sizes.append(int(chosen.sum()))
        rows.append(_row(prepared, heard, (float(np.mean(sizes)), share)))
        accuracy = rows[-1]["accuracy"]
        runner.tell(f"on {counted(np.mean(sizes), 'recording')}", f"{accuracy:.1%} of files right")
    whole = float(np.mean([(folds.number != fold).sum() for fold in range(len(folds))]))
    return [*rows, _row(prepared, full, (whole, 1.0))]


def _row(prepared: Prepared, heard: list[Heard], size: tuple[float, float]) -> dict:
    recordings = [prepared.recordings[number] for item in heard for number in item.numbers]
    labels = prepared.examples.labels
    target = targets(recordings, labels)
    right = np.concatenate([item.files for item in heard]).argmax(axis=1) == target
    groups = np.array([item.group for item in recordings])
    return {
        "recordings": round(size[0], 1),
        "share": size[1],
        "accuracy": float(right.mean()),
        "ci95": share_interval(right, groups),
        "recall": {
            label: float(right[target == number].mean())
            for number, label in enumerate(labels)
            if (target == number).any()
        },
    }
