"""`timbrel summary`: a recipe's network layer by layer."""

from __future__ import annotations

import os
from dataclasses import dataclass

from timbrel.display.html import bar, block, note, table, text, title
from timbrel.errors import InvalidArgument
from timbrel.networks.builders import LayerRow, front_end_multiply_adds, layer_table, untrained
from timbrel.networks.recipes import Recipe, get_recipe
from timbrel.report.pictures import network_picture
from timbrel.text import plain, plural


@dataclass(frozen=True, repr=False)
class Summary:
    """A network layer by layer.

    Attributes:
        recipe: the recipe.
        input_shape: of one picture.
        rows: its layers.
        parameters: of all layers.
        front_end: multiply-adds of the front end for one window.
    """

    recipe: Recipe
    input_shape: tuple[int, ...]
    rows: list[LayerRow]
    parameters: int
    front_end: int

    def __repr__(self) -> str:
        return plain(
            f"Summary({self.recipe.name!r}: input {self.input_shape}, "
            f"{plural(len(self.rows), 'layer')}, {plural(self.parameters, 'parameter')})"
        )

    def _repr_html_(self) -> str:
        rows = [
            (
                f"{text(row.name)} ({text(row.kind)})",
                str(row.output_shape),
                f"{row.parameters:,}",
                bar(row.share),
                f"{row.multiply_adds:,}" if row.multiply_adds else "",
            )
            for row in self.rows
        ]
        head = ("layer", "output", "parameters", "share of them", "multiply-adds")
        return block(
            title(f"{text(self.recipe.name)}: {plural(self.parameters, 'parameter')}"),
            note(f"input {self.input_shape}"),
            table(head, rows, numbers=(2, 4)),
        )

    @property
    def windows_a_second(self) -> float:
        """Windows in each second of a long recording."""
        return self.recipe.windowing.rate / self.recipe.windowing.hop

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of the network for one window."""
        return sum(row.multiply_adds for row in self.rows)


def summary(
    recipe: str | Recipe, *, classes: int = 10, picture: str | os.PathLike | None = None
) -> Summary:
    """List the layers of a recipe's network, and draw them into a file where `picture` names one.

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
    return Summary(
        recipe=recipe,
        input_shape=tuple(model.input_shape[1:]),
        rows=rows,
        parameters=model.count_params(),
        front_end=front_end_multiply_adds(recipe),
    )
