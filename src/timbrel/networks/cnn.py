"""The tutorial's convolutional network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from timbrel.networks.network import Network

if TYPE_CHECKING:
    from timbrel.features.backend import keras
    from timbrel.networks.layers import SeededLayers


@dataclass(frozen=True)
class CNN(Network):
    """The tutorial's convolutional network.

    Attributes:
        filters: channels of the 3×3 convolutions (ReLU, same padding).
        dropout: share of values dropped after the 2×2 max pooling.
        dense: units of the dense layers before the last (ReLU).
        strides: of each convolution; 1 where none is named.
        between: share of values dropped after each convolution.
    """

    kind: ClassVar[str] = "cnn"
    faster_in_bfloat16: ClassVar[bool] = True

    filters: tuple[int, ...] = (32, 32, 64, 128)
    dropout: float = 0.5
    dense: tuple[int, ...] = (128, 64)
    strides: tuple[int, ...] = ()
    between: float = 0.0

    def arrangement(self, shape: tuple[int, ...]) -> list[keras.layers.Layer]:
        """`(frames, values)` to `(values, frames, 1)`, an image with one channel."""
        from timbrel.features.backend import keras

        frames, values = shape
        return [
            keras.layers.Permute((2, 1), name="transpose"),
            keras.layers.Reshape((values, frames, 1), name="picture"),
        ]

    def hidden_layers(self, make: SeededLayers) -> list[keras.layers.Layer]:
        """Convolutions, max pooling, dropout, and dense layers."""
        from timbrel.features.backend import keras

        stack = []
        strides = dict(enumerate(self.strides, 1))
        for number, channels in enumerate(self.filters, 1):
            stride = strides.get(number, 1)
            stack.append(make.convolution(channels, strides=stride, name=f"conv_{number}"))
            if self.between:
                stack.append(make.dropout(self.between, name=f"dropout_{number}"))
        stack += [
            keras.layers.MaxPooling2D((2, 2), dtype=make.dtype, name="pool"),
            make.dropout(self.dropout, name="dropout"),
            keras.layers.Flatten(dtype=make.dtype, name="flatten"),
        ]
        for number, units in enumerate(self.dense, 1):
            stack.append(make.dense(units, name=f"dense_{number}"))
        return stack
