"""`timbrel train`: from labelled recordings to a finished model with its honest score."""

from __future__ import annotations

import csv
import io
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from timbrel.dataset.corpus import Corpus, open_corpus
from timbrel.dataset.folds import learned_background, split_parts
from timbrel.dataset.manifest import read_dataset
from timbrel.display.html import block, note, sentences, text
from timbrel.errors import InvalidArgument
from timbrel.evaluation.crossval import rejections
from timbrel.evaluation.record import (
    Scored,
    evaluation_json,
    evaluation_record,
    rejection_record,
)
from timbrel.evaluation.run import Run, RunResult, check_parity, execute
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
from timbrel.training.prepare import background_examples, cleaning_finding, draw_examples


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
        """What a notebook shows of it, to stand beside something else."""
        where = f"Model: {text(self.path)}", f"report: {text(self.path / 'report.html')}"
        return [
            *score_parts(ScoreView(self.evaluation, self.metadata)),
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
    progress: Progress | bool = False,
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
        started: what `time.perf_counter` said when the work began.
    """
    examples = load_examples(corpus, recipe, seed=seed, cache=cache, progress=progress)
    learned = corpus.mask(examples.background_recordings)
    parts = split_parts(corpus.select(corpus.has_class), seed=seed)
    for finding in parts.findings:
        progress.finding(finding)
    places = np.flatnonzero(corpus.has_class)
    held_out, inner = (corpus.mask(places[part]) for part in (parts.held_out, parts.inner))
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
    _tell_training(learn, recipe, held_out=held_out, inner=inner, progress=progress)
    prepared = time.perf_counter()
    checkpoint = Checkpoint(
        folder / CHECKPOINT / "scored", _identity(corpus, recipe, learn, seed=seed)
    )
    lies_there = checkpoint.file.exists()
    if resume != lies_there:
        code = "nothing-to-resume" if resume else "training-interrupted"
        progress.finding(Finding(code, str(folder)))
    if not resume:
        checkpoint.remove()
    result = execute(
        run, corpus, examples, recipe, checkpoint=checkpoint, resume=resume, progress=progress
    )
    if result.fitted.stopped:
        facts = {"epochs": len(result.history)}
        progress.finding(Finding("stopped-early", str(folder), facts))
    notes = [*data_notes(corpus, recipe, examples), *parts.findings]
    evaluation = _evaluation(
        corpus,
        result,
        notes=notes,
        grouped=parts.grouped,
        seconds={
            "prepare": round(prepared - started, 3),
            **{name: round(spent, 3) for name, spent in result.seconds.items()},
            "total": round(time.perf_counter() - started, 3),
        },
    )
    trained, graph, parity = result.trained, result.graph, result.parity
    trained_on = (corpus.has_class & ~held_out) | learned
    if refit:
        progress.finding(Finding("refit", str(folder)))
        everything = replace(
            examples, background=background_examples(corpus, recipe, corpus.background, seed=seed)
        )
        again, nothing = everything.split(np.zeros(len(corpus), dtype=bool))
        identity = _identity(corpus, recipe, again, seed=seed)
        second = Checkpoint(folder / CHECKPOINT / "refit", identity)
        if not resume:
            second.remove()
        fitted = fit(
            again,
            recipe,
            validation=nothing,
            seed=seed,
            checkpoint=second,
            resume=resume,
            progress=progress,
        )
        trained = replace(trained, network=fitted.network, scale=fitted.scale)
        graph = export_onnx(trained)
        compared = np.flatnonzero(held_out[examples.recording])
        compared = compared[np.argsort(examples.recording[compared], kind="stable")]
        parity = check_parity(trained, graph, corpus, examples, compared)
        trained_on = corpus.usable
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
        policy=result.fitted.policy,
        seed=seed,
    )
    # The finished model hears sounds that are no recording of any class.
    name = "The exported model"
    loaded = LoadedModel(name, metadata, Session(graph, name), graph)
    metadata["sanity"] = sanity_round(Predictor(loaded))
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
    for phase in ("scored", "refit"):
        Checkpoint(folder / CHECKPOINT / phase, {}).remove()
    if replaced:
        progress.finding(Finding("model-replaced", str(folder), {"folder": str(folder)}))
    return TrainResult(folder, evaluation, metadata, corpus.unusable)


def load_examples(
    corpus: Corpus, recipe: Recipe, *, seed: int, cache: FeatureCache, progress: Progress
) -> Examples:
    """Draw windows of classes and of the background to learn from, and say what the data is.

    Args:
        corpus: the recordings.
        recipe: names windows and front end.
        seed: of the drawing, and of the dealing of background.
        cache: where pictures are kept.
        progress: told of everything that was found, of the classes, and how far it is.
    """
    for finding in corpus.findings:
        progress.finding(finding)
    examples, cached = draw_examples(corpus, recipe, seed=seed, cache=cache, progress=progress)
    if recipe.schedule is not None and corpus.background.any():
        background, known = corpus.select(corpus.background), corpus.select(corpus.has_class)
        learned = learned_background(background, known, seed=seed)
        rows = corpus.mask(np.flatnonzero(corpus.background)[learned])
        drawn = background_examples(corpus, recipe, rows, seed=seed)
        examples = replace(examples, background=drawn)
    much = cleaning_finding(corpus)
    for finding in (*([much] if much else []), *data_notes(corpus, recipe, examples)):
        progress.finding(finding)
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


def data_notes(corpus: Corpus, recipe: Recipe, examples: Examples) -> list[Finding]:
    """What a reader of the score should know of the data: background, copies, lost classes."""
    notes, source = [], corpus.dataset.source
    if corpus.background.any():
        facts = {
            "count": int(corpus.background.sum()),
            "learned": len(examples.background_recordings),
            "learns": recipe.schedule is not None,
        }
        notes.append(Finding("background", source, facts))
    used = {item.name for item in corpus.select(corpus.has_class)}
    copies = [
        item.path
        for item in corpus.findings
        if item.code in ("exact-duplicate", "near-duplicate") and item.path in used
    ]
    if copies:
        facts = {"count": len(copies), "names": copies}
        notes.append(Finding("copies", source, facts))
    lost = sorted(set(corpus.dataset.labels) - set(corpus.labels))
    notes += (Finding("lost-class", source, {"label": label}) for label in lost)
    notes += (
        Finding("lost-folder", source, {"folder": item.path})
        for item in corpus.findings
        if item.code == "closed-folder"
    )
    return notes


def _identity(corpus: Corpus, recipe: Recipe, learn: Examples, *, seed: int) -> dict:
    """What only the same training has in common; else it cannot be resumed."""
    return {
        "recipe": recipe.to_dict(),
        "seed": seed,
        "data": corpus.data_sha256(),
        "split": learn.sha256,
        "arithmetic": training_policy(recipe.network),
    }


def _tell_training(
    learn: Examples, recipe: Recipe, *, held_out: np.ndarray, inner: np.ndarray, progress: Progress
) -> None:
    """Say what is learned from, and what its classes weigh."""
    scheduled = recipe.schedule is not None
    # Recordings, where those come round equally often.
    target = learn.recording_class if scheduled else learn.y_flat
    for number, weight in balanced_class_weight(target).items():
        progress.row(
            "weights",
            {
                "class": learn.labels[number],
                "recordings" if scheduled else "windows": int((target == number).sum()),
                "weight": weight,
            },
        )
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


def _evaluation(
    corpus: Corpus,
    result: RunResult,
    *,
    notes: Sequence[Finding],
    grouped: bool,
    seconds: dict[str, float],
) -> dict:
    """The content of `evaluation.json`."""
    known = result.windows.of(corpus.has_class)
    nothing = np.zeros(len(known.rows), dtype=np.int64)
    scored = Scored(
        recordings=corpus.select(known.rows),
        target=corpus.target[known.rows],
        files=known.files(result.temperature),
        uncalibrated=known.files(1.0),
        windows=result.drawn.at(result.temperature),
        window_file=np.searchsorted(known.rows, result.drawn.row),
        fold=nothing,
        repeat=nothing,
    )
    return evaluation_record(
        scored,
        list(corpus.labels),
        temperature=result.temperature,
        facts={
            "recipe": result.trained.recipe.name,
            "data": corpus.data_facts(),
            "protocol": {
                "folds": 1,
                "repeats": 1,
                "seed": result.run.seed,
                "grouped": grouped,
                "notes": [item.text for item in notes],
            },
            "unknown": rejection_record([rejections(corpus, result)["background"]]),
            "seconds": seconds,
            "excluded": excluded(corpus),
        },
    )


def excluded(corpus: Corpus) -> list[dict[str, str]]:
    """The `excluded` part of `evaluation.json`."""
    return [{"path": item.path, "reason": item.reason} for item in corpus.unusable]


def write_page(
    path: Path, evaluation: dict, corpus: Corpus, history: list[dict], *, model: dict
) -> None:
    """Write the report, with the wrong answers given with the most confidence to see and hear.

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
