import dataclasses
import functools
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from conftest import RATE, sound, write_folder
from timbrel.audio.decode import decode
from timbrel.dataset.copies import file_sha256
from timbrel.dataset.folds import split_parts
from timbrel.dataset.recording import Recording
from timbrel.errors import DataError, InvalidArgument, ModelError
from timbrel.evaluation.sanity import sanity_round
from timbrel.features.cache import FeatureCache
from timbrel.inference.predictor import load
from timbrel.networks.recipes import get_recipe
from timbrel.progress import Progress
from timbrel.workers import WorkerPool
from timbrel.workflows import train as workflow

pytestmark = pytest.mark.slow

# The tutorial's, unless a test asks for another.
train = functools.partial(workflow.train, recipe="tutorial-cnn")


def test_held_out_recordings_took_no_part_in_the_model(tiny_training, tiny_data):
    held_out = {row["path"] for row in tiny_training.evaluation["predictions"]}
    assert len(held_out) == 5
    every = {
        path.relative_to(tiny_data).as_posix(): file_sha256(path)
        for path in tiny_data.rglob("*.wav")
    }
    learned = set(tiny_training.metadata["recordings"])
    assert learned == {every[path] for path in set(every) - held_out}
    sounds = [
        hashlib.sha256(decode(tiny_data / path, RATE).waveform.tobytes()).hexdigest()
        for path in set(every) - held_out
    ]
    assert tiny_training.metadata["sounds"] == sorted(sounds)


def test_the_score_is_that_of_the_listed_predictions(tiny_training):
    evaluation = tiny_training.evaluation
    right = [row["predicted"] == row["label"] for row in evaluation["predictions"]]
    assert evaluation["file"]["accuracy"] == pytest.approx(np.mean(right))
    assert evaluation["file"]["accuracy"] >= 0.8
    assert np.trace(evaluation["confusion"]) == sum(right)
    assert sum(row["files"] for row in evaluation["per_class"]) == len(right)


def test_the_sanity_round_is_that_of_the_written_model(tiny_training):
    rows = tiny_training.metadata["sanity"]
    assert rows == sanity_round(load(tiny_training.path))
    assert json.loads((tiny_training.path / "model.json").read_text())["sanity"] == rows
    assert load(tiny_training.path / "model.onnx").metadata["sanity"] == rows
    assert rows[0] == {
        "sound": "digital silence",
        "label": "unknown",
        "predicted": None,
        "probability": None,
        "passed": True,
    }


@pytest.mark.parametrize("cached", [False, True])
def test_the_same_seed_gives_the_same_model_bit_for_bit(
    tiny_training, tiny_data, tmp_path, recorder, cached
):
    cache = None if cached else FeatureCache(None)
    again = train(tiny_data, tmp_path / "again", epochs=6, cache=cache, progress=recorder)
    assert [row["cached"] for row in recorder.table("windows")] == [cached]
    assert again.metadata == tiny_training.metadata
    assert (again.path / "model.onnx").read_bytes() == (
        tiny_training.path / "model.onnx"
    ).read_bytes()


class Interrupt(Progress):
    """Interrupts a training after some epochs."""

    def __init__(self, after):
        self.after = after

    def row(self, table, row):
        if table == "epochs" and row["epoch"] == self.after:
            raise KeyboardInterrupt


def test_an_interrupted_training_goes_on_to_the_same_model(tiny_training, tiny_data, tmp_path):
    output = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        train(tiny_data, output, epochs=6, progress=Interrupt(3))
    assert (output / "checkpoint").is_dir()
    train(tiny_data, output, epochs=6, resume=True)
    assert (output / "model.onnx").read_bytes() == (tiny_training.path / "model.onnx").read_bytes()
    assert not (output / "checkpoint").exists()


def test_a_training_is_not_resumed_with_another_split(tiny_data, tmp_path):
    def table(folds):
        names = sorted(path.relative_to(tiny_data).as_posix() for path in tiny_data.rglob("*.wav"))
        lines = [f"{name},{name.split('/')[0]},{folds[i % 2]}" for i, name in enumerate(names)]
        (tmp_path / "list.csv").write_text("\n".join(["path,label,fold", *lines]))
        return tmp_path / "list.csv"

    output = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        train(table("12"), output, audio=tiny_data, epochs=3, progress=Interrupt(1))
    with pytest.raises(ModelError, match="another split"):
        train(table("21"), output, audio=tiny_data, epochs=3, resume=True)


