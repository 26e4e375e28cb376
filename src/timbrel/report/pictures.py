"""The pictures of one recording: waveform, spectrum, filter bank, MFCC."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence

import numpy as np

from timbrel.audio.clean import Cleaned
from timbrel.features.spectrum import htk_mel
from timbrel.networks.recipes import MFCCSettings, Recipe
from timbrel.report.backend import matplotlib
from timbrel.report.charts import (
    Axis,
    Path,
    Plot,
    band,
    bar,
    line,
    linear_axis,
    round_up,
    time_axis,
)
from timbrel.wording import duration

# How much of the kept sound is pictured, and how much the spectrum is taken from.
PICTURE_SECONDS = 1.0
SPECTRUM_SECONDS = 10.0

_COLOURS = "viridis"
_COLUMNS = 420
_LOWEST_HERTZ = 20.0
_SPECTRUM_DECIBELS = 80
_PICTURE_DECIBELS = 60
_PER_NEPER = 10 / math.log(10)

# What is written at the ends of the colour scale of a filter bank.
BANK_SCALE = (f"−{_PICTURE_DECIBELS} dB", "0 dB")


def waveform_plots(name: str, waveform: np.ndarray, cleaned: Cleaned, *, rate: int) -> list[Plot]:
    """Draw a recording as it was read, with what is kept marked, and what cleaning leaves of it.

    Args:
        name: the recording, for the alternative text.
        waveform: float32 `(samples,)`, at least one sample.
        cleaned: what is kept of it, not empty.
        rate: sample rate in Hz.
    """
    level = _amplitude_axis(float(np.abs(waveform).max()))
    seconds, kept = len(waveform) / rate, len(cleaned.waveform) / rate
    shades = tuple(Path("kept-band", bar(*(run / len(waveform)))) for run in _shown_runs(cleaned))
    is_kept = np.zeros(len(waveform) + 1, dtype=np.int64)
    np.add.at(is_kept, cleaned.runs[:, 0], 1)
    np.add.at(is_kept, cleaned.runs[:, 1], -1)
    raw = Plot(
        alt=f"Waveform of {name}: {duration(seconds)}, of which {duration(kept)} are kept "
        f"in {len(cleaned.runs)} stretches; amplitude up to {np.abs(waveform).max():.2g}.",
        x=time_axis(seconds),
        y=level,
        paths=shades + _wave(waveform, level, np.cumsum(is_kept[:-1])),
    )
    after = Plot(
        alt=f"Waveform of {name} after cleaning: {duration(kept)}.",
        x=time_axis(kept),
        y=level,
        paths=_wave(cleaned.waveform, level, np.ones(len(cleaned.waveform))),
    )
    return [raw, after]


def spectrum_plot(name: str, waveform: np.ndarray, rate: int) -> Plot:
    """Draw the Fourier spectrum of a waveform: the level at each frequency, in dB of full scale.

    A full-scale sine shows as 0 dB. Where several frequencies fall into one column of the plot,
    the loudest is drawn.
    """
    sound = waveform[: int(SPECTRUM_SECONDS * rate)]
    # Zeros after a sound shorter than this make its spectrum smooth and add nothing to it.
    points = max(len(sound), rate // 10)
    taper = np.hanning(len(sound) + 2)[1:-1]
    magnitude = 2 * np.abs(np.fft.rfft(sound * taper, points)) / taper.sum()
    decibels = 20 * np.log10(np.maximum(magnitude, 1e-7))
    hertz = np.fft.rfftfreq(points, 1 / rate)
    edges = np.geomspace(_LOWEST_HERTZ, rate / 2, _COLUMNS // 2 + 1)
    centres = np.sqrt(edges[1:] * edges[:-1])
    first = np.searchsorted(hertz, edges)
    loudest = np.maximum.reduceat(decibels, np.minimum(first[:-1], len(decibels) - 1))
    level = np.where(np.diff(first) > 0, loudest, np.interp(centres, hertz, decibels))
    top = 10 * math.ceil(level.max() / 10)
    x = Axis("Frequency (Hz)", _LOWEST_HERTZ, rate / 2, _hertz_ticks(rate / 2), log=True)
    y = linear_axis("Level (dB of full scale)", top - _SPECTRUM_DECIBELS, top, ticks=4)
    places = x.place(centres), np.maximum(y.place(level), 0.0)
    strongest = float(centres[np.argmax(level)])
    return Plot(
        alt=f"Spectrum of {name}: loudest near {strongest:.0f} Hz, at {level.max():.0f} dB.",
        x=x,
        y=y,
        paths=(
            Path("under", line(*places) + f"L1000 1000H{places[0][0] * 1000:.0f}Z"),
            Path("trace", line(*places)),
        ),
    )


def heat_pictures(stretches: Sequence[np.ndarray], recipe: Recipe) -> tuple[list, list]:
    """Compute the filter bank and the MFCC of the beginnings of waveforms.

    Both come from the project's Keras layers, so they are what a network sees.

    Args:
        stretches: float32 waveforms of any length, at least one sample; a second of each is used.
        recipe: gives the sample rate and, where its front end is MFCC, the settings.

    Returns:
        Filter banks in dB, float32 `(bands, frames)` each, and MFCC, float32
        `(coefficients, frames)` each; only frames that lie in the sound, or the first.
    """
    # Keras takes seconds to import: not before it is needed.
    from timbrel.features.backend import keras
    from timbrel.features.logmel import LogMel
    from timbrel.features.mfcc import MFCC

    rate, use = recipe.windowing.rate, mfcc_settings(recipe)
    samples = int(PICTURE_SECONDS * rate)
    batch = np.zeros((len(stretches), samples), dtype=np.float32)
    frames = []
    for row, stretch in zip(batch, stretches, strict=True):
        stretch = stretch[:samples]
        row[: len(stretch)] = stretch
        frames.append(1 + max(len(stretch) - use.frame, 0) // use.hop)
    shared = {"rate": rate, "frame": use.frame, "hop": use.hop, "nfft": use.nfft}
    mel = LogMel(**shared, filters=use.filters)
    mfcc = MFCC(
        **shared,
        filters=use.filters,
        coefficients=use.coefficients,
        preemphasis=use.preemphasis,
        lifter=use.lifter,
    )
    pictures = []
    for layer, scale in ((mel, _PER_NEPER), (mfcc, 1.0)):
        values = keras.ops.convert_to_numpy(layer(batch)) * scale
        pictures.append([row[:count].T for row, count in zip(values, frames, strict=True)])
    return tuple(pictures)


def mfcc_settings(recipe: Recipe) -> MFCCSettings:
    """Return the recipe's own MFCC settings, or the tutorial's at the recipe's rate."""
    if isinstance(recipe.front_end, MFCCSettings):
        return recipe.front_end
    frame, hop = recipe.windowing.rate // 40, recipe.windowing.rate // 100
    return MFCCSettings(frame=frame, hop=hop, nfft=1 << (frame - 1).bit_length())


