"""Check samples, mix them to mono and resample them, whole or in pieces.

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

# Sample rates in Hz. Lower ones come from wrong headers; no recorder has higher ones.
LEAST_RATE, _MOST_RATE = 100, 10_000_000

# Full scale is 1. Integers of 24 bits taken for floats stay below this; the powers of some larger
# samples overflow float32.
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
    """`resample` for a waveform that comes in pieces; the joined results are exactly equal.

    The result of a piece ends some hundredths of a second before the piece does.

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
        self._empty = True

    def push(self, piece: np.ndarray) -> np.ndarray:
        """Take the next piece, float32 `(samples,)`; return the result as far as it is final."""
        if self._stream is None:
            return piece
        if not len(self._first):
            self._first = piece[:1].copy()
        resampled = self._stream.resample_chunk(np.ascontiguousarray(piece))
        self._empty &= not len(resampled)
        return resampled

    def finish(self) -> np.ndarray:
        """Return the rest; nothing can be pushed after it."""
        rest = np.empty(0, dtype=np.float32)
        if self._stream is None:
            return rest
        rest = self._stream.resample_chunk(rest, last=True)
        return self._first if self._empty and not len(rest) else rest


class Inspection:
    """Mixes the samples of one recording to mono, piece by piece, and collects its faults.

    Args:
        rate: sample rate in Hz.
        start: seconds of the recording at which the samples begin.

    Attributes:
        samples: number of samples so far, of each channel.
        peak: largest |x| of the mix.
    """

    def __init__(self, rate: int, *, start: float = 0.0) -> None:
        self._rate, self._start = rate, start
        self._first: int | None = None
        self._broken = self.samples = 0
        self.peak = 0.0

    @property
    def finite(self) -> bool:
        """Whether no sample was NaN or infinite."""
        return self._first is None

    def mix(self, samples: np.ndarray) -> np.ndarray:
        """Check the next samples, float32 `(n, channels)`; return their mean `(n,)`.

        After a sample that is NaN or infinite there is no mean; the result is empty.
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
        """Raise AudioError where samples were NaN or infinite, or so large that powers overflow.

        Args:
            name: the name of the recording in findings.
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
        """Oddities of the samples that do not stop their use.

        Args:
            name: the name of the recording in findings.
        """
        if self.peak <= 1.0:
            return ()
        return (Finding("too-loud", name, {"peak": self.peak}),)


def check_rate(rate: object, name: str = "rate") -> None:
    """Raise InvalidArgument unless a number can be the sample rate of a sound.

    Args:
        rate: the number, in Hz.
        name: the name of the argument.
    """
    possible = isinstance(rate, Real) and not rate < LEAST_RATE and rate <= _MOST_RATE
    if not possible:
        raise InvalidArgument(
            f"`{name}` must be between {LEAST_RATE} and {_MOST_RATE:,} Hz. Got {rate!r}."
        )


def _check_rates(source_rate: object, rate: object) -> None:
    for item in (source_rate, rate):
        if not isinstance(item, Real) or item <= 0 or not item < math.inf:
            raise InvalidArgument(f"Sample rates must be above 0 Hz. Got {source_rate} and {rate}.")
