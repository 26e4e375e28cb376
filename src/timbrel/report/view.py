"""Sentences and tables on scores and models, for terminal, notebook and page alike.

`ScoreView` describes an `evaluation.json`, `models_table` several of them side by side, and
`model_tables` the result of `timbrel info`. The renderers in `terminal`, `notebook` and `page` only
lay them out and escape them. A model may come from anywhere: a value of the wrong type counts as
not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

# Longest label in a sentence, in characters.
_LABEL = 40
# A possible gain by more recordings below this is not worth the recording.
_SMALL_GAIN = 0.03
# Classes listed that gain most from more recordings, and the confidence level of such a gain.
_RISES = 8
_LEVEL = 0.95
_METRICS = (
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
)


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
    """A result in words.

    Attributes:
        main: the result, a sentence.
        more: how certain it is and what it means; may be empty.
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
        columns: names of the columns; empty ones for a list of names and texts.
        rows: the cells of each row.
        words: names of further columns that hold words; the others hold figures.
        note: name of the column that explains the row, or empty.
        statement: the result that the table shows.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | Figure]]
    words: Sequence[str] = ()
    note: str = ""
    statement: Statement = Statement("")

    def figures(self, place: int) -> list[Figure]:
        """The figures of a column."""
        return [cell for row in self.rows if isinstance(cell := row[place], Figure)]


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


def metric_figure(part: object, key: str) -> Figure:
    """A metric of the `file` or `window` part of `evaluation.json`."""
    value, ends = _get(part, key), _get(part, "ci95", key)
    if key in ("map3", "log_loss", "brier"):
        return figure(value, ends, share=False, digits=3, end_digits=3)
    return figure(value, ends, end_digits=1 if key == "ece" else 0)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def _get(part: object, *keys: str) -> Any:
    """The value under keys, one inside the other; None where one of them is missing."""
    for key in keys:
        part = part.get(key) if isinstance(part, Mapping) else None
    return part


