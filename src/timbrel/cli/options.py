"""Options that several commands share, with one help text each."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from timbrel.errors import InvalidArgument

if TYPE_CHECKING:
    from timbrel.audio.pcm import Pcm


def recipe_names(incomplete: str) -> list[str]:
    """Recipes whose names begin so, for a shell that completes what is typed."""
    from timbrel.networks.recipes import RECIPES

    return [name for name in RECIPES if name.startswith(incomplete)]


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
RecipeName = Annotated[
    str,
    typer.Option("--recipe", "-r", help="The recipe to train with.", autocompletion=recipe_names),
]
Epochs = Annotated[
    int | None, typer.Option("--epochs", help="Passes over the data, instead of the recipe's.")
]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", help="Windows a step, instead of the recipe's.")
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed of everything that is random.")
]
ModelPath = Annotated[
    Path | None,
    typer.Option(
        "--model",
        "-m",
        help="A model directory or its model.onnx, instead of the instrument model that is built "
        "in.",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option("--threshold", help="Probability that a class needs, instead of the model's."),
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


class PcmForm(StrEnum):
    """What the samples of raw PCM are."""

    s16le = "s16le"
    f32le = "f32le"


PcmRate = Annotated[
    int | None,
    typer.Option("--pcm-rate", help="Stdin is raw PCM of this sample rate in Hz."),
]
PcmFormat = Annotated[
    PcmForm, typer.Option("--pcm-format", help="16-bit integers or 32-bit floats, little-endian.")
]
PcmChannels = Annotated[int, typer.Option("--pcm-channels", help="Channels of raw PCM.")]


def piped() -> BinaryIO:
    """Stdin, where something is piped in."""
    if sys.stdin is None or sys.stdin.isatty():
        raise InvalidArgument("`-` reads a sound from stdin, but nothing is piped in.")
    return sys.stdin.buffer


def pcm_of(rate: int | None, form: PcmForm, channels: int) -> Pcm | None:
    """What stdin is; None where it is to say so itself."""
    if rate is None:
        if form is not PcmForm.s16le or channels != 1:
            raise InvalidArgument("`pcm_format` and `pcm_channels` need `pcm_rate` as well.")
        return None
    from timbrel.audio.pcm import Pcm

    return Pcm(rate, form.value, channels)
