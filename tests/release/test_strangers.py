"""What the instrument model says of speech and of other instruments is what its card says."""

import json
from pathlib import Path

import pytest

import timbrel

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# Another processor rounds otherwise: an answer on the border may fall to the other side.
SLACK = 2


@pytest.mark.parametrize("key", ["letters", "general_midi"])
def test_sounds_that_debian_brings_are_told_as_the_card_says(key, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import instrument_model
    import strangers

    try:
        strangers.need()
    except SystemExit as missing:
        pytest.skip(str(missing))
    measure = {
        "letters": instrument_model.spoken_letters,
        "general_midi": instrument_model.of_general_midi,
    }
    found = measure[key](timbrel.load())
    said = json.loads((BENCHMARKS / "results" / "instrument-model.json").read_bytes())[key]
    assert found["sounds"] == said["sounds"]
    assert abs(found["accepted"] - said["accepted"]) * said["sounds"] <= SLACK
