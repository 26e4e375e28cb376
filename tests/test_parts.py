"""What a training learns from, calibrates on and is scored on."""

from pathlib import Path

import numpy as np
import pytest

from timbrel.dataset.manifest import Recording
from timbrel.workflows.parts import split_parts


def recordings(count):
    """So many recordings of each of two classes, two in a group."""
    return [
        Recording(f"{label}{take}.wav", Path(), label, f"{label}{take // 2}")
        for label in ("hiss", "hum")
        for take in range(count)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_three_parts_share_no_group(seed):
    items = recordings(20)
    parts = split_parts(items, seed=seed)
    assert not (parts.held_out & parts.inner).any()
    kinds = np.where(parts.held_out, 2, np.where(parts.inner, 1, 0))
    of_group = {}
    for item, kind in zip(items, kinds, strict=True):
        assert of_group.setdefault(item.group, kind) == kind
    assert np.bincount(kinds).tolist() == [28, 4, 8]


def about_calibration(items):
    return [text for text in split_parts(items, seed=0).notes if "calibrat" in text]


def test_few_recordings_to_calibrate_on_are_said():
    (note,) = about_calibration(recordings(20))
    assert "on 4 recordings only" in note
    assert about_calibration(recordings(60)) == []
    lone = [Recording(f"{label}.wav", Path(), label, label) for label in ("hiss", "hum")]
    (note,) = about_calibration([*recordings(2), *lone])
    assert "are not calibrated" in note
