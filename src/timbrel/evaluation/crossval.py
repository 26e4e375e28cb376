"""Lists of runs that score a recipe, and the scores made from their results.

In cross-validation every recording is scored by a network that was trained without it. The other
lists are the tutorial's split by windows, training on growing parts, and training without classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from timbrel.dataset.corpus import Corpus
from timbrel.dataset.folds import Folds, groups_by_label, split_parts
from timbrel.dataset.recording import targets
from timbrel.errors import DataError, InvalidArgument
from timbrel.evaluation.calibration import calibrate
from timbrel.evaluation.metrics import share_interval
from timbrel.evaluation.record import RandomSplit, Rejection, Scored, rejection_record
from timbrel.evaluation.run import Run, RunResult
from timbrel.findings import Finding
from timbrel.text import counted
from timbrel.training.examples import Examples

# Share of the drawn windows that the tutorial's split holds out.
RANDOM_SHARE = 0.1
# Shares of each fold's training part; cross-validation itself trains on the whole of it.
GROWING_SHARES = (0.125, 0.25, 0.5)
# The classes are dealt into at most this many parts, each of which is left out once.
CLASS_PARTS = 5
# A network needs two classes, and one must be left out.
_FEWEST_CLASSES = 3


def fold_runs(
    corpus: Corpus, folds: Folds, learned: np.ndarray, *, repeat: int = 0, seed: int = 0
) -> list[Run]:
    """One run for each fold: learn from all other folds, score the fold.

    Args:
        corpus: the recordings.
        folds: how the recordings of classes are dealt.
        learned: bool `(rows,)`, background to learn from.
        repeat: number of the repeat, from 0.
        seed: of weights, order and dropout.
    """
    runs = []
    for fold, name in enumerate(folds.names):
        held_out = corpus.mask(np.flatnonzero(corpus.has_class)[folds.number == fold])
        title = f"fold {fold + 1} of {len(folds)}"
        title += f", repeat {repeat + 1}" if repeat else ""
        title += f" ({name})" if name != str(fold + 1) else ""
        runs.append(
            Run(
                name=title,
                learn=(corpus.has_class | learned) & ~corpus.with_background(held_out),
                labels=corpus.labels,
                score=held_out,
                validate=held_out,
                drawn=held_out,
                seed=seed,
            )
        )
    return runs


def calibrate_folds(corpus: Corpus, results: Sequence[RunResult]) -> list[tuple[float, float]]:
    """Temperature and threshold of each fold, fitted on the held-out scores of the other folds.

    Args:
        corpus: the recordings.
        results: of the folds of one repeat.

    Returns:
        A pair for each fold; 1 and 0 where there is only one fold.
    """
    pairs = []
    for fold in range(len(results)):
        others = [item.windows for number, item in enumerate(results) if number != fold]
        if not others:
            pairs.append((1.0, 0.0))
            continue
        # Every recording is in one fold, so rows identify the files of all folds.
        row = np.concatenate([item.row for item in others])
        rows, file = np.unique(row, return_inverse=True)
        windows = np.concatenate([item.probabilities for item in others])
        pairs.append(calibrate(windows, file, corpus.target[rows]))
    return pairs


def score_folds(
    corpus: Corpus,
    repeats: Sequence[Sequence[RunResult]],
    temperatures: Sequence[Sequence[float]],
) -> Scored:
    """The held-out predictions of all folds of all repeats, one after the other.

    Args:
        corpus: the recordings.
        repeats: results of the folds of each repeat.
        temperatures: of the same.
    """
    rows, files, uncalibrated, windows, window_file, fold, repeat = ([] for _ in range(7))
    before = 0
    for turn, (results, fitted) in enumerate(zip(repeats, temperatures, strict=True)):
        for number, (result, temperature) in enumerate(zip(results, fitted, strict=True)):
            here = result.windows.rows
            rows.append(here)
            files.append(result.windows.files(temperature))
            uncalibrated.append(result.windows.files(1.0))
            windows.append(result.drawn.at(temperature))
            window_file.append(before + np.searchsorted(here, result.drawn.row))
            fold.append(np.full(len(here), number))
            repeat.append(np.full(len(here), turn))
            before += len(here)
    scored = np.concatenate(rows)
    return Scored(
        recordings=corpus.select(scored),
        target=corpus.target[scored],
        files=np.concatenate(files),
        uncalibrated=np.concatenate(uncalibrated),
        windows=np.concatenate(windows),
        window_file=np.concatenate(window_file),
        fold=np.concatenate(fold),
        repeat=np.concatenate(repeat),
    )


def fold_rows(scored: Scored, names: Sequence[Sequence[str]]) -> list[dict]:
    """The score of each fold, from the same predictions as the final score.

    Args:
        scored: what `score_folds` gave.
        names: of the runs of each repeat.

    Returns:
        Rows with `name`, `right`, `files` and `windows` (the share of drawn windows that is right).
    """
    right = scored.files.argmax(axis=1) == scored.target
    right_window = scored.windows.argmax(axis=1) == scored.target[scored.window_file]
    rows = []
    for repeat, folds in enumerate(names):
        for fold, name in enumerate(folds):
            mine = (scored.fold == fold) & (scored.repeat == repeat)
            inside = right_window[mine[scored.window_file]]
            rows.append(
                {
                    "name": name,
                    "right": int(right[mine].sum()),
                    "files": int(mine.sum()),
                    "windows": float(inside.mean()) if len(inside) else None,
                }
            )
    return rows


def window_row(corpus: Corpus, result: RunResult) -> dict:
    """The score of one run on its drawn windows, final as soon as the run ends.

    Calibration divides the logits of all classes by the same number, so it does not change which
    class of a window is the most probable one. It can change that of a file, a mean over windows.

    Returns:
        `name`, `right` and `windows`, both counts.
    """
    right = right_windows(corpus, result)
    return {"name": result.run.name, "right": int(right.sum()), "windows": len(right)}


def right_windows(corpus: Corpus, result: RunResult) -> np.ndarray:
    """Which of the drawn windows that a run scored are answered correctly; bool `(n,)`."""
    return result.drawn.probabilities.argmax(axis=1) == corpus.target[result.drawn.row]


def random_run(corpus: Corpus, examples: Examples, learned: np.ndarray, *, seed: int = 0) -> Run:
    """The tutorial's split: a tenth of the drawn windows is held out at random."""
    order = np.random.default_rng(seed).permutation(len(examples))
    aside = np.zeros(len(examples), dtype=bool)
    aside[order[: max(round(RANDOM_SHARE * len(examples)), 1)]] = True
    return Run(
        name="random windows, the tutorial's split",
        learn=corpus.has_class | learned,
        labels=corpus.labels,
        seed=seed,
        split_windows=aside,
    )


