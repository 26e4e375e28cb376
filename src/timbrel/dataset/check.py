"""Findings about levels and formats of recordings, and about the classes of a data set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from timbrel.audio.levels import Levels
from timbrel.audio.windows import Windowing
from timbrel.dataset.corpus import Corpus
from timbrel.dataset.folds import FOLDS
from timbrel.dataset.recording import Recording
from timbrel.findings import Finding

# Fewer clipped samples are inaudible.
_CLIPPED = 10
# Least offset that matters: as a share of full scale, and of the level of the recording.
_OFFSET, _OFFSET_SHARE = 0.002, 0.05
# Least share of the files that must agree before the others are odd.
_MOST = 0.75


def level_findings(name: str, levels: Levels, windowing: Windowing) -> list[Finding]:
    """Find clipping and a constant offset.

    Args:
        name: the recording.
        levels: measured at the rate of its file.
        windowing: how recordings are cleaned; an offset counts as sound for cleaning.
    """
    findings = []
    if levels.clipped >= _CLIPPED:
        facts = {"samples": levels.clipped, "peak": levels.peak}
        findings.append(Finding("clipped", name, facts))
    if abs(levels.offset) >= max(_OFFSET, _OFFSET_SHARE * levels.rms):
        facts = {"offset": levels.offset, "cleans": windowing.clean_threshold is not None}
        findings.append(Finding("dc-offset", name, facts))
    return findings


def format_findings(corpus: Corpus, recipe: str) -> list[Finding]:
    """Find sample rates and channels that differ from those of most files, and rates that are low.

    Args:
        corpus: the recordings; several may be stretches of one file.
        recipe: the name of the recipe that they are to be used for.
    """
    source, findings = corpus.dataset.source, []
    files = {
        item.file: (item.path, facts)
        for item, facts in zip(corpus.recordings, corpus.described, strict=True)
        if facts is not None
    }
    for code, several, name in (
        ("odd-rate", "several-rates", "rate"),
        ("odd-channels", "several-channels", "channels"),
    ):
        values = [(path, getattr(facts, name)) for path, facts in files.values()]
        counts = Counter(value for _, value in values).most_common()
        if len(counts) < 2:
            continue
        usual, most = counts[0]
        if most < _MOST * len(values):
            findings.append(Finding(several, source, {"counts": [list(item) for item in counts]}))
            continue
        common = {"usual": usual, "most": most, "files": len(values)}
        findings += (
            Finding(code, path, {"value": value, **common})
            for path, value in values
            if value != usual
        )
    rate = corpus.windowing.rate
    low = [facts.rate for _, facts in files.values() if facts.rate < rate]
    if low:
        low_facts = {
            "low": len(low),
            "files": len(files),
            "rates": sorted(set(low)),
            "rate": rate,
            "recipe": recipe,
        }
        findings.append(Finding("low-rate", source, low_facts))
    return findings


def class_findings(source: str, recordings: Sequence[Recording]) -> list[Finding]:
    """Find classes of too few recordings or groups to be scored well.

    Args:
        source: the data set.
        recordings: those of classes that can be used; copies share a group.
    """
    members: dict[str, list[Recording]] = defaultdict(list)
    for item in recordings:
        members[item.label].append(item)
    findings = []
    if len(members) < 2:
        findings.append(Finding("one-class", source, {"label": next(iter(members), None)}))
    if members and all(len({item.group for item in items}) == 1 for items in members.values()):
        return [*findings, Finding("no-second-group", source)]
    for label, items in sorted(members.items()):
        groups = {item.group for item in items}
        if len(groups) >= FOLDS:
            continue
        few = len(groups) == len(items)
        facts = {
            "label": label,
            "count": len(groups),
            "unit": "recording" if few else "group",
            "folds": FOLDS,
        }
        findings.append(Finding("small-class" if few else "few-groups", source, facts))
    return findings
