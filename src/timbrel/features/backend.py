"""The one place where Keras is imported.

Keras takes seconds to import and is not there where only predicting is installed, so modules that
define layers or networks import it from here, and nothing imports those modules before they are
needed.
"""

from __future__ import annotations

import os

from timbrel.errors import MissingExtra

# TensorFlow greets at import; whoever wants that can set the variable themselves.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

try:
    import keras
except ModuleNotFoundError as error:
    raise MissingExtra.of("train", "Training and feature extraction") from error

__all__ = ["keras"]
