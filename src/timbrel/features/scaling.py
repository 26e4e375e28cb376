"""Scale pictures to [0, 1] by one minimum and maximum, as the tutorial does."""

from __future__ import annotations

from timbrel.features.backend import keras


@keras.saving.register_keras_serializable(package="timbrel")
class MinMaxScale(keras.layers.Layer):
    """`(x − low) / (high − low)`, any shape; what lies outside stays outside.

    Args:
        low, high: minimum and maximum of the training pictures.
    """

    def __init__(self, *, low: float, high: float, **layer) -> None:
        super().__init__(**layer)
        self.low = low
        self.high = high

    def call(self, pictures):
        """Scale a batch."""
        return (pictures - self.low) / max(self.high - self.low, 1e-30)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """Return the settings, to rebuild the layer from."""
        return {**super().get_config(), "low": self.low, "high": self.high}
