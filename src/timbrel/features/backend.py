"""The one place where Keras is imported.

Keras takes seconds to import and is not there where only predicting is installed, so modules that
define layers or networks import it from here, and nothing imports those modules before they are
needed.
"""

from __future__ import annotations

import contextlib
import os

from timbrel.display.greetings import held_back_stderr, in_notebook
from timbrel.errors import MissingExtra

# TensorFlow greets at import; whoever wants that can set the variable themselves.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

try:
    # A notebook would show what its backend prints in the cell that happens to need it first.
    with held_back_stderr() if in_notebook() else contextlib.nullcontext():
        import keras
except ModuleNotFoundError as error:
    raise MissingExtra.of("train", "Training and feature extraction") from error

__all__ = ["keras"]
