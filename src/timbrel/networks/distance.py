"""A temperature that grows with the distance from everything that was learned."""

from __future__ import annotations

import numpy as np

from timbrel.features.backend import keras

ops = keras.ops

# The least squared distance, so that no answer becomes certain because of it.
_LEAST = 0.01
# Share of the covariance that is replaced by a multiple of the identity, and the least variance.
_SHRINKAGE, _LEAST_VARIANCE = 0.3, 1e-6
_FAINTEST = 1e-30


@keras.saving.register_keras_serializable(package="timbrel")
class DistanceTemperature(keras.layers.Layer):
    """Probabilities at a temperature that is the Mahalanobis distance to the nearest class.

    A network that has learned ten classes is also sure of a sound of an eleventh, if it shows a
    feature that separates two of the ten. Its hidden units, however, are far from those of every
    class. The logarithms of the probabilities are divided by that distance, in units of the square
    root of its dimensions; the order of the classes does not change.

    Input: hidden units float32 `(batch, d)` and probabilities float32 `(batch, classes)`. Output:
    float32 `(batch, classes)`. Until `weights_of` has been computed and set, the temperature is 1.

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
        logarithms = ops.log(ops.maximum(probabilities, _FAINTEST))
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
        hidden: float `(n, d)`, hidden units for windows that were learned from.
        target: int `(n,)`, their classes, 0 to `classes` − 1.
        recording: int `(n,)`, the recording of each.
        classes: number of classes; one without windows gets the mean of another one.

    Returns:
        Whitening matrix `(d, d)`, whitened means `(classes, d)`, and the least squared distance
        `()`; float32. The covariance is that within the classes, shrunk so that it has an inverse
        however few windows there are.
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
    usual = max(covariance.trace() / len(covariance), _LEAST_VARIANCE)
    covariance *= 1 - _SHRINKAGE
    covariance[np.diag_indices_from(covariance)] += _SHRINKAGE * usual
    whitening = np.linalg.cholesky(np.linalg.inv(covariance) / len(covariance))
    return (
        whitening.astype(np.float32),
        (means @ whitening).astype(np.float32),
        np.float32(_LEAST),
    )
