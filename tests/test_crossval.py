"""Lists of runs: who learns what, who calibrates whom, and what becomes of the results."""

import dataclasses

import numpy as np
import pytest

from timbrel.dataset.corpus import open_corpus
from timbrel.dataset.folds import Folds, deal_folds
from timbrel.dataset.manifest import read_dataset
from timbrel.evaluation.calibration import calibrate, file_means, tempered
from timbrel.evaluation.crossval import (
    calibrate_folds,
    fold_rows,
    fold_runs,
    growing_runs,
    left_out_parts,
    left_out_runs,
    mean_history,
    random_run,
    random_score,
    score_folds,
    window_row,
)
from timbrel.evaluation.run import Run, RunResult, WindowScores
from timbrel.networks.recipes import get_recipe
from timbrel.training.prepare import prepare


@pytest.fixture(scope="module")
def corpus(tiny_data):
    with open_corpus(read_dataset(tiny_data), get_recipe("tutorial-cnn").windowing) as opened:
        yield opened


@pytest.fixture(scope="module")
def examples(tiny_data):
    return prepare(read_dataset(tiny_data)).examples


def nobody(corpus):
    return np.zeros(len(corpus), dtype=bool)


def folds(corpus, count=3):
    return Folds(np.arange(len(corpus)) % count, tuple(map(str, range(1, count + 1))))


def result(run, *, classes=3, seed=0):
    """Random answers: three consecutive and two drawn windows a recording."""
    rows = np.flatnonzero(run.score)
    rng = np.random.default_rng([seed, *rows])
    windows, drawn = (
        WindowScores(
            rng.dirichlet(np.ones(classes), each * len(rows)).astype(np.float32),
            np.repeat(rows, each),
        )
        for each in (3, 2)
    )
    row = {"epoch": 1, "loss": 1.0, "acc": 0.5, "val_loss": None, "val_acc": None, "seconds": 2.0}
    return RunResult(
        run=run,
        windows=windows,
        drawn=drawn,
        temperature=1.0,
        threshold=0.0,
        history=[row],
        seconds={"train": 1.0, "predict": 0.5},
        parity={},
    )


def test_every_recording_is_scored_once_by_a_network_that_did_not_learn_from_it(corpus):
    runs = fold_runs(corpus, folds(corpus), nobody(corpus))
    assert sum(run.score.astype(int) for run in runs).tolist() == [1] * len(corpus)
    for run in runs:
        assert not (run.learn & run.score).any()
        assert (run.learn | run.score).all()
    assert [run.name for run in runs] == ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]


def test_a_fold_is_calibrated_by_the_other_folds_alone(corpus):
    results = [result(run) for run in fold_runs(corpus, folds(corpus), nobody(corpus))]
    before = calibrate_folds(corpus, results)
    # Other labels in the first fold change every other fold's calibration, and not its own.
    target = np.where(np.arange(len(corpus)) % 3 == 0, 2, corpus.target)
    after = calibrate_folds(dataclasses.replace(corpus, target=target), results)
    assert before[0] == after[0]
    assert before[1][0] != after[1][0]
    assert before[2][0] != after[2][0]


def test_the_calibration_of_a_fold_is_that_of_the_others_joined(corpus):
    results = [result(run) for run in fold_runs(corpus, folds(corpus), nobody(corpus))]
    one, two = results[0].windows, results[2].windows
    windows = np.concatenate([one.probabilities, two.probabilities])
    file = np.concatenate([one.file, two.file + len(one.rows)])
    wanted = calibrate(windows, file, corpus.target[np.concatenate([one.rows, two.rows])])
    assert calibrate_folds(corpus, results)[1] == pytest.approx(wanted, rel=1e-4)


def test_one_fold_alone_is_not_calibrated(corpus):
    (run, *_) = fold_runs(corpus, folds(corpus), nobody(corpus))
    assert calibrate_folds(corpus, [result(run)]) == [(1.0, 0.0)]


def test_joined_predictions_belong_to_their_recordings(corpus):
    repeats = [
        [result(run) for run in fold_runs(corpus, folds(corpus), nobody(corpus), repeat=repeat)]
        for repeat in (0, 1)
    ]
    temperatures = [[0.5, 1.0, 2.0], [1.0, 3.0, 1.0]]
    scored = score_folds(corpus, repeats, temperatures)
    assert len(scored.files) == 2 * len(corpus)
    assert np.bincount(scored.repeat).tolist() == [len(corpus)] * 2
    for place, item in enumerate(scored.recordings):
        row = corpus.recordings.index(item)
        assert scored.fold[place] == row % 3
        assert scored.target[place] == corpus.target[row]
    third = repeats[0][2].windows
    np.testing.assert_allclose(
        scored.files[2 * len(third.rows) : len(corpus)],
        file_means(tempered(third.probabilities, 2.0), third.file),
    )
    # Each drawn window is said to be of the recording that it was drawn from.
    assert np.bincount(scored.window_file).tolist() == [2] * 2 * len(corpus)


