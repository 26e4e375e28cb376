"""`timbrel evaluate DATA -m MODEL`: score finished models, side by side on the same recordings."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.audio.isolated import IsolatedDecoder
from timbrel.dataset.fingerprint import dataset_sha256, join_duplicates, recording_sha256
from timbrel.dataset.manifest import Problem, Recording, read_dataset, targets
from timbrel.errors import AudioError, DataError, InvalidArgument
from timbrel.evaluation.calibration import file_means, tempered
from timbrel.evaluation.intervals import difference_interval
from timbrel.evaluation.record import Scored, evaluation_record
from timbrel.evaluation.unknown import Rejection, rejection_record
from timbrel.inference.predictor import Predictor, hear, load
from timbrel.parallel import in_order

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Comparison:
    """Finished models, scored on the same recordings.

    Attributes:
        models: what the user named.
        evaluations: for each model, the content of an `evaluation.json`.
        notes: what a reader of the scores should know, in sentences.
        problems: recordings that could not be used.
    """

    models: tuple[str, ...]
    evaluations: tuple[dict, ...]
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]


def evaluate_models(
    data: str | os.PathLike,
    models: Sequence[str | os.PathLike],
    *,
    audio: str | os.PathLike | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Score finished models on labelled recordings, without training.

    Recordings that any of the models was trained on (by SHA-256) are left out for all of them.
    Recordings of classes that no model knows, and examples of none of these, count as unknown
    sounds; those of classes that only some models know are left out.

    Args:
        data: a folder or a CSV, as for `read_dataset`.
        models: model directories, or their `model.onnx`.
        audio: folder that the CSV's paths are relative to.
        progress: called with the stage, and what is done of how much.

    Raises:
        DataError: no recording is left to score on.
        InvalidArgument: no model was given.
        ModelError: a model cannot be read.
    """
    if not models:
        raise InvalidArgument("`models` must name at least one model. Got none.")
    tell = progress or (lambda stage, done, total: None)
    predictors = [load(model) for model in models]
    names = [os.fspath(model) for model in models]
    dataset = read_dataset(data, audio)
    sums = recording_sha256(dataset.recordings)
    recordings, _ = join_duplicates(dataset.recordings, sums)
    chosen, notes = _choose(recordings, sums, list(zip(names, predictors, strict=True)))
    answers, broken = [], {}
    for name, predictor in zip(names, predictors, strict=True):
        heard, problems = _ask(predictor, chosen, functools.partial(tell, name))
        answers.append(heard)
        broken |= {problem.path: problem for problem in problems}
    if all(item.name in broken or item.label not in predictors[0].labels for item in chosen):
        raise DataError(
            f"No recording of a known class in '{data}' can be used. "
            f"First: {next(iter(broken.values()))}."
        )
    usable = [place for place, item in enumerate(chosen) if item.name not in broken]
    problems = (*dataset.problems, *broken.values())
    facts = {
        "sha256": dataset_sha256(recordings, sums),
        "notes": list(notes),
        "excluded": [{"path": item.path, "reason": item.message} for item in problems],
    }
    kept = [chosen[place] for place in usable]
    evaluations = [
        _record(predictor, (kept, [heard[place] for place in usable]), facts)
        for predictor, heard in zip(predictors, answers, strict=True)
    ]
    groups = np.array([item.group for item in kept if item.label in predictors[0].labels])
    for evaluation in evaluations[1:]:
        evaluation["against_first"] = _difference(evaluation, evaluations[0], groups)
    return Comparison(tuple(names), tuple(evaluations), notes, problems)


def _difference(one: dict, other: dict, groups: np.ndarray) -> dict:
    """How many more files one model gets right than another, on the same files."""
    right = [
        np.array([row["predicted"] == row["label"] for row in evaluation["predictions"]])
        for evaluation in (one, other)
    ]
    return {
        "points": float(right[0].mean() - right[1].mean()),
        "ci95": difference_interval((right[0], groups), (right[1], groups)),
    }


