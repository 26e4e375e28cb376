"""What differs from one run to the next, or from one machine to the next, and is not compared."""

from __future__ import annotations

import re
from difflib import unified_diff
from pathlib import Path

from cases import CASES

# Figures vary with the processor: in the last digits where the model that comes with Timbrel is
# asked, and more where a network was trained. They may differ by this, relative to the figure where
# that is above 1. Everything else, whole numbers among it, is compared exactly.
TOLERANCE, TOLERANCE_TRAINED = 1e-3, 2e-2
_FIGURE = re.compile(r"(-?\b\d+\.\d+(?:e[-+]\d+)?)\b(%?)")


def masked_json(value: object) -> object:
    """JSON data; versions, times and the sums of files that hold them give way to their names."""
    if isinstance(value, list):
        return [masked_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, item in value.items():
        if key in {"versions", "seconds", "files"} and isinstance(item, dict):
            found[key] = sorted(item)
        else:
            found[key] = masked_json(item)
    return found


def masked_text(text: str, name: str) -> str:
    """A text with times, and the place of Timbrel itself, replaced.

    Args:
        text: the content of a file.
        name: of the file.
    """
    if name.endswith("history.csv"):
        return re.sub(r"(?m),[\d.]+$", ",…", text)
    if name.endswith("report.html"):
        took = r"((?:Training took|In all)</th><td class=\"wrap\">)[^<]*"
        return re.sub(took, r"\1…", text)
    if name.endswith("terminal.txt"):
        text = re.sub(r"(?m)^(Epoch .*  )[\d.]+ s$", r"\1… s", text)
        # Where the model that comes with Timbrel lies; a title is padded to the width of its table.
        text = re.sub(r"(?m)/\S*/(instruments\.onnx)(?: +$)?", r"…/\1", text)
        text = re.sub(r"each [\d.]+ ms \(median; at most [\d.]+ ms\)", "each … ms", text)
    return text


def difference(name: str, golden: Path, text: str) -> list[str]:
    """Where a text is not what a golden file says, as a unified diff; empty where it is.

    Args:
        name: of the golden file, `terminal/<case>.txt` or `files/<case>/<file>`.
        golden: the golden file.
        text: what it would hold today.
    """
    case = CASES.get(name.split("/")[1].removesuffix(".txt"))
    tolerance = TOLERANCE_TRAINED if case and case.slow else TOLERANCE
    old = golden.read_bytes().decode(errors="surrogateescape").split("\n")
    new = text.split("\n")
    # Alike is the same, so that the rest can be shown.
    if len(old) == len(new):
        new = [a if alike(a, b, tolerance) else b for a, b in zip(old, new, strict=True)]
    return list(unified_diff(old, new, "golden", "today", n=1, lineterm=""))


def alike(old: str, new: str, tolerance: float) -> bool:
    """Whether two lines are the same but for figures within a tolerance, and their padding."""
    if old == new:
        return True
    if _FIGURE.sub("#", old).split() != _FIGURE.sub("#", new).split():
        return False
    for (left, percent), (right, _) in zip(_FIGURE.findall(old), _FIGURE.findall(new), strict=True):
        most = tolerance * max(1, abs(float(left)), 100 * bool(percent))
        if abs(float(left) - float(right)) > most:
            return False
    return True
