"""The model that comes with the package: it is there, whole, and what its card says."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile

import timbrel
from timbrel.cli.main import main
from timbrel.evaluation.sanity import SOUNDS
from timbrel.fetching.known import KNOWN_DATA
from timbrel.model.directory import INSTRUMENTS

ROOT = Path(__file__).parents[1]
FIGURES = json.loads((ROOT / "benchmarks" / "results" / "instrument-model.json").read_bytes())
CARD = ROOT / "docs" / "model-cards" / "instruments.md"
# Another processor rounds otherwise: an answer on the border may fall to the other side.
SLACK = 2


@pytest.fixture(scope="module")
def predictor():
    return timbrel.load()


def test_one_file_of_standard_operators_no_larger_than_promised(predictor):
    graph = INSTRUMENTS.read_bytes()
    assert len(graph) == FIGURES["bytes"] <= 8_000_000
    model = onnx.load_from_string(graph)
    onnx.checker.check_model(model)
    assert {node.domain for node in model.graph.node} == {""}
    assert predictor.metadata == timbrel.load(INSTRUMENTS).metadata


def test_it_says_of_itself_what_the_cross_validation_found(predictor):
    found, metadata = FIGURES["cross_validation"], predictor.metadata
    assert metadata["labels"] == found["labels"]
    assert metadata["refit"] is True
    (row,) = (
        r for r in FIGURES["thresholds"] if r["threshold"] == metadata["thresholds"]["unknown"]
    )
    assert row["right"] == pytest.approx(metadata["thresholds"]["accept"], abs=0.01)
    assert metadata["temperature"] == found["calibration"]["temperature"]
    assert metadata["scores"]["file"] == found["file"]
    assert metadata["scores"]["held_out_files"] == 300
    assert timbrel.info().scores["file"] == found["file"]


def test_it_learned_from_the_known_recordings_and_from_no_others(predictor):
    sums = {line.split()[0] for line in KNOWN_DATA["instruments"].sums.splitlines()}
    learned = predictor.metadata["recordings"]
    assert len(learned) == 300
    # The other sum is that of the table of labels.
    assert len(sums - set(learned)) == 1
    assert set(learned) < sums


def test_silence_and_made_up_sounds_are_told_as_the_card_says(predictor):
    rate = predictor.windowing.rate
    for name, make in SOUNDS.items():
        answers = [predictor.predict(make(rate, seed), rate) for seed in range(20)]
        said = FIGURES["made_up"][name]
        taken = sum(answer.accepted for answer in answers)
        assert abs(taken - round(20 * said["accepted"])) <= SLACK * (said["accepted"] > 0), name
    assert FIGURES["made_up"]["digital silence"]["accepted"] == 0


def test_commands_use_it_where_no_model_is_named(tmp_path, capsys, monkeypatch):
    rate = 22_050
    time = np.arange(2 * rate) / rate
    tone = tmp_path / "tone.wav"
    soundfile.write(tone, 0.3 * np.sin(2 * np.pi * 440 * time), rate)
    for words in (["predict", tone], ["info"], ["tag", tmp_path, "--to", tmp_path / "to"]):
        monkeypatch.setattr(sys, "argv", ["timbrel", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code in (0, None), words
    said = capsys.readouterr().out
    assert "tone.wav" in said
    assert "Acoustic_guitar" in said
    (named,) = timbrel.predict(tone)
    (same,) = timbrel.predict(tone, INSTRUMENTS)
    assert named == same


def test_the_card_is_that_of_these_figures(predictor, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from instrument_card import card

    assert CARD.read_text(encoding="utf-8") == card(FIGURES, predictor.metadata)


def test_what_was_measured_was_measured_with_this_file():
    assert hashlib.sha256(INSTRUMENTS.read_bytes()).hexdigest() == FIGURES["sha256"]


@pytest.mark.slow
def test_on_recordings_from_elsewhere_it_is_as_good_as_the_card_says(shared, predictor):
    (found,) = timbrel.evaluate_models(
        shared / "data" / "elsewhere" / "elsewhere.csv", [INSTRUMENTS]
    ).evaluations
    said = FIGURES["elsewhere"]
    right = sum(row["label"] == row["predicted"] for row in found["predictions"])
    expected = sum(count for count, _ in said["groups"].values())
    assert abs(right - expected) <= SLACK
    unknown = round(36 * found["unknown"]["accept_rate"])
    assert abs(unknown - round(36 * said["unknown"]["accept_rate"])) <= SLACK


@pytest.mark.slow
def test_speech_is_turned_down_as_often_as_the_card_says(shared, predictor):
    items = timbrel.read_dataset(shared / "data" / "digits" / "digits.csv").recordings[::10]
    answers = [found[0] for found in predictor.predict_many([item.file for item in items])]
    taken = sum(answer.accepted for answer in answers)
    said = FIGURES["speech"]
    assert len(answers) == said["sounds"]
    assert abs(taken - round(said["accepted"] * said["sounds"])) <= SLACK
