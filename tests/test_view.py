"""What is said of a score: the sentences and tables that terminal, notebook and page share."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

from timbrel.report.view import ScoreView, differences, figure, models_table, sanity_statement

LABELS = ["Flute", "<script>alert(1)</script>", "Größe & 音", "a, b"]
METRICS = ("accuracy", "macro_f1", "map3", "log_loss", "brier", "ece")


def plain(text: object) -> str:
    return str(text).replace("\N{NO-BREAK SPACE}", " ")


def score(accuracy: float, *, interval: bool = True) -> dict:
    ends = {name: [accuracy - 0.1, accuracy + 0.1] if interval else None for name in METRICS}
    return {**dict.fromkeys(METRICS, accuracy), "ci95": ends}


def made_up_evaluation(**changes: object) -> dict:
    """The content of an `evaluation.json`, with some keys replaced."""
    return {
        "labels": LABELS,
        "recipe": "tutorial-cnn",
        "data": {"files": 200, "groups": 50, "seconds": 812.5, "sha256": "ab" * 32},
        "protocol": {"folds": 1, "repeats": 1, "seed": 0, "grouped": True, "notes": ["So it is."]},
        "file": score(0.85),
        "window": score(0.612),
        "random_split": {"window_accuracy": 0.963},
        "gap": 0.113,
        "per_class": [
            {
                "label": label, "precision": 0.8, "recall": 0.9, "f1": 0.847, "files": 10,
                "ci95": {"precision": [0.5, 0.9], "recall": [0.6, 0.98], "f1": [0.6, 0.9]},
            }
            for label in LABELS
        ],
        "confusion": [[8, 2, 0, 0], [0, 7, 3, 0], [1, 0, 9, 0], [0, 0, 0, 10]],
        "calibration": {
            "temperature": 1.7, "ece_before": 0.2, "ece_after": 0.07, "ece_expected": 0.06,
        },
        "unknown": {"threshold": 0.43, "auroc": 0.74, "accept_rate": 0.31},
        "seconds": {"prepare": 3.0, "train": 61.0, "predict": 1.0, "total": 65.0},
        "predictions": [],
        "excluded": [{"path": "odd <i>.wav", "reason": "its class has a single group"}],
    } | copy.deepcopy(changes)  # fmt: skip


def unscored() -> dict:
    """The evaluation where nothing was held out."""
    nothing = {**dict.fromkeys(METRICS), "ci95": dict.fromkeys(METRICS)}
    without = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "files": 0, "ci95": {}}
    return made_up_evaluation(
        file=nothing, window=nothing, random_split=None, gap=None, calibration=None, unknown=None,
        confusion=np.zeros((4, 4), int).tolist(),
        per_class=[{"label": label, **without} for label in LABELS],
    )  # fmt: skip


def crossed(*, folds: int = 5, repeats: int = 1, grouped: bool = True) -> dict:
    """The evaluation as a cross-validation would give it: every answer among the predictions."""
    evaluation = made_up_evaluation()
    matrix = np.array(evaluation["confusion"]) * repeats
    predictions = []
    for row, column in np.ndindex(matrix.shape):
        for take in range(matrix[row, column]):
            number = len(predictions)
            chances = [0.1] * len(LABELS)
            chances[column] = 0.7
            predictions.append(
                {
                    "path": f"{row}-{column}-{take // repeats}.wav", "label": LABELS[row],
                    "predicted": LABELS[column], "probabilities": chances,
                    "fold": number // repeats % folds, "repeat": number % repeats,
                }
            )  # fmt: skip
    protocol = {"folds": folds, "repeats": repeats, "grouped": grouped}
    return {
        **evaluation, "protocol": evaluation["protocol"] | protocol, "predictions": predictions,
        "confusion": matrix.tolist(),
    }  # fmt: skip


# ── figures ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "ends", "text"),
    [
        (0.8512, [0.75, 0.949], "85.1 % (95 % interval 75–95 %)"),
        (0.8512, None, "85.1 %"),
        (1, [0.5, None], "100.0 %"),
        (0.5, [0.1, math.nan], "50.0 %"),
        (0.5, [0.1, 0.2, 0.3], "50.0 %"),
        *((odd, None, "–") for odd in (None, math.nan, math.inf, "much", True, [0.5])),
    ],
)
def test_figures_are_written_with_their_intervals_and_what_is_no_number_is_not_known(
    value, ends, text
):
    assert plain(figure(value, ends)) == text


# ── the score and how it was measured ────────────────────────────────────────────────────────────


def test_the_headline_is_the_score():
    assert plain(ScoreView(made_up_evaluation()).headline) == (
        "85.0 % of 40 recordings right (95 % interval 75–95 %)"
    )
    bare = made_up_evaluation(file=score(0.85, interval=False))
    assert plain(ScoreView(bare).headline) == "85.0 % of 40 recordings right"
    assert ScoreView(unscored()).headline == "no score"


def test_one_model_was_trained_without_what_it_is_scored_on():
    view = ScoreView(made_up_evaluation())
    assert plain(view.measured) == (
        "34 of 40 recordings got the right answer. The model was trained without these recordings, "
        "and without any of the same group."
    )
    assert plain(view.scored_on) == "40 recordings held out, whole groups"
    alone = made_up_evaluation(data={"files": 200, "groups": 190})
    assert plain(ScoreView(alone).measured).endswith("trained without these recordings.")
    assert "the score is that of the run before" in ScoreView(alone, {"refit": True}).measured.more
    finished = made_up_evaluation(protocol={"folds": 0})
    assert "trained on were left out" in ScoreView(finished).measured.more


def test_a_cross_validation_is_of_many_networks():
    evaluation = crossed()
    view = ScoreView(evaluation)
    right = np.array([row["label"] == row["predicted"] for row in evaluation["predictions"]])
    low, high = (f"{100 * share} %" for share in np.sort(right.reshape(8, 5).mean(0))[[0, -1]])
    assert plain(view.measured) == (
        "34 of 40 recordings got the right answer. Each recording was predicted by a network that "
        "was trained without it, and without any of the same group. The recordings were divided "
        "into 5 parts, and 5 networks were trained, each without one part and scored on it. From "
        f"part to part, between {low} and {high} were right."
    )
    assert plain(view.scored_on) == "40 recordings in 5 folds, whole groups"
    word = crossed()
    word["protocol"]["folds"] = "group"
    assert ScoreView(word).folds == 5


def test_repeats_count_recordings_once():
    view = ScoreView(crossed(repeats=3))
    assert plain(view.measured.main) == "102 of 120 answers for 40 recordings were right."
    assert "5 parts, 3 times in different ways, and 15 networks" in plain(view.measured)
    assert "40 recordings can only tell so much" in plain(view.expect)
    assert plain(view.scored_on) == "40 recordings in 5 folds, 3 times, whole groups"
    assert plain(view.compared.rows[-1][1]) == "25.0 %"


@pytest.mark.parametrize(("folds", "network"), [(1, "it"), (5, "that network")])
def test_groups_that_were_split_are_admitted(folds, network):
    view = ScoreView(crossed(folds=folds, grouped=False))
    assert (
        f"some share a group with recordings that {network} was trained on. That flatters the score"
    ) in view.measured.more
    assert view.scored_on.endswith("groups split")


def test_the_score_stands_beside_other_accuracies():
    rows = [(name, plain(item)) for name, item, _ in ScoreView(made_up_evaluation()).compared.rows]
    assert rows == [
        ("Files", "85.0 % (95 % interval 75–95 %)"),
        ("Windows", "61.2 % (95 % interval 51–71 %)"),
        ("Random split", "96.3 %"),
        ("No model", "25.0 %"),
    ]
    assert ScoreView(unscored()).compared.rows == []


def test_nothing_scored_is_said():
    view = ScoreView(unscored())
    assert plain(view.measured) == (
        "No recording could be scored. How good this model is remains unknown."
    )
    assert (view.scored_on, view.statements) == ("", [])
    assert [row[2] for row in view.classes.rows] == ["–"] * 4


# ── what was found beside it ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"gap_ci95": [0.04, 0.19]},
            "claimed 96.3 %, 11.3 points more than is true. The 95 % interval of the difference is "
            "4 to 19 points. Pieces of one recording are on both sides of such a split, so the "
            "network recognises recordings instead of classes.",
        ),
        ({}, "11.3 points more than is true. Pieces of one recording are on both sides of such a"),
        (
            {"gap": 0.09, "gap_ci95": [-0.02, 0.21]},
            "9.0 points more than is true. The 95 % interval of the difference is −2 to 21 points: "
            "with so few recordings it can be chance.",
        ),
        ({"gap": -0.05}, "claimed 96.3 %, no more than is true."),
    ],
)
def test_what_a_random_split_would_have_claimed(changes, said):
    text = plain(ScoreView(made_up_evaluation(**changes)).leak)
    assert said in text
    assert ("recognises recordings" in text) == ("recognises" in said or not changes)


def test_calibration_in_words():
    assert plain(ScoreView(made_up_evaluation()).calibration) == (
        "Confidence is off by 7.0 % on average. Before calibration it was 20.0 % (temperature "
        "1.70). A perfectly calibrated model would show 6.0 % on as many files."
    )
    for odd in (None, 3, {"ece_after": "x"}):
        assert ScoreView(made_up_evaluation(calibration=odd)).calibration is None


def test_unknown_sounds_in_words():
    spans = {"auroc": [0.7, 0.8], "accept_rate": [0.25, 0.4]}
    unknown = {"threshold": 0.43, "auroc": 0.74, "accept_rate": 0.31, "ci95": spans}
    assert plain(ScoreView(made_up_evaluation(unknown=unknown)).unknown) == (
        "Known and unknown sounds are told apart with an AUROC of 0.74 (95 % interval 0.70–0.80). "
        "0.5 is guessing, 1 is perfect. At the threshold of 0.43, 31.0 % (95 % interval 25–40 %) "
        "of unknown sounds are taken for a class."
    )
    several = unknown | {
        "parts": [{}, {}], "none_of_these": {"auroc": 0.9, "accept_rate": 0.125},
    }  # fmt: skip
    text = plain(ScoreView(made_up_evaluation(unknown=several)).unknown)
    assert "At the thresholds of these networks, 0.43 on average, 31.0 %" in text
    assert "kept for the test, 12.5 % are taken for a class (AUROC 0.90)." in text
    for odd in (None, "x", {"auroc": None}, {"threshold": 0.4, "accept_rate": 0.3}):
        assert ScoreView(made_up_evaluation(unknown=odd)).unknown is None


def made_up_sound(sound: str, label: str, *, passed: bool) -> dict:
    return {
        "sound": sound, "label": label, "predicted": "Flute", "probability": 0.934,
        "passed": passed,
    }  # fmt: skip


def test_made_up_sounds_in_words():
    rows = [made_up_sound(name, "unknown", passed=True) for name in ("silence", "a sine")]
    assert str(sanity_statement(rows)) == (
        "The answer to all 2 made-up sounds that belong to no class was 'unknown'."
    )
    assert sanity_statement([]) is None
    rows += [
        made_up_sound("white noise", "tape_Hiss", passed=True),
        made_up_sound("clicks", "Flute", passed=False),
    ]
    assert plain(sanity_statement(rows)) == (
        "The answer to 2 of 4 made-up sounds that belong to no class was 'unknown'. Taken for a "
        "class of their own kind: white noise (tape_Hiss). Taken for a class: clicks (Flute, "
        "93 %). Take answers on such sounds with care, or add recordings of them in a folder named "
        "noise, or as a class of their own."
    )
    rows[0]["predicted"] = None
    view = ScoreView(made_up_evaluation(), {"sanity": rows})
    assert [plain(row[2]) for row in view.synthetic.rows] == ["", *["Flute, 93 %"] * 3]
    assert [row[3] for row in view.synthetic.rows][-2:] == ["as it should", "taken for a class"]


@pytest.mark.parametrize(
    ("right", "verdict"), [(50, "too high"), (70, "as it should be"), (95, "too low")]
)
@pytest.mark.parametrize("given", [True, False])
def test_confidence_is_compared_with_what_came_true(right, verdict, given):
    predictions = [
        {
            "path": f"{number}.wav", "label": "a", "predicted": "a" if number < right else "b",
            "probabilities": [0.72, 0.28],
        }
        for number in range(100)
    ]  # fmt: skip
    share = right / 100
    ends = [share - 0.06, share + 0.06] if given else None
    evaluation = made_up_evaluation(
        predictions=predictions, file={"accuracy": share, "ci95": {"accuracy": ends}}
    )
    found = ScoreView(evaluation).reliability
    assert plain(found.statement) == (
        f"On the whole the confidence is {verdict}. It was 72.0 % on average, and {right}.0 % of "
        "answers were right."
    )
    ((confidence, files, mean, share),) = found.rows
    assert plain(f"{confidence}; {files}; {mean}; {share.text}") == (
        f"67 % to 73 %; 100; 72.0 %; {right}.0 %"
    )


def test_no_confidence_no_reliability():
    assert ScoreView(made_up_evaluation()).reliability.rows == []
    lost = {"path": "a", "label": "a", "predicted": "a", "probabilities": [math.nan]}
    assert ScoreView(made_up_evaluation(predictions=[lost])).reliability.rows == []


# ── class by class ───────────────────────────────────────────────────────────────────────────────


def test_mistakes_are_sorted_and_leave_out_what_is_right():
    view = ScoreView(
        made_up_evaluation(labels=["a", "b", "c"], confusion=[[5, 0, 2], [3, 1, 0], [2, 0, 8]])
    )
    assert [tuple(map(plain, row)) for row in view.confusions.rows] == [
        ("b", "a", "3", "75 %"),
        ("a", "c", "2", "29 %"),
        ("c", "a", "2", "20 %"),
    ]
    assert view.confusions.statement.more == (
        "Most often: b taken for a (3), a taken for c (2), c taken for a (2)."
    )
    perfect = made_up_evaluation(confusion=np.diag([10] * 4).tolist())
    assert ScoreView(perfect).confusions.statement.more == "Every recording got the right answer."


def test_classes_have_their_intervals_and_what_they_are_taken_for():
    label, files, precision, recall, f1, taken_for = ScoreView(made_up_evaluation()).classes.rows[0]
    assert (label, files, plain(precision)) == ("Flute", "10", "80.0 %")
    assert (plain(recall), plain(f1)) == ("90.0 % (95 % interval 60–98 %)", "84.7 %")
    assert taken_for == "<script>alert(1)</script> (2)"


def test_the_hardest_classes_are_named_where_there_are_some():
    def hardest(scores: list[float]) -> str:
        row = made_up_evaluation()["per_class"][0]
        rows = [row | {"label": f"c{number}", "f1": f1} for number, f1 in enumerate(scores)]
        labels, matrix = [row["label"] for row in rows], np.eye(len(rows)).tolist()
        evaluation = made_up_evaluation(labels=labels, per_class=rows, confusion=matrix)
        return plain(ScoreView(evaluation).classes.statement)

    assert hardest([0.9, 0.8, 0.7, 0.6, 0.5, 0.4]) == (
        "Hardest, by F1: c5 (40 %), c4 (50 %), c3 (60 %)."
    )
    assert hardest([0.5] * 6) == hardest([0.9, 0.8, 0.7, 0.6, 0.5]) == ""


# ── the learning curve ───────────────────────────────────────────────────────────────────────────


def point(recordings: int, accuracy: float, *, doubt: float | None = 0.02, **recall) -> dict:
    ends = None if doubt is None else [accuracy - doubt, accuracy + doubt]
    return {"recordings": recordings, "accuracy": accuracy, "ci95": ends, "recall": recall}


def learning(points: list[dict] | None, files: int = 10) -> ScoreView:
    labels = sorted({label for item in points or () for label in item["recall"]}) or ["a"]
    per_class = [{"label": label, "files": files} for label in labels]
    return ScoreView(made_up_evaluation(learning_curve=points, per_class=per_class))


def test_the_last_doubling_is_compared():
    curve = [point(30, 0.4), point(60, 0.5), point(120, 0.6), point(200, 0.65), point(240, 0.66)]
    # Two intervals of ± 2 points give 2.8 points.
    assert str(learning(curve).learning.statement) == (
        "More recordings would very likely help: the curve still rises at its end. Twice as many "
        "recordings, 240 instead of 120, raised the score by 6.0 points; a difference of up to 2.8 "
        "points could be chance. The step before, from 60 to 120, changed it by 10.0 points."
    )
    assert [plain(cell) for cell in learning(curve).learning.rows[0]] == [
        "30",
        "40.0 % (95 % interval 38–42 %)",
    ]


@pytest.mark.parametrize(
    ("before", "after", "doubt", "verdict"),
    [
        (0.6, 0.7, 0.02, "More recordings would very likely help"),
        (0.6, 0.62, 0.02, "More recordings may help"),
        (0.6, 0.60, 0.05, "no sign that more recordings of the same kind would help, though"),
        (0.6, 0.59, 0.05, "may hide a gain of up to 6.1 points"),
        (0.6, 0.601, 0.01, "would hardly help: a gain above 1.5 points is unlikely"),
        (0.6, 0.5, 0.02, "The score fell by more than chance explains"),
        (0.6, 0.9, None, "More recordings may help"),
        (0.6, 0.5, None, "no sign that more recordings of the same kind would help. Twice"),
    ],
)
def test_verdicts_on_more_recordings(before, after, doubt, verdict):
    curve = [point(100, before, doubt=doubt), point(200, after, doubt=doubt)]
    assert verdict in str(learning(curve).learning.statement)


def test_little_to_learn_from():
    for nothing in (None, [], [point(10, math.nan, doubt=None)]):
        assert learning(nothing).learning is None
        assert learning(nothing).rises.rows == []
    alone = learning([point(10, 0.5)])
    assert str(alone.learning.statement).startswith("Only one number of recordings was tried")
    assert alone.rises.rows == []


def test_classes_are_sorted_by_rise_and_luck_is_told_from_gain():
    curve = [
        point(100, 0.5, a=0.4, b=0.5, c=0.9, d=0.5),
        point(200, 0.6, a=0.9, b=0.55, c=0.8, d=None),
    ]
    few, many = learning(curve, files=6), learning(curve, files=100)
    assert [(row[0], row[3]) for row in few.rises.rows] == [("a", "+50"), ("b", "+5")]
    assert [(row[0], row[3]) for row in many.rises.rows] == [("a", "+50 *"), ("b", "+5")]
    assert "Each of these rises could be chance" in few.rises.statement.more
    assert many.rises.statement.more.startswith("Begin with a: ")


def test_one_lucky_class_of_a_hundred_is_not_called_sure():
    """15 points are much for one class of 100 files, and usual for the best of a hundred."""
    old = {f"class{number}": 0.5 for number in range(100)}
    alone = learning([point(100, 0.5, x=0.5), point(200, 0.5, x=0.65)], files=100)
    assert alone.rises.rows[0][3] == "+15 *"
    among = [point(100, 0.5, **old), point(200, 0.5, **(old | {"class7": 0.65}))]
    assert learning(among, files=100).rises.rows[0][3] == "+15"


def test_a_perfect_recall_of_few_files_is_not_beyond_doubt():
    curve = [point(100, 0.5, x=0.5), point(200, 0.5, x=1.0)]
    assert learning(curve, files=2).rises.rows[0][3] == "+50"


# ── models side by side ──────────────────────────────────────────────────────────────────────────


def test_models_side_by_side():
    other = {"points": -0.25, "ci95": [-0.5, 0.0]}
    better = {"points": 0.1, "ci95": [0.02, 0.2]}
    rows = [{"path": "a"}] * 40
    both = [
        made_up_evaluation(predictions=rows),
        made_up_evaluation(against_first=other, unknown=None, predictions=rows),
        made_up_evaluation(against_first=better, predictions=rows),
    ]
    table = models_table(["one", "two", "three"], both)
    assert plain(table.title) == "On 40 recordings whose files no model was trained on"
    assert [tuple(map(plain, row)) for row in table.rows[:2]] == [
        ("one", "85.0 % (95 % interval 75–95 %)", "61.2 %", "85.0 %", "0.74", "31 %"),
        ("two", "85.0 % (95 % interval 75–95 %)", "61.2 %", "85.0 %", "–", "–"),
    ]
    assert differences(["one", "two", "three"], both) == [
        "two against one: −25.0 points of files (95 % interval −50 to 0), which can be chance.",
        "three against one: +10.0 points of files (95 % interval 2 to 20).",
    ]
