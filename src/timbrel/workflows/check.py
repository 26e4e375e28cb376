"""`timbrel check`: what is wrong or odd about the recordings of a data set."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from timbrel.audio.decode import resample
from timbrel.audio.isolated import IsolatedDecoder
from timbrel.audio.levels import measure_levels
from timbrel.audio.windows import Windowing, keep
from timbrel.dataset.check import (
    Heard,
    class_findings,
    dataset_findings,
    duplicate_findings,
    format_findings,
    recording_findings,
    unusable_finding,
)
from timbrel.dataset.duplicates import Duplicate, Fingerprint, fingerprint, near_duplicates
from timbrel.dataset.findings import KINDS, Finding
from timbrel.dataset.fingerprint import join_groups
from timbrel.dataset.manifest import Dataset, Recording, read_dataset
from timbrel.errors import AudioError
from timbrel.networks.recipes import DEFAULT_RECIPE, Recipe, get_recipe
from timbrel.parallel import in_order

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Checked:
    """One recording as `check` found it.

    Attributes:
        recording: the recording; its group is that of its copies, too.
        usable: whether it can be trained on.
        heard: length, format and levels; None where it cannot be read.
    """

    recording: Recording
    usable: bool
    heard: Heard | None

    def to_dict(self) -> dict:
        """Return the recording as JSON data; null for what is not known."""
        item, heard = self.recording, self.heard
        return {
            "path": item.name,
            "label": item.label,
            "group": item.group,
            "fold": item.fold,
            "usable": self.usable,
            "seconds": heard and round(heard.seconds, 6),
            "kept": heard and round(heard.kept, 6),
            "rate": heard and heard.rate,
            "channels": heard and heard.channels,
            "peak": heard and round(heard.levels.peak, 6),
            "rms": heard and round(heard.levels.rms, 6),
            "offset": heard and round(heard.levels.offset, 6),
            "clipped": heard and heard.levels.clipped,
        }


@dataclass(frozen=True)
class CheckResult:
    """What `check` found.

    Attributes:
        source: the data set, as the user named it.
        recipe: the name of the recipe that it was checked for.
        recordings: every recording, in the order of the data set.
        findings: in the order of `KINDS`, then of the recordings.
    """

    source: str
    recipe: str
    recordings: tuple[Checked, ...]
    findings: tuple[Finding, ...]

    @property
    def unusable(self) -> int:
        """How many recordings and rows cannot be used."""
        return sum(item.unusable for item in self.findings)

    def counts(self) -> Counter[str]:
        """Findings of each kind."""
        return Counter(item.kind for item in self.findings)

    def to_json(self) -> bytes:
        """Return recordings and findings as JSON."""
        data = {
            "source": self.source,
            "recipe": self.recipe,
            "recordings": [item.to_dict() for item in self.recordings],
            "findings": [item.to_dict() for item in self.findings],
        }
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        # The odd bytes of a file name.
        return text.encode(errors="backslashreplace")


def check(
    data: str | os.PathLike,
    *,
    audio: str | os.PathLike | None = None,
    recipe: str | Recipe = DEFAULT_RECIPE,
    progress: Progress | None = None,
) -> CheckResult:
    """Look for whatever is wrong or odd about a data set; nothing is changed.

    Every recording is decoded once, in a process of its own. `timbrel.dataset.findings.KINDS` lists
    what is looked for.

    Args:
        data: a folder with one sub-folder per class, a folder with label files, or a CSV.
        audio: folder that the CSV's paths are relative to; the CSV's own folder by default.
        recipe: what the recordings are to be used for: its window, rate and cleaning.
        progress: called with the stage ("reading", "comparing"), and what is done of how much.

    Raises:
        DataError: the data set cannot be read, or names no recording of a class.
        InvalidArgument: there is no such recipe.
        DecoderError: the processes that decode cannot be started.
    """
    recipe = get_recipe(recipe)
    tell = progress or (lambda stage, done, total: None)
    dataset = read_dataset(data, audio)
    windowing = recipe.windowing
    findings = dataset_findings(dataset)
    heard, prints, bad = [], [], set()
    for number, (facts, found, print_) in enumerate(_hear_all(dataset, windowing)):
        heard.append(facts)
        prints.append(print_)
        findings += found
        if any(item.unusable for item in found):
            bad.add(number)
        tell("reading", number + 1, len(dataset.recordings))
    pairs = near_duplicates(prints, progress=lambda done, total: tell("comparing", done, total))
    recordings = _joined(dataset.recordings, pairs)
    usable = [item for number, item in enumerate(recordings) if number not in bad]
    findings += [
        *duplicate_findings(dataset.recordings, pairs),
        *format_findings(
            dataset.recordings, heard, (dataset.source, recipe.name, windowing.rate)
        ),
        *class_findings(dataset.source, usable),
    ]
    order = list(KINDS)
    findings.sort(key=lambda item: order.index(item.kind))
    return CheckResult(
        source=dataset.source,
        recipe=recipe.name,
        recordings=tuple(
            Checked(item, number not in bad, facts)
            for number, (item, facts) in enumerate(zip(recordings, heard, strict=True))
        ),
        findings=tuple(findings),
    )


def _joined(recordings: tuple[Recording, ...], pairs: list[Duplicate]) -> list[Recording]:
    return join_groups(recordings, [(pair.first, pair.second) for pair in pairs])


_Told = tuple[Heard | None, list[Finding], Fingerprint | None]


def _hear_all(dataset: Dataset, windowing: Windowing) -> Iterator[_Told]:
    with IsolatedDecoder() as decoder:
        yield from in_order(
            lambda item: _hear(item, windowing, decoder),
            dataset.recordings,
            stop=decoder.close,
        )


def _hear(item: Recording, windowing: Windowing, decoder: IsolatedDecoder) -> _Told:
    """What was heard of a recording, what is odd about it, and its fingerprint."""
    try:
        # At its own rate: resampling rounds off what clipping left.
        decoded = decoder.decode(
            item.file, None, start=item.start, end=item.end, name=item.name
        )
    except AudioError as error:
        return None, [unusable_finding(item, error)], None
    waveform = resample(decoded.waveform, decoded.source_rate, windowing.rate)
    cleaned, left = keep(waveform, windowing)
    heard = Heard(
        seconds=decoded.seconds,
        rate=decoded.source_rate,
        channels=decoded.channels,
        levels=measure_levels(decoded.waveform, decoded.source_rate),
        kept=len(cleaned.waveform) / windowing.rate if left else 0.0,
        warnings=decoded.warnings,
    )
    found = recording_findings(item, heard, windowing)
    return heard, found, fingerprint(waveform, windowing.rate)
