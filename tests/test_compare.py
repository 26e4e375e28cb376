"""Finished models are scored on what none of them was trained on, on the same recordings."""

import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from conftest import RATE, sound, write_folder
from timbrel.audio.decode import decode
from timbrel.dataset.manifest import read_dataset
from timbrel.errors import DataError, InvalidArgument, ModelError
from timbrel.evaluation.metrics import scores
from timbrel.inference.predictor import load
from timbrel.model.export import with_metadata
from timbrel.workflows.compare import evaluate_models

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def new_data(tmp_path_factory):
    """Recordings of the three kinds that no model has heard, and of a kind that none knows."""
    folder = tmp_path_factory.mktemp("new") / "data"
    for number, kind in enumerate(("hiss", "hum", "whistle", "gong", "noise")):
        (folder / kind).mkdir(parents=True)
        for take in range(4):
            rng = np.random.default_rng([100 + number, take])
            like = kind if number < 3 else "hum"
            soundfile.write(folder / kind / f"{take}.wav", sound(like, 0.7, rng), RATE)
    return folder


def test_the_score_is_that_of_predict(tiny_model, new_data):
    found = evaluate_models(new_data, [tiny_model])
    (evaluation,) = found.evaluations
    predictor = load(tiny_model)
    known = [item for item in read_dataset(new_data).recordings if item.label in predictor.labels]
    answers = [predictor.predict(item.file) for item in known]
    p = np.array([[dict(a.top)[label] for label in predictor.labels] for a in answers])
    target = np.array([predictor.labels.index(item.label) for item in known])
    for name, value in scores(p, target).items():
        assert evaluation["file"][name] == pytest.approx(value, abs=1e-6), name
    rows = evaluation["predictions"]
    assert [row["path"] for row in rows] == [item.path for item in known]
    assert [row["predicted"] for row in rows] == [answer.predicted for answer in answers]


def test_strange_classes_and_noise_are_unknown_sounds(tiny_model, new_data):
    found = evaluate_models(new_data, [tiny_model])
    assert found.notes == ("Classes that no model knows count as unknown sounds: gong.",)
    predictor = load(tiny_model)
    strange = [
        predictor.predict(item.file)
        for item in read_dataset(new_data).recordings
        if item.label in ("gong", "noise")
    ]
    accepted = np.mean([answer.accepted for answer in strange])
    assert found.evaluations[0]["unknown"]["accept_rate"] == pytest.approx(accepted)


def test_recordings_that_a_model_was_trained_on_are_named_and_left_out(tiny_training, tiny_data):
    found = evaluate_models(tiny_data, [tiny_training.path])
    held_out = {row["path"] for row in tiny_training.evaluation["predictions"]}
    assert {row["path"] for row in found.evaluations[0]["predictions"]} == held_out
    assert found.notes[0].startswith("19 recordings that '")
    assert found.evaluations[0]["file"]["accuracy"] == pytest.approx(
        tiny_training.evaluation["file"]["accuracy"]
    )


def test_the_same_samples_in_another_file_format_are_named_and_left_out(
    tiny_training, tiny_data, tmp_path
):
    folder = tmp_path / "data"
    for path in tiny_data.rglob("*.wav"):
        copy = (folder / path.relative_to(tiny_data)).with_suffix(".flac")
        copy.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(copy, soundfile.read(path, dtype="int16")[0], RATE)
    found = evaluate_models(folder, [tiny_training.path])
    (evaluation,) = found.evaluations
    held_out = [row["path"] for row in tiny_training.evaluation["predictions"]]
    rows = [row["path"].replace(".flac", ".wav") for row in evaluation["predictions"]]
    assert rows == held_out
    assert evaluation["data"]["files"] == len(held_out)
    assert evaluation["file"]["accuracy"] == tiny_training.evaluation["file"]["accuracy"]
    paths = sorted(path.relative_to(tiny_data).with_suffix("") for path in tiny_data.rglob("*.wav"))
    learned = [f"{path.as_posix()}.flac" for path in paths]
    learned = [path for path in learned if path.replace(".flac", ".wav") not in held_out]
    assert found.notes == (
        f"19 recordings that hold the same samples as ones that '{tiny_training.path}' was "
        f"trained on are left out: {', '.join(learned[:5])}, ….",
    )
    for path in held_out:
        (folder / path).with_suffix(".flac").unlink()
    with pytest.raises(DataError, match="No recording is left to score on"):
        evaluate_models(folder, [tiny_training.path])


def other_description(model, folder, **changes):
    """A model with the same graph, and a description in which a few keys are others."""
    metadata = load(model).metadata
    metadata = {key: value for key, value in metadata.items() if key != "files"} | changes
    metadata = {key: value for key, value in metadata.items() if value is not None}
    graph = (model / "model.onnx").read_bytes()
    folder.mkdir()
    (folder / "model.onnx").write_bytes(with_metadata(graph, metadata))
    return folder / "model.onnx"


