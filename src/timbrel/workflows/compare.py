"""`timbrel evaluate DATA -m MODEL`: score finished models, side by side on the same recordings."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from timbrel.audio.samples import resample
from timbrel.dataset.copies import dataset_sha256, join_groups, recording_sha256, samples_sha256
from timbrel.dataset.corpus import open_corpus
from timbrel.dataset.manifest import Recording, read_dataset, targets
from timbrel.display.html import block, named, sentences, title
from timbrel.errors import DataError, InvalidArgument
from timbrel.evaluation.calibration import file_means, tempered
from timbrel.evaluation.metrics import difference_interval
from timbrel.evaluation.record import Rejection, Scored, evaluation_record, rejection_record
from timbrel.findings import Finding
from timbrel.inference.predictor import Predictor, load
from timbrel.inference.scores import Waveform, score_windows
from timbrel.model.metadata import learned, recipe_name, temperature_of
from timbrel.progress import Progress, watching
from timbrel.report.notebook import html_table, score_parts
from timbrel.report.view import ScoreView, differences, models_table
from timbrel.text import plain
from timbrel.workers import in_order


@dataclass(frozen=True, repr=False)
class Comparison:
    """Finished models, scored on the same recordings.

    Attributes:
        models: what the user named.
        evaluations: for each model, the content of an `evaluation.json`.
        findings: what a reader of the scores should know.
        problems: recordings that could not be used.
    """

    models: tuple[str, ...]
    evaluations: tuple[dict, ...]
    findings: tuple[Finding, ...]
    problems: tuple[Finding, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the scores should know, in sentences."""
        return tuple(item.text for item in self.findings)

    def __repr__(self) -> str:
        pairs = zip(self.models, self.evaluations, strict=True)
        said = "; ".join(f"{model!r}: {ScoreView(found).headline}" for model, found in pairs)
        return plain(f"Comparison({said})")

    def _repr_html_(self) -> str:
        if len(self.models) == 1:
            view = ScoreView(self.evaluations[0])
            parts = [title(named(self.models[0])), *score_parts(view)]
        else:
            shown = self.models, self.evaluations
            parts = [
                html_table(models_table(*shown)),
                sentences(differences(*shown)),
                sentences(self.notes),
            ]
        return block(*parts, sentences(self.problems))


