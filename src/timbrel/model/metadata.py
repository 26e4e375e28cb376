"""What `model.json` says, and whether it can be believed."""

from __future__ import annotations

import platform

import numpy as np

from timbrel import __version__
from timbrel.audio.windows import Windowing
from timbrel.errors import ModelError

SCHEMA = 1

_REQUIRED = {
    "schema": int,
    "labels": list,
    "rate": int,
    "window": int,
    "hop": int,
    "cleaning": dict,
    "aggregation": str,
    "thresholds": dict,
    "recipe": dict,
}


def windowing_of(metadata: dict) -> Windowing:
    """How recordings become windows for this model."""
    return Windowing(
        rate=metadata["rate"],
        window=metadata["window"],
        hop=metadata["hop"],
        clean_threshold=metadata["cleaning"]["threshold"],
        clean_window=metadata["cleaning"]["window"],
        depth=metadata.get("depth"),
    )


def check_metadata(metadata: object, name: str) -> dict:
    """Return metadata that fits the schema.

    Raises:
        ModelError: a key is missing or of the wrong type, or the schema is newer than this
            version of Timbrel reads.
    """
    if not isinstance(metadata, dict):
        raise ModelError(f"{name}: its description is not a JSON object.")
    for key, kind in _REQUIRED.items():
        if not isinstance(metadata.get(key), kind):
            raise ModelError(
                f"{name}: '{key}' must be of type {kind.__name__}. Got {metadata.get(key)!r}."
            )
    if metadata["schema"] > SCHEMA:
        raise ModelError(
            f"{name} was made by a newer Timbrel (schema {metadata['schema']}, this version "
            f"reads up to {SCHEMA}). Upgrade with: pip install --upgrade timbrel"
        )
    depth = metadata.get("depth")
    if depth is not None and not (isinstance(depth, int | float) and depth >= 0):
        raise ModelError(f"{name}: 'depth' must be null or at least 0 dB. Got {depth!r}.")
    cleaning, threshold = metadata["cleaning"], metadata["thresholds"].get("unknown")
    level, length = cleaning.get("threshold", ""), cleaning.get("window")
    numbers = (threshold, length) if level is None else (threshold, length, level)
    if not all(isinstance(number, int | float) and number >= 0 for number in numbers):
        raise ModelError(f"{name}: its description of cleaning or thresholds is incomplete.")
    labels = metadata["labels"]
    if len(set(map(str, labels))) < len(labels) or not all(isinstance(x, str) for x in labels):
        raise ModelError(f"{name}: its labels must be different texts. Got {labels}.")
    for key in ("rate", "window", "hop"):
        if metadata[key] < 1:
            raise ModelError(f"{name}: '{key}' must be at least 1. Got {metadata[key]}.")
    return metadata


def check_graph(metadata: dict, *, window: int, classes: int, name: str) -> None:
    """Raise ModelError where metadata and graph do not belong together."""
    if metadata["window"] != window or len(metadata["labels"]) != classes:
        raise ModelError(
            f"{name} does not fit its description: the graph takes windows of {window} samples and "
            f"knows {classes} classes, the description says {metadata['window']} and "
            f"{len(metadata['labels'])}."
        )


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that made the model."""
    # Takes a while to import, and who predicts does not ask.
    from importlib import metadata as packages

    found = {"python": platform.python_version(), "timbrel": __version__}
    for name in ("numpy", "soundfile", "soxr", "keras", "onnxruntime"):
        found[name] = packages.version(name)
    for name in ("tensorflow", "tensorflow-cpu", "torch", "jax"):
        try:
            found[name] = packages.version(name)
        except packages.PackageNotFoundError:
            continue
    return found


def class_counts(labels: list[str], target: np.ndarray) -> dict[str, int]:
    """Recordings of each class."""
    return {label: int((target == number).sum()) for number, label in enumerate(labels)}
