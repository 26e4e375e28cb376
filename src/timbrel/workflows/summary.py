"""`timbrel summary`: a recipe's network layer by layer."""

from __future__ import annotations

import os
from dataclasses import dataclass

from timbrel.errors import InvalidArgument
from timbrel.networks.recipes import Recipe, get_recipe
from timbrel.networks.summary import LayerRow, layer_table, untrained
from timbrel.report.curves import network_picture


@dataclass(frozen=True)
class Summary:
    """A network layer by layer.

    Attributes:
        recipe: the recipe.
        input_shape: of one picture.
        rows: its layers.
        parameters: of all layers.
    """

    recipe: Recipe
    input_shape: tuple[int, ...]
    rows: list[LayerRow]
    parameters: int


def summary(
    recipe: str | Recipe, *, classes: int = 10, picture: str | os.PathLike | None = None
) -> Summary:
    """List the layers of a recipe's network, and draw them where `picture` names a file.

    Args:
        recipe: a recipe or its name.
        classes: number of classes, at least 2.
        picture: a `.png` or `.svg` to write.

    Raises:
        InvalidArgument: an unknown recipe or too few classes.
        OutputError: the picture cannot be written.
    """
    recipe = get_recipe(recipe)
    if classes < 2:
        raise InvalidArgument(f"`classes` must be at least 2. Got {classes}.")
    model = untrained(recipe, classes)
    rows = layer_table(model)
    if picture is not None:
        network_picture(rows, picture)
    return Summary(recipe, tuple(model.input_shape[1:]), rows, model.count_params())
