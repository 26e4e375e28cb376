"""Claim: from 300 WAV files to pictures in at most 5 s, in at most 1 s when cached.

Both ways decode, resample to 16 kHz, cut silence, and compute the MFCC of the same drawn windows.
The tutorial's way is re-implemented here with the libraries that it used: librosa, pandas, scipy,
python_speech_features, cleaned recordings going through WAV files on disk, one window at a time.
Imports are not counted on either side. Caveat: the tutorial reads a cleaned file again for every
window, from the operating system's cache here.

    python benchmarks/prepare.py
"""

from __future__ import annotations

import csv
import tempfile
import time
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
from python_speech_features import mfcc
from scipy.io import wavfile

from machine import recordings, save
from timbrel import FeatureCache, prepare, read_dataset

RATE, WINDOW, THRESHOLD = 16_000, 1600, 0.005


def tutorial_clean(audio: Path, names: list[str], folder: Path) -> None:
    """Write every recording without its silence."""
    for name in names:
        signal, rate = librosa.load(audio / name, sr=RATE)
        level = pd.Series(signal).apply(np.abs)
        level = level.rolling(window=int(rate / 10), min_periods=1, center=True).mean()
        mask = []
        for value in level:
            mask.append(value > THRESHOLD)
        wavfile.write(folder / name, rate, signal[np.array(mask)])


def tutorial_features(folder: Path, names: list[str], draws: zip) -> np.ndarray:
    """Compute the pictures of drawn windows, one at a time."""
    pictures = []
    for recording, start in draws:
        rate, signal = wavfile.read(folder / names[recording])
        sample = signal[start : start + WINDOW]
        sample = np.pad(sample, (0, WINDOW - len(sample)))
        pictures.append(mfcc(sample, rate, numcep=13, nfilt=26, nfft=512).T)
    return np.array(pictures)


def timed(work) -> tuple[float, object]:
    """Seconds and result of a call."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def main() -> None:
    table, audio = recordings("instruments")
    with tempfile.TemporaryDirectory() as name:
        cache = FeatureCache(Path(name) / "cache")
        ours, prepared = timed(lambda: prepare(read_dataset(table, audio), cache=cache))
        cached, again = timed(lambda: prepare(read_dataset(table, audio), cache=cache))
        assert again.cached
        with open(table, newline="", encoding="utf-8") as file:
            names = [row["fname"] for row in csv.DictReader(file)]
        examples = prepared.examples
        draws = zip(examples.recording, examples.start, strict=True)
        cleaning, _ = timed(lambda: tutorial_clean(audio, names, Path(name)))
        features, theirs = timed(lambda: tutorial_features(Path(name), names, draws))
    difference = np.abs(examples.pictures[..., 0] - theirs).reshape(len(theirs), -1).max(axis=1)
    result = {
        "windows": len(examples),
        "tutorial_seconds": {"clean": round(cleaning, 2), "features": round(features, 2)},
        "timbrel_seconds": round(ours, 2),
        "timbrel_cached_seconds": round(cached, 2),
        "ratio": round((cleaning + features) / ours, 1),
        "ratio_cached": round((cleaning + features) / cached, 1),
        "largest_difference": float(difference.max()),
        "windows_that_differ_by_more_than_0.001": int((difference > 1e-3).sum()),
    }
    save("prepare", result)
    print(f"{len(examples)} windows of {len(names)} recordings")
    print(
        f"the tutorial's way   {cleaning + features:7.2f} s "
        f"(clean {cleaning:.2f}, MFCC {features:.2f})"
    )
    print(f"timbrel              {ours:7.2f} s, {result['ratio']} times as fast")
    print(f"timbrel, cached      {cached:7.2f} s, {result['ratio_cached']} times as fast")
    print(
        f"largest difference between the pictures {difference.max():.2g} "
        f"(values span {theirs.min():.0f} to {theirs.max():.0f}); "
        f"more than 0.001 in {result['windows_that_differ_by_more_than_0.001']} windows"
    )


if __name__ == "__main__":
    main()