def filter_bank_plot(
    name: str, decibels: np.ndarray, recipe: Recipe
) -> tuple[Plot, tuple[str, str]]:
    """Draw the energies of the mel bands `(bands, frames)`, relative to the highest of them."""
    bands = len(decibels)
    top = float(decibels.max())
    nyquist = recipe.windowing.rate / 2
    ticks = tuple(
        (float(htk_mel(hertz) / htk_mel(nyquist)) * (bands + 1) - 0.5, f"{hertz:,}")
        for hertz in (200, 500, 1000, 2000, 4000, 8000, 16000)
        if hertz < 0.9 * nyquist
    )
    return Plot(
        alt=f"Filter bank of {name}: energy in {bands} mel bands over time.",
        x=_picture_time(decibels, recipe),
        y=Axis("Centre of the band (Hz)", 0, bands, ticks),
        image=heat_uri(decibels, top - _PICTURE_DECIBELS, top),
    )


def mfcc_plot(name: str, picture: np.ndarray, recipe: Recipe, *, scale: tuple) -> Plot:
    """Draw MFCC `(coefficients, frames)`; `scale` is the values of darkest and brightest."""
    rows = len(picture)
    return Plot(
        alt=f"MFCC of {name}: {rows} coefficients over time.",
        x=_picture_time(picture, recipe),
        y=Axis("Coefficient", -0.5, rows - 0.5, tuple((i, str(i)) for i in range(0, rows, 4))),
        image=heat_uri(picture, *scale),
    )


