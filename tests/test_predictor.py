import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
import soundfile

from conftest import RATE, sound
from timbrel.audio.decode import decode
from timbrel.errors import AudioError, InvalidArgument
from timbrel.inference.prediction import Prediction
from timbrel.inference.predictor import load
from timbrel.workflows.predict import expand, predict


@pytest.fixture
def predictor(tiny_model):
    return load(tiny_model)


def close(one, two):
    assert [label for label, _ in one.top] == [label for label, _ in two.top]
    np.testing.assert_allclose(
        [value for _, value in one.top], [value for _, value in two.top], rtol=0, atol=1e-5
    )


def test_names_what_it_hears(predictor, tiny_data):
    for kind in ("hiss", "hum", "whistle"):
        answer = predictor.predict(tiny_data / kind / "3.wav")
        assert answer.predicted == kind
        assert answer.seconds == pytest.approx(0.5)
        assert sum(value for _, value in answer.top) == pytest.approx(1, abs=1e-5)


def test_file_array_and_stereo_array_agree(predictor, tiny_data):
    path = tiny_data / "hum" / "1.wav"
    waveform, rate = soundfile.read(path)
    close(predictor.predict(path), predictor.predict(waveform, rate))
    close(predictor.predict(path), predictor.predict(np.stack([waveform] * 2, axis=1), rate))


def test_many_at_once_answer_as_one_at_a_time(predictor, tiny_data):
    paths = sorted(tiny_data.rglob("*.wav"))
    together = [found[0] for found in predictor.predict_many(paths)]
    assert [item.path for item in together] == [path.as_posix() for path in paths]
    for path, answer in zip(paths, together, strict=True):
        close(answer, predictor.predict(path))


def test_a_file_is_the_mean_of_its_windows(predictor, tiny_data):
    path = tiny_data / "whistle" / "2.wav"
    windows = predictor.predict_windows(path)
    assert [(item.start, item.end) for item in windows] == [
        (pytest.approx(number / 10), pytest.approx((number + 1) / 10)) for number in range(5)
    ]
    mean = {
        label: np.mean([dict(item.top)[label] for item in windows]) for label in predictor.labels
    }
    for label, value in predictor.predict(path).top:
        assert value == pytest.approx(mean[label], abs=1e-6)


def test_times_are_those_of_the_original_recording(predictor, tmp_path):
    rng = np.random.default_rng(0)
    gap = np.zeros(RATE, dtype=np.float32)
    waveform = np.concatenate([gap, sound("hum", 1, rng), gap, gap, sound("hum", 1, rng)])
    soundfile.write(tmp_path / "gaps.wav", waveform, RATE)
    spans = [(item.start, item.end) for item in predictor.predict_windows(tmp_path / "gaps.wav")]
    assert spans[0][0] == pytest.approx(1, abs=0.06)
    assert spans[-1][1] == pytest.approx(5, abs=0.11)
    assert all(start > 3.9 or end < 2.2 or (start < 2.2 and end > 3.8) for start, end in spans)


def test_the_threshold_decides_between_the_class_and_unknown(tiny_model, tiny_data):
    path = tiny_data / "hiss" / "0.wav"
    sure = load(tiny_model, threshold=0.0).predict(path)
    strict = load(tiny_model, threshold=1.0).predict(path)
    assert (sure.label, sure.accepted) == ("hiss", True)
    assert (strict.label, strict.predicted, strict.accepted) == ("unknown", "hiss", False)
    assert load(tiny_model).threshold == load(tiny_model).metadata["thresholds"]["unknown"]


def test_silence_is_unknown_without_a_guess(predictor, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    answer = predictor.predict(tmp_path / "silence.wav")
    assert (answer.label, answer.predicted, answer.accepted) == ("unknown", None, False)
    assert answer.seconds == 1
    windows = predictor.predict_windows(tmp_path / "silence.wav")
    assert {(item.label, item.predicted, item.accepted) for item in windows} == {
        ("unknown", None, False)
    }
    assert [(item.start, item.end) for item in windows] == [
        (pytest.approx(number / 10), pytest.approx((number + 1) / 10)) for number in range(10)
    ]
    assert predictor.predict_events(tmp_path / "silence.wav") == []


@pytest.mark.parametrize("samples", [1, 2, 799, 1600, 1601])
@pytest.mark.parametrize("rate", [8000, 16_000, 96_000])
def test_short_sounds_get_an_answer(predictor, samples, rate):
    waveform = np.random.default_rng(0).normal(size=samples) * 0.1
    answer = predictor.predict(waveform, rate)
    assert answer.predicted in predictor.labels


def test_quiet_sound_that_cleaning_would_drop_is_still_heard(predictor):
    answer = predictor.predict(sound("hum", 0.5, np.random.default_rng(0)) * 1e-4, RATE)
    assert answer.predicted in predictor.labels


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 5])
def test_any_rate_and_channel_count(predictor, tmp_path, rate, channels):
    waveform = sound("hum", 0.5, np.random.default_rng(1), rate=rate)
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.stack([waveform] * channels, axis=1), rate)
    assert predictor.predict(path).predicted == "hum"


