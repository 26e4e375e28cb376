"""`timbrel train`: from labelled recordings to a finished model with its honest score."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from timbrel.dataset.fingerprint import dataset_sha256
from timbrel.dataset.manifest import Dataset, Problem, read_dataset
from timbrel.display.html import block, note, sentences, text
from timbrel.errors import InvalidArgument
from timbrel.evaluation.calibration import calibrate
from timbrel.evaluation.sanity import sanity_round, sanity_text
from timbrel.features.cache import FeatureCache
from timbrel.inference.predictor import Predictor
from timbrel.model.directory import CHECKPOINT, DESCRIPTION, LoadedModel, check_output, write_model
from timbrel.model.export import (
    Trained,
    export_onnx,
    measure_parity,
    probabilities,
    whole_model,
)
from timbrel.model.runtime import Session
from timbrel.networks.recipes import DEFAULT_RECIPE, Recipe, get_recipe
from timbrel.report.cards import score_parts, score_text
from timbrel.training.checkpoint import Checkpoint
from timbrel.training.examples import Examples
from timbrel.training.fit import Fitted, fit
from timbrel.training.precision import training_policy
from timbrel.training.prepare import Prepared, prepare
from timbrel.wording import counted, plain
from timbrel.workflows.describe import (
    Outcome,
    Times,
    data_notes,
    describe,
    evaluate_outcome,
    lost_notes,
    model_files,
)
from timbrel.workflows.held_out import Aside, hear_aside
from timbrel.workflows.none_of_these import Others, hear_none_of_these, learning_from
from timbrel.workflows.observer import TrainObserver
from timbrel.workflows.parts import Parts, split_parts
from timbrel.workflows.watched import watched

_PHASES = ("scored", "refit")


@dataclass(frozen=True, repr=False)
class TrainResult:
    """What `train` made.

    Attributes:
        path: the model directory.
        evaluation: the content of `evaluation.json`.
        metadata: the content of `model.json`, without the sums of the files.
        problems: recordings that could not be used.
    """

    path: Path
    evaluation: dict
    metadata: dict
    problems: tuple[Problem, ...]

    def __repr__(self) -> str:
        recipe = self.metadata["recipe"]["name"]
        return plain(f"TrainResult({str(self.path)!r}, {recipe}: {score_text(self.evaluation)})")

    def _repr_html_(self) -> str:
        return block(*self.html_parts())

    def html_parts(self) -> list[str]:
        """What a notebook shows of it, to stand beside something else."""
        where = f"Model: {text(self.path)}", f"report: {text(self.path / 'report.html')}"
        sanity = sanity_text(self.metadata["sanity"])
        return [
            *score_parts(self.evaluation),
            note(text(sanity)),
            note(*where),
            sentences(self.problems),
        ]


def train(
    data: str | os.PathLike,
    output: str | os.PathLike = "timbrel-model",
    *,
    audio: str | os.PathLike | None = None,
    recipe: str | Recipe = DEFAULT_RECIPE,
    epochs: int | None = None,
    batch_size: int | None = None,
    clean_threshold: float | None = None,
    seed: int = 0,
    resume: bool = False,
    refit: bool = False,
    cache: FeatureCache | None = None,
    progress: bool = False,
    observer: TrainObserver | None = None,
) -> TrainResult:
    """Train a model on labelled recordings and score it on recordings that it never heard.

    One of five folds of whole groups is held out and only ever scored. An eighth of the rest is the
    inner hold-out, on which temperature, threshold and the `val_` figures are computed. The
    network learns from what remains.

    Args:
        data: a folder or a CSV of labelled recordings, see `read_dataset`.
        output: the model directory; an existing model is replaced when the new one is whole.
        audio: folder that the CSV's paths are relative to.
        recipe: a recipe or its name.
        epochs, batch_size: in place of the recipe's.
        clean_threshold: in place of the recipe's.
        seed: of drawing, splitting, weights, order and dropout.
        resume: go on from the checkpoint of an interrupted training.
        refit: train once more, on everything, after scoring.
        cache: where features are kept; the platform's cache folder by default.
        progress: show bars as the work goes on, in a notebook's cell or on a terminal's stderr.
        observer: told how it goes, in place of bars.

    Raises:
        TimbrelError: see its sub-classes; the message says what to do.
    """
    if not 0 <= seed < 2**32:
        raise InvalidArgument(f"`seed` must be at least 0 and below 2³². Got {seed}.")
    times = Times()
    chosen = get_recipe(recipe).adjusted(
        epochs=epochs, batch_size=batch_size, clean_threshold=clean_threshold
    )
    dataset = read_dataset(data, audio)
    existed = Path(output).exists()
    folder = check_output(output)
    try:
        with watched(observer, progress) as told:
            how = _How(resume, refit, cache, told)
            return _train(dataset, folder, (chosen, seed, times), how)
    finally:
        if not existed and not any(folder.iterdir()):
            folder.rmdir()


@dataclass(frozen=True)
class _How:
    resume: bool
    refit: bool
    cache: FeatureCache | None
    observer: TrainObserver


def _train(
    dataset: Dataset, folder: Path, what: tuple[Recipe, int, Times], how: _How
) -> TrainResult:
    recipe, seed, times = what
    observer = how.observer
    observer.dataset(dataset)
    with times.measure("prepare"):
        prepared = prepare(dataset, recipe, seed=seed, cache=how.cache, progress=observer.progress)
        others = hear_none_of_these(dataset, prepared, seed=seed, progress=observer.progress)
    with contextlib.closing(others):
        observer.prepared(prepared)
        others.tell(observer.note)
        return _learn((dataset, prepared, others), folder, (seed, times), how)


def _learn(
    data: tuple[Dataset, Prepared, Others], folder: Path, what: tuple[int, Times], how: _How
) -> TrainResult:
    (dataset, prepared, others), (seed, times) = data, what
    observer = how.observer
    prepared = learning_from(prepared, others.examples())
    parts = split_parts(prepared.recordings, seed=seed)
    notes = (*data_notes(dataset, prepared), *parts.notes)
    untold = (*lost_notes(dataset, prepared), *parts.notes)
    learn, rest = prepared.examples.split(parts.held_out | parts.inner)
    inner = rest.select(parts.inner[rest.recording])
    observer.parts(learn, inner, untold)
    with times.measure("train"):
        fitted = _fit((learn, inner), prepared, (folder, "scored", seed), how)
        trained, threshold = _calibrate(fitted, prepared, (parts, observer))
        observer.progress("exporting", 0, 1)
        graph = export_onnx(trained)
        observer.progress("exporting", 1, 1)
    with times.measure("predict"):
        session = Session(graph, "The exported model")
        held_out = hear_aside(
            prepared,
            np.flatnonzero(parts.held_out),
            lambda windows: session.run(windows)[0],
            progress=partial(observer.progress, "scoring"),
        )
        parity = _parity(trained, graph, held_out)
    outcome = Outcome(
        dataset=dataset,
        prepared=prepared,
        others=others,
        fitted=fitted,
        trained=trained,
        graph=graph,
        threshold=threshold,
        parity=parity,
        trained_on=~parts.held_out,
        notes=(*filter(None, [others.note()]), *notes),
        grouped=parts.grouped,
        seed=seed,
    )
    evaluation = evaluate_outcome(outcome, held_out, (session, times))
    if how.refit:
        outcome = _refit(outcome, held_out, folder, how)
    metadata = describe(outcome, evaluation, refit=how.refit)
    metadata["sanity"] = _sanity(outcome.graph, metadata)
    _write(folder, (outcome, evaluation, metadata), observer)
    problems = (*dataset.problems, *prepared.audit.problems, *others.problems)
    return TrainResult(folder, evaluation, metadata, problems)


def _write(folder: Path, what: tuple[Outcome, dict, dict], observer: TrainObserver) -> None:
    """Write the model, and say so where one was there before."""
    outcome, evaluation, metadata = what
    before = (folder / DESCRIPTION).exists()
    write_model(folder, model_files(outcome, evaluation, metadata), metadata)
    for phase in _PHASES:
        Checkpoint(folder / CHECKPOINT / phase, {}).remove()
    if before:
        observer.note(f"The model that was in '{folder}' before was replaced by this one.")


def _parity(trained: Trained, graph: bytes, held_out: Aside) -> tuple[float, int]:
    """Largest difference between Keras and ONNX, and on how many held-out windows."""
    difference = measure_parity(whole_model(trained), graph, held_out.some)
    return difference, len(held_out.some)


def _fit(
    examples: tuple[Examples, Examples],
    prepared: Prepared,
    where: tuple[Path, str, int],
    how: _How,
) -> Fitted:
    learn, inner = examples
    folder, phase, seed = where
    identity = {
        "recipe": prepared.recipe.to_dict(),
        "seed": seed,
        "data": dataset_sha256(prepared.recordings, prepared.sha256),
        "split": learn.sha256,
        "arithmetic": training_policy(prepared.recipe.network),
    }
    checkpoint = Checkpoint(folder / CHECKPOINT / phase, identity)
    if not how.resume:
        if phase == "scored" and checkpoint.file.exists():
            how.observer.note(
                "An interrupted training lies here; it is started anew (--resume goes on)."
            )
        checkpoint.remove()
    elif phase == "scored" and not checkpoint.file.exists():
        how.observer.note(
            "There is no interrupted training here; this one starts from the beginning."
        )
    how.observer.network(prepared.recipe, learn)
    fitted = fit(
        learn,
        prepared.recipe,
        validation=inner,
        seed=seed,
        checkpoint=checkpoint,
        resume=how.resume,
        listener=how.observer.listener(),
    )
    if fitted.stopped:
        how.observer.note(
            f"Training stopped after {counted(len(fitted.history), 'epoch')}: its loss fell no "
            "more."
        )
    return fitted


def _calibrate(
    fitted: Fitted, prepared: Prepared, how: tuple[Parts, TrainObserver]
) -> tuple[Trained, float]:
    """Temperature and threshold from the inner hold-out, at the level of files."""
    parts, observer = how
    plain = Trained(prepared.recipe, fitted.network, fitted.scale)
    whole = whole_model(plain)
    inner = hear_aside(
        prepared,
        np.flatnonzero(parts.inner),
        lambda windows: probabilities(whole, windows),
        progress=partial(observer.progress, "calibrating"),
    )
    temperature, threshold = calibrate(inner.windows, inner.file, inner.target)
    return dataclasses.replace(plain, temperature=temperature), threshold


def _sanity(graph: bytes, metadata: dict) -> list[dict]:
    """Let the finished model hear sounds that are no recording of any class."""
    name = "The exported model"
    return sanity_round(Predictor(LoadedModel(name, metadata, Session(graph, name), graph)))


def _refit(outcome: Outcome, held_out: Aside, folder: Path, how: _How) -> Outcome:
    """Train once more on everything; temperature and threshold stay those of the scored run."""
    how.observer.note("Training once more, on all recordings.")
    prepared = learning_from(outcome.prepared, outcome.others.examples(everything=True))
    everything, nothing = prepared.examples.split(np.zeros(len(prepared.recordings), dtype=bool))
    fitted = _fit((everything, nothing), prepared, (folder, "refit", outcome.seed), how)
    trained = dataclasses.replace(outcome.trained, network=fitted.network, scale=fitted.scale)
    graph = export_onnx(trained)
    return dataclasses.replace(
        outcome,
        trained=trained,
        graph=graph,
        parity=_parity(trained, graph, held_out),
        trained_on=np.ones_like(outcome.trained_on),
    )
