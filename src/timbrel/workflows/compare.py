"""`timbrel evaluate DATA -m MODEL`: score finished models, side by side on the same recordings."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.dataset.duplicates import Fingerprint, near_duplicates
from timbrel.dataset.fingerprint import (
    dataset_sha256,
    join_copies,
    join_duplicates,
    recording_sha256,
)
from timbrel.dataset.manifest import Problem, Recording, read_dataset, targets
from timbrel.display.bars import Stages, telling_stages
from timbrel.display.html import block, named, sentences, title
from timbrel.errors import DataError, InvalidArgument
from timbrel.evaluation.calibration import file_means, tempered
from timbrel.evaluation.intervals import difference_interval
from timbrel.evaluation.record import Scored, evaluation_record
from timbrel.evaluation.unknown import Rejection, rejection_record
from timbrel.inference.predictor import Predictor, load
from timbrel.model.metadata import learned, recipe_name, temperature_of
from timbrel.report.cards import model_rows, score_parts, score_text
from timbrel.wording import plain
from timbrel.workflows.asked import Asked, ask, left_out_note

# Models by what the user named.
_Panel = list[tuple[str, Predictor]]
_Answers = list[tuple[tuple[str, Predictor], Asked]]

_ONE_GROUP = "both count as one group"


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        pairs = zip(self.models, self.evaluations, strict=True)
        said = "; ".join(f"{model!r}: {score_text(found)}" for model, found in pairs)
        return plain(f"Comparison({said})")

    def _repr_html_(self) -> str:
        if len(self.models) == 1:
            parts = [title(named(self.models[0])), *score_parts(self.evaluations[0])]
        else:
            parts = [model_rows(self.models, self.evaluations), sentences(self.notes)]
        return block(*parts, sentences(self.problems))


def evaluate_models(
    data: str | os.PathLike,
    models: Sequence[str | os.PathLike],
    *,
    audio: str | os.PathLike | None = None,
    progress: Stages | bool | None = None,
) -> Comparison:
    """Score finished models on labelled recordings, without training.

    Recordings that any of the models was trained on are left out for all of them: the same files,
    and files of which the decoded samples are the same. What a lossy codec, a cut or another gain
    has changed is not recognised. Copies among the recordings that are scored become one group.
    Recordings of classes that no model knows, and examples of none of these, count as unknown
    sounds; those of classes that only some models know are left out.

    Args:
        data: a folder or a CSV, as for `read_dataset`.
        models: model directories, or their `model.onnx`.
        audio: folder that the CSV's paths are relative to.
        progress: True for bars, or called with what the user named of the model that is asked, or
            "comparing", and what is done of how much.

    Raises:
        DataError: no recording is left to score on.
        DecoderError: the processes that decode cannot be started.
        InvalidArgument: no model was given.
        ModelError: a model cannot be read.
    """
    if not models:
        raise InvalidArgument("`models` must name at least one model. Got none.")
    with telling_stages(progress) as tell:
        return _compare(data, models, audio, tell=tell)


def _compare(
    data: str | os.PathLike,
    models: Sequence[str | os.PathLike],
    audio: str | os.PathLike | None,
    *,
    tell: Stages,
) -> Comparison:
    panel = [(os.fspath(model), load(model)) for model in models]
    dataset = read_dataset(data, audio)
    sums = recording_sha256(dataset.recordings)
    recordings, repeated = join_duplicates(dataset.recordings, sums, outcome=_ONE_GROUP)
    chosen, notes = _choose(recordings, sums, panel)
    items = [recordings[number] for number in chosen]
    asked = [
        ask(predictor, items, functools.partial(tell, name), prints=place == 0)
        for place, (name, predictor) in enumerate(panel)
    ]
    answers = list(zip(panel, asked, strict=True))
    usable, broken = _usable(items, asked)
    if not any(items[place].label in panel[0][1].labels for place in usable):
        raise DataError(
            f"No recording of a known class in '{data}' can be used. First: {broken[0]}."
        )
    usable, learned = _unheard(items, usable, answers)
    kept, copied = _join(
        [items[place] for place in usable],
        [sums[chosen[place]] for place in usable],
        ([asked[0].prints[place] for place in usable], functools.partial(tell, "comparing")),
    )
    names = {item.name for item in kept}
    remarks = [str(item) for item in (*repeated, *copied) if item.path in names]
    notes = (*notes, *learned, *remarks)
    problems = (*dataset.problems, *broken)
    facts = {
        "sha256": dataset_sha256(recordings, sums),
        "notes": list(notes),
        "excluded": [{"path": item.path, "reason": item.message} for item in problems],
    }
    evaluations = _record_each(answers, (kept, usable), facts)
    return Comparison(tuple(name for name, _ in panel), tuple(evaluations), notes, problems)


def _record_each(
    answers: _Answers, scored: tuple[list[Recording], list[int]], facts: dict
) -> list[dict]:
    """Score every model on the same recordings, which have these places among the answers."""
    kept, places = scored
    evaluations = [
        _record(predictor, (kept, [asked.windows[place] for place in places]), facts)
        for (_, predictor), asked in answers
    ]
    labels = answers[0][0][1].labels
    groups = np.array([item.group for item in kept if item.label in labels])
    for evaluation in evaluations[1:]:
        evaluation["against_first"] = _difference(evaluation, evaluations[0], groups)
    return evaluations


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
    recordings: Sequence[Recording], sums: Sequence[str], panel: _Panel
) -> tuple[list[int], list[str]]:
    """Numbers of the recordings that all models are asked about, and why others are not."""
    notes = []
    left = list(range(len(recordings)))
    for name, predictor in panel:
        known = learned(predictor.metadata, "recordings")
        if not known:
            notes.append(f"'{name}' does not say what it was trained on.")
        elif "sounds" not in predictor.metadata:
            notes.append(
                f"'{name}' knows the files that it was trained on, but not their sound (it was "
                "made by an older Timbrel): copies in another format are not left out."
            )
        seen = [recordings[number].name for number in left if sums[number] in known]
        if seen:
            notes.append(left_out_note(seen, f"'{name}' was trained on"))
        left = [number for number in left if sums[number] not in known]
    every = _known_to_all(panel)
    some = set.union(*(set(predictor.labels) for _, predictor in panel)) - every
    items = [recordings[number] for number in left]
    partly = sorted({item.label for item in items if item.label in some})
    if partly:
        notes.append(f"Classes that not all models know are left out: {', '.join(partly)}.")
    strange = {i.label for i in items if i.label not in every | some and not i.none_of_these}
    if strange:
        listed = ", ".join(sorted(strange))
        notes.append(f"Classes that no model knows count as unknown sounds: {listed}.")
    chosen = [number for number in left if recordings[number].label not in partly]
    _check_left([recordings[number] for number in chosen], every)
    return chosen, notes


def _usable(items: Sequence[Recording], asked: list[Asked]) -> tuple[list[int], list[Problem]]:
    """Places of the recordings that every model could use, and what is wrong with the others."""
    broken = {problem.path: problem for one in asked for problem in one.problems}
    usable = [place for place, item in enumerate(items) if item.name not in broken]
    return usable, list(broken.values())


def _unheard(
    items: Sequence[Recording], usable: list[int], answers: _Answers
) -> tuple[list[int], list[str]]:
    """Places of the recordings whose samples no model was trained on, and why others are not.

    Each model is compared at its own sample rate, at which its training heard them.
    """
    notes = []
    for (name, predictor), asked in answers:
        known = learned(predictor.metadata, "sounds")
        seen = [items[place].name for place in usable if asked.sounds[place] in known]
        if seen:
            reason = f"{'holds' if len(seen) == 1 else 'hold'} the same samples as "
            reason += f"{'one' if len(seen) == 1 else 'ones'} that '{name}' was trained on"
            notes.append(left_out_note(seen, reason))
        usable = [place for place in usable if asked.sounds[place] not in known]
    _check_left([items[place] for place in usable], _known_to_all([model for model, _ in answers]))
    return usable, notes


def _join(
    recordings: list[Recording],
    sums: list[str],
    how: tuple[list[Fingerprint | None], Callable[[int, int], None]],
) -> tuple[list[Recording], list[Problem]]:
    """Give copies of one sound one group; with a remark for each."""
    prints, tell = how
    pairs = [(pair.first, pair.second) for pair in near_duplicates(prints, progress=tell)]
    return join_copies(recordings, sums, pairs, outcome=_ONE_GROUP)


def _known_to_all(panel: _Panel) -> set[str]:
    return set.intersection(*(set(predictor.labels) for _, predictor in panel))


def _check_left(items: Sequence[Recording], every: set[str]) -> None:
    """Raise DataError where no recording of a class that all models know is left."""
    if not any(item.label in every for item in items):
        known = ", ".join(f"'{label}'" for label in sorted(every)) or "none"
        raise DataError(
            "No recording is left to score on. Classes that all models know: "
            f"{known}; recordings that a model was trained on do not count."
        )


def _record(
    predictor: Predictor, heard: tuple[list[Recording], list[np.ndarray]], facts: dict
) -> dict:
    recordings, windows = heard
    metadata = predictor.metadata
    target = targets(recordings, predictor.labels)
    known = np.flatnonzero(target >= 0)
    confidence = np.array([part.mean(axis=0, dtype=np.float64).max() for part in windows])
    temperature = temperature_of(metadata)
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
            "recipe": recipe_name(metadata),
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
