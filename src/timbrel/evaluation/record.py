"""Put `evaluation.json` together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from timbrel.dataset.manifest import Recording
from timbrel.evaluation.metrics import (
    METRICS,
    confusion,
    expected_ece,
    interval,
    per_class,
    scores,
)


@dataclass(frozen=True)
class Scored:
    """Predictions for recordings that were held out.

    Attributes:
        recordings: the held-out recordings.
        target: int `(files,)`, their classes.
        files: float `(files, classes)`, calibrated probabilities of each.
        windows: float `(n, classes)`, calibrated probabilities of their drawn windows.
        window_file: int `(n,)`, the file of each window.
    """

    recordings: Sequence[Recording]
    target: np.ndarray
    files: np.ndarray
    windows: np.ndarray
    window_file: np.ndarray


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
    uncalibrated: np.ndarray,
    facts: dict,
) -> dict:
    """Return the content of `evaluation.json` for one hold-out.

    Args:
        scored: the held-out predictions.
        labels: the classes.
        temperature: stored in the model.
        uncalibrated: float `(files, classes)`, the files' probabilities at temperature 1.
        facts: the keys that come from elsewhere: `recipe`, `data`, `protocol`, `unknown`,
            `seconds`, `excluded`.
    """
    groups = np.array([item.group for item in scored.recordings])
    matrix = confusion(scored.files.argmax(axis=1), scored.target, classes=len(labels))
    file_part = score_part(scored.files, scored.target, groups)
    window_target = scored.target[scored.window_file]
    return {
        "labels": labels,
        "recipe": facts["recipe"],
        "data": facts["data"],
        "protocol": facts["protocol"],
        "file": file_part,
        "window": score_part(scored.windows, window_target, groups[scored.window_file]),
        "random_split": None,
        "gap": None,
        "per_class": [asdict(row) for row in per_class(matrix, labels)],
        "confusion": matrix.tolist(),
        "calibration": {
            "temperature": temperature,
            "ece_before": scores(uncalibrated, scored.target)["ece"],
            "ece_after": file_part["ece"],
            "ece_expected": expected_ece(scored.files),
        },
        "unknown": facts["unknown"],
        "seconds": facts["seconds"],
        "predictions": [
            {
                "path": item.name,
                "label": item.label,
                "predicted": labels[int(row.argmax())],
                "probabilities": [float(value) for value in row],
                "fold": 0,
                "repeat": 0,
            }
            for item, row in zip(scored.recordings, scored.files, strict=True)
        ],
        "excluded": facts["excluded"],
    }
