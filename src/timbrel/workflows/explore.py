"""`timbrel explore`: the pictures of a data set, on one page."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from timbrel.audio.player import player_uri
from timbrel.audio.samples import resample
from timbrel.dataset.corpus import open_corpus
from timbrel.dataset.manifest import read_dataset
from timbrel.errors import DataError, InvalidArgument
from timbrel.files import replacing, write_text
from timbrel.findings import Finding
from timbrel.networks.recipes import TUTORIAL_RECIPE, Recipe, get_recipe
from timbrel.progress import Progress, watching
from timbrel.report.explore import (
    PICTURED_CLASSES,
    Exploration,
    Player,
    RecordingFacts,
    class_rows,
    explore_page,
    picture_example,
)
from timbrel.text import duration, plain, plural

# Sound on one page, at about 8 kB a second (12 kB in the page): 4 MB at most.
_PAGE_SECONDS = 360.0
_LONGEST_PLAYER = 5.0
_SHORTEST_PLAYER = 2.0


@dataclass(frozen=True, repr=False)
class ExploreResult:
    """What `explore` found.

    Attributes:
        path: the page.
        recordings: how many recordings can be used.
        seconds: their length together.
        kept: seconds that cleaning keeps.
        findings: what is odd about recordings or makes them unusable, and what was passed over.
    """

    path: Path
    recordings: int
    seconds: float
    kept: float
    findings: tuple[Finding, ...] = ()

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Recordings that cannot be used."""
        return tuple(item for item in self.findings if item.unusable)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was passed over, in sentences."""
        return tuple(item.text for item in self.findings if item.severity == "note")

    def __repr__(self) -> str:
        size = f"{plural(self.recordings, 'recording')}, {duration(self.seconds)}"
        return plain(f"ExploreResult({str(self.path)!r}: {size})")


def explore(
    data: str | os.PathLike,
    output: str | os.PathLike,
    *,
    audio: str | os.PathLike | None = None,
    recipe: str | Recipe = TUTORIAL_RECIPE,
    players: int = 3,
    progress: Progress | bool = False,
) -> ExploreResult:
    """Write a page with the facts and pictures of a data set.

    Args:
        data: a folder or a CSV of labelled recordings, see `read_dataset`.
        output: the HTML file to write.
        audio: folder that the CSV's paths are relative to; the CSV's own folder by default.
        recipe: gives the sample rate, the cleaning and the settings of the pictures.
        players: recordings of each class that can be played; fewer where classes are many.
        progress: True for a bar, in a notebook's cell or on a terminal's stderr, or an object to
            tell.

    Raises:
        DataError: the data set cannot be read, or none of its recordings can be used.
        InvalidArgument: there is no such recipe, or `players` is below 0.
        OutputError: the page cannot be written.
        MissingExtra: matplotlib, Jinja2 or Keras is not installed.
    """
    if players < 0:
        raise InvalidArgument(f"`players` must be at least 0. Got {players}.")
    recipe = get_recipe(recipe)
    dataset = read_dataset(data, audio)
    with (
        replacing(output) as temporary,
        watching(progress) as told,
        # Players have the sound of the files, pictures that at the rate of the recipe.
        open_corpus(
            dataset, recipe.windowing, copies=False, samples="native", progress=told
        ) as corpus,
    ):
        if not corpus.labels:
            raise DataError(
                f"No recording of a class in '{dataset.source}' can be used. "
                f"First: {corpus.unusable[0]}."
            )
        missing = sorted(set(dataset.labels) - set(corpus.labels))
        findings = (
            *corpus.findings,
            *(Finding("class-not-shown", dataset.source, {"label": label}) for label in missing),
        )
        rate = recipe.windowing.rate
        facts = {
            row: RecordingFacts(
                recording=corpus.recordings[row],
                seconds=described.seconds,
                kept=described.samples / rate,
                source_rate=described.rate,
                channels=described.channels,
                warnings=tuple(item.reason for item in described.findings),
            )
            for row, described in enumerate(corpus.described)
            if described is not None and corpus.usable[row]
        }
        chosen = _choose(facts, players)
        shown, seconds = plan_players(len(chosen), players)
        examples = []
        for rows in chosen:
            rows = rows[: max(shown, 1)]
            cleaned, natives = list(corpus.cleaned(rows)), list(corpus.waveforms(rows))
            sounds = []
            for row, kept, native in zip(rows[:shown], cleaned, natives, strict=False):
                native_rate = facts[row].source_rate
                begin = int(kept.runs[0, 0] / rate * native_rate)
                begin = min(begin, max(len(native) - native_rate // 10, 0))
                part = native[begin : begin + round(seconds * native_rate)]
                name = corpus.recordings[row].name
                sounds.append(Player(name, player_uri(part, native_rate)))
            typical = facts[rows[0]]
            waveform = resample(natives[0], typical.source_rate, rate)
            examples.append(
                picture_example(typical, waveform, cleaned[0], rate=rate, players=sounds)
            )
        page = Exploration(
            source=dataset.source,
            recipe=recipe,
            facts=tuple(facts.values()),
            problems=corpus.unusable,
            notes=tuple(item.text for item in findings if item.severity == "note"),
            examples=tuple(examples),
            player_seconds=seconds,
            players=shown,
            wanted_players=players,
        )
        write_text(temporary, explore_page(page))
    return ExploreResult(
        path=Path(output),
        recordings=len(facts),
        seconds=sum(item.seconds for item in facts.values()),
        kept=sum(item.kept for item in facts.values()),
        findings=findings,
    )


def plan_players(classes: int, players: int) -> tuple[int, float]:
    """Recordings of a class that can be played, and seconds of each, for a page of bounded size."""
    for shown in range(players, 0, -1):
        seconds = min(_LONGEST_PLAYER, _PAGE_SECONDS / (classes * shown))
        if seconds >= _SHORTEST_PLAYER or shown == 1:
            return shown, seconds
    return 0, 0.0


def _choose(facts: dict[int, RecordingFacts], players: int) -> list[list[int]]:
    """Rows to show of each class: first the one whose kept length is nearest the median.

    The others spread over the lengths that occur, from short to long.
    """
    chosen = []
    for of_class in class_rows(list(facts.values()))[:PICTURED_CLASSES]:
        rows = [row for row, item in facts.items() if item.recording.label == of_class.label]
        typical = min(rows, key=lambda row: abs(facts[row].kept - of_class.median))
        others = sorted((row for row in rows if row != typical), key=lambda row: facts[row].kept)
        count = min(max(players - 1, 0), len(others))
        spread = [others[int((index + 0.5) * len(others) / count)] for index in range(count)]
        chosen.append([typical, *spread])
    return chosen
