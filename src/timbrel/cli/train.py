"""`timbrel train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrel.cli import options
from timbrel.cli.console import CommandProgress, Terminal, load_keras
from timbrel.networks.recipes import DEFAULT_RECIPE, get_recipe

EXAMPLES = """
timbrel train sounds -o my-model
timbrel train labels.csv --audio recordings -r strong -o my-model
timbrel train sounds -o my-model --resume
"""


def train(
    data: options.Data,
    audio: options.Audio = None,
    recipe: options.Recipe = DEFAULT_RECIPE,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    clean_threshold: options.CleanThreshold = None,
    seed: options.Seed = 0,
    refit: Annotated[
        bool, options.training("--refit", help="After scoring, train again on all recordings.")
    ] = False,
    resume: options.Resume = False,
    cache: options.CacheFolder = None,
    no_cache: options.NoCache = False,
    output: Annotated[
        Path,
        options.output(
            "--output",
            "-o",
            help="The model directory to write; an existing model is replaced when the new one is "
            "complete.",
        ),
    ] = Path("timbrel-model"),
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Train a model and score it on recordings that it was not trained on."""
    terminal = Terminal(quiet, verbose)
    load_keras(terminal)
    from timbrel.report.terminal import print_score
    from timbrel.report.view import ScoreView
    from timbrel.workflows import train as workflow

    chosen = get_recipe(recipe).adjusted(
        epochs=epochs, batch_size=batch_size, clean_threshold=clean_threshold
    )

    def advice() -> str:
        begun = any((output / "checkpoint").glob("*/state.npz"))
        return "The same command with --resume continues from here." if begun else ""

    with terminal.interruptible(advice), CommandProgress(terminal, chosen) as progress:
        result = workflow.train(
            data,
            output,
            audio=audio,
            recipe=chosen,
            seed=seed,
            resume=resume,
            refit=refit,
            cache=options.cache_of(cache, disabled=no_cache),
            progress=progress,
        )
    terminal.print("")
    print_score(terminal.out, ScoreView(result.evaluation, result.metadata))
    parity = result.metadata["parity"]
    held_out = "" if refit else "held-out "
    terminal.print(
        f"\nmodel.onnx agrees with the Keras model to {parity['max_difference']:.1e} in "
        f"probability on {parity['windows']} {held_out}windows.\n"
        f"Model    {result.path}\n"
        f"Report   {result.path / 'report.html'}"
    )
    raise typer.Exit(terminal.problems(result.problems))
