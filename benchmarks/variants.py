"""Claim: what each part of the recipes is worth, measured where choosing is allowed.

Of the fixed folds of `instruments` the first is put aside. The 240 recordings outside it are dealt
into four folds anew; each variant is trained without each of them and scored on it. The four
networks then classify `elsewhere`, which nothing is trained on; the figures there are the means of
theirs. The answer for a file is the mean over its consecutive windows, uncalibrated. *Unknown* is
told by the highest probability: of the oboes and bassoons of `elsewhere`; of sounds that are made
up (`timbrel.evaluation.sanity`), from the files of the fold; and with `--unknown` of two classes
out of ten that five further networks were trained without. In brackets stands what the same
networks reach without the temperature that is a distance (`timbrel.networks.layers`). Seconds are
those of one training, with everything prepared.

    python benchmarks/variants.py [--variant NAME …] [--seeds 1] [--unknown]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from machine import recordings, save
from recipes import multiply_adds, table_with_folds
from timbrel import RECIPES, read_dataset
from timbrel.audio.decode import decode
from timbrel.audio.windows import Windowing, consecutive, counting, keep, windows_at_once
from timbrel.dataset.recording import Recording, targets
from timbrel.evaluation.calibration import file_means
from timbrel.evaluation.crossval import left_out_parts
from timbrel.evaluation.metrics import share_interval
from timbrel.evaluation.sanity import SOUNDS
from timbrel.features.backend import keras
from timbrel.networks.builders import front_end, untrained
from timbrel.networks.recipes import CNN, LogMelSettings, MFCCSettings, Recipe
from timbrel.training.examples import Examples
from timbrel.training.fit import Fitted, fit
from timbrel.training.prepare import Prepared, prepare

OURS = RECIPES["statistics-cnn"]
TUTORIAL = RECIPES["tutorial-cnn"]


def network(**changes: object) -> Recipe:
    """Ours with another network."""
    return replace(OURS, network=replace(OURS.network, **changes))


def schedule(**changes: object) -> Recipe:
    """Ours with another schedule."""
    return replace(OURS, schedule=replace(OURS.schedule, **changes))


def augmented(**changes: object) -> Recipe:
    """Ours with other changes of the copies."""
    return schedule(augmentation=replace(OURS.schedule.augmentation, **changes))


def heard(**changes: object) -> Recipe:
    """Ours with another front end."""
    return replace(OURS, front_end=replace(OURS.front_end, **changes))


# A second at a time, so that there is something to stride over.
SECOND = replace(TUTORIAL, windowing=replace(TUTORIAL.windowing, window=16_000, hop=16_000))

VARIANTS = {
    "tutorial-cnn": TUTORIAL,
    "tutorial-dropout-between": replace(TUTORIAL, network=CNN(between=0.25)),
    "tutorial-second": SECOND,
    "tutorial-second-stride-2": replace(SECOND, network=CNN(strides=(2,))),
    "tutorial-second-stride-5": replace(SECOND, network=CNN(strides=(5,))),
    "statistics-cnn": OURS,
    "no-outliers": schedule(outliers=0.0),
    "no-changes": augmented(share=0.0, shift=0.0),
    "no-mixup": augmented(mixup=0.0),
    "no-smoothing": schedule(smoothing=0.0),
    "half-as-long": schedule(crops=OURS.schedule.crops // 2),
    "twice-as-long": schedule(crops=OURS.schedule.crops * 2),
    "batch-64": replace(OURS, batch_size=64),
    "frames-every-16-ms": heard(hop=512),
    "windows-apart": replace(OURS, windowing=replace(OURS.windowing, hop=OURS.windowing.window)),
    "quiet-windows-too": replace(OURS, windowing=replace(OURS.windowing, depth=None)),
    "rate-16-khz": replace(
        OURS,
        windowing=replace(OURS.windowing, rate=16_000, window=49_152, hop=24_576),
        front_end=replace(OURS.front_end, frame=1024, hop=512, nfft=1024),
    ),
    "and-the-picture": network(picture=RECIPES["strong"].network.picture),
    "strong": RECIPES["strong"],
}


class Asked:
    """Pictures of the consecutive windows of recordings, computed once for each front end."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        model = front_end(recipe)
        self._transform = model.layers[0].transform(model)

    def pictures(self, waveform: np.ndarray) -> np.ndarray:
        """Pictures of a recording; float32 `(n, …)`."""
        windowing = self._recipe.windowing
        windows = counting(consecutive(keep(waveform, windowing)[0], windowing).samples, windowing)
        size = windows_at_once(windows.shape[1], most=512)
        parts = [windows[start : start + size] for start in range(0, len(windows), size)]
        return np.concatenate([self._transform(part) for part in parts])

    def of(self, items: Sequence[Recording]) -> list[np.ndarray]:
        """Pictures of each recording."""
        rate = self._recipe.windowing.rate
        return [self.pictures(decode(item.file, rate).waveform) for item in items]

    def of_sounds(self) -> list[np.ndarray]:
        """Pictures of sounds that are made up and no recording of anything."""
        rate = self._recipe.windowing.rate
        seeds = range(3)
        sounds = [make(rate, seed) for make in SOUNDS.values() for seed in seeds]
        return [self.pictures(sound) for sound in sounds if sound.any()]


