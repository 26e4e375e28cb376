"""In any pieces, as file, array or stream, a recording has the same windows and scores."""

import dataclasses

import numpy as np
import pytest
import soundfile

from conftest import RATE, sound
from stub_model import stub_predictor
from timbrel.audio.decode import IsolatedDecoder
from timbrel.audio.reading import Reading
from timbrel.audio.windows import Windowing, consecutive, counts, keep, power
from timbrel.errors import AudioError, InvalidArgument
from timbrel.findings import Finding
from timbrel.inference.events import EventSettings
from timbrel.inference.predictor import load
from timbrel.inference.scores import Waveform, score_in_worker, score_windows
from timbrel.workers import in_order

CLEANING = Windowing(rate=1000, window=20, hop=10, clean_threshold=0.1, clean_window=0.009)


@pytest.fixture
def predictor(tiny_model):
    return load(tiny_model)


def gappy(seconds=12.0, seed=0, rate=RATE):
    """Sounds of all kinds with faint stretches and digital silence between them."""
    rng = np.random.default_rng(seed)
    parts, kinds = [], ("hiss", "hum", "whistle")
    while sum(map(len, parts)) < seconds * rate:
        parts.append(sound(kinds[len(parts) % 3], rng.uniform(0.1, 1.5), rng, rate=rate))
        parts.append(np.float32(rng.normal(size=int(rng.uniform(0, 0.9) * rate)) * 1e-4))
        parts.append(np.zeros(int(rng.uniform(0, 0.9) * rate), dtype=np.float32))
    return np.concatenate(parts)


def run(windows):
    """Stands for a model: numbers that tell windows apart."""
    numbers = [windows.mean(axis=1), np.abs(windows).max(axis=1), windows[:, 3]]
    return np.stack(numbers, axis=1).astype(np.float32), windows[:, 5:7]


class Pieces:
    """A waveform in pieces of some length."""

    name = "x.wav"
    findings = (Finding("too-loud", name, {"peak": 2.0}),)

    def __init__(self, waveform, size):
        self.seconds = len(waveform) / 1000
        self.waveform, self.size, self.read = waveform, size, 0

    def __iter__(self):
        self.read += 1
        for first in range(0, len(self.waveform), self.size):
            yield self.waveform[first : first + self.size]


def assert_close(one, other, *, seconds=True):
    assert len(one) == len(other) > 0
    for left, right in zip(one, other, strict=True):
        assert (left.label, left.predicted, left.accepted) == (
            right.label,
            right.predicted,
            right.accepted,
        )
        assert (left.start, left.end) == (right.start, right.end)
        assert [label for label, _ in left.top] == [label for label, _ in right.top]
        np.testing.assert_allclose(
            [value for _, value in left.top], [value for _, value in right.top], rtol=0, atol=1e-5
        )
        assert not seconds or left.seconds == right.seconds


# Scores


@pytest.mark.parametrize("apply", [map, in_order])
@pytest.mark.parametrize("size", [1, 33, 5000])
@pytest.mark.parametrize("threshold", [None, 0.1])
def test_the_windows_of_pieces_are_those_of_the_whole(size, threshold, apply):
    windowing = dataclasses.replace(CLEANING, clean_threshold=threshold, depth=20.0)
    rng = np.random.default_rng(0)
    waveform = np.float32(np.repeat(10 ** rng.uniform(-3, 0, 50), 60) * rng.normal(size=3000))
    waveform[1000:1200] = 0
    cleaned, left = keep(waveform, windowing)
    assert left
    windows = consecutive(cleaned, windowing)
    pieces = Pieces(waveform, size)
    scores = score_windows(pieces, windowing, run, embeddings=True, apply=apply)
    probabilities, embeddings = run(windows.samples)
    np.testing.assert_allclose(scores.probabilities, probabilities, atol=1e-6)
    np.testing.assert_array_equal(scores.embeddings, embeddings)
    assert score_windows(pieces, windowing, run).embeddings is None
    np.testing.assert_array_equal(scores.start, windows.start)
    np.testing.assert_array_equal(scores.end, windows.end)
    np.testing.assert_array_equal(scores.silent, ~windows.samples.any(axis=1))
    np.testing.assert_array_equal(scores.counted, counts(power(windows.samples), windowing))
    assert 0 < scores.counted.sum() < len(scores.counted)
    assert (scores.seconds, scores.findings[:1]) == (3.0, pieces.findings)


def test_where_cleaning_leaves_nothing_it_is_read_again_and_said():
    pieces = Pieces(np.full(95, 0.01, dtype=np.float32), 10)
    scores = score_windows(pieces, CLEANING, run)
    assert pieces.read == 2
    assert len(scores.start) == len(consecutive(keep(pieces.waveform, CLEANING)[0], CLEANING).start)
    assert [item.code for item in scores.findings[1:]] == ["too-quiet"]
    assert not scores.silent.any()


