"""Copies of recordings as people make them: softer, cut, converted, through a codec."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile

from timbrel import RECIPES, decode
from timbrel.audio.samples import resample
from timbrel.dataset.copies import Duplicate, Fingerprint, fingerprint, near_duplicates
from timbrel.networks.recipes import DEFAULT_RECIPE
from timbrel.workers import in_order

Sound = tuple[np.ndarray, int]
Change = Callable[[Sound], Sound]

# Sample rate in Hz at which `timbrel check` compares recordings: that of its default recipe.
RATE = RECIPES[DEFAULT_RECIPE].windowing.rate


def gain(factor: float) -> Change:
    return lambda sound: (factor * sound[0], sound[1])


def cut(start: float, end: float) -> Change:
    """Without these shares at the start and the end."""

    def change(sound: Sound) -> Sound:
        waveform, rate = sound
        return waveform[round(start * len(waveform)) : round((1 - end) * len(waveform))], rate

    return change


def at(rate: int) -> Change:
    return lambda sound: (resample(*sound, rate), rate)


def chain(*changes: Change) -> Change:
    def change(sound: Sound) -> Sound:
        for each in changes:
            sound = each(sound)
        return sound

    return change


# What is done to a recording, and the extension of the file that it is then written to.
COPIES: dict[str, tuple[Change, str]] = {
    "20 dB softer": (gain(0.1), "wav"),
    "6 dB louder, clipped": (gain(2.0), "wav"),
    "upside down": (gain(-1.0), "wav"),
    "first 10 % cut": (cut(0.1, 0), "wav"),
    "first 30 % cut": (cut(0.3, 0), "wav"),
    "last 10 % cut": (cut(0, 0.1), "wav"),
    "last 30 % cut": (cut(0, 0.3), "wav"),
    "15 % cut at both ends": (cut(0.15, 0.15), "wav"),
    "FLAC": (gain(1.0), "flac"),
    "22.05 kHz": (at(22_050), "wav"),
    "16 kHz": (at(16_000), "wav"),
    "8 kHz": (at(8_000), "wav"),
    "MP3": (gain(1.0), "mp3"),
    "Ogg Vorbis": (gain(1.0), "ogg"),
    "first 20 % cut, MP3": (cut(0.2, 0), "mp3"),
    "9 dB softer, cut, 48 kHz": (chain(gain(0.355), cut(0.2, 0.05), at(48_000)), "wav"),
}


def original(path: Path) -> tuple[Sound, Fingerprint | None]:
    """The samples of a recording at its own rate, and its fingerprint."""
    decoded = decode(path, None)
    sound = decoded.waveform, decoded.rate
    return sound, fingerprint(resample(*sound, RATE), RATE)


def copied(sound: Sound, name: str, file: Path) -> Fingerprint | None:
    """The fingerprint of a copy, by way of a file that is removed again."""
    change, extension = COPIES[name]
    waveform, rate = change(sound)
    file = file.with_suffix(f".{extension}")
    with soundfile.SoundFile(file, "w", rate, 1) as writer:
        # libsndfile cannot write a long OGG at once.
        for first in range(0, len(waveform), rate):
            writer.write(np.clip(waveform[first : first + rate], -1, 1))
    try:
        return fingerprint(decode(file, RATE).waveform, RATE)
    finally:
        file.unlink()


def recall(paths: Sequence[Path], folder: Path) -> dict[str, dict[str, int]]:
    """For each kind of copy, how many are found, and how many pairs are wrong.

    Each original is compared with the copies of all. Where two originals are found to be one
    sound, they and their copies are not counted as wrong.
    """
    originals = list(in_order(original, paths))
    prints = [item for _, item in originals]
    alike = {(pair.first, pair.second) for pair in near_duplicates(prints)}
    figures = {}
    for name in COPIES:

        def copy(number: int, name: str = name) -> Fingerprint | None:
            return copied(originals[number][0], name, folder / str(number))

        copies = list(in_order(copy, range(len(paths))))
        pairs = near_duplicates([*prints, *copies])
        figures[name] = _counted(pairs, len(paths), alike)
    return figures


def _counted(
    pairs: Sequence[Duplicate], originals: int, alike: set[tuple[int, int]]
) -> dict[str, int]:
    found, wrong = 0, set()
    for pair in pairs:
        one, other = sorted((pair.first % originals, pair.second % originals))
        if one == other:
            found += 1
        elif (one, other) not in alike:
            wrong.add((one, other))
    return {"copies": originals, "found": found, "wrong_pairs": len(wrong)}
