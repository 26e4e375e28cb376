"""Which arithmetic the network is trained in."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

from timbrel.features.backend import keras
from timbrel.networks.recipes import CNN, RNN, StatisticsCNN


def training_policy(network: CNN | RNN | StatisticsCNN) -> str:
    """Keras dtype policy to train with: "mixed_bfloat16" where that is faster, else "float32".

    Matrix units for bfloat16 (Intel AMX) halve the time of an epoch under TensorFlow, whose oneDNN
    kernels use them for convolutions; elsewhere bfloat16 is emulated, and slower, and small
    recurrent steps gain nothing. Weights are float32 either way, and scores and exports come from
    a float32 network with the same weights.
    """
    fast = keras.backend.backend() == "tensorflow" and "amx_bf16" in _cpu_flags()
    if fast and isinstance(network, CNN):
        return "mixed_bfloat16"
    return "float32"


@cache
def _cpu_flags() -> set[str]:
    if platform.system() != "Linux":
        return set()
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(line.partition(":")[2].split())