@pytest.mark.usefixtures("untrained")
def test_copies_of_a_recording_stay_on_one_side(tmp_path, recorder):
    data = write_folder(tmp_path / "data", recordings=10, seconds=0.2)
    for kind in ("hum", "hiss"):
        for copy in range(5):
            shutil.copy(data / kind / "0.wav", data / kind / f"copy {copy}.wav")
    result = train(data, tmp_path / "model", epochs=1, progress=recorder)
    # Named once while it goes on, counted in what is written.
    (named,) = [item for item in recorder.findings if item.path == "hum/copy 0.wav"]
    assert (named.code, named.facts["other"]) == ("exact-duplicate", "hum/0.wav")
    assert "10 recordings share the group" in result.evaluation["protocol"]["notes"][0]
    held_out = {row["path"] for row in result.evaluation["predictions"]}
    for kind in ("hum", "hiss"):
        same = {f"{kind}/0.wav", *(f"{kind}/copy {copy}.wav" for copy in range(5))}
        assert same <= held_out or not same & held_out


def test_a_small_class_does_not_cost_the_others_their_training():
    recordings = [
        Recording(f"{label}/{take}.wav", Path("x"), label, f"{label} {take}")
        for label, count in (("hiss", 24), ("hum", 3), ("whistle", 24))
        for take in range(count)
    ]
    parts = split_parts(recordings, seed=0)
    assert parts.inner.sum() <= 0.2 * (~parts.held_out).sum()


@pytest.mark.usefixtures("untrained")
def test_a_class_without_a_usable_recording_is_named(tmp_path):
    data = write_folder(tmp_path / "data", recordings=4)
    for path in (data / "hum").iterdir():
        soundfile.write(path, np.zeros(RATE), RATE)
    result = train(data, tmp_path / "model", epochs=1)
    notes = result.evaluation["protocol"]["notes"]
    assert any("No recording of 'hum' can be used" in note for note in notes)


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
@pytest.mark.usefixtures("untrained")
def test_file_names_need_not_be_text(tmp_path):
    data = write_folder(tmp_path / "data", recordings=4)
    odd = os.fsencode(data / "hum") + b"/f\xff\xe9.wav"
    shutil.copy(data / "hum" / "0.wav", odd)
    result = train(data, tmp_path / "model", epochs=1)
    assert not result.problems
    answer = load(result.path).predict(os.fsdecode(odd))
    assert answer.predicted in result.metadata["labels"]
    json.loads((result.path / "evaluation.json").read_text(encoding="utf-8"))


def test_refit_learns_from_everything_and_keeps_the_score(tiny_training, tiny_data, tmp_path):
    result = train(tiny_data, tmp_path / "model", epochs=6, refit=True)
    assert result.metadata["refit"] is True
    assert len(result.metadata["recordings"]) == 24
    assert "trained once more on all recordings" in (result.path / "report.html").read_text()
    assert result.evaluation["predictions"] == tiny_training.evaluation["predictions"]
    assert result.metadata["thresholds"] == tiny_training.metadata["thresholds"]
    sound = tiny_data / "hum" / "0.wav"
    assert load(result.path).predict(sound) != load(tiny_training.path).predict(sound)


@pytest.mark.parametrize("recipe", ["tutorial-cnn-16", "tutorial-rnn", "strong"])
def test_the_other_recipes_train_and_predict(recipe, tiny_data, tmp_path):
    result = train(tiny_data, tmp_path / "model", recipe=recipe, epochs=1)
    assert result.metadata["recipe"]["name"] == recipe
    assert load(result.path).predict(tiny_data / "hum" / "0.wav").predicted


@pytest.mark.usefixtures("untrained")
def test_examples_of_none_of_these_are_no_class_and_test_the_rejection(tiny_data, tmp_path):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "Noise").mkdir()
    for take in range(3):
        rng = np.random.default_rng(take)
        soundfile.write(data / "Noise" / f"{take}.wav", sound("hiss", 0.4, rng)[::-1], RATE)
    result = train(data, tmp_path / "model", epochs=1)
    assert result.evaluation["labels"] == ["hiss", "hum", "whistle"]
    unknown = result.evaluation["unknown"]
    assert set(unknown) == {"threshold", "auroc", "accept_rate", "ci95"}
    assert 0 <= unknown["accept_rate"] <= 1


@pytest.mark.usefixtures("untrained")
def test_quiet_recordings_are_used_and_the_threshold_is_named(tmp_path, recorder):
    data = write_folder(tmp_path / "data", recordings=6)
    for path in data.rglob("*.wav"):
        waveform, rate = soundfile.read(path)
        soundfile.write(path, waveform * 0.003, rate, subtype="FLOAT")
    train(data, tmp_path / "model", epochs=1, progress=recorder)
    (found,) = [item for item in recorder.findings if item.code == "little-kept"]
    assert "18 of 18 recordings, which were used uncleaned" in found.text
    suggested = float(found.facts["better"])
    train(data, tmp_path / "model", epochs=1, clean_threshold=suggested, progress=recorder)
    assert [item.code for item in recorder.findings].count("little-kept") == 1


