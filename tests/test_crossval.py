"""The parts of cross-validation that need no training: who calibrates whom, and what is joined."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from timbrel.dataset.folds import Folds
from timbrel.dataset.manifest import Recording
from timbrel.evaluation.calibration import calibrate, file_means, tempered
from timbrel.workflows.crossval import cross_validate, joined, mean_history, random_split
from timbrel.workflows.runner import Heard

LABELS = ("a", "b", "c")
FILES, FOLDS = 30, 3


class Examples:
    """Examples that split without anything in them."""

    labels = LABELS

    def split(self, held_out):
        return "learn", "aside"


def heard(numbers, seed):
    """A network's answers: three consecutive and two drawn windows a file, random."""
    rng = np.random.default_rng(seed)
    windows, drawn = (rng.dirichlet(np.ones(3), n * len(numbers)) for n in (3, 2))
    files = np.arange(len(numbers))
    history = [{"epoch": 1, "loss": 1.0, "acc": 0.5, "val_loss": None, "val_acc": None}]
    return Heard(
        numbers=np.asarray(numbers),
        windows=windows.astype(np.float32),
        window_file=np.repeat(files, 3),
        drawn=drawn.astype(np.float32),
        drawn_file=np.repeat(files, 2),
        others=np.empty((0, 3), np.float32),
        others_file=np.empty(0, np.int64),
        history=[{**history[0], "seconds": 2.0}],
        seconds=(1.0, 0.5),
    )


class Runner:
    """Answers without training."""

    def __init__(self):
        self.told = []

    def run(self, task):
        return heard(task.numbers, seed=int(task.numbers.sum()))

    def tell(self, name, what):
        self.told.append(name)


def data(labels):
    recordings = tuple(
        Recording(f"{n}.wav", Path(f"{n}.wav"), label, f"g{n}") for n, label in enumerate(labels)
    )
    return SimpleNamespace(recordings=recordings, examples=Examples())


def folds():
    return Folds(np.arange(FILES) % FOLDS, ("1", "2", "3"))


def labels(seed=0):
    return [LABELS[n] for n in np.random.default_rng(seed).integers(0, 3, FILES)]


def test_a_fold_is_calibrated_by_the_other_folds_alone():
    mine = labels()
    before = cross_validate(Runner(), data(mine), folds())
    # Other labels in the first fold change every other fold's calibration, and not its own.
    changed = ["c" if n % FOLDS == 0 else label for n, label in enumerate(mine)]
    after = cross_validate(Runner(), data(changed), folds())
    assert (before[0].temperature, before[0].threshold) == (
        after[0].temperature,
        after[0].threshold,
    )
    for fold in (1, 2):
        assert before[fold].temperature != after[fold].temperature


def test_the_calibration_of_a_fold_is_that_of_the_others_joined():
    prepared = data(labels())
    found = cross_validate(Runner(), prepared, folds())
    one, two = found[0].heard, found[2].heard
    target = np.array(
        [LABELS.index(prepared.recordings[n].label) for n in (*one.numbers, *two.numbers)]
    )
    file = np.concatenate([one.window_file, two.window_file + len(one.numbers)])
    wanted = calibrate(np.concatenate([one.windows, two.windows]), file, target)
    assert (found[1].temperature, found[1].threshold) == pytest.approx(wanted)
    np.testing.assert_allclose(
        found[1].files,
        file_means(tempered(found[1].heard.windows, wanted[0]), found[1].heard.window_file),
    )


def test_joined_predictions_belong_to_their_recordings():
    prepared = data(labels())
    twice = [
        fold
        for repeat in (0, 1)
        for fold in cross_validate(Runner(), prepared, folds(), repeat=repeat)
    ]
    scored = joined(prepared, twice)
    assert len(scored.files) == 2 * FILES
    assert np.bincount(scored.repeat).tolist() == [FILES, FILES]
    for row, item in enumerate(scored.recordings):
        number = int(item.path.removesuffix(".wav"))
        assert scored.fold[row] == number % FOLDS
        assert LABELS[scored.target[row]] == item.label
    # Each drawn window is said to be of the file that it was drawn from.
    assert np.bincount(scored.window_file).tolist() == [2] * 2 * FILES
    third = twice[2]
    first = sum(len(fold.heard.numbers) for fold in twice[:2])
    rows = scored.windows[scored.window_file == first]
    np.testing.assert_allclose(rows, tempered(third.heard.drawn[:2], third.temperature))


def test_the_history_is_the_mean_over_networks():
    one, two = heard([0], 0), heard([1], 1)
    two.history[0]["loss"] = 3.0
    assert mean_history([one, two]) == [
        {"epoch": 1, "loss": 2.0, "acc": 0.5, "val_loss": None, "val_acc": None, "seconds": 4.0}
    ]


def test_the_random_split_sets_a_tenth_of_the_windows_aside():
    class Windows(Examples):
        recording = np.repeat(np.arange(FILES), 10)

        def __len__(self):
            return len(self.recording)

        def split_windows(self, aside):
            assert aside.sum() == FILES
            return "learn", SimpleNamespace(recording=self.recording[aside], aside=aside)

    prepared = data(labels())
    prepared.examples = Windows()
    runner = Runner()
    split = random_split(runner, prepared, seed=1)
    assert len(split.right) == len(split.groups)
    assert set(split.groups) <= {item.group for item in prepared.recordings}
    assert runner.told == ["random windows, the tutorial's split"]
