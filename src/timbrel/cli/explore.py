"""`timbrel explore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrel.cli.console import Quiet, Terminal, Verbose, load_keras
from timbrel.cli.options import Audio, CleanThreshold, Data, recipe_names
from timbrel.networks.recipes import TUTORIAL_RECIPE, get_recipe


def explore(
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page.")] = Path(
        "explore.html"
    ),
    audio: Audio = None,
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe",
            "-r",
            help="Whose cleaning and front end to show.",
            autocompletion=recipe_names,
        ),
    ] = TUTORIAL_RECIPE,
    clean_threshold: CleanThreshold = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw a data set: class distribution, and per class waveform, spectrum, filter bank, MFCC."""
    terminal = Terminal(quiet, verbose)
    load_keras(terminal)
    from timbrel.workflows import explore as workflow

    with terminal.progress() as progress:
        result = workflow.explore(
            data,
            output,
            audio=audio,
            recipe=get_recipe(recipe).adjusted(clean_threshold=clean_threshold),
            progress=progress,
        )
    status = terminal.findings(result.findings)
    terminal.out.print(f"{result.path}", markup=False, soft_wrap=True)
    raise typer.Exit(status)
