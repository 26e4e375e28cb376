"""Find the same sound in several files: re-encoded, trimmed, at another gain, rate or polarity.

Every recording gets a fingerprint: an 8 kHz copy, and a few signed numbers for every 16 ms of it
that describe its fine spectrum. Pairs are found in three steps, each more careful and on fewer
pairs than the one before.

1. Four frames of the shorter recording are looked up among all frames of the longer ones; three
   must be found again.
2. The two sequences of frames are slid along each other; where they agree best is the lag.
3. The waveforms themselves must agree there (`timbrel.dataset.coherence`).

The recordings must overlap by half of the shorter one at least, and by most of its loud part.

Source of the idea, a short sequence of sub-band differences that identifies a recording through
codecs and gain: J. Haitsma and T. Kalker, "A highly robust audio fingerprinting system", ISMIR
2002. Random projections, which keep angles, in place of their bits: W. B. Johnson and
J. Lindenstrauss, "Extensions of Lipschitz mappings into a Hilbert space", 1984.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from timbrel.audio.samples import resample
from timbrel.dataset.coherence import HIGHEST, LOWEST, RATE, SHARE, match, power, spectra
from timbrel.workers import in_order

# Frames of the fingerprint, in samples, and numbers that describe one.
_FRAME, _HOP = 512, 128
_NUMBERS = 48
# A bin counts down to 50 dB below the loudest of its frame: codecs do not keep much below that.
_FLOOR = 0.003
# Spectra are compared against their own mean over so many bins (270 Hz).
_SMOOTH = 17
# Peak, in units of full scale, below which there is nothing: a step of 24 bits.
_QUIETEST = 2.0**-23
# Frames that are computed at a time.
_BLOCK = 4096

# Step 1: probes of each recording, how alike three of them must be (and in the recording that is
# most alike), and how many other recordings are looked at more closely at most.
_PROBES = 4
_ALIKE, _BARELY = 0.85, 0.5
_MOST = 24
# Recordings that are looked up together, and frames that they are looked up among at a time.
_TOGETHER, _TILE = 256, 1024
# Multiply-adds up to which OpenBLAS uses one thread.
_PIECE = 1 << 18

# Step 2: mean likeness of the frames at the best lag.
_ALIGNED = 0.75


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a recording to find its copies; about 19 kB a second.

    Attributes:
        digest: `samples_sha256` of the recording.
        waveform: int16 `(samples,)`, the recording at 8 kHz, its peak at full scale.
        frames: int8 `(frames, 48)`, the fine spectrum of every 16 ms, of norm 127 about.
        loudness: float32 `(frames,)`, root mean square of the bins of each frame.
    """

    digest: str
    waveform: NDArray[np.int16]
    frames: NDArray[np.int8]
    loudness: NDArray[np.float32]


@dataclass(frozen=True)
class Duplicate:
    """Two recordings of one sound.

    Attributes:
        first, second: their numbers, the lower one first.
        exact: whether they are the same, sample for sample.
        coherence: 0 to 1, how well the waveforms agree where they overlap.
        lag: seconds of `first` at which `second` begins; may be below 0.
        overlap: seconds that they have in common.
    """

    first: int
    second: int
    exact: bool
    coherence: float
    lag: float
    overlap: float


def fingerprint(waveform: NDArray[np.float32], rate: int) -> Fingerprint | None:
    """Fingerprint a recording; None where there is nothing to recognise.

    Args:
        waveform: float32 `(samples,)`.
        rate: its sample rate in Hz.
    """
    low = resample(waveform, rate, RATE).astype(np.float64)
    low -= low.mean() if len(low) else 0.0
    peak = float(np.abs(low).max(initial=0.0))
    if peak < _QUIETEST:
        return None
    low = np.round(low * (32767 / peak)).astype(np.int16)
    described = [_describe(low[first:last]) for first, last in _blocks(len(low))]
    return Fingerprint(
        digest=samples_sha256(waveform),
        waveform=low,
        frames=np.concatenate([frames for frames, _ in described]),
        loudness=np.concatenate([loudness for _, loudness in described]),
    )


