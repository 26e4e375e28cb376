"""The base classes of the front ends, and the power spectrum of frames, as Keras layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from timbrel.audio.windows import windows_at_once
from timbrel.errors import InvalidArgument
from timbrel.features.augment import Augmentation
from timbrel.features.backend import keras
from timbrel.features.spectrum import frame_count

ops = keras.ops


class PowerSpectrum:
    """Squared magnitude of the discrete Fourier transform of real frames.

    The transform of N = rows · columns points is done in two steps of matrix products, with a
    multiplication by the twiddle factors between them: about N · (rows + 2 · columns)
    multiply-adds a frame instead of N · (N + 2) for the dense matrix; for 1024 points 0.11 M
    instead of 1.05 M. Every format that a graph is exported to has matrix products; not all have
    operators for the Fourier transform.

    Because the frames are real, half of the rows are enough: the other bins are mirror images of
    these, bin k of bin N − k. Sorting the bins would take longer than the products, so they stay in
    the order of the products: nearly sorted, some of them twice. `spread` brings weights of bins
    into the same order.

    Source: Cooley & Tukey (1965), "An algorithm for the machine calculation of complex Fourier
    series"; reference implementation `numpy.fft.rfft`.

    Args:
        nfft: N, a power of two from 4; shorter frames are zero-padded.

    Attributes:
        bins: int64 `(places,)`, the bin at each place, 0 to N / 2; every bin has one place at
            least.
        multiply_adds: multiply-adds of the transform of one frame.

    Raises:
        InvalidArgument: `nfft` is no power of two from 4.
    """

    def __init__(self, nfft: int) -> None:
        if nfft < 4 or nfft & (nfft - 1):
            raise InvalidArgument(f"`nfft` must be a power of two, at least 4. Got {nfft}.")
        self.nfft = nfft
        self.rows = 1 << (nfft.bit_length() // 2)
        self.columns = nfft // self.rows
        row, half = np.arange(self.rows), np.arange(self.rows // 2 + 1)
        first = np.exp(-2j * np.pi / self.rows * np.outer(row, half))
        twiddle = np.exp(-2j * np.pi / nfft * np.outer(np.arange(self.columns), half))
        # In each run of rows + 1 bins, the first half rises and the mirrored second half falls.
        run = np.arange(self.columns // 2)
        order = np.stack([run, self.columns - 1 - run], axis=1).ravel()
        second = np.exp(-2j * np.pi / self.columns * np.outer(order, np.arange(self.columns)))
        self._first = np.concatenate([first.real, first.imag], axis=1).astype("float32")
        self._cosine = twiddle.real.astype("float32")
        self._sine = twiddle.imag.astype("float32")
        # Real and imaginary part in, real and imaginary part out.
        self._second = np.block([[second.real, -second.imag], [second.imag, second.real]]).astype(
            "float32"
        )
        self.multiply_adds = (
            self.columns * self._first.size + 4 * self._cosine.size + len(half) * self._second.size
        )
        place = (half + self.rows * order[:, None]).ravel()
        self.bins = np.minimum(place, nfft - place)

    def spread(self, weights: np.ndarray) -> np.ndarray:
        """Put weights of bins at the places of the bins.

        Args:
            weights: `(…, N / 2 + 1)`, in the order of the bins.

        Returns:
            `(…, places)`: a product with the result of a call sums over each bin once.
        """
        spread = np.zeros((*weights.shape[:-1], len(self.bins)), dtype=weights.dtype)
        _, once = np.unique(self.bins, return_index=True)
        spread[..., once] = weights
        return spread

    def __call__(self, frames):
        """Squared magnitudes of the bins, each at its places.

        Args:
            frames: float32 `(batch, frames, samples)`, at most N samples.

        Returns:
            float32 `(batch, frames, places)`.
        """
        count, samples = frames.shape[1:]
        padded = ops.pad(frames, [(0, 0), (0, 0), (0, self.nfft - samples)])
        grid = ops.reshape(padded, (-1, count, self.rows, self.columns))
        half = self.rows // 2 + 1
        # (batch, frames, columns, half) each.
        turned = ops.matmul(ops.transpose(grid, (0, 1, 3, 2)), self._first)
        real, imaginary = turned[..., :half], turned[..., half:]
        turned = ops.concatenate(
            [
                real * self._cosine - imaginary * self._sine,
                real * self._sine + imaginary * self._cosine,
            ],
            axis=2,
        )
        # With the constant on the left, no second transposition is needed.
        squares = ops.square(ops.matmul(self._second, turned))
        power = squares[:, :, : self.columns] + squares[:, :, self.columns :]
        return ops.reshape(power, (-1, count, len(self.bins)))


_MOST_WINDOWS = 512


class FrontEnd(keras.layers.Layer):
    """Base of the layers from windows, float32 `(batch, samples)`, to pictures `(batch, …)`.

    A sub-class implements `call`, `compute_output_shape` and `multiply_adds`. The other methods are
    for training; those of this class suit a front end that cannot change its pictures, make
    outliers, or compute faster.

    Attributes:
        makes_outliers: whether `outliers` is implemented.
    """

    makes_outliers: bool = False

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one window; the layer must have been called."""
        raise NotImplementedError

    def transform(self, model: keras.Sequential) -> Callable[[np.ndarray], np.ndarray]:
        """Return the fastest way to compute pictures, for preparing; not part of a model.

        Args:
            model: the model that `timbrel.front_end` built: this layer, then the layers that bring
                its pictures into the form that the network takes.

        Returns:
            A function from float32 windows `(n, samples)` to the output of `model`, float32
            `(n, …)`, equal except for rounding.
        """
        samples = model.input_shape[1]
        size = windows_at_once(samples, most=_MOST_WINDOWS)
        # Compile it here, for the number of windows of most calls.
        model.predict_on_batch(np.zeros((size, samples), dtype=np.float32))
        return lambda windows: ops.convert_to_numpy(model.predict_on_batch(windows))

    def changed(
        self, pictures: np.ndarray, changes: Augmentation, rng: np.random.Generator
    ) -> np.ndarray:
        """Change each of the pictures, float32 `(n, …)`, at random, to imitate other recordings.

        This method returns them as they are.
        """
        return pictures

    def outliers(
        self, pictures: np.ndarray, target: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Make up to twice as many pictures of no class, float32 `(m, …)`, if `makes_outliers`.

        Args:
            pictures: float32 `(n, …)`, pictures of classes.
            target: int `(n,)`, their classes.
            rng: draws everything.
        """
        raise NotImplementedError


class FramedSpectrum(FrontEnd):
    """Base of front ends that compute a row of values for each frame of a window.

    A sub-class sets `multiply_adds_a_frame` and implements `call`.

    Args:
        settings: the arguments of the sub-class, among them `frame` and `hop` in samples.
        values: number of values a frame.
    """

    multiply_adds_a_frame: int

    def __init__(self, settings: dict, values: int, **layer) -> None:
        super().__init__(**layer)
        self.settings = settings
        self.values = values

    def build(self, input_shape: tuple[int | None, int]) -> None:
        """Set the padding, which depends on the length of the window."""
        frame, hop = self.settings["frame"], self.settings["hop"]
        frames = self.compute_output_shape(input_shape)[1]
        self._padding = (frames - 1) * hop + frame - input_shape[-1]
        self.built = True

    def padded(self, waveform):
        """The waveform, and zeros up to the end of the last frame."""
        # Padding with no zeros would copy the waveform.
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
        """Return the arguments that rebuild the layer."""
        return {**super().get_config(), **self.settings}
