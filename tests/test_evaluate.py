"""Cross-validation is honest, complete, resumable, and what it prints is what it found."""

import functools
import json
import shutil

import numpy as np
import pytest
import soundfile

from conftest import RATE, sound, write_folder
from timbrel.dataset.manifest import read_dataset
from timbrel.errors import DataError, InvalidArgument
from timbrel.features.cache import FeatureCache
from timbrel.progress import Progress
from timbrel.training.prepare import prepare
from timbrel.workflows import evaluate as workflow

# The tutorial's recipe, unless a test asks for another.
evaluate = functools.partial(workflow.evaluate, recipe="tutorial-cnn")


@pytest.fixture(scope="session")
def tiny_evaluation(tiny_data):
    """Everything that can be asked for, on `tiny_data`; read only."""
    return evaluate(tiny_data, folds=2, epochs=2, unknown=True, learning_curve=True)


@pytest.fixture(scope="session")
def tiny_prepared(tiny_data):
    return prepare(read_dataset(tiny_data))


def without_times(evaluation):
    return {key: value for key, value in evaluation.items() if key != "seconds"}


# What it finds


@pytest.mark.slow
def test_intervals_hold_their_figures_and_the_gap_is_their_difference(tiny_evaluation):
    evaluation = tiny_evaluation.evaluation
    assert evaluation["protocol"] == {
        "folds": 2, "repeats": 1, "seed": 0, "grouped": True, "notes": []
    }  # fmt: skip
    for part in ("file", "window"):
        for name, (low, high) in evaluation[part]["ci95"].items():
            assert low <= evaluation[part][name] <= high
    leaky = evaluation["random_split"]
    assert leaky["ci95"][0] <= leaky["window_accuracy"] <= leaky["ci95"][1]
    assert evaluation["gap"] == leaky["window_accuracy"] - evaluation["file"]["accuracy"]
    json.dumps(evaluation, allow_nan=False)


@pytest.mark.slow
def test_every_recording_is_predicted_once_and_the_score_is_theirs(tiny_evaluation):
    evaluation = tiny_evaluation.evaluation
    rows = evaluation["predictions"]
    assert sorted(row["path"] for row in rows) == sorted(
        f"{kind}/{take}.wav" for kind in ("hiss", "hum", "whistle") for take in range(8)
    )
    assert {row["fold"] for row in rows} == {0, 1}
    right = [row["predicted"] == row["label"] == row["path"].split("/")[0] for row in rows]
    assert evaluation["file"]["accuracy"] == pytest.approx(np.mean(right))
    for row in rows:
        assert row["predicted"] == evaluation["labels"][int(np.argmax(row["probabilities"]))]
        assert sum(row["probabilities"]) == pytest.approx(1)
    assert np.sum(evaluation["confusion"]) == 24
    assert [row["files"] for row in evaluation["per_class"]] == [8, 8, 8]


@pytest.mark.slow
def test_unknown_sounds_and_the_learning_curve_are_scored_when_asked_for(tiny_evaluation):
    evaluation = tiny_evaluation.evaluation
    unknown = evaluation["unknown"]
    assert {"threshold", "auroc", "accept_rate", "ci95", "parts"} == set(unknown)
    assert sorted(part["left_out"][0] for part in unknown["parts"]) == evaluation["labels"]
    assert unknown["auroc"] == pytest.approx(np.mean([p["auroc"] for p in unknown["parts"]]))
    curve = evaluation["learning_curve"]
    assert [row["share"] for row in curve] == [0.125, 0.25, 0.5, 1.0]
    assert [row["recordings"] for row in curve] == [3, 3, 6, 12]
    for row in curve:
        assert set(row["recall"]) == set(evaluation["labels"])
        assert row["accuracy"] == pytest.approx(np.mean(list(row["recall"].values())))


