"""Examples of none of these: half of the groups to learn from, half to test with."""

import contextlib
import dataclasses
import hashlib
import shutil

import numpy as np
import pytest
import soundfile

from conftest import RATE, sound, write_folder
from timbrel.audio.decode import decode
from timbrel.audio.windows import consecutive, counting, keep
from timbrel.dataset.manifest import read_dataset
from timbrel.features.cache import FeatureCache
from timbrel.networks.recipes import get_recipe
from timbrel.training.prepare import prepare
from timbrel.workflows.compare import evaluate_models
from timbrel.workflows.evaluate import evaluate
from timbrel.workflows.none_of_these import hear_none_of_these, learning_from
from timbrel.workflows.observer import EvaluateObserver, TrainObserver
from timbrel.workflows.train import train

OURS = get_recipe("statistics-cnn")


def write(path, seed, *, seconds=0.4, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    waveform = sound("hiss", seconds, np.random.default_rng(seed), rate=rate)[::-1]
    soundfile.write(path, waveform * np.linspace(0, 1, len(waveform)), rate)


def with_column(folder, name, values):
    """Two classes and examples of none of these, a recording of each for each value of a column."""
    rows = [f"path,label,{name}"]
    for take, value in enumerate(values):
        for label in ("hiss", "hum", "noise"):
            write(folder / f"{take}-{label}.wav", [take, len(label)])
            rows.append(f"{take}-{label}.wav,{label},{value}")
    (folder / "data.csv").write_text("\n".join(rows))
    return read_dataset(folder / "data.csv")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three classes; seven sounds of none of them, one of them twice, one silent, one broken."""
    folder = write_folder(tmp_path_factory.mktemp("data") / "data", recordings=4)
    for take in range(6):
        write(folder / f"Noise/{take}.wav", take)
    write(folder / "background/long.wav", 9, seconds=7)
    copy, rate = soundfile.read(folder / "Noise/0.wav", dtype="int16")
    soundfile.write(folder / "background/copy.flac", copy, rate)
    soundfile.write(folder / "background/silent.wav", np.zeros(RATE), RATE)
    (folder / "background/words.wav").write_text("no sound")
    return folder


@pytest.fixture(scope="module")
def dataset(data):
    return read_dataset(data)


@pytest.fixture(scope="module")
def prepared(dataset, tmp_path_factory):
    return prepare(dataset, OURS, cache=FeatureCache(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def others(dataset, prepared):
    with contextlib.closing(hear_none_of_these(dataset, prepared)) as heard:
        yield heard


def test_whole_groups_are_dealt_and_copies_stay_together(dataset, prepared, others):
    names = [item.path for item in others.recordings]
    assert len(names) == 8
    learned = {
        path: bool(is_learned) for path, is_learned in zip(names, others.learned, strict=True)
    }
    assert learned["Noise/0.wav"] == learned["background/copy.flac"]
    assert len({item.group for item in others.recordings}) == 7
    assert len({item.group for item in others.recordings if learned[item.path]}) == 4
    problems = {item.path: item.message for item in others.problems}
    assert list(problems) == ["background/silent.wav", "background/words.wav"]
    assert "every sample is zero" in problems["background/silent.wav"]
    assert others.tested_groups.tolist() == [
        item.group for item in others.recordings if not learned[item.path]
    ]
    dealt = set()
    for seed in range(6):
        with contextlib.closing(hear_none_of_these(dataset, prepared, seed=seed)) as other:
            dealt.add(tuple(other.learned))
    assert len(dealt) > 1


def test_the_windows_to_test_with_are_those_of_the_recording(others):
    assert len(others.tested) == 8 - others.learned.sum()
    for number, item in enumerate(others.recordings):
        waveform = keep(decode(item.file, OURS.windowing.rate).waveform, OURS.windowing)[0]
        wanted = counting(consecutive(waveform, OURS.windowing).samples, OURS.windowing)
        np.testing.assert_array_equal(others.windows(number), wanted)


def test_pictures_to_learn_from_are_made_as_those_of_the_classes(data, others, tmp_path):
    """The same recordings as a class of their own give the same pictures."""
    folder = shutil.copytree(data / "hum", tmp_path / "data" / "hum").parent
    for item, is_learned in zip(others.recordings, others.learned, strict=True):
        if is_learned:
            (folder / "kept").mkdir(exist_ok=True)
            shutil.copy(item.file, folder / "kept" / item.path.replace("/", "-"))
    as_class = prepare(read_dataset(folder), OURS, cache=FeatureCache(tmp_path / "cache")).examples
    kept = as_class.select(as_class.y_flat == as_class.labels.index("kept"))
    short = {digest(one) for one in others.examples().pictures}
    assert len(others.examples()) == len(kept)
    assert len(others.examples(everything=True)) > len(kept)
    # Where a window of the one long recording begins is drawn; short ones begin at their beginning.
    assert len(short & {digest(one) for one in kept.pictures}) >= others.learned.sum() - 1


def digest(picture):
    return hashlib.sha256(np.round(picture, 3).tobytes()).hexdigest()


def test_one_group_is_learned_from_and_none_is_fine(tmp_path):
    data = write_folder(tmp_path / "data", recordings=3)
    prepared = prepare(read_dataset(data), OURS, cache=FeatureCache(tmp_path / "cache"))
    with contextlib.closing(hear_none_of_these(read_dataset(data), prepared)) as nothing:
        assert (nothing.note(), nothing.examples(), len(nothing.tested)) == (None, None, 0)
    write(data / "noise/only.wav", 1)
    with contextlib.closing(hear_none_of_these(read_dataset(data), prepared)) as one:
        assert one.learned.tolist() == [True]
        assert "1 recording is an example of none of these: all are learned from" in one.note()


def test_the_tutorials_recipe_learns_from_none(data, dataset, tmp_path):
    prepared = prepare(dataset, "tutorial-cnn", cache=FeatureCache(tmp_path))
    with contextlib.closing(hear_none_of_these(dataset, prepared)) as others:
        assert not others.learned.any()
        assert others.examples() is others.examples(everything=True) is None
        assert "this recipe does not learn from them" in others.note()


def test_what_shares_its_group_with_the_held_out_part_is_left_out(tmp_path):
    """Stretches of one field recording: what it is scored on, nothing of it is learned."""
    dataset = with_column(tmp_path, "group", range(6))
    prepared = prepare(dataset, OURS, cache=FeatureCache(tmp_path / "cache"))
    with contextlib.closing(hear_none_of_these(dataset, prepared)) as others:
        learned = {
            item.group for item, said in zip(others.recordings, others.learned, strict=True) if said
        }
        examples = learning_from(prepared, others.examples()).examples
    assert len(examples.none_of_these) == len(learned) == 3
    for group in (item.group for item in others.recordings):
        held_out = np.array([item.group == group for item in prepared.recordings])
        train_part, _ = examples.split(held_out)
        left = train_part.none_of_these
        assert len(left) == 3 - (group in learned)
        assert not held_out[left.beside].any()
        assert (train_part.sha256 == prepared.examples.split(held_out)[0].sha256) is False


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_a_model_names_what_it_learned_and_is_tested_on_the_rest(data, tmp_path):
    recipe = dataclasses.replace(OURS, epochs=1)
    notes = []

    class Watch(TrainObserver):
        def note(self, text):
            notes.append(text)

    found = train(data, tmp_path / "model", recipe=recipe, observer=Watch())
    assert notes[0].startswith("8 recordings are examples of none of these: ")
    broken = ["background/silent.wav", "background/words.wav"]
    assert [problem.path for problem in found.problems] == broken
    assert notes[0] in found.evaluation["protocol"]["notes"]
    tested = evaluate_models(data, [tmp_path / "model"]).evaluations[0]["unknown"]
    assert found.evaluation["unknown"]["accept_rate"] == pytest.approx(tested["accept_rate"])
    assert found.evaluation["unknown"]["auroc"] == pytest.approx(tested["auroc"])
    refit = train(data, tmp_path / "refit", recipe=recipe, refit=True)
    count = [len(result.metadata["recordings"]) for result in (found, refit)]
    # Twelve recordings of the classes and eight of none; the first learned from a part of them.
    assert count[1] == 12 + 8
    assert count[0] < count[1] - 3


@pytest.mark.usefixtures("untrained")
def test_an_evaluation_learns_from_the_same_and_resumes_with_the_same_alone(data, tmp_path):
    recipe, cache = dataclasses.replace(OURS, epochs=1), FeatureCache(tmp_path / "cache")
    copy = shutil.copytree(data, tmp_path / "data")
    resumed = []

    class Watch(EvaluateObserver):
        def scored(self, name, what):
            if name.startswith("random"):
                raise KeyboardInterrupt

        def task(self, name, *, resumed: bool):
            seen.append(resumed)

    for turn in range(3):
        if turn == 2:
            for take in range(6):
                write(copy / f"Noise/{take}.wav", 100 + take)
        seen = []
        with pytest.raises(KeyboardInterrupt):
            evaluate(copy, recipe=recipe, folds=2, resume=True, cache=cache, observer=Watch())
        resumed.append(seen)
    assert resumed == [[False, False, False], [True, True, True], [False, False, False]]
    found = evaluate(copy, recipe=recipe, folds=2, resume=True, cache=cache)
    excluded = [row["path"] for row in found.evaluation["excluded"]]
    assert excluded == ["background/silent.wav", "background/words.wav"]


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_left_out_classes_and_examples_of_none_of_these_are_scored_apart(data, tmp_path):
    recipe, cache = dataclasses.replace(OURS, epochs=1), FeatureCache(tmp_path / "cache")
    found = evaluate(data, recipe=recipe, folds=2, unknown=True, cache=cache).evaluation["unknown"]
    assert [part["left_out"] for part in found["parts"]] != []
    assert set(found["none_of_these"]) == {"threshold", "auroc", "accept_rate", "ci95"}
    without = shutil.copytree(data, tmp_path / "data", ignore=shutil.ignore_patterns("[Nb]*"))
    bare = evaluate(without, recipe=recipe, folds=2, unknown=True, cache=cache)
    assert "none_of_these" not in bare.evaluation["unknown"]
    # What the networks of the stub learn from makes no difference to them.
    assert bare.evaluation["unknown"]["auroc"] == pytest.approx(found["auroc"])


def test_a_sound_of_a_class_is_none_of_these_at_the_same_time(tmp_path):
    folder = write_folder(tmp_path / "data", recordings=3)
    for take in range(3):
        write(folder / f"noise/{take}.wav", take)
    copy, rate = soundfile.read(folder / "hum/1.wav", dtype="int16")
    soundfile.write(folder / "noise/copy.flac", copy, rate)
    dataset = read_dataset(folder)
    prepared = prepare(dataset, OURS, cache=FeatureCache(tmp_path / "cache"))
    with contextlib.closing(hear_none_of_these(dataset, prepared)) as others:
        (problem,) = others.problems
        assert problem.path == "noise/copy.flac"
        assert "it is the same sound as hum/1.wav, which is labelled 'hum'" in problem.message
        assert len(others.recordings) == 3


def test_folds_of_the_data_hold_for_them_too(tmp_path):
    dataset = with_column(tmp_path, "fold", [take % 3 for take in range(9)])
    prepared = prepare(dataset, OURS, cache=FeatureCache(tmp_path / "cache"))
    with contextlib.closing(hear_none_of_these(dataset, prepared)) as others:
        assert {item.fold for item in np.array(others.recordings)[others.learned]} == {"0", "1"}
        assert {others.recordings[number].fold for number in others.tested} == {"2"}
        examples = learning_from(prepared, others.examples()).examples
    for fold in ("0", "1"):
        held_out = np.array([item.fold == fold for item in prepared.recordings])
        left = examples.split(held_out)[0].none_of_these
        assert len(left) == 3
        assert {prepared.recordings[number].fold for number in left.beside} == {"0", "1"} - {fold}


def test_what_is_odd_about_them_is_said(tmp_path):
    folder = write_folder(tmp_path / "data", recordings=3)
    for take in range(2):
        write(folder / f"noise/{take}.wav", take, seconds=1)
    cut = folder / "noise/0.wav"
    cut.write_bytes(cut.read_bytes()[:-8000])
    dataset, said, done = read_dataset(folder), [], []
    prepared = prepare(dataset, OURS, cache=FeatureCache(tmp_path / "cache"))
    heard = hear_none_of_these(dataset, prepared, progress=lambda *how: done.append(how))
    with contextlib.closing(heard) as others:
        others.tell(said.append)
    assert said[0].startswith("2 recordings are examples of none of these: 1 are learned from")
    assert "noise/0.wav" in said[1]
    assert "truncated" in said[1]
    assert done == [("reading", 1, 2), ("reading", 2, 2)]
