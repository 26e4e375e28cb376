"""`timbrel evaluate DATA -m MODEL`: score finished models on the same recordings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from timbrel.audio.samples import resample
from timbrel.dataset.copies import dataset_sha256, join_groups, recording_sha256, samples_sha256
from timbrel.dataset.corpus import open_corpus
from timbrel.dataset.manifest import read_dataset
from timbrel.dataset.recording import Recording, targets
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
from timbrel.workflows.check import copies_notes, excluded


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
        scores = [f"{model!r}: {ScoreView(evaluation).headline}" for model, evaluation in pairs]
        return plain(f"Comparison({'; '.join(scores)})")

    def _repr_html_(self) -> str:
        if len(self.models) == 1:
            view = ScoreView(self.evaluations[0])
            parts = [title(named(self.models[0])), *score_parts(view)]
        else:
            parts = [
                html_table(models_table(self.models, self.evaluations)),
                sentences(differences(self.models, self.evaluations)),
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
    known_to_all = set.intersection(*(set(predictor.labels) for predictor in predictors))
    known_to_some = set.union(*(set(item.labels) for item in predictors)) - known_to_all
    notes: list[Finding] = []

    # What any model has learned from, by its files, is not decoded.
    left = list(zip(dataset.recordings, sums, strict=True))
    for name, predictor in zip(names, predictors, strict=True):
        trained_on = learned(predictor.metadata, "recordings")
        if not trained_on:
            notes.append(Finding("model-without-files", name, {"model": name}))
        elif "sounds" not in predictor.metadata:
            notes.append(Finding("model-without-sounds", name, {"model": name}))
        seen = [item.name for item, digest in left if digest in trained_on]
        if seen:
            facts = {"model": name, "count": len(seen), "names": seen}
            notes.append(Finding("trained-on", name, facts))
        left = [(item, digest) for item, digest in left if digest not in trained_on]
    labels = {item.label for item, _ in left}
    if labels & known_to_some:
        facts = {"labels": sorted(labels & known_to_some)}
        notes.append(Finding("classes-of-some-models", dataset.source, facts))
    classes = {item.label for item, _ in left if not item.none_of_these}
    if classes - known_to_all - known_to_some:
        facts = {"labels": sorted(classes - known_to_all - known_to_some)}
        notes.append(Finding("classes-of-no-model", dataset.source, facts))
    recordings = tuple(item for item, _ in left if item.label not in known_to_some)
    _check_left(recordings, known_to_all)

    # Decoded once, at the rates of the files: each model has a rate of its own.
    scores: list[dict[int, np.ndarray]] = []
    with (
        watching(progress) as told,
        open_corpus(
            replace(dataset, recordings=recordings),
            predictors[0].windowing,
            samples="native",
            progress=told,
        ) as corpus,
    ):
        # Background counts as unknown here, also where it is the same sound as a known one.
        rates = {
            row: facts.rate
            for row, facts in enumerate(corpus.described)
            if facts is not None and not facts.silent
        }
        problems = tuple(item for item in corpus.unusable if item.code != "background-conflict")
        rows = list(rates)
        if not any(corpus.recordings[row].label in predictors[0].labels for row in rows):
            raise DataError(
                f"No recording of a known class in '{data}' can be used. First: {problems[0]}."
            )
        for name, predictor in zip(names, predictors, strict=True):
            windowing = predictor.windowing

            def score(
                sound: np.ndarray, predictor: Predictor = predictor
            ) -> tuple[np.ndarray, str]:
                recording = Waveform(sound, len(sound) / predictor.windowing.rate)
                found = score_windows(recording, predictor.windowing, predictor.run)
                return found.probabilities[found.counted], samples_sha256(sound)

            sounds = (
                resample(waveform, rates[row], windowing.rate)
                for row, waveform in zip(rows, corpus.waveforms(rows), strict=True)
            )
            windows: dict[int, np.ndarray] = {}
            digests: dict[int, str] = {}
            for done, (row, found) in enumerate(zip(rows, in_order(score, sounds), strict=True), 1):
                windows[row], digests[row] = found
                told.stage("scoring", done, len(rows), name)
            scores.append(windows)
            # The sums of samples are those at the sample rate that the model was trained at.
            trained_on = learned(predictor.metadata, "sounds")
            seen = [corpus.recordings[row].name for row in rows if digests[row] in trained_on]
            if seen:
                facts = {"model": name, "count": len(seen), "names": seen}
                notes.append(Finding("trained-on-copies", name, facts))
            rows = [row for row in rows if digests[row] not in trained_on]
            _check_left([corpus.recordings[row] for row in rows], known_to_all)
        scored = [corpus.recordings[row] for row in rows]
        notes += copies_notes(corpus, scored)
        for finding in notes:
            told.finding(finding)

    # The sum of the data is over all recordings, those that are left out among them.
    first_of: dict[str, int] = {}
    same_file = [(first_of.setdefault(key, row), row) for row, key in enumerate(sums) if key]
    data_sha256 = dataset_sha256(join_groups(dataset.recordings, same_file), sums)
    groups = np.array([item.group for item in scored])
    evaluations: list[dict] = []
    right: list[np.ndarray] = []
    for predictor, windows in zip(predictors, scores, strict=True):
        answers = [windows[row] for row in rows]
        target = targets(scored, predictor.labels)
        of_class = target >= 0
        stack = np.concatenate([answers[place] for place in np.flatnonzero(of_class)])
        counts = [len(answers[place]) for place in np.flatnonzero(of_class)]
        file, nothing = np.repeat(np.arange(len(counts)), counts), np.zeros(len(counts), np.int64)
        temperature = temperature_of(predictor.metadata)
        confidence = np.array([part.mean(axis=0, dtype=np.float64).max() for part in answers])
        rejection = Rejection(
            known=confidence[of_class],
            known_groups=groups[of_class],
            unknown=confidence[~of_class],
            unknown_groups=groups[~of_class],
            threshold=predictor.threshold,
        )
        seconds = sum(map(len, answers)) * predictor.windowing.hop / predictor.windowing.rate
        evaluation = evaluation_record(
            Scored(
                recordings=[item for item, mine in zip(scored, of_class, strict=True) if mine],
                target=target[of_class],
                files=file_means(stack, file),
                uncalibrated=file_means(tempered(stack, 1 / temperature), file),
                windows=stack,
                window_file=file,
                fold=nothing,
                repeat=nothing,
            ),
            list(predictor.labels),
            temperature=temperature,
            facts={
                "recipe": recipe_name(predictor.metadata),
                "data": {
                    "files": len(scored),
                    "groups": len(set(groups.tolist())),
                    "seconds": round(seconds, 3),
                    "sha256": data_sha256,
                },
                "protocol": {
                    "folds": 0,
                    "repeats": 1,
                    "seed": predictor.metadata.get("seed"),
                    "grouped": True,
                    "notes": [item.text for item in notes],
                },
                "unknown": rejection_record([rejection]),
                "threshold": predictor.threshold,
                "seconds": None,
                "excluded": excluded(problems),
            },
        )
        predictions = evaluation["predictions"]
        right.append(np.array([row["predicted"] == row["label"] for row in predictions]))
        if evaluations:
            evaluation["against_first"] = {
                "points": float(right[-1].mean() - right[0].mean()),
                "ci95": difference_interval(
                    (right[-1], groups[of_class]), (right[0], groups[of_class])
                ),
            }
        evaluations.append(evaluation)
    return Comparison(tuple(names), tuple(evaluations), tuple(notes), problems)


def _check_left(recordings: Iterable[Recording], known_to_all: set[str]) -> None:
    """Raise DataError where no recording of a class that all models know is left."""
    if not any(item.label in known_to_all for item in recordings):
        known = ", ".join(f"'{label}'" for label in sorted(known_to_all)) or "none"
        raise DataError(
            "No recording is left to score on. Classes that all models know: "
            f"{known}; recordings that a model was trained on do not count."
        )
