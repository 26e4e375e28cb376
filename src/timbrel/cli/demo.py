"""`timbrel demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrel.cli import options
from timbrel.cli.console import CommandProgress, Terminal, load_keras

EXAMPLES = """
timbrel demo
timbrel demo -o my-demo --seed 1
"""


def demo(
    seed: options.Seed = 0,
    output: Annotated[
        Path, options.output("--output", "-o", help="Folder for everything that is made.")
    ] = Path("timbrel-demo"),
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Try everything: make sounds, check them, train, score, and predict new sounds."""
    terminal = Terminal(quiet, verbose)
    load_keras(terminal)
    from rich.text import Text

    from timbrel.display.console import plain_table
    from timbrel.report.terminal import print_score
    from timbrel.report.view import ScoreView
    from timbrel.workflows import demo as workflow

    with CommandProgress(terminal) as progress:
        result = workflow.demo(output, seed=seed, progress=progress, say=terminal.say)
    table = plain_table("New sounds", "sound", "class", "predicted", "probability", "answer")
    for label, item in result.predictions:
        table.add_row(
            Text(item.path.rpartition("/")[2]),
            Text(label),
            Text(item.predicted or "", style="green" if item.predicted == label else "red"),
            f"{item.probability or 0:.2f}",
            Text(item.label or ""),
        )
    right = sum(label == item.predicted for label, item in result.predictions)
    terminal.out.print(table)
    terminal.print(f"{right} of {len(result.predictions)} new sounds predicted correctly.\n")
    print_score(terminal.out, ScoreView(result.trained.evaluation, result.trained.metadata))
    terminal.print(
        f"\nThe recordings    {result.data.parent}\n"
        f"The model         {result.trained.path}\n"
        f"The report        {result.trained.path / 'report.html'}\n"
        f"The predictions   {result.table}\n\n"
        "Now with your own sounds: one folder per class, then\n"
        "  timbrel train FOLDER -o my-model\n"
        "  timbrel predict SOUND.wav -m my-model"
    )
    raise typer.Exit(terminal.problems(result.trained.problems))