class ScoreView:
    """The score of a model or of a cross-validation, in figures, sentences and tables.

    Statements on what was not measured are None, and tables have no rows then.

    Args:
        evaluation: the content of `evaluation.json`; `random_split`, `gap`, `unknown`,
            `calibration`, `learning_curve` and intervals may be None.
        model: the content of `model.json`, where there is a model; what is missing is not shown.

    Attributes:
        evaluation, model: the arguments.
        recipe: name of the recipe.
        labels: the classes.
        matrix: the confusion matrix, a row for each true class.
        notes: sentences on the conditions of the score.
        answers, right: how many answers the score is the share of, and how many are right.
        repeats: how many times the data were divided into folds.
        recordings: how many recordings were predicted, each `repeats` times.
        fold_shares: share of right answers in each fold of each repeat.
        folds: parts that were held out in turn: 1 where one network was scored on one part, 0 where
            a finished model was scored on other data.
        crossed: whether the score is that of several networks.
        grouped: whether every group was on one side only.
        independent: whether nearly every recording is a group of its own.
        changed_copies: whether the recipe learns from changed copies of recordings.
        accuracy: the score: the share of files with the right answer.
        calibration: how far confidence is off.
        unknown: how sounds of no class are answered.
        sanity: how synthetic sounds of no class are answered.
    """

    def __init__(
        self, evaluation: Mapping[str, Any], model: Mapping[str, Any] | None = None
    ) -> None:
        self.evaluation, self.model = evaluation, model or {}
        recipe = self.model.get("recipe") or evaluation.get("recipe") or "model"
        self.recipe = str(recipe.get("name", "model") if isinstance(recipe, Mapping) else recipe)
        self.labels: list[str] = evaluation["labels"]
        self.matrix: list[list[float]] = evaluation["confusion"]
        protocol = evaluation.get("protocol")
        self.notes: list[str] = _get(protocol, "notes") or []
        self.answers = round(sum(map(sum, self.matrix)))
        self.right = round(sum(row[place] for place, row in enumerate(self.matrix)))
        self.repeats: int = _get(protocol, "repeats") or 1
        predictions: Sequence[Mapping] = evaluation.get("predictions") or ()
        paths = {row["path"] for row in predictions}
        self.recordings = len(paths) or round(self.answers / self.repeats)
        by_fold: dict[tuple, list[bool]] = {}
        for row in predictions:
            correct = by_fold.setdefault((row.get("repeat"), row.get("fold")), [])
            correct.append(row["predicted"] == row["label"])
        self.fold_shares = [sum(correct) / len(correct) for correct in by_fold.values()]
        folds = _get(protocol, "folds")
        # It may be a word, such as `group`.
        counted = max(len(self.fold_shares) // self.repeats, 1)
        self.folds = folds if isinstance(folds, int) else counted
        self.crossed = self.folds > 1
        self.grouped = _get(protocol, "grouped") is not False
        data = evaluation.get("data") or {}
        # A few duplicates that share a group do not matter.
        self.independent = (data.get("groups") or 0) >= 0.9 * (data.get("files") or 1)
        known_recipe = RECIPES.get(str(evaluation.get("recipe")))
        self.changed_copies = known_recipe is not None and known_recipe.schedule is not None
        self.accuracy = metric_figure(evaluation["file"], "accuracy")
        self.calibration = calibration_statement(evaluation.get("calibration"))
        self.unknown = unknown_statement(evaluation.get("unknown"))
        self.sanity = sanity_statement(self.model.get("sanity"))

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
        """The recordings of the score, in a few words; empty where there are none."""
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
            scored = "this recipe" if self.crossed else "this model"
            return Statement(
                "No recording could be scored.", f"How good {scored} is remains unknown."
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
            ways = f", {count(self.repeats)} times in different ways" if self.repeats > 1 else ""
            more += (
                f" The recordings were divided into {count(self.folds)} parts{ways}, and "
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
        """What to expect on other recordings."""
        elsewhere = "On recordings from other microphones and rooms, expect less."
        if not self.accuracy.interval:
            return Statement("", elsewhere)
        return Statement(
            f"On many more recordings of the same kind, expect {self.accuracy.interval}.",
            f"{plural(self.recordings, 'recording')} can only tell so much. {elsewhere}",
        )

    @property
    def compared(self) -> Table:
        """The score and other accuracies, the score first."""
        split = self.evaluation.get("random_split")
        largest = max((row["files"] for row in self.evaluation["per_class"]), default=0)
        guess = largest * self.repeats / self.answers if self.answers else None
        windows = metric_figure(self.evaluation["window"], "accuracy")
        leaky = figure(_get(split, "window_accuracy"), _get(split, "ci95"))
        rows = [
            ("Files", self.accuracy, "the score: one answer for each recording"),
            ("Windows", windows, "one answer for each short piece of them"),
            ("Random split", leaky, "pieces of one recording on both sides"),
            ("No model", figure(guess), "always answering with the most common class"),
        ]
        return Table(
            "The score and other accuracies",
            ("scored on", "right", "what it is"),
            [row for row in rows if row[1].value is not None],
            words=("what it is",),
            note="what it is",
        )

    @property
    def leak(self) -> Statement | None:
        """What a random split of windows would have claimed."""
        claimed = _number(_get(self.evaluation, "random_split", "window_accuracy"))
        gap = _number(self.evaluation.get("gap"))
        if claimed is None or gap is None:
            return None
        more_by = f"{signed(100 * gap, 1)} points more" if gap > 0 else "no more"
        main = f"A random split of windows would have claimed {percent(claimed)}, "
        main += f"{more_by} than is true."
        ends = figure(gap, self.evaluation.get("gap_ci95"))
        chance = ends.low is not None and ends.low <= 0
        more = ""
        if ends.low is not None and ends.high is not None:
            more = (
                f"The 95 % interval of the difference is {signed(100 * ends.low)} to "
                f"{signed(100 * ends.high)} points"
            )
            more += ": with so few recordings it can be chance." if gap > 0 and chance else "."
        if gap > 0 and not chance:
            more += (
                " Pieces of one recording are on both sides of such a split, so the network "
                "recognises recordings instead of classes."
            )
        return Statement(main, more.strip())

    @property
    def statements(self) -> list[Statement]:
        """The results of everything that was measured besides the score."""
        learning = self.learning and self.learning.statement
        found = (learning, self.leak, self.calibration, self.unknown, self.sanity)
        return [item for item in found if item]

    @property
    def synthetic(self) -> Table:
        """The answers to synthetic sounds, sound by sound."""
        cells = []
        for row in self.model.get("sanity") or ():
            guess = ""
            if row.get("predicted"):
                guess = f"{row['predicted']}, {percent(row['probability'], 0)}"
            verdict = "as it should" if row["passed"] else "taken for a class"
            cells.append((row["sound"], row["label"], guess, verdict))
        columns = ("sound", "answer", "most probable", "verdict")
        return Table("Made-up sounds", columns, cells, words=columns[1:])

    @cached_property
    def classes(self) -> Table:
        """The score class by class; of many classes, those with the lowest F1 in a sentence."""
        table = class_table(self.labels, self.evaluation["per_class"], self.matrix)
        rows = [row for row in self.evaluation["per_class"] if row["files"]]
        rows.sort(key=lambda row: row["f1"])
        hardest = [
            f"{shorten(row['label'], _LABEL)} ({percent(row['f1'], 0)})"
            for row in rows[:3]
            if row["f1"] < rows[-1]["f1"]
        ]
        if not hardest or len(rows) < 6:
            return table
        return replace(table, statement=Statement(f"Hardest, by F1: {', '.join(hardest)}."))

    @cached_property
    def confusions(self) -> Table:
        """The mistakes by class and answer, the most frequent first."""
        counts = np.asarray(self.matrix, dtype=np.float64)
        wrong = counts * (1 - np.eye(len(counts)))
        shares = wrong / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        pairs = sorted(np.argwhere(wrong).tolist(), key=lambda at: (-wrong[*at], -shares[*at]))
        labels = self.labels
        named = (
            f"{shorten(labels[row], _LABEL)} taken for {shorten(labels[column], _LABEL)} "
            f"({count(wrong[row, column])})"
            for row, column in pairs[:5]
        )
        most = f"Most often: {', '.join(named)}."
        return Table(
            "What is taken for what",
            ("class", "taken for", "times", "of the class"),
            [
                (
                    labels[row],
                    labels[column],
                    count(wrong[row, column]),
                    percent(shares[row, column], 0),
                )
                for row, column in pairs
            ],
            words=("taken for",),
            statement=Statement("", most if pairs else "Every recording got the right answer."),
        )

    @cached_property
    def reliability_bins(self) -> list[ReliabilityBin]:
        """How often answers are right, by confidence."""
        rows = [
            row
            for row in self.evaluation.get("predictions") or ()
            if np.isfinite(row["probabilities"]).all()
        ]
        confidence = np.array([max(row["probabilities"]) for row in rows], dtype=np.float64)
        right = np.array([row["predicted"] == row["label"] for row in rows], dtype=bool)
        return reliability(np.clip(confidence, 0.0, 1.0), right, repeats=self.repeats)

    @property
    def reliability(self) -> Table:
        """Whether confidence is too high or too low."""
        bins = self.reliability_bins
        columns = ("confidence", "files" if self.repeats == 1 else "answers", "mean", "right")
        rows = [
            (
                f"{percent(item.low, 0)} to {percent(item.high, 0)}",
                count(item.count),
                percent(item.confidence),
                figure(item.accuracy, item.ci95),
            )
            for item in bins
        ]
        if not bins:
            return Table("Confidence and outcome", columns, rows)
        counts = [item.count for item in bins]
        mean = float(np.average([item.confidence for item in bins], weights=counts))
        share = float(np.average([item.accuracy for item in bins], weights=counts))
        low, high = self.accuracy.low, self.accuracy.high
        if low is None or high is None:
            low, high = wilson(share, sum(counts) / self.repeats)
        verdict = "too high" if mean > high else "too low" if mean < low else "as it should be"
        statement = Statement(
            f"On the whole the confidence is {verdict}.",
            f"It was {percent(mean)} on average, and {percent(share)} of answers were right.",
        )
        return Table("Confidence and outcome", columns, rows, statement=statement)

    @cached_property
    def _points(self) -> list[Mapping]:
        """The points of the learning curve, the number of recordings growing."""
        points = self.evaluation.get("learning_curve") or ()
        return [point for point in points if known(point["accuracy"])]

    @cached_property
    def learning(self) -> Table | None:
        """Whether more recordings would help; None where that was not measured.

        All recordings are compared with about half of them.
        """
        if not self._points:
            return None
        after = self._points[-1]
        rows = [
            (
                Figure(point["recordings"], None, None, count(point["recordings"]), ""),
                figure(point["accuracy"], point.get("ci95")),
            )
            for point in self._points
        ]
        table = Table("Learning curve", ("recordings trained on", "files right"), rows)
        before = _half(self._points, after["recordings"])
        if before is None:
            main = "Only one number of recordings was tried, so there is nothing to compare it "
            return replace(table, statement=Statement(f"{main}with."))
        gain = 100 * (after["accuracy"] - before["accuracy"])
        # Half the width of the interval of the difference; NaN where it is not known. Both scores
        # are of the same held-out recordings, so they vary together: the true one is narrower.
        ends = [end for point in (before, after) for end in point.get("ci95") or (None, None)]
        low, high, low_after, high_after = (math.nan if end is None else end for end in ends)
        doubt = 50 * math.hypot(high - low, high_after - low_after)
        if gain > doubt:
            main = "More recordings would very likely help: the curve still rises at its end."
        elif -gain > doubt:
            main = (
                "The score fell by more than chance explains, which more recordings alone do not "
                "do: look at the labels of what was added."
            )
        elif gain + doubt < 100 * _SMALL_GAIN:
            main = (
                "More recordings of the same kind would hardly help: a gain above "
                f"{number(gain + doubt, 1)} points is unlikely. Other kinds of recordings, or "
                "another recipe, may do more."
            )
        elif gain > 0:
            main = "More recordings may help, but this measurement cannot prove it."
        else:
            main = "There is no sign that more recordings of the same kind would help"
            if known(doubt):
                main += f", though chance may hide a gain of up to {number(gain + doubt, 1)} points"
            main += "."
        factor = after["recordings"] / before["recordings"]
        step = "Twice" if 1.9 < factor < 2.1 else f"{times(factor)} times"
        change = "left the score as it was"
        if gain:
            change = f"{'raised' if gain > 0 else 'lowered'} the score by "
            change += f"{number(abs(gain), 1)} points"
        sizes = f"{count(after['recordings'])} instead of {count(before['recordings'])}"
        more = f"{step} as many recordings, {sizes}, {change}"
        if known(doubt):
            more += f"; a difference of up to {number(doubt, 1)} points could be chance"
        first = _half(self._points, before["recordings"])
        if first is not None:
            earlier = 100 * (before["accuracy"] - first["accuracy"])
            more += (
                f". The step before, from {count(first['recordings'])} to "
                f"{count(before['recordings'])}, changed it by {signed(earlier, 1)} points"
            )
        return replace(table, statement=Statement(main, f"{more}."))

    @property
    def rises(self) -> Table:
        """The classes whose recall rises with more recordings, the largest rise first.

        A rise is marked where it exceeds what chance makes in the luckiest of so many classes.

        Source: Agresti & Caffo (2000), "Simple and effective confidence intervals for proportions
        and differences of proportions", with Bonferroni's correction.
        """
        before = _half(self._points, self._points[-1]["recordings"]) if self._points else None
        if before is None:
            return Table("Classes that gain most", (), [])
        old, new = before.get("recall") or {}, self._points[-1].get("recall") or {}
        both = [label for label in new if known(old.get(label)) and known(new[label])]
        z = NormalDist().inv_cdf(1 - (1 - _LEVEL) / 2 / max(len(both), 1))
        files = {row["label"]: row["files"] for row in self.evaluation["per_class"]}
        certain = set()
        for label in both:
            # One right and one wrong more, so that no share of few recordings is without doubt.
            size = files.get(label, 0) + 2
            shares = ((share * (size - 2) + 1) / size for share in (old[label], new[label]))
            spread = z * math.sqrt(sum(share * (1 - share) / size for share in shares))
            if new[label] - old[label] > spread:
                certain.add(label)
        rising = [label for label in both if new[label] > old[label]]
        rising = sorted(rising, key=lambda label: old[label] - new[label])[:_RISES]
        fewer, all_of_them = count(before["recordings"]), count(self._points[-1]["recordings"])
        begin = [shorten(label, _LABEL) for label in rising if label in certain][:3]
        more = "Each of these rises could be chance: there are too few files of a class to be sure."
        if begin:
            more = f"Begin with {', '.join(begin)}: rises with * are more than chance explains."
        rows = [
            (
                label,
                percent(old[label], 0),
                percent(new[label], 0),
                f"+{number(100 * (new[label] - old[label]), 0)}{' *' * (label in certain)}",
            )
            for label in rising
        ]
        return Table(
            "Classes that gain most",
            ("class", fewer, all_of_them, "points"),
            rows,
            statement=Statement(
                f"Recall with {fewer} and with {all_of_them} recordings of all classes.", more
            ),
        )

    @property
    def metrics(self) -> Table:
        """Every metric, of files and of windows."""
        file, window = self.evaluation["file"], self.evaluation["window"]
        rows = [
            (name, metric_figure(file, key), metric_figure(window, key), meaning)
            for key, name, meaning in _METRICS
        ]
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
            ("Data", _data_text(data)),
            ("Training took", duration(seconds["train"]) if seconds.get("train") else ""),
            ("In all", duration(seconds["total"]) if seconds.get("total") else ""),
            ("Temperature", number(model["temperature"]) if model.get("temperature") else ""),
            ("Threshold for unknown", "" if threshold is None else number(threshold)),
            ("Seed", "" if seed is None else str(seed)),
            ("SHA-256 of the data", data.get("sha256") or ""),
            ("Versions", _versions_text(model.get("versions"))),
        ]
        return _fact_table("How it was measured" if self.crossed else "The model", rows)

    @property
    def excluded(self) -> Table:
        """Recordings that are not in the score, and why."""
        rows = [(row["path"], row["reason"]) for row in self.evaluation.get("excluded") or ()]
        return Table("What was left out of the score", ("recording", "why"), rows, words=("why",))


def _half(points: Sequence[Mapping], size: float) -> Mapping | None:
    """The point with the number of recordings nearest to half of a size, as a ratio."""
    smaller = [point for point in points if 0 < point["recordings"] < size]
    return min(
        smaller, key=lambda point: abs(math.log(2 * point["recordings"] / size)), default=None
    )


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
    """How sounds of no class are answered; takes the `unknown` part of `evaluation.json`."""
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
        at = "the threshold" if threshold is None else f"the threshold of {number(threshold, 2)}"
        if threshold is not None and len(_get(unknown, "parts") or ()) > 1:
            at = f"the thresholds of these networks, {number(threshold, 2)} on average"
        more += f" At {at}, {accepted} of unknown sounds are taken for a class."
    rate = _number(_get(unknown, "none_of_these", "accept_rate"))
    background_auroc = _number(_get(unknown, "none_of_these", "auroc"))
    if rate is not None:
        more += (
            " These are sounds of classes that the networks were trained without. Of the examples "
            f"of none of these that were kept for the test, {percent(rate)} are taken for a class "
            f"(AUROC {number(background_auroc, 2)})."
        )
    return Statement(main, more)


def sanity_statement(rows: Sequence[Mapping] | None) -> Statement | None:
    """How synthetic sounds are answered; takes the `sanity` part of `model.json`."""
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
            label: mistakes
            for label, mistakes in zip(labels, counts, strict=True)
            if mistakes and label != row["label"]
        }
        worst = max(wrong, key=wrong.__getitem__, default=None)
        # A class without recordings has no score.
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


def _fact_table(title: str, rows: Sequence[tuple[str, str]]) -> Table:
    return Table(title, ("", ""), [row for row in rows if row[1]], words=("",))


def _data_text(data: object) -> str:
    """How much data there is; takes the `data` part of `evaluation.json` or `model.json`."""
    files, groups, seconds = (_number(_get(data, key)) for key in ("files", "groups", "seconds"))
    text = plural(files, "recording") if files else ""
    if groups and groups != files:
        text = f"{text} in {plural(groups, 'group')}".lstrip()
    return ", ".join(filter(None, (text, duration(seconds) if seconds else "")))


def _versions_text(versions: object) -> str:
    pairs = versions.items() if isinstance(versions, Mapping) else ()
    return ", ".join(f"{name} {version}" for name, version in pairs)


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


def model_tables(found: Mapping[str, Any]) -> list[Table]:
    """Describe a finished model; takes the result of `ModelInfo.to_dict`.

    Returns:
        The model, its score, its origin and, where that is known, its score class by class.
    """
    recipe, network, provenance = found["recipe"], found["network"], found["provenance"]
    scores, front_end = found["scores"] or {}, found["front_end"]
    sizes = [(found["class_counts"] or {}).get(label) for label in found["labels"]]
    labels = [
        label if size is None else f"{label} ({count(size)})"
        for label, size in zip(found["labels"], sizes, strict=True)
    ]
    each = "" if None in sizes else ", each with its number of recordings"
    threshold, depth = front_end["clean_threshold"], front_end["depth"]
    picture = f"{front_end['picture'] or ''} picture of {duration(front_end['window'])} at "
    picture += f"{frequency(front_end['rate'])}, every {duration(front_end['hop'])}"
    cleaning = "nothing is cut away"
    if threshold is not None:
        cleaning = f"only where the envelope exceeds {threshold:g} of full scale"
    aggregation = f"the answer for a recording is the {front_end['aggregation']} over its windows"
    if depth is not None:
        aggregation += f", but for those {depth:g} dB fainter than the loudest"
    parameters = f"{plural(network['parameters'], 'parameter')}, " if network["parameters"] else ""
    about = [
        ("recipe", ": ".join(filter(None, (recipe["name"], recipe["description"]))) or "not known"),
        ("classes", f"{len(labels)}{each}: {', '.join(labels)}"),
        ("input", f"{picture.lstrip()}; {cleaning}; {aggregation}"),
        ("network", f"{parameters}an embedding of {count(network['embedding'])} numbers"),
        ("model.onnx", f"{found['bytes'] / 1e6:.1f} MB, all that predicting needs"),
    ]
    held_out, folds = scores.get("held_out_files"), _get(scores, "protocol", "folds")
    scored_on = "nothing"
    if isinstance(held_out, int) and held_out > 0:
        scored_on = f"{plural(held_out, 'recording')} that it was not trained on"
        if isinstance(folds, int) and folds > 1:
            scored_on = f"{plural(held_out, 'recording')}, each by a network not trained on it"
    accepted = f"0: every answer is accepted, none is '{UNKNOWN}'"
    if found["threshold"]:
        accepted = (
            f"below a probability of {number(found['threshold'])} the answer is '{UNKNOWN}'; "
            f"{percent(found['accept'], 0)} of the right answers on recordings kept apart for this "
            "reach it"
        )
    confidence = str(calibration_statement(scores.get("calibration")) or "")
    if not confidence and found["temperature"]:
        confidence = f"temperature {number(found['temperature'], 2)}"
    figures = {
        "files right": metric_figure(scores.get("file"), "accuracy"),
        "windows right": metric_figure(scores.get("window"), "accuracy"),
        "macro F1": metric_figure(scores.get("file"), "macro_f1"),
    }
    score = [
        ("scored on", scored_on),
        *((name, str(item)) for name, item in figures.items() if item.value is not None),
        ("calibration", confidence),
        ("threshold", accepted),
        ("unknown", str(unknown_statement(scores.get("unknown")) or "")),
        ("sanity", str(sanity_statement(found["sanity"]) or "")),
    ]
    data, learned, seed = provenance["data"] or {}, provenance["trained_on"], provenance["seed"]
    parity = _number(_get(provenance["parity"], "max_difference"))
    origin = [
        ("data", _data_text(data)),
        ("trained on", "" if learned is None else plural(learned, "different file")),
        ("SHA-256", str(data.get("sha256") or "")),
        ("seed", "" if seed is None else str(seed)),
        ("trained in", provenance["trained_in"] or ""),
        ("export", "" if parity is None else f"agrees with Keras to {parity:.1e} in probability"),
        ("made with", _versions_text(provenance["versions"]) or "not known"),
        ("schema", str(provenance["schema"])),
    ]
    tables = [
        _fact_table(found["model"], about),
        _fact_table("Honest scores", score),
        _fact_table("Where it comes from", origin),
    ]
    if record := found["evaluation"]:
        tables.append(class_table(found["labels"], record["per_class"], record["confusion"]))
    return tables
