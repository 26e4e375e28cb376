"""Finished models are scored on what none of them was trained on, on the same recordings."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from conftest import RATE, sound, write_folder
from timbrel.dataset.manifest import read_dataset
from timbrel.errors import DataError, InvalidArgument, ModelError
from timbrel.evaluation.metrics import scores
from timbrel.inference.predictor import load
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


def test_models_side_by_side_answer_for_the_same_recordings(tiny_model, new_data, tmp_path):
    alone = tmp_path / "alone.onnx"
    shutil.copy(tiny_model / "model.onnx", alone)
    found = evaluate_models(new_data, [tiny_model, alone])
    one, other = found.evaluations
    assert one["predictions"] == other["predictions"]
    assert other["against_first"] == {"points": 0.0, "ci95": [0.0, 0.0]}


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
    assert "12 recordings that no model was trained on" in done.stdout
    rows = json.loads(target.read_text())["models"]
    assert [row["model"] for row in rows] == [str(tiny_model)] * 2
    assert {"file", "window", "calibration", "predictions"} <= set(rows[0])
