"""`timbrel info`: what a finished model is, from what it says of itself."""

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

EVALUATION = "evaluation.json"

_PICTURES = {"logmel": "log-mel", "mfcc": "MFCC"}
_SANITY = {"sound": str, "label": str, "passed": bool}
_FIGURES = ("files", "precision", "recall", "f1")


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
            `model.onnx` gives beside the probabilities.
        scores: `file`, `window`, `calibration`, `unknown`, `held_out_files` and `protocol`, as in
            `evaluation.json`: computed on recordings that the scored network never heard.
        refit: whether it was trained once more, on everything, after scoring.
        temperature: the logits are divided by it.
        threshold: probability from which a class is accepted; below it the answer is "unknown".
        accept: share of the right answers on recordings kept apart that reach the threshold.
        sanity: what it made of sounds that are no recording of any class.
        provenance: `schema`, `versions`, `seed`, `data` (its size and SHA-256), `trained_on` (the
            number of different files that shaped the model), `trained_in`, and `parity` with the
            network that was exported.
        notes: what its user should know.
        evaluation: from `evaluation.json`, where it lies beside the model: `per_class`,
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
        what = f"{self.recipe['name']}, {plural(len(self.labels), 'class', 'classes')}: "
        return plain(f"ModelInfo({self.model!r}, {what}{first_names(self.labels)})")

    def _repr_html_(self) -> str:
        from timbrel.report.notebook import model_parts

        return block(*model_parts(self.to_dict()))

    @property
    def folds(self) -> int:
        """Number of networks that the scores are of; 1 where it is not said."""
        return _folds(self.scores)

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
    recipe = metadata["recipe"]
    evaluation, doubt = _evaluation(path, metadata) if path.is_dir() else (None, ())
    scores, refit = _get(metadata, "scores", dict), _get(metadata, "refit", bool)
    return ModelInfo(
        model=loaded.name,
        bytes=(path / GRAPH if path.is_dir() else path).stat().st_size,
        labels=tuple(metadata["labels"]),
        class_counts=_counts(metadata),
        recipe={key: _get(recipe, key, str) for key in ("name", "description")},
        front_end=_front_end(metadata),
        network={
            "kind": _get(_get(recipe, "network", dict), "kind", str),
            "parameters": _get(metadata, "parameters", int),
            "embedding": loaded.session.dimensions,
        },
        scores=scores,
        refit=refit,
        temperature=_get(metadata, "temperature", float | int),
        threshold=float(metadata["thresholds"]["unknown"]),
        # What `train` sets, and says in no model.
        accept=_get(metadata["thresholds"], "accept", float) or ACCEPT,
        sanity=_sanity(metadata),
        provenance=_provenance(metadata),
        notes=(*_notes(scores, refit), *doubt),
        evaluation=evaluation,
    )


def _get(data: dict | None, key: str, kind: type | UnionType) -> Any:
    """A value of the expected kind, or None."""
    value = data.get(key) if data else None
    return value if isinstance(value, kind) else None


def _counts(metadata: dict) -> dict[str, int] | None:
    counts = _get(metadata, "class_counts", dict)
    return counts and {label: _get(counts, label, int) for label in metadata["labels"]}


def _front_end(metadata: dict) -> dict:
    recipe, rate = metadata["recipe"], metadata["rate"]
    settings = dict(_get(recipe, "front_end", dict) or {})
    kind = _get(settings, "kind", str)
    settings.pop("kind", None)
    return {
        "picture": _PICTURES.get(kind, kind),
        "rate": rate,
        "window": metadata["window"] / rate,
        "hop": metadata["hop"] / rate,
        "clean_threshold": metadata["cleaning"]["threshold"],
        "depth": metadata.get("depth"),
        "aggregation": metadata["aggregation"],
        "settings": settings or None,
    }


def _provenance(metadata: dict) -> dict:
    learned = _get(metadata, "recordings", list)
    return {
        "schema": metadata["schema"],
        "versions": _get(metadata, "versions", dict),
        "seed": _get(metadata, "seed", int),
        "data": _get(metadata, "data", dict),
        "trained_on": None if learned is None else len(learned),
        "trained_in": _get(metadata, "trained_in", str),
        "parity": _get(metadata, "parity", dict),
    }


def _sanity(metadata: dict) -> list[dict] | None:
    rows = _get(metadata, "sanity", list) or []
    whole = all(
        isinstance(row, dict)
        and all(isinstance(row.get(key), kind) for key, kind in _SANITY.items())
        and (row["passed"] or isinstance(row.get("probability"), float))
        for row in rows
    )
    return rows if rows and whole else None


def _folds(scores: dict | None) -> int:
    return _get(_get(scores, "protocol", dict), "folds", int) or 1


def _notes(scores: dict | None, refit: bool | None) -> list[str]:
    """What a user of the model should know, in sentences."""
    protocol, notes = _get(scores, "protocol", dict), []
    if not _get(scores, "held_out_files", int):
        notes.append("It carries no score: nothing says how often it is right.")
    if _get(protocol, "grouped", bool) is False:
        notes.append(
            "It was scored on recordings of groups that it also learned from; on others it may be "
            "right less often."
        )
    if refit and _folds(scores) > 1:
        notes.append(
            "After scoring it was trained once more, on everything. Scores, temperature and "
            "threshold come from networks that were each trained without a part."
        )
    elif refit:
        notes.append(
            "After scoring it was trained once more, on everything. Scores, temperature and "
            "threshold are those of the network before that."
        )
    return [*notes, *map(str, _get(protocol, "notes", list) or [])]


def _evaluation(folder: Path, metadata: dict) -> tuple[dict | None, tuple[str, ...]]:
    """What `evaluation.json` adds, and what is wrong with it."""
    path = folder / EVALUATION
    if not path.exists():
        return None, ()
    try:
        content = read_file(path)
        expected = metadata.get("files", {}).get(EVALUATION)
        if expected != hashlib.sha256(content).hexdigest():
            text = f"{EVALUATION} is not the file that the model was written with; it is left out."
            return None, (text,)
        record = read_json(content, EVALUATION)
    except ModelError as error:
        return None, (f"{EVALUATION} is left out: {error}",)
    if not _class_by_class(record, len(metadata["labels"])):
        return None, (f"{EVALUATION} is of an older Timbrel; it is left out.",)
    return {key: record.get(key) for key in ("per_class", "confusion", "seconds", "excluded")}, ()


def _class_by_class(record: object, classes: int) -> bool:
    """Whether a record says of each class what is shown of it."""
    if not isinstance(record, dict):
        return False
    rows = _get(record, "per_class", list) or []
    matrix = _get(record, "confusion", list) or []
    return (
        len(rows) == len(matrix) == classes
        and all(isinstance(row, dict) and _is_row(row) for row in rows)
        and all(
            isinstance(counts, list)
            and len(counts) == classes
            and all(isinstance(count, int) for count in counts)
            for counts in matrix
        )
    )


def _is_row(row: dict) -> bool:
    span = (_get(row, "ci95", dict) or {}).get("recall", ())
    spanned = span is None or (isinstance(span, list) and len(span) == 2)
    figures = [row.get(key) for key in _FIGURES]
    return (
        isinstance(row.get("label"), str)
        and spanned
        and all(isinstance(figure, float | int) for figure in [*figures, *(span or ())])
    )