def test_wrong_arguments_name_the_value(predictor, tiny_model):
    with pytest.raises(InvalidArgument, match="`rate` must be given"):
        predictor.predict(np.zeros(100))
    with pytest.raises(InvalidArgument, match=r"Got int16 of shape \(100,\)"):
        predictor.predict(np.zeros(100, dtype=np.int16), RATE)
    for rate in (float("nan"), float("inf"), 0, 1, True, 10**400, "44100"):
        with pytest.raises(InvalidArgument, match=f"`rate` must be between .* Got {rate!r}"):
            predictor.predict(np.zeros(100), rate)
    with pytest.raises(InvalidArgument, match=r"of shape \(5, 0\)"):
        predictor.predict(np.zeros((5, 0)), RATE)
    with pytest.raises(InvalidArgument, match=r"a file or a NumPy array. Got list"):
        predictor.predict([0.0, 1.0], RATE)
    with pytest.raises(InvalidArgument, match=r"a NumPy array. Got list"):
        list(predictor.listen([[0.0, 1.0]], RATE))
    with pytest.raises(InvalidArgument, match=r"`threshold` must be between 0 and 1. Got a"):
        load(tiny_model, threshold="a")
    with pytest.raises(InvalidArgument, match=r"`top` must be at least 1. Got 2.5"):
        load(tiny_model, top=2.5)
    with pytest.raises(InvalidArgument, match="samples first"):
        predictor.predict(np.zeros((2, 100)), RATE)
    with pytest.raises(InvalidArgument, match="not empty"):
        predictor.predict(np.zeros(0), RATE)
    with pytest.raises(InvalidArgument, match=r"between 0 and 1\. Got 1\.5"):
        load(tiny_model, threshold=1.5)
    with pytest.raises(InvalidArgument, match=r"`top` must be at least 1\. Got 0"):
        load(tiny_model, top=0)
    with pytest.raises(InvalidArgument, match="must be one of file, window, event. Got 'day'"):
        list(predictor.predict_many([], level="day"))
    with pytest.raises(AudioError, match="1 of 100 samples is NaN or infinite"):
        predictor.predict(np.append(np.ones(99), np.nan), RATE)


@pytest.mark.parametrize("peak", [1e9, 1e30])
def test_samples_that_are_no_sound_get_no_answer(predictor, tmp_path, peak):
    waveform = peak * np.random.default_rng(0).normal(size=RATE)
    soundfile.write(tmp_path / "x.wav", waveform, RATE, subtype="FLOAT")
    for level in ("file", "window", "event"):
        ((found,),) = predictor.predict_many([tmp_path / "x.wav"], level)
        assert "where full scale is 1: that is no sound" in found.error
        assert found.probability is None
    for ask in (predictor.predict, lambda x, rate: list(predictor.listen([x], rate))):
        with pytest.raises(AudioError, match="no sound"):
            ask(np.float32(waveform), RATE)
    loud = 1e6 * np.float32(sound("hum", 0.5, np.random.default_rng(0)))
    assert 0 < predictor.predict(loud, RATE).probability <= 1


def test_a_file_says_its_rate_itself(predictor, tiny_data):
    with pytest.raises(InvalidArgument, match="a file says its own. Got 44100"):
        predictor.predict(tiny_data / "hum" / "0.wav", 44_100)


def test_a_bad_file_is_named_and_the_others_are_answered(predictor, tiny_data, tmp_path):
    bad = tmp_path / "notes.wav"
    bad.write_text("these are words")
    paths = [tiny_data / "hum" / "0.wav", bad, tmp_path / "none.wav", tiny_data / "hiss" / "0.wav"]
    answers = list(predict(paths, predictor))
    assert [item.predicted for item in answers] == ["hum", None, None, "hiss"]
    assert "cannot be read as a sound file" in answers[1].error
    assert answers[2] == Prediction(
        path=(tmp_path / "none.wav").as_posix(),
        error="there is no such file; correct its path or leave it out",
    )


