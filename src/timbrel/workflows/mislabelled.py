"""Look for wrong labels: by statistics of each recording, or by the recipe itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from timbrel.dataset.findings import Finding
from timbrel.dataset.recording import Dataset, Recording
from timbrel.errors import MissingExtra
from timbrel.evaluation.labels import Suspect, find_mislabelled, suspicious
from timbrel.features.cache import FeatureCache, default_folder
from timbrel.networks.recipes import Recipe
from timbrel.workflows.observer import EvaluateObserver


def judge(
    recordings: Sequence[Recording],
    statistics: Sequence[np.ndarray | None],
    *,
    seed: int,
    progress: Callable[[int, int], None],
) -> list[Finding]:
    """Findings from a fast model on statistics of whole recordings.

    Args:
        recordings: of classes; copies share a group.
        statistics: of each, or None where SciPy is not installed.
        seed: of folds and trees.
        progress: called with what is done of how much.

    Raises:
        MissingExtra: scikit-learn or SciPy is not installed.
    """
    if any(row is None for row in statistics):
        raise MissingExtra.of("train", "Looking for wrong labels")
    if not recordings:
        return []
    found = find_mislabelled(
        np.array(statistics),
        [item.label for item in recordings],
        [item.group for item in recordings],
        seed=seed,
        progress=progress,
    )
    return _findings(recordings, found)


def judge_by_recipe(
    dataset: Dataset,
    recipe: Recipe,
    *,
    seed: int,
    cache: FeatureCache | None,
    observer: EvaluateObserver,
) -> list[Finding]:
    """Findings from cross-validation of a recipe, as `evaluate` does it.

    Raises:
        DataError: the data set cannot be cross-validated.
        MissingExtra: what training needs is not installed.
    """
    from timbrel.dataset.folds import deal_folds
    from timbrel.training.prepare import prepare
    from timbrel.workflows.crossval import cross_validate, joined
    from timbrel.workflows.runner import Runner

    cache = FeatureCache(default_folder()) if cache is None else cache
    prepared = prepare(dataset, recipe, seed=seed, cache=cache, progress=observer.progress)
    folds = deal_folds(prepared.recordings, None, seed=seed)
    observer.planned(len(folds), tuple(folds.notes))
    runner = Runner(prepared, cache, resume=True, observer=observer)
    scored = joined(prepared, cross_validate(runner, prepared, folds, seed=seed))
    runner.forget()
    found = suspicious(scored.files, scored.target, list(prepared.examples.labels))
    return _findings(scored.recordings, found)


def _findings(recordings: Sequence[Recording], found: Sequence[Suspect]) -> list[Finding]:
    return [
        Finding(
            recordings[item.index].name,
            "mislabelled",
            f"It is labelled '{recordings[item.index].label}' but sounds like '{item.suggested}' "
            f"(confidence {item.confidence:.2f}).",
            "Listen to it, and correct the label if it is wrong.",
        )
        for item in found
    ]
