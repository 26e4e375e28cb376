"""Tables that the commands print of a data set, a network and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from timbrel.display.console import plain_table
from timbrel.text import percent

if TYPE_CHECKING:
    from timbrel.inference.prediction import Prediction
    from timbrel.workflows.summary import Summary

# Characters of a whole bar, and of one in a table that has little room.
_BAR, _SHORT_BAR = 16, 8


def _bar(share: float, longest: int = _BAR) -> str:
    eighths = round(share * longest * 8)
    return "█" * (eighths // 8) + ("" if eighths % 8 == 0 else " ▏▎▍▌▋▊▉"[eighths % 8])


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
            percent(row.share),
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


def predictions_table(labels: Sequence[str], predictions: Sequence[Prediction]) -> Table:
    """True label and answer for each of some sounds."""
    table = plain_table("New sounds", "sound", "is", "taken for", "probability", "answer")
    for label, item in zip(labels, predictions, strict=True):
        table.add_row(
            Text(item.path.rpartition("/")[2]),
            Text(label),
            Text(item.predicted or "", style="green" if item.predicted == label else "red"),
            f"{item.probability or 0:.2f}",
            Text(item.label or ""),
        )
    return table
