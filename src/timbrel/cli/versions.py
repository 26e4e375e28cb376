"""What `timbrel --version` says: all that somebody who looks into a problem asks first."""

from __future__ import annotations

import platform
from importlib import metadata

from timbrel import __version__

# What is needed for what, by the extra that installs it.
_PACKAGES = {
    "predicting": ("numpy", "soundfile", "soxr", "onnxruntime"),
    "train": ("keras", "tensorflow", "tensorflow-cpu", "torch", "jax", "scikit-learn", "tf2onnx"),
    "parquet": ("pyarrow",),
    "tags": ("mutagen",),
    "live": ("sounddevice",),
}


def version_text() -> str:
    """The version, then Python and the packages that are installed, by what they are for.

    The first line is `timbrel VERSION`, and will stay so.
    """
    lines = [
        f"timbrel {__version__}",
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
    ]
    for purpose, names in _PACKAGES.items():
        found = ", ".join(f"{name} {version}" for name in names if (version := _version(name)))
        lines.append(f"{purpose}: {found or 'not installed'}")
    return "\n".join(lines)


def _version(package: str) -> str | None:
    """The version of a package that is installed, which is not imported for it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