@pytest.mark.parametrize("size", [100, 100_000])
def test_sound_is_where_it_was_put(size):
    windowing = Windowing(rate=1000, window=3000, hop=1500, depth=40.0)
    waveform = np.float32(np.random.default_rng(0).normal(size=9000) * 1e-4)
    for first, end in ((3000, 4000), (7000, 7500)):
        waveform[first:end] += np.random.default_rng(1).normal(size=end - first)
    scores = score_windows(Pieces(waveform, size), windowing, run)
    spans = [(3.0, 3.0), (3.0, 4.0), (3.0, 4.0), (7.0, 7.5), (7.0, 7.5)]
    # In the first, only the faint noise that is everywhere is to be scores.
    np.testing.assert_allclose(scores.sounding[0], (0, 3), atol=0.03)
    np.testing.assert_allclose(scores.sounding[1:3], spans[1:3], atol=0.03)
    np.testing.assert_allclose(scores.sounding[3], (7.0, 7.5), atol=0.03)
    whole = score_windows(Pieces(waveform, size), dataclasses.replace(windowing, depth=None), run)
    np.testing.assert_array_equal(whole.sounding, np.stack([whole.start, whole.end], axis=1))


def test_faint_sound_is_not_silence():
    faint = np.full(40, 1e-30, dtype=np.float32)
    faint[:20] = 0
    scores = score_windows(Waveform(faint, 0.04), dataclasses.replace(CLEANING, hop=20), run)
    assert scores.silent.tolist() == [True, False]
    assert score_windows(Waveform(faint[:20], 0.02), CLEANING, run).silent.all()


# Files, arrays, streams


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_file_array_isolated_and_stream_agree(predictor, tiny_model, tmp_path, rate):
    waveform = gappy(rate=rate)
    path = tmp_path / "x.wav"
    soundfile.write(path, waveform, rate, subtype="FLOAT")
    windows = predictor.predict_windows(path)
    assert_close(windows, predictor.predict_windows(waveform, rate))
    alone, beside = predictor.predict_many([path, path], "window")
    assert_close(windows, alone)
    assert_close(alone, beside)
    for size in (1000, 44_100):
        pieces = np.split(waveform, range(size, len(waveform), size))
        live = [item for item in predictor.listen(pieces, rate) if item.predicted]
        assert_close(live, windows, seconds=False)
        assert {item.seconds for item in live} == {None}
    here = score_windows(Reading(path, RATE), predictor.windowing, predictor.run)
    with IsolatedDecoder() as decoder:
        graph = tiny_model / "model.onnx"
        worker = score_in_worker(decoder, path, predictor.windowing, graph)
    for item in dataclasses.fields(here):
        np.testing.assert_array_equal(getattr(here, item.name), getattr(worker, item.name))


def test_progress_in_a_recording_is_shown(predictor, tmp_path):
    soundfile.write(tmp_path / "x.wav", gappy(30.0), 16_000)
    calls = []
    list(predictor.predict_many([tmp_path / "x.wav"], progress=lambda *call: calls.append(call)))
    assert {path for path, _ in calls} == {(tmp_path / "x.wav").as_posix()}
    seconds = [seconds for _, seconds in calls]
    assert seconds == sorted(seconds)
    assert len(seconds) > 3
    assert seconds[-1] == pytest.approx(30, abs=2.5)


def test_the_users_model_may_change_while_many_are_predicted(tiny_model, tiny_data, tmp_path):
    (copy := tmp_path / "model.onnx").write_bytes((tiny_model / "model.onnx").read_bytes())
    paths = sorted(tiny_data.rglob("*.wav"))
    results = load(copy).predict_many(paths)
    first = next(results)
    copy.write_text("gone")
    rest = list(results)
    assert [item[0].predicted for item in [first, *rest]] == [path.parent.name for path in paths]


def test_a_recipe_that_cleans_nothing_agrees_too(predictor, tmp_path):
    predictor.windowing = dataclasses.replace(
        predictor.windowing, clean_threshold=None, hop=700, depth=40.0
    )
    waveform = gappy(4.0)
    soundfile.write(tmp_path / "x.wav", waveform, RATE, subtype="FLOAT")
    windows = predictor.predict_windows(tmp_path / "x.wav")
    assert any(item.predicted is None for item in windows)
    pieces = np.split(np.stack([waveform] * 2, axis=1), range(333, len(waveform), 333))
    assert_close(list(predictor.listen(pieces, RATE)), windows, seconds=False)


