"""Run a finished model with onnxruntime."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_state

from timbrel.errors import ModelError
from timbrel.model.metadata import NAME_ONE, read_json
from timbrel.workers import cores

# What onnxruntime raises for a file that it cannot make sense of; they share no base class.
_REFUSALS = (
    onnxruntime_state.Fail,
    onnxruntime_state.InvalidArgument,
    onnxruntime_state.InvalidGraph,
    onnxruntime_state.InvalidProtobuf,
    onnxruntime_state.NotImplemented,
    onnxruntime_state.RuntimeException,
    # Its message about a damaged name need not be text.
    UnicodeDecodeError,
)

METADATA_KEY = "timbrel"
# Samples that are classified together: with more, what is computed of them in between falls out of
# the cache of a processor, and takes a third longer.
_SAMPLES_AT_ONCE = 1 << 17


class Session:
    """A loaded `model.onnx`.

    Args:
        model: the file's bytes.
        name: what to call the model in messages.
        threads: threads for one run; 0 means one per core.

    Raises:
        ModelError: the bytes are not a model of Timbrel's.
    """

    def __init__(self, model: bytes, name: str, *, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                # There is nothing to fall back to; it would print that it tries.
                model,
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,
            )
        except _REFUSALS as error:
            raise ModelError(
                f"{name} is not an ONNX model, or it is damaged; {NAME_ONE}, or copy it again."
            ) from error
        inputs = {each.name: each for each in self._session.get_inputs()}
        outputs = {each.name: each for each in self._session.get_outputs()}
        text = _description(self._session)
        window = _width(inputs.get("waveform"))
        classes, dimensions = (_width(outputs.get(key)) for key in ("probabilities", "embedding"))
        if text is None or len(inputs) != 1 or not (window and classes and dimensions):
            raise ModelError(f"{name} is an ONNX model, but not one that Timbrel made; {NAME_ONE}.")
        self.metadata: object = read_json(text, f"The description inside {name}")
        self.window, self.classes, self.dimensions = window, classes, dimensions

    def run(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Classify windows.

        Args:
            windows: float32 `(n, window)`, n may be 0.

        Returns:
            Calibrated probabilities `(n, classes)` and embeddings `(n, d)`, float32 both.
        """
        probabilities = np.empty((len(windows), self.classes), dtype=np.float32)
        embedding = np.empty((len(windows), self.dimensions), dtype=np.float32)
        size = max(_SAMPLES_AT_ONCE // self.window, 1)
        for start in range(0, len(windows), size):
            part = slice(start, start + size)
            batch = np.ascontiguousarray(windows[part], dtype=np.float32)
            probabilities[part], embedding[part] = self._session.run(
                ["probabilities", "embedding"], {"waveform": batch}
            )
        return probabilities, embedding


def _description(session: onnxruntime.InferenceSession) -> str | None:
    try:
        return session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    except UnicodeDecodeError:
        return None


def _width(found: onnxruntime.NodeArg | None) -> int | None:
    """The second of two dimensions of floats, where there is such a thing."""
    if found is None or found.type != "tensor(float)" or len(found.shape) != 2:
        return None
    size = found.shape[1]
    return size if isinstance(size, int) and size > 0 else None
