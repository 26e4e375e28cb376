import builtins
import errno
import json
import os
import shutil

import numpy as np
import pytest

from timbrel.errors import InvalidArgument, ModelError, OutputError
from timbrel.files import write_bytes
from timbrel.inference.predictor import load
from timbrel.model.directory import check_output, load_model, write_model
from timbrel.model.export import with_metadata
from timbrel.model.metadata import windowing_of


@pytest.fixture
def copy(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "copy")


def edit(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_the_graph_alone_predicts_as_the_directory_does(tiny_model, tiny_data, tmp_path):
    alone = shutil.copy(tiny_model / "model.onnx", tmp_path / "renamed.onnx")
    sound = tiny_data / "hum" / "0.wav"
    assert load(alone).predict(sound) == load(tiny_model).predict(sound)


def test_the_copy_inside_the_graph_lacks_only_the_sums(tiny_model):
    outside = json.loads((tiny_model / "model.json").read_text())
    inside = load_model(tiny_model / "model.onnx").metadata
    assert {key: outside[key] for key in outside if key != "files"} == inside
    assert set(outside["files"]) == {path.name for path in tiny_model.iterdir()} - {"model.json"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, r"made by a newer Timbrel \(schema 2.*read it with that one"),
        ({"labels": ["whistle", "hum", "hiss"]}, r"was changed: it differs from its copy inside"),
        ({"labels": ["a", "a", "b"]}, "'labels' must be different texts"),
        ({"cleaning": {"threshold": "x", "window": 0.1}}, "cleaning or thresholds is incomplete"),
        ({"labels": "abc"}, "'labels' must be of type list. Got 'abc'"),
        ({"thresholds": {}}, "cleaning or thresholds is incomplete"),
        ({"depth": "40"}, "'depth' must be null or at least 0 dB. Got '40'"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(copy, changes, message):
    edit(copy, **changes)
    with pytest.raises(ModelError, match=message):
        load_model(copy)


def test_a_model_that_says_no_depth_lets_all_windows_count(tiny_model):
    metadata = load_model(tiny_model).metadata
    assert windowing_of(metadata | {"depth": 40.0}).depth == 40.0
    assert windowing_of({key: metadata[key] for key in metadata if key != "depth"}).depth is None


def test_a_graph_with_another_sum_is_refused(copy):
    graph = (copy / "model.onnx").read_bytes()
    (copy / "model.onnx").write_bytes(with_metadata(graph, {"labels": []}))
    with pytest.raises(ModelError, match=r"SHA-256 differs.*Copy the model again"):
        load_model(copy)


def test_missing_and_broken_parts_are_named(copy, tmp_path):
    with pytest.raises(
        ModelError, match="There is no model .*; name a model directory or its model.onnx"
    ):
        load_model(tmp_path / "nowhere")
    (copy / "model.json").write_text("{")
    with pytest.raises(ModelError, match="is not JSON"):
        load_model(copy)
    (copy / "model.json").unlink()
    with pytest.raises(ModelError, match="is not a Timbrel model.*; name a folder"):
        load_model(copy)
    (copy / "checkpoint").mkdir()
    with pytest.raises(
        ModelError, match="was not finished. Continue it with timbrel train --resume"
    ):
        load_model(copy)


def test_a_folder_that_is_not_a_model_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("…")
    with pytest.raises(InvalidArgument, match=r"exists and is not a Timbrel model.*with -o"):
        check_output(tmp_path)
    with pytest.raises(InvalidArgument, match="is a file"):
        check_output(tmp_path / "thesis.tex")


@pytest.mark.parametrize(
    ("name", "content"),
    [("model.json", '{"my": "stuff"}'), ("checkpoint/mine.pt", "weights"), ("model.json", "[")],
)
def test_files_of_others_are_not_taken_for_a_model(tmp_path, name, content):
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / name).write_text(content)
    with pytest.raises(InvalidArgument, match="is not a Timbrel model"):
        check_output(tmp_path)
    assert (tmp_path / name).read_text() == content


def test_metadata_that_does_not_fit_its_graph_is_refused(tiny_model, tmp_path):
    graph = (tiny_model / "model.onnx").read_bytes()
    metadata = load_model(tiny_model).metadata
    metadata = {key: value for key, value in metadata.items() if key != "files"}
    other = with_metadata(graph, {**metadata, "labels": ["a", "b"]})
    (tmp_path / "model.onnx").write_bytes(other)
    with pytest.raises(ModelError, match="knows 3 classes, the description says 1600 and 2"):
        load_model(tmp_path / "model.onnx")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_is_one_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="no permission. Choose another folder with -o"):
        check_output(tmp_path / "model")


def test_no_permission_is_one_sentence_also_for_root(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(OutputError, match="no permission. Choose another folder with -o"):
        check_output(tmp_path / "model")


def test_a_full_disk_leaves_the_old_model(copy, tiny_data, monkeypatch):
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    real = builtins.open

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, content):
            self.file.write(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    def full_on_the_second(path, *args, **kwargs):
        file = real(path, *args, **kwargs)
        return Full(file) if str(path).endswith(".b.partial") else file

    monkeypatch.setattr(builtins, "open", full_on_the_second)
    with pytest.raises(OutputError, match="the disk is full. Free some space"):
        write_model(copy, {"model.onnx": b"new", "b": b"new"}, {"schema": 1})
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert load(copy).predict(tiny_data / "hum" / "0.wav").predicted == "hum"


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "deeper" / "table.csv"
    write_bytes(target, b"old")

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OutputError, match="disk is full"):
        write_bytes(target, b"new")
    monkeypatch.undo()
    assert [path.name for path in target.parent.iterdir()] == ["table.csv"]
    assert target.read_bytes() == b"old"


def test_weights_are_for_our_own_builder(tiny_model):
    from timbrel.networks.builders import front_end, network
    from timbrel.networks.recipes import Recipe

    metadata = json.loads((tiny_model / "model.json").read_text())
    recipe = Recipe.from_dict(metadata["recipe"])
    model = network(recipe, front_end(recipe).output_shape[1:], len(metadata["labels"]))
    model.load_weights(tiny_model / "network.weights.h5")
    window = np.random.default_rng(0).normal(size=(1, 1600)).astype("float32")
    low, high = metadata["scale"]
    p = np.asarray(model((np.asarray(front_end(recipe)(window)) - low) / (high - low)))
    p = p ** (1 / metadata["temperature"])
    expected = load(tiny_model).probabilities(window)
    np.testing.assert_allclose(p / p.sum(), expected, atol=1e-5)


def test_a_model_in_a_closed_folder_is_named(tmp_path, closed):
    """Root may look into any folder; who may not is told so when the model is asked after."""
    closed("closed")
    with pytest.raises(ModelError, match=r"closed/model' cannot be read \(Permission denied\); "):
        load_model(tmp_path / "closed" / "model")
