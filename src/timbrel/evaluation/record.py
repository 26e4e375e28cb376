"""Make the content of `evaluation.json` from predictions for held-out recordings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from timbrel.dataset.manifest import Recording
from timbrel.evaluation.metrics import (
    METRICS,
    auroc,
    auroc_interval,
    class_intervals,
    confusion,
    difference_interval,
    expected_ece,
    interval,
    per_class,
    scores,
    share_interval,
)


@dataclass(frozen=True)
class Scored:
    """Predictions for recordings that were held out; with repeats, one a recording and repeat.

    Attributes:
        recordings: the recording of each prediction.
        target: int `(files,)`, their classes.
        files: float `(files, classes)`, calibrated probabilities of each.
        uncalibrated: float `(files, classes)`, the same at temperature 1.
        windows: float `(n, classes)`, calibrated probabilities of their windows.
        window_file: int `(n,)`, the prediction that each window belongs to.
        fold, repeat: int `(files,)`, which fold held it out, in which repeat; 0 where there is one.
    """

    recordings: Sequence[Recording]
    target: np.ndarray
    files: np.ndarray
    uncalibrated: np.ndarray
    windows: np.ndarray
    window_file: np.ndarray
    fold: np.ndarray
    repeat: np.ndarray

    @property
    def example(self) -> np.ndarray:
        """Number of the recording of each prediction, from 0 in their order; int `(files,)`."""
        number: dict[str, int] = {}
        return np.array([number.setdefault(item.name, len(number)) for item in self.recordings])

    @property
    def groups(self) -> np.ndarray:
        """The group of each prediction."""
        return np.array([item.group for item in self.recordings])


@dataclass(frozen=True)
class RandomSplit:
    """The answers of a network that was scored on randomly held-out windows, the tutorial's way.

    Attributes:
        right: bool `(n,)`, whether each held-out window is answered correctly.
        groups: `(n,)`, the group of the recording that each was drawn from.
    """

    right: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class Rejection:
    """Confidence of one model, the largest probability of a file, in known and unknown sounds.

    Attributes:
        known: float `(n,)`, of held-out files of its classes.
        known_groups: `(n,)`.
        unknown: float `(m,)`, of files of none of its classes.
        unknown_groups: `(m,)`.
        threshold: confidence from which the model accepts a sound.
        left_out: the classes that it was trained without.
    """

    known: np.ndarray
    known_groups: np.ndarray
    unknown: np.ndarray
    unknown_groups: np.ndarray
    threshold: float
    left_out: tuple[str, ...] = ()


def rejection_record(parts: Sequence[Rejection]) -> dict | None:
    """The `unknown` part of `evaluation.json`; None if no model has both kinds of sounds.

    The AUROC is the mean over the models, whose confidences need not be comparable; the accept
    rate is that of all unknown sounds, each at its model's threshold; the threshold is the mean.
    """
    parts = [part for part in parts if len(part.known) and len(part.unknown)]
    if not parts:
        return None
    accepted = np.concatenate([part.unknown >= part.threshold for part in parts])
    groups = np.concatenate([part.unknown_groups for part in parts])
    rows = [(part.known, part.known_groups, part.unknown, part.unknown_groups) for part in parts]
    record = {
        "threshold": float(np.mean([part.threshold for part in parts])),
        "auroc": float(np.mean([auroc(part.known, part.unknown) for part in parts])),
        "accept_rate": float(accepted.mean()),
        "ci95": {
            "auroc": auroc_interval(rows),
            "accept_rate": share_interval(accepted, groups),
        },
    }
    if any(part.left_out for part in parts):
        record["parts"] = [
            {
                "left_out": list(part.left_out),
                "threshold": part.threshold,
                "auroc": auroc(part.known, part.unknown),
                "accept_rate": float((part.unknown >= part.threshold).mean()),
            }
            for part in parts
        ]
    return record


def score_part(probabilities: np.ndarray, target: np.ndarray, groups: np.ndarray) -> dict:
    """The `file` or `window` part of `evaluation.json`: every metric, and `ci95`."""
    if len(target) == 0:
        return {**dict.fromkeys(METRICS), "ci95": dict.fromkeys(METRICS)}
    return {**scores(probabilities, target), "ci95": interval(probabilities, target, groups)}


def evaluation_record(
    scored: Scored,
    labels: list[str],
    *,
    temperature: float,
    facts: dict,
    random_split: RandomSplit | None = None,
) -> dict:
    """Return the content of `evaluation.json`.

    Args:
        scored: the held-out predictions.
        labels: the classes.
        temperature: stored in the model, or the geometric mean of those of the folds.
        facts: the other keys: `recipe`, `data`, `protocol`, `unknown`, `seconds`, `excluded`, and
            further ones, which come last.
        random_split: the answers for the tutorial's split; None where it was not trained.
    """
    groups, target = scored.groups, scored.target
    file_part = score_part(scored.files, target, groups)
    predicted = scored.files.argmax(axis=1)
    matrix = confusion(predicted, target, classes=len(labels))

    split_part: dict = {"random_split": None, "gap": None}
    if random_split is not None:
        right = predicted == target
        leaky = (random_split.right, random_split.groups)
        accuracy = float(random_split.right.mean())
        split_part = {
            "random_split": {
                "window_accuracy": accuracy,
                "windows": len(random_split.right),
                "ci95": share_interval(*leaky),
            },
            "gap": accuracy - float(right.mean()),
            "gap_ci95": difference_interval(leaky, (right, groups)),
        }

    class_rows = [asdict(row) for row in per_class(matrix, labels)]
    intervals: Sequence[dict] = [dict.fromkeys(("precision", "recall", "f1"))] * len(labels)
    if len(target):
        intervals = class_intervals(scored.files, target, groups)
    repeats = len(np.unique(scored.repeat)) or 1
    for row, ci95 in zip(class_rows, intervals, strict=True):
        row["files"] //= repeats
        row["ci95"] = ci95

    record = {
        "labels": labels,
        "recipe": facts["recipe"],
        "data": facts["data"],
        "protocol": facts["protocol"],
        "file": file_part,
        "window": score_part(
            scored.windows, target[scored.window_file], groups[scored.window_file]
        ),
        **split_part,
        "per_class": class_rows,
        "confusion": matrix.tolist(),
        "calibration": {
            "temperature": temperature,
            "ece_before": scores(scored.uncalibrated, target)["ece"] if len(target) else None,
            "ece_after": file_part["ece"],
            "ece_expected": expected_ece(scored.files, scored.example) if len(target) else None,
        },
        "unknown": facts["unknown"],
        "seconds": facts["seconds"],
        "predictions": [
            {
                "path": item.name,
                "label": item.label,
                "predicted": labels[int(row.argmax())],
                "probabilities": [float(value) for value in row],
                "fold": int(fold),
                "repeat": int(repeat),
            }
            for item, row, fold, repeat in zip(
                scored.recordings, scored.files, scored.fold, scored.repeat, strict=True
            )
        ],
        "excluded": facts["excluded"],
    }
    return record | {key: value for key, value in facts.items() if key not in record}


def evaluation_json(evaluation: dict) -> bytes:
    """Write an evaluation as JSON; bytes of a file name that are not text become escapes."""
    record = json.dumps(evaluation, indent=2, ensure_ascii=False) + "\n"
    return record.encode(errors="backslashreplace")
