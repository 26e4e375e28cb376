"""The one place where Keras is imported.

Keras takes seconds to import and is missing where only predicting is installed. Modules that define
layers or networks import it from here, and those modules are imported only when they are needed.
"""

from __future__ import annotations

import os

from timbrel.display.imports import ungreeted
from timbrel.errors import InvalidArgument, MissingExtra

# The backends of Keras, and the extra that installs each.
_EXTRAS = {"tensorflow": "train", "jax": "jax", "torch": "torch"}


# TensorFlow logs messages at import, unless this variable is set.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# Where the variable is not set, Keras reads the name of its backend from a file.
_backend = os.environ.get("KERAS_BACKEND", "")
if _backend and _backend not in _EXTRAS:
    raise InvalidArgument(
        f"The environment variable KERAS_BACKEND must be one of {', '.join(_EXTRAS)}, on which "
        f"Keras trains. Got '{_backend}'."
    )
try:
    with ungreeted():
        import keras
except ModuleNotFoundError as error:
    _module = (error.name or "").partition(".")[0]
    _backend = _backend or _module
    _extra, _use = _EXTRAS.get(_backend, "train"), "Training and feature extraction"
    if _extra != "train":
        _extra = f"train,{_extra}" if _module == "keras" else _extra
        _use = f"{_use} on {_backend}"
    raise MissingExtra.of(_extra, _use) from error

__all__ = ["keras"]
