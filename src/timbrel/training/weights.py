"""Class weights."""

from __future__ import annotations

import numpy as np


def balanced_class_weight(target: np.ndarray) -> dict[int, float]:
    """Weights that make every class count the same: n / (classes · count of the class).

    Args:
        target: int `(n,)`, class of each window.

    Returns:
        A weight for every class that occurs, as Keras's `fit` takes them.

    Source: King & Zeng (2001), "Logistic regression in rare events data"; the same as
    scikit-learn's `compute_class_weight("balanced", classes=np.unique(y), y=y)`.
    """
    classes, counts = np.unique(target, return_counts=True)
    weights = len(target) / (len(classes) * counts)
    return {int(number): float(weight) for number, weight in zip(classes, weights, strict=True)}
