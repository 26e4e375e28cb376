"""Claim: `check` takes some 20 s for 3000 recordings on two cores, and finds what is amiss.

Speed: `digits` is checked in fresh processes, from their start to their end, and its files are read
with soundfile alone in as many threads; medians of the rounds. Caveat: other work on the machine
lengthens the time that passes, and on cores that share their units the processor time too, so the
load average before each round is given.

Copies: of recordings drawn at random from three real corpora and from the built-in synthesised
data set; wrong are pairs of two recordings of which the originals were not taken for one sound. The
thresholds were chosen on copies of recordings of the three real corpora; of these four only the
synthesised ones are new to them. What is found among the originals is listed apart, for nobody
knows whether they hold copies.

Defects: planted in the synthesised data set, each in so many recordings that have no other. What
is found of that kind about others is false where nothing was planted in them; one defect may well
bring about another (what is cut off early may be too short). They are looked for with the
tutorial's recipe, to which a tenth of a second is short.

    python benchmarks/check.py [--rounds 3] [--seed 0]
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import soundfile

from copies import COPIES, recall
from defects import DEFECTS, plant
from machine import recordings, save
from timbrel import Progress, check, read_dataset
from timbrel.dataset.synthesis import make_synthetic
from timbrel.networks.recipes import TUTORIAL_RECIPE
from timbrel.workers import in_order

# Recordings of each corpus that are copied, and recordings that each defect is planted in.
COPIED = {"instruments": 100, "digits": 200, "synthesised": 100, "elsewhere": 50}
PLANTED = 10
# Of the synthesised data set, which the tests never use.
SYNTHESIS_SEED = 20_251


class Stages(Progress):
    """Seconds of each stage, and processor seconds; those of the decoding processes left out."""

    def __init__(self) -> None:
        self.ends = {"": np.array([time.perf_counter(), time.process_time()])}

    def stage(self, name: str, done: float, total: float | None, note: str = "") -> None:
        self.ends[name] = np.array([time.perf_counter(), time.process_time()])

    def seconds(self) -> dict[str, list[float]]:
        """Both for each stage, from the end of the one before."""
        both = itertools.pairwise(self.ends.items())
        return {name: (end - start).round(2).tolist() for (_, start), (name, end) in both}


def check_here(name: str) -> dict:
    """Check a corpus in this process."""
    stages = Stages()
    table, audio = recordings(name)
    result = check(table, audio=audio, progress=stages)
    return {
        "files": len(result.recordings),
        "stages": stages.seconds(),
        "findings": dict(result.counts()),
        "same_sound": [
            f"{item.path}: {item.message}"
            for item in result.findings
            if item.kind in ("exact-duplicate", "near-duplicate")
        ],
    }


def processor() -> float:
    """Seconds of processor time of the processes that this one started and that ended."""
    return sum(os.times()[2:4])


def check_apart(name: str) -> dict:
    """Check a corpus in a fresh process; its seconds from start to end."""
    load, used, started = os.getloadavg()[0], processor(), time.perf_counter()
    command = [sys.executable, __file__, "--one", name]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output) | {
        "load_before": round(load, 2),
        "seconds": round(time.perf_counter() - started, 2),
        "processor_seconds": round(processor() - used, 2),
    }


def reading_alone(name: str) -> float:
    """Seconds that soundfile takes to read a corpus, in a thread for each core."""
    table, audio = recordings(name)
    files = [item.file for item in read_dataset(table, audio).recordings]
    started = time.perf_counter()
    for _ in in_order(lambda file: soundfile.read(file, dtype="float32"), files):
        pass
    return time.perf_counter() - started


def speed(rounds: int) -> dict:
    """Check `digits` so many times."""
    alone, runs = [], []
    for _ in range(rounds):
        alone.append(reading_alone("digits"))
        runs.append(check_apart("digits"))
        print(f"  {runs[-1]['seconds']:.1f} s, load {runs[-1]['load_before']}", flush=True)
    seconds = median(run["seconds"] for run in runs)
    return {
        "files": runs[0]["files"],
        "seconds": seconds,
        "processor_seconds": median(run["processor_seconds"] for run in runs),
        "stages": {
            stage: np.median([run["stages"][stage] for run in runs], axis=0).tolist()
            for stage in runs[0]["stages"]
        },
        "soundfile_alone_seconds": round(median(alone), 2),
        "ratio": round(seconds / median(alone), 1),
        "rounds": [
            {key: run[key] for key in ("load_before", "seconds", "processor_seconds")}
            for run in runs
        ],
        "findings": runs[0]["findings"],
        "same_sound": runs[0]["same_sound"],
    }


def drawn(files: Sequence[Path], count: int, rng: np.random.Generator) -> list[Path]:
    return [files[number] for number in sorted(rng.choice(len(files), count, replace=False))]


def copies(synthesised: Path, rng: np.random.Generator) -> dict[str, dict]:
    """Recall for each kind of copy, for each corpus."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, count in COPIED.items():
            table, audio = (synthesised, None) if name == "synthesised" else recordings(name)
            files = [item.file for item in read_dataset(table, audio).recordings]
            figures[name] = recall(drawn(files, count, rng), Path(folder))
    return figures


