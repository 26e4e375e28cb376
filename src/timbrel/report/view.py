"""What is said of a score: every figure and sentence, for terminal, notebook and page alike.

`ScoreView` puts the content of `evaluation.json` into words, `models_table` that of several side by
side, and `model_view` what `timbrel info` found in a model. The renderers in `terminal`, `notebook`
and `page` only lay out what is here, and escape it. A model may come from anywhere: what it says of
itself counts as not known where it is not what it should be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np

from timbrel.evaluation.calibration import ReliabilityBin, reliability
from timbrel.evaluation.metrics import wilson
from timbrel.inference.prediction import UNKNOWN
from timbrel.networks.recipes import RECIPES
from timbrel.text import (
    count,
    duration,
    frequency,
    known,
    number,
    percent,
    plural,
    shorten,
    signed,
    times,
)

_NOT_SAID = "it does not say"
# Longest label in a sentence, in characters.
_LABEL = 40
# A gain by more recordings that is below this, uncertainty included, is not worth the recording.
_LITTLE = 0.03
# Classes named that gain most from more recordings, and the level at which a gain is called sure.
_RISES = 8
_LEVEL = 0.95


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval.

    Attributes:
        value: the figure; None where it is not known.
        low, high: the ends of its interval; None where they are not known.
        text: the figure as it is written, `–` where it is not known.
        interval: its interval as it is written, `75–95 %`, or empty.
    """

    value: float | None
    low: float | None
    high: float | None
    text: str
    interval: str

    def __str__(self) -> str:
        return f"{self.text} (95 % interval {self.interval})" if self.interval else self.text


@dataclass(frozen=True)
class Statement:
    """A finding in words.

    Attributes:
        main: what was found, a sentence.
        more: how sure that is and what it means; may be empty.
    """

    main: str
    more: str = ""

    def __str__(self) -> str:
        return f"{self.main} {self.more}".strip()


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows.

    Attributes:
        title: what it shows.
        columns: names of the columns.
        rows: the cells of each row.
        words: names of further columns that hold words; the others hold figures.
        note: name of the column that says what the row is, or empty.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str | Figure, ...]]
    words: tuple[str, ...] = ()
    note: str = ""


def figure(
    value: object, ends: object = None, *, share: bool = True, digits: int = 1, end_digits: int = 0
) -> Figure:
    """Write a figure and the ends of its interval, shares in percent."""
    write = percent if share else number
    value = _number(value)
    pair = list(ends) if isinstance(ends, list | tuple) else []
    low, high = map(_number, pair) if len(pair) == 2 else (None, None)
    if low is None or high is None:
        return Figure(value, None, None, write(value, digits), "")
    interval = f"{number(100 * low if share else low, end_digits)}–{write(high, end_digits)}"
    return Figure(value, low, high, write(value, digits), interval)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def _get(part: object, *keys: str) -> Any:
    """What lies under keys, one inside the other; None where one of them is not there."""
    for key in keys:
        part = part.get(key) if isinstance(part, Mapping) else None
    return part


def metric_figure(part: object, key: str) -> Figure:
    """A metric of the `file` or `window` part of `evaluation.json`."""
    value, ends = _get(part, key), _get(part, "ci95", key)
    if key in ("map3", "log_loss", "brier"):
        return figure(value, ends, share=False, digits=3, end_digits=3)
    return figure(value, ends, end_digits=1 if key == "ece" else 0)


@dataclass(frozen=True)
class Reliability:
    """Whether probabilities come true: in words, in figures for a chart, and as a table."""

    statement: Statement
    bins: Sequence[ReliabilityBin]
    table: Table


@dataclass(frozen=True)
class LearningCurve:
    """Whether more recordings would help.

    Attributes:
        statement: that, in words.
        table: the score by number of recordings, growing.
        classes: which classes gain most, in words.
        rises: recall of these classes with fewer and with all recordings; without rows where no
            class gains.
    """

    statement: Statement
    table: Table
    classes: Statement
    rises: Table


