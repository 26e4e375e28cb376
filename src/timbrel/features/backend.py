"""The one place where Keras is imported.

Keras takes seconds to import and is not there where only predicting is installed, so modules that
define layers or networks import it from here, and nothing imports those modules before they are
needed.
"""

from __future__ import annotations

import os

from timbrel.display.greetings import ungreeted
from timbrel.errors import InvalidArgument, MissingExtra

# What Keras can train on, and the extra that each needs.
_EXTRAS = {"tensorflow": "train", "jax": "jax", "torch": "torch"}


def _chosen() -> str:
    """The backend that is asked for; empty where that is left to Keras."""
    name = os.environ.get("KERAS_BACKEND", "")
    if name and name not in _EXTRAS:
        raise InvalidArgument(
            f"The environment variable KERAS_BACKEND must be one of {', '.join(_EXTRAS)}, on which "
            f"Keras trains. Got '{name}'."
        )
    return name


def _missing(backend: str, module: str) -> MissingExtra:
    """Name the extra that lacks: Keras itself, or what it is to run on."""
    extra = _EXTRAS.get(backend, "train")
    if extra == "train":
        return MissingExtra.of(extra, "Training and feature extraction")
    if module == "keras":
        extra = f"train,{extra}"
    return MissingExtra.of(extra, f"Training and feature extraction on {backend}")


# TensorFlow greets at import; whoever wants that can set the variable themselves.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_backend = _chosen()
try:
    with ungreeted():
        import keras
except ModuleNotFoundError as error:
    _module = (error.name or "").partition(".")[0]
    # Without the variable, Keras has the name of its backend from a file.
    raise _missing(_backend or _module, _module) from error

__all__ = ["keras"]
