"""Make the instrument model that comes with the package, and its card: `make instrument-model`.

Cross-validates the recipe on `instruments`, as `timbrel evaluate --unknown` does; that is the score
that is quoted. Then it trains on all recordings. Temperature and threshold come from the
cross-validation, in which each recording was scored by a network that was trained without it. The
threshold is stricter than that of a model of one's own, because users give this one sounds of every
kind. What is of no class was synthesised; no other recordings are learned from. The finished model
is scored on `elsewhere`, on speech (every tenth of `digits`, and what `strangers.py` finds), on the
instruments of General MIDI and on noises and tones that are made up.

    python benchmarks/instrument_model.py [--work out/instrument-model] [--ask-only | --card-only]

The model is src/timbrel/model/instruments.onnx, the card docs/model-cards/instruments.md, the
figures are in benchmarks/results/instrument-model.json. An evaluation and a training that lie in
the working folder are taken up. With `--ask-only` the model that is there is scored once more.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from instrument_card import card
from machine import RESULTS, facts, recordings
from strangers import RATE, WAVES, general_midi, letters, need
from timbrel import RECIPES, evaluate, evaluate_models, load, train
from timbrel.audio.decode import decode
from timbrel.audio.windows import consecutive, keep
from timbrel.dataset.manifest import read_dataset
from timbrel.evaluation.calibration import fit_threshold
from timbrel.evaluation.metrics import share_interval
from timbrel.evaluation.sanity import SOUNDS, sanity_round
from timbrel.features.cache import FeatureCache
from timbrel.inference.predictor import Predictor
from timbrel.model.directory import INSTRUMENTS, LoadedModel
from timbrel.model.export import (
    Trained,
    export_onnx,
    measure_parity,
    whole_model,
    with_metadata,
)
from timbrel.model.metadata import windowing_of
from timbrel.model.runtime import Session
from timbrel.networks.builders import front_end, network
from timbrel.networks.recipes import Recipe

RECIPE = "strong"
CARD = Path(__file__).parents[1] / "docs" / "model-cards" / "instruments.md"
MOST_BYTES = 8_000_000
# Share of the rightly named recordings that the threshold accepts; and others, for comparison.
ACCEPT, ACCEPTS = 0.9, (0.95, 0.9, 0.8)
# Every so many recordings of speech, and so many of each sound that is made up.
EVERY, SEEDS = 10, 20


def evaluated(work: Path) -> dict:
    """The cross-validation; taken up where it lies there."""
    place = work / "evaluation.json"
    if place.exists():
        found = json.loads(place.read_text(encoding="utf-8"))
        _same(found["recipe"], RECIPE, place)
        return found
    table, audio = recordings("instruments")
    cache = FeatureCache(work / "cache")
    result = evaluate(table, audio=audio, recipe=RECIPE, unknown=True, resume=True, cache=cache)
    place.write_text(json.dumps(result.evaluation), encoding="utf-8")
    return result.evaluation


def trained(work: Path) -> Path:
    """The model directory of a training on all recordings; taken up where it lies there."""
    model = work / "model"
    if not (model / "model.json").exists():
        table, audio = recordings("instruments")
        train(table, model, audio=audio, recipe=RECIPE, refit=True)
    recipe = json.loads((model / "model.json").read_text(encoding="utf-8"))["recipe"]
    _same(Recipe.from_dict(recipe), RECIPES[RECIPE], model)
    return model


def _same(found: object, expected: object, place: Path) -> None:
    if found != expected:
        raise SystemExit(f"'{place}' is of another recipe; remove it.")


def threshold_of(evaluation: dict, accept: float) -> float:
    """Probability that a share of the rightly named recordings of the cross-validation reaches."""
    rows = evaluation["predictions"]
    target = np.array([evaluation["labels"].index(row["label"]) for row in rows])
    probabilities = np.array([row["probabilities"] for row in rows])
    return fit_threshold(probabilities, target, accept=accept)


def finished(model: Path, evaluation: dict) -> bytes:
    """The graph of a trained model with the calibration and the scores of the cross-validation."""
    metadata = json.loads((model / "model.json").read_text(encoding="utf-8"))
    recipe = Recipe.from_dict(metadata["recipe"])
    shape = front_end(recipe).output_shape[1:]
    rebuilt = network(recipe, shape, len(metadata["labels"]))
    rebuilt.load_weights(model / "network.weights.h5")
    temperature = evaluation["calibration"]["temperature"]
    whole = Trained(recipe, rebuilt, tuple(metadata["scale"]), temperature)
    graph = export_onnx(whole)
    windows = some_windows(metadata)
    difference = measure_parity(whole_model(whole), graph, windows)
    described = {
        **{key: value for key, value in metadata.items() if key not in ("files", "sanity")},
        "temperature": temperature,
        "thresholds": {"unknown": threshold_of(evaluation, ACCEPT), "accept": ACCEPT},
        "scores": {
            **{key: evaluation[key] for key in ("file", "window", "calibration", "unknown")},
            "held_out_files": len(evaluation["predictions"]),
            "protocol": evaluation["protocol"],
        },
        "parity": {"max_difference": difference, "windows": len(windows)},
    }
    return with_sanity(graph, described)


def with_sanity(graph: bytes, described: dict) -> bytes:
    """The graph with what is said of it, and with what the sanity round finds."""
    name = "the instrument model"
    loaded = LoadedModel(name, described, Session(graph, name), graph)
    return with_metadata(graph, described | {"sanity": sanity_round(Predictor(loaded))})


def some_windows(metadata: dict) -> np.ndarray:
    """Windows of recordings that the model was not trained on, to compare its export on."""
    windowing = windowing_of(metadata)
    table, _ = recordings("elsewhere")
    parts = []
    for item in read_dataset(table).recordings[::4]:
        kept, _ = keep(decode(item.file, windowing.rate).waveform, windowing)
        parts.append(consecutive(kept, windowing).samples[:2])
    return np.concatenate(parts)


def speech(predictor: Predictor) -> dict:
    """How often spoken digits are taken for an instrument."""
    items = read_dataset(recordings("digits")[0]).recordings[::EVERY]
    answers = [found[0] for found in predictor.predict_many([item.file for item in items])]
    return accepted(answers, [item.group for item in items])


def spoken_letters(predictor: Predictor) -> dict:
    """How often letters and syllables that somebody says are taken for an instrument."""
    languages = letters()
    answers = [found[0] for found in predictor.predict_many(list(languages))]
    return {**accepted(answers, list(languages.values())), "languages": len({*languages.values()})}


def of_general_midi(predictor: Predictor) -> dict:
    """How often other instruments are taken for one of the ten; and how the ten fare there."""
    notes = [(*note, predictor.predict(note[2], RATE)) for note in general_midi()]
    other = [(program, answer) for program, label, _, answer in notes if label is None]
    own = [(label, answer) for _, label, _, answer in notes if label is not None]
    programs, answers = zip(*other, strict=True)
    return {
        **accepted(answers, programs),
        "programs": len({*programs}),
        "own": {
            "right": sum(answer.predicted == label for label, answer in own),
            "accepted": sum(answer.accepted for _, answer in own),
            "sounds": len(own),
        },
    }


def trade(predictor: Predictor, evaluation: dict) -> list[dict]:
    """What other thresholds would accept: of the cross-validation, and of `elsewhere`."""
    items = read_dataset(recordings("elsewhere")[0]).recordings
    answers = [found[0] for found in predictor.predict_many([item.file for item in items])]
    stranger = np.array([item.none_of_these for item in items])
    named = zip(answers, items, strict=True)
    right = np.array([answer.predicted == item.label for answer, item in named])
    sure = np.array([answer.probability for answer in answers])
    own = [(max(row["probabilities"]), row) for row in evaluation["predictions"]]
    rows = []
    for accept in ACCEPTS:
        threshold = threshold_of(evaluation, accept)
        taken = [row["label"] == row["predicted"] for p, row in own if p >= threshold]
        rows.append(
            {
                "threshold": threshold,
                "right": sum(taken) / sum(row["label"] == row["predicted"] for _, row in own),
                "answers": answered(sum(taken), len(taken), len(own)),
                "answers_elsewhere": answered(
                    int(((sure >= threshold) & right & ~stranger).sum()),
                    int(((sure >= threshold) & ~stranger).sum()),
                    int((~stranger).sum()),
                ),
                "right_of_accepted": float(np.mean(taken)),
                "elsewhere_right": float((sure >= threshold)[right & ~stranger].mean()),
                "elsewhere_wrong": float((sure >= threshold)[~right & ~stranger].mean()),
                "elsewhere_unknown": float((sure >= threshold)[stranger].mean()),
            }
        )
    return rows


def answered(right: int, accepted: int, count: int) -> dict[str, float]:
    """Shares of recordings whose `label` is right, wrong, and unknown."""
    return {
        "right": right / count,
        "wrong": (accepted - right) / count,
        "unknown": 1 - accepted / count,
    }


def band_limited(predictor: Predictor) -> dict:
    """How recordings of its own classes fare at 8 kHz, every third of `elsewhere`."""
    known = read_dataset(recordings("elsewhere")[0]).recordings
    items = [item for item in known if not item.none_of_these][::3]
    rates = {}
    for rate in (predictor.windowing.rate, 8000):
        answers = [predictor.predict(decode(item.file, rate).waveform, rate) for item in items]
        named = zip(answers, items, strict=True)
        rates[str(rate)] = {
            "right": sum(answer.predicted == item.label for answer, item in named),
            "accepted": sum(answer.accepted for answer in answers),
            "sounds": len(items),
        }
    return rates


def made_up(predictor: Predictor) -> dict[str, dict]:
    """How often each sound that is made up is taken for an instrument."""
    rate = predictor.windowing.rate
    # The first five are those of the sanity round.
    return {
        name: accepted([predictor.predict(make(rate, seed), rate) for seed in range(SEEDS)])
        for name, make in SOUNDS.items()
    } | {
        name: accepted([predictor.predict(make(seed), RATE) for seed in range(SEEDS)])
        for name, make in WAVES.items()
    }


def accepted(answers: Sequence, groups: Sequence | None = None) -> dict:
    """Share of sounds that are accepted, and as what."""
    taken = np.array([answer.accepted for answer in answers])
    labels = [answer.label for answer in answers if answer.accepted]
    groups = np.arange(len(taken)) if groups is None else np.array(groups)
    return {
        "sounds": len(taken),
        "accepted": float(taken.mean()),
        "ci95": share_interval(taken, groups),
        "as": {label: labels.count(label) for label in sorted(set(labels))},
    }


def asked(model: Path) -> dict:
    """What the finished model says of sounds from elsewhere."""
    table, _ = recordings("elsewhere")
    predictor = load(model)
    (found,) = evaluate_models(table, [model]).evaluations
    rows = {item.name: item for item in read_dataset(table).recordings}
    each = {}
    for row in found["predictions"]:
        group = rows[row["path"]].group
        each.setdefault(group, []).append(row["label"] == row["predicted"])
    return {
        "elsewhere": {
            **{key: found[key] for key in ("file", "calibration", "unknown", "per_class")},
            "labels": found["labels"],
            "confusion": found["confusion"],
            "groups": {name: [sum(right), len(right)] for name, right in each.items()},
        },
        "speech": speech(predictor),
        "letters": spoken_letters(predictor),
        "general_midi": of_general_midi(predictor),
        "made_up": made_up(predictor),
        "band_limited": band_limited(predictor),
    }


def made(work: Path) -> dict:
    """Make the model and put it into the package; what was found on the way."""
    work.mkdir(parents=True, exist_ok=True)
    evaluation = evaluated(work)
    put(finished(trained(work), evaluation))
    return {
        "machine": facts(),
        "cross_validation": {k: v for k, v in evaluation.items() if k != "predictions"},
        "thresholds": trade(load(INSTRUMENTS), evaluation),
    }


def put(graph: bytes) -> None:
    """Put a model into the package."""
    if len(graph) > MOST_BYTES:
        raise SystemExit(f"The model has {len(graph):,} bytes, more than {MOST_BYTES:,}.")
    onnx.checker.check_model(onnx.load_from_string(graph))
    with tempfile.NamedTemporaryFile(dir=INSTRUMENTS.parent, delete=False) as file:
        file.write(graph)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(INSTRUMENTS)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--work", type=Path, default=Path("out/instrument-model"))
    which = options.add_mutually_exclusive_group()
    which.add_argument("--ask-only", action="store_true", help="of the model that is there")
    which.add_argument("--card-only", action="store_true", help="of the figures that are there")
    chosen = options.parse_args()
    place = RESULTS / "instrument-model.json"
    if not chosen.card_only:
        need()
        if chosen.ask_only:
            figures = json.loads(place.read_bytes())
            put(with_sanity(INSTRUMENTS.read_bytes(), load(INSTRUMENTS).metadata))
        else:
            figures = made(chosen.work)
        graph = INSTRUMENTS.read_bytes()
        figures |= {"bytes": len(graph), "sha256": hashlib.sha256(graph).hexdigest()}
        figures |= {**asked(INSTRUMENTS), "asked_on": facts()}
        place.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    figures = json.loads(place.read_bytes())
    CARD.parent.mkdir(exist_ok=True)
    CARD.write_text(card(figures, load(INSTRUMENTS).metadata), encoding="utf-8")


if __name__ == "__main__":
    main()
