"""Claim: on other people's recordings the default recipe is right more often than the tutorial's.

Trains each recipe on `instruments` as `timbrel train` does, and asks all models about the same
recordings of `elsewhere`, three collections that nothing is trained on. Printed are the share of
recordings that are named rightly, calibration error, the AUROC of known against unknown sounds
(oboes and bassoons) by confidence, and the share of unknown sounds that is accepted as some
instrument, with 95 % intervals over the three collections. For our recipes these are development
scores: they were chosen with an eye on `elsewhere`.

    python benchmarks/elsewhere.py [--recipe tutorial-cnn statistics-cnn strong]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from machine import recordings, save
from timbrel import RECIPES, evaluate_models, train

SHOWN = ("tutorial-cnn", "statistics-cnn", "strong")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--recipe", nargs="+", choices=RECIPES, default=SHOWN)
    chosen = options.parse_args()
    table, audio = recordings("instruments")
    asked, _ = recordings("elsewhere")
    with tempfile.TemporaryDirectory() as folder:
        models = [
            train(table, Path(folder) / recipe, audio=audio, recipe=recipe).path
            for recipe in chosen.recipe
        ]
        evaluations = evaluate_models(asked, models).evaluations
    print("| recipe | files | ECE | AUROC of unknown | accepted |")
    print("|---" * 5 + "|")
    result = {}
    for recipe, found in zip(chosen.recipe, evaluations, strict=True):
        file, unknown = found["file"], found["unknown"]
        result[recipe] = {
            "files": file["accuracy"],
            "ci95": file["ci95"]["accuracy"],
            "ece": file["ece"],
            "unknown": {key: unknown[key] for key in ("auroc", "accept_rate", "ci95")},
        }
        low, high = file["ci95"]["accuracy"]
        print(
            f"| {recipe} | {file['accuracy']:.1%} ({low:.0%}–{high:.0%}) | {file['ece']:.3f} | "
            f"{unknown['auroc']:.2f} | {unknown['accept_rate']:.0%} |"
        )
    save("elsewhere", {"recipes": result})


if __name__ == "__main__":
    main()
