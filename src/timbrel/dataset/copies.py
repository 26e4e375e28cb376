"""Find the same sound in several files: re-encoded, trimmed, at another gain, rate or polarity.

Every recording gets a fingerprint: an 8 kHz copy, and a few signed numbers for every 16 ms of it
that describe its fine spectrum. Pairs are found in three steps, each more accurate and on fewer
pairs than the one before.

1. Four frames of the shorter recording are looked up among all frames of the longer ones; three
   must be found again.
2. The two sequences of frames are slid along each other; where they agree best is the lag.
3. The waveforms themselves must be coherent there. A copy keeps the phase of every part of the
   spectrum, loud or faint, from its beginning to its end, through gain, filters, codecs and other
   sample rates. Another take of the same sound does not, however similar it is. Periodic sounds (a
   steady pure tone) agree with any other of their kind at many lags, which proves nothing.

The recordings must overlap by half of the shorter one at least, and by most of its loud part.

Sources: a short sequence of sub-band differences that identifies a recording through codecs and
gain: J. Haitsma and T. Kalker, "A highly robust audio fingerprinting system", ISMIR 2002. Random
projections, which keep angles, in place of their bits: W. B. Johnson and J. Lindenstrauss,
"Extensions of Lipschitz mappings into a Hilbert space", 1984. Coherence: C. H. Knapp and
G. C. Carter, "The generalized correlation method for estimation of time delay", IEEE Trans. ASSP
24(4), 1976, with the partial whitening of K. D. Donohue et al., "Performance of phase transform
for detecting sound sources with microphone arrays in reverberant and noisy environments", Signal
Processing 87(7), 2007. The test against the second-best match is that of D. G. Lowe, "Distinctive
image features from scale-invariant keypoints", IJCV 60(2), 2004.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from timbrel.audio.samples import resample
from timbrel.dataset.recording import Recording
from timbrel.workers import in_order

# The lowest sample rate still in use, and the band that is compared: some copies lack what lies
# above 3.5 kHz.
RATE = 8_000
_LOWEST, _HIGHEST = 30.0, 3_500.0

# Frames of the fingerprint, in samples, and numbers that describe one.
_FRAME, _HOP = 512, 128
_NUMBERS = 48
# A bin counts down to 50 dB below the loudest of its frame: codecs do not keep much below that.
_FLOOR = 0.003
# The local mean over this many bins (270 Hz) is subtracted from a spectrum.
_SMOOTH = 17
# A recording with a peak below this, in units of full scale, is silent: a step of 24 bits.
_QUIETEST = 2.0**-23
# Frames that are computed at a time.
_BLOCK = 4096

# Step 1: probes of each recording, the likeness that three of them must reach (and that the most
# similar recording must reach), and the most recordings that go on to step 2 for each one.
_PROBES = 4
_ALIKE, _BARELY = 0.85, 0.5
_MOST = 24
# Recordings that are looked up together, and frames that they are looked up among at a time.
_TOGETHER, _TILE = 256, 1024
# Multiply-adds up to which OpenBLAS uses one thread.
_PIECE = 1 << 18

# Step 2: mean likeness of the frames at the best lag.
_ALIGNED = 0.75

# Step 3: frames to search for the lag and to measure the coherence, in samples.
_SEARCH_FRAME, _COHERENCE_FRAME = 1024, 256
# Exponent of the magnitude that a bin is divided by: 0 is plain correlation, 1 uses the phase only.
_SEARCH_WHITENING, _WHITENING = 0.5, 0.75
# Steps of the lag per sample.
_UPSAMPLE = 8
# A bin counts down to 60 dB below the loudest of its recording.
_FAINTEST = 1e-6
# Least coherence of a copy. Copies reached 0.68 and more (low-rate codecs), other takes 0.52 at
# most.
_COHERENT = 0.65
# Least agreement in the search; with less, the coherence cannot reach that.
_HOPEFUL = 0.5
# Most disagreement at the best lag relative to that at the second best: for sounds that fill many
# tiles of the spectrogram, and for short or pure ones, which may agree by chance.
_STANDS_OUT, _STANDS_OUT_ALONE = 0.85, 0.5
_MANY_TILES = 300
# Largest shift from the lag of step 2, least distance between two lags, both in samples, and the
# number of lags that are compared with the best.
_REACH, _APART = 0.030 * RATE, 0.001 * RATE
_RIVALS = 5
# Least overlap: seconds, and share of the shorter recording, by length and energy.
_SHORTEST = 0.05
_SHARE = 0.5
# Only the middle of a longer overlap is compared, in seconds.
_LONGEST = 60.0


@dataclass(frozen=True)
class Fingerprint:
    """What is needed of a recording to find its copies; about 19 kB per second.

    Attributes:
        digest: `samples_sha256` of the recording.
        waveform: int16 `(samples,)`, the recording at 8 kHz, its peak at full scale.
        frames: int8 `(frames, 48)`, the fine spectrum of every 16 ms, with a norm of about 127.
        loudness: float32 `(frames,)`, root mean square over the bins of each frame.
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
        exact: whether all samples are equal.
        coherence: agreement of the waveforms where they overlap, 0 to 1.
        lag: second of `first` at which `second` begins; may be negative.
        overlap: seconds that they have in common.
    """

    first: int
    second: int
    exact: bool
    coherence: float
    lag: float
    overlap: float


@dataclass(frozen=True)
class Match:
    """Where two waveforms are the same sound.

    Attributes:
        coherence: agreement, 0 to 1.
        lag: sample of the first at which the second begins; may be negative.
        overlap: samples that they have in common.
    """

    coherence: float
    lag: int
    overlap: int


def fingerprint(waveform: NDArray[np.float32], rate: int) -> Fingerprint | None:
    """Fingerprint a recording; None for silence and constants.

    Args:
        waveform: float32 `(samples,)`.
        rate: its sample rate in Hz.
    """
    low = resample(waveform, rate, RATE).astype(np.float64)
    low -= low.mean() if len(low) else 0.0
    peak = float(np.abs(low).max(initial=0.0))
    if peak < _QUIETEST:
        return None
    scaled = np.round(low * (32767 / peak)).astype(np.int16)
    bins = slice(int(_LOWEST * _FRAME / RATE), int(_HIGHEST * _FRAME / RATE))
    projection = _projection(bins.stop - bins.start)
    frames, loudness = [], []
    count = max((len(scaled) - _FRAME) // _HOP + 1, 1)
    for first in range(0, count, _BLOCK):
        end = min(first + _BLOCK, count)
        block = scaled[first * _HOP : (end - 1) * _HOP + _FRAME]
        energy = _power(_spectra(block, _FRAME, _HOP))[:, bins]
        floor = _FLOOR**2 * energy.max(axis=1, keepdims=True)
        fine = np.sqrt(np.sqrt(np.maximum(energy, floor)))
        numbers = _in_pieces(fine, len(projection)).astype(np.float32) @ projection
        numbers = numbers.reshape(-1, _NUMBERS)[: len(fine)]
        norm = np.linalg.norm(numbers, axis=1, keepdims=True)
        frames.append(np.round(numbers * (127 / np.maximum(norm, 1e-6))).astype(np.int8))
        loudness.append(np.sqrt(energy.mean(axis=1)))
    return Fingerprint(
        digest=samples_sha256(waveform),
        waveform=scaled,
        frames=np.concatenate(frames),
        loudness=np.concatenate(loudness),
    )


def near_duplicates(
    fingerprints: Sequence[Fingerprint | None],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[Duplicate]:
    """Find the recordings that are the same sound.

    Of recordings with equal samples only the first is compared with others. The time is quadratic
    in the number of recordings, with a small factor: benchmarks/check.py.

    Args:
        fingerprints: of the recordings; None where there is none.
        progress: called with the pairs compared in steps 2 and 3, and how many there are.

    Returns:
        Pairs, in the order of `first`, then `second`.
    """
    occurrence: dict[str, int] = {}
    distinct: dict[int, Fingerprint] = {}
    found = []
    for number, item in enumerate(fingerprints):
        if item is None:
            continue
        first = occurrence.setdefault(item.digest, number)
        if first == number:
            distinct[number] = item
        else:
            seconds = len(item.waveform) / RATE
            found.append(
                Duplicate(first, number, exact=True, coherence=1.0, lag=0.0, overlap=seconds)
            )
    numbers = list(distinct)
    candidates = list(_candidates(list(distinct.values())))
    # In one thread: a comparison is many short steps of Python.
    for done, (left, right) in enumerate(candidates, 1):
        first, second = sorted((numbers[left], numbers[right]))
        one, other = distinct[first], distinct[second]
        likeness, lag = _align(one, other)
        same = match(one.waveform, other.waveform, lag) if likeness >= _ALIGNED else None
        if same is not None:
            found.append(
                Duplicate(
                    first,
                    second,
                    exact=False,
                    coherence=same.coherence,
                    lag=same.lag / RATE,
                    overlap=same.overlap / RATE,
                )
            )
        if progress is not None:
            progress(done, len(candidates))
    return sorted(found, key=lambda item: (item.first, item.second))


def match(one: NDArray[np.int16], other: NDArray[np.int16], lag: int) -> Match | None:
    """Compare two waveforms at a lag that is known to 30 ms; None where they are not one sound.

    Args:
        one, other: int16 `(samples,)` at `RATE` Hz.
        lag: approximate sample of `one` at which `other` begins.
    """
    parts = _middle(*_overlapping(one, other, lag))
    fitting = 1 << max(len(parts[0]).bit_length() - 1, 0)
    size = int(np.clip(fitting, _COHERENCE_FRAME, _SEARCH_FRAME))
    shift, curve = _correlation(*parts, size, whitening=_SEARCH_WHITENING)
    near = np.abs(shift) <= min(_REACH, size / 4)
    shift, curve = shift[near], np.abs(curve[near])
    if curve.max() < _HOPEFUL:
        return None
    # The agreement as if the frames overlapped wholly at every shift.
    whole = curve / _remaining(size)[near]
    lags = {lag + round(float(shift[each.argmax()])) for each in (curve, whole)}
    trials = {trial: _coherence(one, other, trial) for trial in lags}
    if max(trials.values()) < _HOPEFUL:
        return None
    # The highest points of the curve, some distance apart.
    left = whole.copy()
    for _ in range(_RIVALS):
        if left.max() <= 0:
            break
        peak = float(shift[left.argmax()])
        left[np.abs(shift - peak) < _APART] = 0.0
        trials[lag + round(peak)] = _coherence(one, other, lag + round(peak))
    best = max(trials, key=lambda trial: trials[trial])
    rival = max((trials[trial] for trial in trials if abs(trial - best) >= _APART), default=0.0)
    if trials[best] < _COHERENT:
        return None
    parts = _overlapping(one, other, best)
    # How many tiles of the spectrogram they fill: (Σ w)² / Σ w².
    _, powers, weight = _whitened(*_middle(*parts), _COHERENCE_FRAME, whitening=_WHITENING)
    level = np.sqrt(powers[0] * powers[1]) * weight
    tiles = float(level.sum() ** 2 / max((level**2).sum(), 1e-30))
    limit = _STANDS_OUT if tiles >= _MANY_TILES else _STANDS_OUT_ALONE
    if 1 - trials[best] > limit * (1 - rival):
        return None
    return Match(coherence=trials[best], lag=best, overlap=len(parts[0]))


def fast_length(length: int) -> int:
    """Round up to 8-16 times a power of two, for which the FFT is fast."""
    unit = 1 << max(length.bit_length() - 4, 0)
    return -(-length // unit) * unit


# Spectra


def _spectra(waveform: NDArray, size: int, hop: int) -> NDArray[np.complexfloating]:
    """Windowed spectra, complex64 `(frames, size // 2 + 1)`; short waveforms are zero-padded."""
    if len(waveform) < size:
        waveform = np.pad(waveform, (0, size - len(waveform)))
    frames = sliding_window_view(waveform.astype(np.float32), size)[::hop]
    return np.fft.rfft(frames * _window(size), axis=1)


def _power(spectrum: NDArray[np.complexfloating]) -> NDArray[np.floating]:
    """Squared magnitude."""
    return spectrum.real**2 + spectrum.imag**2


@cache
def _window(size: int) -> NDArray[np.float32]:
    """Hann window without its zeros."""
    return np.hanning(size + 2)[1:-1].astype(np.float32)


@cache
def _projection(bins: int) -> NDArray[np.float32]:
    """Subtract the mean over neighbouring bins, then project at random; float32 `(bins, 48)`."""
    distance = np.abs(np.subtract.outer(np.arange(bins), np.arange(bins)))
    near = (distance <= _SMOOTH // 2).astype(float)
    fine = np.eye(bins) - near / near.sum(axis=0)
    random = np.random.default_rng(7).standard_normal((bins, _NUMBERS))
    return (fine @ random / np.sqrt(_NUMBERS)).astype(np.float32)


def _in_pieces(rows: NDArray, inner: int) -> NDArray:
    """Split rows so that BLAS multiplies each piece with 48 columns on the calling thread.

    BLAS would divide a larger product among threads of its own, which compete with ours (measured:
    40 times the processor time).

    Returns:
        `(pieces, rows of a piece, columns)`, padded with zeros.
    """
    length = max(_PIECE // (inner * _NUMBERS), 1)
    return np.pad(rows, ((0, -len(rows) % length), (0, 0))).reshape(-1, length, rows.shape[1])


# Step 1: recordings that share some frames


def _candidates(items: Sequence[Fingerprint]) -> Iterator[tuple[int, int]]:
    """Pairs of recordings of which the longer holds most probes of the shorter."""
    order = sorted(range(len(items)), key=lambda number: len(items[number].frames))
    ordered = [items[number] for number in order]
    # Stretches of recordings that fill a tile at most when padded to one length; one at least.
    tiles, low = [], 0
    for number, item in enumerate(ordered):
        if number > low and (number + 1 - low) * len(item.frames) > _TILE:
            tiles.append((low, number))
            low = number
    tiles.append((low, len(ordered)))

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
        pairs = []
        for row, values in enumerate(likeness, first):
            # The most similar recording may be less similar than the others must be.
            alike = np.flatnonzero(values >= min(max(values.max(), _BARELY), _ALIKE))
            best = alike[np.argsort(-values[alike], kind="stable")[:_MOST]]
            pairs += [(order[row], order[column]) for column in best]
        return pairs

    for pairs in in_order(look_up, range(0, len(ordered), _TOGETHER)):
        yield from pairs


def _probes(item: Fingerprint) -> NDArray[np.int8]:
    """Frames that divide the loudness of a recording evenly; `(4, 48)`."""
    total = np.cumsum(item.loudness, dtype=np.float64)
    shares = (np.arange(_PROBES) + 0.5) / _PROBES
    places = np.searchsorted(total, shares * total[-1])
    return item.frames[np.minimum(places, len(total) - 1)]


def _likeness(probes: NDArray[np.int8], items: Sequence[Fingerprint]) -> NDArray[np.float32]:
    """Likeness of the third-best of each four probes in each recording; `(fours, items)`.

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