def test_one_sound_that_any_of_the_models_learned_is_left_out_for_all(
    tiny_model, new_data, tmp_path
):
    """Each is compared at its own sample rate, whichever model is asked first."""
    samples = decode(new_data / "hum/2.wav", 8_000).waveform
    digest = hashlib.sha256(samples.tobytes()).hexdigest()
    slow = other_description(tiny_model, tmp_path / "slow", rate=8_000, sounds=[digest])
    fast = other_description(tiny_model, tmp_path / "fast", sounds=[digest])
    for models in ([tiny_model, slow], [slow, tiny_model]):
        found = evaluate_models(new_data, models)
        for evaluation in found.evaluations:
            paths = [row["path"] for row in evaluation["predictions"]]
            assert len(paths) == 11
            assert "hum/2.wav" not in paths
        assert found.notes[-1] == (
            f"1 recording that holds the same samples as one that '{slow}' was trained on is "
            "left out: hum/2.wav."
        )
    assert len(evaluate_models(new_data, [fast]).evaluations[0]["predictions"]) == 12


def test_a_model_that_does_not_know_the_sound_of_its_recordings_still_scores(
    tiny_model, new_data, tmp_path
):
    old = other_description(tiny_model, tmp_path / "old", sounds=None)
    found = evaluate_models(new_data, [old])
    assert len(found.evaluations[0]["predictions"]) == 12
    assert found.notes[0].startswith(f"'{old}' lists the files that it was trained on, but not")


def test_copies_among_the_recordings_share_a_group_and_are_named(tiny_model, new_data, tmp_path):
    folder = shutil.copytree(new_data, tmp_path / "data")
    first, _ = soundfile.read(folder / "hiss/0.wav")
    soundfile.write(folder / "hiss/softer.wav", 0.3 * first, RATE)
    shutil.copy(folder / "hiss/1.wav", folder / "hiss/same.wav")
    before = evaluate_models(new_data, [tiny_model]).evaluations[0]["data"]
    found = evaluate_models(folder, [tiny_model])
    after = found.evaluations[0]["data"]
    assert before["groups"] == before["files"] == 20
    assert (after["files"], after["groups"]) == (22, 20)
    assert found.notes[1:] == (
        "2 recordings share the group of another, of the same sound: hiss/same.wav, "
        "hiss/softer.wav.",
    )


def test_models_side_by_side_answer_for_the_same_recordings(tiny_model, new_data, tmp_path):
    alone = tmp_path / "alone.onnx"
    shutil.copy(tiny_model / "model.onnx", alone)
    found = evaluate_models(new_data, [tiny_model, alone])
    one, other = found.evaluations
    assert one["predictions"] == other["predictions"]
    assert other["against_first"]["points"] == 0.0
    low, high = other["against_first"]["ci95"]
    assert low == -high < 0  # Twelve groups that agree leave some doubt about others.


def test_bad_recordings_are_named_and_left_out(tiny_model, new_data, tmp_path):
    folder = shutil.copytree(new_data, tmp_path / "data")
    (folder / "hum/broken.wav").write_text("no sound")
    soundfile.write(folder / "hum/silent.wav", np.zeros(RATE), RATE)
    found = evaluate_models(folder, [tiny_model])
    assert [item.path for item in found.problems] == ["hum/broken.wav", "hum/silent.wav"]
    assert len(found.evaluations[0]["predictions"]) == 12


def test_what_cannot_be_scored_is_said_in_a_sentence(tiny_model, tmp_path):
    other = write_folder(tmp_path / "other", kinds=("hiss",), recordings=2)
    (other / "hiss").rename(other / "gong")
    with pytest.raises(DataError, match="No recording is left to score on"):
        evaluate_models(other, [tiny_model])
    with pytest.raises(ModelError, match="There is no model"):
        evaluate_models(other, [tmp_path / "nothing"])
    with pytest.raises(InvalidArgument, match="at least one model"):
        evaluate_models(other, [])


def test_the_command_needs_no_keras_and_writes_json(tiny_model, new_data, tmp_path):
    target = tmp_path / "scores.json"
    code = (
        "import sys\n"
        "from timbrel.cli.main import main\n"
        "try:\n"
        f"    main(['evaluate', {str(new_data)!r}, '-m', {str(tiny_model)!r}, '-m', "
        f"{str(tiny_model)!r}, '--json', {str(target)!r}])\n"
        "finally:\n"
        "    print('keras' in sys.modules, 'tensorflow' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("False False\n")
    assert "12 recordings whose files no model was trained on" in done.stdout
    rows = json.loads(target.read_text())["models"]
    assert [row["model"] for row in rows] == [str(tiny_model)] * 2
    assert {"file", "window", "calibration", "predictions"} <= set(rows[0])
