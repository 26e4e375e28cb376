"""Sounds of no class: how well they are told from known ones, and how many are accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.evaluation.metrics import auroc, auroc_interval, share_interval


@dataclass(frozen=True)
class Rejection:
    """Confidence, the largest probability of a file, of one model in known and unknown sounds.

    Attributes:
        known: float `(n,)`, of held-out files of its classes.
        known_groups: `(n,)`.
        unknown: float `(m,)`, of files of no class of its.
        unknown_groups: `(m,)`.
        threshold: confidence from which the model accepts a sound.
        left_out: the classes that it was trained without.
    """

    known: np.ndarray
    known_groups: np.ndarray
    unknown: np.ndarray
    unknown_groups: np.ndarray
    threshold: float
    left_out: tuple[str, ...] = ()


def rejection_record(parts: Sequence[Rejection]) -> dict | None:
    """The `unknown` part of `evaluation.json`; None where no model has both kinds of sounds.

    The AUROC is the mean over the models, whose confidences need not be comparable; the accept
    rate is that of all unknown sounds, each at its model's threshold; the threshold is the mean.
    """
    parts = [part for part in parts if len(part.known) and len(part.unknown)]
    if not parts:
        return None
    accepted = np.concatenate([part.unknown >= part.threshold for part in parts])
    groups = np.concatenate([part.unknown_groups for part in parts])
    rows = [(part.known, part.known_groups, part.unknown, part.unknown_groups) for part in parts]
    record = {
        "threshold": float(np.mean([part.threshold for part in parts])),
        "auroc": float(np.mean([auroc(part.known, part.unknown) for part in parts])),
        "accept_rate": float(accepted.mean()),
        "ci95": {
            "auroc": auroc_interval(rows),
            "accept_rate": share_interval(accepted, groups),
        },
    }
    if any(part.left_out for part in parts):
        record["parts"] = [
            {
                "left_out": list(part.left_out),
                "threshold": part.threshold,
                "auroc": auroc(part.known, part.unknown),
                "accept_rate": float((part.unknown >= part.threshold).mean()),
            }
            for part in parts
        ]
    return record
