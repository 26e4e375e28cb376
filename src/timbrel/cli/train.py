"""`timbrel train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from timbrel.cli.tables import score_text
from timbrel.networks.recipes import DEFAULT_RECIPE

if TYPE_CHECKING:
    from timbrel.workflows.train import TrainResult


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
    from timbrel.cli.watch import watching
    from timbrel.features.cache import FeatureCache, default_folder
    from timbrel.workflows import train as workflow

    try:
        with watching(terminal) as observer:
            result = workflow.train(
                data,
                output,
                audio=audio,
                recipe=recipe,
                epochs=epochs,
                batch_size=batch_size,
                clean_threshold=clean_threshold,
                seed=seed,
                resume=resume,
                refit=refit,
                cache=FeatureCache(None if no_cache else cache or default_folder()),
                observer=observer,
            )
    except KeyboardInterrupt:
        begun = any((output / "checkpoint").glob("*/state.npz"))
        goes_on = " The same command with --resume goes on from here." if begun else ""
        terminal.err.print(f"Interrupted.{goes_on}")
        raise typer.Exit(130) from None
    terminal.out.print(f"\n{_said(result)}", markup=False, soft_wrap=True)
    raise typer.Exit(terminal.problems(result.problems))


def _said(result: TrainResult) -> str:
    """What is said of a finished training."""
    from timbrel.evaluation.sanity import sanity_text

    parity = result.metadata["parity"]
    return (
        f"{score_text(result.evaluation)}\n\n"
        f"model.onnx agrees with the Keras model to {parity['max_difference']:.1e} in probability "
        f"on {parity['windows']} held-out windows.\n"
        f"{sanity_text(result.metadata['sanity'])}\n"
        f"Model    {result.path}\n"
        f"Report   {result.path / 'report.html'}"
    )
