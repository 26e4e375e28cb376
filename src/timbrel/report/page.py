"""The page of a trained model: what it is worth, and where it goes wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from timbrel.files import replacing, write_text
from timbrel.report.curves import confusion_svg, curves_svg
from timbrel.report.pages import render
from timbrel.report.wording import duration, frequency, known, number, percent, plural

_MISTAKES = 12
_CONFUSED_PAIRS = 5
_MOST_NAMED = 200

# Key in `evaluation.json`, name, what it means, whether it is a share, digits.
_METRICS = (
    ("accuracy", "Accuracy", "Share of right answers.", True, 1),
    ("macro_f1", "Macro F1", "Mean F1 of the classes: each class counts the same.", True, 1),
    (
        "map3",
        "mAP@3",
        "How high the right class stands among the first three answers. 1 is best.",
        False,
        3,
    ),
    ("log_loss", "Log loss", "Punishes sure answers that are wrong. 0 is best.", False, 3),
    ("brier", "Brier score", "Squared error of the probabilities. 0 is best.", False, 3),
    (
        "ece",
        "Calibration error (ECE)",
        "How far probabilities are from how often they come true. 0 is best.",
        True,
        1,
    ),
)


@dataclass(frozen=True)
class Mistake:
    """A recording that the model got wrong.

    Attributes:
        path: the recording.
        label: what it is.
        predicted: what the model took it for.
        probability: how sure it was, 0 to 1.
        uri: its sound as a `data:` URI, or None.
    """

    path: str
    label: str
    predicted: str
    probability: float
    uri: str | None


@dataclass(frozen=True)
class StripRow:
    """One score on a scale from 0 to 100 %.

    Attributes:
        name: what it is of.
        share: the score, 0 to 1.
        low, high: its 95 % interval, or None.
        note: what to make of it.
        main: whether it is the score that counts.
    """

    name: str
    share: float
    low: float | None
    high: float | None
    note: str
    main: bool = False


def write_report(
    path: str | os.PathLike,
    *,
    evaluation: Mapping,
    history: Sequence[Mapping],
    model: Mapping,
    players: Sequence[tuple[str, str, str, float, str | None]],
) -> None:
    """Write the report of a model, one page that needs no other file.

    Args:
        path: the HTML file.
        evaluation: what `evaluation.json` holds; `random_split`, `gap`, `unknown` and intervals
            may be None.
        history: one mapping an epoch with `epoch`, `loss`, `acc`, `val_loss`, `val_acc`; may be
            empty.
        model: what `model.json` holds; what is missing is not shown.
        players: mistakes to listen to: path, label, predicted class, its probability, and the
            sound as a `data:` URI or None. The twelve that the model was surest of are shown.

    Raises:
        OutputError: the file cannot be written.
        MissingExtra: matplotlib or Jinja2 is not installed.
    """
    with replacing(path) as temporary:
        write_text(
            temporary,
            report_page(evaluation=evaluation, history=history, model=model, players=players),
        )


def report_page(
    *,
    evaluation: Mapping,
    history: Sequence[Mapping],
    model: Mapping,
    players: Sequence[tuple[str, str, str, float, str | None]],
) -> str:
    """Return the report as HTML; takes what `write_report` takes."""
    labels, confusion = list(evaluation["labels"]), evaluation["confusion"]
    files = sum(row["files"] for row in evaluation["per_class"])
    largest = max((row["files"] for row in evaluation["per_class"]), default=0)
    baseline = largest / files if files else None
    score = evaluation["file"]
    low, high = _interval(score, "accuracy")
    mistakes = sorted((Mistake(*item) for item in players), key=lambda item: -item.probability)
    excluded = evaluation.get("excluded") or []
    values = {
        "title": _recipe_name(evaluation, model),
        "evaluation": evaluation,
        "files": files,
        "grouped": (evaluation.get("protocol") or {}).get("grouped") is not False,
        "right": round(score["accuracy"] * files) if known(score["accuracy"]) else None,
        "accuracy": score["accuracy"],
        "low": low,
        "high": high,
        "strip": _strip(evaluation, baseline),
        "metrics": _metrics(evaluation),
        "curves": curves_svg(history) if history else "",
        "confusion": confusion_svg(labels, confusion) if files else "",
        "pairs": _confused_pairs(labels, confusion),
        "wrong": _wrong(confusion),
        "mistakes": mistakes[:_MISTAKES],
        "excluded": excluded[:_MOST_NAMED],
        "excluded_count": len(excluded),
        "calibration": evaluation.get("calibration"),
        "unknown": evaluation.get("unknown"),
        "leaky": (evaluation.get("random_split") or {}).get("window_accuracy"),
        "gap": evaluation.get("gap"),
        "model_facts": _model_facts(evaluation, model),
        "refit": bool(model.get("refit")),
    }
    return render("report.html.j2", values)


def _recipe_name(evaluation: Mapping, model: Mapping) -> str:
    recipe = model.get("recipe") or evaluation.get("recipe") or "model"
    return str(recipe.get("name", "model")) if isinstance(recipe, Mapping) else str(recipe)


def _interval(score: Mapping, key: str) -> tuple[float | None, float | None]:
    """Return the 95 % interval of a metric; None twice where there is none."""
    ends = (score.get("ci95") or {}).get(key) or (None, None)
    return (ends[0], ends[1]) if known(ends[0]) and known(ends[1]) else (None, None)


def _strip(evaluation: Mapping, baseline: float | None) -> list[StripRow]:
    """Accuracies side by side: the honest one, what flatters it, and what needs no model."""
    rows = [
        ("Files", evaluation["file"], "the score: one answer for each recording", True),
        ("Windows", evaluation["window"], "one answer for each short piece", False),
    ]
    strip = [
        StripRow(name, score["accuracy"], *_interval(score, "accuracy"), note, main)
        for name, score, note, main in rows
        if score and known(score.get("accuracy"))
    ]
    leaky = (evaluation.get("random_split") or {}).get("window_accuracy")
    if known(leaky):
        note = "pieces of a recording on both sides"
        strip.append(StripRow("Leaky split", leaky, None, None, note))
    if baseline is not None:
        note = "always answering with the most common class"
        strip.append(StripRow("No model", baseline, None, None, note))
    return strip


def _metrics(evaluation: Mapping) -> list[dict]:
    """Return rows of the table of scores, as text."""
    rows = []
    for key, name, meaning, share, digits in _METRICS:
        cells = []
        for score in (evaluation["file"], evaluation["window"]):
            write = percent if share else number
            low, high = _interval(score or {}, key)
            between = "" if low is None else f"{write(low, digits)} to {write(high, digits)}"
            cells.append((write((score or {}).get(key), digits), between))
        rows.append({"name": name, "meaning": meaning, "cells": cells})
    return rows


def _wrong(confusion: Sequence[Sequence[float]]) -> float:
    return sum(sum(row) - row[index] for index, row in enumerate(confusion))


def _confused_pairs(labels: Sequence[str], confusion: Sequence[Sequence[float]]) -> list[tuple]:
    """Return the most frequent mistakes: true label, answer, how often; at least twice each."""
    pairs = [
        (labels[row], labels[column], times)
        for row, counts in enumerate(confusion)
        for column, times in enumerate(counts)
        if row != column and times >= 2
    ]
    return sorted(pairs, key=lambda pair: -pair[2])[:_CONFUSED_PAIRS]


def _model_facts(evaluation: Mapping, model: Mapping) -> list[tuple[str, str, bool]]:
    """Return name, text, and whether the text is code; only of what is known."""
    rate, data = model.get("rate"), model.get("data") or evaluation.get("data") or {}
    seconds, versions = evaluation.get("seconds") or {}, model.get("versions") or {}
    threshold = (model.get("thresholds") or {}).get("unknown")
    window, hop = (
        duration(model[key] / rate) if rate and model.get(key) else None
        for key in ("window", "hop")
    )
    facts = [
        ("Recipe", _recipe_name(evaluation, model), True),
        ("Classes", ", ".join(map(str, model.get("labels") or evaluation["labels"])), False),
        ("Sample rate", frequency(rate) if rate else None, False),
        ("Window", f"{window}, every {hop}" if window and hop else window, False),
        ("Data", _data_text(data), False),
        ("Training took", duration(seconds["train"]) if seconds.get("train") else None, False),
        ("In all", duration(seconds["total"]) if seconds.get("total") else None, False),
        ("Temperature", number(model.get("temperature")), False),
        ("Threshold for unknown", number(threshold), False),
        ("Seed", model.get("seed"), False),
        ("SHA-256 of the data", data.get("sha256"), True),
        ("Versions", ", ".join(f"{name} {text}" for name, text in versions.items()), False),
    ]
    return [(name, str(text), code) for name, text, code in facts if text not in (None, "", "–")]


def _data_text(data: Mapping) -> str:
    parts = []
    if data.get("files"):
        parts.append(plural(data["files"], "recording"))
    if data.get("groups") and data["groups"] != data.get("files"):
        parts.append(f"in {plural(data['groups'], 'group')}")
    if data.get("seconds"):
        parts.append(f"{', ' if parts else ''}{duration(data['seconds'])}")
    return " ".join(parts).replace(" ,", ",")
