"""Defects planted in a data set."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

Plant = Callable[[Path, np.random.Generator], Path]


def rewrite(change: Callable[[np.ndarray, np.random.Generator], np.ndarray], **how) -> Plant:
    """Change the samples of a WAV file; `how` as for `soundfile.write`."""

    def plant(path: Path, rng: np.random.Generator) -> Path:
        waveform, rate = soundfile.read(path, dtype="float32")
        soundfile.write(path, change(waveform, rng), **{"samplerate": rate, **how})
        return path

    return plant


def truncated(extension: str) -> Plant:
    """Save in a format, and keep 30 to 90 % of the bytes."""

    def plant(path: Path, rng: np.random.Generator) -> Path:
        file = path.with_suffix(f".{extension}")
        waveform, rate = soundfile.read(path, dtype="float32")
        path.unlink()
        soundfile.write(file, waveform, rate)
        os.truncate(file, int(rng.uniform(0.3, 0.9) * file.stat().st_size))
        return file

    return plant


def clipped(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two to six times too loud."""
    return np.clip(waveform / np.abs(waveform).max() * rng.uniform(2, 6), -1, 1)


def offset(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """0.01 to 0.1 of full scale, up or down."""
    constant = rng.choice([-1, 1]) * np.exp(rng.uniform(np.log(0.01), np.log(0.1)))
    return np.clip(waveform + constant, -1, 1)


def not_finite(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    changed = waveform.copy()
    changed[rng.integers(len(changed), size=3)] = rng.choice([np.nan, np.inf, -np.inf], size=3)
    return changed


def too_short(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """10 to 90 ms around the loudest sample, of 44.1 kHz."""
    length = round(rng.uniform(0.010, 0.090) * 44_100)
    first = max(int(np.abs(waveform).argmax()) - length // 2, 0)
    return waveform[first : first + length]


def no_bytes(path: Path, rng: np.random.Generator) -> Path:
    path.write_bytes(b"")
    return path


def unreadable(path: Path, rng: np.random.Generator) -> Path:
    path.write_bytes(rng.bytes(20_000))
    return path


def same(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return waveform


def in_channels(number: int) -> Plant:
    return rewrite(lambda waveform, rng: np.tile(waveform[:, None], (1, number)))


# What is planted, and the kind of finding that it is to be found as.
DEFECTS: dict[str, tuple[str, Plant]] = {
    "truncated WAV": ("truncated", truncated("wav")),
    "truncated FLAC": ("truncated", truncated("flac")),
    "truncated MP3": ("truncated", truncated("mp3")),
    "clipped": ("clipped", rewrite(clipped)),
    "DC offset": ("dc-offset", rewrite(offset)),
    "0 bytes": ("empty", no_bytes),
    "no samples": ("empty", rewrite(lambda waveform, rng: waveform[:0])),
    "silent": ("silent", rewrite(lambda waveform, rng: 0 * waveform)),
    "NaN or infinite": ("not-finite", rewrite(not_finite, subtype="FLOAT")),
    "no sound file": ("unreadable", unreadable),
    "too short": ("too-short", rewrite(too_short)),
    "odd rate": ("odd-rate", rewrite(same, samplerate=32_000)),
    "stereo": ("odd-channels", in_channels(2)),
    "5 channels": ("odd-channels", in_channels(5)),
}


def plant(files: list[Path], count: int, rng: np.random.Generator) -> dict[str, list[Path]]:
    """Give each defect to so many of the files, drawn at random, no file two of them."""
    drawn = iter(rng.permutation(len(files)))
    return {
        name: [change(files[next(drawn)], rng) for _ in range(count)]
        for name, (_, change) in DEFECTS.items()
    }
