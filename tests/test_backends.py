"""The same code on another Keras backend."""

import os
import subprocess
import sys

import numpy as np
import pytest

from timbrel.inference.predictor import load

pytestmark = pytest.mark.slow
pytest.importorskip("jax", reason="the second Keras backend is not installed (extra: jax)")

CODE = """
import sys
import numpy as np
import keras
assert keras.backend.backend() == "jax"
from timbrel.features.mfcc import MFCC
from timbrel.features.logmel import LogMel
from timbrel.workflows.train import train
data, windows, output = sys.argv[1:]
sound = np.load(windows)
mel = LogMel(rate=16_000, frame=400, hop=160, nfft=512, filters=40)
np.savez(output + ".npz", mfcc=np.asarray(MFCC()(sound)), mel=np.asarray(mel(sound)))
for recipe in ("tutorial-cnn", "tutorial-rnn", "statistics-cnn"):
    epochs = 4 if recipe == "tutorial-cnn" else 1
    result = train(data, output + recipe, recipe=recipe, epochs=epochs)
    assert result.metadata["parity"]["max_difference"] <= 1e-5
    assert result.metadata["trained_in"] == "float32"
"""


@pytest.fixture(scope="module")
def made(tiny_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("jax")
    rng = np.random.default_rng(0)
    sound = np.float32(rng.normal(size=(20, 1600)) * 10.0 ** rng.uniform(-8, 0, size=(20, 1)))
    np.save(folder / "windows.npy", sound)
    command = [sys.executable, "-c", CODE, tiny_data, folder / "windows.npy", folder / "out"]
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [str(word) for word in command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, sound


def test_front_ends_give_the_same_pictures(made):
    from timbrel.features.logmel import LogMel
    from timbrel.features.mfcc import MFCC

    folder, sound = made
    theirs = np.load(folder / "out.npz")
    mel = LogMel(rate=16_000, frame=400, hop=160, nfft=512, filters=40)
    np.testing.assert_allclose(theirs["mfcc"], np.asarray(MFCC()(sound)), atol=1e-3)
    np.testing.assert_allclose(theirs["mel"], np.asarray(mel(sound)), atol=1e-3)


@pytest.mark.parametrize("recipe", ["tutorial-cnn", "tutorial-rnn", "statistics-cnn"])
def test_training_and_export_work_and_the_model_predicts(made, recipe, tiny_data):
    predictor = load(made[0] / f"out{recipe}")
    answers = [found[0] for found in predictor.predict_many(sorted(tiny_data.rglob("*.wav")))]
    assert all(item.predicted in ("hiss", "hum", "whistle") for item in answers)
    if recipe == "tutorial-cnn":
        right = np.mean([item.predicted in item.path for item in answers])
        assert right > 0.9
