"""A model may be any file, and may say anything of itself: what is wrong is one sentence."""

import hashlib
import json
import os
import random

import pytest

import timbrel
from timbrel.cli.main import main
from timbrel.errors import ModelError
from timbrel.inference.predictor import load
from timbrel.model import metadata
from timbrel.model.directory import load_model

onnx = pytest.importorskip("onnx", reason="descriptions are written with onnx (extra: train)")


@pytest.fixture
def saying(tiny_model, tmp_path):
    """The tiny model with any text as its description, as a `model.onnx` alone."""
    graph = (tiny_model / "model.onnx").read_bytes()

    def write(text):
        model = onnx.load_model_from_string(graph)
        del model.metadata_props[:]
        model.metadata_props.add(key="timbrel", value=text)
        path = tmp_path / "other.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


def refused(capfd, *arguments):
    """What a command that ends with status 2 says."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    out, err = capfd.readouterr()
    assert (stopped.value.code, out, err.count("\n")) == (2, "", 1)
    return err


@pytest.mark.parametrize("text", ["", "{", "not JSON", "[" * 100_000, "9" * 5000, '{"a": 1} {}'])
def test_a_description_that_is_no_json(saying, capfd, tiny_data, text):
    path = saying(text)
    err = refused(capfd, "predict", tiny_data / "hum" / "0.wav", "-m", path)
    assert f"The description inside '{path}' is not JSON, so the model is damaged; copy" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 300 + "]" * 300, "is nested too deeply"),
        ('{"seed": 1' + "0" * 30 + "}", "a number that is too large"),
        ('{"labels": ["\\ud800"]}', "text that is not valid Unicode"),
        ("[]", "its description is not a JSON object"),
        ("null", "its description is not a JSON object"),
        ("{}", "'schema' must be of type int. Got None"),
    ],
)
def test_json_that_is_no_description(saying, text, message):
    with pytest.raises(ModelError, match=message):
        load_model(saying(text))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": True}, "'schema' must be of type int. Got True"),
        ({"rate": "16000"}, "'rate' must be of type int. Got '16000'"),
        ({"rate": 10**12}, "'rate' must be at most 10000000"),
        ({"labels": ["a", "b", 3]}, "'labels' must be different texts"),
        ({"labels": [["a"], ["b"], ["c"]]}, "'labels' must be different texts"),
        ({"thresholds": {"unknown": float("nan")}}, "cleaning or thresholds is incomplete"),
        ({"thresholds": {"unknown": 1.5}}, "cleaning or thresholds is incomplete"),
        ({"cleaning": {"threshold": 0.1, "window": float("inf")}}, "cleaning or thresholds"),
        ({"rate": 5}, "cleaning or thresholds is incomplete"),
        ({"depth": float("inf")}, "'depth' must be null or at least 0 dB. Got inf"),
        ({"depth": -1}, "'depth' must be null or at least 0 dB. Got -1"),
        ({"recipe": {"name": ["x"]}}, "'recipe' must be named by a text"),
        ({"aggregation": "x" * 5000, "hop": 0}, "'hop' must be at least 1"),
    ],
)
def test_values_of_the_wrong_kind_are_named(saying, tiny_model, changes, message):
    original = load_model(tiny_model / "model.onnx").metadata
    with pytest.raises(ModelError, match=message) as caught:
        load_model(saying(json.dumps({**original, **changes})))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("odd", [3, [[]], None, "x", {}, float("nan")])
def test_what_it_need_not_say_does_not_stop_a_comparison(saying, tiny_model, tiny_data, odd):
    from timbrel.workflows.compare import evaluate_models

    original = load_model(tiny_model / "model.onnx").metadata
    changes = dict.fromkeys(("recordings", "sounds", "temperature", "seed"), odd)
    recipe = {key: value for key, value in original["recipe"].items() if key != "name"}
    path = saying(json.dumps({**original, **changes, "recipe": recipe}))
    result = evaluate_models(tiny_data, [path])
    assert "does not say what it was trained on" in str(result.evaluations[0]["protocol"]["notes"])


ODD = [None, True, -1, 0, 3, 1e308, float("nan"), "", "x", [], ["a"], [[]], {}, {"a": 1}, [{}]]


def places(data, above=()):
    """Where in a description something could stand, but for long lists."""
    within = data.items() if isinstance(data, dict) else ()
    for key, value in within:
        yield (*above, key)
        yield from places(value, (*above, key))


def test_whatever_stands_in_a_description_nothing_crashes(saying, tiny_model, tiny_data):
    original = load_model(tiny_model / "model.onnx").metadata
    everywhere = [(place, value) for place in places(original) for value in ODD]
    for place, value in random.Random(0).sample(everywhere, 60):
        changed = json.loads(json.dumps(original))
        inner = changed
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        path, message = saying(json.dumps(changed)), ""
        try:
            load(path).predict(tiny_data / "hum" / "0.wav")
            timbrel.info(path)._repr_html_()
        except ModelError as error:
            message = str(error)
        assert "\n" not in message, (place, value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("alone", [True, False])
def test_a_pipe_is_not_waited_for(tmp_path, capfd, alone):
    model = tmp_path / "pipe.onnx" if alone else tmp_path / "model"
    pipe = model if alone else model / "model.json"
    pipe.parent.mkdir(exist_ok=True)
    os.mkfifo(pipe)
    if not alone:
        (model / "model.onnx").write_bytes(b"")
    err = refused(capfd, "predict", "x.wav", "-m", model)
    if alone:
        assert err == (
            f"Error: '{pipe}' is a device or a pipe; name a model directory or its model.onnx.\n"
        )
    else:
        assert "is not a Timbrel model" in err


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="the system has no such device")
def test_a_device_is_not_read(capfd):
    assert "'/dev/zero' is a device or a pipe" in refused(
        capfd, "predict", "x.wav", "-m", "/dev/zero"
    )


def test_what_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(metadata, "_LARGEST", 10)
    (tmp_path / "large.onnx").write_bytes(b"0123456789")
    with pytest.raises(ModelError, match="is larger than a model can be"):
        load_model(tmp_path / "large.onnx")


def test_a_damaged_graph_is_named(tiny_model, tmp_path, capfd):
    graph = (tiny_model / "model.onnx").read_bytes()
    # In the name of an operator, of which onnxruntime then speaks.
    (tmp_path / "m.onnx").write_bytes(graph.replace(b"Softmax", b"Soft\xffax"))
    err = refused(capfd, "predict", "x.wav", "-m", tmp_path / "m.onnx")
    assert "is not an ONNX model, or it is damaged; name a model directory" in err


def test_a_graph_of_another_shape_is_not_ours(tmp_path):
    value = onnx.helper.make_tensor_value_info
    names = ("probabilities", "embedding")
    for shape, kind in (([None, "n"], 1), ([3], 1), ([None, 3], 11), (None, 1)):
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("Identity", ["waveform"], [name]) for name in names],
            "other",
            [value("waveform", kind, shape)],
            [value(name, kind, shape) for name in names],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
        model.ir_version = 8
        model.metadata_props.add(key="timbrel", value="{}")
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match="but not one that Timbrel made"):
            load_model(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    "record",
    [
        "[]",
        "{",
        '{"per_class": 3}',
        '{"per_class": [1, 2, 3], "confusion": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}',
    ],
)
def test_an_evaluation_that_is_none_is_left_out(tiny_model, tmp_path, record):
    for file in tiny_model.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "evaluation.json").write_text(record)
    description = json.loads((tmp_path / "model.json").read_text())
    description["files"]["evaluation.json"] = hashlib.sha256(record.encode()).hexdigest()
    (tmp_path / "model.json").write_text(json.dumps(description))
    found = timbrel.info(tmp_path)
    assert found.evaluation is None
    assert found.notes[-1].startswith("evaluation.json is")