def random_score(corpus: Corpus, result: RunResult) -> RandomSplit:
    """What the tutorial's split claims."""
    return RandomSplit(right_windows(corpus, result), corpus.groups[result.drawn.row])


def growing_runs(
    corpus: Corpus, folds: Folds, learned: np.ndarray, share: float, *, seed: int = 0
) -> list[Run]:
    """Runs that learn from a share of the groups of each class, at least one, in each fold.

    With the same seed a larger share contains every smaller one.

    Args:
        corpus, folds, learned: as for `fold_runs`.
        share: of the training part of each fold, 0 to 1.
        seed: of the order of the groups, and of weights, order and dropout.
    """
    runs = []
    for number, full in enumerate(fold_runs(corpus, folds, learned, seed=seed), 1):
        left = corpus.select(full.learn & corpus.has_class)
        names = sorted({item.group for item in left})
        order = np.random.default_rng(seed).permutation(len(names))
        place = {names[name]: int(rank) for rank, name in enumerate(order)}
        chosen = set()
        for groups in groups_by_label(left).values():
            count = max(math.ceil(share * len(groups) - 1e-9), 1)
            chosen.update(sorted(groups, key=place.__getitem__)[:count])
        mine = np.array([group in chosen for group in corpus.groups]) & full.learn
        mine &= corpus.has_class
        rest = corpus.with_background(corpus.has_class & ~mine)
        runs.append(
            Run(
                name=f"fold {number} of {len(folds)} on {counted(mine.sum(), 'recording')}",
                learn=(corpus.has_class | learned) & ~rest,
                labels=corpus.labels,
                score=full.score,
                seed=seed,
            )
        )
    return runs


def growing_row(corpus: Corpus, results: Sequence[RunResult], share: float) -> dict:
    """A point of the learning curve.

    Returns:
        `recordings` that were learned from (the mean over the folds), `share`, `accuracy` of files
        and its `ci95`, and `recall` by class.
    """
    rows = np.concatenate([result.windows.rows for result in results])
    files = np.concatenate([result.windows.files(1.0) for result in results])
    target = corpus.target[rows]
    right = files.argmax(axis=1) == target
    learned = [(result.run.learn & corpus.has_class).sum() for result in results]
    return {
        "recordings": round(float(np.mean(learned)), 1),
        "share": share,
        "accuracy": float(right.mean()),
        "ci95": share_interval(right, corpus.groups[rows]),
        "recall": {
            label: float(right[target == number].mean())
            for number, label in enumerate(corpus.labels)
            if (target == number).any()
        },
    }


