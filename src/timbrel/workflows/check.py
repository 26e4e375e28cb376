"""`timbrel check`: what is wrong or odd about the recordings of a data set.

Which findings a command gives is decided here: `check` lists `check_findings`, and labels that are
probably wrong; `train` and `evaluate` show `training_findings` and write `score_notes` beside the
score.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from timbrel.dataset.check import class_findings, format_findings, level_findings
from timbrel.dataset.corpus import Corpus, Description, open_corpus
from timbrel.dataset.manifest import Recording, read_dataset
from timbrel.display.html import block, note, text, title
from timbrel.errors import MissingExtra
from timbrel.evaluation.mislabelled import Suspect, find_mislabelled, suspicious
from timbrel.features.cache import FeatureCache, default_folder
from timbrel.findings import KINDS, Finding
from timbrel.networks.recipes import DEFAULT_RECIPE, Recipe, get_recipe
from timbrel.progress import Progress, watching
from timbrel.report.notebook import finding_parts
from timbrel.text import duration, plain


@dataclass(frozen=True, repr=False)
class Checked:
    """One recording as `check` found it.

    Attributes:
        recording: the recording; its group is that of its copies, too.
        usable: whether it can be trained on.
        described: length, format and levels; None where it cannot be read.
        kept: seconds that cleaning keeps, 0 where it keeps nothing; None where it cannot be read.
    """

    recording: Recording
    usable: bool
    described: Description | None
    kept: float | None

    def __repr__(self) -> str:
        usable = "usable" if self.usable else "not usable"
        seconds = "" if self.described is None else f", {duration(self.described.seconds)}"
        return plain(f"Checked({self.recording.name!r}: {usable}{seconds})")

    def to_dict(self) -> dict:
        """Return the recording as JSON data; null for what is not known."""
        item, facts = self.recording, self.described
        levels = facts and facts.levels
        return {
            "path": item.name,
            "label": item.label,
            "group": item.group,
            "fold": item.fold,
            "usable": self.usable,
            "seconds": facts and round(facts.seconds, 6),
            "kept": None if self.kept is None else round(self.kept, 6),
            "rate": facts and facts.rate,
            "channels": facts and facts.channels,
            "peak": levels and round(levels.peak, 6),
            "rms": levels and round(levels.rms, 6),
            "offset": levels and round(levels.offset, 6),
            "clipped": levels and levels.clipped,
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
        """The result in one sentence."""
        total, refused = len(self.recordings), len(self.unusable)
        usable = sum(item.usable for item in self.recordings)
        sentence = f"{total} recordings, {'all' if usable == total else usable} of them usable"
        if total == 1:
            sentence = f"1 recording, {'usable' if usable else 'not usable'}"
        rows = refused - (total - usable)
        if rows:
            sentence += f"; {rows} {'row or folder' if rows == 1 else 'rows or folders'}"
            sentence += " cannot be used"
        odd = len(self.findings) - refused
        if odd:
            return f"{sentence}; {odd} finding{'s are' if odd > 1 else ' is'} worth a look."
        return f"{sentence}; nothing {'else' if refused or usable < total else 'odd'} was found."

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
        # A file name may hold bytes that are not text.
        return text.encode(errors="backslashreplace")


def check(
    data: str | os.PathLike,
    *,
    audio: str | os.PathLike | None = None,
    recipe: str | Recipe = DEFAULT_RECIPE,
    deep: bool = False,
    seed: int = 0,
    cache: FeatureCache | None = None,
    progress: Progress | bool = False,
) -> CheckResult:
    """Look for whatever is wrong or odd about a data set; nothing is changed.

    Every recording is decoded once, in a process of its own. `timbrel.findings.KINDS` lists what is
    looked for. Wrong labels are looked for where scikit-learn and SciPy are installed; that they
    are not is a finding.

    Args:
        data: a folder with one sub-folder per class, a folder with label files, or a CSV.
        audio: folder that the CSV's paths are relative to; the CSV's own folder by default.
        recipe: what the recordings are to be used for: its window, rate and cleaning.
        deep: look for wrong labels by the cross-validation that `evaluate` does, instead of a fast
            model of statistics of each recording. Takes as long.
        seed: of the models that look for wrong labels.
        cache: with `deep`, where features are kept.
        progress: True for bars, in a notebook's cell or on a terminal's stderr, or an object to
            tell.

    Raises:
        DataError: the data set cannot be read, or names no recording of a class; with `deep`, it
            cannot be cross-validated.
        InvalidArgument: there is no such recipe.
        DecoderError: the processes that decode cannot be started.
        MissingExtra: `deep` without what training needs.
    """
    recipe = get_recipe(recipe)
    dataset = read_dataset(data, audio)
    with (
        watching(progress) as told,
        open_corpus(
            dataset,
            recipe.windowing,
            levels=True,
            statistics=not deep,
            samples="windowing" if deep else "none",
            progress=told,
        ) as corpus,
    ):
        return check_corpus(corpus, recipe, deep=deep, seed=seed, cache=cache, progress=told)


def check_corpus(
    corpus: Corpus,
    recipe: Recipe,
    *,
    deep: bool = False,
    seed: int,
    cache: FeatureCache | None = None,
    progress: Progress,
) -> CheckResult:
    """`check` on a corpus that is open already, with levels and, unless `deep`, statistics."""
    findings = check_findings(corpus, recipe)
    if deep:
        findings += _judged_by_recipe(corpus, recipe, seed=seed, cache=cache, progress=progress)
    else:
        findings += _judged_by_statistics(corpus, seed=seed, progress=progress)
    order = list(KINDS)
    findings.sort(key=lambda item: order.index(item.kind))
    unusable = {item.path for item in corpus.unusable}
    recordings = []
    for item, facts in zip(corpus.recordings, corpus.described, strict=True):
        if facts is None:
            kept = None
        elif corpus.windowing.clean_threshold is None:
            kept = facts.seconds
        else:
            kept = 0.0 if facts.emptied else facts.samples / corpus.windowing.rate
        recordings.append(Checked(item, item.name not in unusable, facts, kept))
    return CheckResult(corpus.dataset.source, recipe.name, tuple(recordings), tuple(findings))


def check_findings(corpus: Corpus, recipe: Recipe) -> list[Finding]:
    """What `check` lists, apart from labels that are probably wrong."""
    # Silence is a fair example of no class.
    findings = [item for item in corpus.findings if item.code != "silent-background"]
    for item, facts in zip(corpus.recordings, corpus.described, strict=True):
        if facts is not None and facts.levels is not None and not facts.silent:
            findings += level_findings(item.name, facts.levels, corpus.windowing)
    findings += format_findings(corpus, recipe.name)
    return findings + class_findings(corpus.dataset.source, corpus.select(corpus.has_class))


def training_findings(corpus: Corpus, *, learned: int, learns: bool) -> list[Finding]:
    """What `train` and `evaluate` show before they train.

    Args:
        corpus: the recordings.
        learned: how many examples of no class are learned from.
        learns: whether the recipe can learn from such examples.
    """
    # Loads Keras, which checking does without.
    from timbrel.training.prepare import cleaning_finding

    cleaning = cleaning_finding(corpus)
    notes = score_notes(corpus, learned=learned, learns=learns)
    return [*corpus.findings, *([cleaning] if cleaning else []), *notes]


def score_notes(corpus: Corpus, *, learned: int, learns: bool) -> list[Finding]:
    """What a reader of a score should know of the data: background, copies, lost classes.

    Args:
        corpus, learned, learns: as for `training_findings`.
    """
    source, notes = corpus.dataset.source, []
    if corpus.background.any():
        facts = {"count": int(corpus.background.sum()), "learned": learned, "learns": learns}
        notes.append(Finding("background", source, facts))
    notes += copies_notes(corpus, corpus.select(corpus.has_class))
    lost = sorted(set(corpus.dataset.labels) - set(corpus.labels))
    notes += (Finding("lost-class", source, {"label": label}) for label in lost)
    notes += (
        Finding("lost-folder", source, {"folder": item.path})
        for item in corpus.findings
        if item.code == "closed-folder"
    )
    return notes


def copies_notes(corpus: Corpus, recordings: list[Recording]) -> list[Finding]:
    """A finding that names the copies among some recordings, if there are any."""
    names = {item.name for item in recordings}
    copies = [
        item.path
        for item in corpus.findings
        if item.code in ("exact-duplicate", "near-duplicate") and item.path in names
    ]
    facts = {"count": len(copies), "names": copies}
    return [Finding("copies", corpus.dataset.source, facts)] if copies else []


def excluded(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """The `excluded` part of `evaluation.json`: recordings that cannot be used, and why."""
    return [{"path": item.path, "reason": item.reason} for item in findings]


def _judged_by_statistics(corpus: Corpus, *, seed: int, progress: Progress) -> list[Finding]:
    """Labels that a fast model on statistics of whole recordings contradicts."""
    # Copies under two labels have a finding already, and would teach the wrong label.
    doubtful = {
        row
        for pair in corpus.pairs
        if corpus.recordings[pair.first].label != corpus.recordings[pair.second].label
        for row in (pair.first, pair.second)
    }
    recordings, statistics = [], []
    for row, facts in enumerate(corpus.described):
        if facts is not None and corpus.has_class[row] and row not in doubtful:
            recordings.append(corpus.recordings[row])
            if facts.statistics is not None:
                statistics.append(facts.statistics)
    if not recordings:
        return []
    try:
        if len(statistics) < len(recordings):
            raise MissingExtra.of("train", "Looking for wrong labels")
        suspects = find_mislabelled(
            np.array(statistics),
            [item.label for item in recordings],
            [item.group for item in recordings],
            seed=seed,
            progress=lambda done, total: progress.stage("judging", done, total),
        )
    except MissingExtra as error:
        return [Finding("labels-not-checked", corpus.dataset.source, {"how": str(error)})]
    return [_mislabelled(recordings[suspect.index], suspect) for suspect in suspects]


def _judged_by_recipe(
    corpus: Corpus, recipe: Recipe, *, seed: int, cache: FeatureCache | None, progress: Progress
) -> list[Finding]:
    """Labels that the networks of `evaluate` contradict."""
    from timbrel.dataset.folds import deal_folds
    from timbrel.evaluation.crossval import calibrate_folds, fold_runs, score_folds
    from timbrel.evaluation.run import Runs
    from timbrel.workflows.train import load_examples

    cache = FeatureCache(default_folder()) if cache is None else cache
    examples = load_examples(corpus, recipe, seed=seed, cache=cache, progress=progress)
    learned = examples.background_mask(len(corpus))
    folds = deal_folds(corpus.select(corpus.has_class), None, seed=seed)
    plan = fold_runs(corpus, folds, learned, seed=seed)
    runs = Runs(
        corpus, examples, recipe, cache=cache, resume=True, total=len(plan), progress=progress
    )
    results = [runs.execute(run) for run in plan]
    temperatures = [temperature for temperature, _ in calibrate_folds(corpus, results)]
    scored = score_folds(corpus, [results], [temperatures])
    runs.forget()
    suspects = suspicious(scored.files, scored.target, list(corpus.labels))
    return [_mislabelled(scored.recordings[suspect.index], suspect) for suspect in suspects]


def _mislabelled(item: Recording, suspect: Suspect) -> Finding:
    facts = {
        "label": item.label,
        "suggested": suspect.suggested,
        "confidence": suspect.confidence,
    }
    return Finding("mislabelled", item.name, facts)
