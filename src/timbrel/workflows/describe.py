"""What a finished training says of itself: `evaluation.json`, `model.json` and the files beside."""

from __future__ import annotations

import contextlib
import csv
import io
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from timbrel.audio.decode import decode
from timbrel.dataset.fingerprint import dataset_sha256
from timbrel.dataset.manifest import Dataset, Recording
from timbrel.evaluation.calibration import file_means, tempered
from timbrel.evaluation.record import Scored, evaluation_json, evaluation_record
from timbrel.evaluation.unknown import Rejection, rejection_record
from timbrel.model.directory import GRAPH
from timbrel.model.export import Trained, with_metadata
from timbrel.model.metadata import SCHEMA, class_counts, versions
from timbrel.model.runtime import Session
from timbrel.report.curves import draw_curves
from timbrel.report.mistakes import Mistake, mistake, surest_mistakes
from timbrel.report.page import write_report
from timbrel.training.fit import HISTORY_KEYS, Fitted
from timbrel.training.prepare import Prepared
from timbrel.wording import first_names
from timbrel.workflows.held_out import Aside
from timbrel.workflows.none_of_these import Others


@dataclass
class Times:
    """Seconds that each part of a training took."""

    started: float = field(default_factory=time.perf_counter)
    spent: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time of a block to a name."""
        before = time.perf_counter()
        yield
        spent = self.spent.get(name, 0.0) + time.perf_counter() - before
        self.spent[name] = round(spent, 3)

    def to_dict(self) -> dict[str, float]:
        """Return the seconds so far, `total` among them."""
        return {**self.spent, "total": round(time.perf_counter() - self.started, 3)}


@dataclass(frozen=True)
class Outcome:
    """A training that went well, before anything is written.

    Attributes:
        dataset, prepared: what it learned from.
        others: the examples of none of these.
        fitted: the scored network and its history.
        trained: what is exported.
        graph: `trained` as ONNX.
        threshold: for *unknown*.
        parity: largest difference between Keras and ONNX, and on how many windows.
        trained_on: bool `(recordings,)`, recordings that shaped the model in any way.
        notes: what a reader of the score should know.
        grouped: whether every group lies on one side.
        seed: of everything.
    """

    dataset: Dataset
    prepared: Prepared
    others: Others
    fitted: Fitted
    trained: Trained
    graph: bytes
    threshold: float
    parity: tuple[float, int]
    trained_on: np.ndarray
    notes: tuple[str, ...]
    grouped: bool
    seed: int

    @property
    def labels(self) -> list[str]:
        """The classes, in the order of the probabilities."""
        return list(self.prepared.examples.labels)


def data_facts(prepared: Prepared) -> dict:
    """The `data` part of `evaluation.json` and `model.json`."""
    recordings = prepared.recordings
    return {
        "files": len(recordings),
        "groups": len({item.group for item in recordings}),
        "seconds": round(float(prepared.audit.seconds.sum()), 3),
        "sha256": dataset_sha256(recordings, prepared.sha256),
    }


def data_notes(dataset: Dataset, prepared: Prepared) -> list[str]:
    """What a reader of the score should know of the data: copies, and classes that are lost."""
    copies = [item.path for item in prepared.audit.copies]
    notes = []
    if copies:
        count = f"{len(copies)} recordings share" if len(copies) > 1 else "1 recording shares"
        some = first_names(copies)
        notes.append(f"{count} the group of another, of the same sound: {some}.")
    return [*notes, *lost_notes(dataset, prepared)]


def lost_notes(dataset: Dataset, prepared: Prepared) -> list[str]:
    """Classes that are lost: what of `data_notes` no warning of a single recording has said."""
    lost = sorted(set(dataset.labels) - set(prepared.examples.labels))
    closed = [item.path for item in dataset.problems if item.is_closed_folder]
    return [
        *(f"No recording of '{label}' can be used: it cannot be learned." for label in lost),
        *(f"The folder '{path}' cannot be looked into: nothing in it is used." for path in closed),
    ]


def evaluate_outcome(outcome: Outcome, held_out: Aside, more: tuple[Session, Times]) -> dict:
    """Score what the exported graph said of the held-out recordings: `evaluation.json`."""
    others, (session, times) = outcome.others, more
    with times.measure("predict"):
        files = file_means(held_out.windows, held_out.file)
        heard = (session.run(others.windows(number))[0] for number in others.tested)
        confidence = [found.mean(axis=0).max() for found in heard]
    temperature = outcome.trained.temperature
    count = np.zeros(len(files), dtype=np.int64)
    scored = Scored(
        recordings=held_out.recordings,
        target=held_out.target,
        files=files,
        uncalibrated=file_means(tempered(held_out.windows, 1 / temperature), held_out.file),
        windows=held_out.drawn,
        window_file=held_out.drawn_file,
        fold=count,
        repeat=count,
    )
    rejection = Rejection(
        known=files.max(axis=1),
        known_groups=scored.groups,
        unknown=np.array(confidence),
        unknown_groups=others.tested_groups,
        threshold=outcome.threshold,
    )
    problems = (
        *outcome.dataset.problems,
        *outcome.prepared.audit.problems,
        *others.problems,
    )
    return evaluation_record(
        scored,
        outcome.labels,
        temperature=temperature,
        facts={
            "recipe": outcome.prepared.recipe.name,
            "data": data_facts(outcome.prepared),
            "protocol": {
                "folds": 1,
                "repeats": 1,
                "seed": outcome.seed,
                "grouped": outcome.grouped,
                "notes": list(outcome.notes),
            },
            "unknown": rejection_record([rejection]),
            "seconds": times.to_dict(),
            "excluded": [{"path": item.path, "reason": item.message} for item in problems],
        },
    )


def describe(outcome: Outcome, evaluation: dict, *, refit: bool) -> dict:
    """The content of `model.json`, but for the sums of the files."""
    prepared, trained, others = outcome.prepared, outcome.trained, outcome.others
    windowing = prepared.recipe.windowing
    learned = np.flatnonzero(outcome.trained_on)
    strange = np.arange(len(others.recordings)) if refit else np.flatnonzero(others.learned)
    target = np.array([outcome.labels.index(item.label) for item in prepared.recordings])
    return {
        "schema": SCHEMA,
        "labels": outcome.labels,
        "rate": windowing.rate,
        "window": windowing.window,
        "hop": windowing.hop,
        "cleaning": {"threshold": windowing.clean_threshold, "window": windowing.clean_window},
        "aggregation": "mean",
        "depth": windowing.depth,
        "thresholds": {"unknown": outcome.threshold},
        "temperature": trained.temperature,
        "scale": list(trained.scale),
        "recipe": prepared.recipe.to_dict(),
        "scores": {
            "file": evaluation["file"],
            "window": evaluation["window"],
            "calibration": evaluation["calibration"],
            "unknown": evaluation["unknown"],
            "held_out_files": len(evaluation["predictions"]),
            "protocol": evaluation["protocol"],
        },
        "refit": refit,
        "parameters": trained.network.count_params(),
        "class_counts": class_counts(outcome.labels, target),
        "data": data_facts(outcome.prepared),
        "recordings": sorted(_sums(prepared.sha256, learned) | _sums(others.sha256, strange)),
        "sounds": sorted(
            _sums(prepared.sound_sha256, learned) | _sums(others.sound_sha256, strange)
        ),
        "parity": {"max_difference": outcome.parity[0], "windows": outcome.parity[1]},
        "trained_in": outcome.fitted.policy,
        "seed": outcome.seed,
        "versions": versions(),
    }


def _sums(all_of_them: Sequence[str], chosen: np.ndarray) -> set[str]:
    return {all_of_them[number] for number in chosen} - {""}


def model_files(outcome: Outcome, evaluation: dict, metadata: dict) -> dict[str, bytes]:
    """Content of every file of the model directory but `model.json`."""
    history = outcome.fitted.history
    recordings = {item.name: item for item in outcome.prepared.recordings}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        outcome.trained.network.save_weights(folder / "network.weights.h5")
        draw_curves(history, folder / "history.png")
        players = _mistakes(evaluation, recordings, outcome.prepared.recipe.windowing.rate)
        write_report(
            folder / "report.html",
            evaluation=evaluation,
            history=history,
            model=metadata,
            players=players,
        )
        made = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    table = io.StringIO()
    writer = csv.DictWriter(table, HISTORY_KEYS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return {
        GRAPH: with_metadata(outcome.graph, metadata),
        "history.csv": table.getvalue().encode(),
        "evaluation.json": evaluation_json(evaluation),
        **made,
    }


def write_evaluation_page(path: Path, evaluation: dict, *, prepared: Prepared, history: list[dict]):
    """Write the report of a cross-validation, which has no model of its own."""
    recordings = {item.name: item for item in prepared.recordings}
    players = _mistakes(evaluation, recordings, prepared.recipe.windowing.rate)
    write_report(path, evaluation=evaluation, history=history, model={}, players=players)


def _mistakes(evaluation: dict, recordings: dict[str, Recording], rate: int) -> list[Mistake]:
    """The wrong answers given with the most confidence, ready to be seen and heard."""
    mistakes = []
    for row in surest_mistakes(evaluation["predictions"]):
        item = recordings[row["path"]]
        sound = decode(item.file, rate, start=item.start, end=item.end).waveform
        mistakes.append(mistake(row, sound, rate))
    return mistakes
