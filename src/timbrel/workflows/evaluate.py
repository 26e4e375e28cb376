"""`timbrel evaluate DATA`: cross-validation, and the tutorial's random split for comparison."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

from timbrel.dataset.corpus import open_corpus
from timbrel.dataset.folds import check_folds, deal_folds
from timbrel.dataset.manifest import read_dataset
from timbrel.display.html import block, sentences
from timbrel.errors import InvalidArgument
from timbrel.evaluation.crossval import (
    GROWING_SHARES,
    calibrate_folds,
    fold_rows,
    fold_runs,
    growing_row,
    growing_runs,
    left_out_record,
    left_out_runs,
    mean_history,
    random_run,
    random_score,
    score_folds,
    window_row,
)
from timbrel.evaluation.record import evaluation_record
from timbrel.evaluation.run import Run, RunResult, Runs
from timbrel.features.cache import FeatureCache, default_folder
from timbrel.files import replacing
from timbrel.findings import Finding
from timbrel.networks.recipes import DEFAULT_RECIPE, Recipe, get_recipe
from timbrel.progress import Progress, watching
from timbrel.report.notebook import score_parts
from timbrel.report.view import ScoreView
from timbrel.text import plain
from timbrel.training.prepare import Prepared, prepared_of
from timbrel.workflows.check import excluded, score_notes
from timbrel.workflows.train import load_examples, write_page


@dataclass(frozen=True, repr=False)
class EvaluateResult:
    """What `evaluate` found.

    Attributes:
        evaluation: the content of `evaluation.json`.
        prepared: what was evaluated on.
        history: a row an epoch, the mean over the folds.
        problems: recordings that could not be used.
    """

    evaluation: dict
    prepared: Prepared
    history: list[dict]
    problems: tuple[Finding, ...]

    def __repr__(self) -> str:
        headline = ScoreView(self.evaluation).headline
        return plain(f"EvaluateResult({self.evaluation['recipe']}: {headline})")

    def _repr_html_(self) -> str:
        return block(*score_parts(ScoreView(self.evaluation)), sentences(self.problems))


def evaluate(
    data: str | os.PathLike,
    *,
    audio: str | os.PathLike | None = None,
    recipe: str | Recipe = DEFAULT_RECIPE,
    folds: int | str | None = None,
    repeats: int = 1,
    epochs: int | None = None,
    batch_size: int | None = None,
    clean_threshold: float | None = None,
    seed: int = 0,
    unknown: bool = False,
    learning_curve: bool = False,
    report: str | os.PathLike | None = None,
    resume: bool = False,
    cache: FeatureCache | None = None,
    progress: Progress | bool = False,
) -> EvaluateResult:
    """Score a recipe on a data set by cross-validation over whole groups.

    Each fold's network is trained from scratch on the other folds, and everything that is fitted
    (scale, class weights) is fitted there. A fold's temperature and threshold come from the scores
    of the other folds. The tutorial's way, a tenth of the drawn windows held out at random, is
    trained once, and its score is given for comparison.

    Args:
        data: a folder or a CSV, as for `read_dataset`.
        audio: folder that the CSV's paths are relative to.
        recipe: a recipe or its name.
        folds: how many, "group" to leave one group out at a time, or None for the data's own
            folds, else 5 or as many as the smallest class has groups.
        repeats: how often everything is dealt and trained anew, with seeds that follow `seed`.
        epochs, batch_size, clean_threshold: in place of the recipe's.
        seed: of drawing, dealing, weights, order and dropout.
        unknown: also train without each part of the classes, and score how these are rejected.
        learning_curve: also train on growing parts of each fold's training part.
        report: an HTML file to write the report to.
        resume: go on with what an interrupted evaluation of the same has finished.
        cache: where features, and finished folds until all are, are kept.
        progress: True for bars, in a notebook's cell or on a terminal's stderr, or an object to
            tell.

    Raises:
        TimbrelError: see its sub-classes; the message says what to do.
    """
    if repeats < 1:
        raise InvalidArgument(f"`repeats` must be at least 1. Got {repeats}.")
    if not 0 <= seed <= 2**32 - repeats:
        raise InvalidArgument(
            f"`seed` must be at least 0 and, with `repeats` {repeats}, at most {2**32 - repeats}. "
            f"Got {seed}."
        )
    check_folds(folds)
    started = time.perf_counter()
    chosen = get_recipe(recipe).adjusted(
        epochs=epochs, batch_size=batch_size, clean_threshold=clean_threshold
    )
    cache = FeatureCache(default_folder()) if cache is None else cache
    dataset = read_dataset(data, audio)
    with (
        watching(progress) as told,
        open_corpus(dataset, chosen.windowing, cache=cache, progress=told) as corpus,
    ):
        # Plan all networks first, so that it is known how many there will be.
        examples = load_examples(corpus, chosen, seed=seed, cache=cache, progress=told)
        learned = examples.background_mask(len(corpus))
        known = corpus.select(corpus.has_class)
        dealt = [deal_folds(known, folds, seed=seed + turn) for turn in range(repeats)]
        for finding in dealt[0].findings:
            told.finding(finding)
        plans = [
            fold_runs(corpus, of_turn, learned, repeat=turn, seed=seed + turn)
            for turn, of_turn in enumerate(dealt)
        ]
        leaky = random_run(corpus, examples, learned, seed=seed)
        without: list[Run] = []
        not_left_out: list[Finding] = []
        if unknown:
            without, not_left_out = left_out_runs(corpus, learned, seed=seed)
        shares = GROWING_SHARES if learning_curve else ()
        growing = [growing_runs(corpus, dealt[0], learned, share, seed=seed) for share in shares]
        total = sum(map(len, plans)) + 1 + len(without) + sum(map(len, growing))
        runs = Runs(
            corpus, examples, chosen, cache=cache, resume=resume, total=total, progress=told
        )
        prepared = time.perf_counter()

        # Cross-validation, and the tutorial's random split.
        repeated: list[list[RunResult]] = []
        for plan in plans:
            repeated.append([])
            for run in plan:
                repeated[-1].append(runs.execute(run))
                told.row("fold windows", window_row(corpus, repeated[-1][-1]))
        fitted = [calibrate_folds(corpus, results) for results in repeated]
        temperatures = [[temperature for temperature, _ in turn] for turn in fitted]
        thresholds = [threshold for turn in fitted for _, threshold in turn]
        scored = score_folds(corpus, repeated, temperatures)
        for row in fold_rows(scored, [[run.name for run in plan] for plan in plans]):
            told.row("folds", row)
        leaky_result = runs.execute(leaky)
        random_split = random_score(corpus, leaky_result)
        told.row("random split", window_row(corpus, leaky_result))

        # Classes that are left out, and the learning curve.
        rejected = None
        if unknown:
            for finding in not_left_out:
                told.finding(finding)
            rejected = left_out_record(corpus, [runs.execute(run) for run in without])
            for part in (rejected or {}).get("parts", []):
                told.row("unknown", part)
        curve = []
        for share, plan in zip(shares, growing, strict=True):
            curve.append(growing_row(corpus, [runs.execute(run) for run in plan], share))
            told.row("learning curve", curve[-1])
        if learning_curve:
            curve.append(growing_row(corpus, repeated[0], 1.0))
            told.row("learning curve", curve[-1])

        # Put the score together.
        learns = chosen.schedule is not None
        notes = score_notes(corpus, learned=int(learned.sum()), learns=learns)
        notes += [*dealt[0].findings, *not_left_out]
        evaluation = evaluation_record(
            scored,
            list(corpus.labels),
            temperature=float(np.exp(np.mean(np.log(np.concatenate(temperatures))))),
            random_split=random_split,
            facts={
                "recipe": chosen.name,
                "data": corpus.data_facts(),
                "protocol": {
                    "folds": len(dealt[0]),
                    "repeats": repeats,
                    "seed": seed,
                    "grouped": all(turn.grouped for turn in dealt),
                    "notes": [item.text for item in notes],
                },
                "unknown": rejected,
                "threshold": float(np.mean(thresholds)),
                "learning_curve": curve or None,
                "seconds": {
                    "prepare": round(prepared - started, 3),
                    **runs.seconds,
                    "total": round(time.perf_counter() - started, 3),
                },
                "excluded": excluded(corpus.unusable),
            },
        )
        history = mean_history([result for results in repeated for result in results])
        if report is not None:
            with replacing(report) as temporary:
                write_page(temporary, evaluation, corpus, history, model={})
        runs.forget()
        prepared_data = prepared_of(corpus, examples, chosen, cached=False)
        return EvaluateResult(evaluation, prepared_data, history, corpus.unusable)
