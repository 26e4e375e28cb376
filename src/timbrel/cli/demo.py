"""`timbrel demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrel.cli.console import Quiet, Terminal, Verbose, load_keras
from timbrel.cli.options import Seed
from timbrel.cli.tables import predictions_table, score_text


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for everything that is made.")
    ] = Path("timbrel-demo"),
    seed: Seed = 0,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Do the main job from nothing: make sounds, check them, train, score, predict new ones."""
    terminal = Terminal(quiet, verbose)
    load_keras(terminal)
    from timbrel.cli.watch import watching
    from timbrel.evaluation.sanity import sanity_text
    from timbrel.workflows import demo as workflow

    with watching(terminal) as observer:
        result = workflow.demo(output, seed=seed, observer=observer, say=terminal.say)
    right = sum(label == item.predicted for label, item in result.predictions)
    terminal.out.print(predictions_table(result.predictions))
    terminal.out.print(
        f"{right} of {len(result.predictions)} new sounds named correctly.\n\n"
        f"{score_text(result.trained.evaluation)}\n\n"
        f"{sanity_text(result.trained.metadata['sanity'])}\n\n"
        f"The recordings    {result.data.parent}\n"
        f"The model         {result.trained.path}\n"
        f"The report        {result.trained.path / 'report.html'}\n"
        f"The predictions   {result.table}\n\n"
        "Now with your own sounds: one folder a class, then\n"
        "  timbrel train FOLDER -o my-model\n"
        "  timbrel predict SOUND.wav -m my-model",
        markup=False,
        soft_wrap=True,
    )
    raise typer.Exit(terminal.problems(result.trained.problems))