def defects(synthesised: Path, rng: np.random.Generator) -> dict[str, dict]:
    """Found and falsely accused, for each kind of defect."""
    folder = synthesised.parent
    items = read_dataset(synthesised).recordings
    label = {item.file.with_suffix(""): item.label for item in items}
    planted = plant([item.file for item in items], PLANTED, rng)
    with open(synthesised, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label"))
        for path in sorted((folder / "recordings").iterdir()):
            writer.writerow((path.relative_to(folder), label[path.with_suffix("")]))
    result = check(synthesised, recipe=TUTORIAL_RECIPE)
    accused = {(folder / item.path, item.kind) for item in result.findings}
    touched = {path for paths in planted.values() for path in paths}
    figures = {}
    for name, (kind, _) in DEFECTS.items():
        right = {path for other in DEFECTS if DEFECTS[other][0] == kind for path in planted[other]}
        others = {path for path, of in accused if of == kind} - right
        figures[name] = {
            "kind": kind,
            "planted": len(planted[name]),
            "found": sum((path, kind) in accused for path in planted[name]),
            "untouched_accused": len(others - touched),
            "accused_with_another_defect": len(others & touched),
        }
    kinds = {figure["kind"] for figure in figures.values()}
    return {
        "recordings": len(items),
        "untouched": len(items) - len(touched),
        "by_defect": figures,
        "other_findings": dict(Counter(kind for _, kind in accused if kind not in kinds)),
    }


def show_speed(result: dict) -> None:
    stages = ", ".join(
        f"{name} {seconds:.1f} ({processor:.1f})"
        for name, (seconds, processor) in result["stages"].items()
    )
    print(
        f"{result['files']} recordings of digits: {result['seconds']:.1f} s, "
        f"{result['processor_seconds']:.1f} s of processor time; {stages}, decoders not counted; "
        f"soundfile alone {result['soundfile_alone_seconds']:.1f} s, ratio {result['ratio']}"
    )


def show_copies(result: dict[str, dict], originals: dict[str, dict]) -> None:
    print(f"\n{'copies found, wrong pairs':26}" + "".join(f"{name:>18}" for name in result))
    for kind in COPIES:
        cells = [result[name][kind] for name in result]
        texts = [f"{c['found']} of {c['copies']}, {c['wrong_pairs']}" for c in cells]
        print(f"{kind:26}" + "".join(f"{text:>18}" for text in texts))
    for name, found in originals.items():
        print(f"among the {found['files']} originals of {name}: {len(found['same_sound'])} pairs")
        for line in found["same_sound"]:
            print(f"  {line}")


def show_defects(result: dict) -> None:
    print(f"\n{'planted':18}{'found':>12}{'also accused: untouched':>26}{'other defect':>14}")
    for name, row in result["by_defect"].items():
        found = f"{row['found']} of {row['planted']}"
        also = f"{row['untouched_accused']:>26}{row['accused_with_another_defect']:>14}"
        print(f"{name:18}{found:>12}{also}")
    print(
        f"{result['untouched']} of {result['recordings']} recordings were left untouched; "
        f"findings of other kinds: {result['other_findings']}"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--one", metavar="CORPUS", help="check one corpus and print JSON")
    chosen = options.parse_args()
    if chosen.one:
        print(json.dumps(check_here(chosen.one)))
        return
    fast = speed(chosen.rounds)
    show_speed(fast)
    originals = {name: check_apart(name) for name in ("instruments", "elsewhere")}
    rng = np.random.default_rng(chosen.seed)
    with tempfile.TemporaryDirectory() as folder:
        synthesised = make_synthetic(folder, seed=SYNTHESIS_SEED)
        copied = copies(synthesised, rng)
        show_copies(copied, {"digits": fast, **originals})
        planted = defects(synthesised, rng)
        show_defects(planted)
    save(
        "check",
        {"speed": fast, "originals": originals, "copies": copied, "defects": planted},
    )


if __name__ == "__main__":
    main()