def left_out_parts(labels: Sequence[str], *, seed: int = 0) -> list[tuple[str, ...]]:
    """Deal the classes into at most five parts that leave two classes or more to train on."""
    order = np.random.default_rng(seed).permutation(len(labels))
    parts = np.array_split(order, min(CLASS_PARTS, len(labels)))
    return [tuple(labels[number] for number in sorted(part)) for part in parts]


def left_out_runs(
    corpus: Corpus, learned: np.ndarray, *, seed: int = 0
) -> tuple[list[Run], list[Finding]]:
    """Runs that each learn without a part of the classes.

    Each run splits the known classes as `train` does: whole groups are held out for the score,
    others for temperature and threshold. All recordings of the classes that are left out are
    scored, and all background that is not learned from.

    Args:
        corpus: the recordings.
        learned: bool `(rows,)`, background to learn from.
        seed: of dealing, weights, order and dropout.

    Returns:
        The runs, and a finding for each part that has none.

    Raises:
        InvalidArgument: there are too few classes to leave one out.
    """
    if len(corpus.labels) < _FEWEST_CLASSES:
        raise InvalidArgument(
            f"`--unknown` needs at least {_FEWEST_CLASSES} classes: it trains without a part of "
            f"them. Got {len(corpus.labels)}."
        )
    runs, findings = [], []
    for part in left_out_parts(corpus.labels, seed=seed):
        name = f"without {', '.join(part)}"
        known = corpus.has_class & np.array([item.label not in part for item in corpus.recordings])
        try:
            parts = split_parts(corpus.select(known), seed=seed)
        except DataError as error:
            findings.append(
                Finding("part-not-left-out", name, {"names": list(part), "cause": str(error)})
            )
            continue
        places = np.flatnonzero(known)
        held_out, inner = (corpus.mask(places[mask]) for mask in (parts.held_out, parts.inner))
        aside = (corpus.has_class & ~known) | held_out | inner
        runs.append(
            Run(
                name=name,
                learn=(corpus.has_class | learned) & ~corpus.with_background(aside),
                labels=tuple(label for label in corpus.labels if label not in part),
                score=held_out | (corpus.has_class & ~known) | (corpus.background & ~learned),
                calibrate=inner,
                seed=seed,
            )
        )
    return runs, findings


def rejections(corpus: Corpus, result: RunResult) -> dict[str, Rejection]:
    """The confidence of one network in unknown sounds.

    Returns:
        `classes`, those that the network was trained without, and `background`, which may be like
        the background that the network has learned from.
    """
    rows = result.windows.rows
    confidence = result.windows.files(result.temperature).max(axis=1, initial=0.0)
    known = targets(corpus.select(rows), result.run.labels) >= 0
    kinds = {"classes": corpus.has_class[rows] & ~known, "background": corpus.background[rows]}
    left_out = tuple(label for label in corpus.labels if label not in result.run.labels)
    return {
        kind: Rejection(
            known=confidence[known],
            known_groups=corpus.groups[rows][known],
            unknown=confidence[mine],
            unknown_groups=corpus.groups[rows][mine],
            threshold=result.threshold,
            left_out=left_out if kind == "classes" else (),
        )
        for kind, mine in kinds.items()
    }


def left_out_record(corpus: Corpus, results: Sequence[RunResult]) -> dict | None:
    """The `unknown` part of `evaluation.json`, background separately under `none_of_these`."""
    found = [rejections(corpus, result) for result in results]
    record = rejection_record([item["classes"] for item in found])
    if record and any(len(item["background"].unknown) for item in found):
        record["none_of_these"] = rejection_record([item["background"] for item in found])
    return record


def mean_history(results: Sequence[RunResult]) -> list[dict]:
    """A row for each epoch: the mean over the networks that reached it; seconds are their sum."""
    rows = []
    for number in range(max((len(item.history) for item in results), default=0)):
        epoch = [item.history[number] for item in results if number < len(item.history)]
        row = {"epoch": epoch[0]["epoch"]}
        for key in ("loss", "acc", "val_loss", "val_acc"):
            values = [part[key] for part in epoch if part[key] is not None]
            row[key] = float(np.mean(values)) if values else None
        rows.append({**row, "seconds": round(sum(part["seconds"] for part in epoch), 3)})
    return rows
