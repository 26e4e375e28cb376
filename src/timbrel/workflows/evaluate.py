"""`timbrel evaluate DATA`: cross-validation, with the tutorial's random split beside it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

import numpy as np

from timbrel.dataset.folds import Folds, check_folds, deal_folds
from timbrel.dataset.manifest import Dataset, Problem, read_dataset
from timbrel.display.html import block, sentences
from timbrel.errors import InvalidArgument
from timbrel.evaluation.record import evaluation_record
from timbrel.features.cache import FeatureCache, default_folder
from timbrel.networks.recipes import DEFAULT_RECIPE, Recipe, get_recipe
from timbrel.report.cards import score_parts, score_text
from timbrel.training.prepare import Prepared, prepare
from timbrel.wording import plain
from timbrel.workflows.crossval import cross_validate, joined, mean_history, random_split
from timbrel.workflows.describe import Times, data_facts, data_notes, lost_notes
from timbrel.workflows.growing import SHARES, learning_curve
from timbrel.workflows.left_out import check_classes, leave_classes_out, left_out_parts
from timbrel.workflows.none_of_these import Others, hear_none_of_these, learning_from
from timbrel.workflows.observer import EvaluateObserver
from timbrel.workflows.runner import Runner
from timbrel.workflows.watched import watched


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
    problems: tuple[Problem, ...]

    def __repr__(self) -> str:
        evaluation = self.evaluation
        return plain(f"EvaluateResult({evaluation['recipe']}: {score_text(evaluation)})")

    def _repr_html_(self) -> str:
        return block(*score_parts(self.evaluation), sentences(self.problems))


@dataclass(frozen=True)
class _Plan:
    """What is trained, on what."""

    dataset: Dataset
    prepared: Prepared
    rounds: list[Folds]
    seed: int
    others: Others
    unknown: bool
    curve: bool

    @property
    def networks(self) -> int:
        count = sum(map(len, self.rounds)) + 1
        if self.unknown:
            count += len(left_out_parts(self.prepared.examples.labels))
        return count + (len(SHARES) * len(self.rounds[0]) if self.curve else 0)

    @property
    def notes(self) -> list[str]:
        return [*data_notes(self.dataset, self.prepared), *self.rounds[0].notes]

    @property
    def untold(self) -> list[str]:
        """The notes without what was said of each recording already."""
        return [*lost_notes(self.dataset, self.prepared), *self.rounds[0].notes]

    @property
    def told(self) -> list[str]:
        """What a reader of the score should know."""
        return [*filter(None, [self.others.note()]), *self.notes]

    @property
    def problems(self) -> tuple[Problem, ...]:
        prepared = self.prepared.audit.problems
        return (*self.dataset.problems, *prepared, *self.others.problems)


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
    resume: bool = False,
    cache: FeatureCache | None = None,
    progress: bool = False,
    observer: EvaluateObserver | None = None,
) -> EvaluateResult:
    """Score a recipe on a data set by cross-validation over whole groups.

    Each fold's network is trained from scratch on the other folds, and everything that is fitted
    (scale, class weights) is fitted there. A fold's temperature and threshold come from what the
    other networks say of the other folds. The tutorial's way, a tenth of the drawn windows held
    out at random, is trained once and stands beside it.

    Args:
        data: a folder or a CSV, as for `read_dataset`.
        audio: folder that the CSV's paths are relative to.
        recipe: a recipe or its name.
        folds: how many, "group" to leave one group out at a time, or None for the data's own
            folds, else 5 or as many as the smallest class has groups.
        repeats: how often everything is dealt and trained anew, with seeds that follow `seed`.
        epochs, batch_size, clean_threshold: in place of the recipe's.
        seed: of drawing, dealing, weights, order and dropout.
        unknown: also train without each part of the classes, and present them.
        learning_curve: also train on growing parts of each fold's training part.
        resume: go on with what an interrupted evaluation of the same has finished.
        cache: where features, and finished folds until all are, are kept.
        progress: show bars as the work goes on, in a notebook's cell or on a terminal's stderr.
        observer: told how it goes, in place of bars.

    Raises:
        TimbrelError: see its sub-classes; the message says what to do.
    """
    if repeats < 1:
        raise InvalidArgument(f"`repeats` must be at least 1. Got {repeats}.")
    if not 0 <= seed < 2**32 - repeats:
        raise InvalidArgument(f"`seed` must be at least 0 and below 2³². Got {seed}.")
    check_folds(folds)
    chosen = get_recipe(recipe).adjusted(
        epochs=epochs, batch_size=batch_size, clean_threshold=clean_threshold
    )
    how = _How(
        folds=folds,
        repeats=repeats,
        seed=seed,
        unknown=unknown,
        curve=learning_curve,
        resume=resume,
        cache=FeatureCache(default_folder()) if cache is None else cache,
    )
    with watched(observer, progress) as told:
        return _prepare_and_evaluate(read_dataset(data, audio), chosen, how, observer=told)


@dataclass(frozen=True)
class _How:
    """How it is evaluated; the arguments of `evaluate`."""

    folds: int | str | None
    repeats: int
    seed: int
    unknown: bool
    curve: bool
    resume: bool
    cache: FeatureCache


def _prepare_and_evaluate(
    dataset: Dataset, recipe: Recipe, how: _How, *, observer: EvaluateObserver
) -> EvaluateResult:
    seed, times = how.seed, Times()
    observer.dataset(dataset)
    with times.measure("prepare"):
        prepared = prepare(dataset, recipe, seed=seed, cache=how.cache, progress=observer.progress)
        others = hear_none_of_these(dataset, prepared, seed=seed, progress=observer.progress)
    with contextlib.closing(others):
        observer.prepared(prepared)
        if how.unknown:
            check_classes(prepared)
        others.tell(observer.note)
        plan = _Plan(
            dataset=dataset,
            prepared=learning_from(prepared, others.examples()),
            rounds=[
                deal_folds(prepared.recordings, how.folds, seed=seed + turn)
                for turn in range(how.repeats)
            ],
            seed=seed,
            others=others,
            unknown=how.unknown,
            curve=how.curve,
        )
        observer.planned(plan.networks, tuple(plan.untold))
        runner = Runner(plan.prepared, how.cache, resume=how.resume, observer=observer)
        return _evaluate(plan, runner, times)


def _evaluate(plan: _Plan, runner: Runner, times: Times) -> EvaluateResult:
    prepared, seed = plan.prepared, plan.seed
    folds = [
        fold
        for turn, dealt in enumerate(plan.rounds)
        for fold in cross_validate(runner, prepared, dealt, repeat=turn, seed=seed + turn)
    ]
    leaky = random_split(runner, prepared, seed=seed)
    unknown = None
    if plan.unknown:
        unknown = leave_classes_out(runner, prepared, plan.others, seed=seed)
    curve = None
    if plan.curve:
        first = [fold.heard for fold in folds if fold.repeat == 0]
        curve = learning_curve(runner, prepared, plan.rounds[0], full=first, seed=seed)
    times.spent |= runner.seconds
    evaluation = evaluation_record(
        joined(prepared, folds),
        list(prepared.examples.labels),
        temperature=float(np.exp(np.mean(np.log([fold.temperature for fold in folds])))),
        random_split=leaky,
        facts={
            "recipe": prepared.recipe.name,
            "data": data_facts(prepared),
            "protocol": {
                "folds": len(plan.rounds[0]),
                "repeats": len(plan.rounds),
                "seed": seed,
                "grouped": all(dealt.grouped for dealt in plan.rounds),
                "notes": plan.told,
            },
            "unknown": unknown,
            "threshold": float(np.mean([fold.threshold for fold in folds])),
            "learning_curve": curve,
            "seconds": times.to_dict(),
            "excluded": [{"path": item.path, "reason": item.message} for item in plan.problems],
        },
    )
    runner.forget()
    history = mean_history([fold.heard for fold in folds])
    return EvaluateResult(evaluation, prepared, history, plan.problems)
