"""Sounds that are none of the instrument model's, for its card.

Speech and the instruments of General MIDI come with Debian: `apt-get install klettres-data
fluid-soundfont-gm fluidsynth`. The speech is people who say letters and syllables in as many
languages as they are; its recordings reach up to 20 kHz. The other instruments are notes of a sound
font, each sampled from the real one or made with a synthesiser. `WAVES` are made here, with what
is simple about an electronic instrument.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from timbrel.audio.decode import decode

LETTERS = Path("/usr/share/klettres")
SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
PACKAGES = "klettres-data fluid-soundfont-gm fluidsynth"
# So many recordings of each person.
OF_EACH = 15

# Programs of General MIDI, counted from 0, that are one of the ten.
OWN = {
    **dict.fromkeys((24, 25), "Acoustic_guitar"),
    **{40: "Violin_or_fiddle", 42: "Cello", 43: "Double_bass", 71: "Clarinet", 73: "Flute"},
    **dict.fromkeys((64, 65, 66, 67), "Saxophone"),
}
# Those of which one may argue: electric guitars and basses, other strings, a fiddle, a piccolo,
# drums.
ARGUABLE = {*range(26, 40), 41, 44, 45, *range(48, 52), 72, 110, 116, 117, 118}
# Keys of the notes: middle C and the octaves around it; and of instruments that do not reach those,
# or not with ease.
USUAL = (48, 60, 72)
KEYS = {
    **{40: (57, 69, 81), 42: (40, 50, 62), 43: (31, 38, 45), 73: (62, 72, 84)},
    **{65: (55, 62, 70), 66: (48, 56, 64), 67: (40, 48, 56), 71: (52, 62, 74)},
    **dict.fromkeys((47, 57, 58, 70), (38, 46, 54)),
}
# Seconds that a note is held, and until the next begins; its velocity, of 127.
HELD, APART, VELOCITY = 2.0, 4.0, 100
RATE = 44_100
# Of the waves, in samples.
LENGTH = 3 * RATE
# Ticks a second where nothing is said of the tempo.
TICKS = 960


def need() -> None:
    """Leave with a sentence where the sounds are not installed."""
    if not (LETTERS.is_dir() and SOUND_FONT.is_file() and shutil.which("fluidsynth")):
        raise SystemExit(f"Sounds of other kinds are missing: apt-get install {PACKAGES}")


def letters() -> dict[Path, str]:
    """Recordings of speech, evenly drawn from the sorted names, and the language of each."""
    found = {}
    for folder in sorted(path for path in LETTERS.iterdir() if path.is_dir()):
        files = sorted(folder.rglob("*.ogg"))
        places = np.linspace(0, len(files) - 1, min(OF_EACH, len(files))).round().astype(int)
        found.update((files[place], folder.name) for place in places)
    return found


def general_midi() -> list[tuple[int, str | None, np.ndarray]]:
    """Notes of the sound font: the program, its class, None where it has none, and the waveform.

    The waveforms are float32, mono, at `RATE`.
    """
    notes = [
        (program, key)
        for program in range(128)
        if program not in ARGUABLE
        for key in KEYS.get(program, USUAL)
    ]
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder, "notes.mid"), Path(folder, "notes.wav")
        score.write_bytes(_score(notes))
        # Without reverberation and chorus, which the program would add.
        command = ["fluidsynth", "-q", "-ni", "-R", "0", "-C", "0", "-r", str(RATE)]
        subprocess.run([*command, "-F", sound, SOUND_FONT, score], check=True, capture_output=True)
        waveform = decode(sound, RATE).waveform
    length = round(APART * RATE)
    parts = [waveform[n * length : (n + 1) * length] for n in range(len(notes))]
    return [
        (program, OWN.get(program), part)
        for (program, _), part in zip(notes, parts, strict=True)
        if part.any()
    ]


def brown_noise(seed: int) -> np.ndarray:
    """Noise with a power of 1/f², above 20 Hz."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(LENGTH))
    frequency = np.fft.rfftfreq(LENGTH, 1 / RATE)
    spectrum[frequency < 20] = 0
    return _at_usual_level(np.fft.irfft(spectrum / np.maximum(frequency, 20), LENGTH))