@pytest.mark.usefixtures("untrained")
def test_one_class_and_single_recordings(tmp_path):
    data = write_folder(tmp_path / "one", kinds=("hum",))
    with pytest.raises(DataError, match="at least two classes.* one class only, 'hum'"):
        train(data, tmp_path / "model", epochs=1)
    assert not (tmp_path / "model").exists()
    data = write_folder(tmp_path / "single", recordings=6)
    for path in sorted((data / "hum").iterdir())[1:]:
        path.unlink()
    result = train(data, tmp_path / "model", epochs=1)
    assert any(
        "'hum' has a single recording" in note for note in result.evaluation["protocol"]["notes"]
    )
    assert {row["label"] for row in result.evaluation["predictions"]} == {"hiss", "whistle"}
    assert result.metadata["labels"] == ["hiss", "hum", "whistle"]


@pytest.mark.usefixtures("untrained")
def test_two_recordings_a_class_are_enough_and_a_model_that_is_replaced_is_named(
    tmp_path, recorder
):
    data = write_folder(tmp_path / "data", recordings=2)
    result = train(data, tmp_path / "model", epochs=1, progress=recorder)
    codes = [item.code for item in recorder.findings]
    assert {"larger-fold", "not-calibrated"} <= set(codes)
    assert "model-replaced" not in codes
    assert result.metadata["temperature"] == 1
    assert result.metadata["thresholds"]["unknown"] == 0
    train(data, tmp_path / "model", epochs=1, progress=recorder)
    assert recorder.findings[-1].code == "model-replaced"


@pytest.mark.usefixtures("untrained")
def test_labels_may_be_any_text(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    labels = {"hum": "Tiefes Brummen, 50 Hz", "hiss": "שריקה ♪ <b>", "whistle": "0"}
    lines = ["fname,label"]
    for kind, label in labels.items():
        for take in range(4):
            name = f"{kind} {take}.wav"
            soundfile.write(data / name, sound(kind, 0.4, np.random.default_rng(take)), RATE)
            lines.append(f'{name},"{label}"')
    (data / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    result = train(data / "list.csv", tmp_path / "model", epochs=1)
    assert result.metadata["labels"] == sorted(labels.values())
    assert load(result.path).labels == sorted(labels.values())
    assert "&lt;b&gt;" in (result.path / "report.html").read_text(encoding="utf-8")


def test_wrong_values_are_named(tiny_data, tmp_path):
    with pytest.raises(InvalidArgument, match=r"`seed` must be .* Got 4294967296"):
        train(tiny_data, tmp_path / "model", seed=2**32)
    with pytest.raises(InvalidArgument, match=r"`clean_threshold` must be .* Got 1\.5"):
        get_recipe("tutorial-cnn").adjusted(clean_threshold=1.5)
    assert (
        get_recipe("tutorial-cnn")
        .adjusted(epochs=3, clean_threshold=0.01)
        .windowing.clean_threshold
        == 0.01
    )


@pytest.mark.usefixtures("untrained")
def test_a_closed_folder_is_told_before_training(tiny_data, tmp_path, closed, recorder):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "flute").mkdir()
    closed("flute")
    result = train(data, tmp_path / "model", epochs=1, progress=recorder)
    assert [item.code for item in result.problems] == ["closed-folder"]
    codes = [item.code for item in recorder.findings]
    assert codes.index("lost-folder") < len(codes)
    notes = result.evaluation["protocol"]["notes"]
    assert notes[0] == "The folder 'flute' cannot be opened: nothing in it is used."


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("recipe", ["tutorial-cnn", "statistics-cnn"])
def test_every_recording_is_decoded_once(tiny_data, tmp_path, monkeypatch, recipe):
    """Held-out recordings and mistakes too; with a cache only those whose samples are needed."""
    data, names = shutil.copytree(tiny_data, tmp_path / "data"), []
    shutil.copytree(tiny_data / "hum", data / "noise")
    for path in (data / "noise").iterdir():
        waveform, rate = soundfile.read(path)
        soundfile.write(path, waveform[::-1] ** 3, rate)
    run = WorkerPool.run

    def counting(self, task, path, *arguments, name=None, **more):
        names.append(name)
        return run(self, task, path, *arguments, name=name, **more)

    monkeypatch.setattr(WorkerPool, "run", counting)
    cache = FeatureCache(tmp_path / "cache")
    chosen = dataclasses.replace(get_recipe(recipe), epochs=1)
    workflow.train(data, tmp_path / "one", recipe=chosen, cache=cache, refit=True)
    assert sorted(names) == sorted(
        path.relative_to(data).as_posix() for path in data.rglob("*.wav")
    )
    names.clear()
    workflow.train(data, tmp_path / "two", recipe=chosen, cache=cache)
    assert len(names) == len(set(names)) < 32
