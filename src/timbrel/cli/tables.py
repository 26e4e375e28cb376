"""Tables and sentences that the commands print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table
from rich.text import Text

from timbrel.training.weights import balanced_class_weight
from timbrel.wording import counted, one_line

if TYPE_CHECKING:
    from timbrel.inference.prediction import Prediction
    from timbrel.training.examples import Examples
    from timbrel.training.prepare import Prepared
    from timbrel.workflows.summary import Summary

# Characters of a whole bar, and of one in a table that has little room.
_BAR, _SHORT_BAR = 16, 8


def _bar(share: float, longest: int = _BAR) -> str:
    eighths = round(share * longest * 8)
    return "█" * (eighths // 8) + ("" if eighths % 8 == 0 else " ▏▎▍▌▋▊▉"[eighths % 8])


class _NamesTable(Table):
    """A table in which each cell of text is one line, whatever names hold."""

    def add_row(self, *cells: str | Text, **how: object) -> None:
        """Add a row."""
        super().add_row(*map(_whole, cells), **how)


def _whole(cell: str | Text) -> str | Text:
    if isinstance(cell, Text):
        return Text(one_line(cell.plain), cell.style)
    return one_line(cell)


def plain_table(title: str, *columns: str) -> Table:
    """A table without lines: the first column to the left, the others to the right."""
    table = _NamesTable(
        title=Text(one_line(title)),
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 2),
    )
    for number, column in enumerate(columns):
        # Names that do not fit go on in the next line: cut short, two may look the same.
        table.add_column(
            column,
            justify="left" if number == 0 else "right",
            no_wrap=number > 0,
            overflow="fold" if number == 0 else "ellipsis",
        )
    return table


def distribution_table(prepared: Prepared) -> Table:
    """Recordings and seconds of each class, as read and, where that differs, as kept."""
    audit, recordings = prepared.audit, prepared.recordings
    cleaned = prepared.recipe.windowing.clean_threshold is not None
    columns = ("read s", "kept s") if cleaned else ("seconds",)
    table = plain_table("Class distribution", "class", "recordings", *columns, "mean s")
    table.add_column("share of kept" if cleaned else "share", justify="left")
    for label in [*prepared.examples.labels, None]:
        members = [number for number, item in enumerate(recordings) if label in (item.label, None)]
        kept = float(audit.kept[members].sum())
        seconds = [f"{audit.seconds[members].sum():.1f}", f"{kept:.1f}"]
        table.add_row(
            Text(label) if label is not None else Text("all", style="bold"),
            str(len(members)),
            *seconds[: len(columns)],
            f"{kept / len(members):.2f}",
            _bar(kept / float(audit.kept.sum())) if label is not None else "",
        )
    return table


def weights_table(train: Examples, *, of_recordings: bool) -> Table:
    """Windows, or recordings where those come round equally often, and weight of each class."""
    target = train.recording_class if of_recordings else train.y_flat
    counted = "recordings" if of_recordings else "windows"
    table = plain_table("Class weights (balanced)", "class", counted, "weight")
    counts = np.bincount(target, minlength=len(train.labels))
    for number, weight in balanced_class_weight(target).items():
        table.add_row(Text(train.labels[number]), f"{counts[number]}", f"{weight:.3f}")
    return table


def network_table(summary: Summary) -> Table:
    """Layers, output shapes, parameters, each layer's share of them, and multiply-adds."""
    shape = ", ".join(str(size) for size in summary.input_shape)
    title = f"{summary.recipe.name}: input ({shape}), {summary.parameters:,} parameters"
    table = plain_table(title, "layer", "output", "parameters", "share")
    table.add_column("", justify="left")
    table.add_column("multiply-adds", justify="right")
    for row in summary.rows:
        table.add_row(
            f"{row.name} ({row.kind})",
            "(" + ", ".join(str(size) for size in row.output_shape) + ")",
            f"{row.parameters:,}",
            f"{row.share:.1%}",
            _bar(row.share, _SHORT_BAR),
            f"{row.multiply_adds:,}" if row.multiply_adds else "",
        )
    return table


