"""`timbrel check`: what is wrong or odd about the recordings of a data set."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from timbrel.audio.isolated import IsolatedDecoder
from timbrel.audio.windows import Windowing
from timbrel.dataset.check import (
    class_findings,
    dataset_findings,
    duplicate_findings,
    format_findings,
    recording_findings,
    unusable_finding,
)
from timbrel.dataset.duplicates import Duplicate, near_duplicates
from timbrel.dataset.findings import KINDS, Finding
from timbrel.dataset.fingerprint import join_groups
from timbrel.dataset.hearing import Description, Heard, hear
from timbrel.dataset.manifest import Dataset, Recording, read_dataset
from timbrel.display.html import block, note, text, title
from timbrel.errors import AudioError, MissingExtra
from timbrel.features.cache import FeatureCache
from timbrel.networks.recipes import DEFAULT_RECIPE, Recipe, get_recipe
from timbrel.parallel import in_order
from timbrel.report.cards import finding_parts
from timbrel.wording import duration, plain
from timbrel.workflows.mislabelled import judge, judge_by_recipe
from timbrel.workflows.observer import TrainObserver
from timbrel.workflows.watched import watched


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        usable = "usable" if self.usable else "not usable"
        seconds = "" if self.heard is None else f", {duration(self.heard.seconds)}"
        return plain(f"Checked({self.recording.name!r}: {usable}{seconds})")

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


@dataclass(frozen=True, repr=False)
class CheckResult:
    """What `check` found.

    Attributes:
        source: the data set, as the user named it.
        recipe: the name of the recipe that it was checked for.
        recordings: every recording, in the order of the data set.
        findings: in the order of `KINDS`, then of the recordings; those that are probably
            mislabelled surest first.
    """

    source: str
    recipe: str
    recordings: tuple[Checked, ...]
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        return plain(f"CheckResult({self.source!r}: {self.conclusion.removesuffix('.')})")

    def _repr_html_(self) -> str:
        return block(
            title(text(self.conclusion)),
            note(text(self.source), f"checked for {text(self.recipe)}"),
            *finding_parts(self.findings, KINDS),
        )

    @property
    def unusable(self) -> list[Finding]:
        """The findings that say why a recording or row cannot be used."""
        return [item for item in self.findings if item.unusable]

    @property
    def conclusion(self) -> str:
        """How it stands, in a sentence."""
        total, refused = len(self.recordings), len(self.unusable)
        usable = sum(item.usable for item in self.recordings)
        which = "all" if usable == total else usable
        sentence = f"{total} recordings, {which} of them usable"
        if total == 1:
            sentence = f"1 recording, {'usable' if usable else 'not usable'}"
        rows = refused - (total - usable)
        if rows:
            named = "row or folder" if rows == 1 else "rows or folders"
            sentence += f"; {rows} {named} cannot be used"
        odd = len(self.findings) - refused
        if not odd:
            what = "nothing odd" if usable == total and not refused else "nothing else"
            return f"{sentence}; {what} was found."
        return f"{sentence}; {odd} finding{'s are' if odd > 1 else ' is'} worth a look."

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
    deep: bool = False,
    seed: int = 0,
    cache: FeatureCache | None = None,
    progress: bool = False,
    observer: TrainObserver | None = None,
) -> CheckResult:
    """Look for whatever is wrong or odd about a data set; nothing is changed.

    Every recording is decoded once, in a process of its own. `timbrel.dataset.findings.KINDS` lists
    what is looked for. Wrong labels are looked for where scikit-learn and SciPy are installed; that
    they are not is a finding.

    Args:
        data: a folder with one sub-folder per class, a folder with label files, or a CSV.
        audio: folder that the CSV's paths are relative to; the CSV's own folder by default.
        recipe: what the recordings are to be used for: its window, rate and cleaning.
        deep: look for wrong labels by cross-validation of the recipe itself, instead of a fast
            model of statistics of each recording. Takes as long as `evaluate`.
        seed: of what learns to tell wrong labels.
        cache: with `deep`, where features are kept.
        progress: show bars as the work goes on, in a notebook's cell or on a terminal's stderr.
        observer: told how it goes, in place of bars: `progress` with the stages "reading",
            "comparing", "judging"; with `deep` an `EvaluateObserver`, told all that an evaluation
            tells.

    Raises:
        DataError: the data set cannot be read, or names no recording of a class; with `deep`, it
            cannot be cross-validated.
        InvalidArgument: there is no such recipe.
        DecoderError: the processes that decode cannot be started.
        MissingExtra: `deep` without what training needs.
    """
    recipe = get_recipe(recipe)
    dataset = read_dataset(data, audio)
    with watched(observer, progress) as watching:
        return _check(dataset, recipe, (deep, seed, cache), watching)


def _check(
    dataset: Dataset,
    recipe: Recipe,
    how: tuple[bool, int, FeatureCache | None],
    observer: TrainObserver,
) -> CheckResult:
    deep, seed, cache = how
    told = list(_hear_each(dataset, recipe.windowing, observer))
    pairs = near_duplicates(
        [item.known and item.known.fingerprint for item in told],
        progress=lambda done, total: observer.progress("comparing", done, total),
    )
    joined = join_groups(dataset.recordings, [(pair.first, pair.second) for pair in pairs])
    findings = [
        *dataset_findings(dataset),
        *(found for item in told for found in item.findings),
        *duplicate_findings(dataset.recordings, pairs),
        *format_findings(
            dataset.recordings,
            [item.heard for item in told],
            (dataset.source, recipe.name, recipe.windowing.rate),
        ),
        *class_findings(
            dataset.source, [joined[number] for number, item in enumerate(told) if item.usable]
        ),
    ]
    if deep:
        findings += judge_by_recipe(dataset, recipe, seed=seed, cache=cache, observer=observer)
    else:
        findings += _judged(dataset.source, joined, (told, pairs), seed=seed, observer=observer)
    order = list(KINDS)
    findings.sort(key=lambda item: order.index(item.kind))
    return CheckResult(
        source=dataset.source,
        recipe=recipe.name,
        recordings=tuple(
            Checked(item, facts.usable, facts.heard)
            for item, facts in zip(joined, told, strict=True)
        ),
        findings=tuple(findings),
    )


@dataclass(frozen=True)
class _Told:
    """What one recording told; `known` is None where it cannot be read."""

    known: Description | None
    findings: list[Finding]

    @property
    def heard(self) -> Heard | None:
        return self.known and self.known.heard

    @property
    def usable(self) -> bool:
        return not any(item.unusable for item in self.findings)


def _hear_each(dataset: Dataset, windowing: Windowing, observer: TrainObserver) -> Iterator[_Told]:
    total = len(dataset.recordings)
    with IsolatedDecoder() as decoder:
        decoder.start(total)
        heard = in_order(
            lambda item: _hear(item, windowing, decoder), dataset.recordings, stop=decoder.close
        )
        for done, told in enumerate(heard, 1):
            observer.progress("reading", done, total)
            yield told


def _hear(item: Recording, windowing: Windowing, decoder: IsolatedDecoder) -> _Told:
    try:
        known = hear(item, windowing, decoder)
    except AudioError as error:
        return _Told(None, [unusable_finding(item, error)])
    found = recording_findings(item, known.heard, windowing)
    return _Told(known, found)


def _judged(
    source: str,
    recordings: Sequence[Recording],
    known: tuple[Sequence[_Told], Sequence[Duplicate]],
    *,
    seed: int,
    observer: TrainObserver,
) -> list[Finding]:
    """Labels that a fast model does not believe."""
    told, pairs = known
    # Copies under two labels are named already, and would teach the wrong one.
    doubtful = {
        number
        for pair in pairs
        if recordings[pair.first].label != recordings[pair.second].label
        for number in (pair.first, pair.second)
    }
    judged = [
        number
        for number, item in enumerate(recordings)
        if told[number].usable and not item.none_of_these and number not in doubtful
    ]
    try:
        return judge(
            [recordings[number] for number in judged],
            [told[number].known.statistics for number in judged],
            seed=seed,
            progress=lambda done, total: observer.progress("judging", done, total),
        )
    except MissingExtra as error:
        return [Finding(source, "note", "Labels were not checked.", f"{error}.")]
