"""Claim: help in 0.25 s, a short file predicted from cold in 0.8 s, 200 MB to install, at most.

Timbrel is what `pip install timbrel` gives: its wheel without extras in a fresh environment. The
tutorial's way beside it (benchmarks/tutorial_predict.py) has an environment of its own and a Keras
model of the same weights as `tutorial-cnn`. Each is a fresh process from its start to its end, and
they take turns, on another short recording each round; medians of the rounds. Peak memory is that
of the whole process. The files that are read lie in the operating system's cache. Installed size is
that of all files of all packages, in millions of bytes, pip and setuptools left out; the tutorial's
way is given the smaller TensorFlow, without GPUs.

The classes that both name may differ where windows disagree: Timbrel's mean is over calibrated
probabilities, the tutorial's over those at temperature 1.

Caveat: other work on the machine lengthens the time that passes; processor time is given beside it,
and the load average before each round.

    python benchmarks/startup.py [--rounds 15] [--models FOLDER]

FOLDER keeps the trained models, `tutorial-cnn` and `statistics-cnn`, for the next time.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import Distribution, distributions
from pathlib import Path
from statistics import median

from machine import recordings, save

ROOT = Path(__file__).parents[1]
RECIPES = ("tutorial-cnn", "statistics-cnn")
THEIRS = ("keras", "tensorflow-cpu", "librosa", "pandas", "python_speech_features")
# Not what predicting needs, but what puts it there.
INSTALLERS = ("pip", "setuptools")
LONGEST = 2.0


def environment(folder: Path, *packages: str) -> Path:
    """A fresh environment with some packages in it; its folder of programs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    programs = folder / "bin"
    pip = (programs / "python", "-m", "pip", "install", "--quiet")
    subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", *packages], check=True)
    return programs


def megabytes(package: Distribution, ending: str = "") -> float:
    """Bytes of the files of a package, or of those with an ending, in millions."""
    paths = (Path(package.locate_file(file)) for file in package.files or ())
    sizes = (path.stat().st_size for path in paths if path.is_file() and path.name.endswith(ending))
    return sum(sizes) / 1e6


def installed(programs: Path) -> dict:
    """Size of an environment, and its largest packages."""
    site = next((programs.parent / "lib").glob("python3*")) / "site-packages"
    packages = {
        package.metadata["Name"]: package
        for package in distributions(path=[str(site)])
        if package.metadata["Name"] not in INSTALLERS
    }
    found = {name: megabytes(package) for name, package in packages.items()}
    largest = sorted(found, key=found.__getitem__, reverse=True)[:6]
    return {
        "megabytes": round(sum(found.values()), 1),
        "of_which_bytecode": round(sum(megabytes(it, ".pyc") for it in packages.values()), 1),
        "packages": len(found),
        "largest": {name: round(found[name], 1) for name in largest},
    }


def timed(command: list) -> tuple[dict, str]:
    """Seconds, processor seconds and peak memory of a process, and what it prints."""
    # Only what is installed beside the interpreter, and no greetings of TensorFlow's.
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    started = time.perf_counter()
    with subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        text=True,
    ) as process:
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    figures = {
        "seconds": time.perf_counter() - started,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "peak_megabytes": used.ru_maxrss * 1024 / 1e6,
    }
    return figures, output


def prepare(kept: Path, folder: Path, count: int) -> tuple[list[Path], list[Path]]:
    """Train what is not there yet, and save a Keras model of the same weights.

    Returns:
        What the tutorial's way reads: the network and its labels and scale; and so many short
        recordings, spread over those that there are.
    """
    import soundfile

    from timbrel import get_recipe, train
    from timbrel.networks.builders import untrained

    table, audio = recordings("instruments")
    for recipe in RECIPES:
        if not (kept / recipe / "model.onnx").is_file():
            train(table, kept / recipe, audio=audio, recipe=recipe)
    model, saved = kept / "tutorial-cnn", [folder / "tutorial.keras", folder / "settings.json"]
    metadata = json.loads((model / "model.json").read_text(encoding="utf-8"))
    same = untrained(get_recipe("tutorial-cnn"), len(metadata["labels"]))
    same.load_weights(model / "network.weights.h5")
    same.save(saved[0])
    settings = {"labels": metadata["labels"], "scale": metadata["scale"]}
    saved[1].write_text(json.dumps(settings), encoding="utf-8")
    short = [
        file for file in sorted(audio.glob("*.wav")) if soundfile.info(file).duration <= LONGEST
    ]
    return saved, short[:: max(len(short) // count, 1)][:count]


def measure(timbrel: Path, kept: Path, theirs: list, files: list[Path]) -> dict:
    """Let all take turns, a recording each round."""
    runs: dict[str, list[dict]] = {}
    loads, agreed = [], 0
    for file in files:
        loads.append(round(os.getloadavg()[0], 2))
        commands = {"timbrel --help": [timbrel, "--help"]}
        for recipe in RECIPES:
            words = [timbrel, "predict", file, "-m", kept / recipe]
            commands[f"timbrel predict, {recipe}"] = words
        commands["the tutorial's way"] = [*theirs, file]
        printed = {}
        for name, command in commands.items():
            figures, printed[name] = timed(command)
            runs.setdefault(name, []).append(figures)
        row = next(csv.DictReader(printed["timbrel predict, tutorial-cnn"].splitlines()))
        agreed += row["predicted"] == printed["the tutorial's way"].strip()
    return {
        "rounds": len(loads),
        "load_before": loads,
        "same_class": agreed,
        "ways": {
            name: {
                "fastest_seconds": round(min(run["seconds"] for run in figures), 3),
                **{key: round(median(run[key] for run in figures), 3) for key in figures[0]},
            }
            for name, figures in runs.items()
        },
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--models", type=Path, help="where trained models are kept")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept = chosen.models or folder / "models"
        # The peak of a process counts from that of the one that starts it, which must stay small.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            saved, files = pool.apply(prepare, (kept, folder, chosen.rounds))
        wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT]
        subprocess.run(wheel, check=True)
        ours = environment(folder / "ours", str(next(folder.glob("timbrel-*.whl"))))
        tutorial = environment(folder / "theirs", *THEIRS)
        theirs = [tutorial / "python", ROOT / "benchmarks" / "tutorial_predict.py", *saved]
        result = measure(ours / "timbrel", kept, theirs, files)
        sizes = {"timbrel": installed(ours), "the tutorial's way": installed(tutorial)}
    ways = result["ways"]
    same = ways["timbrel predict, tutorial-cnn"]["seconds"]
    result["ratio"] = round(ways["the tutorial's way"]["seconds"] / same, 1)
    save("startup", {**result, "installed": sizes})
    for name, figures in ways.items():
        print(
            f"{name:32} {figures['seconds']:6.2f} s (fastest {figures['fastest_seconds']:.2f}; "
            f"processor {figures['processor_seconds']:.2f} s), "
            f"{figures['peak_megabytes']:.0f} MB"
        )
    print(f"tutorial-cnn: {result['ratio']} times as fast as the tutorial's way; the same class")
    print(f"for {result['same_class']} of {result['rounds']} recordings")
    for name, size in sizes.items():
        largest = ", ".join(f"{one} {value:.0f}" for one, value in size["largest"].items())
        print(f"{name}: {size['megabytes']:.0f} MB installed ({largest})")


if __name__ == "__main__":
    main()
