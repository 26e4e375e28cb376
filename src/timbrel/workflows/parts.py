"""Which recordings a training learns from, calibrates on, and is scored on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.dataset.manifest import Recording
from timbrel.dataset.splits import hold_out
from timbrel.errors import DataError

# The inner hold-out is small: what it takes, the network does not learn from.
_INNER_FOLDS = 8
# Temperature and threshold from fewer are mostly chance: the threshold is the fifth least sure of a
# hundred right answers, or the least sure of fewer than twenty.
_ENOUGH_TO_CALIBRATE = 10


@dataclass(frozen=True)
class Parts:
    """Which recordings serve what; the network learns from what is in neither part.

    Attributes:
        held_out: bool `(recordings,)`, for the score.
        inner: bool `(recordings,)`, for temperature, threshold and the `val_` figures.
        notes: what a reader of the score should know.
        grouped: whether no group is on both sides of the score.
    """

    held_out: np.ndarray
    inner: np.ndarray
    notes: tuple[str, ...]
    grouped: bool


def split_parts(recordings: Sequence[Recording], *, seed: int) -> Parts:
    """Hold one of five folds out for the score, and an eighth of the rest for calibration.

    Raises:
        DataError: nothing can be held out.
    """
    outer = hold_out(recordings, seed=seed)
    left = np.flatnonzero(~outer.held_out)
    notes = outer.notes
    inner_mask = np.zeros(len(recordings), dtype=bool)
    foldless = [dataclasses.replace(recordings[number], fold=None) for number in left]
    try:
        inner = hold_out(foldless, folds=_INNER_FOLDS, seed=seed, shrink=False)
    except DataError:
        notes = (
            *notes,
            "Too few recordings for an inner hold-out: probabilities are not calibrated, and "
            "no sound but silence is called unknown.",
        )
    else:
        inner_mask[left[inner.held_out]] = True
        count = int(inner_mask.sum())
        if count < _ENOUGH_TO_CALIBRATE:
            notes = (
                *notes,
                f"Probabilities and the threshold for unknown are calibrated on {count} "
                f"recording{'' if count == 1 else 's'} only: rely on neither. More recordings "
                "help.",
            )
    return Parts(outer.held_out, inner_mask, notes, outer.grouped)
