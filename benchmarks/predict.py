"""Claim: the same model answers many times as fast as the tutorial's way of predicting.

Predicts all recordings of a data set with the tutorial's model, once the tutorial's way (librosa,
pandas' envelope, python_speech_features, Keras `predict`, file by file) and by `timbrel predict`,
and with the default recipe. Beside them the limit: onnxruntime alone, on windows that lie ready in
memory; and what the tutorial's own script does, a Keras `predict` for each window, on every 25th
recording. Then it says where the time goes, on one core, and how far each part is from doing
nothing but its library's call. Prints audio seconds per second, the ratio to the tutorial's way,
and the share of files on which the two ways agree; accuracy is not measured here, since the models
were trained on these recordings.

    python benchmarks/predict.py [--data instruments] [--models FOLDER] [--turns 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from machine import recordings, save
from timbrel.audio.decode import decode
from timbrel.audio.windows import Windowing, consecutive, keep
from timbrel.dataset.manifest import read_dataset
from timbrel.inference.predictor import Predictor, load
from timbrel.networks.recipes import DEFAULT_RECIPE, TUTORIAL_RECIPE, Recipe
from timbrel.workers import in_order


def model_of(recipe: str, data: str, folder: Path) -> Path:
    """A model of a recipe; trained where there is none."""
    model = folder / recipe
    if not (model / "model.json").is_file():
        table, audio = recordings(data)
        command = [sys.executable, "-m", "timbrel", "train", os.fspath(table), "-q"]
        command += ["-r", recipe, "-o", os.fspath(model)]
        command += ["--audio", os.fspath(audio)] if audio else []
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return model


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Seconds of wall clock, and what the work returned."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def ours(model: Path, files: Sequence[Path]) -> list:
    """What `timbrel predict` says of each file."""
    return [found[0] for found in load(model).predict_many(files)]


def as_a_command(model: Path, files: Sequence[Path]) -> None:
    """The whole program, as somebody types it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.csv"
        command = [sys.executable, "-m", "timbrel", "predict", "-m", os.fspath(model)]
        names = [os.fspath(file) for file in files]
        subprocess.run([*command, "-q", "-o", os.fspath(out), *names], check=True)


def windows_of(files: Sequence[Path], windowing: Windowing) -> list[np.ndarray]:
    """All windows of each file, in memory."""
    return [
        np.ascontiguousarray(
            consecutive(
                keep(decode(file, windowing.rate).waveform, windowing)[0], windowing
            ).samples
        )
        for file in files
    ]


def graph_alone(predictor: Predictor, windows: list[np.ndarray]) -> float:
    """Seconds of onnxruntime on windows that lie ready, on all cores."""
    return timed(lambda: list(in_order(predictor.probabilities, windows)))[0]


class TutorialsWay:
    """Keras, librosa, pandas and python_speech_features, file by file.

    Args:
        model: a model of the recipe `tutorial-cnn`, whose weights Keras loads.
    """

    def __init__(self, model: Path) -> None:
        from timbrel.networks.builders import network

        self.predictor = load(model)
        metadata = self.predictor.metadata
        recipe = Recipe.from_dict(metadata["recipe"])
        self.scale, self.temperature = metadata["scale"], metadata["temperature"]
        self.network = network(recipe, (13, 9, 1), len(metadata["labels"]))
        self.network.load_weights(model / "network.weights.h5")

    def __call__(self, file: Path, *, each: bool = False) -> str:
        """The class of a recording; `each` asks about one window after the other."""
        from tutorial_predict import pictures

        low, high = self.scale
        scaled = np.float32((pictures(file)[..., np.newaxis] - low) / (high - low))
        asked = np.split(scaled, len(scaled)) if each else [scaled]
        probabilities = np.concatenate([self.network.predict(x, verbose=0) for x in asked])
        # As the exported model is calibrated.
        cooled = probabilities ** (1 / self.temperature)
        mean = (cooled / cooled.sum(axis=1, keepdims=True)).mean(axis=0)
        return self.predictor.labels[int(mean.argmax())]


