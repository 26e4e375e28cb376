"""`timbrel demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrel.cli.console import Quiet, Terminal, Verbose, load_keras
from timbrel.cli.options import Seed
from timbrel.cli.tables import predictions_table


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
    from timbrel.cli.watch import CommandProgress
    from timbrel.report.terminal import print_score
    from timbrel.report.view import ScoreView
    from timbrel.workflows import demo as workflow

    with CommandProgress(terminal) as progress:
        result = workflow.demo(output, seed=seed, progress=progress, say=terminal.say)
    right = sum(label == item.predicted for label, item in result.predictions)
    terminal.out.print(predictions_table(*zip(*result.predictions, strict=True)))
    terminal.out.print(f"{right} of {len(result.predictions)} new sounds named correctly.\n")
    print_score(terminal.out, ScoreView(result.trained.evaluation, result.trained.metadata))
    terminal.out.print(
        f"\nThe recordings    {result.data.parent}\n"
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
