"""Options that several commands share, with one help text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path,
    typer.Argument(
        help="A folder with one sub-folder per class, a folder of recordings with label files "
        "beside them, or a CSV of paths and labels."
    ),
]
Audio = Annotated[
    Path | None, typer.Option("--audio", help="Folder that the CSV's paths are relative to.")
]
RecipeName = Annotated[str, typer.Option("--recipe", "-r", help="The recipe to train with.")]
Epochs = Annotated[
    int | None, typer.Option("--epochs", help="Passes over the data, instead of the recipe's.")
]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", help="Windows a step, instead of the recipe's.")
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed of everything that is random.")
]
CleanThreshold = Annotated[
    float | None,
    typer.Option(
        "--clean-threshold",
        help="Keep sound whose envelope exceeds this share of full scale, instead of the recipe's.",
    ),
]
CacheFolder = Annotated[
    Path | None,
    typer.Option("--cache", envvar="TIMBREL_CACHE", help="Folder for computed features."),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor keep features.")]
