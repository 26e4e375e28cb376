"""What an evaluation rests on: how many answers, of which recordings, by how many networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from timbrel.wording import duration, frequency, known, number, percent, plural

# Share of recordings that are groups of their own from which on all are taken as independent.
_INDEPENDENT = 0.9


@dataclass(frozen=True)
class Counted:
    """The answers that a score is the share of.

    Attributes:
        answers: how many recordings were asked about, each as often as it was.
        right: how many of the answers are right.
        recordings: how many recordings were asked about.
        folds: parts that were held out in turn; 1 where one network was scored on one part.
        repeats: how many times the data were divided.
        grouped: whether no group was on both sides.
        independent: whether nearly every recording is a group of its own; a few duplicates that
            share one do not matter.
        shares: the lowest and the highest share of right answers of a fold, where there are some.
    """

    answers: int
    right: int
    recordings: int
    folds: int
    repeats: int
    grouped: bool
    independent: bool
    shares: tuple[float, float] | None

    @property
    def crossed(self) -> bool:
        """Whether many networks share the score, so that it is of none in particular."""
        return self.folds > 1

    @classmethod
    def of(cls, evaluation: Mapping) -> Counted:
        """Count what `evaluation.json` holds."""
        matrix = evaluation["confusion"]
        answers = sum(map(sum, matrix))
        protocol, data = evaluation.get("protocol") or {}, evaluation.get("data") or {}
        predictions = evaluation.get("predictions") or []
        folds, shares = protocol.get("folds"), _fold_shares(predictions)
        repeats = protocol.get("repeats") or 1
        heard = len({row["path"] for row in predictions}) or round(answers / repeats)
        return cls(
            answers=round(answers),
            right=round(sum(row[index] for index, row in enumerate(matrix))),
            recordings=heard,
            # `folds` may be a word, such as `group`: then the predictions tell.
            folds=folds if isinstance(folds, int) else max(len(shares) // repeats, 1),
            repeats=repeats,
            grouped=protocol.get("grouped") is not False,
            independent=(data.get("groups") or 0) >= _INDEPENDENT * (data.get("files") or 1),
            shares=(min(shares), max(shares)) if len(shares) > 1 else None,
        )


@dataclass(frozen=True)
class ClassRow:
    """Scores of a class; 0 to 1 where known.

    Attributes:
        label: the class.
        precision, recall, f1: its scores.
        files: how many recordings.
        low, high: 95 % interval of the recall, or None.
    """

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    files: int
    low: float | None
    high: float | None


def class_rows(evaluation: Mapping) -> list[ClassRow]:
    """Return the scores of the classes, with the intervals of their recall where they are given."""
    rows = []
    for row in evaluation["per_class"]:
        low, high = (row.get("ci95") or {}).get("recall") or (None, None)
        scores = (row["precision"], row["recall"], row["f1"])
        rows.append(ClassRow(row["label"], *scores, row["files"], low, high))
    return rows


def hardest(rows: list[ClassRow], most: int = 3) -> list[ClassRow]:
    """Return the classes with the lowest F1; none where there are few, or all are alike."""
    scored = sorted((row for row in rows if row.files and known(row.f1)), key=lambda row: row.f1)
    if len(scored) < 2 * most or scored[0].f1 == scored[-1].f1:
        return []
    return scored[:most]


def recipe_name(evaluation: Mapping, model: Mapping) -> str:
    """Return the name of the recipe, or `model`."""
    recipe = model.get("recipe") or evaluation.get("recipe") or "model"
    return str(recipe.get("name", "model")) if isinstance(recipe, Mapping) else str(recipe)


def fact_rows(evaluation: Mapping, model: Mapping, counted: Counted) -> list[tuple[str, str, bool]]:
    """Return name, text, and whether the text is code; only of what is known."""
    rate, data = model.get("rate"), model.get("data") or evaluation.get("data") or {}
    seconds, versions = evaluation.get("seconds") or {}, model.get("versions") or {}
    threshold = (model.get("thresholds") or {}).get("unknown")
    seed = model.get("seed", (evaluation.get("protocol") or {}).get("seed"))
    window, hop = (
        duration(model[key] / rate) if rate and model.get(key) else None
        for key in ("window", "hop")
    )
    facts = [
        ("Recipe", recipe_name(evaluation, model), True),
        ("Scored on", _protocol_text(counted), False),
        ("Classes", ", ".join(map(str, model.get("labels") or evaluation["labels"])), False),
        ("Sample rate", frequency(rate) if rate else None, False),
        ("Window", f"{window}, every {hop}" if window and hop else window, False),
        ("Data", _data_text(data), False),
        ("Training took", duration(seconds["train"]) if seconds.get("train") else None, False),
        ("In all", duration(seconds["total"]) if seconds.get("total") else None, False),
        ("Temperature", number(model.get("temperature")), False),
        ("Threshold for unknown", number(threshold), False),
        ("Seed", seed, False),
        ("SHA-256 of the data", data.get("sha256"), True),
        ("Versions", ", ".join(f"{name} {text}" for name, text in versions.items()), False),
    ]
    return [(name, str(text), code) for name, text, code in facts if text not in (None, "", "–")]


def _fold_shares(predictions: list[Mapping]) -> list[float]:
    """Share of right answers in each fold of each repeat."""
    folds: dict[tuple, list[bool]] = {}
    for row in predictions:
        place = (row.get("repeat"), row.get("fold"))
        folds.setdefault(place, []).append(row["predicted"] == row["label"])
    return [sum(right) / len(right) for right in folds.values()]


def _protocol_text(counted: Counted) -> str | None:
    if not counted.answers:
        return None
    held = "whole groups" if counted.grouped else "groups split"
    if not counted.crossed:
        return f"{plural(counted.recordings, 'recording')} held out, {held}"
    parts = [f"{plural(counted.recordings, 'recording')} in {counted.folds} folds", held]
    if counted.repeats > 1:
        parts.insert(1, plural(counted.repeats, "time"))
    if counted.shares:
        low, high = map(percent, counted.shares)
        parts.append(f"{low} to {high} right from fold to fold")
    return ", ".join(parts)


def _data_text(data: Mapping) -> str:
    parts = []
    if data.get("files"):
        parts.append(plural(data["files"], "recording"))
    if data.get("groups") and data["groups"] != data.get("files"):
        parts.append(f"in {plural(data['groups'], 'group')}")
    if data.get("seconds"):
        parts.append(f"{', ' if parts else ''}{duration(data['seconds'])}")
    return " ".join(parts).replace(" ,", ",")