def evaluate_models(
    data: str | os.PathLike,
    models: Sequence[str | os.PathLike],
    *,
    audio: str | os.PathLike | None = None,
    progress: Progress | bool = False,
) -> Comparison:
    """Score finished models on labelled recordings, without training.

    Recordings that any of the models was trained on are left out for all of them: the same files,
    and files of which the decoded samples are the same. What a lossy codec, a cut or another gain
    has changed is not recognised. Copies among the recordings that are scored become one group.
    Recordings of classes that no model knows, and background, count as unknown sounds; those of
    classes that only some models know are left out.

    Args:
        data: a folder or a CSV, as for `read_dataset`.
        models: model directories, or their `model.onnx`.
        audio: folder that the CSV's paths are relative to.
        progress: True for bars, in a notebook's cell or on a terminal's stderr, or an object to
            tell.

    Raises:
        DataError: no recording is left to score on.
        DecoderError: the processes that decode cannot be started.
        InvalidArgument: no model was given.
        ModelError: a model cannot be read.
    """
    if not models:
        raise InvalidArgument("`models` must name at least one model. Got none.")
    names = [os.fspath(model) for model in models]
    predictors = [load(model) for model in models]
    dataset = read_dataset(data, audio)
    sums = recording_sha256(dataset.recordings)
    every = set.intersection(*(set(predictor.labels) for predictor in predictors))
    some = set.union(*(set(predictor.labels) for predictor in predictors)) - every
    notes = []

    # What any model has learned from, by its files, is not decoded.
    left = list(range(len(dataset.recordings)))
    for name, predictor in zip(names, predictors, strict=True):
        known = learned(predictor.metadata, "recordings")
        if not known:
            notes.append(Finding("model-without-files", name, {"model": name}))
        elif "sounds" not in predictor.metadata:
            notes.append(Finding("model-without-sounds", name, {"model": name}))
        seen = [dataset.recordings[row].name for row in left if sums[row] in known]
        if seen:
            notes.append(_trained_on("trained-on", name, seen))
        left = [row for row in left if sums[row] not in known]
    labels = {dataset.recordings[row].label for row in left}
    partly = sorted(labels & some)
    if partly:
        notes.append(Finding("classes-of-some-models", dataset.source, {"labels": partly}))
    strange = sorted(
        {dataset.recordings[row].label for row in left if not dataset.recordings[row].none_of_these}
        - every
        - some
    )
    if strange:
        notes.append(Finding("classes-of-no-model", dataset.source, {"labels": strange}))
    left = [row for row in left if dataset.recordings[row].label not in some]
    _check_left([dataset.recordings[row] for row in left], every)

    chosen = replace(dataset, recordings=tuple(dataset.recordings[row] for row in left))
    scores: list[dict[int, np.ndarray]] = []
    with (
        watching(progress) as told,
        open_corpus(chosen, predictors[0].windowing, samples="native", progress=told) as corpus,
    ):
        # Background counts as unknown here, also where it is the same sound as a known one.
        rows = [
            row
            for row, facts in enumerate(corpus.described)
            if facts is not None and not facts.silent
        ]
        problems = tuple(item for item in corpus.unusable if item.code != "background-conflict")
        if not any(corpus.recordings[row].label in predictors[0].labels for row in rows):
            raise DataError(
                f"No recording of a known class in '{data}' can be used. First: {problems[0]}."
            )
        for name, predictor in zip(names, predictors, strict=True):
            windows, sounds = {}, {}

            def score(sound: np.ndarray, predictor: Predictor = predictor) -> np.ndarray:
                seconds = len(sound) / predictor.windowing.rate
                found = score_windows(Waveform(sound, seconds), predictor.windowing, predictor.run)
                return found.probabilities[found.counted]

            heard = (
                resample(waveform, corpus.described[row].rate, predictor.windowing.rate)
                for row, waveform in zip(rows, corpus.waveforms(rows), strict=True)
            )
            sound_of, heard = itertools.tee(heard)
            scored = in_order(score, heard)
            for done, (row, sound, found) in enumerate(zip(rows, sound_of, scored, strict=True), 1):
                windows[row], sounds[row] = found, samples_sha256(sound)
                told.stage("scoring", done, len(rows), name)
            scores.append(windows)
            # Each model is compared at its own sample rate, at which its training heard them.
            known = learned(predictor.metadata, "sounds")
            seen = [corpus.recordings[row].name for row in rows if sounds[row] in known]
            if seen:
                notes.append(_trained_on("trained-on-copies", name, seen))
            rows = [row for row in rows if sounds[row] not in known]
            _check_left(corpus.select(rows), every)
        recordings = corpus.select(rows)
        in_use = {item.name for item in recordings}
        copies = [
            item.path
            for item in corpus.findings
            if item.code in ("exact-duplicate", "near-duplicate") and item.path in in_use
        ]
        if copies:
            facts = {"count": len(copies), "names": copies}
            notes.append(Finding("copies", dataset.source, facts))
        for finding in notes:
            told.finding(finding)
    joined = join_groups(dataset.recordings, _same_files(sums))
    facts = {
        "sha256": dataset_sha256(joined, sums),
        "notes": [item.text for item in notes],
        "excluded": [{"path": item.path, "reason": item.reason} for item in problems],
    }
    evaluations = [
        _evaluation(predictor, recordings, [windows[row] for row in rows], facts)
        for predictor, windows in zip(predictors, scores, strict=True)
    ]
    groups = np.array([item.group for item in recordings if item.label in predictors[0].labels])
    right = [
        np.array([row["predicted"] == row["label"] for row in evaluation["predictions"]])
        for evaluation in evaluations
    ]
    for evaluation, mine in zip(evaluations[1:], right[1:], strict=True):
        evaluation["against_first"] = {
            "points": float(mine.mean() - right[0].mean()),
            "ci95": difference_interval((mine, groups), (right[0], groups)),
        }
    return Comparison(tuple(names), tuple(evaluations), tuple(notes), problems)


def _trained_on(code: str, model: str, names: Sequence[str]) -> Finding:
    facts = {"model": model, "count": len(names), "names": list(names)}
    return Finding(code, model, facts)


def _same_files(sums: Sequence[str]) -> list[tuple[int, int]]:
    first: dict[str, int] = {}
    return [(first.setdefault(digest, row), row) for row, digest in enumerate(sums) if digest]


def _check_left(items: Sequence[Recording], every: set[str]) -> None:
    """Raise DataError where no recording of a class that all models know is left."""
    if not any(item.label in every for item in items):
        known = ", ".join(f"'{label}'" for label in sorted(every)) or "none"
        raise DataError(
            "No recording is left to score on. Classes that all models know: "
            f"{known}; recordings that a model was trained on do not count."
        )


def _evaluation(
    predictor: Predictor, recordings: list[Recording], windows: list[np.ndarray], facts: dict
) -> dict:
    """The content of an `evaluation.json` for one model."""
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
