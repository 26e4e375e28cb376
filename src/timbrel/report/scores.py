"""Scores side by side: the honest one, what flatters it, and what needs no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from timbrel.report.facts import Counted
from timbrel.wording import known


@dataclass(frozen=True)
class StripRow:
    """One score on a scale from 0 to 100 %.

    Attributes:
        name: what it is of.
        share: the score, 0 to 1.
        low, high: its 95 % interval, or None.
        note: what to make of it.
        main: whether it is the score that counts.
    """

    name: str
    share: float
    low: float | None
    high: float | None
    note: str
    main: bool = False


def strip(evaluation: Mapping, counted: Counted) -> list[StripRow]:
    """The accuracies that an evaluation gives."""
    rows = [
        ("Files", evaluation["file"], "the score: one answer for each recording", True),
        ("Windows", evaluation["window"], "one answer for each short piece", False),
    ]
    found = [
        StripRow(name, score["accuracy"], *interval(score, "accuracy"), note, main)
        for name, score, note, main in rows
        if score and known(score.get("accuracy"))
    ]
    leaky = evaluation.get("random_split") or {}
    if known(leaky.get("window_accuracy")):
        note = "pieces of a recording on both sides"
        found.append(StripRow("Leaky split", leaky["window_accuracy"], *ends(leaky), note))
    if counted.answers:
        largest = max(row["files"] for row in evaluation["per_class"])
        note = "always answering with the most common class"
        found.append(StripRow("No model", largest / counted.answers, None, None, note))
    return found


def interval(score: Mapping, key: str) -> tuple[float | None, float | None]:
    """Return the 95 % interval of a metric; None twice where there is none."""
    return ends(score.get("ci95") or {}, key)


def ends(holder: Mapping, key: str = "ci95") -> tuple[float | None, float | None]:
    """Return both ends of an interval that lies under a key; None twice where there is none."""
    found = holder.get(key) or (None, None)
    return (found[0], found[1]) if known(found[0]) and known(found[1]) else (None, None)