def cost_text(summary: Summary) -> str:
    """Multiply-adds per second of sound, in words."""
    network, front_end = (
        count * summary.windows_a_second / 1e6
        for count in (summary.multiply_adds, summary.front_end)
    )
    windowing = summary.recipe.windowing
    return (
        f"For each second of sound, {summary.windows_a_second:.3g} windows of "
        f"{windowing.window / windowing.rate:.3g} s: {network:.3g} million multiply-adds in the "
        f"network, {front_end:.3g} million in the front end."
    )


def predictions_table(pairs: list[tuple[str, Prediction]]) -> Table:
    """True label and answer for each of some sounds."""
    table = plain_table("New sounds", "sound", "is", "heard as", "probability", "answer")
    for label, item in pairs:
        table.add_row(
            Text(item.path.rpartition("/")[2]),
            Text(label),
            Text(item.predicted or "", style="green" if item.predicted == label else "red"),
            f"{item.probability or 0:.2f}",
            Text(item.label or ""),
        )
    return table


def score_text(evaluation: dict) -> str:
    """The honest score in words."""
    file, window = evaluation["file"], evaluation["window"]
    count = len(evaluation["predictions"])
    lines = [
        f"On {counted(count, 'recording')} it never heard:",
        f"  files    {_percent(file)}",
        f"  windows  {_percent(window)}",
    ]
    if evaluation["unknown"]:
        lines.append(unknown_text(evaluation["unknown"]))
    return "\n".join(lines)


def class_table(evaluation: dict) -> Table:
    """Precision, recall and F1 of each class, and what it is taken for most often."""
    table = plain_table("Class by class", "class", "files", "precision", "recall", "95 %", "F1")
    table.add_column("most often taken for", justify="left")
    labels, matrix = evaluation["labels"], evaluation["confusion"]
    for number, row in enumerate(evaluation["per_class"]):
        wrong = {label: n for label, n in zip(labels, matrix[number], strict=True) if n}
        wrong.pop(row["label"], None)
        worst = max(wrong, key=wrong.__getitem__, default="")
        span = row["ci95"]["recall"]
        # Of a class that is not there, none of these says anything.
        figures = [f"{row[key]:.1%}" for key in ("precision", "recall", "f1")]
        precision, recall, f1 = figures if row["files"] else ["–"] * 3
        table.add_row(
            Text(row["label"]),
            str(row["files"]),
            precision,
            recall,
            f"{span[0]:.0%}–{span[1]:.0%}" if span else "–",
            f1,
            Text(f"{worst} ({wrong[worst]})" if worst else ""),
        )
    return table


def honesty_table(evaluation: dict) -> Table:
    """The tutorial's claim and the truth, side by side."""
    table = plain_table("What is claimed, and what is true", "scored on", "right", "95 % interval")
    leaky = evaluation["random_split"]
    window, file = evaluation["window"], evaluation["file"]
    rows = (
        ("random windows, as the tutorial does", leaky["window_accuracy"], leaky["ci95"]),
        ("windows of recordings never heard", window["accuracy"], window["ci95"]["accuracy"]),
        ("whole recordings never heard", file["accuracy"], file["ci95"]["accuracy"]),
    )
    for name, share, (low, high) in rows:
        table.add_row(name, f"{share:.1%}", f"{low:.0%} to {high:.0%}")
    return table