def test_events_are_merged_windows_of_the_original(predictor):
    def by_pitch(windows):
        high = np.mean(np.diff(np.sign(windows), axis=1) != 0, axis=1) > 0.1
        return np.float32(np.stack([0.9 - 0.8 * high, 0.1 + 0.8 * high], axis=1)), windows[:, :2]

    predictor = stub_predictor(predictor.windowing, by_pitch, labels=("hum", "whistle"))
    rng = np.random.default_rng(0)
    gap = np.zeros(2 * RATE, dtype=np.float32)
    parts = [gap, sound("hum", 1, rng), gap, sound("whistle", 1, rng), sound("hum", 1, rng)]
    # A window in which two sounds meet, because silence was cut between them, is of one class.
    settings = EventSettings(min_length=0.15)
    found = predictor.predict_events(np.concatenate(parts), RATE, events=settings)
    assert [item.label for item in found] == ["hum", "whistle", "hum"]
    for item, (start, end) in zip(found, [(2, 3), (5, 6), (6, 7)], strict=True):
        assert item.start == pytest.approx(start, abs=0.2)
        assert item.end == pytest.approx(end, abs=0.2)


# Streams


def test_a_silent_hop_says_so_when_it_is_over(predictor):
    hop = predictor.windowing.hop / RATE
    waveform = np.concatenate(
        [np.zeros(RATE, np.float32), sound("hum", 1, np.random.default_rng(0)), np.zeros(RATE)]
    )
    listener = predictor.listener(RATE)
    silences, said_at = [], []
    for first in range(0, len(waveform), 160):
        for item in listener.push(waveform[first : first + 160]):
            if item.predicted is None:
                silences.append((round(item.start, 3), round(item.end, 3)))
                said_at.append((first + 160) / RATE - item.end)
    for item in listener.finish():
        if item.predicted is None:
            silences.append((round(item.start, 3), round(item.end, 3)))
    expected = [(round(number * hop, 3), round((number + 1) * hop, 3)) for number in range(30)]
    # The envelope reaches half a window beyond the sound on either side.
    assert silences == expected[:9] + expected[21:]
    assert max(said_at) <= 0.1 / 2 + 0.02


def test_a_hop_is_silent_from_where_sound_ends():
    # The envelope is |x| itself, so sound ends where it was made to.
    windowing = Windowing(rate=1000, window=10, hop=10, clean_threshold=0.1, clean_window=0.001)

    for sounding, expected in [(20, [20, 30]), (21, [30]), (19, [20, 30]), (0, [0, 10, 20, 30])]:
        waveform = np.zeros(40)
        waveform[:sounding] = 1
        listener = stub_predictor(windowing).listener(1000)
        found = [*listener.push(waveform), *listener.finish()]
        silent = [round(item.start * 1000) for item in found if item.predicted is None]
        assert silent == expected


def test_an_answer_comes_when_its_window_is_whole(predictor):
    predictor.windowing = dataclasses.replace(predictor.windowing, clean_threshold=None, hop=800)
    waveform = sound("hum", 2, np.random.default_rng(0))
    listener = predictor.listener(RATE)
    for first in range(0, len(waveform), 100):
        for item in listener.push(waveform[first : first + 100]):
            assert first < item.end * RATE <= first + 100


def test_times_of_a_stream_come_in_order(predictor):
    waveform = gappy(8.0, seed=3)
    pieces = np.split(waveform, range(5000, len(waveform), 5000))
    ends = [item.end for item in predictor.listen(pieces, RATE)]
    assert ends == sorted(ends)


@pytest.mark.parametrize("samples", [1, 1001, 44_099])
def test_nothing_ends_after_the_recording(predictor, samples):
    waveform = np.float32(np.random.default_rng(0).normal(size=samples) * 0.1)
    windows = predictor.predict_windows(waveform, 44_100)
    assert windows[-1].end <= samples / 44_100 == windows[-1].seconds
    assert [item.end for item in predictor.listen([waveform], 44_100)][-1] == windows[-1].end


def test_a_stream_that_is_shorter_than_a_window_is_answered(predictor):
    (answer,) = predictor.listen([sound("hum", 0.05, np.random.default_rng(0))], RATE)
    assert answer.predicted in predictor.labels
    assert (answer.start, answer.end) == (0, 0.05)
    assert list(predictor.listen([], RATE)) == []


def test_wrong_pieces_are_refused(predictor):
    with pytest.raises(AudioError, match="1 of 100 samples is NaN or infinite, .* 0.099 s"):
        list(predictor.listen([np.append(np.zeros(99), np.nan)], 1000))
    with pytest.raises(InvalidArgument, match="must be floats"):
        list(predictor.listen([np.zeros(100, dtype=np.int16)], RATE))
    with pytest.raises(InvalidArgument, match="`rate` must be between 100 and .* Got 0"):
        list(predictor.listen([np.zeros(100)], 0))


def test_few_samples_of_many_channels_are_a_piece(predictor):
    waveform = sound("hum", 0.5, np.random.default_rng(0))
    pieces = np.split(np.stack([waveform] * 5, axis=1), range(3, 400, 3))
    assert_close(list(predictor.listen(pieces, RATE)), list(predictor.listen([waveform], RATE)))
