"""Samples as they come from anywhere: looked over, mixed to mono, resampled, whole or in pieces.

Resampling is soxr's at quality HQ, which is also what librosa 0.11 uses by default.
"""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
import soxr

from timbrel.errors import AudioError, InvalidArgument
from timbrel.findings import Finding

_QUALITY = "HQ"

# Sample rates in Hz. Below there is no sound, only a wrong header; above, no recorder.
LEAST_RATE, _MOST_RATE = 100, 10_000_000

# Full scale is 1. Integers of 24 bits taken for floats stay below; from some times more on, the
# power of a band is no float32 any more.
_LOUDEST = 1e7


def resample(waveform: np.ndarray, source_rate: int, rate: int) -> np.ndarray:
    """Resample a mono waveform `(samples,)` to `rate` Hz, float32 `(≈ samples · ratio,)`.

    A recording so short that nothing would remain keeps one sample.

    Source: the SoX resampler library, quality HQ (https://sourceforge.net/p/soxr).
    """
    _check_rates(source_rate, rate)
    waveform = np.ascontiguousarray(waveform, dtype=np.float32)
    if source_rate == rate:
        return waveform
    resampled = soxr.resample(waveform, source_rate, rate, quality=_QUALITY)
    return resampled if len(resampled) else waveform[:1]


class Resampler:
    """`resample` for a waveform that comes in pieces: joined, what it gives is equal to the bit.

    What it gives for a piece ends some hundredths of a second before the piece does.

    Args:
        source_rate: sample rate of the pieces in Hz.
        rate: wanted sample rate in Hz.
    """

    def __init__(self, source_rate: int, rate: int) -> None:
        _check_rates(source_rate, rate)
        self._stream = (
            None
            if source_rate == rate
            else soxr.ResampleStream(source_rate, rate, 1, dtype="float32", quality=_QUALITY)
        )
        self._first = np.empty(0, dtype=np.float32)
        self._given = 0

    def push(self, piece: np.ndarray) -> np.ndarray:
        """Take the next piece, float32 `(samples,)`; return what of the result is certain."""
        if self._stream is None:
            return piece
        if not len(self._first):
            self._first = piece[:1].copy()
        return self._counted(self._stream.resample_chunk(np.ascontiguousarray(piece)))

    def finish(self) -> np.ndarray:
        """Return the rest; nothing can be pushed after it."""
        nothing = np.empty(0, dtype=np.float32)
        if self._stream is None:
            return nothing
        rest = self._counted(self._stream.resample_chunk(nothing, last=True))
        return rest if self._given else self._first

    def _counted(self, resampled: np.ndarray) -> np.ndarray:
        self._given += len(resampled)
        return resampled


class Inspection:
    """What the samples of one recording are found to be, piece by piece.

    Args:
        rate: their sample rate in Hz.
        start: seconds of the recording at which they begin.

    Attributes:
        samples: how many there were, of each channel.
        peak: largest |x| of their mix.
    """

    def __init__(self, rate: int, *, start: float = 0.0) -> None:
        self._rate, self._start = rate, start
        self._first: int | None = None
        self._broken = self.samples = 0
        self.peak = 0.0

    @property
    def finite(self) -> bool:
        """Whether all samples were numbers."""
        return self._first is None

    def mix(self, samples: np.ndarray) -> np.ndarray:
        """Look over the next samples, float32 `(n, channels)`; return their mean `(n,)`.

        Where one is not a number there is no mean, and nothing is returned.
        """
        finite = np.isfinite(samples)
        if not finite.all():
            whole = finite.all(axis=1)
            if self._first is None:
                self._first = self.samples + int(np.argmin(whole))
            self._broken += int(len(whole) - whole.sum())
        self.samples += len(samples)
        if not self.finite or not len(samples):
            return np.empty(0, dtype=np.float32)
        mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
        self.peak = max(self.peak, float(np.abs(mono).max()))
        return mono

    def check(self, name: str) -> None:
        """Raise AudioError, with the first place, where samples were NaN or infinite.

        So it is where they are so large that their powers would be.

        Args:
            name: what to call the recording.
        """
        if self._first is not None:
            facts = {
                "broken": self._broken,
                "samples": self.samples,
                "seconds": self._start + self._first / self._rate,
            }
            raise AudioError(Finding("not-finite", name, facts))
        if self.peak > _LOUDEST:
            raise AudioError(Finding("far-too-loud", name, {"peak": self.peak}))

    def findings(self, name: str) -> tuple[Finding, ...]:
        """What is odd about the samples but does not stop their use.

        Args:
            name: what to call the recording.
        """
        if self.peak <= 1.0:
            return ()
        return (Finding("too-loud", name, {"peak": self.peak}),)


def check_rate(rate: object, name: str = "rate") -> None:
    """Raise InvalidArgument unless a number can be the sample rate of a sound.

    Args:
        rate: the number, in Hz.
        name: what to call it.
    """
    number = isinstance(rate, Real) and not isinstance(rate, bool)
    if not number or not LEAST_RATE <= rate <= _MOST_RATE:
        raise InvalidArgument(
            f"`{name}` must be between {LEAST_RATE} and {_MOST_RATE:,} Hz. Got {rate!r}."
        )


def _check_rates(source_rate: float, rate: float) -> None:
    if not all(isinstance(item, Real) and 0 < item < math.inf for item in (source_rate, rate)):
        raise InvalidArgument(f"Sample rates must be above 0 Hz. Got {source_rate} and {rate}.")
