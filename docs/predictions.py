"""Print the examples of docs/reference/predictions.md: `python docs/predictions.py`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from timbrel.inference.formats import FORMATS
from timbrel.inference.outputs import opened
from timbrel.inference.prediction import UNKNOWN, Prediction


def _window(
    path: str, label: str, probability: float, *, start: float, seconds: float
) -> Prediction:
    return Prediction(
        path=path,
        label=label if probability >= 0.5 else UNKNOWN,
        predicted=label,
        probability=probability,
        accepted=probability >= 0.5,
        top=((label, probability), ("Oboe", 0.0625)),
        seconds=seconds,
        start=start,
        end=start + 3.0,
    )


RECORDINGS = [
    [
        _window("/sounds/a.wav", "Flute", 0.9375, start=0.0, seconds=6.0),
        _window("/sounds/a.wav", "Cello", 0.375, start=3.0, seconds=6.0),
    ],
    [Prediction(path="/sounds/broken.wav", error="the file is empty (0 bytes)")],
    [_window("/sounds/c.wav", "Cello", 0.75, start=1.5, seconds=4.5)],
]


def example(form: str) -> str:
    """The recordings in a format, at the level "window"; only the first in a label track."""
    recordings = RECORDINGS[:1] if form == "audacity" else RECORDINGS
    files = [found[0].path for found in recordings]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "out")
        with opened(str(target), files, form=form, level="window", rate=32_000) as output:
            for path, found in zip(files, recordings, strict=True):
                output.begin(path)
                for prediction in found:
                    output.write(prediction)
                output.end()
        return target.read_text(encoding="utf-8")


if __name__ == "__main__":
    for name, kind in FORMATS.items():
        if not kind.binary:
            sys.stdout.write(f"{name}\n\n{example(name)}\n")
