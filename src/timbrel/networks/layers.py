"""Layers of the networks: seeded standard ones, statistics over time, distance to the classes."""

from __future__ import annotations

import numpy as np

from timbrel.features.backend import keras
from timbrel.features.spectrum import cosine_matrix

layers, ops = keras.layers, keras.ops

_DECIBEL = 10 / np.log(10)

# The unit of relative levels in decibels; in it they have a deviation of about one.
_UNIT = 20.0
# A lower peak counts as silence: power of `LogMel` of a sine at -90 dB of full scale.
_SILENCE = float(np.log(2e-6))

# A frame counts as sound if its level is less than this many decibels below the loudest frame; the
# second value is the width of the transition. The same for loud frames.
_SOUND, _SOUND_WIDTH = 35.0, 4.0
_LOUD, _LOUD_WIDTH = 15.0, 3.0
_CEPSTRUM = 20
_FRAMES_APART = 2
_LEAST_VARIANCE = 1e-5
_NEPER = float(_UNIT / _DECIBEL)

# Periods of ripple along the bands, distance between the centres of the functions, and width of the
# shortest window, all in bands.
_PERIODS = (24.0, 12.0, 7.0, 4.0)
_EVERY, _LEAST_WIDTH = 8, 3.0
_LEAST_RIPPLE = 1e-6
_FAINTEST = 1e-12

# Sharpness of the separation of the steps of a course, and the least weight of a frame.
_SHARP, _LEAST_WEIGHT = 2.0, 1e-9

# The least squared distance; a smaller one would make answers too certain.
_LEAST = 0.01
# Share of the covariance that is replaced by a multiple of the identity, and the least variance.
_SHRINKAGE, _LEAST_MEAN_VARIANCE = 0.3, 1e-6
_LEAST_PROBABILITY = 1e-30


class SeededLayers:
    """Makes the layers of one network, and gives each its own seed.

    Building a network therefore uses no global random state, and the same seed gives the same
    weights. Seeds are counted, so the order in which layers are made is part of a recipe.

    Args:
        seed: of the initial weights and of dropout.
        dtype: policy of the layers, "float32" or "mixed_bfloat16".
    """

    def __init__(self, seed: int, dtype: str) -> None:
        self.dtype = dtype
        self._last = seed * 1000

    def seed(self) -> int:
        """The next seed."""
        self._last += 1
        return self._last

    def glorot(self) -> keras.Initializer:
        """Initialiser of a kernel, with the next seed."""
        return keras.initializers.GlorotUniform(seed=self.seed())

    def orthogonal(self) -> keras.Initializer:
        """Initialiser of a recurrent kernel, with the next seed."""
        return keras.initializers.Orthogonal(seed=self.seed())

    def convolution(
        self, channels: int, *, strides: int | tuple[int, int] = 1, name: str
    ) -> keras.layers.Layer:
        """A 3×3 convolution (ReLU, same padding)."""
        return layers.Conv2D(
            channels,
            (3, 3),
            strides=strides,
            padding="same",
            activation="relu",
            kernel_initializer=self.glorot(),
            dtype=self.dtype,
            name=name,
        )

    def dense(self, units: int, *, name: str) -> keras.layers.Layer:
        """A dense layer (ReLU)."""
        return layers.Dense(
            units,
            activation="relu",
            kernel_initializer=self.glorot(),
            dtype=self.dtype,
            name=name,
        )

    def dropout(self, share: float, *, name: str) -> keras.layers.Layer:
        """Dropout of this share of the values."""
        return layers.Dropout(share, seed=self.seed(), dtype=self.dtype, name=name)

    def classifier(self, classes: int, *, name: str) -> keras.layers.Layer:
        """A dense layer with softmax, float32 whatever the policy."""
        return layers.Dense(
            classes,
            activation="softmax",
            kernel_initializer=self.glorot(),
            dtype="float32",
            name=name,
        )


