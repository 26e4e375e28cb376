"""Build the Keras models that recipes name."""

from __future__ import annotations

from timbrel.features.backend import keras
from timbrel.networks.layers import SeededLayers
from timbrel.networks.recipes import Recipe, get_recipe


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
