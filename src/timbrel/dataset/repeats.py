"""Settle rows that repeat or contradict one another; one label a sound is assumed."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Iterable, Sequence

from timbrel.dataset.recording import Recording
from timbrel.findings import Finding

# Seconds that neighbours may share: edges are drawn by hand, and tables round their times.
_TOUCH = 0.02


def settle_repeats(
    recordings: Iterable[Recording], source: str
) -> tuple[list[Recording], list[Finding]]:
    """Take out rows that contradict another one, and rows that only repeat one.

    Two rows contradict each other where they name the same recording, their times overlap by
    more than 20 ms and their labels differ: neither is kept. One label may overlap itself.
    Takes time O(n log n) for n stretches of a recording.

    Args:
        recordings: one for each row.
        source: the data set.

    Returns:
        What is left in its order, and a finding for each row that is contradicted and one for all
        that are repeated.
    """
    kept: list[Recording] = []
    by_path: dict[str, list[int]] = {}
    seen: set[tuple] = set()
    repeated = 0
    for item in recordings:
        path = posixpath.normpath(item.path)
        key = (path, item.label, item.start, item.end)
        if key in seen:
            repeated += 1
            continue
        seen.add(key)
        by_path.setdefault(path, []).append(len(kept))
        kept.append(item)
    rivals: dict[int, int] = {}
    for numbers in by_path.values():
        found = _rivals([kept[number] for number in numbers])
        rivals |= {numbers[one]: numbers[other] for one, other in found.items()}
    findings = []
    for number in sorted(rivals):
        item, other = kept[number], kept[rivals[number]]
        if item.times == other.times:
            # Both rows have the same name, so that one finding is about both.
            one, two = (kept[place].label for place in sorted((number, rivals[number])))
            finding = Finding("two-labels", item.name, {"label": one, "other": two})
        else:
            facts = {"label": item.label, "other": other.label, "where": other.times or "all"}
            finding = Finding("overlapping-labels", item.name, facts)
        findings.append(finding)
    findings = list(dict.fromkeys(findings))
    if repeated:
        findings.append(Finding("repeated-rows", source, {"count": repeated}))
    left = [item for number, item in enumerate(kept) if number not in rivals]
    return left, findings


def _rivals(items: Sequence[Recording]) -> dict[int, int]:
    """For each stretch that overlaps one with another label, the number of such a one."""
    labels = [item.label for item in items]
    spans = [(item.start or 0.0, math.inf if item.end is None else item.end) for item in items]
    order = sorted(range(len(items)), key=spans.__getitem__)
    mirrored = [(-end, -start) for start, end in spans]
    later = _reached(mirrored, labels, order[::-1])
    return later | _reached(spans, labels, order)


def _reached(
    spans: Sequence[tuple[float, float]], labels: Sequence[str], order: Sequence[int]
) -> dict[int, int]:
    """For each stretch, one before it in `order` with another label that ends after it starts.

    Of all before, it is enough to know the last to end and the last to end of another label.
    """
    found: dict[int, int] = {}
    last = second = None
    for number in order:
        rival = second if last is not None and labels[last] == labels[number] else last
        if rival is not None and spans[rival][1] > spans[number][0] + _TOUCH:
            found[number] = rival
        if last is None or spans[number][1] > spans[last][1]:
            if last is not None and labels[last] != labels[number]:
                second = last
            last = number
        elif labels[number] != labels[last] and (
            second is None or spans[number][1] > spans[second][1]
        ):
            second = number
    return found
