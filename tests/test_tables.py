"""What the commands' tables say."""

import numpy as np
import pytest

from timbrel.cli.tables import weights_table
from timbrel.training.examples import Examples


@pytest.mark.parametrize(
    ("of_recordings", "expected"),
    [(False, [["6", "0.667"], ["2", "2.000"]]), (True, [["1", "1.500"], ["2", "0.750"]])],
)
def test_weights_are_those_that_training_goes_by(of_recordings, expected):
    """One long recording of a class, two short ones of another."""
    recording = np.array([0] * 6 + [1, 2])
    target = np.array([0] * 6 + [1, 1])
    nothing = np.zeros((8, 2, 2), dtype="float32")
    examples = Examples(nothing, target, recording, np.zeros(8, dtype=int), ("long", "short"))
    table = weights_table(examples, of_recordings=of_recordings)
    assert table.columns[1].header == ("recordings" if of_recordings else "windows")
    rows = zip(*([str(cell) for cell in column.cells] for column in table.columns[1:]), strict=True)
    assert [list(row) for row in rows] == expected
