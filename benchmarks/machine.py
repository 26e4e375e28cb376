"""On what a benchmark ran, and where its result goes."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    *("numpy", "soundfile", "soxr", "keras", "tensorflow-cpu", "onnxruntime"),
    *("librosa", "pandas", "scipy", "python_speech_features"),
)


def facts() -> dict:
    """Processor, cores, Python and package versions."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
        flags = next((line for line in lines if line.startswith("flags")), "")
        model += ", AMX bfloat16" if "amx_bf16" in flags else ""
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def save(name: str, result: dict) -> None:
    """Write `results/NAME.json`."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": facts(), **result}, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")


def shared() -> Path:
    """The folder of the real recordings."""
    folder = Path(os.environ.get("TIMBREL_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not folder.is_dir():
        raise SystemExit("The real recordings are not here; set TIMBREL_SHARED to their folder.")
    return folder


def recordings(name: str) -> tuple[Path, Path | None]:
    """The CSV of a data set, and the folder that its paths are relative to."""
    folder = shared() / name
    return folder / f"{name}.csv", folder / "wavfiles" if name == "instruments" else None
