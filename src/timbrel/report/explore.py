"""The page of a data set: how much there is of what, and how each class looks and sounds."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from timbrel.audio.clean import Cleaned
from timbrel.dataset.manifest import NONE_OF_THESE, Problem, Recording
from timbrel.networks.recipes import MFCCSettings, Recipe
from timbrel.report.charts import Bar, Pie, Plot, pie
from timbrel.report.pages import render
from timbrel.report.pictures import (
    BANK_SCALE,
    PICTURE_SECONDS,
    SPECTRUM_SECONDS,
    colour_scale,
    filter_bank_plot,
    heat_pictures,
    mfcc_plot,
    mfcc_settings,
    spectrum_plot,
    waveform_plots,
)
from timbrel.wording import count, duration, signed

# A page of more than this many classes is one that no one reads; the rest is in the table.
PICTURED_CLASSES = 100

_PIE_CLASSES = 20
_MOST_NAMED = 200


@dataclass(frozen=True)
class RecordingFacts:
    """What reading and cleaning a recording tells.

    Attributes:
        recording: the recording.
        seconds: its length.
        kept: seconds that cleaning keeps.
        begins: where the first kept stretch begins, in seconds of the file.
        source_rate: sample rate of the file in Hz.
        channels: channels in the file.
        warnings: what is odd about it but does not stop its use.
    """

    recording: Recording
    seconds: float
    kept: float
    begins: float
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
    """What the page tells.

    Attributes:
        source: what the user named.
        recipe: gives rate and cleaning.
        facts: every recording that can be used.
        problems: every recording that cannot.
        notes: what was passed over, in sentences.
        examples: one for each class that is pictured.
        player_seconds: the most that is played of a recording.
        players: the most recordings of a class that are played.
        wanted_players: how many were asked for.
    """

    source: str
    recipe: Recipe
    facts: tuple[RecordingFacts, ...]
    problems: tuple[Problem, ...]
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
    """Draw what can be drawn of one recording alone.

    Args:
        facts: the recording.
        waveform: float32 `(samples,)`, at least one.
        cleaned: what is kept of it, not empty.
        rate: sample rate in Hz.
        players: recordings of the class to play.
    """
    name = facts.recording.name
    raw, after = waveform_plots(name, waveform, cleaned, rate=rate)
    return Example(
        facts=facts,
        raw=raw,
        cleaned=after,
        spectrum=spectrum_plot(name, cleaned.waveform, rate),
        stretch=cleaned.waveform[: int(PICTURE_SECONDS * rate)].copy(),
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
    rows = class_rows(exploration.facts)
    classes = [row for row in rows if not row.none_of_these]
    recipe = exploration.recipe
    warned = [item for item in exploration.facts if item.warnings]
    values = {
        "title": Path(exploration.source).resolve().name or exploration.source,
        "page": exploration,
        "rows": rows,
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
        "count_bars": _count_bars(rows),
        "sound_bars": _sound_bars(rows),
        "pie": _window_pie(classes),
        "sections": _sections(exploration),
        "scale": colour_scale(),
        "settings": mfcc_settings(recipe),
        "mfcc_front_end": isinstance(recipe.front_end, MFCCSettings),
        "windowing": recipe.windowing,
        "spectrum_seconds": SPECTRUM_SECONDS,
        "pictured": PICTURED_CLASSES,
    }
    return render("explore.html.j2", values)


def _count_bars(rows: Sequence[ClassRow]) -> list[Bar]:
    longest = max(row.recordings for row in rows)
    return [Bar(row.label, (row.recordings / longest,), count(row.recordings)) for row in rows]


def _sound_bars(rows: Sequence[ClassRow]) -> list[Bar]:
    longest = max(row.seconds for row in rows)
    return [
        Bar(
            row.label,
            (row.kept / longest, max(row.seconds - row.kept, 0.0) / longest),
            duration(row.seconds),
        )
        for row in rows
    ]


def _window_pie(classes: Sequence[ClassRow]) -> Pie | None:
    """Mean length of a cleaned recording of each class: the tutorial's pie."""
    if len(classes) > _PIE_CLASSES:
        return None
    return pie(
        [row.mean for row in classes],
        [row.label for row in classes],
        alt="Mean length of a cleaned recording, class by class, as shares of a pie.",
    )


def _sections(exploration: Exploration) -> list[dict]:
    """Return what each class's section shows; filter banks and MFCC come from one batch."""
    recipe, examples = exploration.recipe, exploration.examples
    banks, pictures = heat_pictures([item.stretch for item in examples], recipe)
    # One scale for all, as the network gets them: colours can be compared between classes.
    scale = min(float(one.min()) for one in pictures), max(float(one.max()) for one in pictures)
    sections = []
    for number, (item, bank, picture) in enumerate(zip(examples, banks, pictures, strict=True), 1):
        name = item.facts.recording.name
        sections.append(
            {
                "anchor": f"class-{number}",
                "label": item.facts.recording.label,
                "example": item,
                "bank": filter_bank_plot(name, bank, recipe),
                "bank_scale": BANK_SCALE,
                "mfcc": mfcc_plot(name, picture, recipe, scale=scale),
                "mfcc_scale": (signed(scale[0]), signed(scale[1])),
            }
        )
    return sections
