"""Put `evaluation.json` together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from timbrel.dataset.manifest import Recording
from timbrel.evaluation.metrics import (
    METRICS,
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
        """Which recording each file is, from 0 in their order; repeats are of the same."""
        number: dict[str, int] = {}
        return np.array([number.setdefault(item.name, len(number)) for item in self.recordings])

    @property
    def groups(self) -> np.ndarray:
        """The group of each prediction."""
        return np.array([item.group for item in self.recordings])


@dataclass(frozen=True)
class RandomSplit:
    """What a split by windows, the tutorial's, would have claimed.

    Attributes:
        right: bool `(n,)`, whether each window that was set aside is answered correctly.
        groups: `(n,)`, the group of the recording that each was drawn from.
    """

    right: np.ndarray
    groups: np.ndarray


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
        facts: the keys that come from elsewhere: `recipe`, `data`, `protocol`, `unknown`,
            `seconds`, `excluded`, and further ones.
        random_split: the tutorial's split, for comparison.
    """
    groups, target = scored.groups, scored.target
    file_part = score_part(scored.files, target, groups)
    record = {
        "labels": labels,
        "recipe": facts["recipe"],
        "data": facts["data"],
        "protocol": facts["protocol"],
        "file": file_part,
        "window": score_part(
            scored.windows, target[scored.window_file], groups[scored.window_file]
        ),
        **_random_part(random_split, scored),
        "per_class": _class_rows(scored, labels),
        "confusion": _confusion(scored, labels).tolist(),
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
    """The content of `evaluation.json`; bytes of a file name that are no text become escapes."""
    record = json.dumps(evaluation, indent=2, ensure_ascii=False) + "\n"
    return record.encode(errors="backslashreplace")


def _random_part(random_split: RandomSplit | None, scored: Scored) -> dict:
    if random_split is None:
        return {"random_split": None, "gap": None}
    right = scored.files.argmax(axis=1) == scored.target
    leaky = (random_split.right, random_split.groups)
    accuracy = float(random_split.right.mean())
    return {
        "random_split": {
            "window_accuracy": accuracy,
            "windows": len(random_split.right),
            "ci95": share_interval(*leaky),
        },
        "gap": accuracy - float(right.mean()),
        "gap_ci95": difference_interval(leaky, (right, scored.groups)),
    }


def _confusion(scored: Scored, labels: list[str]) -> np.ndarray:
    if not len(scored.target):
        return np.zeros((len(labels), len(labels)), dtype=np.int64)
    return confusion(scored.files.argmax(axis=1), scored.target, classes=len(labels))


def _class_rows(scored: Scored, labels: list[str]) -> list[dict]:
    """Precision, recall and F1 of each class, with their intervals, and its number of files."""
    rows = [asdict(row) for row in per_class(_confusion(scored, labels), labels)]
    if len(scored.target):
        spans = class_intervals(scored.files, scored.target, scored.groups)
    else:
        spans = [dict.fromkeys(("precision", "recall", "f1"))] * len(labels)
    repeats = len(np.unique(scored.repeat)) or 1
    for row, span in zip(rows, spans, strict=True):
        row["files"] //= repeats
        row["ci95"] = span
    return rows
