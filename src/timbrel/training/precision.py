"""Choose the arithmetic that a network is trained in."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

from timbrel.features.backend import keras
from timbrel.networks.network import Network


def training_policy(network: Network) -> str:
    """Keras dtype policy to train with: "mixed_bfloat16" where that is faster, else "float32".

    Matrix units for bfloat16 (Intel AMX) halve the time of an epoch of convolutions under
    TensorFlow, whose oneDNN kernels use them. Elsewhere bfloat16 is emulated and slower. Weights
    are float32 either way, and scores and exports come from a float32 network with the same
    weights.
    """
    fast = keras.backend.backend() == "tensorflow" and "amx_bf16" in _cpu_flags()
    return "mixed_bfloat16" if fast and network.faster_in_bfloat16 else "float32"


@cache
def _cpu_flags() -> set[str]:
    if platform.system() != "Linux":
        return set()
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(line.partition(":")[2].split())
