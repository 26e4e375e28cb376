"""Power spectrum of real frames by a factorised Fourier transform, in Keras operations."""

from __future__ import annotations

import numpy as np

from timbrel.errors import InvalidArgument
from timbrel.features.backend import keras

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
    the order in which the products give them: nearly sorted, some of them twice. `spread` brings
    weights of bins into the same order.

    Source: Cooley & Tukey (1965), "An algorithm for the machine calculation of complex Fourier
    series"; reference implementation `numpy.fft.rfft`.

    Args:
        nfft: N, a power of two from 4; shorter frames are zero-padded.

    Attributes:
        bins: int64 `(places,)`, the bin, 0 to N / 2, that is at each place; every bin is at one
            place at least.
        multiply_adds: of the transform of one frame.

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
            `(…, places)`: a product with what a call gives sums over each bin once.
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
