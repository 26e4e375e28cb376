"""Claim: few recordings need not be trained on for as long as many, and are not.

Of the 240 recordings of `instruments` outside the first fold (see `benchmarks/variants.py`), 2, 4
or 10 of each class are trained on, for as many windows as the default recipe would on hundreds of
recordings, and for a half, a quarter and so on of that. Asked are the others of the 240 and, for
the second figure, `elsewhere`. Printed are the shares that are named rightly, means over the draws
of the recordings, and epochs and seconds of one training; what the recipe itself does is marked
with a star.

    python benchmarks/few_recordings.py [--each 2 4 10] [--seeds 2]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from machine import save
from timbrel.training.fit import fit
from variants import OURS, Data, answers, data_for, inner_folds, only

SHARES = (1, 2, 4, 8, 16)


def measured(data: Data, target: np.ndarray, what: tuple[int, int, int]) -> dict:
    """Train on some recordings of each class, for a share of the windows, and ask the others."""
    each, share, seed = what
    inside = np.random.default_rng(seed).permutation(np.flatnonzero(data.training))
    classes = range(len(data.prepared.examples.labels))
    learn = np.concatenate([inside[target[inside] == number][:each] for number in classes])
    aside = np.setdiff1d(inside, learn)
    crops = OURS.schedule.crops // share
    schedule = replace(OURS.schedule, crops=crops, views=crops, least_crops=0, least_passes=0)
    started = time.perf_counter()
    fitted = fit(only(data, learn), replace(OURS, schedule=schedule), seed=seed)
    seconds = time.perf_counter() - started
    labels = data.prepared.examples.labels
    there = [labels.index(name) for name in data.label[~data.stranger]]
    own = answers(fitted, [data.known[number] for number in aside]).mean(axis=0)
    far = answers(fitted, data.elsewhere).mean(axis=0)[~data.stranger]
    return {
        "files": float((own.argmax(axis=1) == target[aside]).mean()),
        "elsewhere": float((far.argmax(axis=1) == there).mean()),
        "epochs": len(fitted.history),
        "seconds": round(seconds, 1),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--each", type=int, nargs="+", default=[2, 4, 10])
    options.add_argument("--seeds", type=int, default=2)
    chosen = options.parse_args()
    data = data_for(OURS.windowing, OURS.front_end, as_the_tutorial=False)
    target, _ = inner_folds(data)
    print("| recordings a class | windows trained on | files | elsewhere | epochs | seconds |")
    print("|---" * 6 + "|", flush=True)
    rows = []
    for each in chosen.each:
        for share in SHARES:
            seeds = [measured(data, target, (each, share, seed)) for seed in range(chosen.seeds)]
            row = {"each": each, "windows": OURS.schedule.crops // share}
            row |= {key: float(np.mean([one[key] for one in seeds])) for key in seeds[0]}
            rows.append(row)
            own = OURS.epochs_for(each * len(data.prepared.examples.labels)) == row["epochs"]
            windows = f"{row['windows']}{'*' if own else ''}"
            print(
                f"| {each} | {windows} | {row['files']:.1%} | {row['elsewhere']:.1%} | "
                f"{row['epochs']:.0f} | {row['seconds']:.0f} |",
                flush=True,
            )
    save("few-recordings", {"seeds": chosen.seeds, "rows": rows})


if __name__ == "__main__":
    main()