def honesty_text(evaluation: dict) -> str:
    """What to make of the score, in words."""
    gap, (low, high) = evaluation["gap"], evaluation["gap_ci95"]
    claimed = evaluation["random_split"]["window_accuracy"]
    if low > 0:
        lines = [
            f"The random split claims {100 * gap:.1f} points more than is true "
            f"({100 * low:.0f} to {100 * high:.0f}): windows of one recording lie on both of its "
            "sides, and the network recognises recordings instead of classes."
        ]
    else:
        lines = [
            f"Here the random split ({claimed:.1%}) does not claim more than is true, within what "
            f"so few recordings can tell ({100 * low:.0f} to {100 * high:.0f} points)."
        ]
    calibration = evaluation["calibration"]
    lines.append(
        f"Confidence is off by {calibration['ece_after']:.1%} on average "
        f"({calibration['ece_before']:.1%} before calibration; a perfectly calibrated model would "
        f"show {calibration['ece_expected']:.1%})."
    )
    if evaluation["unknown"]:
        lines.append(unknown_text(evaluation["unknown"]))
    return "\n".join(lines)


def unknown_text(unknown: dict) -> str:
    """How sounds of no class fare, in words."""
    spans = unknown["ci95"]
    (low, high), (least, most) = spans["auroc"], spans["accept_rate"]
    several = len(unknown.get("parts") or ()) > 1
    where = "the thresholds of these networks, on average" if several else "the threshold"
    text = (
        f"Unknown sounds are told from known ones with an AUROC of {unknown['auroc']:.2f} "
        f"({low:.2f} to {high:.2f}; 0.5 is guessing); {unknown['accept_rate']:.0%} of them "
        f"({least:.0%} to {most:.0%}) are accepted at {where} {unknown['threshold']:.2f}."
    )
    more = unknown.get("none_of_these")
    if more:
        text += (
            f"\nExamples of none of these that were kept for the test: AUROC {more['auroc']:.2f}, "
            f"{more['accept_rate']:.0%} accepted."
        )
    return text


def curve_table(curve: list[dict]) -> Table:
    """The learning curve."""
    table = plain_table("Learning curve", "trained on", "files right", "95 % interval")
    for row in curve:
        low, high = row["ci95"]
        count = counted(row["recordings"], "recording")
        table.add_row(count, f"{row['accuracy']:.1%}", f"{low:.0%} to {high:.0%}")
    return table


def models_table(names: Sequence[str], evaluations: Sequence[dict]) -> Table:
    """Finished models side by side."""
    scored = counted(len(evaluations[0]["predictions"]), "recording")
    columns = ("model", "files right", "95 %", "windows", "ECE", "unknown AUROC", "accepted")
    table = plain_table(f"On {scored} whose files no model was trained on", *columns)
    # Close together, so that the names have room on a terminal of 80 columns.
    table.padding = (0, 1)
    for name, evaluation in zip(names, evaluations, strict=True):
        low, high = evaluation["file"]["ci95"]["accuracy"]
        unknown = evaluation["unknown"]
        table.add_row(
            Text(name),
            f"{evaluation['file']['accuracy']:.1%}",
            f"{low:.0%}–{high:.0%}",
            f"{evaluation['window']['accuracy']:.1%}",
            f"{evaluation['file']['ece']:.3f}",
            f"{unknown['auroc']:.2f}" if unknown else "–",
            f"{unknown['accept_rate']:.0%}" if unknown else "–",
        )
    return table


def difference_lines(names: Sequence[str], evaluations: Sequence[dict]) -> list[str]:
    """How much better or worse than the first model each other one is."""
    lines = []
    for name, evaluation in list(zip(names, evaluations, strict=True))[1:]:
        points, (low, high) = (
            evaluation["against_first"]["points"],
            evaluation["against_first"]["ci95"],
        )
        verdict = "" if low > 0 or high < 0 else ": no difference that so few recordings can tell"
        lines.append(
            f"{name} against {names[0]}: {100 * points:+.1f} points of files "
            f"({100 * low:+.0f} to {100 * high:+.0f}){verdict}."
        )
    return lines


def _percent(part: dict) -> str:
    low, high = part["ci95"]["accuracy"]
    return f"{part['accuracy']:.1%} right (95 % interval {low:.0%} to {high:.0%})"
