"""What the front ends share: cut a window into frames and transform each."""

from __future__ import annotations

from timbrel.features.backend import keras
from timbrel.features.spectrum import frame_count

ops = keras.ops


class FramedSpectrum(keras.layers.Layer):
    """Base of layers from a window to one row of values per frame.

    A sub-class sets `settings` (with `frame` and `hop`, in samples), `_fourier` (float32
    `(frame, 1, 2 · bins)`) and `values`, the number of values a frame, and implements `call`.
    """

    settings: dict
    values: int

    def build(self, input_shape: tuple[int | None, int]) -> None:
        """Fix the padding to the window's length."""
        frame, hop = self.settings["frame"], self.settings["hop"]
        frames = self.compute_output_shape(input_shape)[1]
        self._padding = (frames - 1) * hop + frame - input_shape[-1]
        self.built = True

    def transform(self, waveform):
        """Real, then imaginary parts of each frame's spectrum: `(batch, frames, 2 · bins)`.

        Cutting and transforming are one strided convolution. The last frame is zero-padded.
        """
        padded = ops.pad(waveform, [(0, 0), (0, self._padding)])[..., None]
        return ops.conv(padded, self._fourier, strides=self.settings["hop"], padding="valid")

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """`(batch, samples)` to `(batch, frames, values)`."""
        frame, hop = self.settings["frame"], self.settings["hop"]
        return (input_shape[0], frame_count(input_shape[-1], frame=frame, hop=hop), self.values)

    def get_config(self) -> dict:
        """Return the settings, to rebuild the layer from."""
        return {**super().get_config(), **self.settings}
