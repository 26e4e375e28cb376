"""`timbrel train`: from labelled recordings to a finished model with its honest score."""

from __future__ import annotations

import csv
import io
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from timbrel.dataset.corpus import Corpus, open_corpus
from timbrel.dataset.folds import learned_background, split_parts
from timbrel.dataset.manifest import read_dataset
from timbrel.display.html import block, note, sentences, text
from timbrel.errors import InvalidArgument
from timbrel.evaluation.crossval import rejections, score_folds
from timbrel.evaluation.record import (
    evaluation_json,
    evaluation_record,
    rejection_record,
)
from timbrel.evaluation.run import Run, check_parity, execute
from timbrel.evaluation.sanity import sanity_round
from timbrel.features.cache import FeatureCache, default_folder
from timbrel.findings import Finding
from timbrel.inference.predictor import Predictor
from timbrel.model.directory import (
    CHECKPOINT,
    DESCRIPTION,
    GRAPH,
    LoadedModel,
    check_output,
    write_model,
)
from timbrel.model.export import export_onnx, with_metadata
from timbrel.model.metadata import describe_model
from timbrel.model.runtime import Session
from timbrel.networks.recipes import DEFAULT_RECIPE, Recipe, get_recipe
from timbrel.progress import Progress, watching
from timbrel.report.notebook import score_parts
from timbrel.report.page import mistake, surest_mistakes, write_report
from timbrel.report.pictures import draw_curves
from timbrel.report.view import ScoreView
from timbrel.text import plain
from timbrel.training.examples import Examples, balanced_class_weight
from timbrel.training.fit import HISTORY_KEYS, Checkpoint, fit, training_policy
from timbrel.training.prepare import background_examples, draw_examples
from timbrel.workflows.check import excluded, score_notes, training_findings


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
    problems: tuple[Finding, ...]

    def __repr__(self) -> str:
        recipe = self.metadata["recipe"]["name"]
        return plain(
            f"TrainResult({str(self.path)!r}, {recipe}: {ScoreView(self.evaluation).headline})"
        )

    def _repr_html_(self) -> str:
        return block(*self.html_parts())

    def html_parts(self) -> list[str]:
        """The parts of `_repr_html_`, for a larger block."""
        return [
            *score_parts(ScoreView(self.evaluation, self.metadata)),
            note(f"Model: {text(self.path)}", f"report: {text(self.path / 'report.html')}"),
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
    progress: Progress | bool = False,
) -> TrainResult:
    """Train a model on labelled recordings and score it on held-out recordings.

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
        progress: True for bars, in a notebook's cell or on a terminal's stderr, or an object to
            tell.

    Raises:
        TimbrelError: see its sub-classes; the message says what to do.
    """
    if not 0 <= seed < 2**32:
        raise InvalidArgument(f"`seed` must be at least 0 and below 2³². Got {seed}.")
    started = time.perf_counter()
    chosen = get_recipe(recipe).adjusted(
        epochs=epochs, batch_size=batch_size, clean_threshold=clean_threshold
    )
    dataset = read_dataset(data, audio)
    existed = Path(output).exists()
    folder = check_output(output)
    cache = FeatureCache(default_folder()) if cache is None else cache
    try:
        with (
            watching(progress) as told,
            open_corpus(dataset, chosen.windowing, cache=cache, progress=told) as corpus,
        ):
            return train_corpus(
                corpus,
                folder,
                recipe=chosen,
                seed=seed,
                resume=resume,
                refit=refit,
                cache=cache,
                progress=told,
                started=started,
            )
    finally:
        if not existed and not any(folder.iterdir()):
            folder.rmdir()


