"""The page of a trained model or of a cross-validation: what it is worth, where it goes wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from timbrel.files import replacing, write_text
from timbrel.networks.recipes import RECIPES
from timbrel.report.confusion import confusion_svg, confusions
from timbrel.report.curves import curves_svg
from timbrel.report.facts import Counted, class_rows, fact_rows, hardest, recipe_name
from timbrel.report.learning import learning_curve_of
from timbrel.report.mistakes import MISTAKES, Mistake
from timbrel.report.pages import render
from timbrel.report.reliability import reliability_of
from timbrel.report.scores import ends, interval, strip
from timbrel.wording import number, percent

__all__ = ["Mistake", "report_page", "write_report"]

_NAMED_PAIRS = 5
_LISTED_PAIRS = 50
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


def write_report(
    path: str | os.PathLike,
    *,
    evaluation: Mapping,
    history: Sequence[Mapping],
    model: Mapping,
    players: Sequence[Mistake],
) -> None:
    """Write the report of a model or of a cross-validation, one page that needs no other file.

    Args:
        path: the HTML file.
        evaluation: what `evaluation.json` holds; `random_split`, `gap`, `unknown`,
            `learning_curve` and intervals may be None. Where `protocol.folds` is above 1, the page
            speaks of the networks of a cross-validation instead of one model.
        history: one mapping an epoch with `epoch`, `loss`, `acc`, `val_loss`, `val_acc`; may be
            empty.
        model: what `model.json` holds; what is missing is not shown.
        players: mistakes to look at and listen to, from `mistakes.mistake`. The twelve that the
            model was surest of are shown.

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
    players: Sequence[Mistake],
) -> str:
    """Return the report as HTML; takes what `write_report` takes."""
    counted = Counted.of(evaluation)
    low, high = interval(evaluation["file"], "accuracy")
    excluded = evaluation.get("excluded") or []
    values = {
        "title": recipe_name(evaluation, model),
        "evaluation": evaluation,
        "counted": counted,
        "accuracy": evaluation["file"]["accuracy"],
        "low": low,
        "high": high,
        "strip": strip(evaluation, counted),
        "notes": list((evaluation.get("protocol") or {}).get("notes") or ())[:_MOST_NAMED],
        "metrics": _metrics(evaluation),
        "curves": curves_svg(history) if history else "",
        "changed": _changes(evaluation),
        "mistakes": sorted(players, key=lambda item: -item.probability)[:MISTAKES],
        "reliability": reliability_of(
            evaluation.get("predictions") or (), repeats=counted.repeats, between=(low, high)
        ),
        "excluded": excluded[:_MOST_NAMED],
        "excluded_count": len(excluded),
        "calibration": evaluation.get("calibration"),
        "unknown": evaluation.get("unknown"),
        "sanity": model.get("sanity") or [],
        "leaky": (evaluation.get("random_split") or {}).get("window_accuracy"),
        "window_accuracy": (evaluation.get("window") or {}).get("accuracy"),
        "gap": evaluation.get("gap"),
        "gap_ends": ends(evaluation, "gap_ci95"),
        "leaky_ends": ends(evaluation.get("random_split") or {}),
        "facts": fact_rows(evaluation, model, counted),
        "refit": bool(model.get("refit")),
        **_classes(evaluation, counted),
    }
    return render("report.html.j2", values)


def _changes(evaluation: Mapping) -> bool:
    """Whether the recipe learns from changed copies of recordings."""
    recipe = RECIPES.get(evaluation.get("recipe"))
    return recipe is not None and recipe.schedule is not None


def _classes(evaluation: Mapping, counted: Counted) -> dict:
    """What the page tells class by class."""
    labels, matrix = list(evaluation["labels"]), evaluation["confusion"]
    pairs = confusions(labels, matrix)
    rows = class_rows(evaluation)
    files = {row.label: row.files for row in rows}
    return {
        "confusion": confusion_svg(labels, matrix) if counted.answers else "",
        "named_pairs": [pair for pair in pairs if pair.times >= 2][:_NAMED_PAIRS],
        "pairs": pairs[:_LISTED_PAIRS],
        "pair_count": len(pairs),
        "classes": rows,
        "hardest": hardest(rows),
        "learning": learning_curve_of(evaluation.get("learning_curve"), files),
    }


def _metrics(evaluation: Mapping) -> list[dict]:
    """Return rows of the table of scores, as text."""
    rows = []
    for key, name, meaning, share, digits in _METRICS:
        cells = []
        for score in (evaluation["file"], evaluation["window"]):
            write = percent if share else number
            low, high = interval(score or {}, key)
            between = "" if low is None else f"{write(low, digits)} to {write(high, digits)}"
            cells.append((write((score or {}).get(key), digits), between))
        rows.append({"name": name, "meaning": meaning, "cells": cells})
    return rows
