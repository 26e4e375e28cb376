"""What the front ends share: cut a window into frames and transform each."""

from __future__ import annotations

import math

import numpy as np

from timbrel.features.backend import keras
from timbrel.features.spectrum import frame_count

ops = keras.ops

# Above so many slices a frame, one gather is the smaller graph.
_MOST_SLICES = 32


class FramedSpectrum(keras.layers.Layer):
    """Base of layers from a window to one row of values per frame.

    A sub-class sets `settings` (with `frame` and `hop`, in samples) and `values`, the number of
    values a frame, and implements `call`; one that calls `transform` also sets `_fourier` (float32
    `(frame, 1, 2 · bins)`).
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
        padded = self._padded(waveform)[..., None]
        return ops.conv(padded, self._fourier, strides=self.settings["hop"], padding="valid")

    def frames(self, waveform):
        """The frames of each window, the last zero-padded: `(batch, frames, frame)`.

        Frames are put together from pieces as long as the greatest common divisor of frame and hop,
        which every way of running a graph can do without a table of positions.
        """
        frame, hop = self.settings["frame"], self.settings["hop"]
        padded = self._padded(waveform)
        samples = padded.shape[1]
        count = (samples - frame) // hop + 1
        piece = math.gcd(frame, hop)
        if frame // piece > _MOST_SLICES:
            places = np.arange(count)[:, None] * hop + np.arange(frame)
            return ops.take(padded, places, axis=1)
        if samples % piece:  # A hop longer than a frame may leave samples after the last one.
            padded = padded[:, : samples // piece * piece]
        pieces = ops.reshape(padded, (-1, samples // piece, piece))
        step, last = hop // piece, (count - 1) * (hop // piece) + 1
        parts = [pieces[:, first : first + last : step] for first in range(frame // piece)]
        return ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]

    def _padded(self, waveform):
        """The waveform, and zeros up to the end of the last frame."""
        # A graph would copy the waveform to put nothing behind it.
        return ops.pad(waveform, [(0, 0), (0, self._padding)]) if self._padding else waveform

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """`(batch, samples)` to `(batch, frames, values)`."""
        frame, hop = self.settings["frame"], self.settings["hop"]
        return (input_shape[0], frame_count(input_shape[-1], frame=frame, hop=hop), self.values)

    def get_config(self) -> dict:
        """Return the settings, to rebuild the layer from."""
        return {**super().get_config(), **self.settings}
