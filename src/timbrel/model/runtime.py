"""Run a finished model with onnxruntime."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_state

from timbrel.errors import ModelError
from timbrel.model.metadata import NAME_ONE, read_json
from timbrel.workers import cores

# Raised by onnxruntime for a file that it cannot read; they have no base class in common.
_REFUSALS = (
    onnxruntime_state.Fail,
    onnxruntime_state.InvalidArgument,
    onnxruntime_state.InvalidGraph,
    onnxruntime_state.InvalidProtobuf,
    onnxruntime_state.NotImplemented,
    onnxruntime_state.RuntimeException,
    # A damaged name in its message cannot be decoded.
    UnicodeDecodeError,
)

METADATA_KEY = "timbrel"
# Samples classified at a time: with more, intermediate results do not fit into the processor's
# cache, and it takes a third longer.
_SAMPLES_AT_ONCE = 1 << 17


class Session:
    """A loaded `model.onnx`.

    Args:
        model: the file's bytes.
        name: of the model in messages.
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
                # Without `enable_fallback=0` it prints that it tries another provider.
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
        self.window = _width(inputs.get("waveform"))
        self.classes = _width(outputs.get("probabilities"))
        self.dimensions = _width(outputs.get("embedding"))
        try:
            text = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        except UnicodeDecodeError:
            text = None
        fits = len(inputs) == 1 and self.window and self.classes and self.dimensions
        if text is None or not fits:
            raise ModelError(f"{name} is an ONNX model, but not one that Timbrel made; {NAME_ONE}.")
        self.metadata: object = read_json(text, f"The description inside {name}")

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


def _width(found: onnxruntime.NodeArg | None) -> int:
    """The second dimension of a float tensor that has two; 0 where it is anything else."""
    if found is None or found.type != "tensor(float)" or len(found.shape) != 2:
        return 0
    size = found.shape[1]
    return size if isinstance(size, int) and size > 0 else 0
