"""`timbrel train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from timbrel.cli.console import Quiet, Terminal, Verbose, load_keras
from timbrel.cli.options import (
    Audio,
    BatchSize,
    CacheFolder,
    CleanThreshold,
    Data,
    Epochs,
    NoCache,
    RecipeName,
    Seed,
)
from timbrel.networks.recipes import DEFAULT_RECIPE, get_recipe


def train(
    data: Data,
    recipe: RecipeName = DEFAULT_RECIPE,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The model directory to write; a model that is there is replaced when the new one "
            "is whole.",
        ),
    ] = Path("timbrel-model"),
    audio: Audio = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = 0,
    clean_threshold: CleanThreshold = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="After scoring, train once more on everything.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted training.")
    ] = False,
    cache: CacheFolder = None,
    no_cache: NoCache = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train a model and score it on recordings that it never heard."""
    terminal = Terminal(quiet, verbose)
    load_keras(terminal)
    from timbrel.cli.watch import CommandProgress
    from timbrel.features.cache import FeatureCache, default_folder
    from timbrel.report.terminal import print_score
    from timbrel.report.view import ScoreView
    from timbrel.workflows import train as workflow

    chosen = get_recipe(recipe).adjusted(
        epochs=epochs, batch_size=batch_size, clean_threshold=clean_threshold
    )
    try:
        with CommandProgress(terminal, chosen) as progress:
            result = workflow.train(
                data,
                output,
                audio=audio,
                recipe=chosen,
                seed=seed,
                resume=resume,
                refit=refit,
                cache=FeatureCache(None if no_cache else cache or default_folder()),
                progress=progress,
            )
    except KeyboardInterrupt:
        begun = any((output / "checkpoint").glob("*/state.npz"))
        goes_on = " The same command with --resume goes on from here." if begun else ""
        terminal.err.print(f"Interrupted.{goes_on}")
        raise typer.Exit(130) from None
    parity = result.metadata["parity"]
    terminal.out.print()
    print_score(terminal.out, ScoreView(result.evaluation, result.metadata))
    terminal.out.print(
        f"\nmodel.onnx agrees with the Keras model to {parity['max_difference']:.1e} in "
        f"probability on {parity['windows']} held-out windows.\n"
        f"Model    {result.path}\n"
        f"Report   {result.path / 'report.html'}",
        markup=False,
        soft_wrap=True,
    )
    raise typer.Exit(terminal.problems(result.problems))