@pytest.mark.slow
def test_a_split_by_windows_claims_what_is_not_true(tmp_path):
    """Labels that mean nothing: a network can only recognise the recordings."""
    rng = np.random.default_rng(0)
    for take in range(24):
        folder = tmp_path / f"class {take % 2}"
        folder.mkdir(exist_ok=True)
        time = np.arange(RATE) / RATE
        tones = [np.sin(2 * np.pi * f * time) for f in rng.uniform(100, 7000, 4)]
        waveform = 0.1 * np.sum(tones, axis=0) + 0.01 * rng.normal(size=RATE)
        soundfile.write(folder / f"{take}.wav", waveform, RATE)
    evaluation = evaluate(tmp_path, folds=3, epochs=10).evaluation
    assert evaluation["random_split"]["window_accuracy"] > 0.9
    assert evaluation["file"]["ci95"]["accuracy"][0] < 0.6
    assert evaluation["file"]["accuracy"] < 0.75
    assert evaluation["gap_ci95"][0] > 0


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_copies_share_a_fold_and_they_alone_are_called_copies(tmp_path):
    folder = write_folder(tmp_path / "data")
    waveform = soundfile.read(folder / "hiss" / "2.wav")[0]
    soundfile.write(folder / "hiss" / "softer.flac", 0.5 * waveform, RATE)
    shutil.copy(folder / "hum" / "3.wav", folder / "hum" / "again.wav")
    lines = ["path,label,group"]
    for file in sorted(folder.rglob("*.*")):
        path = file.relative_to(folder)
        later = file.stem in ("6", "7", "softer", "again")
        lines.append(f"{path.as_posix()},{path.parts[0]},{'later' if later else path}")
    table = tmp_path / "data.csv"
    table.write_text("\n".join(lines))
    record = evaluate(table, audio=folder, folds=2, epochs=1).evaluation
    fold = {item["path"]: item["fold"] for item in record["predictions"]}
    assert fold["hiss/softer.flac"] == fold["hiss/2.wav"]
    assert fold["hum/again.wav"] == fold["hum/3.wav"]
    note = "2 recordings share the group of another, of the same sound: "
    assert record["protocol"]["notes"][0] == f"{note}hiss/softer.flac, hum/again.wav."


class Stopping(Progress):
    """Stops the evaluation when it has come to so many networks; counts those that it trains."""

    def __init__(self, after):
        self.left, self.trained, self.begun, self.rows = after, [], set(), []

    def row(self, table, row):
        self.rows.append((table, row.get("name"), len(self.begun)))

    def stage(self, name, done, total, note=""):
        if name == "networks" and note not in self.begun:
            self.begun.add(note)
            if len(self.begun) > self.left:
                raise KeyboardInterrupt
        elif name == "exporting" and done == 0:
            self.trained.append(len(self.begun))


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_an_interrupted_evaluation_goes_on_to_the_same_result(tiny_data, tmp_path):
    cache = FeatureCache(tmp_path)
    how = {"folds": 2, "epochs": 2, "cache": cache}
    undisturbed = evaluate(tiny_data, **how)
    entries = len(list(tmp_path.iterdir()))
    with pytest.raises(KeyboardInterrupt):
        evaluate(tiny_data, **how, progress=Stopping(2))
    assert len(list(tmp_path.iterdir())) == entries + 2
    watched = Stopping(9)
    resumed = evaluate(tiny_data, **how, resume=True, progress=watched)
    assert (len(watched.begun), watched.trained) == (3, [3])
    # Each fold is shown before the next network begins.
    shown = [(name, begun) for table, name, begun in watched.rows if table == "fold windows"]
    assert shown == [("fold 1 of 2", 1), ("fold 2 of 2", 2)]
    assert without_times(resumed.evaluation) == without_times(undisturbed.evaluation)
    for row, other in zip(resumed.history, undisturbed.history, strict=True):
        assert {**row, "seconds": None} == {**other, "seconds": None}
    assert len(list(tmp_path.iterdir())) == entries


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_repeats_deal_and_train_anew(tiny_data):
    evaluation = evaluate(tiny_data, folds=2, epochs=1, repeats=2).evaluation
    rows = evaluation["predictions"]
    assert len(rows) == 48
    assert [row["files"] for row in evaluation["per_class"]] == [8, 8, 8]
    folds = [{r["path"]: r["fold"] for r in rows if r["repeat"] == n} for n in (0, 1)]
    assert folds[0].keys() == folds[1].keys()
    assert folds[0] != folds[1]


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_the_data_s_own_folds_and_groups_are_used(tmp_path):
    rows = ["path,label,group,fold"]
    for number, kind in enumerate(("hiss", "hum")):
        for take in range(6):
            name = f"{kind}{take}.wav"
            rng = np.random.default_rng([number, take])
            soundfile.write(tmp_path / name, sound(kind, 0.4, rng), RATE)
            rows.append(f"{name},{kind},g{take},{take % 3}")
    table = tmp_path / "data.csv"
    table.write_text("\n".join(rows))
    own = evaluate(table, epochs=1).evaluation
    assert own["protocol"]["folds"] == 3
    assert own["protocol"]["notes"] == ["The folds are the data's own: 0, 1, 2."]
    for row in own["predictions"]:
        assert row["fold"] == int(row["path"].rstrip(".wav")[-1]) % 3
    one_out = evaluate(table, folds="group", epochs=1).evaluation
    assert one_out["protocol"]["folds"] == 6
    assert one_out["data"]["groups"] == 6


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_bad_recordings_and_single_groups_are_named(tmp_path):
    folder = write_folder(tmp_path / "data", kinds=("hiss", "hum"), recordings=3)
    (folder / "gong").mkdir()
    soundfile.write(folder / "gong/1.wav", sound("whistle", 0.5, np.random.default_rng(1)), RATE)
    (folder / "hum/broken.wav").write_text("no sound")
    result = evaluate(folder, epochs=1)
    notes = result.evaluation["protocol"]["notes"]
    assert any("'gong' has a single recording" in note for note in notes)
    assert any("3 folds instead of 5" in note for note in notes)
    assert [item.path for item in result.problems] == ["hum/broken.wav"]
    assert result.evaluation["excluded"][0]["path"] == "hum/broken.wav"
    assert {row["label"] for row in result.evaluation["predictions"]} == {"hiss", "hum"}
    assert result.evaluation["labels"] == ["gong", "hiss", "hum"]
    gong = result.evaluation["per_class"][0]
    assert (gong["files"], gong["ci95"]["recall"]) == (0, None)


