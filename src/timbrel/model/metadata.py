"""The description of a model, `model.json`: make it, read it, check it and look things up in it."""

from __future__ import annotations

import json
import math
import platform
import stat
from collections.abc import Sequence, Set
from pathlib import Path
from reprlib import repr as in_short
from typing import TypeGuard

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
# Far above every sound card and every useful window; larger values would fill the memory.
_MOST = {"rate": 10_000_000, "window": 1 << 31, "hop": 1 << 31}
# Limit of the envelope's window in seconds.
_LONGEST = 3600.0

# Limit of the size of a file: ONNX files are protocol buffers, which cannot be larger.
_LARGEST = 1 << 31
# Limit of nesting: a description has six levels; hundreds could not be compared or copied.
_DEPTH = 32
# Limit of whole numbers.
_WHOLE_NUMBERS = 1 << 63

# Ends of messages that tell the user how to continue.
NAME_ONE = "name a model directory or its model.onnx"
AGAIN = "copy the model again, or train it again"


def read_file(path: Path) -> bytes:
    """Read a regular file that is not larger than a model can be.

    Raises:
        ModelError: it is a device or a pipe, which may never end, too large, or cannot be read.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ModelError(f"'{path}' is a device or a pipe; {NAME_ONE}.")
        if found.st_size >= _LARGEST:
            raise ModelError(f"'{path}' is larger than a model can be (2 GiB); {NAME_ONE}.")
        return path.read_bytes()
    except OSError as error:
        cause = (error.strerror or str(error)).rstrip(".")
        raise ModelError(f"'{path}' cannot be read ({cause}); {NAME_ONE} that can.") from error


def read_json(content: str | bytes, name: str) -> object:
    """Parse JSON that is safe to compare, copy, compute with and print.

    Args:
        content: the text.
        name: of the content in messages.

    Raises:
        ModelError: it is not JSON, is nested too deeply, or holds whole numbers of more than 64
            bits or text that cannot be encoded.
    """
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{name} is not JSON, so the model is damaged; {AGAIN}.") from error
    level: list[object] = [data]
    for _ in range(_DEPTH):
        if not level:
            return data
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                below += value.keys()
                below += value.values()
            elif isinstance(value, list):
                below += value
            elif isinstance(value, int) and not -_WHOLE_NUMBERS <= value < _WHOLE_NUMBERS:
                raise ModelError(f"{name} holds a number that is too large; {AGAIN}.")
            elif isinstance(value, str):
                try:
                    # Bytes of a file name that are not text are stored as single surrogates.
                    value.encode(errors="surrogateescape")
                except UnicodeEncodeError as error:
                    raise ModelError(
                        f"{name} holds text that is not valid Unicode; {AGAIN}."
                    ) from error
        level = below
    raise ModelError(f"{name} is nested too deeply, so the model is damaged; {AGAIN}.")


def describe_model(
    *,
    labels: Sequence[str],
    recipe: dict,
    windowing: Windowing,
    threshold: float,
    temperature: float,
    scale: Sequence[float],
    parameters: int,
    evaluation: dict,
    refit: bool,
    target: np.ndarray,
    data: dict,
    recordings: Set[str],
    sounds: Set[str],
    parity: dict,
    policy: str,
    seed: int,
) -> dict:
    """Make the content of `model.json`, except the sanity round and the hashes of the files.

    Args:
        labels: the classes, in the order of the probabilities.
        recipe: the recipe, as `Recipe.to_dict` gives it.
        windowing: how recordings become windows.
        threshold: for *unknown*.
        temperature: the logits are divided by it.
        scale: minimum and maximum of the training pictures.
        parameters: of the network.
        evaluation: the content of `evaluation.json`.
        refit: whether it was trained again on all recordings after scoring.
        target: int `(recordings,)`, class of each recording of the data.
        data: the `data` part of `evaluation.json`.
        recordings: SHA-256 of each file that the model was trained or calibrated on.
        sounds: SHA-256 of the samples of each.
        parity: `max_difference` and `windows`, from comparing the export with the network.
        policy: Keras dtype policy that it was trained with.
        seed: of everything.
    """
    return {
        "schema": SCHEMA,
        "labels": list(labels),
        "rate": windowing.rate,
        "window": windowing.window,
        "hop": windowing.hop,
        "cleaning": {"threshold": windowing.clean_threshold, "window": windowing.clean_window},
        "aggregation": "mean",
        "depth": windowing.depth,
        "thresholds": {"unknown": threshold},
        "temperature": temperature,
        "scale": list(scale),
        "recipe": recipe,
        "scores": {
            "file": evaluation["file"],
            "window": evaluation["window"],
            "calibration": evaluation["calibration"],
            "unknown": evaluation["unknown"],
            "held_out_files": len(evaluation["predictions"]),
            "protocol": evaluation["protocol"],
        },
        "refit": refit,
        "parameters": parameters,
        "class_counts": {
            label: int((target == number).sum()) for number, label in enumerate(labels)
        },
        "data": data,
        "recordings": sorted(recordings - {""}),
        "sounds": sorted(sounds - {""}),
        "parity": parity,
        "trained_in": policy,
        "seed": seed,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that made the model."""
    # Slow to import, and not needed for predicting.
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