def any_sine(seed: int) -> np.ndarray:
    """A sine between 80 Hz and 5 kHz."""
    rng = np.random.default_rng(seed)
    return _at_usual_level(np.sin(_phase(_pitch(rng, 80, 5000))))


def square_wave(seed: int) -> np.ndarray:
    """A square wave between 80 Hz and 1 kHz, its harmonics up to half the rate."""
    pitch = _pitch(np.random.default_rng(seed), 80, 1000)
    odd = np.arange(1, RATE / 2 / pitch, 2)
    return _at_usual_level(sum(np.sin(number * _phase(pitch)) / number for number in odd))


def triangle_with_vibrato(seed: int) -> np.ndarray:
    """A triangle wave between 80 Hz and 1 kHz that wavers half a semitone, six times a second."""
    pitch = _pitch(np.random.default_rng(seed), 80, 1000)
    time = np.arange(LENGTH) / RATE
    phase = _phase(pitch * 2 ** (np.sin(2 * np.pi * 6 * time) / 24))
    odd = np.arange(1, RATE / 2 / (1.03 * pitch), 2)
    sides = (-1) ** (odd // 2)
    parts = zip(odd, sides, strict=True)
    return _at_usual_level(sum(side * np.sin(number * phase) / number**2 for number, side in parts))


def metal_bar(seed: int) -> np.ndarray:
    """A bar that is struck: its four lowest modes, which die away the faster the higher they are.

    Source: Fletcher & Rossing (1998), "The physics of musical instruments", for their ratios.
    """
    rng = np.random.default_rng(seed)
    pitch, lasting = _pitch(rng, 150, 1500), rng.uniform(0.3, 2)
    time = np.arange(LENGTH) / RATE
    modes = [ratio for ratio in (1, 2.756, 5.404, 8.933) if ratio * pitch < RATE / 2]
    sound = sum(
        np.exp(-6.9 * time * ratio**0.5 / lasting) * np.sin(_phase(ratio * pitch)) / ratio
        for ratio in modes
    )
    return _at_usual_level(sound)


WAVES: dict[str, Callable[[int], np.ndarray]] = {
    "brown noise": brown_noise,
    "sine at any pitch": any_sine,
    "square wave": square_wave,
    "triangle wave with vibrato": triangle_with_vibrato,
    "struck metal bar": metal_bar,
}
"""Sounds by their names, functions of a seed; float32, mono, at `RATE`."""


def _pitch(rng: np.random.Generator, low: float, high: float) -> float:
    """A frequency in Hz, evenly drawn on the ladder of notes."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _phase(frequency: float | np.ndarray) -> np.ndarray:
    return 2 * np.pi * np.cumsum(np.broadcast_to(frequency / RATE, LENGTH))


def _at_usual_level(sound: np.ndarray) -> np.ndarray:
    return np.float32(0.05 * sound / np.sqrt(np.mean(sound**2)))


def _score(notes: list[tuple[int, int]]) -> bytes:
    """A standard MIDI file of one note after another."""
    held, pause = round(HELD * TICKS), round((APART - HELD) * TICKS)
    track = b"".join(
        bytes([0, 0xC0, program, 0, 0x90, key, VELOCITY])
        + _ticks(held)
        + bytes([0x80, key, 0])
        # The next note begins when the last has died away; this controller says nothing.
        + _ticks(pause)
        + bytes([0xB0, 3, 0])
        for program, key in notes
    )
    track += bytes([0, 0xFF, 0x2F, 0])
    head = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, TICKS // 2)
    return head + struct.pack(">4sI", b"MTrk", len(track)) + track


def _ticks(number: int) -> bytes:
    """A number as MIDI files have it: seven bits a byte, the highest first."""
    return bytes([0x80 | number >> 7, number & 0x7F])
