import dataclasses
import io
import json
import os
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest
import soundfile

from conftest import RATE, sound
from stub_model import stub_predictor
from timbrel.audio.decode import decode
from timbrel.audio.pcm import Pcm
from timbrel.audio.windows import Windowing, consecutive, counting, keep
from timbrel.errors import AudioError, InvalidArgument
from timbrel.findings import Finding
from timbrel.inference.prediction import Prediction
from timbrel.inference.predictor import load
from timbrel.inference.scores import WindowScores
from timbrel.model.directory import INSTRUMENTS
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


# Ways in


class Pipe(io.RawIOBase):
    """Bytes that can be read once, some at a time."""

    def __init__(self, content):
        self.content = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.content.readinto(memoryview(buffer)[:1000])


def ways_in(path):
    """A sound file in every way that a predictor takes, as (sound, rate), each to be used once."""
    content = path.read_bytes()
    waveform, rate = soundfile.read(path, dtype="float32")
    yield from ((os.fspath(path), None), (path, None), (waveform, rate))
    yield from ((kind(content), None) for kind in (bytes, bytearray, memoryview))
    yield from ((io.BytesIO(content), None), (Pipe(content), None))
    yield np.stack([waveform] * 2, axis=1).astype(np.float64), rate
    with open(path, "rb") as file, tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(content)
        yield from ((file, None), (spooled, None))


def write_sounds(folder, rate=RATE):
    """A sound file of some seconds, with silence in it."""
    rng = np.random.default_rng(0)
    parts = [sound(kind, 2, rng, rate=rate) for kind in ("hum", "whistle")]
    waveform = np.concatenate([parts[0], np.zeros(rate, np.float32), parts[1]])
    soundfile.write(folder / "x.wav", waveform, rate, subtype="FLOAT")
    return folder / "x.wav"


def answers(predictor, sound, rate):
    """All that a predictor says of a sound, but for its path."""
    scores = predictor.window_scores(sound, rate, embeddings=True)
    predictions = [
        dataclasses.astuple(dataclasses.replace(item, path=""))
        for level in ("file", "window", "event")
        for item in predictor.to_predictions(scores, level)
    ]
    return predictions, scores.embeddings.tolist()


@pytest.mark.parametrize("rate", [RATE, 44_100])
@pytest.mark.parametrize("model", ["instruments", "tiny"])
def test_all_ways_in_give_the_same(model, tiny_model, tmp_path, rate):
    predictor = load(tiny_model if model == "tiny" else None)
    path = write_sounds(tmp_path, rate)
    expected = answers(predictor, path, None)
    assert len(expected[1]) > 1
    for source, source_rate in ways_in(path):
        assert answers(predictor, source, source_rate) == expected, type(source)


@pytest.mark.parametrize("method", ["predict", "predict_windows", "predict_events", "embed"])
def test_every_method_takes_a_rate(predictor, tmp_path, method):
    path = write_sounds(tmp_path)
    waveform, rate = soundfile.read(path, dtype="float32")
    one, other = (getattr(predictor, method)(*sound) for sound in ((path,), (waveform, rate)))
    if method == "embed":
        np.testing.assert_array_equal(one, other)
    else:
        one, other = ([one], [other]) if method == "predict" else (one, other)
        assert {item.path for item in one} == {path.as_posix()}
        assert [dataclasses.replace(item, path="") for item in one] == list(other)


def test_a_file_that_was_opened_by_its_path_has_it(predictor, tiny_data):
    path = tiny_data / "hum" / "0.wav"
    with open(path, "rb") as file:
        assert predictor.predict(file) == predictor.predict(path)
    assert predictor.predict(path.read_bytes()).path == ""


def test_errors_name_the_sound(predictor, tmp_path):
    (path := tmp_path / "x.wav").write_bytes(b"words" * 9)
    with open(path, "rb") as file, tempfile.TemporaryFile() as nameless:
        nameless.write(b"words" * 9)
        for unusable, name in [
            (path, os.fspath(path)),
            (b"words" * 9, "bytes"),
            (file, path.as_posix()),
            (nameless, "file object"),
            (Pipe(b"words" * 9), "file object"),
        ]:
            with pytest.raises(AudioError, match="cannot be read as a sound file") as raised:
                predictor.predict(unusable)
            assert raised.value.path == name
    with pytest.raises(AudioError) as raised:
        predictor.embed_windows(np.full(100, np.nan), RATE)
    assert raised.value.path == "waveform"
    with pytest.raises(AudioError, match="bytes: the file is empty"):
        predictor.predict(b"")
    for wrong in (io.StringIO("words"), None, 5):
        with pytest.raises(InvalidArgument, match="`sound` must be a path, bytes, a file object"):
            predictor.predict(wrong)
    for source in (path, b"words", io.BytesIO()):
        with pytest.raises(InvalidArgument, match="a file says its own. Got 16000"):
            predictor.predict(source, RATE)


