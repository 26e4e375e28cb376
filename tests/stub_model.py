"""A model of a few lines, for tests that do not depend on what a model has learned."""

from types import SimpleNamespace

import numpy as np

from timbrel.inference.predictor import Predictor
from timbrel.model.directory import LoadedModel


def stub_predictor(windowing, run=None, *, labels=("a", "b"), threshold=0.5, top=5):
    """A predictor whose graph is a function.

    Args:
        windowing: how recordings become windows.
        run: gives probabilities and embeddings of windows; by default, all are the first label.
        labels, threshold, top: of the model.
    """

    def first(windows):
        probabilities = np.full((len(windows), len(labels)), 0.1, dtype=np.float32)
        probabilities[:, 0] = 0.9
        return probabilities, windows[:, :2]

    metadata = {
        "labels": list(labels),
        "rate": windowing.rate,
        "window": windowing.window,
        "hop": windowing.hop,
        "cleaning": {"threshold": windowing.clean_threshold, "window": windowing.clean_window},
        "depth": windowing.depth,
        "thresholds": {"unknown": threshold},
        "recipe": {"name": "stub"},
    }
    session = SimpleNamespace(run=run or first)
    return Predictor(LoadedModel("stub", metadata, session, b""), top=top)
