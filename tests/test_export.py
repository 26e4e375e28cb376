import dataclasses
import hashlib
import os

import numpy as np
import onnx
import pytest

from timbrel.errors import ModelError
from timbrel.model import export
from timbrel.model.runtime import Session
from timbrel.networks.builders import front_end, network
from timbrel.networks.recipes import RECIPES, get_recipe

SLOW = pytest.mark.slow


def trained(name="tutorial-cnn", *, temperature=1.7):
    recipe = get_recipe(name)
    model = network(recipe, front_end(recipe).output_shape[1:], 4, seed=3)
    scale = (-71.5, 72.25) if recipe.schedule is None else (0.0, 1.0)
    return export.Trained(recipe, model, scale, temperature)


@pytest.fixture(scope="module")
def graph():
    return export.export_onnx(trained())


def windows(n=40, name="tutorial-cnn"):
    rng = np.random.default_rng(0)
    sound = rng.normal(size=(n, get_recipe(name).windowing.window)).astype(
        "float32"
    ) * 10.0 ** rng.uniform(-6, 0, size=(n, 1))
    sound[0] = 0
    return np.float32(sound)


@pytest.mark.parametrize(
    "name",
    [name if name == "tutorial-cnn" else pytest.param(name, marks=SLOW) for name in RECIPES],
)
def test_the_export_answers_as_the_keras_model_does(name, graph):
    whole = export.whole_model(trained(name))
    if name != "tutorial-cnn":
        graph = export.export_onnx(trained(name))
    heard = windows(name=name)
    assert export.measure_parity(whole, graph, heard) <= 1e-5
    outputs = whole(heard)
    probabilities, embedding = Session(graph, "graph").run(heard)
    np.testing.assert_allclose(probabilities, np.asarray(outputs["probabilities"]), atol=1e-5)
    np.testing.assert_allclose(embedding, np.asarray(outputs["embedding"]), atol=1e-4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("copies", [None, "TRUE"])
def test_equal_weights_give_equal_bytes_whatever_was_exported_before(graph, copies, monkeypatch):
    setting = "TF2ONNX_CATCH_ERRORS"
    monkeypatch.delenv(setting, raising=False)
    if copies:
        monkeypatch.setenv(setting, copies)
    export.export_onnx(trained("tutorial-cnn-16"))
    again = export.export_onnx(trained())
    assert os.environ.get(setting) == copies
    assert hashlib.sha256(again).hexdigest() == hashlib.sha256(graph).hexdigest()


def test_the_graph_starts_at_the_waveform_and_needs_nothing_but_onnx(graph):
    model = onnx.load_from_string(graph)
    assert [
        (value.name, value.type.tensor_type.shape.dim[0].dim_param) for value in model.graph.input
    ] == [("waveform", "batch")]
    assert {value.name for value in model.graph.output} == {"probabilities", "embedding"}
    assert {node.domain for node in model.graph.node} == {""}


@pytest.mark.slow
def test_temperature_is_inside_the_graph(graph):
    cold = Session(export.export_onnx(trained(temperature=1.0)), "graph").run(windows())[0]
    warm = Session(graph, "graph").run(windows())[0]
    expected = cold.astype(np.float64) ** (1 / 1.7)
    np.testing.assert_allclose(warm, expected / expected.sum(axis=1, keepdims=True), atol=1e-6)


def test_the_joined_model_is_the_network_on_scaled_pictures():
    plain = trained(temperature=1.0)
    pictures = np.asarray(front_end(plain.recipe)(windows()))
    low, high = plain.scale
    expected = np.asarray(plain.network((pictures - low) / (high - low)))
    got = export.probabilities(export.whole_model(plain), windows())
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_a_model_that_differs_is_refused(graph):
    other = dataclasses.replace(trained(), scale=(-71.5, 60.0))
    with pytest.raises(ModelError, match=r"differs from the trained one by .* it was not written"):
        export.measure_parity(export.whole_model(other), graph, windows())


def test_metadata_is_replaced_and_survives(graph):
    once = export.with_metadata(graph, {"labels": ["Flöte"]})
    twice = export.with_metadata(once, {"labels": ["Ney ♪"]})
    assert Session(twice, "graph").metadata == {"labels": ["Ney ♪"]}
    assert len(onnx.load_from_string(twice).metadata_props) == 1


def test_no_windows_give_no_answers(graph):
    probabilities, embedding = Session(graph, "graph").run(np.empty((0, 1600), dtype=np.float32))
    assert probabilities.shape == (0, 4)
    assert embedding.shape == (0, 64)


def test_batches_do_not_change_the_answer(graph, monkeypatch):
    session = Session(graph, "graph")
    together = session.run(windows())[0]
    monkeypatch.setattr("timbrel.model.runtime._SAMPLES_AT_ONCE", 7 * 1600)
    np.testing.assert_allclose(session.run(windows())[0], together, atol=1e-6)


def test_what_is_no_model_is_refused(graph):
    with pytest.raises(
        ModelError, match=r"here.onnx is not an ONNX model, or it is damaged; name a"
    ):
        Session(b"RIFF....", "here.onnx")
    model = onnx.load_from_string(graph)
    del model.metadata_props[:]
    with pytest.raises(ModelError, match="not one that Timbrel made"):
        Session(model.SerializeToString(), "here.onnx")
