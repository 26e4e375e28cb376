"""A network layer by layer: shapes, parameters, and where the parameters sit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from timbrel.features.backend import keras
from timbrel.networks.builders import front_end, network
from timbrel.networks.recipes import Recipe

layers = keras.layers


@dataclass(frozen=True)
class LayerRow:
    """One layer of a network.

    Attributes:
        name: the layer's name.
        kind: its class.
        output_shape: without the batch.
        parameters: trained and fixed.
        share: of all parameters of the network, 0 to 1.
        multiply_adds: for one window, see `multiply_adds`.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    share: float
    multiply_adds: int


def layer_table(model: keras.Model) -> list[LayerRow]:
    """List the layers of a built model, each branch in one piece."""
    total = model.count_params()
    return [
        LayerRow(
            name=layer.name,
            kind=type(layer).__name__,
            output_shape=tuple(layer.output.shape[1:]),
            parameters=layer.count_params(),
            share=layer.count_params() / total if total else 0.0,
            multiply_adds=multiply_adds(layer),
        )
        for layer in _by_branch(model)
    ]


def multiply_adds(layer: keras.layers.Layer) -> int:
    """Multiply-adds of a built layer for one window.

    Products of matrices, convolutions and weighted sums are counted; single operations on each
    value (activations, scaling, logarithms) and pooling are not, as is usual. Layers of Timbrel's
    own count theirs in an attribute of the same name.
    """
    if hasattr(layer, "multiply_adds"):
        return layer.multiply_adds
    if isinstance(layer, layers.Dense | layers.TimeDistributed):
        return layer.input.shape[-1] * math.prod(layer.output.shape[1:])
    if isinstance(layer, layers.Conv2D):
        weights = math.prod(layer.kernel_size) * layer.input.shape[-1]
        return weights * math.prod(layer.output.shape[1:])
    if isinstance(layer, layers.LSTM):
        _, steps, values = layer.input.shape
        return 4 * steps * layer.units * (values + layer.units)
    return 0


def _by_branch(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model from input to output; Keras lists those of branches alternately."""
    if isinstance(model, keras.Sequential):
        return model.layers
    source = {id(layer.output): layer for layer in model.layers}
    ordered: list[keras.layers.Layer] = []

    def visit(layer: keras.layers.Layer) -> None:
        if layer in ordered:
            return
        if not isinstance(layer, layers.InputLayer):
            for tensor in keras.tree.flatten(layer.input):
                visit(source[id(tensor)])
        ordered.append(layer)

    visit(source[id(model.output)])
    return ordered


def untrained(recipe: Recipe, classes: int) -> keras.Model:
    """Build a recipe's network, untrained, with the input shape that its front end gives."""
    shape = tuple(front_end(recipe).output_shape[1:])
    return network(recipe, shape, classes)


def front_end_multiply_adds(recipe: Recipe) -> int:
    """Multiply-adds of a recipe's front end for one window."""
    return sum(multiply_adds(layer) for layer in front_end(recipe).layers)