@dataclass(frozen=True)
class ScoreView:
    """What is said of the score of a model or of a cross-validation.

    Statements of what was not measured are None, tables have no rows then.

    Attributes:
        evaluation: the content of `evaluation.json`; `random_split`, `gap`, `unknown`,
            `calibration`, `learning_curve` and intervals may be None. Where `protocol.folds` is
            above 1, it is the score of the networks of a cross-validation instead of one model.
        model: the content of `model.json`, where there is a model; what is missing is not shown.
    """

    evaluation: Mapping
    model: Mapping = field(default_factory=dict)

    @property
    def recipe(self) -> str:
        """Name of the recipe."""
        recipe = self.model.get("recipe") or self.evaluation.get("recipe") or "model"
        return str(recipe.get("name", "model") if isinstance(recipe, Mapping) else recipe)

    @property
    def changed_copies(self) -> bool:
        """Whether the recipe learns from changed copies of recordings."""
        recipe = RECIPES.get(self.evaluation.get("recipe"))
        return recipe is not None and recipe.schedule is not None

    @property
    def labels(self) -> list[str]:
        """The classes."""
        return self.evaluation["labels"]

    @property
    def matrix(self) -> list[list[float]]:
        """The confusion matrix, a row for each true class."""
        return self.evaluation["confusion"]

    @property
    def notes(self) -> list[str]:
        """What to know about the score, in sentences."""
        return _get(self.evaluation, "protocol", "notes") or []

    @cached_property
    def answers(self) -> int:
        """How many answers the score is the share of."""
        return round(sum(map(sum, self.matrix)))

    @property
    def right(self) -> int:
        """How many of the answers are right."""
        return round(sum(row[place] for place, row in enumerate(self.matrix)))

    @cached_property
    def recordings(self) -> int:
        """How many recordings were predicted, each as often as the data were divided."""
        predictions = self.evaluation.get("predictions") or ()
        return len({row["path"] for row in predictions}) or round(self.answers / self.repeats)

    @property
    def repeats(self) -> int:
        """How many times the data were divided."""
        return _get(self.evaluation, "protocol", "repeats") or 1

    @cached_property
    def fold_shares(self) -> list[float]:
        """Share of right answers in each fold of each repeat."""
        by_fold: dict[tuple, list[bool]] = {}
        for row in self.evaluation.get("predictions") or ():
            place = (row.get("repeat"), row.get("fold"))
            by_fold.setdefault(place, []).append(row["predicted"] == row["label"])
        return [sum(right) / len(right) for right in by_fold.values()]

    @property
    def folds(self) -> int:
        """Parts that were held out in turn: 1 where one network was scored on one part.

        0 where a finished model was scored on other data.
        """
        folds = _get(self.evaluation, "protocol", "folds")
        # It may be a word, such as `group`: then the predictions tell.
        return folds if isinstance(folds, int) else max(len(self.fold_shares) // self.repeats, 1)

    @property
    def crossed(self) -> bool:
        """Whether many networks share the score, so that it is of none in particular."""
        return self.folds > 1

    @property
    def grouped(self) -> bool:
        """Whether no group was on both sides."""
        return _get(self.evaluation, "protocol", "grouped") is not False

    @property
    def independent(self) -> bool:
        """Whether nearly every recording is a group of its own."""
        data = self.evaluation.get("data") or {}
        # A few duplicates that share a group do not matter.
        return (data.get("groups") or 0) >= 0.9 * (data.get("files") or 1)

    @property
    def accuracy(self) -> Figure:
        """The score: the share of files with the right answer."""
        return metric_figure(self.evaluation["file"], "accuracy")

    @property
    def headline(self) -> str:
        """The score in a few words."""
        if not self.answers:
            return "no score"
        text = f"{self.accuracy.text} of {plural(self.recordings, 'recording')} right"
        interval = self.accuracy.interval
        return f"{text} (95 % interval {interval})" if interval else text

    @property
    def scored_on(self) -> str:
        """What was scored, in a few words; empty where nothing was."""
        if not self.answers:
            return ""
        text = plural(self.recordings, "recording")
        if self.crossed:
            text += f" in {self.folds} folds"
            text += f", {plural(self.repeats, 'time')}" if self.repeats > 1 else ""
        elif self.folds:
            text += " held out"
        return f"{text}, {'whole groups' if self.grouped else 'groups split'}"

    @property
    def measured(self) -> Statement:
        """How the score was measured."""
        if not self.answers:
            what = "this recipe" if self.crossed else "this model"
            return Statement(
                "No recording could be scored.", f"How good {what} is remains unknown."
            )
        recordings = plural(self.recordings, "recording")
        main = f"{count(self.right)} of {recordings} got the right answer."
        if self.repeats > 1:
            answers = plural(self.answers, "answer")
            main = f"{count(self.right)} of {answers} for {recordings} were right."
        if self.folds == 0:
            return Statement(main, "Recordings that the model was trained on were left out.")
        more, network = "The model was trained without these recordings", "it"
        if self.crossed:
            more = "Each recording was predicted by a network that was trained without it"
            network = "that network"
        if not self.grouped:
            more += f", but some share a group with recordings that {network} was trained on. That "
            more += "flatters the score."
        else:
            more += "." if self.independent else ", and without any of the same group."
        if self.crossed:
            dealt = ""
            if self.repeats > 1:
                dealt = f", {count(self.repeats)} times in different ways"
            more += (
                f" The recordings were divided into {count(self.folds)} parts{dealt}, and "
                f"{count(self.folds * self.repeats)} networks were trained, each without one part "
                "and scored on it."
            )
        if self.crossed and self.fold_shares:
            low, high = percent(min(self.fold_shares)), percent(max(self.fold_shares))
            more += f" From part to part, between {low} and {high} were right."
        if self.model.get("refit"):
            more += (
                " After it was scored, the model was trained once more on all recordings; the "
                "score is that of the run before."
            )
        return Statement(main, more)

    @property
    def expect(self) -> Statement:
        """What to expect elsewhere."""
        elsewhere = "On recordings from other microphones and rooms, expect less."
        if not self.accuracy.interval:
            return Statement("", elsewhere)
        return Statement(
            f"On many more recordings of the same kind, expect {self.accuracy.interval}.",
            f"{plural(self.recordings, 'recording')} can only tell so much. {elsewhere}",
        )

    @property
    def compared(self) -> Table:
        """The score beside other accuracies, the score first."""
        split, windows = self.evaluation.get("random_split"), self.evaluation["window"]
        leaky = figure(_get(split, "window_accuracy"), _get(split, "ci95"))
        largest = max((row["files"] for row in self.evaluation["per_class"]), default=0)
        guess = figure(largest * self.repeats / self.answers if self.answers else None)
        rows = [
            ("Files", self.accuracy, "the score: one answer for each recording"),
            (
                "Windows",
                metric_figure(windows, "accuracy"),
                "one answer for each short piece of them",
            ),
            ("Random split", leaky, "pieces of one recording on both sides"),
            ("No model", guess, "always answering with the most common class"),
        ]
        return Table(
            "The score, and what it stands beside",
            ("scored on", "right", "what it is"),
            [row for row in rows if known(row[1].value)],
            words=("what it is",),
            note="what it is",
        )

    @property
    def leak(self) -> Statement | None:
        """What a random split of windows would have claimed."""
        evaluation = self.evaluation
        claimed, gap = _get(evaluation, "random_split", "window_accuracy"), evaluation.get("gap")
        if not known(claimed) or not known(gap):
            return None
        more_by = f"{signed(100 * gap, 1)} points more" if gap > 0 else "no more"
        main = f"A random split of windows would have claimed {percent(claimed)}, "
        main += f"{more_by} than is true."
        low, high = evaluation.get("gap_ci95") or (None, None)
        more = ""
        if known(low) and known(high):
            ends = f"{signed(100 * low)} to {signed(100 * high)} points"
            more = f"The 95 % interval of the difference is {ends}"
            more += ": with so few recordings it can be chance." if gap > 0 >= low else "."
        if gap > 0 and not (known(low) and low <= 0):
            more += (
                " Pieces of one recording are on both sides of such a split, so the network "
                "recognises recordings instead of classes."
            )
        return Statement(main, more.strip())

    @property
    def calibration(self) -> Statement | None:
        """How far confidence is off."""
        return calibration_statement(self.evaluation.get("calibration"))

    @property
    def unknown(self) -> Statement | None:
        """How sounds of no class fare."""
        return unknown_statement(self.evaluation.get("unknown"))

    @property
    def sanity(self) -> Statement | None:
        """How made-up sounds fare that belong to no class."""
        return sanity_statement(self.model.get("sanity"))

    @property
    def statements(self) -> list[Statement]:
        """What was found beside the score itself."""
        learning = self.learning and self.learning.statement
        found = (learning, self.leak, self.calibration, self.unknown, self.sanity)
        return [item for item in found if item]

    @property
    def made_up(self) -> Table:
        """The answers to made-up sounds, sound by sound."""
        cells = []
        for row in self.model.get("sanity") or ():
            guess = ""
            if row.get("predicted"):
                guess = f"{row['predicted']}, {percent(row['probability'], 0)}"
            verdict = "as it should" if row["passed"] else "taken for a class"
            cells.append((row["sound"], row["label"], guess, verdict))
        columns = ("sound", "answer", "most probable", "verdict")
        return Table("Made-up sounds", columns, cells, words=columns[1:])

    @property
    def classes(self) -> Table:
        """The score class by class."""
        return class_table(self.labels, self.evaluation["per_class"], self.matrix)

    @property
    def hardest(self) -> str:
        """The classes with the lowest F1, in a sentence; empty of few classes or equal ones."""
        rows = [row for row in self.evaluation["per_class"] if row["files"]]
        rows.sort(key=lambda row: row["f1"])
        named = [
            f"{shorten(row['label'], _LABEL)} ({percent(row['f1'], 0)})"
            for row in rows[:3]
            if row["f1"] < rows[-1]["f1"]
        ]
        return f"Hardest, by F1: {', '.join(named)}." if named and len(rows) >= 6 else ""

    @property
    def confusions(self) -> Table:
        """What is taken for what, the most frequent first."""
        counts = np.asarray(self.matrix, dtype=np.float64)
        wrong = counts * (1 - np.eye(len(counts)))
        shares = wrong / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        pairs = sorted(np.argwhere(wrong).tolist(), key=lambda at: (-wrong[*at], -shares[*at]))
        rows = [
            (
                self.labels[row],
                self.labels[column],
                count(wrong[row, column]),
                percent(shares[row, column], 0),
            )
            for row, column in pairs
        ]
        columns = ("class", "taken for", "times", "of the class")
        return Table("What is taken for what", columns, rows, words=("taken for",))

    @property
    def confused(self) -> str:
        """What is taken for what most often, in a sentence."""
        rows = self.confusions.rows
        if not rows:
            return "Every recording got the right answer."
        named = (
            f"{shorten(label, _LABEL)} taken for {shorten(answer, _LABEL)} ({times_taken})"
            for label, answer, times_taken, _ in rows[:5]
        )
        return f"Most often: {', '.join(named)}."

    @property
    def reliability(self) -> Reliability | None:
        """Whether confidence is too high or too low."""
        predictions = self.evaluation.get("predictions") or ()
        confidence = np.array([max(row["probabilities"]) for row in predictions], dtype=np.float64)
        right = np.array([row["predicted"] == row["label"] for row in predictions], dtype=bool)
        usable = np.isfinite(confidence)
        confidence, right = np.clip(confidence[usable], 0.0, 1.0), right[usable]
        if not len(confidence):
            return None
        mean, share = float(confidence.mean()), float(right.mean())
        low, high = self.accuracy.low, self.accuracy.high
        if low is None or high is None:
            low, high = wilson(share, len(right) / self.repeats)
        verdict = "too high" if mean > high else "too low" if mean < low else "as it should be"
        statement = Statement(
            f"On the whole the confidence is {verdict}.",
            f"It was {percent(mean)} on average, and {percent(share)} of answers were right.",
        )
        bins = reliability(confidence, right, repeats=self.repeats)
        rows = [
            (
                f"{percent(item.low, 0)} to {percent(item.high, 0)}",
                count(item.count),
                percent(item.confidence),
                figure(item.accuracy, item.ci95),
            )
            for item in bins
        ]
        columns = ("confidence", "files" if self.repeats == 1 else "answers", "mean", "right")
        return Reliability(statement, bins, Table("Confidence and outcome", columns, rows))

    @cached_property
    def learning(self) -> LearningCurve | None:
        """Whether more recordings would help."""
        files = {row["label"]: row["files"] for row in self.evaluation["per_class"]}
        return learning_view(self.evaluation.get("learning_curve"), files)

    @property
    def metrics(self) -> Table:
        """Every metric, of files and of windows."""
        rows = []
        for key, name, meaning in (
            ("accuracy", "Accuracy", "Share of right answers."),
            ("macro_f1", "Macro F1", "Mean F1 of the classes: each class counts the same."),
            (
                "map3",
                "mAP@3",
                "How high the right class stands among the first three answers. 1 is best.",
            ),
            ("log_loss", "Log loss", "Punishes confident answers that are wrong. 0 is best."),
            ("brier", "Brier score", "Squared error of the probabilities. 0 is best."),
            (
                "ece",
                "Calibration error (ECE)",
                "How far probabilities are from how often they come true. 0 is best.",
            ),
        ):
            levels = (metric_figure(self.evaluation[level], key) for level in ("file", "window"))
            rows.append((name, *levels, meaning))
        columns = ("score", "files", "windows", "what it means")
        return Table("All scores", columns, rows, words=columns[-1:], note=columns[-1])

    @property
    def facts(self) -> Table:
        """The model, or how its score was measured; only what is known."""
        evaluation, model = self.evaluation, self.model
        data = model.get("data") or evaluation.get("data") or {}
        seconds, rate = evaluation.get("seconds") or {}, model.get("rate")
        threshold = _number(_get(model, "thresholds", "unknown"))
        window = hop = ""
        if rate and model.get("window"):
            window, hop = (duration(model.get(key, 0) / rate) for key in ("window", "hop"))
        seed = model.get("seed", _get(evaluation, "protocol", "seed"))
        rows = [
            ("Recipe", self.recipe),
            ("Scored on", self.scored_on),
            ("Classes", ", ".join(map(str, model.get("labels") or self.labels))),
            ("Sample rate", frequency(rate) if rate else ""),
            ("Window", f"{window}, every {hop}" if window else ""),
            ("Data", data_text(data)),
            ("Training took", duration(seconds["train"]) if seconds.get("train") else ""),
            ("In all", duration(seconds["total"]) if seconds.get("total") else ""),
            ("Temperature", number(model["temperature"]) if model.get("temperature") else ""),
            ("Threshold for unknown", "" if threshold is None else number(threshold)),
            ("Seed", "" if seed is None else str(seed)),
            ("SHA-256 of the data", data.get("sha256") or ""),
            ("Versions", versions_text(model.get("versions"))),
        ]
        title = "How it was measured" if self.crossed else "The model"
        return _fact_table(title, rows)

    @property
    def excluded(self) -> Table:
        """Recordings that are not in the score, and why."""
        rows = [(row["path"], row["reason"]) for row in self.evaluation.get("excluded") or ()]
        return Table("What was left out of the score", ("recording", "why"), rows, words=("why",))


def calibration_statement(calibration: object) -> Statement | None:
    """How far confidence is off; takes the `calibration` part of `evaluation.json`."""
    after, before, expected, temperature = (
        _number(_get(calibration, key))
        for key in ("ece_after", "ece_before", "ece_expected", "temperature")
    )
    if after is None:
        return None
    more = ""
    if before is not None:
        more = f"Before calibration it was {percent(before)}"
        more += "." if temperature is None else f" (temperature {number(temperature, 2)})."
    if expected is not None:
        more += f" A perfectly calibrated model would show {percent(expected)} on as many files."
    return Statement(f"Confidence is off by {percent(after)} on average.", more.strip())


def unknown_statement(unknown: object) -> Statement | None:
    """How sounds of no class fare; takes the `unknown` part of `evaluation.json`."""
    auroc = figure(
        _get(unknown, "auroc"), _get(unknown, "ci95", "auroc"), share=False, digits=2, end_digits=2
    )
    if auroc.value is None:
        return None
    main = f"Known and unknown sounds are told apart with an AUROC of {auroc}."
    more = "0.5 is guessing, 1 is perfect."
    accepted = figure(_get(unknown, "accept_rate"), _get(unknown, "ci95", "accept_rate"))
    threshold = _number(_get(unknown, "threshold"))
    if accepted.value is not None:
        where = "the threshold" if threshold is None else f"the threshold of {number(threshold, 2)}"
        if threshold is not None and len(_get(unknown, "parts") or ()) > 1:
            where = f"the thresholds of these networks, {number(threshold, 2)} on average"
        more += f" At {where}, {accepted} of unknown sounds are taken for a class."
    background = _get(unknown, "none_of_these")
    rate, other_auroc = (_number(_get(background, key)) for key in ("accept_rate", "auroc"))
    if rate is not None:
        more += (
            " These are sounds of classes that the networks were trained without. Of the examples "
            f"of none of these that were kept for the test, {percent(rate)} are taken for a class "
            f"(AUROC {number(other_auroc, 2)})."
        )
    return Statement(main, more)


def sanity_statement(rows: Sequence[Mapping] | None) -> Statement | None:
    """What a model made of made-up sounds; takes the `sanity` part of `model.json`."""
    if not rows:
        return None
    unknown = sum(row["label"] == UNKNOWN for row in rows)
    which = f"all {len(rows)}" if unknown == len(rows) else f"{unknown} of {len(rows)}"
    own = [
        f"{row['sound']} ({row['label']})"
        for row in rows
        if row["passed"] and row["label"] != UNKNOWN
    ]
    failed = [
        f"{row['sound']} ({row['label']}, {percent(row['probability'], 0)})"
        for row in rows
        if not row["passed"]
    ]
    more = f"Taken for a class of their own kind: {', '.join(own)}. " if own else ""
    if failed:
        more += (
            f"Taken for a class: {', '.join(failed)}. Take answers on such sounds with care, or "
            "add recordings of them in a folder named noise, or as a class of their own."
        )
    return Statement(
        f"The answer to {which} made-up sounds that belong to no class was '{UNKNOWN}'.",
        more.strip(),
    )


def class_table(
    labels: Sequence[str], per_class: Sequence[Mapping], matrix: Sequence[Sequence[float]]
) -> Table:
    """The score class by class; takes parts of `evaluation.json`."""
    rows = []
    for row, counts in zip(per_class, matrix, strict=True):
        wrong = {
            label: times_taken
            for label, times_taken in zip(labels, counts, strict=True)
            if times_taken and label != row["label"]
        }
        worst = max(wrong, key=wrong.__getitem__, default=None)
        # Of a class without recordings, no score says anything.
        precision, recall, f1 = (
            row[key] if row["files"] else None for key in ("precision", "recall", "f1")
        )
        rows.append(
            (
                row["label"],
                count(row["files"]),
                percent(precision),
                figure(recall, _get(row, "ci95", "recall")),
                percent(f1),
                "" if worst is None else f"{worst} ({count(wrong[worst])})",
            )
        )
    columns = ("class", "files", "precision", "recall", "F1", "most taken for")
    return Table("Class by class", columns, rows, words=columns[-1:])


def learning_view(
    points: Sequence[Mapping] | None, files: Mapping[str, float]
) -> LearningCurve | None:
    """Read a learning curve: all recordings are compared with about half of them.

    Args:
        points: `evaluation.json`'s `learning_curve`: mappings with `recordings`, `accuracy`,
            `ci95` and `recall`, the number of recordings growing.
        files: number of recordings of each class that recall was measured on.

    Returns:
        None where nothing was measured.
    """
    points = [point for point in points or () if known(point["accuracy"])]
    if not points:
        return None
    size = points[-1]["recordings"]
    table = Table(
        "Learning curve",
        ("recordings trained on", "files right"),
        [
            (
                Figure(point["recordings"], None, None, count(point["recordings"]), ""),
                figure(point["accuracy"], point.get("ci95")),
            )
            for point in points
        ],
    )
    before = _half(points, size)
    if before is None:
        statement = Statement(
            "Only one number of recordings was tried, so there is nothing to compare it with."
        )
        return LearningCurve(statement, table, Statement(""), Table("", ("",), []))
    fewer, gain = before["recordings"], 100 * (points[-1]["accuracy"] - before["accuracy"])
    # Half the width of the interval of the difference. Both scores are of the same held-out
    # recordings, so they vary together and the truth is narrower: this errs on the side of doubt.
    ends = [point.get("ci95") or (None, None) for point in (before, points[-1])]
    doubt = None
    if all(known(end) for pair in ends for end in pair):
        doubt = 100 * math.hypot(*((high - low) / 2 for low, high in ends))
    if doubt is not None and abs(gain) > doubt and gain > 0:
        main = "More recordings would very likely help: the curve still rises at its end."
    elif doubt is not None and abs(gain) > doubt:
        main = (
            "The score fell by more than chance explains, which more recordings alone do not do: "
            "look at the labels of what was added."
        )
    elif doubt is not None and gain + doubt < 100 * _LITTLE:
        main = (
            "More recordings of the same kind would hardly help: a gain above "
            f"{number(gain + doubt, 1)} points is unlikely. Other kinds of recordings, or another "
            "recipe, may do more."
        )
    elif gain > 0:
        main = "More recordings may help, but this measurement cannot prove it."
    else:
        main = "There is no sign that more recordings of the same kind would help"
        if doubt is not None:
            main += f", though chance may hide a gain of up to {number(gain + doubt, 1)} points"
        main += "."
    factor = size / fewer
    step = "Twice" if 1.9 < factor < 2.1 else f"{times(factor)} times"
    change = "left the score as it was"
    if gain:
        change = f"{'raised' if gain > 0 else 'lowered'} the score by {number(abs(gain), 1)} points"
    more = f"{step} as many recordings, {count(size)} instead of {count(fewer)}, {change}"
    if doubt is not None:
        more += f"; a difference of up to {number(doubt, 1)} points could be chance"
    first = _half(points, fewer)
    if first is not None:
        earlier = 100 * (before["accuracy"] - first["accuracy"])
        more += (
            f". The step before, from {count(first['recordings'])} to {count(fewer)}, changed it "
            f"by {signed(earlier, 1)} points"
        )
    return LearningCurve(Statement(main, f"{more}."), table, *_rises(before, points[-1], files))


def _half(points: Sequence[Mapping], size: float) -> Mapping | None:
    """The point with the number of recordings nearest to half of a size, as a ratio."""
    smaller = [point for point in points if 0 < point["recordings"] < size]
    return min(
        smaller, key=lambda point: abs(math.log(2 * point["recordings"] / size)), default=None
    )


def _rises(before: Mapping, after: Mapping, files: Mapping[str, float]) -> tuple[Statement, Table]:
    """The classes whose recall rose, the largest rise first.

    A rise is called sure where it exceeds what chance makes in the luckiest of so many classes.

    Source: Agresti & Caffo (2000), "Simple and effective confidence intervals for proportions and
    differences of proportions", with Bonferroni's correction.
    """
    old, new = before.get("recall") or {}, after.get("recall") or {}
    both = [label for label in new if known(old.get(label)) and known(new[label])]
    z = NormalDist().inv_cdf(1 - (1 - _LEVEL) / 2 / max(len(both), 1))
    sure = set()
    for label in both:
        # One right and one wrong more, so that no share of few recordings is without doubt.
        size = files.get(label, 0) + 2
        shares = ((share * (size - 2) + 1) / size for share in (old[label], new[label]))
        spread = z * math.sqrt(sum(share * (1 - share) / size for share in shares))
        if new[label] - old[label] > spread:
            sure.add(label)
    rising = [label for label in both if new[label] > old[label]]
    rising = sorted(rising, key=lambda label: old[label] - new[label])[:_RISES]
    fewer, size = count(before["recordings"]), count(after["recordings"])
    main = f"Recall with {fewer} and with {size} recordings of all classes."
    begin = [shorten(label, _LABEL) for label in rising if label in sure][:3]
    more = "Each of these rises could be chance: there are too few files of a class to be sure."
    if begin:
        more = f"Begin with {', '.join(begin)}: rises with * are more than chance explains."
    rows = [
        (
            label,
            percent(old[label], 0),
            percent(new[label], 0),
            f"+{number(100 * (new[label] - old[label]), 0)}{' *' * (label in sure)}",
        )
        for label in rising
    ]
    table = Table("Classes that gain most", ("class", fewer, size, "points"), rows)
    return Statement(main, more), table


def _fact_table(title: str, rows: Sequence[tuple[str, str]]) -> Table:
    return Table(title, ("", ""), [row for row in rows if row[1]], words=("",))


def data_text(data: object) -> str:
    """How much data there was; takes the `data` part of `evaluation.json` or `model.json`."""
    files, groups, seconds = (_number(_get(data, key)) for key in ("files", "groups", "seconds"))
    text = plural(files, "recording") if files else ""
    if groups and groups != files:
        text = f"{text} in {plural(groups, 'group')}".lstrip()
    return ", ".join(filter(None, (text, duration(seconds) if seconds else "")))


def versions_text(versions: object) -> str:
    """What a model was made with; takes the `versions` part of `model.json`."""
    pairs = versions.items() if isinstance(versions, Mapping) else ()
    return ", ".join(f"{name} {version}" for name, version in pairs)


# ── Finished models side by side, and what a model says of itself ────────────────────────────────


def models_table(names: Sequence[str], evaluations: Sequence[Mapping]) -> Table:
    """Finished models side by side; takes what the user named and each one's evaluation."""
    rows = [
        (
            name,
            metric_figure(evaluation["file"], "accuracy"),
            metric_figure(evaluation["window"], "accuracy").text,
            metric_figure(evaluation["file"], "ece").text,
            number(_get(evaluation, "unknown", "auroc"), 2),
            percent(_get(evaluation, "unknown", "accept_rate"), 0),
        )
        for name, evaluation in zip(names, evaluations, strict=True)
    ]
    scored = plural(len(evaluations[0]["predictions"]), "recording")
    columns = ("model", "files right", "windows", "ECE", "unknown AUROC", "accepted")
    return Table(f"On {scored} whose files no model was trained on", columns, rows)


def differences(names: Sequence[str], evaluations: Sequence[Mapping]) -> list[str]:
    """How much better or worse than the first model each other one is, in sentences."""
    sentences = []
    for name, evaluation in zip(names, evaluations, strict=True):
        if "against_first" not in evaluation:
            continue
        points, (low, high) = (evaluation["against_first"][key] for key in ("points", "ci95"))
        chance = "" if low > 0 or high < 0 else ", which can be chance"
        sentences.append(
            f"{name} against {names[0]}: {'+' if points > 0 else ''}{signed(100 * points, 1)} "
            f"points of files (95 % interval {signed(100 * low)} to {signed(100 * high)}){chance}."
        )
    return sentences


@dataclass(frozen=True)
class ModelView:
    """What is said of a finished model.

    Attributes:
        about: what it is.
        score: how good it is, and what to make of its answers.
        origin: where it comes from.
        classes: the score class by class; None where that is not known.
        notes: what its user should know, in sentences.
    """

    about: Table
    score: Table
    origin: Table
    classes: Table | None
    notes: Sequence[str]


def model_view(found: Mapping) -> ModelView:
    """Describe a model; takes what `ModelInfo.to_dict` gives."""
    recipe, network, provenance = found["recipe"], found["network"], found["provenance"]
    scores, front_end = found["scores"] or {}, found["front_end"]
    sizes = [(found["class_counts"] or {}).get(label) for label in found["labels"]]
    labels = [
        label if size is None else f"{label} ({count(size)})"
        for label, size in zip(found["labels"], sizes, strict=True)
    ]
    each = "" if None in sizes else ", each with its number of recordings"
    threshold, depth = front_end["clean_threshold"], front_end["depth"]
    hears = [
        f"{front_end['picture'] or ''} picture of {duration(front_end['window'])} at "
        f"{frequency(front_end['rate'])}, every {duration(front_end['hop'])}".lstrip(),
        "nothing is cut away"
        if threshold is None
        else f"only where the envelope exceeds {threshold:g} of full scale",
        f"the answer for a recording is the {front_end['aggregation']} over its windows"
        + ("" if depth is None else f", but for those {depth:g} dB fainter than the loudest"),
    ]
    parameters = f"{plural(network['parameters'], 'parameter')}, " if network["parameters"] else ""
    about = [
        ("recipe", ": ".join(filter(None, (recipe["name"], recipe["description"]))) or _NOT_SAID),
        ("classes", f"{len(labels)}{each}: {', '.join(labels)}"),
        ("hears", "; ".join(hears)),
        ("network", f"{parameters}an embedding of {count(network['embedding'])} numbers"),
        ("model.onnx", f"{found['bytes'] / 1e6:.1f} MB, all that predicting needs"),
    ]
    held_out, folds = scores.get("held_out_files"), _get(scores, "protocol", "folds")
    scored_on = "nothing"
    if isinstance(held_out, int) and held_out > 0:
        crossed = isinstance(folds, int) and folds > 1
        by = ", each by a network that never heard it" if crossed else " that it never heard"
        scored_on = plural(held_out, "recording") + by
    accepted = f"0: every answer is accepted, none is '{UNKNOWN}'"
    if found["threshold"]:
        accepted = (
            f"below a probability of {number(found['threshold'])} the answer is '{UNKNOWN}'; "
            f"{percent(found['accept'], 0)} of the right answers on recordings kept apart for this "
            "reach it"
        )
    confidence = calibration_statement(scores.get("calibration"))
    if confidence is None and found["temperature"]:
        confidence = f"temperature {number(found['temperature'], 2)}"
    figures = {
        "files right": metric_figure(scores.get("file"), "accuracy"),
        "windows right": metric_figure(scores.get("window"), "accuracy"),
        "macro F1": metric_figure(scores.get("file"), "macro_f1"),
    }
    score = [
        ("scored on", scored_on),
        *((name, str(item)) for name, item in figures.items() if item.value is not None),
        ("calibration", str(confidence or "")),
        ("threshold", accepted),
        ("unknown", str(unknown_statement(scores.get("unknown")) or "")),
        ("sanity", str(sanity_statement(found["sanity"]) or "")),
    ]
    data, learned, seed = provenance["data"] or {}, provenance["trained_on"], provenance["seed"]
    parity = _number(_get(provenance["parity"], "max_difference"))
    origin = [
        ("data", data_text(data)),
        ("trained on", "" if learned is None else plural(learned, "different file")),
        ("SHA-256", str(data.get("sha256") or "")),
        ("seed", "" if seed is None else str(seed)),
        ("trained in", provenance["trained_in"] or ""),
        ("export", "" if parity is None else f"agrees with Keras to {parity:.1e} in probability"),
        ("made with", versions_text(provenance["versions"]) or _NOT_SAID),
        ("schema", str(provenance["schema"])),
    ]
    record = found["evaluation"]
    return ModelView(
        about=_fact_table(found["model"], about),
        score=_fact_table("Honest scores", score),
        origin=_fact_table("Where it comes from", origin),
        classes=record and class_table(found["labels"], record["per_class"], record["confusion"]),
        notes=found["notes"],
    )
