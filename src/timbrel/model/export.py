"""Export a trained network as one ONNX graph that starts at the waveform."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from timbrel.audio.windows import windows_at_once
from timbrel.display.imports import ungreeted
from timbrel.errors import MissingExtra, ModelError
from timbrel.features.backend import keras
from timbrel.model.runtime import METADATA_KEY, Session
from timbrel.networks.builders import front_end, network
from timbrel.networks.recipes import Recipe

# The largest accepted difference in probability between the Keras model and its export: ten times
# the largest rounding error that was measured, which faint bands cause by their logarithms.
PARITY_LIMIT = 1e-4

# The environment variable that makes tf2onnx keep a copy of the graph before each pass.
_COPIES = "TF2ONNX_CATCH_ERRORS"

layers = keras.layers


@dataclass(frozen=True)
class Trained:
    """All parts of a finished model, before it is exported.

    Attributes:
        recipe: the recipe of the network.
        network: trained, in float32.
        scale: minimum and maximum that become 0 and 1.
        temperature: the logits are divided by it (Guo et al. 2017, "On calibration of modern
            neural networks").
    """

    recipe: Recipe
    network: keras.Model
    scale: tuple[float, float]
    temperature: float = 1.0


def whole_model(trained: Trained) -> keras.Model:
    """Join front end, scaling, network and temperature.

    Returns:
        A float32 model: `waveform` `(batch, window)` to `probabilities` `(batch, classes)` and
        `embedding` `(batch, d)`, the hidden units below the classifier or classifiers.
    """
    waveform = keras.Input((trained.recipe.windowing.window,), name="waveform")
    picture = waveform
    for layer in front_end(trained.recipe).layers:
        picture = layer(picture)
    low, high = trained.scale
    picture = (picture - low) / max(high - low, 1e-30)
    hidden, logits = trained.recipe.network.hidden_and_logits(trained.network, picture)
    cooled = layers.Rescaling(1.0 / trained.temperature, name="temperature")(logits)
    outputs = {
        "probabilities": layers.Softmax(name="probabilities")(cooled),
        "embedding": layers.Identity(name="embedding")(hidden),
    }
    return keras.Model(waveform, outputs)


def probabilities(model: keras.Model, windows: np.ndarray) -> np.ndarray:
    """Probabilities of a `whole_model` for float32 windows `(n, window)`; float32 `(n, classes)`.

    For calibration and for comparing with the export; published scores come from onnxruntime.
    """
    size = windows_at_once(model.input_shape[1], most=512)
    parts = [windows[start : start + size] for start in range(0, max(len(windows), 1), size)]
    # Called without compiling, which is faster for a few batches.
    answers = [model(part, training=False)["probabilities"] for part in parts]
    return np.concatenate([keras.ops.convert_to_numpy(answer) for answer in answers])


def export_onnx(trained: Trained) -> bytes:
    """Convert a trained network to ONNX, from the waveform on, with empty metadata.

    Keras converts it through TensorFlow and tf2onnx. Where Keras runs on another backend, a second
    process does it on TensorFlow, so that the graph does not depend on the backend that trained the
    weights. Equal weights give equal bytes.

    Raises:
        MissingExtra: onnx, tf2onnx or TensorFlow is not installed.
        ModelError: the conversion failed.
    """
    try:
        with ungreeted():
            import onnx
            import tensorflow  # noqa: F401
            import tf2onnx  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra.of("train", "Exporting a model") from error
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if keras.backend.backend() == "tensorflow":
            _convert(trained, folder)
        else:
            _convert_in_tensorflow(trained, folder)
        graph = onnx.load(folder / "model.onnx")
    _make_canonical(graph.graph)
    onnx.checker.check_model(graph)
    return with_metadata(graph.SerializeToString(), {})


def with_metadata(graph: bytes, metadata: dict) -> bytes:
    """Put the description of a model into its graph, in place of an earlier one."""
    import onnx

    model = onnx.load_from_string(graph)
    text = json.dumps(metadata, ensure_ascii=False, sort_keys=True)
    text = text.encode(errors="backslashreplace").decode()
    onnx.helper.set_model_props(model, {METADATA_KEY: text})
    return model.SerializeToString(deterministic=True)


def measure_parity(model: keras.Model, graph: bytes, windows: np.ndarray) -> float:
    """Measure the largest difference in probability between a Keras model and its export.

    Raises:
        ModelError: it exceeds `PARITY_LIMIT`, or is not a number.
    """
    exported, _ = Session(graph, "The exported model").run(windows)
    difference = float(np.abs(exported - probabilities(model, windows)).max(initial=0.0))
    if not difference <= PARITY_LIMIT:
        raise ModelError(
            f"The exported model differs from the trained one by {difference:.2g} in probability, "
            f"more than {PARITY_LIMIT:g}; it was not written. Please report this."
        )
    return difference


def _convert(trained: Trained, folder: Path) -> None:
    """Write `model.onnx` into a folder; Keras must run on TensorFlow."""
    model = whole_model(trained)
    # Keras exports a model as it was last called.
    model(np.zeros((1, trained.recipe.windowing.window), dtype=np.float32))
    # By default tf2onnx copies the whole graph before each of its passes, so that it can continue
    # without a pass that fails; that takes half as long again.
    usual = os.environ.get(_COPIES)
    os.environ[_COPIES] = "FALSE"
    try:
        with warnings.catch_warnings():
            # Keras's patch for tf2onnx uses a name that a later NumPy will define differently.
            warnings.filterwarnings("ignore", message=".*np.object", category=FutureWarning)
            model.export(os.fspath(folder / "model.onnx"), format="onnx", verbose=False)
    finally:
        if usual is None:
            del os.environ[_COPIES]
        else:
            os.environ[_COPIES] = usual


def _convert_in_tensorflow(trained: Trained, folder: Path) -> None:
    """Write `model.onnx` into a folder by a process that runs Keras on TensorFlow."""
    trained.network.save_weights(folder / "network.weights.h5")
    facts = {
        "recipe": trained.recipe.to_dict(),
        "input_shape": trained.network.input_shape[1:],
        "classes": trained.network.output_shape[1],
        "scale": trained.scale,
        "temperature": trained.temperature,
    }
    (folder / "trained.json").write_text(json.dumps(facts), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "timbrel.model.export", os.fspath(folder)],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ModelError(f"The export to ONNX failed: {reason}")


def _convert_saved(folder: Path) -> None:
    """Write `model.onnx` from the files of `_convert_in_tensorflow`, in the other process."""
    facts = json.loads((folder / "trained.json").read_text(encoding="utf-8"))
    recipe = Recipe.from_dict(facts["recipe"])
    rebuilt = network(recipe, tuple(facts["input_shape"]), facts["classes"])
    rebuilt.load_weights(folder / "network.weights.h5")
    _convert(Trained(recipe, rebuilt, tuple(facts["scale"]), facts["temperature"]), folder)


def _make_canonical(graph) -> None:
    """Order and name the nodes by their computation, so that equal models have equal bytes.

    The converter's names and order depend on earlier conversions in the same process.
    """
    identity = {tensor.name: _digest(_content(tensor)) for tensor in graph.initializer}
    identity |= {value.name: _digest(value.name) for value in graph.input} | {"": ""}
    depth = dict.fromkeys(identity, 0)
    order = []
    for node in graph.node:
        level = 1 + max((depth[name] for name in node.input), default=0)
        attributes = sorted(item.SerializeToString(deterministic=True) for item in node.attribute)
        itself = _digest(node.op_type, attributes, [identity[name] for name in node.input])
        for number, name in enumerate(node.output):
            depth[name], identity[name] = level, _digest(itself, number)
        order.append((level, itself, node))
    nodes = [node for _, _, node in sorted(order, key=lambda item: item[:2])]
    outside = [value.name for value in (*graph.input, *graph.output)]
    names = {name: name for name in ("", *outside)}
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type}_{number}"
        for ends in (node.input, node.output):
            ends[:] = [names.setdefault(name, f"tensor_{len(names)}") for name in ends]
    place = {name: number for number, name in enumerate(names)}
    constants = sorted(graph.initializer, key=lambda tensor: place[tensor.name])
    for tensor in constants:
        tensor.name = names[tensor.name]
    for field, ordered in ((graph.node, nodes), (graph.initializer, constants)):
        copies = [type(item).FromString(item.SerializeToString()) for item in ordered]
        del field[:]
        field.extend(copies)
    graph.name, graph.doc_string = "timbrel", ""
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"


def _content(tensor) -> bytes:
    nameless = type(tensor).FromString(tensor.SerializeToString())
    nameless.ClearField("name")
    return nameless.SerializeToString(deterministic=True)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


if __name__ == "__main__":
    _convert_saved(Path(sys.argv[1]))