def test_the_scores_of_the_folds_add_up_to_the_score(corpus):
    repeats = [[result(run) for run in fold_runs(corpus, folds(corpus), nobody(corpus))]]
    fitted = [[temperature for temperature, _ in calibrate_folds(corpus, repeats[0])]]
    scored = score_folds(corpus, repeats, fitted)
    rows = fold_rows(scored, [["one", "two", "three"]])
    assert [row["name"] for row in rows] == ["one", "two", "three"]
    right = scored.files.argmax(axis=1) == scored.target
    assert sum(row["right"] for row in rows) == right.sum()
    assert sum(row["files"] for row in rows) == len(corpus)
    # The windows are final before calibration, so that they can be shown when the fold ends.
    assert len(set(fitted[0])) == 3
    for row, ended in zip(rows, repeats[0], strict=True):
        early = window_row(corpus, ended)
        assert early["name"] == ended.run.name
        assert row["windows"] == early["right"] / early["windows"]


def test_a_run_scores_and_validates_nothing_unless_told_to(corpus):
    run = Run(name="one", learn=corpus.has_class, labels=corpus.labels)
    for mask in (run.score, run.calibrate, run.validate, run.drawn):
        assert mask.dtype == bool
        assert mask.tolist() == [False] * len(corpus)


def test_the_history_is_the_mean_over_networks(corpus):
    one, two = (result(run) for run in fold_runs(corpus, folds(corpus, 2), nobody(corpus)))
    two = dataclasses.replace(two, history=[{**two.history[0], "loss": 3.0}])
    assert mean_history([one, two]) == [
        {"epoch": 1, "loss": 2.0, "acc": 0.5, "val_loss": None, "val_acc": None, "seconds": 4.0}
    ]


def test_the_random_split_keeps_a_tenth_of_the_windows_aside(corpus, examples):
    run = random_run(corpus, examples, nobody(corpus), seed=1)
    assert run.split_windows.sum() == round(0.1 * len(examples))
    learn, aside = run.examples(examples)
    assert len(learn) + len(aside) == len(examples)
    answers = np.eye(3, dtype=np.float32)[aside.y_flat]
    answers[0] = np.roll(answers[0], 1)
    drawn = WindowScores(answers, aside.recording)
    split = random_score(corpus, dataclasses.replace(result(run), drawn=drawn))
    assert (len(split.right) - split.right.sum()) == 1
    assert set(split.groups) <= set(corpus.groups)


@pytest.mark.parametrize("count", [3, 4, 5, 10, 11, 100])
def test_every_class_is_left_out_once_and_two_are_always_left(count):
    labels = tuple(f"class {number:03}" for number in range(count))
    parts = left_out_parts(labels, seed=3)
    assert sorted(label for part in parts for label in part) == list(labels)
    assert all(count - len(part) >= 2 for part in parts)
    assert len(parts) == min(5, count)


def test_a_class_that_is_left_out_is_scored_and_neither_learned_nor_calibrated_on(corpus):
    runs, findings = left_out_runs(corpus, nobody(corpus), seed=0)
    assert (len(runs), findings) == (3, [])
    for run in runs:
        mine = np.array([item.label not in run.labels for item in corpus.recordings])
        assert run.score[mine].all()
        assert not (run.learn | run.calibrate)[mine].any()
        assert not (run.learn & (run.score | run.calibrate)).any()


def test_growing_parts_hold_each_other_whole_groups_and_every_class(corpus):
    groups = ["abcdefgh"[number % 8] for number in range(24)]
    grouped = dataclasses.replace(
        corpus,
        recordings=tuple(
            dataclasses.replace(item, group=group)
            for item, group in zip(corpus.recordings, groups, strict=True)
        ),
    )
    dealt = deal_folds(grouped.recordings, 4)
    before = [nobody(corpus)] * 4
    for share, count in ((0.125, 1), (0.25, 2), (0.5, 3), (1.0, 6)):
        runs = growing_runs(grouped, dealt, nobody(corpus), share, seed=5)
        for fold, run in enumerate(runs):
            assert not (run.learn & run.score).any()
            assert (run.learn | ~before[fold]).all()
            taken = {group for group, mine in zip(groups, run.learn, strict=True) if mine}
            assert len(taken) == count
            assert run.learn.sum() == 3 * count
        before = [run.learn for run in runs]


def test_scores_at_another_temperature_are_those_of_the_softmax(corpus):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, 3))

    def softmax(values):
        raised = np.exp(values)
        return raised / raised.sum(axis=1, keepdims=True)

    scores = WindowScores(softmax(logits / 2), np.array([3, 3, 5, 5, 5, 9]), temperature=2.0)
    np.testing.assert_allclose(scores.at(0.5), softmax(logits / 0.5))
    assert scores.at(2.0) is scores.probabilities
    np.testing.assert_allclose(scores.files(2.0)[0], scores.probabilities[:2].mean(axis=0))
    only = scores.of(np.arange(10) == 5)
    assert only.rows.tolist() == [5]
    assert len(only.probabilities) == 3