# Wrong use


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"folds": 9}, "`--folds` must be between 2 and the number of recordings in the smallest"),
        ({"repeats": 0}, "`repeats` must be at least 1. Got 0."),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"epochs": 0}, "`epochs` must be at least 1. Got 0."),
    ],
)
def test_wrong_values_are_named(how, sentence, tiny_data):
    with pytest.raises(InvalidArgument) as caught:
        evaluate(tiny_data, **how)
    assert str(caught.value).startswith(sentence)


def test_two_classes_are_too_few_to_leave_one_out(tmp_path):
    folder = write_folder(tmp_path / "data", kinds=("hiss", "hum"), recordings=3)
    with pytest.raises(InvalidArgument, match="`--unknown` needs at least 3 classes"):
        evaluate(folder, unknown=True)


def test_without_a_second_group_there_is_nothing_to_score(tmp_path):
    folder = write_folder(tmp_path / "data", kinds=("hiss", "hum"), recordings=1)
    with pytest.raises(DataError, match="no class has two groups"):
        evaluate(folder)


# Its parts


def test_a_split_by_windows_takes_the_scale_from_what_is_learned(tiny_prepared):
    examples = tiny_prepared.examples
    aside = np.zeros(len(examples), dtype=bool)
    aside[examples.pictures.reshape(len(examples), -1).max(axis=1).argmax()] = True
    learn, rest = examples.split_windows(aside)
    assert (len(learn), len(rest)) == (len(examples) - 1, 1)
    assert rest.scale == learn.scale == (learn.pictures.min(), learn.pictures.max())
    assert rest.X.max() > 1


def test_restricted_examples_know_fewer_classes(tiny_prepared):
    examples = tiny_prepared.examples
    part = examples.restrict(["whistle", "hiss"])
    assert part.labels == ("hiss", "whistle")
    kept = np.isin(examples.y_flat, [0, 2])
    assert np.array_equal(part.pictures, examples.pictures[kept])
    assert np.array_equal(part.y_flat, examples.y_flat[kept] // 2)
    assert np.array_equal(part.recording, examples.recording[kept])
