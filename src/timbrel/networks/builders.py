"""Build the Keras models that recipes name.

Every layer that draws random numbers gets a seed of its own, so that building touches no global
random state and the same seed gives the same weights.
"""

from __future__ import annotations

import dataclasses

from timbrel.features.backend import keras
from timbrel.features.logmel import LogMel
from timbrel.features.mfcc import MFCC
from timbrel.networks.pooling import RelativeLevel, SpectralStatistics
from timbrel.networks.recipes import CNN, RNN, LogMelSettings, Recipe, Statistics

layers = keras.layers


def front_end(recipe: Recipe) -> keras.Sequential:
    """Build the layers from a window to its picture, without parameters.

    Input float32 `(batch, window)`; output float32 `(batch, 13, 9, 1)` for a convolutional
    network of the tutorial, `(batch, 9, 13)` for its recurrent one, `(batch, frames, bands)` for
    a recipe of log-mel pictures.
    """
    windowing = recipe.windowing
    is_logmel = isinstance(recipe.front_end, LogMelSettings)
    kind, name = (LogMel, "logmel") if is_logmel else (MFCC, "mfcc")
    stack = [
        keras.Input((windowing.window,), name="waveform"),
        kind(rate=windowing.rate, **dataclasses.asdict(recipe.front_end), name=name),
    ]
    if isinstance(recipe.network, CNN):
        frames, coefficients = stack[1].compute_output_shape((None, windowing.window))[1:]
        stack += [
            layers.Permute((2, 1), name="transpose"),
            layers.Reshape((coefficients, frames, 1), name="picture"),
        ]
    return keras.Sequential(stack, name="front_end")


def network(
    recipe: Recipe,
    input_shape: tuple[int, ...],
    classes: int,
    *,
    seed: int = 0,
    dtype: str = "float32",
) -> keras.Sequential:
    """Build a recipe's network, untrained and not compiled.

    Args:
        recipe: the recipe.
        input_shape: shape of one scaled picture.
        classes: number of classes.
        seed: of the initial weights and of dropout.
        dtype: policy of the hidden layers, "float32" or "mixed_bfloat16"; weights and
            probabilities are float32 with both.

    Returns:
        A `Sequential` whose output is float32 `(batch, classes)`, softmax probabilities.
    """
    seeds = _Seeds(seed)
    stack = [keras.Input(input_shape, name="picture")]
    build = {CNN: _convolutional, RNN: _recurrent, Statistics: _statistics}
    stack += build[type(recipe.network)](recipe.network, seeds, dtype)
    stack.append(
        layers.Dense(
            classes,
            activation="softmax",
            kernel_initializer=seeds.glorot(),
            dtype="float32",
            name="probabilities",
        )
    )
    return keras.Sequential(stack, name=recipe.name.replace("-", "_"))


class _Seeds:
    """Hands every layer an initialiser or a seed of its own."""

    def __init__(self, seed: int) -> None:
        self.last = seed * 1000

    def next(self) -> int:
        self.last += 1
        return self.last

    def glorot(self) -> keras.Initializer:
        return keras.initializers.GlorotUniform(seed=self.next())

    def orthogonal(self) -> keras.Initializer:
        return keras.initializers.Orthogonal(seed=self.next())


def _convolutional(sizes: CNN, seeds: _Seeds, dtype: str) -> list:
    stack = [
        layers.Conv2D(
            filters,
            (3, 3),
            activation="relu",
            strides=(1, 1),
            padding="same",
            kernel_initializer=seeds.glorot(),
            dtype=dtype,
            name=f"conv_{number}",
        )
        for number, filters in enumerate(sizes.filters, 1)
    ]
    stack += [
        layers.MaxPooling2D((2, 2), dtype=dtype, name="pool"),
        layers.Dropout(sizes.dropout, seed=seeds.next(), dtype=dtype, name="dropout"),
        layers.Flatten(dtype=dtype, name="flatten"),
    ]
    return stack + _dense_stack(sizes.dense, seeds, dtype)


def _recurrent(sizes: RNN, seeds: _Seeds, dtype: str) -> list:
    stack = [
        layers.LSTM(
            units,
            return_sequences=True,
            kernel_initializer=seeds.glorot(),
            recurrent_initializer=seeds.orthogonal(),
            dtype=dtype,
            name=f"lstm_{number}",
        )
        for number, units in enumerate(sizes.units, 1)
    ]
    stack.append(layers.Dropout(sizes.dropout, seed=seeds.next(), dtype=dtype, name="dropout"))
    stack += [
        layers.TimeDistributed(dense, dtype=dtype, name=f"each_{dense.name}")
        for dense in _dense_stack(sizes.dense, seeds, dtype)
    ]
    return [*stack, layers.Flatten(dtype=dtype, name="flatten")]


def _statistics(sizes: Statistics, seeds: _Seeds, dtype: str) -> list:
    # Levels are logarithms; bfloat16 would round them to half a decibel.
    return [
        RelativeLevel(depth=sizes.depth, name="relative_level", dtype="float32"),
        SpectralStatistics(name="statistics", dtype="float32"),
        layers.BatchNormalization(momentum=0.9, dtype="float32", name="normalise"),
        layers.Dropout(sizes.dropout[0], seed=seeds.next(), dtype=dtype, name="dropout_1"),
        *_dense_stack((sizes.hidden,), seeds, dtype),
        layers.Dropout(sizes.dropout[1], seed=seeds.next(), dtype=dtype, name="dropout_2"),
    ]


def _dense_stack(sizes: tuple[int, ...], seeds: _Seeds, dtype: str) -> list:
    return [
        layers.Dense(
            units,
            activation="relu",
            kernel_initializer=seeds.glorot(),
            dtype=dtype,
            name=f"dense_{number}",
        )
        for number, units in enumerate(sizes, 1)
    ]