def parts(files: Sequence[Path], predictor: Predictor) -> dict[str, float]:
    """Seconds of processor of each part on one core, nothing but the libraries' calls."""
    windowing = predictor.windowing
    spent, begun = {}, time.process_time()

    def note(name: str) -> None:
        nonlocal begun
        spent[name] = round(time.process_time() - begun, 2)
        begun = time.process_time()

    read = [soundfile.read(file, dtype="float32", always_2d=True) for file in files]
    note("read")
    waveforms = [soxr.resample(samples[:, 0], rate, windowing.rate) for samples, rate in read]
    note("resample")
    kept = [keep(waveform, windowing)[0] for waveform in waveforms]
    note("clean")
    windows = [np.ascontiguousarray(consecutive(item, windowing).samples) for item in kept]
    note("cut")
    for item in windows:
        predictor.probabilities(item)
    note("graph")
    return spent


def measured(model: Path, files: list[Path], turns: int) -> dict:
    """Audio seconds per second of `timbrel predict`, and of onnxruntime alone."""
    predictor = load(model)
    windows = windows_of(files, predictor.windowing)
    library, command, graph = [], [], []
    for _ in range(turns):
        seconds, answers = timed(lambda: ours(model, files))
        library.append(seconds)
        command.append(timed(lambda: as_a_command(model, files))[0])
        graph.append(graph_alone(predictor, windows))
    audio = sum(item.seconds for item in answers)
    middle = statistics.median
    return {
        "audio_seconds": round(audio, 1),
        "library": round(audio / middle(library)),
        "command": round(audio / middle(command)),
        "onnxruntime_alone": round(audio / middle(graph)),
        "times_the_limit": round(middle(library) / middle(graph), 2),
        "processor_seconds": parts(files, predictor),
        "predicted": [item.predicted for item in answers],
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", choices=("instruments", "digits"), default="instruments")
    options.add_argument("--models", type=Path, help="folder of models, kept; temporary by default")
    options.add_argument("--turns", type=int, default=3)
    chosen = options.parse_args()
    dataset = read_dataset(recordings(chosen.data)[0], audio=recordings(chosen.data)[1])
    files = [recording.file for recording in dataset.recordings]
    result = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.models or Path(temporary)
        for recipe in (TUTORIAL_RECIPE, DEFAULT_RECIPE):
            model = model_of(recipe, chosen.data, folder)
            result[recipe] = row = measured(model, files, chosen.turns)
            print(
                f"{recipe:16} {row['library']:5} s of sound per second, {row['command']} with the "
                f"start of the program; onnxruntime alone {row['onnxruntime_alone']}, "
                f"{row['times_the_limit']:.2f} times its time; processor "
                + ", ".join(f"{name} {s} s" for name, s in row["processor_seconds"].items()),
                flush=True,
            )
        tutorial = TutorialsWay(folder / TUTORIAL_RECIPE)
        tutorial(files[0])
        seconds, predicted = timed(lambda: [tutorial(file) for file in files])
        some = files[::25]
        slow, _ = timed(lambda: [tutorial(file, each=True) for file in some])
        heard = sum(soundfile.info(file).duration for file in some)
    row = result[TUTORIAL_RECIPE]
    speed = row["audio_seconds"] / seconds
    same = [one == other for one, other in zip(predicted, row["predicted"], strict=True)]
    agree = float(np.mean(same))
    ratio = row["library"] / speed
    print(f"the tutorial's way {speed:.1f}; the same model here: {ratio:.0f} times as fast")
    print(f"A Keras `predict` for each window, on {len(some)} recordings: {heard / slow:.1f}")
    print(f"The two ways agree on {agree:.1%} of {len(files)} files.")
    for each in result.values():
        del each["predicted"]
    facts = {
        "speed": round(speed, 1),
        "ratio": round(ratio, 1),
        "agreement": agree,
        "speed_window_by_window": round(heard / slow, 1),
    }
    save(f"predict-{chosen.data}", {"recipes": result, "tutorials_way": facts})


if __name__ == "__main__":
    main()