# Step 2: where the frames of two recordings agree best


def _align(one: Fingerprint, other: Fingerprint) -> tuple[float, int]:
    """Mean likeness of the frames at the best lag, and that lag in samples of `one`."""
    lengths = len(one.frames), len(other.frames)
    size = fast_length(sum(lengths))
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
    enough = common >= max(_SHARE * min(lengths), 1)
    mean = np.where(enough, agreement / np.maximum(weight, 1e-6 * weight.max()), -1.0)
    best = int(mean.argmax())
    return float(mean[best]), int(lag[best]) * _HOP


# Step 3: the coherence of the waveforms


def _overlapping(one: NDArray, other: NDArray, lag: int) -> tuple[NDArray, NDArray]:
    """What two waveforms have in common where `other` begins at sample `lag` of `one`."""
    length = max(min(len(one) - max(lag, 0), len(other) + min(lag, 0)), 0)
    return one[max(lag, 0) :][:length], other[max(-lag, 0) :][:length]


def _middle(one: NDArray, other: NDArray) -> tuple[NDArray, NDArray]:
    """The middle of an overlap that is longer than is compared."""
    length = min(len(one), int(_LONGEST * RATE))
    first = (len(one) - length) // 2
    return one[first : first + length], other[first : first + length]


def _coherence(one: NDArray, other: NDArray, lag: int) -> float:
    """Agreement of two waveforms at a lag, to a fraction of a sample; 0 to 1."""
    parts = _overlapping(one, other, lag)
    if len(parts[0]) < max(_SHARE * min(len(one), len(other)), _SHORTEST * RATE):
        return 0.0
    energies = [float(np.sum(each.astype(np.float32) ** 2)) for each in (*parts, one, other)]
    # The overlap must be more than the faint end of both.
    if energies[0] < _SHARE * energies[2] and energies[1] < _SHARE * energies[3]:
        return 0.0
    shift, curve = _correlation(*_middle(*parts), _COHERENCE_FRAME, whitening=_WHITENING)
    return min(float(np.abs(curve[np.abs(shift) <= 1.0]).max()), 1.0)