def _choose(
    recordings: Sequence[Recording], sums: Sequence[str], models: list[tuple[str, Predictor]]
) -> tuple[list[Recording], tuple[str, ...]]:
    """Recordings that all models are asked about, and why others are not."""
    notes = []
    left = list(zip(recordings, sums, strict=True))
    for name, predictor in models:
        learned = set(predictor.metadata.get("recordings", ()))
        if not learned:
            notes.append(f"'{name}' does not say what it was trained on.")
        seen = [item.name for item, digest in left if digest in learned]
        if seen:
            some = ", ".join(seen[:5]) + (", …" if seen[5:] else "")
            notes.append(
                f"{len(seen)} recordings that '{name}' was trained on are left out: {some}."
            )
        left = [entry for entry in left if entry[1] not in learned]
    every = set.intersection(*(set(predictor.labels) for _, predictor in models))
    some = set.union(*(set(predictor.labels) for _, predictor in models)) - every
    partly = sorted({item.label for item, _ in left if item.label in some})
    if partly:
        notes.append(f"Classes that not all models know are left out: {', '.join(partly)}.")
    strange = sorted(
        {i.label for i, _ in left if i.label not in every | some and not i.none_of_these}
    )
    if strange:
        notes.append(f"Classes that no model knows count as unknown sounds: {', '.join(strange)}.")
    chosen = [item for item, _ in left if item.label not in partly]
    if not any(item.label in every for item in chosen):
        known = ", ".join(f"'{label}'" for label in sorted(every)) or "none"
        raise DataError(
            "No recording is left to score on. Classes that all models know: "
            f"{known}; recordings that a model was trained on do not count."
        )
    return chosen, tuple(notes)


def _ask(
    predictor: Predictor, recordings: Sequence[Recording], tell: Callable[[int, int], None]
) -> tuple[list[np.ndarray], list[Problem]]:
    """Calibrated probabilities of the windows of each recording; empty where it has none."""

    def attempt(item: Recording) -> np.ndarray | Problem:
        try:
            decoded = decoder.decode(
                item.file,
                predictor.windowing.rate,
                start=item.start,
                end=item.end,
                name=item.name,
            )
        except AudioError as error:
            return Problem(item.name, error.reason)
        heard = hear(decoded.waveform, predictor.windowing)
        if heard.windows is None:
            return Problem(item.name, "every sample is zero (digital silence)")
        return predictor.probabilities(heard.windows.samples)

    heard, problems = [], []
    with IsolatedDecoder() as decoder:
        for answer in in_order(attempt, recordings, stop=decoder.close):
            if isinstance(answer, Problem):
                problems.append(answer)
                answer = np.empty((0, len(predictor.labels)), dtype=np.float32)
            heard.append(answer)
            tell(len(heard), len(recordings))
    return heard, problems


def _record(
    predictor: Predictor, heard: tuple[list[Recording], list[np.ndarray]], facts: dict
) -> dict:
    recordings, windows = heard
    metadata = predictor.metadata
    target = targets(recordings, predictor.labels)
    known = np.flatnonzero(target >= 0)
    confidence = np.array([part.mean(axis=0, dtype=np.float64).max() for part in windows])
    temperature = float(metadata.get("temperature", 1.0))
    stack = np.concatenate([windows[place] for place in known])
    file = np.repeat(np.arange(len(known)), [len(windows[place]) for place in known])
    nothing = np.zeros(len(known), dtype=np.int64)
    groups = np.array([item.group for item in recordings])
    scored = Scored(
        recordings=[recordings[place] for place in known],
        target=target[known],
        files=file_means(stack, file),
        uncalibrated=file_means(tempered(stack, 1 / temperature), file),
        windows=stack,
        window_file=file,
        fold=nothing,
        repeat=nothing,
    )
    rejection = Rejection(
        known=confidence[known],
        known_groups=groups[known],
        unknown=confidence[target < 0],
        unknown_groups=groups[target < 0],
        threshold=predictor.threshold,
    )
    window = predictor.windowing
    seconds = sum(len(part) for part in windows) * window.hop / window.rate
    return evaluation_record(
        scored,
        list(predictor.labels),
        temperature=temperature,
        facts={
            "recipe": metadata["recipe"]["name"],
            "data": {
                "files": len(recordings),
                "groups": len(set(groups.tolist())),
                "seconds": round(seconds, 3),
                "sha256": facts["sha256"],
            },
            "protocol": {
                "folds": 0,
                "repeats": 1,
                "seed": metadata.get("seed"),
                "grouped": True,
                "notes": facts["notes"],
            },
            "unknown": rejection_record([rejection]),
            "threshold": predictor.threshold,
            "seconds": None,
            "excluded": facts["excluded"],
        },
    )