@keras.saving.register_keras_serializable(package="timbrel")
class RelativeLevel(keras.layers.Layer):
    """Level relative to the loudest band and frame of the window, independent of gain.

    Levels more than `depth` below the peak, such as noise floors and padding, are raised to `depth`
    below. A peak below -90 dB of full scale counts as -90 dB.

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
    """Statistics over the frames of a sound, whatever their number.

    Frames are weighted by whether they contain sound (within 35 dB of the loudest), so that silence
    before and after, and the padding of a short recording, change little. Per band: mean
    and deviation over the sound, the same weighted by power, maximum, mean rise and fall from frame
    to frame. Of the first 20 cepstral coefficients: mean and deviation with both weights, and mean
    change over one and over two frames. Of the level: shares of the frames that contain sound and
    that are loud, steepest rise, mean change.

    Input: float32 `(batch, frames, bands)` from `RelativeLevel`, 3 frames or more. Output: float32
    `(batch, 7 · bands + 6 · 20 + 4)`.

    Source: mean and deviation of frame features as a description of timbre: Tzanetakis & Cook
    (2002), "Musical genre classification of audio signals"; Peeters (2004), "A large set of audio
    features for sound description".
    """

    def call(self, picture):
        """Compute the statistics of a batch."""
        bands = picture.shape[2]
        cosine = cosine_matrix(bands, min(_CEPSTRUM, bands)).astype("float32")
        below = _below_loudest(picture)
        weight, power = _shares(below)
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
                ops.mean(_sound(below), axis=1),
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

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one window."""
        _, frames, bands = self.input.shape
        cepstrum = min(_CEPSTRUM, bands)
        # Means and deviations: two passes over bands and coefficients, with two sets of weights.
        weighted = 8 * (bands + cepstrum) + 2 * bands + 2 * cepstrum
        return frames * (bands * cepstrum + weighted)


