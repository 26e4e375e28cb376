"""KERAS_BACKEND names something that Keras trains on, or one sentence says what to do."""

import os
import subprocess
import sys

import pytest

BLOCK = (
    "import sys\n"
    "class Blocked:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        if name.partition('.')[0] in {blocked!r}:\n"
    "            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)\n"
    "sys.meta_path.insert(0, Blocked())\n"
)
SENTENCE = "Training and feature extraction on"


def train(data, backend, *blocked):
    """What `timbrel train` says where some packages are not installed."""
    code = BLOCK.format(blocked=blocked) + (
        f"from timbrel.cli.main import main\nmain(['train', {str(data)!r}, '-o', 'never'])"
    )
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


@pytest.mark.parametrize("backend", ["foo", "openvino", "numpy"])
def test_what_keras_does_not_train_on_is_named(tiny_data, backend):
    assert train(tiny_data, backend) == (
        "Error: The environment variable KERAS_BACKEND must be one of tensorflow, jax, torch, on "
        f"which Keras trains. Got '{backend}'.\n"
    )


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_extra_of_a_backend_is_named(tiny_data, backend):
    pytest.importorskip("keras", reason="Keras is not installed (extra: train)")
    assert train(tiny_data, backend, backend) == (
        f'Error: {SENTENCE} {backend} needs more packages: pip install "timbrel[{backend}]"\n'
    )


def test_both_extras_are_named_where_keras_is_missing_too(tiny_data):
    assert train(tiny_data, "jax", "keras", "jax") == (
        f'Error: {SENTENCE} jax needs more packages: pip install "timbrel[train,jax]"\n'
    )


def test_predicting_does_not_ask_for_a_backend(tiny_model, tiny_data):
    command = [sys.executable, "-m", "timbrel", "predict", tiny_data / "hum", "-m", tiny_model]
    environment = {**os.environ, "KERAS_BACKEND": "foo"}
    done = subprocess.run(
        [str(word) for word in command], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0
