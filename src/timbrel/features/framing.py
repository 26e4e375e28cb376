"""What the Keras layers of all front ends share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from timbrel.audio.windows import windows_at_once
from timbrel.features.augment import Augmentation
from timbrel.features.backend import keras
from timbrel.features.spectrum import frame_count

ops = keras.ops

_MOST_WINDOWS = 512


class FrontEnd(keras.layers.Layer):
    """Base of the layers from windows, float32 `(batch, samples)`, to pictures `(batch, …)`.

    A sub-class implements `call`, `compute_output_shape` and `multiply_adds`. The other methods are
    for training; what they do here is right for a front end that has no way to change its pictures,
    to make outliers, or to compute faster.

    Attributes:
        makes_outliers: whether there is `outliers`.
    """

    makes_outliers: bool = False

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one window; the layer must have been called."""
        raise NotImplementedError

    def transform(self, model: keras.Sequential) -> Callable[[np.ndarray], np.ndarray]:
        """Return the fastest way to compute pictures, for preparing; not part of a model.

        Args:
            model: what `timbrel.front_end` built: this layer, then what brings its pictures into
                the form that the network takes.

        Returns:
            A function from float32 windows `(n, samples)` to what `model` gives, float32 `(n, …)`,
            equal but for rounding.
        """
        samples = model.input_shape[1]
        size = windows_at_once(samples, most=_MOST_WINDOWS)
        # Compiled here, for the number of windows that most calls have.
        model.predict_on_batch(np.zeros((size, samples), dtype=np.float32))
        return lambda windows: ops.convert_to_numpy(model.predict_on_batch(windows))

    def changed(
        self, pictures: np.ndarray, changes: Augmentation, rng: np.random.Generator
    ) -> np.ndarray:
        """Change each of the pictures, float32 `(n, …)`, at random; here not at all.

        Copies that are trained on are changed in this way, to imitate other recordings.
        """
        return pictures

    def outliers(
        self, pictures: np.ndarray, target: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Make up to twice as many pictures of no class, float32 `(m, …)`; if `makes_outliers`.

        Args:
            pictures: float32 `(n, …)`, pictures of classes.
            target: int `(n,)`, their classes.
            rng: draws everything.
        """
        raise NotImplementedError


class FramedSpectrum(FrontEnd):
    """Base of front ends that compute a row of values for each frame of a window.

    A sub-class sets `settings` (among them `frame` and `hop`, in samples), `values`, the number of
    values a frame, and `multiply_adds_a_frame`, and implements `call`.
    """

    settings: dict
    values: int
    multiply_adds_a_frame: int

    def build(self, input_shape: tuple[int | None, int]) -> None:
        """Set the padding, which depends on the length of the window."""
        frame, hop = self.settings["frame"], self.settings["hop"]
        frames = self.compute_output_shape(input_shape)[1]
        self._padding = (frames - 1) * hop + frame - input_shape[-1]
        self.built = True

    def padded(self, waveform):
        """The waveform, and zeros up to the end of the last frame."""
        # Padding with nothing would copy the waveform.
        return ops.pad(waveform, [(0, 0), (0, self._padding)]) if self._padding else waveform

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one window; the layer must have been called."""
        return self.output.shape[1] * self.multiply_adds_a_frame

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """`(batch, samples)` to `(batch, frames, values)`."""
        frame, hop = self.settings["frame"], self.settings["hop"]
        return (input_shape[0], frame_count(input_shape[-1], frame=frame, hop=hop), self.values)

    def get_config(self) -> dict:
        """Return the settings, to rebuild the layer from."""
        return {**super().get_config(), **self.settings}