@dataclass(frozen=True)
class Data:
    """Everything that a variant is trained on and asked of, as pictures."""

    prepared: Prepared
    training: np.ndarray
    known: list[np.ndarray]
    elsewhere: list[np.ndarray]
    sounds: list[np.ndarray]
    label: np.ndarray
    stranger: np.ndarray


@cache
def data_for(
    windowing: Windowing, front: MFCCSettings | LogMelSettings, as_the_tutorial: bool
) -> Data:
    """Read everything for a front end."""
    recipe = replace(TUTORIAL if as_the_tutorial else OURS, windowing=windowing, front_end=front)
    with tempfile.TemporaryDirectory() as folder:
        dataset = read_dataset(table_with_folds("instruments", Path(folder)))
        prepared = prepare(dataset, recipe)
    outside, _ = recordings("elsewhere")
    strangers = read_dataset(outside).recordings
    asked = Asked(recipe)
    fold = np.array([item.fold for item in prepared.recordings])
    return Data(
        prepared=prepared,
        training=fold != min(fold),
        known=asked.of(prepared.recordings),
        elsewhere=asked.of(strangers),
        sounds=asked.of_sounds(),
        label=np.array([item.label for item in strangers]),
        stranger=np.array([item.none_of_these for item in strangers]),
    )


def answers(fitted: Fitted, pictures: list[np.ndarray]) -> np.ndarray:
    """Mean probabilities of each recording by each classifier; `(classifiers, recordings, n)`."""
    model = fitted.network
    if not isinstance(model, keras.Sequential):
        fixed, learning = OURS.network.divide(model)
        model = keras.Model(fixed.input, learning(fixed.output))
    found = means(model, fitted, pictures)
    classes = fitted.network.output_shape[1]
    return found.reshape(len(found), -1, classes).swapaxes(0, 1)


def means(model: keras.Model, fitted: Fitted, pictures: list[np.ndarray]) -> np.ndarray:
    """What a model says of pictures, mean of each recording; `(recordings, values)`."""
    low, high = fitted.scale
    together = (np.concatenate(pictures) - np.float32(low)) / np.float32(high - low)
    windows = model.predict(together, batch_size=128, verbose=0).reshape(len(together), -1)
    file = np.repeat(np.arange(len(pictures)), [len(part) for part in pictures])
    return file_means(windows, file)


def areas(fitted: Fitted, known: list[np.ndarray], unknown: list[np.ndarray]) -> list[float]:
    """How well known recordings are told from unknown: by what the network says, and by the mean of
    its classifiers, which know of no distance."""
    said = [means(fitted.network, fitted, pictures) for pictures in (known, unknown)]
    plain = [answers(fitted, pictures).mean(axis=0) for pictures in (known, unknown)]
    return [area(*said), area(*plain)]


def area(known: np.ndarray, unknown: np.ndarray) -> float:
    """Area under the curve that tells known sounds by their highest probability."""
    confidence = np.concatenate([known.max(axis=1), unknown.max(axis=1)])
    return float(roc_auc_score(np.arange(len(confidence)) < len(known), confidence))