def test_raw_pcm_is_taken_as_bytes(predictor):
    samples = np.int16(2**14 * sound("hum", 1, np.random.default_rng(0)))
    scores = predictor.window_scores(samples.tobytes(), pcm=Pcm(RATE))
    expected = predictor.window_scores(np.float32(samples / 2**15), RATE)
    np.testing.assert_array_equal(scores.probabilities, expected.probabilities)


# Embeddings


@pytest.mark.parametrize("model", ["instruments", "tiny"])
def test_embeddings_are_those_of_the_graph(model, tiny_model, tmp_path):
    """Computed here by onnxruntime alone, on windows that are cut here."""
    graph = INSTRUMENTS if model == "instruments" else tiny_model / "model.onnx"
    predictor = load(graph)
    path, windowing = write_sounds(tmp_path, 44_100), predictor.windowing
    windows = consecutive(keep(decode(path, windowing.rate).waveform, windowing)[0], windowing)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])

    def embed(samples):
        return session.run(["embedding"], {"waveform": np.ascontiguousarray(samples)})[0]

    found, times = predictor.embed_windows(path)
    assert (found.dtype, times.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(found, embed(windows.samples), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(times, np.stack([windows.start, windows.end], axis=1))
    whole = predictor.embed(path)
    assert (whole.dtype, whole.shape) == (np.float32, found.shape[1:])
    expected = embed(counting(windows.samples, windowing)).mean(axis=0)
    np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-4)


def test_windows_that_do_not_count_are_not_in_the_embedding():
    predictor = stub_predictor(Windowing(rate=1000, window=10, hop=10, depth=20.0))
    waveform = np.float32([0.5] * 10 + [0.01] * 10 + [-0.5] * 5 + [0.1] * 5)
    embeddings, times = predictor.embed_windows(waveform, 1000)
    np.testing.assert_allclose(embeddings[:, 0], [0.5, 0.01, -0.5])
    np.testing.assert_allclose(times, [(0, 0.01), (0.01, 0.02), (0.02, 0.03)])
    np.testing.assert_allclose(predictor.embed(waveform, 1000), [0, 0], atol=1e-7)
    assert np.isfinite(load().embed(np.zeros(RATE), RATE)).all()


# A predictor that lives long


def test_threads_share_a_predictor(predictor, tmp_path):
    """Each thread takes another sound another way; all get what they would get alone."""
    jobs = []
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        path = write_sounds(tmp_path / str(number), (8000, RATE, 22_050, 44_100)[number])
        expected = answers(predictor, path, None)
        jobs += [(path, way, expected) for way in range(len(list(ways_in(path))))]
    together = threading.Barrier(8)

    def work(thread):
        together.wait(60)
        for path, way, expected in jobs[thread::8] + jobs[thread::4]:
            for place, (source, rate) in enumerate(ways_in(path)):
                if place == way:
                    assert answers(predictor, source, rate) == expected, type(source)
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_threads_predict_many_files_with_one_predictor(predictor, tiny_data):
    paths = sorted(tiny_data.rglob("*.wav"))[::4]
    expected = [predictor.predict(path) for path in paths]
    with ThreadPoolExecutor(2) as pool:
        results = [pool.submit(lambda: list(predictor.predict_many(paths))) for _ in range(2)]
    for result in results:
        assert [item.predicted for (item,) in result.result()] == [
            item.predicted for item in expected
        ]


def test_nothing_is_left_behind(predictor, tmp_path, monkeypatch):
    path = write_sounds(tmp_path)
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(temporary))
    predictor.predict(path)
    threads = threading.active_count()
    for _ in range(3):
        for source, rate in ways_in(path):
            predictor.predict(source, rate)
    list(predictor.predict_many([path, path]))
    assert threading.active_count() == threads
    assert list(temporary.iterdir()) == []


def test_predictions_of_windows_are_made_when_they_are_read():
    times = np.arange(1_000_000, dtype=float)
    zeros = np.zeros((len(times), 2))
    scores = WindowScores(
        probabilities=np.broadcast_to(np.float32([0.9, 0.1]), zeros.shape),
        start=times, end=times + 1, cut=zeros, sounding=zeros, silent=times == 7,
        counted=times > 7, seconds=1e6,
    )  # fmt: skip
    items = stub_predictor(Windowing(1000, 10, 10)).to_predictions(scores, "window", path="x")
    assert (len(items), items[-1].start) == (1_000_000, 999_999)
    assert (items[7].predicted, items[8].predicted, items[8].path) == (None, "a", "x")


