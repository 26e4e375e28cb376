"""`timbrel info`: what a finished model is, from its own description."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import UnionType
from typing import Any

from timbrel.display.html import block
from timbrel.errors import ModelError
from timbrel.evaluation.calibration import ACCEPT
from timbrel.model.directory import GRAPH, load_model
from timbrel.model.metadata import read_file, read_json
from timbrel.text import first_names, plain, plural

_EVALUATION = "evaluation.json"
_PICTURES = {"logmel": "log-mel", "mfcc": "MFCC"}


@dataclass(frozen=True, repr=False)
class ModelInfo:
    """What a model is. What an older model does not say of itself is None.

    Attributes:
        model: what the user named.
        bytes: size of `model.onnx`.
        labels: the classes, in the order of the probabilities.
        class_counts: recordings of each class in the data, those held out for the score among
            them.
        recipe: its `name` and `description`.
        front_end: `picture` ("log-mel" or "MFCC"), `rate` in Hz, `window` and `hop` in seconds,
            `clean_threshold` (share of full scale that the envelope must exceed; None where
            nothing is cut away), `depth` (dB below the loudest window at which one still counts),
            `aggregation` (how windows become the answer for a recording), and further `settings`.
        network: its `kind`, `parameters`, and `embedding`, the number of hidden units that
            `model.onnx` gives besides the probabilities.
        scores: `file`, `window`, `calibration`, `unknown`, `held_out_files` and `protocol`, as in
            `evaluation.json`: computed on held-out recordings.
        refit: whether it was trained once more, on everything, after scoring.
        temperature: the logits are divided by it.
        threshold: probability from which a class is accepted; below it the answer is "unknown".
        accept: share of the right answers on recordings kept apart that reach the threshold.
        sanity: what it made of sounds that are no recording of any class.
        provenance: `schema`, `versions`, `seed`, `data` (its size and SHA-256), `trained_on` (the
            number of different files that shaped the model), `trained_in`, and `parity` with the
            network that was exported.
        notes: what its user should know.
        evaluation: from `evaluation.json`, where it is next to the model: `per_class`,
            `confusion`, `seconds` and `excluded`.
    """

    model: str
    bytes: int
    labels: tuple[str, ...]
    class_counts: dict[str, int] | None
    recipe: dict
    front_end: dict
    network: dict
    scores: dict | None
    refit: bool | None
    temperature: float | None
    threshold: float
    accept: float
    sanity: list[dict] | None
    provenance: dict
    notes: tuple[str, ...]
    evaluation: dict | None

    def __repr__(self) -> str:
        classes = f"{plural(len(self.labels), 'class', 'classes')}: {first_names(self.labels)}"
        return plain(f"ModelInfo({self.model!r}, {self.recipe['name']}, {classes})")

    def _repr_html_(self) -> str:
        from timbrel.report.notebook import model_parts

        return block(*model_parts(self.to_dict()))

    @property
    def folds(self) -> int:
        """Number of networks that the scores are of; 1 where it is not known."""
        return _get(_get(self.scores, "protocol", dict), "folds", int) or 1

    def to_dict(self) -> dict:
        """Return everything as JSON data."""
        return asdict(self)


def info(model: str | os.PathLike | None = None) -> ModelInfo:
    """Read what a model says of itself; needs onnxruntime, not Keras.

    Args:
        model: a model directory or its `model.onnx`; by default the instrument model that comes
            with the package.

    Raises:
        ModelError: the model cannot be read.
    """
    loaded = load_model(model, threads=1)
    path, metadata = Path(loaded.name), loaded.metadata
    recipe, rate, labels = metadata["recipe"], metadata["rate"], metadata["labels"]
    counts = _get(metadata, "class_counts", dict)
    settings = dict(_get(recipe, "front_end", dict) or {})
    picture = settings.pop("kind", None)
    trained_on = _get(metadata, "recordings", list)
    sanity = _get(metadata, "sanity", list)
    if sanity and not all(
        isinstance(row, dict)
        and isinstance(row.get("sound"), str)
        and isinstance(row.get("label"), str)
        and isinstance(row.get("passed"), bool)
        and (row["passed"] or isinstance(row.get("probability"), float))
        for row in sanity
    ):
        sanity = None

    scores, refit = _get(metadata, "scores", dict), _get(metadata, "refit", bool)
    protocol, notes = _get(scores, "protocol", dict), []
    if not _get(scores, "held_out_files", int):
        notes.append("It carries no score: nothing says how often it is right.")
    if _get(protocol, "grouped", bool) is False:
        notes.append(
            "It was scored on recordings of groups that it also learned from; on others it may be "
            "right less often."
        )
    if refit:
        source = "are those of the network before that"
        if (_get(protocol, "folds", int) or 1) > 1:
            source = "come from networks that were each trained without a part"
        notes.append(
            "After scoring it was trained once more, on everything. Scores, temperature and "
            f"threshold {source}."
        )
    notes += map(str, _get(protocol, "notes", list) or [])
    evaluation = None
    if (path / _EVALUATION).exists():
        try:
            evaluation = _read_evaluation(path / _EVALUATION, metadata)
        except ModelError as error:
            notes.append(f"{_EVALUATION} is left out: {error}")

    return ModelInfo(
        model=loaded.name,
        bytes=(path / GRAPH if path.is_dir() else path).stat().st_size,
        labels=tuple(labels),
        class_counts=counts and {label: _get(counts, label, int) for label in labels},
        recipe={key: _get(recipe, key, str) for key in ("name", "description")},
        front_end={
            "picture": _PICTURES.get(picture, picture) if isinstance(picture, str) else None,
            "rate": rate,
            "window": metadata["window"] / rate,
            "hop": metadata["hop"] / rate,
            "clean_threshold": metadata["cleaning"]["threshold"],
            "depth": metadata.get("depth"),
            "aggregation": metadata["aggregation"],
            "settings": settings or None,
        },
        network={
            "kind": _get(_get(recipe, "network", dict), "kind", str),
            "parameters": _get(metadata, "parameters", int),
            "embedding": loaded.session.dimensions,
        },
        scores=scores,
        refit=refit,
        temperature=_get(metadata, "temperature", float | int),
        threshold=float(metadata["thresholds"]["unknown"]),
        # The share that `train` uses; no model has it in its description.
        accept=_get(metadata["thresholds"], "accept", float) or ACCEPT,
        sanity=sanity or None,
        provenance={
            "schema": metadata["schema"],
            "versions": _get(metadata, "versions", dict),
            "seed": _get(metadata, "seed", int),
            "data": _get(metadata, "data", dict),
            "trained_on": None if trained_on is None else len(trained_on),
            "trained_in": _get(metadata, "trained_in", str),
            "parity": _get(metadata, "parity", dict),
        },
        notes=tuple(notes),
        evaluation=evaluation,
    )


def _get(data: dict | None, key: str, kind: type | UnionType) -> Any:
    """A value of the expected kind, or None."""
    value = data.get(key) if data else None
    return value if isinstance(value, kind) else None


def _read_evaluation(path: Path, metadata: dict) -> dict:
    """Read the scores of each class; raise ModelError where the file is not what it should be."""
    content = read_file(path)
    if metadata.get("files", {}).get(_EVALUATION) != hashlib.sha256(content).hexdigest():
        raise ModelError("it is not the file that the model was written with.")
    record = read_json(content, _EVALUATION)
    rows = _get(record, "per_class", list) if isinstance(record, dict) else None
    matrix = _get(record, "confusion", list) if isinstance(record, dict) else None
    classes = len(metadata["labels"])
    if not (
        isinstance(record, dict)
        and rows
        and matrix
        and len(rows) == len(matrix) == classes
        and all(isinstance(counts, list) and len(counts) == classes for counts in matrix)
        and all(isinstance(count, int) for counts in matrix for count in counts)
        and all(map(_is_class_row, rows))
    ):
        raise ModelError("it was written by an older Timbrel.")
    return {key: record.get(key) for key in ("per_class", "confusion", "seconds", "excluded")}


def _is_class_row(row: object) -> bool:
    """Whether it has the name, the figures and the interval of a class."""
    if not isinstance(row, dict) or not isinstance(row.get("label"), str):
        return False
    figures = [row.get(key) for key in ("files", "precision", "recall", "f1")]
    span = (_get(row, "ci95", dict) or {}).get("recall", ())
    if span is not None:
        if not isinstance(span, list) or len(span) != 2:
            return False
        figures += span
    return all(isinstance(figure, float | int) for figure in figures)