def measure(recipe: Recipe, *, seed: int = 0, unknown: bool = False) -> dict:
    """Train a variant without each fold and ask it."""
    data = data_for(recipe.windowing, recipe.front_end, recipe.schedule is None)
    labels = data.prepared.examples.labels
    target, folds = inner_folds(data)
    there = [labels.index(name) for name in data.label[~data.stranger]]
    found, seconds = [], []
    for learn, aside in folds:
        started = time.perf_counter()
        fitted = fit(only(data, learn), recipe, seed=seed)
        seconds.append(time.perf_counter() - started)
        own = answers(fitted, [data.known[number] for number in aside])
        far = answers(fitted, data.elsewhere).mean(axis=0)
        near, strange = (
            [data.elsewhere[place] for place in np.flatnonzero(data.stranger == kind)]
            for kind in (False, True)
        )
        found.append(
            {
                "right": own.mean(axis=0).argmax(axis=1) == target[aside],
                "views": (own.argmax(axis=2) == target[aside]).mean(axis=1),
                "elsewhere": (far[~data.stranger].argmax(axis=1) == there).mean(),
                "auroc_elsewhere": areas(fitted, near, strange),
                "auroc_made_up": areas(fitted, [data.known[n] for n in aside], data.sounds),
            }
        )
    right = np.concatenate([one["right"] for one in found])
    names = ("views", "elsewhere", "auroc_elsewhere", "auroc_made_up")
    means = {name: np.mean([one[name] for one in found], axis=0).tolist() for name in names}
    return {
        "files": float(right.mean()),
        "ci95": share_interval(right, np.arange(len(right))),
        **means,
        "auroc_left_out": left_out(recipe, (data, target, folds), seed) if unknown else None,
        "seconds": round(float(np.median(seconds)), 1),
    }


def inner_folds(data: Data) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Class of each recording; and four folds of the first training part: learnt from, aside."""
    target = targets(data.prepared.recordings, data.prepared.examples.labels)
    inside = np.flatnonzero(data.training)
    dealt = StratifiedKFold(4, shuffle=True, random_state=0).split(inside, target[inside])
    return target, [(inside[learn], inside[aside]) for learn, aside in dealt]


def only(data: Data, learn: np.ndarray, labels: Sequence[str] | None = None) -> Examples:
    """Examples of some recordings, of all classes or of some."""
    aside = np.ones(len(data.prepared.recordings), dtype=bool)
    aside[learn] = False
    examples = data.prepared.examples
    return (examples.restrict(labels) if labels else examples).split(aside)[0]


def left_out(recipe: Recipe, what: tuple[Data, np.ndarray, list], seed: int) -> list[float]:
    """How well classes that a network was trained without are told from those it knows."""
    data, target, folds = what
    labels = data.prepared.examples.labels
    found = []
    for number, part in enumerate(left_out_parts(labels)):
        out = np.isin(target, [labels.index(name) for name in part])
        learn, aside = folds[number % len(folds)]
        kept = [name for name in labels if name not in part]
        fitted = fit(only(data, learn[~out[learn]], kept), recipe, seed=seed)
        known, unknown = aside[~out[aside]], np.concatenate([learn[out[learn]], aside[out[aside]]])
        asked = ([data.known[place] for place in places] for places in (known, unknown))
        found.append(areas(fitted, *asked))
    return np.mean(found, axis=0).tolist()


def row(name: str, seeds: list[dict], costs: dict) -> str:
    """A row of the table."""
    low, high = seeds[0]["ci95"]
    mean = {key: np.mean([one[key] for one in seeds]) for key in ("files", "elsewhere", "seconds")}
    told = {
        key: "{:.2f} ({:.2f})".format(*np.mean([one[key] for one in seeds], axis=0))
        for key in ("auroc_elsewhere", "auroc_made_up", "auroc_left_out")
        if None not in [one[key] for one in seeds]
    }
    views = np.mean([one["views"] for one in seeds], axis=0)
    return (
        f"| {name} | {mean['files']:.1%} ({low:.0%}–{high:.0%}) | "
        f"{', '.join(f'{view:.1%}' for view in views) if len(views) > 1 else ''} | "
        f"{mean['elsewhere']:.1%} | {told['auroc_elsewhere']} | {told['auroc_made_up']} | "
        f"{told.get('auroc_left_out', '')} | {mean['seconds']:.0f} | "
        f"{costs['parameters']:,} | {costs['network']:.0f}, {costs['front_end']:.0f} |"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--variant", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--unknown", action="store_true")
    chosen = options.parse_args()
    print(
        "| variant | files | each classifier | elsewhere | AUROC: elsewhere | made up | left out | "
        "seconds | parameters | M multiply-adds a second |"
    )
    print("|---" * 10 + "|", flush=True)
    for name in chosen.variant:
        recipe = VARIANTS[name]
        seeds = [measure(recipe, seed=seed, unknown=chosen.unknown) for seed in range(chosen.seeds)]
        parameters = untrained(recipe, 10).count_params()
        costs = {"parameters": parameters, **multiply_adds(recipe)}
        save(f"variant-{name}", {"variant": name, "seeds": seeds, "cost": costs})
        print(row(name, seeds, costs), flush=True)


if __name__ == "__main__":
    main()