def check_metadata(metadata: object, name: str) -> dict:
    """Check a description against the schema and return it.

    Raises:
        ModelError: a key is missing or has a wrong type or value, or the schema is newer than this
            version of Timbrel reads.
    """

    def wrong(key: str, rule: str, value: object) -> ModelError:
        return ModelError(f"{name}: '{key}' must be {rule}. Got {in_short(value)}; {AGAIN}.")

    if not isinstance(metadata, dict):
        raise ModelError(f"{name}: its description is not a JSON object; {AGAIN}.")
    for key, kind in _REQUIRED.items():
        value = metadata.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise wrong(key, f"of type {kind.__name__}", value)
    if metadata["schema"] > SCHEMA:
        raise ModelError(
            f"{name} was made by a newer Timbrel (schema {metadata['schema']}, this version "
            f"reads up to {SCHEMA}); read it with that one."
        )
    for key, most in _MOST.items():
        if not 1 <= metadata[key] <= most:
            rule = "at least 1" if metadata[key] < 1 else f"at most {most}"
            raise wrong(key, rule, metadata[key])
    depth = metadata.get("depth")
    if depth is not None and not (_is_number(depth) and 0 <= depth < math.inf):
        raise wrong("depth", "null or at least 0 dB", depth)

    cleaning, threshold = metadata["cleaning"], metadata["thresholds"].get("unknown")
    level, length = cleaning.get("threshold", ""), cleaning.get("window")
    fits = (
        _is_number(threshold)
        and 0 <= threshold <= 1
        and _is_number(length)
        and 0 <= length <= _LONGEST
        # The envelope is a mean over at least one sample.
        and (level is None or (_is_number(level) and 0 <= level < math.inf))
        and (level is None or length * metadata["rate"] >= 1)
    )
    if not fits:
        raise ModelError(
            f"{name}: its description of cleaning or thresholds is incomplete or wrong; {AGAIN}."
        )
    labels = metadata["labels"]
    if not _are_texts(labels) or len(set(labels)) < len(labels):
        raise wrong("labels", "different texts", labels)
    # These keys may be missing.
    if not isinstance(metadata["recipe"].get("name", ""), str):
        raise wrong("recipe", "named by a text", metadata["recipe"]["name"])
    if not isinstance(metadata.get("files", {}), dict):
        raise wrong("files", "of type dict", metadata["files"])
    return metadata


def check_graph(metadata: dict, *, window: int, classes: int, name: str) -> None:
    """Raise ModelError if description and graph do not belong together."""
    if metadata["window"] != window or len(metadata["labels"]) != classes:
        raise ModelError(
            f"{name} does not fit its description: the graph takes windows of {window} samples and "
            f"knows {classes} classes, the description says {metadata['window']} and "
            f"{len(metadata['labels'])}; {AGAIN}."
        )


def windowing_of(metadata: dict) -> Windowing:
    """How recordings are cut into windows for a model."""
    return Windowing(
        rate=metadata["rate"],
        window=metadata["window"],
        hop=metadata["hop"],
        clean_threshold=metadata["cleaning"]["threshold"],
        clean_window=metadata["cleaning"]["window"],
        depth=metadata.get("depth"),
    )


def recipe_name(metadata: dict) -> str:
    """Name of the recipe of a model."""
    return metadata["recipe"].get("name", "unnamed")


def learned(metadata: dict, key: str) -> set[str]:
    """SHA-256 of the `recordings` or `sounds` that a model was trained on, if it lists them."""
    sums = metadata.get(key)
    return set(sums) if _are_texts(sums) else set()


def temperature_of(metadata: dict) -> float:
    """Temperature of a model; 1 where the description has none."""
    found = metadata.get("temperature")
    return float(found) if _is_number(found) and 0 < found < math.inf else 1.0


def _is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_texts(values: object) -> TypeGuard[list[str]]:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
