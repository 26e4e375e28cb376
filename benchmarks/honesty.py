"""Claim: the tutorial's random-window split says far more than is true.

Runs `timbrel evaluate` on a data set: a recipe is trained once the tutorial's way (a tenth of the
drawn windows held out at random) and once for each fold of whole groups, and the three figures are
printed side by side. On `instruments` each of five folds holds out whole recordings, and the copies
of a recording with it; on `digits` a speaker is left out at a time. Each network learns from
everything outside its fold, for the recipe's number of epochs; nothing is chosen by the held-out
part.

    python benchmarks/honesty.py [--data instruments digits] [--recipe tutorial-cnn …] [--seed 0]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from machine import recordings, save
from timbrel import RECIPES, Progress, evaluate

FOLDS = {"instruments": 5, "digits": "group"}


class Lines(Progress):
    """Prints how each network did."""

    def row(self, table: str, row: Mapping[str, object]) -> None:
        if table == "folds":
            text = f"{row['files']} held-out files: {row['right'] / row['files']:.1%} right"
            print(f"  {row['name']}: {text}, windows {row['windows']:.1%}", flush=True)
        elif table == "random split":
            share = row["right"] / row["windows"]
            print(f"  {row['name']}: windows {share:.1%}", flush=True)


def figures(evaluation: dict) -> dict:
    """What is claimed, what is true, and what it cost."""
    leaky, file, window = (evaluation[key] for key in ("random_split", "file", "window"))
    return {
        "random_split_windows": {"accuracy": leaky["window_accuracy"], "ci95": leaky["ci95"]},
        "honest_windows": {"accuracy": window["accuracy"], "ci95": window["ci95"]["accuracy"]},
        "honest_files": {"accuracy": file["accuracy"], "ci95": file["ci95"]["accuracy"]},
        "gap": evaluation["gap"],
        "gap_ci95": evaluation["gap_ci95"],
        "calibration": evaluation["calibration"],
        "labels": evaluation["labels"],
        "confusion": evaluation["confusion"],
        "recall": {row["label"]: row["recall"] for row in evaluation["per_class"]},
        "data_set": evaluation["data"],
        "protocol": evaluation["protocol"],
        "seconds": evaluation["seconds"],
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", nargs="+", choices=FOLDS, default=list(FOLDS))
    options.add_argument("--recipe", nargs="+", choices=RECIPES, default=list(RECIPES))
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    lines = []
    for data in chosen.data:
        table, audio = recordings(data)
        for recipe in chosen.recipe:
            print(f"{recipe} on {data}", flush=True)
            result = evaluate(
                table,
                audio=audio,
                recipe=recipe,
                folds=FOLDS[data],
                seed=chosen.seed,
                resume=True,
                progress=Lines(),
            )
            found = figures(result.evaluation)
            save(f"honesty-{data}-{recipe}", {"data": data, "recipe": recipe, **found})
            claims = ("random_split_windows", "honest_windows", "honest_files")
            leaky, windows, files = (found[claim]["accuracy"] for claim in claims)
            low, high = found["honest_files"]["ci95"]
            lines.append(
                f"{data:12} {recipe:16} random windows {leaky:.1%}; held out: windows "
                f"{windows:.1%}, files {files:.1%} (95 % interval {low:.0%} to {high:.0%})"
            )
            print(lines[-1], flush=True)
    print("\n".join(["", *lines]))


if __name__ == "__main__":
    main()