def samples_sha256(waveform: NDArray[np.float32]) -> str:
    """Return the SHA-256 of the samples of a waveform, as float32, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(waveform, dtype=np.float32)).hexdigest()


def near_duplicates(
    fingerprints: Sequence[Fingerprint | None],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[Duplicate]:
    """Find the recordings that are the same sound.

    A recording that repeats another sample for sample is compared with nothing else: its first
    occurrence stands for it. The time is quadratic in the number of recordings, with a small
    factor: benchmarks/check.py.

    Args:
        fingerprints: of the recordings; None where there is none.
        progress: called with what is done of how much, in pairs that are looked at closely.

    Returns:
        Pairs, in the order of `first`, then `second`.
    """
    occurrence: dict[str, int] = {}
    found = []
    for number, item in enumerate(fingerprints):
        if item is None:
            continue
        first = occurrence.setdefault(item.digest, number)
        if first != number:
            seconds = len(item.waveform) / RATE
            found.append(
                Duplicate(first, number, exact=True, coherence=1.0, lag=0.0, overlap=seconds)
            )
    numbers = list(occurrence.values())
    candidates = _candidates([fingerprints[number] for number in numbers])
    pairs = [sorted((numbers[one], numbers[other])) for one, other in candidates]
    # Threads would only wait for each other: a proof is many short steps.
    for done, pair in enumerate(pairs, 1):
        duplicate = _prove(fingerprints, *pair)
        if duplicate is not None:
            found.append(duplicate)
        if progress is not None:
            progress(done, len(pairs))
    return sorted(found, key=lambda item: (item.first, item.second))


# Fingerprints


def _blocks(samples: int) -> list[tuple[int, int]]:
    """Stretches of a waveform that give `_BLOCK` frames each; the last one may give fewer."""
    frames = max((samples - _FRAME) // _HOP + 1, 1)
    return [
        (first * _HOP, (min(first + _BLOCK, frames) - 1) * _HOP + _FRAME)
        for first in range(0, frames, _BLOCK)
    ]


def _describe(waveform: NDArray[np.int16]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Frames and their loudness."""
    bins = slice(int(LOWEST * _FRAME / RATE), int(HIGHEST * _FRAME / RATE))
    energy = power(spectra(waveform, _FRAME, _HOP))[:, bins]
    floor = _FLOOR**2 * energy.max(axis=1, keepdims=True)
    fine = np.sqrt(np.sqrt(np.maximum(energy, floor)))
    projection = _projection(fine.shape[1])
    numbers = _in_pieces(fine, len(projection)).astype(np.float32) @ projection
    numbers = numbers.reshape(-1, _NUMBERS)[: len(fine)]
    norm = np.linalg.norm(numbers, axis=1, keepdims=True)
    frames = np.round(numbers * (127 / np.maximum(norm, 1e-6))).astype(np.int8)
    return frames, np.sqrt(energy.mean(axis=1))


