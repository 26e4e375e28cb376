"""A front end and a network of other kinds fit in, from training to predicting."""

import dataclasses
import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import soundfile

from conftest import RATE
from timbrel import RECIPES, front_end, load, train
from timbrel.audio.windows import Windowing
from timbrel.features.backend import keras
from timbrel.features.framing import FrontEnd
from timbrel.features.front_ends import FrontEndSettings
from timbrel.networks.builders import front_end_multiply_adds
from timbrel.networks.network import Network
from timbrel.networks.recipes import FRONT_ENDS, NETWORKS, Recipe, Schedule

ops = keras.ops


@dataclass(frozen=True)
class LevelSettings(FrontEndSettings):
    """Root mean square of each frame, and nothing else."""

    kind: ClassVar[str] = "level"

    frame: int = 400

    def layer(self, rate):
        return Level(frame=self.frame, name=self.kind)


class Level(FrontEnd):
    def __init__(self, *, frame, **layer):
        super().__init__(**layer)
        self.frame = frame

    def call(self, waveform):
        frames = ops.reshape(waveform, (-1, waveform.shape[1] // self.frame, self.frame))
        return ops.sqrt(ops.mean(ops.square(frames), axis=2, keepdims=True))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[1] // self.frame, 1)

    @property
    def multiply_adds(self):
        return self.input.shape[1]


@dataclass(frozen=True)
class Shallow(Network):
    """Units on the values of all frames."""

    kind: ClassVar[str] = "shallow"

    units: int = 16

    def hidden_layers(self, make):
        return [keras.layers.Flatten(), make.dense(self.units, name="units")]


PLAIN = Recipe(
    name="level-shallow",
    description="A shallow network on levels.",
    windowing=Windowing(rate=RATE, window=3200, hop=3200),
    front_end=LevelSettings(),
    network=Shallow(),
    epochs=5,
    batch_size=4,
)
# There are no changes and no outliers of such pictures: copies are the windows themselves.
SCHEDULED = dataclasses.replace(PLAIN, epochs=None, schedule=Schedule(crops=12_000))


@pytest.fixture(scope="module")
def levels(tmp_path_factory):
    """Loud noise and quiet noise."""
    folder = tmp_path_factory.mktemp("levels")
    for number, (name, level) in enumerate((("loud", 0.2), ("quiet", 0.05))):
        (folder / name).mkdir()
        for take in range(10):
            rng = np.random.default_rng([number, take])
            noise = level * rng.uniform(0.7, 1.3) * rng.normal(size=RATE)
            soundfile.write(folder / name / f"{take}.wav", noise, RATE)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [PLAIN, SCHEDULED])
def test_new_kinds_are_trained_exported_and_predict(recipe, levels, tmp_path, monkeypatch):
    monkeypatch.setitem(FRONT_ENDS, "level", LevelSettings)
    monkeypatch.setitem(NETWORKS, "shallow", Shallow)
    result = train(levels, tmp_path / "model", recipe=recipe)
    assert Recipe.from_dict(json.loads(json.dumps(result.metadata["recipe"]))) == recipe
    answers = load(tmp_path / "model").predict_many(sorted(levels.rglob("*.wav")))
    assert [found[0].predicted for found in answers] == ["loud"] * 10 + ["quiet"] * 10


@pytest.mark.parametrize("recipe", ["tutorial-cnn", "strong"])
def test_layers_announce_their_shape_and_are_rebuilt_from_their_configuration(recipe):
    settings = RECIPES[recipe].front_end
    for samples in (1, 400, 401, 3000):
        layer = settings.layer(RATE)
        again = type(layer).from_config(layer.get_config())
        windows = np.random.default_rng(4).normal(size=(2, samples)).astype("float32")
        announced, pictures = layer.compute_output_shape((2, samples)), layer(windows)
        assert tuple(pictures.shape) == announced
        np.testing.assert_array_equal(np.asarray(again(windows)), np.asarray(pictures))
        assert layer.count_params() == 0


def test_its_cost_is_counted_and_its_shape_known():
    assert front_end_multiply_adds(PLAIN) == 3200
    assert front_end(PLAIN).output_shape == (None, 8, 1)


@pytest.mark.parametrize("recipe", [PLAIN, *RECIPES.values()], ids=lambda recipe: recipe.name)
def test_the_fastest_way_agrees_with_the_layers(recipe):
    windows = np.random.default_rng(0).normal(size=(3, recipe.windowing.window)).astype("float32")
    model = front_end(recipe)
    pictures = model.layers[0].transform(model)(windows)
    assert pictures.dtype == np.float32
    np.testing.assert_allclose(pictures, np.asarray(model(windows)), atol=2e-3)


def test_the_fastest_way_rearranges_log_mel_pictures_for_other_networks():
    recipe = dataclasses.replace(RECIPES["tutorial-cnn"], front_end=RECIPES["strong"].front_end)
    windows = np.random.default_rng(0).normal(size=(3, recipe.windowing.window)).astype("float32")
    model = front_end(recipe)
    pictures = model.layers[0].transform(model)(windows)
    assert pictures.shape == (3, 128, 1, 1)
    np.testing.assert_allclose(pictures, np.asarray(model(windows)), atol=2e-3)
