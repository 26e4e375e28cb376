"""`timbrel explore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrel.cli import options
from timbrel.cli.console import Terminal, load_keras
from timbrel.networks.recipes import TUTORIAL_RECIPE, get_recipe

EXAMPLES = """
timbrel explore sounds
timbrel explore labels.csv --audio recordings -o my-data.html
"""


def explore(
    data: options.Data,
    audio: options.Audio = None,
    recipe: options.Recipe = TUTORIAL_RECIPE,
    clean_threshold: options.CleanThreshold = None,
    output: Annotated[Path, options.output("--output", "-o", help="The page to write.")] = Path(
        "explore.html"
    ),
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
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
    terminal.print(str(result.path))
    raise typer.Exit(status)