@cache
def _projection(bins: int) -> NDArray[np.float32]:
    """Take the mean over neighbouring bins off, then project at random; float32 `(bins, 48)`."""
    distance = np.abs(np.subtract.outer(np.arange(bins), np.arange(bins)))
    near = (distance <= _SMOOTH // 2).astype(float)
    fine = np.eye(bins) - near / near.sum(axis=0)
    random = np.random.default_rng(7).standard_normal((bins, _NUMBERS))
    return (fine @ random / np.sqrt(_NUMBERS)).astype(np.float32)


def _in_pieces(rows: NDArray, inner: int) -> NDArray:
    """Rows in pieces of which the product with 48 columns stays on the thread that computes it.

    BLAS would divide a larger one among threads of its own; these and ours, which are as many as
    there are cores, get in each other's way (measured: 40 times the processor time).

    Returns:
        `(pieces, rows of a piece, columns)`, padded with zeros.
    """
    length = max(_PIECE // (inner * _NUMBERS), 1)
    return np.pad(rows, ((0, -len(rows) % length), (0, 0))).reshape(-1, length, rows.shape[1])


# Step 1: recordings that share some frames


def _probes(item: Fingerprint) -> NDArray[np.int8]:
    """Frames that divide the loudness of a recording evenly; `(4, 48)`."""
    total = np.cumsum(item.loudness, dtype=np.float64)
    shares = (np.arange(_PROBES) + 0.5) / _PROBES
    places = np.searchsorted(total, shares * total[-1])
    return item.frames[np.minimum(places, len(total) - 1)]


def _candidates(items: Sequence[Fingerprint]) -> Iterator[tuple[int, int]]:
    """Pairs of recordings of which the longer holds most probes of the shorter."""
    order = sorted(range(len(items)), key=lambda number: len(items[number].frames))
    ordered = [items[number] for number in order]
    tiles = _tiles([len(item.frames) for item in ordered])

    def look_up(first: int) -> list[tuple[int, int]]:
        part = ordered[first : first + _TOGETHER]
        probes = np.concatenate([_probes(item) for item in part])
        likeness = np.full((len(part), len(ordered)), -1.0, dtype=np.float32)
        for low, high in tiles:
            # Only a recording that is as long can hold all of this one.
            if high > first:
                likeness[:, low:high] = _likeness(probes, ordered[low:high])
        number = np.arange(first, first + len(part))
        likeness[number[:, None] >= np.arange(len(ordered))] = -1.0
        return [
            (order[first + row], order[column])
            for row in range(len(part))
            for column in _best(likeness[row])
        ]

    for pairs in in_order(look_up, range(0, len(ordered), _TOGETHER)):
        yield from pairs


def _best(likeness: NDArray[np.float32]) -> NDArray[np.intp]:
    """Recordings that are alike, the `_MOST` that are most so; the first may be less alike."""
    alike = np.flatnonzero(likeness >= min(max(likeness.max(), _BARELY), _ALIKE))
    return alike[np.argsort(-likeness[alike], kind="stable")[:_MOST]]


def _tiles(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Stretches of recordings, short ones first, that padded to one length fill a tile at most.

    One recording at least, however long.
    """
    tiles, low = [], 0
    for number, length in enumerate(lengths):
        if number > low and (number + 1 - low) * length > _TILE:
            tiles.append((low, number))
            low = number
    return [*tiles, (low, len(lengths))] if len(lengths) else []


def _likeness(probes: NDArray[np.int8], items: Sequence[Fingerprint]) -> NDArray[np.float32]:
    """How alike the third-best of each four probes is in each recording; `(fours, items)`.

    Padded to one length, the recordings lie side by side, so that the best of their frames is
    found by comparing whole rows.
    """
    padded = np.zeros((max(len(item.frames) for item in items), len(items), _NUMBERS), np.int8)
    for number, item in enumerate(items):
        padded[: len(item.frames), number] = item.frames
    together = int(np.sqrt(_PIECE / _NUMBERS)) // _PROBES * _PROBES
    rows = padded.reshape(-1, _NUMBERS)
    stack = _in_pieces(rows, together).astype(np.float32)
    best = []
    for first in range(0, len(probes), together):
        part = probes[first : first + together].astype(np.float32) / 127**2
        table = np.matmul(stack, part.T).reshape(-1, len(part))[: len(rows)]
        best.append(table.reshape(*padded.shape[:2], -1).max(axis=0))
    fours = np.concatenate(best, axis=1).reshape(len(items), -1, _PROBES).transpose(2, 1, 0)
    lower = np.minimum(fours[:2], fours[2:])
    upper = np.maximum(fours[:2], fours[2:])
    return np.minimum(np.maximum(*lower), np.minimum(*upper))


# Step 2: where the frames of two recordings agree best; step 3: the proof


def _prove(fingerprints: Sequence[Fingerprint], first: int, second: int) -> Duplicate | None:
    one, other = fingerprints[first], fingerprints[second]
    likeness, lag = _align(one, other)
    found = match(one.waveform, other.waveform, lag) if likeness >= _ALIGNED else None
    if found is None:
        return None
    return Duplicate(
        first,
        second,
        exact=False,
        coherence=found.coherence,
        lag=found.lag / RATE,
        overlap=found.overlap / RATE,
    )


def _align(one: Fingerprint, other: Fingerprint) -> tuple[float, int]:
    """Mean likeness of the frames at the best lag, and that lag in samples of `one`."""
    lengths = len(one.frames), len(other.frames)
    size = _fast_length(sum(lengths))
    transformed = []
    for item in (one, other):
        weight = np.sqrt(item.loudness / max(item.loudness.max(), 1e-6))
        sequence = np.column_stack([item.frames / np.float32(127) * weight[:, None], weight])
        transformed.append(np.fft.rfft(sequence, size, axis=0))
    product = transformed[0] * transformed[1].conj()
    agreement, weight = np.fft.irfft([product[:, :-1].sum(axis=1), product[:, -1]], size)
    lag = np.arange(size)
    lag[lag >= lengths[0]] -= size
    common = np.minimum(lengths[0], lag + lengths[1]) - np.maximum(lag, 0)
    enough = common >= max(SHARE * min(lengths), 1)
    mean = np.where(enough, agreement / np.maximum(weight, 1e-6 * weight.max()), -1.0)
    best = int(mean.argmax())
    return float(mean[best]), int(lag[best]) * _HOP


def _fast_length(length: int) -> int:
    """Round up to 8-16 times a power of two, for which the FFT is fast."""
    unit = 1 << max(length.bit_length() - 4, 0)
    return -(-length // unit) * unit
