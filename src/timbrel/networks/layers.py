"""Layers that several kinds of networks are built of."""

from __future__ import annotations

from timbrel.features.backend import keras

layers = keras.layers


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
