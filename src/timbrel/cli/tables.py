"""Tables and sentences that the commands print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from timbrel.inference.prediction import Prediction
    from timbrel.training.examples import Examples
    from timbrel.training.prepare import Prepared
    from timbrel.workflows.summary import Summary

_BAR = 16


def _bar(share: float) -> str:
    eighths = round(share * _BAR * 8)
    return "█" * (eighths // 8) + ("" if eighths % 8 == 0 else " ▏▎▍▌▋▊▉"[eighths % 8])


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2))
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=number > 0)
    return table


def distribution_table(prepared: Prepared) -> Table:
    """Recordings and seconds of each class, as read and as kept by cleaning."""
    audit, recordings = prepared.audit, prepared.recordings
    table = _table("Class distribution", "class", "recordings", "read s", "kept s", "mean s")
    table.add_column("share of kept", justify="left")
    for label in prepared.examples.labels:
        members = [number for number, item in enumerate(recordings) if item.label == label]
        kept = float(audit.kept[members].sum())
        table.add_row(
            Text(label),
            str(len(members)),
            f"{audit.seconds[members].sum():.1f}",
            f"{kept:.1f}",
            f"{kept / len(members):.2f}",
            _bar(kept / float(audit.kept.sum())),
        )
    table.add_row(
        Text("all", style="bold"),
        str(len(recordings)),
        f"{audit.seconds.sum():.1f}",
        f"{audit.kept.sum():.1f}",
        f"{audit.kept.mean():.2f}",
        "",
    )
    return table


def weights_table(train: Examples) -> Table:
    """Windows and weight of each class in the training part."""
    table = _table("Class weights (balanced)", "class", "windows", "weight")
    counts = train.y.sum(axis=0)
    for number, weight in train.class_weight.items():
        table.add_row(Text(train.labels[number]), f"{int(counts[number])}", f"{weight:.3f}")
    return table


def network_table(summary: Summary) -> Table:
    """Layers, output shapes, parameters and each layer's share of them."""
    shape = ", ".join(str(size) for size in summary.input_shape)
    title = f"{summary.recipe.name}: input ({shape}), {summary.parameters:,} parameters"
    table = _table(title, "layer", "output", "parameters", "share")
    table.add_column("", justify="left")
    for row in summary.rows:
        table.add_row(
            f"{row.name} ({row.kind})",
            "(" + ", ".join(str(size) for size in row.output_shape) + ")",
            f"{row.parameters:,}",
            f"{row.share:.1%}",
            _bar(row.share),
        )
    return table


def predictions_table(pairs: list[tuple[str, Prediction]]) -> Table:
    """True label and answer for each of some sounds."""
    table = _table("New sounds", "sound", "is", "heard as", "probability", "answer")
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
        f"On {count} recordings it never heard:",
        f"  files    {_percent(file)}",
        f"  windows  {_percent(window)}",
    ]
    unknown = evaluation["unknown"]
    if unknown:
        lines.append(
            f"  none of these: accepts {unknown['accept_rate']:.0%} of them at the threshold "
            f"{unknown['threshold']:.2f}, AUROC {unknown['auroc']:.2f}"
        )
    return "\n".join(lines)


def _percent(part: dict) -> str:
    low, high = part["ci95"]["accuracy"]
    return f"{part['accuracy']:.1%} right (95 % interval {low:.0%} to {high:.0%})"
