"""What a network costs when it hears: multiply-adds, counted layer by layer."""

from __future__ import annotations

import math

from timbrel.features.backend import keras
from timbrel.features.logmel import LogMel
from timbrel.features.mfcc import MFCC
from timbrel.networks.distance import DistanceTemperature
from timbrel.networks.pooling import Course, SpectralRipple, SpectralStatistics

layers = keras.layers


def multiply_adds(layer: keras.layers.Layer) -> int:
    """Multiply-adds of a built layer for one window.

    Products of matrices, convolutions and weighted sums are counted; single operations on each
    value (activations, scaling, logarithms) and pooling are not, as is usual.
    """
    kind = next((kind for kind in _COUNTS if isinstance(layer, kind)), None)
    return 0 if kind is None else _COUNTS[kind](layer)


def _sizes(layer: keras.layers.Layer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(layer.input.shape[1:]), tuple(layer.output.shape[1:])


def _dense(layer: layers.Dense) -> int:
    into, out = _sizes(layer)
    return into[-1] * math.prod(out)


def _convolution(layer: layers.Conv2D) -> int:
    into, out = _sizes(layer)
    return math.prod(layer.kernel_size) * into[-1] * math.prod(out)


def _lstm(layer: layers.LSTM) -> int:
    (steps, values), _ = _sizes(layer)
    return 4 * steps * layer.units * (values + layer.units)


def _front_end(layer: MFCC | LogMel) -> int:
    return layer.output.shape[1] * layer.multiply_adds_a_frame


def _statistics(layer: SpectralStatistics) -> int:
    (frames, bands), (values,) = _sizes(layer)
    cepstrum = (values - 4 - 7 * bands) // 6
    # Means and deviations take two passes over bands and coefficients, with two kinds of weights.
    weighed = 8 * (bands + cepstrum) + 2 * bands + 2 * cepstrum
    return frames * (bands * cepstrum + weighed)


def _ripple(layer: SpectralRipple) -> int:
    (frames, bands), (values,) = _sizes(layer)
    ripples = values // 3
    return frames * ripples * (2 * bands + 4)


def _course(layer: Course) -> int:
    (frames, _), out = _sizes(layer)
    return frames * math.prod(out)


def _distance(layer: DistanceTemperature) -> int:
    (_, units), (_, classes) = (values.shape for values in layer.input)
    return units * (units + classes)


_COUNTS = {
    layers.TimeDistributed: _dense,
    layers.Dense: _dense,
    layers.Conv2D: _convolution,
    layers.LSTM: _lstm,
    MFCC: _front_end,
    LogMel: _front_end,
    SpectralStatistics: _statistics,
    SpectralRipple: _ripple,
    Course: _course,
    DistanceTemperature: _distance,
}