@keras.saving.register_keras_serializable(package="timbrel")
class MergedBands(keras.layers.Layer):
    """Half as many bands: the mean power of each pair of neighbours.

    Input: float32 `(batch, frames, bands)`, natural logarithm of power, an even number of bands.
    Output: float32 `(batch, frames, bands / 2)`, natural logarithm of power.
    """

    def call(self, picture):
        """Merge the bands of a batch."""
        one, other = picture[..., ::2], picture[..., 1::2]
        # As `ops.logaddexp`, but without log1p, which the converter to ONNX does not support. The
        # argument of the logarithm is between 1/2 and 1.
        mean = ops.log(0.5 + 0.5 * ops.exp(-ops.abs(one - other)))
        return ops.maximum(one, other) + mean

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """`(batch, frames, bands)` to `(batch, frames, bands / 2)`."""
        return (*input_shape[:2], input_shape[2] // 2)


@keras.saving.register_keras_serializable(package="timbrel")
class SpectralRipple(keras.layers.Layer):
    """Ripple of the spectrum along the bands, which depends on harmonics and their spacing.

    At every eighth band and for four periods of ripple, the magnitude of the picture's product with
    a complex Gabor function along the bands; of each magnitude the mean and deviation over the
    sound and the mean weighted by power, with the weights of `SpectralStatistics`. Harmonics of a
    tone, noise between them and formants have different ripples, and a spectral tilt almost none.

    Input: float32 `(batch, frames, bands)` from `RelativeLevel`. Output: float32
    `(batch, 12 · bands / 8)`.

    Source: the spectral modulations of Chi, Ru & Shamma (2005), "Multiresolution spectrotemporal
    analysis of complex sounds".
    """

    def call(self, picture):
        """Compute the ripples of a batch."""
        wave = gabor_matrix(picture.shape[2]).astype("float32")
        weight, power = _shares(_below_loudest(picture))
        real, imaginary = ops.split(ops.matmul(picture, wave), 2, axis=2)
        ripple = ops.sqrt(ops.square(real) + ops.square(imaginary) + _LEAST_RIPPLE)
        strongest = ops.sum(power * ripple, axis=1)
        return ops.concatenate([*_moments(ripple, weight), strongest], axis=1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """`(batch, frames, bands)` to `(batch, ripples)`."""
        return (input_shape[0], 3 * len(_PERIODS) * (input_shape[2] // _EVERY))

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one window."""
        _, frames, bands = self.input.shape
        ripples = len(_PERIODS) * (bands // _EVERY)
        return frames * ripples * (2 * bands + 4)


@keras.saving.register_keras_serializable(package="timbrel")
class Course(keras.layers.Layer):
    """The course of a sound in a fixed number of steps, whatever its length.

    Each step is a mean of frames around an equal share of the sound, weighted by whether they
    contain sound: a short sound is stretched, a long one averaged, silence left out.

    Input: float32 `(batch, frames, bands)` from `RelativeLevel`. Output: float32
    `(batch, steps, bands, 1)`, a picture for convolutions.

    Args:
        steps: how many.
    """

    def __init__(self, *, steps: int = 24, **layer) -> None:
        super().__init__(**layer)
        self.steps = steps

    def call(self, picture):
        """Compute the courses of a batch."""
        weight, _ = _shares(_below_loudest(picture))
        place = ops.cumsum(weight, axis=1) - weight / 2
        middle = ((np.arange(self.steps) + 0.5) / self.steps).astype("float32")
        apart = (place - middle) * self.steps
        near = ops.log(weight + _LEAST_WEIGHT) - _SHARP * ops.square(apart)
        share = ops.transpose(ops.softmax(near, axis=1), (0, 2, 1))
        return ops.expand_dims(ops.matmul(share, picture), axis=3)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """`(batch, frames, bands)` to `(batch, steps, bands, 1)`."""
        return (input_shape[0], self.steps, input_shape[2], 1)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one window."""
        _, frames, bands = self.input.shape
        return frames * self.steps * bands

    def get_config(self) -> dict:
        """Return the settings, to rebuild the layer from."""
        return {**super().get_config(), "steps": self.steps}


def gabor_matrix(bands: int) -> np.ndarray:
    """Gabor functions along the bands, of unit length and with zero mean under their window.

    Returns:
        float64 `(bands, 2 · functions)`; cosines first, then sines. For each period the functions
        around every eighth band.
    """
    band = np.arange(bands)
    cosines, sines = [], []
    for period in _PERIODS:
        width = max(0.45 * period, _LEAST_WIDTH)
        for centre in np.arange(bands // _EVERY) * _EVERY + _EVERY // 2:
            window = np.exp(-(((band - centre) / width) ** 2) / 2)
            # Multiplying subnormal float32 numbers takes many times as long.
            window[window < _FAINTEST] = 0.0
            angle = 2 * np.pi * (band - centre) / period
            cosine, sine = (
                window * (wave - np.average(wave, weights=window))
                for wave in (np.cos(angle), np.sin(angle))
            )
            length = np.linalg.norm(cosine)
            cosines.append(cosine / length)
            sines.append(sine / length)
    return np.array([*cosines, *sines]).T


def _below_loudest(picture):
    """Level of each frame below the loudest one, in dB; `(batch, frames, 1)`."""
    level = ops.logsumexp(picture * _NEPER, axis=2, keepdims=True) * float(_DECIBEL)
    return level - ops.max(level, axis=1, keepdims=True)


def _sound(below):
    """Whether a frame contains sound, from 0 to 1."""
    return ops.sigmoid((below + _SOUND) / _SOUND_WIDTH)


def _shares(below):
    """Weights of the frames, which sum to one: by whether they contain sound, and by power."""
    sound = _sound(below)
    power = ops.softmax(below / float(_DECIBEL), axis=1)
    return sound / ops.sum(sound, axis=1, keepdims=True), power


def _moments(values, weight) -> tuple:
    """Weighted mean and deviation over the frames; weights sum to one."""
    mean = ops.sum(weight * values, axis=1, keepdims=True)
    variance = ops.sum(weight * ops.square(values - mean), axis=1)
    return mean[:, 0], ops.sqrt(variance + _LEAST_VARIANCE)


@keras.saving.register_keras_serializable(package="timbrel")
class DistanceTemperature(keras.layers.Layer):
    """Probabilities at a temperature that is the Mahalanobis distance to the nearest class.

    A network that has learned ten classes is also confident about a sound of an eleventh, if the
    sound has a feature that separates two of the ten. The hidden units of that sound, however, are
    far from those of every class. The logarithms of the probabilities are divided by the distance,
    in units of the square root of its dimensions; the order of the classes does not change.

    Input: hidden units float32 `(batch, d)` and probabilities float32 `(batch, classes)`. Output:
    float32 `(batch, classes)`. The temperature is 1 until the weights from `weights_of` are set.

    Source: Lee et al. (2018), "A simple unified framework for detecting out-of-distribution samples
    and adversarial attacks", for the distance; Joy et al. (2023), "Sample-dependent adaptive
    temperature scaling for improved calibration", for a temperature of each sample's own.
    """

    def build(self, input_shape: list[tuple]) -> None:
        """Add the whitening matrix and the whitened means of the classes."""
        (_, units), (_, classes) = input_shape
        fixed = {"trainable": False}
        self.whitening = self.add_weight((units, units), "zeros", name="whitening", **fixed)
        self.means = self.add_weight((classes, units), "zeros", name="means", **fixed)
        self.least = self.add_weight((), "ones", name="least", **fixed)
        self.built = True

    def call(self, inputs):
        """Divide the logarithms of a batch of probabilities by the distances."""
        hidden, probabilities = inputs
        white = ops.expand_dims(ops.matmul(hidden, self.whitening), axis=1)
        apart = ops.sum(ops.square(white - self.means), axis=2)
        squared = ops.maximum(ops.min(apart, axis=1, keepdims=True), self.least)
        logarithms = ops.log(ops.maximum(probabilities, _LEAST_PROBABILITY))
        return ops.softmax(logarithms / ops.sqrt(squared), axis=1)

    def compute_output_shape(self, input_shape: list[tuple]) -> tuple:
        """Return the shape of the probabilities."""
        return input_shape[1]

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one window."""
        (_, units), (_, classes) = (values.shape for values in self.input)
        return units * (units + classes)


def weights_of(
    hidden: np.ndarray, target: np.ndarray, recording: np.ndarray, *, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the weights of `DistanceTemperature`; every recording counts the same.

    Args:
        hidden: float `(n, d)`, hidden units for training windows.
        target: int `(n,)`, their classes, 0 to `classes` − 1.
        recording: int `(n,)`, the recording of each.
        classes: number of classes; a class without windows gets the mean of another one.

    Returns:
        Whitening matrix `(d, d)`, whitened means `(classes, d)`, and the least squared distance
        `()`; float32. The covariance is that within the classes, shrunk so that it has an inverse
        even with few windows.
    """
    hidden = hidden.astype(np.float64)
    _, place, count = np.unique(recording, return_inverse=True, return_counts=True)
    weight = 1 / count[place]
    present = np.unique(target)
    means = np.empty((classes, hidden.shape[1]))
    for number in present:
        mine = target == number
        means[number] = np.average(hidden[mine], axis=0, weights=weight[mine])
    means[np.setdiff1d(np.arange(classes), present)] = means[present[0]]
    within = hidden - means[target]
    covariance = (within * (weight / weight.sum())[:, None]).T @ within
    usual = max(covariance.trace() / len(covariance), _LEAST_MEAN_VARIANCE)
    covariance *= 1 - _SHRINKAGE
    covariance[np.diag_indices_from(covariance)] += _SHRINKAGE * usual
    whitening = np.linalg.cholesky(np.linalg.inv(covariance) / len(covariance))
    return (
        whitening.astype(np.float32),
        (means @ whitening).astype(np.float32),
        np.array(_LEAST, dtype=np.float32),
    )
