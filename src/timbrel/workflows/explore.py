"""`timbrel explore`: the pictures of a data set, on one page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from timbrel.audio.clean import Cleaned
from timbrel.audio.decode import Decoded
from timbrel.audio.isolated import IsolatedDecoder
from timbrel.audio.player import playable_rate, player_uri
from timbrel.audio.windows import Windowing, keep
from timbrel.dataset.manifest import Problem, Recording, read_dataset
from timbrel.display.bars import Steps, telling_steps
from timbrel.errors import AudioError, DataError, InvalidArgument
from timbrel.files import replacing, write_text
from timbrel.networks.recipes import TUTORIAL_RECIPE, Recipe, get_recipe
from timbrel.parallel import in_order
from timbrel.report.explore import (
    PICTURED_CLASSES,
    Example,
    Exploration,
    Player,
    RecordingFacts,
    class_rows,
    explore_page,
    picture_example,
)
from timbrel.wording import duration, plain, plural

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
        problems: recordings that cannot be used.
        notes: what was passed over, in sentences.
    """

    path: Path
    recordings: int
    seconds: float
    kept: float
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        what = f"{plural(self.recordings, 'recording')}, {duration(self.seconds)}"
        return plain(f"ExploreResult({str(self.path)!r}: {what})")


def explore(
    data: str | os.PathLike,
    output: str | os.PathLike,
    *,
    audio: str | os.PathLike | None = None,
    recipe: str | Recipe = TUTORIAL_RECIPE,
    players: int = 3,
    progress: Steps | bool | None = None,
) -> ExploreResult:
    """Write a page with the facts and pictures of a data set.

    Args:
        data: a folder or a CSV of labelled recordings, see `read_dataset`.
        output: the HTML file to write.
        audio: folder that the CSV's paths are relative to; the CSV's own folder by default.
        recipe: gives the sample rate, the cleaning and the settings of the pictures.
        players: recordings of each class that can be played; fewer where classes are many.
        progress: True for a bar, or called with the number of recordings read so far and of all.

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
    with replacing(output) as temporary, IsolatedDecoder() as decoder:
        hear = _Hearing(recipe.windowing, decoder)
        with telling_steps(progress, "reading") as tell:
            facts, problems = _read_all(dataset.recordings, hear, tell)
        problems = (*dataset.problems, *problems)
        missing = sorted(set(dataset.labels) - {item.recording.label for item in facts})
        if missing == dataset.labels:
            raise DataError(
                f"No recording of a class in '{dataset.source}' can be used. First: {problems[0]}."
            )
        notes = (
            *dataset.notes,
            *(f"No recording of '{label}' can be used, so it is not shown." for label in missing),
        )
        chosen = _choose(facts, players)
        shown, seconds = plan_players(len(chosen), players)
        examples, lost = _examples(chosen, hear, players=shown, seconds=seconds)
        problems = (*problems, *lost)
        page = Exploration(
            source=dataset.source,
            recipe=recipe,
            facts=facts,
            problems=problems,
            notes=notes,
            examples=examples,
            player_seconds=seconds,
            players=shown,
            wanted_players=players,
        )
        write_text(temporary, explore_page(page))
    return ExploreResult(
        path=Path(output),
        recordings=len(facts),
        seconds=sum(item.seconds for item in facts),
        kept=sum(item.kept for item in facts),
        problems=problems,
        notes=notes,
    )


def plan_players(classes: int, players: int) -> tuple[int, float]:
    """Recordings of a class that can be played, and seconds of each, for a page of bounded size."""
    for shown in range(players, 0, -1):
        seconds = min(_LONGEST_PLAYER, _PAGE_SECONDS / (classes * shown))
        if seconds >= _SHORTEST_PLAYER or shown == 1:
            return shown, seconds
    return 0, 0.0


@dataclass(frozen=True)
class _Hearing:
    """How recordings are read and cleaned here."""

    windowing: Windowing
    decoder: IsolatedDecoder

    def __call__(self, recording: Recording) -> tuple[Decoded, Cleaned, bool]:
        """Decode and clean a recording; whether cleaning left something."""
        decoded = self.decoder.decode(
            recording.file,
            self.windowing.rate,
            start=recording.start,
            end=recording.end,
            name=recording.name,
        )
        return decoded, *keep(decoded.waveform, self.windowing)


def _read_all(
    recordings: Sequence[Recording],
    hear: _Hearing,
    tell: Steps,
) -> tuple[tuple[RecordingFacts, ...], list[Problem]]:
    """Read and clean every recording, in threads; their samples are not kept."""
    facts, problems = [], []
    found = in_order(lambda item: _facts(item, hear), recordings, stop=hear.decoder.close)
    for number, item in enumerate(found, 1):
        (facts if isinstance(item, RecordingFacts) else problems).append(item)
        tell(number, len(recordings))
    return tuple(facts), problems


def _facts(recording: Recording, hear: _Hearing) -> RecordingFacts | Problem:
    try:
        decoded, cleaned, left = hear(recording)
    except AudioError as error:
        return Problem(error.path, error.reason)
    if decoded.silent:
        return Problem(recording.name, "all samples are zero")
    begins = float(cleaned.runs[0, 0] / decoded.rate)
    warnings = decoded.warnings
    if not left:
        warnings += ("cleaning would leave nothing of it, so it is used uncleaned",)
    return RecordingFacts(
        recording=recording,
        seconds=decoded.seconds,
        kept=len(cleaned.waveform) / decoded.rate,
        begins=(recording.start or 0.0) + min(begins, max(decoded.seconds - 0.1, 0.0)),
        source_rate=decoded.source_rate,
        channels=decoded.channels,
        warnings=warnings,
    )


def _choose(facts: Iterable[RecordingFacts], players: int) -> list[list[RecordingFacts]]:
    """Recordings of each class to show: first the one whose kept length is nearest the median.

    The others spread over the lengths that occur, from short to long.
    """
    facts = list(facts)
    chosen = []
    for row in class_rows(facts)[:PICTURED_CLASSES]:
        items = [item for item in facts if item.recording.label == row.label]
        typical = min(items, key=lambda item: abs(item.kept - row.median))
        others = sorted((item for item in items if item is not typical), key=lambda x: x.kept)
        count = min(max(players - 1, 0), len(others))
        spread = [others[int((index + 0.5) * len(others) / count)] for index in range(count)]
        chosen.append([typical, *spread])
    return chosen


def _examples(
    chosen: list[list[RecordingFacts]], hear: _Hearing, *, players: int, seconds: float
) -> tuple[tuple[Example, ...], list[Problem]]:
    """The pictures and players of each class, and recordings that could not be read once more."""
    examples, lost = [], []
    for items in chosen:
        sounds = []
        for item in items[:players]:
            try:
                sounds.append(_player(item, hear.decoder, seconds))
            except AudioError as error:
                lost.append(Problem(error.path, error.reason))
        for item in items:
            try:
                decoded, cleaned, _ = hear(item.recording)
            except AudioError as error:
                lost.append(Problem(error.path, error.reason))
                continue
            examples.append(
                picture_example(item, decoded.waveform, cleaned, rate=decoded.rate, players=sounds)
            )
            break
    return tuple(examples), list(dict.fromkeys(lost))


def _player(facts: RecordingFacts, decoder: IsolatedDecoder, seconds: float) -> Player:
    """Make a player of a recording, at its own rate, from where its sound begins."""
    recording, rate = facts.recording, playable_rate(facts.source_rate)
    end = facts.begins + seconds
    decoded = decoder.decode(
        recording.file,
        rate,
        start=facts.begins,
        end=end if recording.end is None else min(end, recording.end),
        name=recording.name,
    )
    return Player(name=recording.name, uri=player_uri(decoded.waveform, rate))
