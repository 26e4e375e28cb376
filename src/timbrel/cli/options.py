"""Options that several commands share, each with one help text and one group in the help."""

from __future__ import annotations

import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from timbrel.errors import InvalidArgument

if TYPE_CHECKING:
    from timbrel.audio.pcm import Pcm
    from timbrel.features.cache import FeatureCache

GENERAL = "General"

# Options of one group each, in the order in which the help shows the groups.
source = partial(typer.Option, rich_help_panel="Input")
model = partial(typer.Option, rich_help_panel="Model")
recipe = partial(typer.Option, rich_help_panel="Recipe")
training = partial(typer.Option, rich_help_panel="Training")
output = partial(typer.Option, rich_help_panel="Output")
general = partial(typer.Option, rich_help_panel=GENERAL)


def recipe_names(incomplete: str) -> list[str]:
    """Recipes whose names begin so, for a shell that completes the command line."""
    from timbrel.networks.recipes import RECIPES

    return [name for name in RECIPES if name.startswith(incomplete)]


Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A folder with one sub-folder per class, a folder of recordings with label files "
        "next to them, or a CSV of paths and labels.",
    ),
]
Audio = Annotated[Path | None, source(help="Folder that the paths in the CSV are relative to.")]
# `evaluate` needs to know whether it was given.
RECIPE = recipe("--recipe", "-r", help="The recipe to use.", autocompletion=recipe_names)
Recipe = Annotated[str, RECIPE]
Epochs = Annotated[int | None, recipe(help="Passes over the data, instead of the recipe's.")]
BatchSize = Annotated[int | None, recipe(help="Windows per step, instead of the recipe's.")]
CleanThreshold = Annotated[
    float | None,
    recipe(
        help="Keep sound whose envelope exceeds this share of full scale, instead of the recipe's."
    ),
]
Seed = Annotated[int, training(min=0, max=2**32 - 1, help="Seed of all random numbers.")]
Resume = Annotated[
    bool, training("--resume", help="Continue an interrupted run of the same command.")
]
CacheFolder = Annotated[
    Path | None, training("--cache", envvar="TIMBREL_CACHE", help="Folder for computed features.")
]
NoCache = Annotated[bool, training("--no-cache", help="Neither read nor keep computed features.")]
ModelPath = Annotated[
    Path | None,
    model(
        "--model",
        "-m",
        help="A model directory or its model.onnx, instead of the built-in instrument model.",
    ),
]
Threshold = Annotated[
    float | None, model(help="Least probability of an accepted class, instead of the model's.")
]
Quiet = Annotated[bool, general("--quiet", "-q", help="Print results and problems only.")]
Verbose = Annotated[bool, general("--verbose", "-v", help="Print details, every warning.")]


class PcmForm(StrEnum):
    """How the samples of raw PCM are coded."""

    s16le = "s16le"
    f32le = "f32le"


PcmRate = Annotated[int | None, source(help="Stdin is raw PCM of this sample rate in Hz.")]
PcmFormat = Annotated[PcmForm, source(help="16-bit integers or 32-bit floats, little-endian.")]
PcmChannels = Annotated[int, source(help="Channels of raw PCM.")]


def piped() -> BinaryIO:
    """Stdin, where something is piped in."""
    if sys.stdin is None or sys.stdin.isatty():
        raise InvalidArgument("`-` reads a sound from stdin, but nothing is piped in.")
    return sys.stdin.buffer


def pcm_of(rate: int | None, form: PcmForm, channels: int) -> Pcm | None:
    """The raw PCM on stdin; None where stdin is a sound file."""
    if rate is None:
        if form is not PcmForm.s16le or channels != 1:
            raise InvalidArgument("`pcm_format` and `pcm_channels` need `pcm_rate` as well.")
        return None
    from timbrel.audio.pcm import Pcm

    return Pcm(rate, form.value, channels)


def cache_of(folder: Path | None, *, disabled: bool) -> FeatureCache:
    """The cache of computed features that `--cache` and `--no-cache` name."""
    from timbrel.features.cache import FeatureCache, default_folder

    return FeatureCache(None if disabled else folder or default_folder())
