"""Build the Keras models that recipes name.

Every layer that draws random numbers gets a seed of its own, so that building touches no global
random state and the same seed gives the same weights.
"""

from __future__ import annotations

import dataclasses
from itertools import zip_longest

from timbrel.features.backend import keras
from timbrel.features.logmel import LogMel
from timbrel.features.mfcc import MFCC
from timbrel.networks.distance import DistanceTemperature
from timbrel.networks.pooling import (
    Course,
    MergedBands,
    RelativeLevel,
    SpectralRipple,
    SpectralStatistics,
)
from timbrel.networks.recipes import CNN, RNN, LogMelSettings, Recipe, StatisticsCNN

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
) -> keras.Model:
    """Build a recipe's network, untrained and not compiled.

    Args:
        recipe: the recipe.
        input_shape: shape of one scaled picture.
        classes: number of classes.
        seed: of the initial weights and of dropout.
        dtype: policy of the hidden layers, "float32" or "mixed_bfloat16"; weights and
            probabilities are float32 with both.

    Returns:
        A model whose output is float32 `(batch, classes)`, softmax probabilities; a `Sequential`
        for the tutorial's networks.
    """
    seeds = _Seeds(seed)
    name = recipe.name.replace("-", "_")
    picture = keras.Input(input_shape, name="picture")
    if isinstance(recipe.network, StatisticsCNN):
        return _views(recipe.network, (picture, classes, name), (seeds, dtype))
    build = {CNN: _convolutional, RNN: _recurrent}
    stack = build[type(recipe.network)](recipe.network, seeds, dtype)
    last = _classifier(classes, seeds, "probabilities")
    return keras.Sequential([picture, *stack, last], name=name)


def parts(model: keras.Model) -> tuple[keras.Model | None, keras.Model]:
    """Divide a network from `network` into what is fixed and what learns, which share its weights.

    Returns:
        What computes from pictures all that learning begins with, None where everything learns;
        and the rest, up to the classifiers whose answers are averaged, output
        `(batch, classifiers, classes)`, or the network itself where everything learns.
    """
    names = [layer.name for layer in model.layers]
    if _ANSWERS not in names:
        return None, model
    views = [model.get_layer(name).output for name in _VIEWS if name in names]
    return keras.Model(model.input, views), keras.Model(views, model.get_layer(_ANSWERS).output)


def hidden_and_answer(model: keras.Model) -> keras.Model:
    """From pictures to the hidden units below the classifiers, joined, and the probabilities."""
    return keras.Model(model.input, [model.get_layer(_HIDDEN).output, model.output])


_VIEWS = ("statistics", "course", "relative_picture")
_ANSWERS, _HIDDEN = "answers", "hidden"


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
    stack = []
    for number, (filters, stride) in enumerate(zip_longest(sizes.filters, sizes.strides), 1):
        stack.append(_convolution((filters, stride or 1), (seeds, dtype), f"conv_{number}"))
        if sizes.between:
            name = f"dropout_{number}"
            stack.append(layers.Dropout(sizes.between, seed=seeds.next(), dtype=dtype, name=name))
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


