"""`timbrel summary`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrel.cli.console import Terminal, load_keras
from timbrel.cli.options import recipe_names
from timbrel.cli.tables import cost_text, network_table


def summary(
    recipe: Annotated[
        str,
        typer.Argument(help="A recipe, for instance tutorial-cnn.", autocompletion=recipe_names),
    ],
    classes: Annotated[int, typer.Option("--classes", help="Number of classes.")] = 10,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Draw it too: a .png or .svg.")
    ] = None,
) -> None:
    """Show a recipe's network layer by layer, and where its parameters sit."""
    terminal = Terminal()
    load_keras(terminal)
    from timbrel.workflows import summary as workflow

    result = workflow.summary(recipe, classes=classes, picture=output)
    terminal.out.print(network_table(result))
    terminal.out.print(cost_text(result))