def heat_uri(picture: np.ndarray, low: float, high: float) -> str:
    """Colour a picture, its first row at the bottom, one pixel a value; a PNG in a `data:` URI."""
    shades = np.clip((picture[::-1] - low) / max(high - low, 1e-6) * 256, 0, 255).astype(np.uint8)
    return f"data:image/png;base64,{base64.b64encode(_png(shades)).decode('ascii')}"


def colour_scale() -> str:
    """CSS gradient from the darkest to the brightest colour of the pictures."""
    colours = matplotlib.colormaps[_COLOURS](np.linspace(0, 1, 9), bytes=True)[:, :3]
    return f"linear-gradient(90deg, {', '.join(f'rgb({r} {g} {b})' for r, g, b in colours)})"


def _png(shades: np.ndarray) -> bytes:
    """Encode uint8 `(rows, columns)` as a PNG with a palette: a third of one with full colours.

    Source: W3C, "Portable Network Graphics (PNG) Specification (Second Edition)" (2003).
    """
    rows, columns = shades.shape
    palette = matplotlib.colormaps[_COLOURS](np.arange(256), bytes=True)[:, :3]
    # Every row begins with the number of its filter, 0 for none.
    pixels = np.pad(shades, ((0, 0), (1, 0))).tobytes()
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(pixels, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _amplitude_axis(peak: float) -> Axis:
    """Axis with room for a peak, the same up and down."""
    high = round_up(max(peak, 1e-6))
    title, times = (
        ("Amplitude (full scale = 1)", 1)
        if high > 0.01
        else ("Amplitude (thousandths of full scale)", 1000)
    )
    text = f"{high * times:g}"
    return Axis(title, -high, high, ((-high, f"−{text}"), (0, "0"), (high, text)))


def _picture_time(picture: np.ndarray, recipe: Recipe) -> Axis:
    return time_axis(picture.shape[1] * mfcc_settings(recipe).hop / recipe.windowing.rate)


def _hertz_ticks(nyquist: float) -> tuple[tuple[float, str], ...]:
    names = {50: "50", 200: "200", 1000: "1,000", 5000: "5,000", 20000: "20,000"}
    return tuple((float(hertz), text) for hertz, text in names.items() if hertz < nyquist)


def _shown_runs(cleaned: Cleaned) -> np.ndarray:
    """Kept stretches, those joined that no one could tell apart in the plot."""
    if len(cleaned.runs) < 2:
        return cleaned.runs
    gap = cleaned.runs[1:, 0] - cleaned.runs[:-1, 1] > cleaned.samples / _COLUMNS
    starts = cleaned.runs[np.concatenate([[True], gap]), 0]
    ends = cleaned.runs[np.concatenate([gap, [True]]), 1]
    return np.stack([starts, ends], axis=1)


def _wave(waveform: np.ndarray, level: Axis, is_kept: np.ndarray) -> tuple[Path, ...]:
    """Lowest and highest sample of each column, as areas of kept and of cut columns."""
    columns = min(_COLUMNS, len(waveform))
    starts = np.linspace(0, len(waveform), columns, endpoint=False).astype(np.int64)
    low = level.place(np.minimum.reduceat(waveform, starts))
    high = level.place(np.maximum.reduceat(waveform, starts))
    kept = np.maximum.reduceat(is_kept, starts) > 0
    turns = np.flatnonzero(np.diff(kept)) + 1
    areas: dict[bool, list[str]] = {False: [], True: []}
    for first, last in zip([0, *turns], [*turns, columns], strict=True):
        area = band(low[first:last], high[first:last], first=first, columns=columns)
        areas[bool(kept[first])].append(area)
    styles = {False: "wave-cut", True: "wave-kept"}
    return tuple(Path(styles[key], "".join(parts)) for key, parts in areas.items() if parts)
