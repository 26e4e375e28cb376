"""Layers without weights, from a log-mel picture of any length to statistics of its sound."""

from __future__ import annotations

import numpy as np

from timbrel.features.backend import keras
from timbrel.features.spectrum import cosine_matrix

ops = keras.ops

_DECIBEL = 10 / np.log(10)

# Pictures are handed on in units of this many decibels, so that they vary by about one.
_UNIT = 20.0
# A peak below this is taken for silence; power of `LogMel` of a sine at -90 dB of full scale.
_SILENCE = float(np.log(2e-6))

# A frame is sound where its level is within this of the loudest frame's, in decibels; the second
# figure is the width of the transition.
_SOUND, _SOUND_WIDTH = 35.0, 4.0
_LOUD, _LOUD_WIDTH = 15.0, 3.0
_CEPSTRUM = 20
_FRAMES_APART = 4
_LEAST_VARIANCE = 1e-5


@keras.saving.register_keras_serializable(package="timbrel")
class RelativeLevel(keras.layers.Layer):
    """Level below the loudest band and frame of the window, so that gain makes no difference.

    What lies more than `depth` below the peak, noise floors and padding among it, becomes `depth`
    below. A window whose peak is below -90 dB of full scale stays silent instead of being raised.

    Input: float32 `(batch, frames, bands)`, natural logarithm of power, from `LogMel`. Output: the
    same shape, in units of 20 dB, from -depth/40 to depth/40.

    Args:
        depth: range that is kept, in dB.
    """

    def __init__(self, *, depth: float = 80.0, **layer) -> None:
        super().__init__(**layer)
        self.depth = depth

    def call(self, picture):
        """Shift and clip a batch."""
        peak = ops.maximum(ops.max(picture, axis=(1, 2), keepdims=True), _SILENCE)
        level = ops.maximum((picture - peak) * float(_DECIBEL), -self.depth)
        return (level + self.depth / 2) / _UNIT

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """Return the settings, to rebuild the layer from."""
        return {**super().get_config(), "depth": self.depth}


@keras.saving.register_keras_serializable(package="timbrel")
class SpectralStatistics(keras.layers.Layer):
    """What a sound is like as a whole: statistics over its frames, whatever their number.

    Frames count by whether there is sound in them (within 35 dB of the loudest), so that silence
    before and after, and the padding of a short recording, change little. Per band: mean and
    deviation over the sound, the same weighted by power, maximum, mean rise and fall from frame to
    frame. Of the first 20 cepstral coefficients: mean and deviation both ways, and mean change
    over one and over four frames. Of the level: shares of the frames that are sound and that are
    loud, steepest rise, mean change.

    Input: float32 `(batch, frames, bands)` from `RelativeLevel`, 5 frames or more. Output: float32
    `(batch, 7 · bands + 6 · 20 + 4)`.

    Source: mean and deviation of frame features as a description of timbre: Tzanetakis & Cook
    (2002), "Musical genre classification of audio signals"; Peeters (2004), "A large set of audio
    features for sound description".
    """

    def call(self, picture):
        """Compute the statistics of a batch."""
        bands = picture.shape[2]
        cosine = cosine_matrix(bands, min(_CEPSTRUM, bands)).astype("float32")
        nepers = float(_UNIT / _DECIBEL)
        level = ops.logsumexp(picture * nepers, axis=2, keepdims=True) * float(_DECIBEL)
        below = level - ops.max(level, axis=1, keepdims=True)
        sound = ops.sigmoid((below + _SOUND) / _SOUND_WIDTH)
        weight = sound / ops.sum(sound, axis=1, keepdims=True)
        power = ops.softmax(below / float(_DECIBEL), axis=1)
        cepstrum = ops.matmul(picture, cosine)
        rise = picture[:, 1:] - picture[:, :-1]
        later, much_later = weight[:, 1:], weight[:, _FRAMES_APART:]
        change = ops.abs(cepstrum[:, 1:] - cepstrum[:, :-1])
        slow_change = ops.abs(cepstrum[:, _FRAMES_APART:] - cepstrum[:, :-_FRAMES_APART])
        climb = below[:, 1:] - below[:, :-1]
        loud = ops.sigmoid((below + _LOUD) / _LOUD_WIDTH)
        return ops.concatenate(
            [
                *_moments(picture, weight),
                *_moments(picture, power),
                ops.max(picture, axis=1),
                ops.sum(later * ops.relu(rise), axis=1),
                ops.sum(later * ops.relu(-rise), axis=1),
                *_moments(cepstrum, weight),
                *_moments(cepstrum, power),
                ops.sum(later * change, axis=1),
                ops.sum(much_later * slow_change, axis=1),
                ops.mean(sound, axis=1),
                ops.mean(loud, axis=1),
                ops.max(ops.relu(climb), axis=1) / _UNIT,
                ops.sum(later * ops.abs(climb), axis=1) / _UNIT,
            ],
            axis=1,
        )

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """`(batch, frames, bands)` to `(batch, statistics)`."""
        bands = input_shape[2]
        return (input_shape[0], 7 * bands + 6 * min(_CEPSTRUM, bands) + 4)


def _moments(values, weight) -> tuple:
    """Weighted mean and deviation over the frames; weights sum to one."""
    mean = ops.sum(weight * values, axis=1, keepdims=True)
    variance = ops.sum(weight * ops.square(values - mean), axis=1)
    return mean[:, 0], ops.sqrt(variance + _LEAST_VARIANCE)
