"""Claim: from WAV files to a model with its score, the default recipe is right more often, sooner.

Runs `timbrel train` with the tutorial's recipe and with the default in turn, each as a user would:
a fresh process, nothing in the cache, one held-out fifth, everything from reading the files to the
written model in the time. Prints both times, their ratio and both scores on held-out
recordings. Other work on the machine counts for both; with `--turns`, the ratio is the
median over the turns.

    python benchmarks/time_to_accuracy.py [--data instruments] [--turns 1]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import recordings, save
from timbrel.networks.recipes import DEFAULT_RECIPE, TUTORIAL_RECIPE


def trained(data: str, recipe: str, folder: Path) -> dict:
    """Seconds of one training, and its score."""
    table, audio = recordings(data)
    model = folder / "model"
    command = [sys.executable, "-m", "timbrel", "train", os.fspath(table), "-r", recipe]
    command += ["-o", os.fspath(model), "--quiet"]
    command += ["--audio", os.fspath(audio)] if audio else []
    started, before = time.perf_counter(), os.times()
    environment = {**os.environ, "TIMBREL_CACHE": os.fspath(folder / "cache")}
    subprocess.run(command, check=True, env=environment)
    spent, after = time.perf_counter() - started, os.times()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    evaluation = json.loads((model / "evaluation.json").read_text(encoding="utf-8"))
    return {
        "seconds": round(spent, 1),
        "cpu_seconds": round(cpu, 1),
        "files": evaluation["file"]["accuracy"],
        "ci95": evaluation["file"]["ci95"]["accuracy"],
        "bytes": (model / "model.onnx").stat().st_size,
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", choices=("instruments", "digits"), default="instruments")
    options.add_argument("--turns", type=int, default=1)
    chosen = options.parse_args()
    turns = []
    for _ in range(chosen.turns):
        turn = {}
        for recipe in (TUTORIAL_RECIPE, DEFAULT_RECIPE):
            with tempfile.TemporaryDirectory() as folder:
                turn[recipe] = trained(chosen.data, recipe, Path(folder))
            row = turn[recipe]
            low, high = row["ci95"]
            print(
                f"{recipe:16} {row['seconds']:6.1f} s ({row['cpu_seconds']:.1f} s of processor), "
                f"held-out files {row['files']:.1%} ({low:.0%} to {high:.0%}), "
                f"model.onnx {row['bytes'] / 1e6:.2f} MB",
                flush=True,
            )
        turns.append(turn)
    ratio = statistics.median(
        turn[TUTORIAL_RECIPE]["seconds"] / turn[DEFAULT_RECIPE]["seconds"] for turn in turns
    )
    print(f"The tutorial takes {ratio:.2f} times as long.")
    save(f"time-to-accuracy-{chosen.data}", {"turns": turns, "ratio": round(ratio, 2)})


if __name__ == "__main__":
    main()