# Answers


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(100),), "`rate` must be given"),
        ((np.zeros(100, dtype=np.int16), RATE), r"Got int16 of shape \(100,\)"),
        ((np.zeros((5, 0)), RATE), r"of shape \(5, 0\)"),
        ((np.zeros((2, 100)), RATE), "samples first"),
        ((np.zeros(0), RATE), "not empty"),
        (([0.0, 1.0], RATE), "bytes, or a NumPy array. Got list"),
        *(
            ((np.zeros(100), rate), f"`rate` must be between .* Got {rate!r}")
            for rate in (float("nan"), float("inf"), 0, 1, True, 10**400, "44100")
        ),
    ],
)
def test_a_wrong_sound_or_rate_is_named(predictor, arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        predictor.predict(*arguments)


def test_other_wrong_arguments_are_named(predictor, tiny_model):
    for threshold in (1.5, "a"):
        with pytest.raises(InvalidArgument, match=f"be between 0 and 1. Got {threshold}"):
            load(tiny_model, threshold=threshold)
    for top in (0, 2.5):
        with pytest.raises(InvalidArgument, match=f"`top` must be at least 1. Got {top}"):
            load(tiny_model, top=top)
    with pytest.raises(InvalidArgument, match="a NumPy array. Got list"):
        list(predictor.listen([[0.0, 1.0]], RATE))
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
        assert [item.code for item in found.findings] == ["far-too-loud"]
        assert (found.error, found.warnings) == (found.findings[0].reason, ())
        assert found.probability is None
    for ask in (predictor.predict, lambda x, rate: list(predictor.listen([x], rate))):
        with pytest.raises(AudioError, match="no sound"):
            ask(np.float32(waveform), RATE)
    loud = 1e6 * np.float32(sound("hum", 0.5, np.random.default_rng(0)))
    assert 0 < predictor.predict(loud, RATE).probability <= 1


def test_a_bad_file_is_named_and_the_others_are_answered(predictor, tiny_data, tmp_path):
    bad = tmp_path / "notes.wav"
    bad.write_text("these are words")
    paths = [tiny_data / "hum" / "0.wav", bad, tmp_path / "none.wav", tiny_data / "hiss" / "0.wav"]
    answers = list(predict(paths, predictor))
    assert [item.predicted for item in answers] == ["hum", None, None, "hiss"]
    assert [item.code for item in answers[1].findings] == ["not-sound"]
    missing = Finding("missing", (tmp_path / "none.wav").as_posix())
    assert answers[2] == Prediction(missing.path, error=missing.reason, findings=(missing,))


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
    assert [item.code for item in answer.findings] == ["truncated"]
    assert answer.findings[0].path == answer.path
    assert answer.warnings == (answer.findings[0].reason,)


def test_the_predictor_hears_what_training_heard(predictor, tiny_data, tiny_model):
    """A held-out file's probabilities in evaluation.json are those of `predict`."""
    evaluation = json.loads((tiny_model / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["predictions"]
    for row in evaluation["predictions"]:
        answer = predictor.predict(tiny_data / row["path"])
        stored = dict(zip(predictor.labels, row["probabilities"], strict=True))
        for label, value in answer.top:
            assert value == pytest.approx(stored[label], abs=1e-5)


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
    from timbrel.dataset.corpus import open_corpus
    from timbrel.dataset.manifest import read_dataset
    from timbrel.evaluation.run import score_recordings

    for kind in ("hiss", "hum", "whistle"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        for file in sorted((tiny_data / kind).iterdir())[:2]:
            padded = np.pad(soundfile.read(file)[0], (1234, 30_000))
            soundfile.write(tmp_path / "data" / kind / file.name, padded, RATE)
    predictor = heard_deeply(predictor)
    with open_corpus(read_dataset(tmp_path / "data"), predictor.windowing) as corpus:
        scores = score_recordings(
            corpus, corpus.has_class, predictor.probabilities, classes=len(predictor.labels)
        )
    for row, (item, mean) in enumerate(zip(corpus.recordings, scores.files(1.0), strict=True)):
        assert (scores.row == row).sum() < 8
        for label, value in predictor.predict(item.file).top:
            assert value == pytest.approx(mean[predictor.labels.index(label)], abs=1e-6)