def test_folders_are_searched_and_paths_stay_as_typed(tiny_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny_data.parent)
    assert expand(["tiny/hum", "tiny\\hiss\\0.wav"])[-2:] == ["tiny/hum/7.wav", "tiny/hiss/0.wav"]
    assert len(expand(["tiny"])) == 24
    (tmp_path / "empty").mkdir()
    assert expand([tmp_path / "empty"]) == [(tmp_path / "empty").as_posix()]


@pytest.mark.parametrize("others", [0, 2])
def test_a_folder_without_recordings_is_said_to_hold_none(predictor, tiny_data, tmp_path, others):
    (tmp_path / "notes.txt").write_text("no sound")
    files = [tiny_data / "hum" / f"{number}.wav" for number in range(others)]
    answers = list(predict([tmp_path, *files], predictor))
    assert answers[0].path == tmp_path.as_posix()
    assert "there is no sound file" in answers[0].error
    assert "in this folder" in answers[0].error
    assert [item.error for item in answers[1:]] == [None] * others


def test_a_backslash_may_be_part_of_a_name(predictor, tiny_data, tmp_path):
    if os.sep == "/":
        odd = shutil.copy(tiny_data / "hum" / "0.wav", tmp_path / "a\\b.wav")
        assert predict([odd], predictor)[0].predicted == "hum"


def test_a_truncated_file_is_predicted_with_a_warning(predictor, tiny_data, tmp_path):
    whole = (tiny_data / "hum" / "0.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 2])
    answer = predictor.predict(tmp_path / "cut.wav")
    assert answer.predicted == "hum"
    assert "truncated" in answer.warnings[0]


def test_the_predictor_hears_what_training_heard(predictor, tiny_data, tiny_model):
    """A held-out file's probabilities in evaluation.json are those of `predict`."""
    evaluation = json.loads((tiny_model / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["predictions"]
    for row in evaluation["predictions"]:
        answer = predictor.predict(tiny_data / row["path"])
        stored = dict(zip(predictor.labels, row["probabilities"], strict=True))
        for label, value in answer.top:
            assert value == pytest.approx(stored[label], abs=1e-5)


def test_decoding_is_the_same_for_both(tiny_data):
    path = tiny_data / "hum" / "0.wav"
    np.testing.assert_array_equal(
        decode(path, RATE).waveform, soundfile.read(path, dtype="float32")[0]
    )


def heard_deeply(predictor):
    """A predictor that cleans nothing, and hears windows down to 40 dB below the loudest."""
    predictor.windowing = dataclasses.replace(predictor.windowing, clean_threshold=None, depth=40.0)
    return predictor


@pytest.mark.parametrize("silence", [0.0, 1e-4])
def test_silence_around_a_sound_changes_nothing(predictor, silence):
    predictor = heard_deeply(predictor)
    rng = np.random.default_rng(0)
    heard = sound("hum", 0.5, rng).astype("float32")
    alone = predictor.predict(heard, RATE)
    faint = rng.normal(size=(2, 4 * RATE)).astype("float32") * np.float32(silence)
    around = predictor.predict(np.concatenate([faint[0], heard, faint[1]]), RATE)
    close(alone, around)
    assert len(predictor.predict_windows(np.concatenate([heard, faint[1]]), RATE)) == 45


def test_scores_and_predictions_count_the_same_windows(predictor, tiny_data, tmp_path):
    pytest.importorskip("keras", reason="the train extra is not installed")
    from timbrel.dataset.manifest import read_dataset
    from timbrel.evaluation.calibration import file_means
    from timbrel.features.cache import FeatureCache
    from timbrel.networks.recipes import get_recipe
    from timbrel.training.prepare import prepare
    from timbrel.workflows.held_out import hear_aside

    for kind in ("hiss", "hum", "whistle"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        for file in sorted((tiny_data / kind).iterdir())[:2]:
            padded = np.pad(soundfile.read(file)[0], (1234, 30_000))
            soundfile.write(tmp_path / "data" / kind / file.name, padded, RATE)
    predictor = heard_deeply(predictor)
    recipe = dataclasses.replace(get_recipe("tutorial-cnn"), windowing=predictor.windowing)
    dataset = read_dataset(tmp_path / "data")
    prepared = prepare(dataset, recipe, cache=FeatureCache(None))
    aside = hear_aside(prepared, np.arange(6), predictor.probabilities)
    for number, (item, mean) in enumerate(
        zip(prepared.recordings, file_means(aside.windows, aside.file), strict=True)
    ):
        assert (aside.file == number).sum() < 8
        for label, value in predictor.predict(item.file).top:
            assert value == pytest.approx(mean[predictor.labels.index(label)], abs=1e-6)
