"""The page of a data set: the size of each class, pictures of it and players."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from timbrel.audio.clean import Cleaned
from timbrel.dataset.recording import NONE_OF_THESE, Recording
from timbrel.features.spectrum import htk_mel
from timbrel.findings import Finding
from timbrel.networks.recipes import Recipe
from timbrel.report.charts import (
    Axis,
    Plot,
    band,
    bar,
    line,
    linear_axis,
    time_axis,
)
from timbrel.report.page import templates
from timbrel.report.pictures import colour_scale, heat_uri
from timbrel.report.view import Table
from timbrel.text import count, duration, percent, round_up, signed

# More classes than this make a page too long; the rest is in the table only.
PICTURED_CLASSES = 100

_MOST_NAMED = 200
# How much of the kept sound is pictured, and how much the spectrum is taken from.
_PICTURE_SECONDS = 1.0
_SPECTRUM_SECONDS = 10.0
_COLUMNS = 420
_LOWEST_HERTZ = 20.0
_SPECTRUM_DECIBELS = 80
_PICTURE_DECIBELS = 60
_DECIBELS_PER_NEPER = 10 / math.log(10)


@dataclass(frozen=True)
class RecordingFacts:
    """A recording and what reading and cleaning it found.

    Attributes:
        recording: the recording.
        seconds: its length.
        kept: seconds that cleaning keeps.
        source_rate: sample rate of the file in Hz.
        channels: channels in the file.
        warnings: what is odd about it but does not stop its use.
    """

    recording: Recording
    seconds: float
    kept: float
    source_rate: int
    channels: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Player:
    """A recording to play: its name and its sound as a `data:` URI."""

    name: str
    uri: str


@dataclass(frozen=True)
class Example:
    """The recording that stands for its class, pictured.

    Attributes:
        facts: the recording.
        raw, cleaned, spectrum: plots of it.
        stretch: float32 waveform, the first second that is kept.
        players: recordings of the class to play.
    """

    facts: RecordingFacts
    raw: Plot
    cleaned: Plot
    spectrum: Plot
    stretch: np.ndarray
    players: tuple[Player, ...] = ()


@dataclass(frozen=True)
class Exploration:
    """The content of the page.

    Attributes:
        source: the data as the user named them.
        recipe: gives rate and cleaning.
        facts: every recording that can be used.
        problems: every recording that cannot.
        notes: sentences on what was left out.
        examples: one for each class that is pictured.
        player_seconds: the most that is played of a recording.
        players: the most recordings of a class that are played.
        wanted_players: the most recordings of a class that the user wanted.
    """

    source: str
    recipe: Recipe
    facts: tuple[RecordingFacts, ...]
    problems: tuple[Finding, ...]
    notes: tuple[str, ...]
    examples: tuple[Example, ...]
    player_seconds: float
    players: int
    wanted_players: int


@dataclass(frozen=True)
class ClassRow:
    """A class in the charts and the table; lengths in seconds.

    Attributes:
        label: the class.
        none_of_these: whether it is no class but examples of none of them.
        recordings: how many can be used.
        seconds: their length together.
        kept: what cleaning keeps of it.
        median: median length of what is kept of a recording.
    """

    label: str
    none_of_these: bool
    recordings: int
    seconds: float
    kept: float
    median: float

    @property
    def mean(self) -> float:
        """Mean length of what is kept of a recording."""
        return self.kept / self.recordings


def picture_example(
    facts: RecordingFacts,
    waveform: np.ndarray,
    cleaned: Cleaned,
    *,
    rate: int,
    players: Sequence[Player] = (),
) -> Example:
    """Draw a recording: as it was read, with the kept stretches marked; cleaned; its spectrum.

    Args:
        facts: the recording.
        waveform: float32 `(samples,)`, at least one.
        cleaned: what is kept of it, not empty.
        rate: sample rate in Hz.
        players: recordings of the class to play.
    """
    name = facts.recording.name
    peak = float(np.abs(waveform).max())
    # An axis with room for the peak, the same up and down.
    high = round_up(max(peak, 1e-6))
    title, text = "Amplitude (full scale = 1)", f"{high:g}"
    if high <= 0.01:
        title, text = "Amplitude (thousandths of full scale)", f"{high * 1000:g}"
    level = Axis(title, -high, high, ((-high, f"−{text}"), (0, "0"), (high, text)))

    def wave(samples: np.ndarray, is_kept: np.ndarray) -> dict[str, str]:
        """Lowest and highest sample of each column, as areas of kept and of cut columns."""
        columns = min(_COLUMNS, len(samples))
        starts = np.linspace(0, len(samples), columns, endpoint=False).astype(np.int64)
        lowest = level.place(np.minimum.reduceat(samples, starts))
        highest = level.place(np.maximum.reduceat(samples, starts))
        kept = np.maximum.reduceat(is_kept, starts) > 0
        turns = np.flatnonzero(np.diff(kept)) + 1
        paths = {"wave-cut": "", "wave-kept": ""}
        for first, last in zip([0, *turns], [*turns, columns], strict=True):
            area = band(lowest[first:last], highest[first:last], first=first, columns=columns)
            paths["wave-kept" if kept[first] else "wave-cut"] += area
        return {style: path for style, path in paths.items() if path}

    runs = cleaned.runs
    # Kept stretches that could not be told apart in the plot are joined.
    gap = runs[1:, 0] - runs[:-1, 1] > cleaned.samples / _COLUMNS
    starts = runs[np.concatenate([[True], gap]), 0]
    ends = runs[np.concatenate([gap, [True]]), 1]
    shown = np.stack([starts, ends], axis=1) / len(waveform)
    is_kept = np.zeros(len(waveform) + 1, dtype=np.int64)
    np.add.at(is_kept, runs[:, 0], 1)
    np.add.at(is_kept, runs[:, 1], -1)
    seconds, kept = len(waveform) / rate, len(cleaned.waveform) / rate
    return Example(
        facts=facts,
        raw=Plot(
            alt=f"Waveform of {name}: {duration(seconds)}, of which {duration(kept)} are kept "
            f"in {len(runs)} stretches; amplitude up to {peak:.2g}.",
            x=time_axis(seconds),
            y=level,
            paths={"kept-band": "".join(bar(left, right) for left, right in shown)}
            | wave(waveform, np.cumsum(is_kept[:-1])),
        ),
        cleaned=Plot(
            alt=f"Waveform of {name} after cleaning: {duration(kept)}.",
            x=time_axis(kept),
            y=level,
            paths=wave(cleaned.waveform, np.ones(len(cleaned.waveform))),
        ),
        spectrum=spectrum_plot(name, cleaned.waveform, rate),
        stretch=cleaned.waveform[: int(_PICTURE_SECONDS * rate)].copy(),
        players=tuple(players),
    )


def class_rows(facts: Sequence[RecordingFacts]) -> list[ClassRow]:
    """Sum up recordings by label: classes first, sorted, then examples of none of them."""
    by_label: dict[str, list[RecordingFacts]] = {}
    for item in facts:
        by_label.setdefault(item.recording.label, []).append(item)
    rows = [
        ClassRow(
            label=label,
            none_of_these=label.casefold() in NONE_OF_THESE,
            recordings=len(items),
            seconds=sum(item.seconds for item in items),
            kept=sum(item.kept for item in items),
            median=statistics.median(item.kept for item in items),
        )
        for label, items in by_label.items()
    ]
    return sorted(rows, key=lambda row: (row.none_of_these, row.label))


def explore_page(exploration: Exploration) -> str:
    """Return the page as HTML that needs no other file."""
    recipe, examples = exploration.recipe, exploration.examples
    rows = class_rows(exploration.facts)
    classes = [row for row in rows if not row.none_of_these]
    warned = [item for item in exploration.facts if item.warnings]
    most_recordings = max(row.recordings for row in rows)
    longest = max(row.seconds for row in rows)
    longest_mean, all_means = max(row.mean for row in classes), sum(row.mean for row in classes)
    banks, pictures = heat_pictures([item.stretch for item in examples], recipe)
    # One scale for all, as the network gets them: colours can be compared between classes.
    scale = min(float(one.min()) for one in pictures), max(float(one.max()) for one in pictures)
    columns = ("class", "recordings", "sound", "kept", "share kept", "mean kept", "median kept")
    class_table = Table(
        "Classes",
        (*columns, "what it is"),
        [
            (
                row.label,
                count(row.recordings),
                duration(row.seconds),
                duration(row.kept),
                percent(row.kept / row.seconds, 0),
                duration(row.mean),
                duration(row.median),
                "no class: examples of none of these" if row.none_of_these else "",
            )
            for row in rows
        ],
        note="what it is",
    )
    front_end = recipe.front_end.mfcc(recipe.windowing.rate)
    nyquist = recipe.windowing.rate / 2
    sections = []
    for number, (item, bank, picture) in enumerate(zip(examples, banks, pictures, strict=True), 1):
        name = item.facts.recording.name
        # Both have the same frames.
        time = time_axis(bank.shape[1] * front_end.hop / recipe.windowing.rate)
        bands, loudest = len(bank), float(bank.max())
        ticks = [
            (float(htk_mel(hertz) / htk_mel(nyquist)) * (bands + 1) - 0.5, f"{hertz:,}")
            for hertz in (200, 500, 1000, 2000, 4000, 8000, 16000)
            if hertz < 0.9 * nyquist
        ]
        bank_plot = Plot(
            alt=f"Filter bank of {name}: energy in {bands} mel bands over time.",
            x=time,
            y=Axis("Centre of the band (Hz)", 0, bands, ticks),
            image=heat_uri(bank, loudest - _PICTURE_DECIBELS, loudest),
        )
        coefficients = len(picture)
        ticks = [(row, str(row)) for row in range(0, coefficients, 4)]
        mfcc_plot = Plot(
            alt=f"MFCC of {name}: {coefficients} coefficients over time.",
            x=time,
            y=Axis("Coefficient", -0.5, coefficients - 0.5, ticks),
            image=heat_uri(picture, *scale),
        )
        sections.append(
            {
                "anchor": f"class-{number}",
                "label": item.facts.recording.label,
                "example": item,
                "bank": bank_plot,
                "mfcc": mfcc_plot,
            }
        )
    values = {
        "title": Path(exploration.source).resolve().name or exploration.source,
        "page": exploration,
        "rows": rows,
        "class_table": class_table,
        "classes": classes,
        "seconds": sum(row.seconds for row in rows),
        "kept": sum(row.kept for row in rows),
        "rates": Counter(item.source_rate for item in exploration.facts).most_common(),
        "channel_counts": Counter(item.channels for item in exploration.facts).most_common(),
        "problems": exploration.problems[:_MOST_NAMED],
        "warned": warned[:_MOST_NAMED],
        "warned_count": len(warned),
        "least": min(classes, key=lambda row: row.kept, default=None),
        "most": max(classes, key=lambda row: row.kept, default=None),
        "count_bars": [
            {
                "name": row.label,
                "shares": [row.recordings / most_recordings],
                "value": count(row.recordings),
            }
            for row in rows
        ],
        "sound_bars": [
            {
                "name": row.label,
                "shares": [row.kept / longest, max(row.seconds - row.kept, 0.0) / longest],
                "value": duration(row.seconds),
            }
            for row in rows
        ],
        # What the tutorial shows as a pie.
        "mean_bars": [
            {
                "name": row.label,
                "shares": [row.mean / longest_mean],
                "value": f"{duration(row.mean)}, {percent(row.mean / all_means)}",
            }
            for row in classes
        ],
        "sections": sections,
        "colours": colour_scale(),
        "bank_scale": (f"−{_PICTURE_DECIBELS} dB", "0 dB"),
        "mfcc_scale": (signed(scale[0]), signed(scale[1])),
        "settings": front_end,
        "mfcc_front_end": front_end == recipe.front_end,
        "windowing": recipe.windowing,
        "spectrum_seconds": _SPECTRUM_SECONDS,
        "pictured": PICTURED_CLASSES,
    }
    return templates().get_template("explore.html.j2").render(values)


def spectrum_plot(name: str, waveform: np.ndarray, rate: int) -> Plot:
    """Draw the Fourier spectrum of a waveform: the level at each frequency, in dB of full scale.

    A full-scale sine shows as 0 dB. Where several frequencies fall into one column of the plot,
    the loudest is drawn.
    """
    sound = waveform[: int(_SPECTRUM_SECONDS * rate)]
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
    ticks = [
        (math.log(hertz), f"{hertz:,}")
        for hertz in (50, 200, 1000, 5000, 20000)
        if hertz < rate / 2
    ]
    # Every octave is equally wide.
    x = Axis("Frequency (Hz)", math.log(_LOWEST_HERTZ), math.log(rate / 2), ticks)
    y = linear_axis("Level (dB of full scale)", top - _SPECTRUM_DECIBELS, top, ticks=4)
    places = x.place(np.log(centres)), np.maximum(y.place(level), 0.0)
    strongest = float(centres[np.argmax(level)])
    return Plot(
        alt=f"Spectrum of {name}: loudest near {strongest:.0f} Hz, at {level.max():.0f} dB.",
        x=x,
        y=y,
        paths={
            "under": line(*places) + f"L1000 1000H{places[0][0] * 1000:.0f}Z",
            "trace": line(*places),
        },
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

    rate = recipe.windowing.rate
    settings = recipe.front_end.mfcc(rate)
    samples = int(_PICTURE_SECONDS * rate)
    batch = np.zeros((len(stretches), samples), dtype=np.float32)
    frames = []
    for row, stretch in zip(batch, stretches, strict=True):
        stretch = stretch[:samples]
        row[: len(stretch)] = stretch
        frames.append(1 + max(len(stretch) - settings.frame, 0) // settings.hop)
    shared = {
        "rate": rate,
        "frame": settings.frame,
        "hop": settings.hop,
        "nfft": settings.nfft,
        "filters": settings.filters,
    }
    mfcc = MFCC(
        **shared,
        coefficients=settings.coefficients,
        preemphasis=settings.preemphasis,
        lifter=settings.lifter,
    )
    banks, pictures = (
        [row[:used].T for row, used in zip(values, frames, strict=True)]
        for values in (
            keras.ops.convert_to_numpy(LogMel(**shared)(batch)) * _DECIBELS_PER_NEPER,
            keras.ops.convert_to_numpy(mfcc(batch)),
        )
    )
    return banks, pictures
