"""`timbrel summary`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from timbrel.cli import options
from timbrel.cli.console import Terminal, load_keras
from timbrel.text import percent

if TYPE_CHECKING:
    from timbrel.workflows.summary import Summary

EXAMPLES = """
timbrel summary tutorial-cnn
timbrel summary strong --classes 50 -o network.png
"""


def summary(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="A recipe, for instance tutorial-cnn.",
            autocompletion=options.recipe_names,
        ),
    ],
    classes: Annotated[int, options.recipe(help="Number of classes.")] = 10,
    output: Annotated[
        Path | None, options.output("--output", "-o", help="Draw the network, too: a .png or .svg.")
    ] = None,
) -> None:
    """Show the network of a recipe layer by layer, with the parameters of each layer."""
    terminal = Terminal()
    load_keras(terminal)
    from timbrel.workflows import summary as workflow

    print_network(terminal, workflow.summary(recipe, classes=classes, picture=output))


def print_network(terminal: Terminal, summary: Summary) -> None:
    """Print layers, output shapes, parameters, each layer's share of them, and multiply-adds."""
    from timbrel.display.console import plain_table

    shape = ", ".join(str(size) for size in summary.input_shape)
    title = f"{summary.recipe.name}: input ({shape}), {summary.parameters:,} parameters"
    table = plain_table(title, "layer", "output", "parameters", "share")
    table.add_column("", justify="left")
    table.add_column("multiply-adds", justify="right")
    for row in summary.rows:
        eighths = round(row.share * 8 * 8)  # Of a character; the whole bar has eight characters.
        table.add_row(
            f"{row.name} ({row.kind})",
            "(" + ", ".join(str(size) for size in row.output_shape) + ")",
            f"{row.parameters:,}",
            percent(row.share),
            "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip(),
            f"{row.multiply_adds:,}" if row.multiply_adds else "",
        )
    terminal.out.print(table)
    network, front_end = (
        count * summary.windows_a_second / 1e6
        for count in (summary.multiply_adds, summary.front_end)
    )
    windowing = summary.recipe.windowing
    terminal.print(
        f"For each second of sound, {summary.windows_a_second:.3g} windows of "
        f"{windowing.window / windowing.rate:.3g} s: {network:.3g} million multiply-adds in the "
        f"network, {front_end:.3g} million in the front end."
    )
