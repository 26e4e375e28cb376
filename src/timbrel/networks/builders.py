"""Build the Keras models of recipes, and list their layers and costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from timbrel.features.backend import keras
from timbrel.networks.layers import SeededLayers
from timbrel.networks.recipes import Recipe, get_recipe

layers = keras.layers


def front_end(recipe: str | Recipe) -> keras.Sequential:
    """Build the layers from a window to its picture, without parameters.

    Input float32 `(batch, window)`; output float32 `(batch, 13, 9, 1)` for a convolutional
    network of the tutorial, `(batch, 9, 13)` for its recurrent one, `(batch, frames, bands)` for
    a recipe of log-mel pictures. `model.layers[0].transform(model)` is the fastest way to compute
    pictures.

    Args:
        recipe: a recipe or its name.

    Raises:
        InvalidArgument: there is no recipe of that name.
    """
    recipe = get_recipe(recipe)
    windowing = recipe.windowing
    layer = recipe.front_end.layer(windowing.rate)
    shape = layer.compute_output_shape((None, windowing.window))[1:]
    waveform = keras.Input((windowing.window,), name="waveform")
    arrangement = recipe.network.arrangement(shape)
    return keras.Sequential([waveform, layer, *arrangement], name="front_end")


def network(
    recipe: str | Recipe,
    input_shape: tuple[int, ...],
    classes: int,
    *,
    seed: int = 0,
    dtype: str = "float32",
) -> keras.Model:
    """Build a recipe's network, untrained and not compiled.

    Args:
        recipe: a recipe or its name.
        input_shape: shape of one scaled picture.
        classes: number of classes.
        seed: of the initial weights and of dropout.
        dtype: policy of the hidden layers, "float32" or "mixed_bfloat16"; weights and
            probabilities are float32 with both.

    Returns:
        A model whose output is float32 `(batch, classes)`, softmax probabilities; a `Sequential`
        for the tutorial's networks.

    Raises:
        InvalidArgument: there is no recipe of that name.
    """
    recipe = get_recipe(recipe)
    picture = keras.Input(input_shape, name="picture")
    make = SeededLayers(seed, dtype)
    name = recipe.name.replace("-", "_")
    return recipe.network.build(picture, classes, make=make, name=name)


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
    """List the layers of a built model, the layers of each branch together."""
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

    Matrix products, convolutions and weighted sums are counted; operations on single values
    (activations, scaling, logarithms) and pooling are not, as is usual. Timbrel's own layers count
    theirs in an attribute of the same name.
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
