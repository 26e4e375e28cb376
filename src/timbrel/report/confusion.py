"""The confusion matrix: what is taken for what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.errors import InvalidArgument
from timbrel.report.pages import chart
from timbrel.wording import count, ems, percent, shorten_all

# So many classes fit a screen; larger matrices scroll in a box of their own.
_LARGE = 36
# Cells of at least this width hold their number.
_NUMBERED = 22
# Width of a name in ems: about 19 letters.
_NAME = 11.0
_SLANT = math.radians(55)

# Where black turns into white as the colour of a number that can be read, by the opacity of its
# cell: on light pages for right and wrong answers, on dark pages for both. At these opacities both
# have a contrast of 4.5 : 1.
_TURNS_LIGHT = {True: 0.865, False: 0.935}
_TURNS_DARK = 0.61


@dataclass(frozen=True)
class Confusion:
    """A kind of mistake.

    Attributes:
        label: what it is.
        answer: what it was taken for.
        times: how often.
        share: the share of the recordings of `label`, 0 to 1.
    """

    label: str
    answer: str
    times: float
    share: float


def confusions(labels: Sequence[str], matrix: Sequence[Sequence[float]]) -> list[Confusion]:
    """Return what is taken for what, the most frequent first."""
    counts = np.asarray(matrix, dtype=np.float64)
    found = [
        Confusion(labels[row], labels[column], float(times), float(times / counts[row].sum()))
        for (row, column), times in np.ndenumerate(counts)
        if row != column and times
    ]
    return sorted(found, key=lambda item: (-item.times, -item.share))


def confusion_svg(labels: Sequence[str], matrix: Sequence[Sequence[float]]) -> str:
    """Return a confusion matrix as SVG in a `div`: a cell's strength is its share of its row.

    The names stay in sight while the matrix is scrolled.

    Args:
        labels: the classes.
        matrix: `(classes, classes)`, recordings of the class of the row that were given the class
            of the column.

    Raises:
        InvalidArgument: the matrix does not fit the labels.
    """
    counts = np.asarray(matrix, dtype=np.float64).reshape(len(matrix), -1)
    if counts.shape != (len(labels), len(labels)):
        raise InvalidArgument(
            f"`matrix` must have a row and a column for each of {len(labels)} labels. "
            f"Got the shape {counts.shape}."
        )
    large = len(labels) > _LARGE
    cell = min(max(640 // len(labels), 14), 54)
    font = min(13, max(10, cell - 3))
    names = shorten_all(labels, _NAME)
    longest = font * max(ems(name) for name in names)
    side = cell * len(labels)
    # Names that do not fit their columns are slanted, and the last hangs over the right edge.
    slanted = longest > cell - 6
    overhang = max(longest * math.cos(_SLANT) - cell / 2, 0) + 8 if slanted else 8
    left, width = math.ceil(max(longest, 70) + 20), math.ceil(side + overhang)
    values = {
        "alt": f"Confusion matrix of {len(labels)} classes: {np.trace(counts):g} of "
        f"{counts.sum():g} on the diagonal.",
        "large": large,
        "left": left,
        "width": width,
        "slanted": slanted,
        "top": math.ceil(longest * math.sin(_SLANT) + 36) if slanted else 48,
        "side": side,
        # Smaller than this, numbers and names could not be read: it scrolls instead.
        "least": round((left + width) * (1 if large else 0.8)),
        "cell": cell,
        "font": font,
        "names": [
            {"at": (index + 0.5) * cell, "text": name, "title": label}
            for index, (name, label) in enumerate(zip(names, labels, strict=True))
        ],
        "lines": [cell * index for index in range(10, len(labels), 10)] if large else [],
        "cells": _cells(labels, counts, cell),
        "numbers": cell >= _NUMBERED,
    }
    return chart("confusion", values)


def _cells(labels: Sequence[str], counts: np.ndarray, size: int) -> list[dict]:
    """Return the cells of a confusion matrix that are not empty."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
    gap = 2 if size >= 20 else 1
    cells = []
    for row, column in zip(*np.nonzero(counts), strict=True):
        opacity = round(0.12 + 0.88 * float(shares[row, column]), 2)
        right = bool(row == column)
        if opacity <= _TURNS_DARK:
            ink = "faint"
        else:
            ink = "medium" if opacity <= _TURNS_LIGHT[right] else "full"
        cells.append(
            {
                "x": int(column) * size + gap / 2,
                "y": int(row) * size + gap / 2,
                "side": size - gap,
                "right": right,
                "opacity": opacity,
                "ink": ink,
                "text": _brief(counts[row, column]),
                "title": f"{labels[row]}, heard as {labels[column]}: "
                f"{count(counts[row, column])} ({percent(shares[row, column], 0)})",
            }
        )
    return cells


def _brief(times: float) -> str:
    """Write a count that has room for four figures."""
    return f"{times:g}" if times < 10_000 else f"{times / 1000:.0f}k"
