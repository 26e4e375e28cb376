"""The built-in data set: synthesised recordings of ten instrument-like classes.

The dry voices are in `timbrel.dataset.synthesis`; this module puts each in a room, in front of
a microphone, and writes the recordings and their CSV. Making the set needs SciPy (the `train`
extra); importing this module does not.
"""

from __future__ import annotations

import csv
import io
import os
import wave
from numbers import Integral
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from timbrel.errors import InvalidArgument, MissingExtra, OutputError
from timbrel.files import write_bytes
from timbrel.progress import Progress, watching

LOWEST_RATE = 8_000
HIGHEST_RATE = 192_000


def make_synthetic(
    folder: str | os.PathLike,
    *,
    recordings: int = 30,
    seed: int = 0,
    rate: int = 44_100,
    progress: Progress | bool = False,
) -> Path:
    """Write the synthesised data set to `folder`: ten labels, `recordings` recordings of each.

    The recordings are 16-bit mono WAV files, `recordings/<label>_<number>.wav`, numbered from 1,
    and `recordings.csv` lists them under the header `path,label`. Each has its own random
    generator, derived from the seed, the label and its number, so it does not depend on how many
    others are made. The same arguments give the same files, byte for byte, on one machine with
    one version of NumPy and SciPy.

    An old `recordings.csv` is removed first and the new one written last, so a folder that holds
    it holds the whole set. Files of the same names are replaced; others are left alone.

    Args:
        folder: Where the set is written; made if it does not exist.
        recordings: Recordings of each label, 1 or more.
        seed: Seed of the set, 0 or more.
        rate: Sampling rate in Hz, 8,000-192,000.
        progress: True for a bar, in a notebook's cell or on a terminal's stderr, or an object to
            tell.

    Returns:
        The path of `recordings.csv`.

    Raises:
        InvalidArgument: An argument is out of range or not a whole number.
        MissingExtra: SciPy is not installed.
        OutputError: The folder or a file in it cannot be written.
    """
    _check_arguments(recordings=recordings, seed=seed, rate=rate)
    try:
        from timbrel.dataset.synthesis import VOICES
    except ImportError as error:
        raise MissingExtra.of("train", "Making the synthesised data set") from error

    folder = Path(folder)
    table = folder / "recordings.csv"
    _clear(table)
    rows = [("path", "label")]
    with watching(progress) as told:
        for index, (label, voice) in enumerate(VOICES.items()):
            for number in range(1, recordings + 1):
                rng = np.random.default_rng([seed, index, number])
                path = f"recordings/{label.lower().replace(' ', '-')}_{number:02d}.wav"
                write_bytes(folder / path, _wav(record(rng, voice(rng, rate), rate), rate))
                rows.append((path, label))
                told.stage("making", len(rows) - 1, len(VOICES) * recordings)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_bytes(table, text.getvalue().encode())
    return table


def record(rng: np.random.Generator, dry: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Record a dry sound in a random room, through a random microphone, over random noise.

    The room is exponentially decaying noise (Moorer, "About this reverberation business", CMJ
    3(2), 1979), 0.05-0.6 s to -60 dB. The noise is 30-60 dB below the sound, and the peak of the
    recording is at -1 to -24 dBFS.

    Args:
        rng: Draws the room, microphone, noise, gain and the quiet before and after.
        dry: The sound, float32[n], not silent.
        rate: Sampling rate in Hz.

    Returns:
        float32[n + quiet], between -1 and 1; 0.02-0.4 s of quiet before, 0.05-0.6 s after.
    """
    lead = round(rng.uniform(0.02, 0.4) * rate)
    end = lead + len(dry)
    samples = end + round(rng.uniform(0.05, 0.6) * rate)
    tail = _room_tail(rng, rate)
    size = _fast_length(samples + len(tail))
    frequency = np.fft.rfftfreq(size, 1 / rate)
    octave = np.log2(np.maximum(frequency, 40) / 1000)
    # Walls and air absorb high frequencies, in the tail but not in the direct sound.
    room = 1 + np.fft.rfft(tail, size) / (1 + frequency / 4000)
    spectrum = np.fft.rfft(np.concatenate((np.zeros(lead), dry)), size)
    sound = np.fft.irfft(spectrum * room * _microphone(rng, octave), size)[:samples]
    noise = np.fft.irfft(_noise(rng, octave), size)[:samples]
    noise *= np.sqrt(np.mean(sound[lead:end] ** 2) / np.mean(noise**2))
    sound += 10 ** (-rng.uniform(30, 60) / 20) * noise
    gain = 10 ** (-rng.uniform(1, 24) / 20)
    return (sound * (gain / np.abs(sound).max())).astype(np.float32)


def _room_tail(rng: np.random.Generator, rate: int) -> NDArray[np.float64]:
    """Draw the reverberation of a room after a direct sound of energy 1, float64[n]."""
    decay = rng.uniform(0.05, 0.6)
    time = np.arange(round(decay * rate)) / rate
    tail = rng.standard_normal(len(time)) * 0.001 ** (time / decay)
    tail *= 10 ** (rng.uniform(-30, -6) / 20) / np.sqrt(np.sum(tail**2))
    return np.concatenate((np.zeros(round(rng.uniform(0.001, 0.02) * rate)), tail))


def _microphone(rng: np.random.Generator, octave: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw a microphone's gain at frequencies in octaves above 1 kHz: a tilt and wide bumps."""
    nodes = np.arange(-6, 8)
    decibels = rng.uniform(-1, 1) * nodes + rng.normal(0, 1, len(nodes))
    return 10 ** (np.interp(octave, nodes, decibels) / 20)


def _noise(rng: np.random.Generator, octave: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Draw the spectrum of background noise, falling by 2-6 dB an octave as in a real room."""
    white = rng.standard_normal(2 * len(octave)).view(np.complex128)
    return white * 2 ** (-rng.uniform(0.3, 1.0) * octave)


def _fast_length(samples: int) -> int:
    """Round a length up to 8-16 times a power of two, for which the FFT is fast."""
    unit = 1 << max(samples.bit_length() - 4, 0)
    return -(-samples // unit) * unit


def _check_arguments(*, recordings: int, seed: int, rate: int) -> None:
    """Raise InvalidArgument for the first argument that breaks its rule."""
    for name, value in (("recordings", recordings), ("seed", seed), ("rate", rate)):
        if not isinstance(value, Integral):
            raise InvalidArgument(f"`{name}` must be a whole number. Got {value!r}.")
    if recordings < 1:
        raise InvalidArgument(f"`recordings` must be at least 1. Got {recordings}.")
    if seed < 0:
        raise InvalidArgument(f"`seed` must be at least 0. Got {seed}.")
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise InvalidArgument(
            f"`rate` must be between {LOWEST_RATE:,} and {HIGHEST_RATE:,} Hz. Got {rate}."
        )


def _clear(table: Path) -> None:
    """Make the folders of the set and remove an old list of it."""
    try:
        (table.parent / "recordings").mkdir(parents=True, exist_ok=True)
        table.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError.of(table.parent, error) from error


def _wav(sound: NDArray[np.float32], rate: int) -> bytes:
    """Encode samples between -1 and 1 as a 16-bit mono WAV file."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
    return content.getvalue()