def train_corpus(
    corpus: Corpus,
    folder: Path,
    *,
    recipe: Recipe,
    seed: int,
    resume: bool = False,
    refit: bool = False,
    cache: FeatureCache,
    progress: Progress,
    started: float,
) -> TrainResult:
    """`train` on a corpus that is open already.

    Args:
        corpus: opened with the windowing of the recipe.
        folder: what `check_output` gave.
        recipe, seed, resume, refit, cache, progress: as for `train`.
        started: the value of `time.perf_counter` when the work began.
    """
    # Draw windows, and hold recordings out.
    examples = load_examples(corpus, recipe, seed=seed, cache=cache, progress=progress)
    learned = examples.background_mask(len(corpus))
    parts = split_parts(corpus.select(corpus.has_class), seed=seed)
    for finding in parts.findings:
        progress.finding(finding)
    places = np.flatnonzero(corpus.has_class)
    held_out, inner = corpus.mask(places[parts.held_out]), corpus.mask(places[parts.inner])
    run = Run(
        name="train",
        learn=(corpus.has_class | learned) & ~corpus.with_background(held_out | inner),
        score=held_out | (corpus.background & ~learned),
        calibrate=inner,
        validate=inner,
        drawn=held_out,
        labels=corpus.labels,
        seed=seed,
    )
    learn, _ = run.examples(examples)
    # Where there is a schedule, recordings come round equally often, not windows.
    scheduled = recipe.schedule is not None
    target = learn.recording_class if scheduled else learn.y_flat
    for number, weight in balanced_class_weight(target).items():
        count = int((target == number).sum())
        unit = "recordings" if scheduled else "windows"
        row = {"class": learn.labels[number], unit: count, "weight": weight}
        progress.row("weights", row)
    progress.row(
        "training",
        {
            "recipe": recipe.name,
            "classes": len(learn.labels),
            "epochs": recipe.epochs_for(len(learn.recording_class)),
            "learn": len(learn.recording_class),
            "X": list(learn.pictures.shape),
            "calibrate": int(inner.sum()),
            "held_out": int(held_out.sum()),
        },
    )
    prepared = time.perf_counter()

    # Train, calibrate, export and score. A checkpoint is resumed by the same training alone.
    identity = {
        "recipe": recipe.to_dict(),
        "seed": seed,
        "data": corpus.data_sha256(),
        "arithmetic": training_policy(recipe.network),
    }
    first = Checkpoint(folder / CHECKPOINT / "scored", {**identity, "split": learn.sha256})
    if resume != first.file.exists():
        code = "nothing-to-resume" if resume else "training-interrupted"
        progress.finding(Finding(code, str(folder)))
    if not resume:
        first.remove()
    scored = execute(
        run, corpus, examples, recipe, checkpoint=first, resume=resume, progress=progress
    )
    result = scored.result
    if scored.fitted.stopped:
        facts = {"epochs": len(result.history)}
        progress.finding(Finding("stopped-early", str(folder), facts))

    # Put the score together.
    known = replace(result, windows=result.windows.of(corpus.has_class))
    notes = score_notes(corpus, learned=int(learned.sum()), learns=scheduled)
    evaluation = evaluation_record(
        score_folds(corpus, [[known]], [[result.temperature]]),
        list(corpus.labels),
        temperature=result.temperature,
        facts={
            "recipe": recipe.name,
            "data": corpus.data_facts(),
            "protocol": {
                "folds": 1,
                "repeats": 1,
                "seed": seed,
                "grouped": parts.grouped,
                "notes": [item.text for item in (*notes, *parts.findings)],
            },
            "unknown": rejection_record([rejections(corpus, result)["background"]]),
            "seconds": {
                "prepare": round(prepared - started, 3),
                **{name: round(spent, 3) for name, spent in result.seconds.items()},
                "total": round(time.perf_counter() - started, 3),
            },
            "excluded": excluded(corpus.unusable),
        },
    )

    # Train once more, on everything.
    trained, graph, parity = scored.trained, scored.graph, result.parity
    trained_on = (corpus.has_class & ~held_out) | learned
    second = Checkpoint(folder / CHECKPOINT / "refit", {})
    if refit:
        progress.finding(Finding("refit", str(folder)))
        background = background_examples(corpus, recipe, corpus.background, seed=seed)
        no_rows = np.zeros(len(corpus), dtype=bool)
        everything, nothing = replace(examples, background=background).split(no_rows)
        second = replace(second, identity={**identity, "split": everything.sha256})
        if not resume:
            second.remove()
        fitted = fit(
            everything,
            recipe,
            validation=nothing,
            seed=seed,
            checkpoint=second,
            resume=resume,
            progress=progress,
        )
        trained = replace(trained, network=fitted.network, scale=fitted.scale)
        graph = export_onnx(trained)
        compared = held_out[examples.recording]
        parity = check_parity(trained, graph, corpus, examples, compared)
        trained_on = corpus.usable

    # Describe the model, and try it on sounds that are no recording of any class.
    metadata = describe_model(
        labels=corpus.labels,
        recipe=recipe.to_dict(),
        windowing=recipe.windowing,
        threshold=result.threshold,
        temperature=trained.temperature,
        scale=trained.scale,
        parameters=trained.network.count_params(),
        evaluation=evaluation,
        refit=refit,
        target=corpus.target[corpus.has_class],
        data=corpus.data_facts(),
        recordings={corpus.sha256[row] for row in np.flatnonzero(trained_on)},
        sounds=set(corpus.of("digest", trained_on).tolist()),
        parity=parity,
        policy=scored.fitted.policy,
        seed=seed,
    )
    name = "The exported model"
    loaded = LoadedModel(name, metadata, Session(graph, name), graph)
    metadata["sanity"] = sanity_round(Predictor(loaded))

    # Write all of it, and forget the checkpoints.
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary)
        trained.network.save_weights(made / "network.weights.h5")
        draw_curves(result.history, made / "history.png")
        write_page(made / "report.html", evaluation, corpus, result.history, model=metadata)
        files = {path.name: path.read_bytes() for path in sorted(made.iterdir())}
    table = io.StringIO()
    writer = csv.DictWriter(table, HISTORY_KEYS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(result.history)
    files |= {
        GRAPH: with_metadata(graph, metadata),
        "history.csv": table.getvalue().encode(),
        "evaluation.json": evaluation_json(evaluation),
    }
    replaced = (folder / DESCRIPTION).exists()
    write_model(folder, files, metadata)
    for checkpoint in (first, second):
        checkpoint.remove()
    if replaced:
        progress.finding(Finding("model-replaced", str(folder), {"folder": str(folder)}))
    return TrainResult(folder, evaluation, metadata, corpus.unusable)


def load_examples(
    corpus: Corpus, recipe: Recipe, *, seed: int, cache: FeatureCache, progress: Progress
) -> Examples:
    """Show what was found in the data, and draw windows of classes and background to learn from.

    Args:
        corpus: the recordings.
        recipe: names windows and front end.
        seed: of the drawing, and of the choice of background to learn from.
        cache: where pictures are kept.
        progress: given the findings, a row for each class and one for the windows.
    """
    learns = recipe.schedule is not None
    learned = np.zeros(len(corpus), dtype=bool)
    if learns and corpus.background.any():
        background, known = corpus.select(corpus.background), corpus.select(corpus.has_class)
        learned[corpus.background] = learned_background(background, known, seed=seed)
    for finding in training_findings(corpus, learned=int(learned.sum()), learns=learns):
        progress.finding(finding)
    examples, cached = draw_examples(corpus, recipe, seed=seed, cache=cache, progress=progress)
    if learned.any():
        drawn = background_examples(corpus, recipe, learned, seed=seed)
        examples = replace(examples, background=drawn)
    rate = recipe.windowing.rate
    for number, label in enumerate(corpus.labels):
        rows = corpus.target == number
        progress.row(
            "classes",
            {
                "class": label,
                "recordings": int(rows.sum()),
                "groups": len(set(corpus.groups[rows])),
                "seconds": float(corpus.of("seconds", rows).sum()),
                "kept": float(corpus.of("samples", rows).sum()) / rate,
            },
        )
    progress.row(
        "windows",
        {
            "windows": len(examples),
            "seconds": recipe.windowing.window / rate,
            "X": list(examples.pictures.shape),
            "y": list(examples.y.shape),
            "cached": cached,
        },
    )
    return examples


def write_page(
    path: Path, evaluation: dict, corpus: Corpus, history: list[dict], *, model: dict
) -> None:
    """Write the report, with the most confident wrong answers to look at and listen to.

    Args:
        path: the HTML file.
        evaluation: the content of `evaluation.json`.
        corpus: holds the recordings that were scored.
        history: a row an epoch.
        model: the content of `model.json`; empty for a cross-validation.
    """
    row_of = {item.name: row for row, item in enumerate(corpus.recordings)}
    wrong = surest_mistakes(evaluation["predictions"])
    sounds = corpus.waveforms([row_of[item["path"]] for item in wrong])
    rate = corpus.windowing.rate
    players = [mistake(item, sound, rate) for item, sound in zip(wrong, sounds, strict=True)]
    write_report(path, evaluation=evaluation, history=history, model=model, players=players)
