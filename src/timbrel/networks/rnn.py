"""The tutorial's recurrent network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from timbrel.networks.network import Network

if TYPE_CHECKING:
    from timbrel.features.backend import keras
    from timbrel.networks.layers import SeededLayers


@dataclass(frozen=True)
class RNN(Network):
    """The tutorial's recurrent network.

    Attributes:
        units: units of the LSTM layers, all returning sequences.
        dropout: share of values dropped after them.
        dense: units of the dense layers applied to every time step (ReLU).
    """

    kind: ClassVar[str] = "rnn"

    units: tuple[int, ...] = (128, 128)
    dropout: float = 0.5
    dense: tuple[int, ...] = (64, 32, 16, 8)

    def hidden_layers(self, make: SeededLayers) -> list[keras.layers.Layer]:
        """LSTM layers, dropout, and dense layers for every time step."""
        from timbrel.features.backend import keras

        stack = []
        for number, units in enumerate(self.units, 1):
            stack.append(
                keras.layers.LSTM(
                    units,
                    return_sequences=True,
                    kernel_initializer=make.glorot(),
                    recurrent_initializer=make.orthogonal(),
                    dtype=make.dtype,
                    name=f"lstm_{number}",
                )
            )
        stack.append(make.dropout(self.dropout, name="dropout"))
        for number, units in enumerate(self.dense, 1):
            dense = make.dense(units, name=f"dense_{number}")
            stack.append(
                keras.layers.TimeDistributed(dense, dtype=make.dtype, name=f"each_dense_{number}")
            )
        return [*stack, keras.layers.Flatten(dtype=make.dtype, name="flatten")]
