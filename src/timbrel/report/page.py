"""The page of a trained model or of a cross-validation: what it is worth, where it goes wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache

from timbrel import wording
from timbrel.files import replacing, write_text
from timbrel.report.backend import jinja2
from timbrel.report.charts import (
    confusion_matrix,
    learning_plot,
    reliability_plots,
    training_curves,
)
from timbrel.report.mistakes import MISTAKES, Mistake
from timbrel.report.view import ScoreView


@cache
def templates() -> jinja2.Environment:
    """Return the templates of this package; whatever they are given is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("timbrel.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("percent", "number", "count", "times", "duration", "frequency", "channels"):
        environment.filters[name] = getattr(wording, name)
    environment.filters["plural"] = wording.plural
    return environment


def confusion_svg(labels: Sequence[str], matrix: Sequence[Sequence[float]]) -> str:
    """Return a confusion matrix as SVG in a `div`; takes what `confusion_matrix` takes."""
    charts = templates().get_template("charts.html.j2").module
    return str(charts.confusion(confusion_matrix(labels, matrix)))


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
        evaluation: the content of `evaluation.json`, as `ScoreView` takes it.
        history: one mapping an epoch with `epoch`, `loss`, `acc`, `val_loss`, `val_acc`; may be
            empty.
        model: the content of `model.json`; empty for a cross-validation.
        players: mistakes to look at and listen to, from `mistakes.mistake`. The twelve that the
            model was surest of are shown.

    Raises:
        OutputError: the file cannot be written.
        MissingExtra: matplotlib or Jinja2 is not installed.
    """
    view = ScoreView(evaluation, model)
    reliability, learning = view.reliability, view.learning
    values = {
        "view": view,
        "matrix": confusion_matrix(view.labels, view.matrix) if view.answers else None,
        "mistakes": sorted(players, key=lambda item: -item.probability)[:MISTAKES],
        "reliability": reliability,
        "reliability_plots": reliability_plots(reliability.bins) if reliability else [],
        "learning": learning,
        "learning_plot": learning_plot(learning.table) if learning else None,
        "curves": training_curves(history) if history else [],
    }
    with replacing(path) as temporary:
        write_text(temporary, templates().get_template("report.html.j2").render(values))
