"""What `model.json` says, and whether it can be believed."""

from __future__ import annotations

import math
import platform
from reprlib import repr as in_short

import numpy as np

from timbrel import __version__
from timbrel.audio.windows import Windowing
from timbrel.errors import ModelError
from timbrel.model.reading import AGAIN

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
# Far beyond every sound card and every window; more would be memory without end.
_MOST = {"rate": 10_000_000, "window": 1 << 31, "hop": 1 << 31}
# Seconds of the envelope's window.
_LONGEST = 3600.0


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
        raise ModelError(f"{name}: its description is not a JSON object; {AGAIN}.")
    for key, kind in _REQUIRED.items():
        if not _is(metadata.get(key), kind):
            raise _odd(name, key, f"of type {kind.__name__}", metadata.get(key))
    if metadata["schema"] > SCHEMA:
        raise ModelError(
            f"{name} was made by a newer Timbrel (schema {metadata['schema']}, this version "
            f"reads up to {SCHEMA}); read it with that one."
        )
    _check_numbers(metadata, name)
    labels = metadata["labels"]
    if not _are_texts(labels) or len(set(labels)) < len(labels):
        raise _odd(name, "labels", "different texts", labels)
    _check_optional(metadata, name)
    return metadata


def _check_numbers(metadata: dict, name: str) -> None:
    """What of a description decides how a recording is heard."""
    for key, most in _MOST.items():
        if not 1 <= metadata[key] <= most:
            rule = "at least 1" if metadata[key] < 1 else f"at most {most}"
            raise _odd(name, key, rule, metadata[key])
    depth = metadata.get("depth")
    if depth is not None and not (_is(depth, float) and 0 <= depth < math.inf):
        raise _odd(name, "depth", "null or at least 0 dB", depth)
    cleaning, threshold = metadata["cleaning"], metadata["thresholds"].get("unknown")
    level, length = cleaning.get("threshold", ""), cleaning.get("window")
    fitting = (
        _is(threshold, float)
        and 0 <= threshold <= 1
        and _is(length, float)
        and 0 <= length <= _LONGEST
        # The envelope is a mean over some samples, one at least.
        and (level is None or (_is(level, float) and 0 <= level < math.inf))
        and (level is None or length * metadata["rate"] >= 1)
    )
    if not fitting:
        raise ModelError(
            f"{name}: its description of cleaning or thresholds is incomplete or wrong; {AGAIN}."
        )


def _check_optional(metadata: dict, name: str) -> None:
    """What a description need not say, and what is used wherever it does."""
    if not isinstance(metadata["recipe"].get("name", ""), str):
        raise _odd(name, "recipe", "named by a text", metadata["recipe"]["name"])
    if not isinstance(metadata.get("files", {}), dict):
        raise _odd(name, "files", "of type dict", metadata["files"])


def recipe_name(metadata: dict) -> str:
    """What the recipe is called."""
    return metadata["recipe"].get("name", "unnamed")


def learned(metadata: dict, what: str) -> set[str]:
    """The sums of the `recordings` or `sounds` that shaped a model, as far as it says them."""
    sums = metadata.get(what)
    return set(sums) if _are_texts(sums) else set()


def temperature_of(metadata: dict) -> float:
    """What the logits are divided by; 1 where it is not said."""
    found = metadata.get("temperature")
    return float(found) if _is(found, float) and 0 < found < math.inf else 1.0


def _is(value: object, kind: type) -> bool:
    """Whether a value is of a kind; to Python, true is a whole number, and one is no fraction."""
    kinds = int | float if kind is float else kind
    return isinstance(value, kinds) and not isinstance(value, bool)


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _odd(name: str, key: str, rule: str, value: object) -> ModelError:
    return ModelError(f"{name}: '{key}' must be {rule}. Got {in_short(value)}; {AGAIN}.")


def check_graph(metadata: dict, *, window: int, classes: int, name: str) -> None:
    """Raise ModelError where metadata and graph do not belong together."""
    if metadata["window"] != window or len(metadata["labels"]) != classes:
        raise ModelError(
            f"{name} does not fit its description: the graph takes windows of {window} samples and "
            f"knows {classes} classes, the description says {metadata['window']} and "
            f"{len(metadata['labels'])}; {AGAIN}."
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
