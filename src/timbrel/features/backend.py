"""The one place where Keras is imported.

Keras takes seconds to import and is missing where only predicting is installed. Modules that define
layers or networks import it from here, and those modules are imported only when they are needed.
"""

from __future__ import annotations

import os

from timbrel.display.imports import ungreeted
from timbrel.errors import InvalidArgument, MissingExtra

# What Keras can train on, and the extra that each needs.
_EXTRAS = {"tensorflow": "train", "jax": "jax", "torch": "torch"}


def _chosen() -> str:
    """The backend that the environment asks for; empty where the choice is left to Keras."""
    name = os.environ.get("KERAS_BACKEND", "")
    if name and name not in _EXTRAS:
        raise InvalidArgument(
            f"The environment variable KERAS_BACKEND must be one of {', '.join(_EXTRAS)}, on which "
            f"Keras trains. Got '{name}'."
        )
    return name


def _missing(backend: str, module: str) -> MissingExtra:
    """The error that names the missing extra: that of Keras itself, or that of its backend."""
    extra = _EXTRAS.get(backend, "train")
    if extra == "train":
        return MissingExtra.of(extra, "Training and feature extraction")
    if module == "keras":
        extra = f"train,{extra}"
    return MissingExtra.of(extra, f"Training and feature extraction on {backend}")


# TensorFlow logs messages at import, unless this variable says otherwise.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_backend = _chosen()
try:
    with ungreeted():
        import keras
except ModuleNotFoundError as error:
    _module = (error.name or "").partition(".")[0]
    # Without the variable, Keras reads the name of its backend from a file.
    raise _missing(_backend or _module, _module) from error

__all__ = ["keras"]