def _correlation(
    one: NDArray, other: NDArray, size: int, *, whitening: float
) -> tuple[NDArray, NDArray]:
    """Generalised cross-correlation of two aligned waveforms, averaged over short frames.

    Returns:
        Shifts in samples of `one`, from 0 up, then from the lowest up, and the coherence at each,
        −1 to 1.
    """
    both, powers, weight = _whitened(one, other, size, whitening=whitening)
    energy = np.sqrt(np.prod([np.sum(part * weight, dtype=np.float64) for part in powers]))
    cross = np.sum(both[0] * both[1].conj() * weight, axis=0)
    length = size * _UPSAMPLE
    curve = np.fft.irfft(cross, length) * (length / 2 / max(energy, 1e-30))
    return np.fft.fftfreq(length, 1 / size), curve


def _whitened(
    one: NDArray, other: NDArray, size: int, *, whitening: float
) -> tuple[list[NDArray], list[NDArray], NDArray]:
    """Spectra and powers of two waveforms, and the weight of each tile; `(frames, bins)` all."""
    bins = np.fft.rfftfreq(size, 1 / RATE)
    audible = ((bins >= _LOWEST) & (bins <= _HIGHEST)).astype(np.float32)
    both = [_spectra(part, size, size // 4) for part in (one, other)]
    powers = [_power(part) * audible for part in both]
    floored = [np.maximum(part, _FAINTEST * part.max() + 1e-9) for part in powers]
    return both, powers, audible * (floored[0] * floored[1]) ** (-whitening / 2)


@cache
def _remaining(size: int) -> NDArray[np.floating]:
    """What a shift leaves of the product of two windows, in the order of `_correlation`."""
    spectrum = _power(np.fft.rfft(_window(size), 2 * size))
    overlap = np.fft.irfft(spectrum, 2 * size * _UPSAMPLE)
    half = size * _UPSAMPLE // 2
    return np.concatenate([overlap[:half], overlap[-half:]]) / overlap[0]


# Sums


def samples_sha256(waveform: NDArray[np.float32]) -> str:
    """Return the SHA-256 of the samples of a waveform, as float32, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(waveform, dtype=np.float32).data).hexdigest()


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal; empty where it cannot be read."""
    try:
        with open(file, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def recording_sha256(recordings: Sequence[Recording]) -> list[str]:
    """Return the SHA-256 of each recording's file, read in parallel."""
    files = list(dict.fromkeys(item.file for item in recordings))
    sums = dict(zip(files, in_order(file_sha256, files), strict=True))
    return [sums[item.file] for item in recordings]


def join_groups(
    recordings: Sequence[Recording], pairs: Iterable[tuple[int, int]]
) -> list[Recording]:
    """Make one group of the groups of the two recordings of each pair, and of what they share."""
    group = {item.group: item.group for item in recordings}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    for one, other in pairs:
        group[root(recordings[other].group)] = root(recordings[one].group)
    return [replace(item, group=root(item.group)) for item in recordings]


def dataset_sha256(recordings: Sequence[Recording], sums: Sequence[str]) -> str:
    """Return one SHA-256 over contents, labels, groups and stretches, in the order given."""
    whole = hashlib.sha256()
    for item, digest in zip(recordings, sums, strict=True):
        whole.update(
            f"{digest}\t{item.label}\t{item.group}\t{item.start}\t{item.end}\n".encode(
                errors="surrogateescape"
            )
        )
    return whole.hexdigest()