def _views(
    sizes: StatisticsCNN,
    ends: tuple[keras.KerasTensor, int, str],
    how: tuple[_Seeds, str],
) -> keras.Model:
    (picture, classes, name), (seeds, _) = ends, how
    # Levels are logarithms; bfloat16 would round them to half a decibel.
    exact = {"dtype": "float32"}
    fine = RelativeLevel(depth=sizes.depth, name="relative_level", **exact)(picture)
    merged = MergedBands(name="merged_bands", **exact)(picture)
    coarse = RelativeLevel(depth=sizes.depth, name="relative_level_merged", **exact)(merged)
    described = [
        SpectralStatistics(name="spectral_statistics", **exact)(coarse),
        SpectralRipple(name="spectral_ripple", **exact)(fine),
    ]
    statistics = layers.Concatenate(name=_VIEWS[0], **exact)(described)
    course = Course(steps=sizes.steps, name=_VIEWS[1], **exact)(coarse)
    normal = layers.BatchNormalization(momentum=0.9, name="normalise", **exact)(statistics)
    halve, narrow = (2, 2), (1, 2)
    steps = [(channels, halve) for channels in sizes.filters[:-1]] + [(sizes.filters[-1], narrow)]
    units = {
        "statistics": _hidden(normal, (sizes.hidden, *sizes.dropout), ("statistics", *how)),
        "course": _after(_convolved(course, steps, ("course", *how)), sizes, ("course", *how)),
    }
    if sizes.picture:
        whole = layers.Reshape((*fine.shape[1:], 1), name=_VIEWS[2], **exact)(fine)
        steps = [(channels, halve) for channels in sizes.picture]
        found = _over_time(_convolved(whole, steps, ("picture", *how)), how[1])
        units["picture"] = _after(found, sizes, ("picture", *how))
    answers = []
    for view, values in units.items():
        answer = _classifier(classes, seeds, f"classifier_{view}")(values)
        answers.append(layers.Reshape((1, classes), name=f"answer_{view}")(answer))
    together = layers.Concatenate(axis=1, name=_ANSWERS)(answers)
    mean = layers.GlobalAveragePooling1D(name="mean_answer", **exact)(together)
    hidden = layers.Concatenate(name=_HIDDEN, **exact)(list(units.values()))
    told = DistanceTemperature(name="probabilities", **exact)([hidden, mean])
    return keras.Model(picture, told, name=name)


def _hidden(values, sizes: tuple[int, float, float], how: tuple[str, _Seeds, str]):
    """So many hidden units (ReLU), and the shares that are dropped before and after them."""
    units, before, after = sizes
    values = _dropout(before, how, "dropout_1")(values)
    values = _dense(units, how[1:], f"{how[0]}_dense")(values)
    return _dropout(after, how, "dropout_2")(values)


def _convolved(values, steps: list[tuple[int, tuple[int, int]]], how: tuple[str, _Seeds, str]):
    """3×3 convolutions with these channels and strides."""
    for number, step in enumerate(steps, 1):
        values = _convolution(step, how[1:], f"{how[0]}_conv_{number}")(values)
    return values


def _over_time(values, dtype: str):
    """Mean and maximum over the frames."""
    frames = (values.shape[1], 1)
    mean = layers.AveragePooling2D(frames, dtype=dtype, name="picture_mean")(values)
    highest = layers.MaxPooling2D(frames, dtype=dtype, name="picture_maximum")(values)
    return layers.Concatenate(dtype=dtype, name="picture_pooled")([mean, highest])


def _after(values, sizes: StatisticsCNN, how: tuple[str, _Seeds, str]):
    """Hidden units after convolutions."""
    _, many = sizes.dropout
    values = layers.Flatten(dtype=how[2], name=f"{how[0]}_flatten")(values)
    return _hidden(values, (sizes.dense, many, many), how)


def _dropout(share: float, how: tuple[str, _Seeds, str], name: str) -> keras.layers.Layer:
    view, seeds, dtype = how
    return layers.Dropout(share, seed=seeds.next(), dtype=dtype, name=f"{view}_{name}")


def _convolution(
    step: tuple[int, int | tuple[int, int]], how: tuple[_Seeds, str], name: str
) -> keras.layers.Layer:
    """A 3×3 convolution with these channels and strides."""
    (channels, strides), (seeds, dtype) = step, how
    return layers.Conv2D(
        channels,
        (3, 3),
        strides=strides,
        padding="same",
        activation="relu",
        kernel_initializer=seeds.glorot(),
        dtype=dtype,
        name=name,
    )


def _dense(units: int, how: tuple[_Seeds, str], name: str) -> keras.layers.Layer:
    seeds, dtype = how
    return layers.Dense(
        units,
        activation="relu",
        kernel_initializer=seeds.glorot(),
        dtype=dtype,
        name=name,
    )


def _classifier(classes: int, seeds: _Seeds, name: str) -> keras.layers.Layer:
    return layers.Dense(
        classes,
        activation="softmax",
        kernel_initializer=seeds.glorot(),
        dtype="float32",
        name=name,
    )


def _dense_stack(sizes: tuple[int, ...], seeds: _Seeds, dtype: str) -> list:
    return [
        _dense(units, (seeds, dtype), f"dense_{number}") for number, units in enumerate(sizes, 1)
    ]
