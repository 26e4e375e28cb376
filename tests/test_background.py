"""Examples of no class: half of the groups to learn from, half to test with."""

import dataclasses
import functools
import shutil

import numpy as np
import pytest
import soundfile

from conftest import RATE, sound, write_folder
from timbrel.dataset.corpus import open_corpus
from timbrel.dataset.manifest import read_dataset
from timbrel.features.cache import FeatureCache
from timbrel.networks.recipes import get_recipe
from timbrel.progress import Progress
from timbrel.training.prepare import prepare
from timbrel.workflows.compare import evaluate_models
from timbrel.workflows.evaluate import evaluate
from timbrel.workflows.train import load_examples, train

OURS = dataclasses.replace(get_recipe("statistics-cnn"), epochs=1)
draw = functools.partial(load_examples, cache=FeatureCache(None), progress=Progress(), seed=0)


def write(path, seed, *, seconds=0.4, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    waveform = sound("hiss", seconds, np.random.default_rng(seed), rate=rate)[::-1]
    soundfile.write(path, waveform * np.linspace(0, 1, len(waveform)), rate)


def with_column(folder, name, values):
    """Two classes and background, a recording of each for each value of a column."""
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
def corpus(data):
    with open_corpus(read_dataset(data), OURS.windowing) as opened:
        yield opened


def learned_names(corpus, examples):
    return {corpus.recordings[row].path for row in examples.background_recordings}


def test_whole_groups_are_dealt_and_copies_stay_together(corpus):
    background = corpus.select(corpus.background)
    assert (len(background), len({item.group for item in background})) == (8, 7)
    dealt = set()
    for seed in range(6):
        learned = learned_names(corpus, draw(corpus, OURS, seed=seed))
        assert ("Noise/0.wav" in learned) == ("background/copy.flac" in learned)
        assert len({item.group for item in background if item.path in learned}) == 4
        dealt.add(frozenset(learned))
    assert len(dealt) > 1


def test_pictures_to_learn_from_are_made_as_those_of_the_classes(data, corpus, tmp_path):
    """The same recordings as a class of their own give the same pictures."""
    examples = draw(corpus, OURS)
    folder = shutil.copytree(data / "hum", tmp_path / "data" / "hum").parent
    (folder / "kept").mkdir()
    for path in learned_names(corpus, examples):
        shutil.copy(data / path, folder / "kept" / path.replace("/", "-"))
    as_class = prepare(read_dataset(folder), OURS, cache=FeatureCache(None)).examples
    kept = as_class.select(as_class.y_flat == as_class.labels.index("kept"))
    assert len(examples.background) == len(kept)
    # Where a window of the one long recording begins is drawn; short ones begin at their beginning.
    known = {np.round(one, 3).tobytes() for one in kept.pictures}
    same = sum(np.round(one, 3).tobytes() in known for one in examples.background.pictures)
    short = learned_names(corpus, examples) - {"background/long.wav"}
    assert same >= len(short)


def test_one_group_is_learned_from_none_is_fine_and_the_tutorials_recipe_learns_from_none(
    tmp_path, recorder
):
    folder = write_folder(tmp_path / "data", recordings=2)
    with open_corpus(read_dataset(folder), OURS.windowing) as corpus:
        examples = draw(corpus, OURS, progress=recorder)
    assert examples.background is None
    assert not examples.background_mask(len(corpus)).any()
    assert not [item for item in recorder.findings if item.code == "background"]
    write(folder / "noise/only.wav", 1)
    tutorial = get_recipe("tutorial-cnn")
    for recipe, learned, sentence in (
        (OURS, 1, "1 recording is an example of none of these: all are for training"),
        (tutorial, 0, "this recipe does not train on them"),
    ):
        with open_corpus(read_dataset(folder), recipe.windowing) as corpus:
            examples = draw(corpus, recipe, progress=recorder)
        assert (0 if examples.background is None else len(examples.background)) == learned
        mask = examples.background_mask(len(corpus))
        assert [item.path for item in corpus.select(mask)] == ["noise/only.wav"] * learned
        note = [item for item in recorder.findings if item.code == "background"][-1]
        assert sentence in note.text


@pytest.mark.parametrize("column", ["group", "fold"])
def test_what_belongs_with_the_held_out_part_is_left_out(tmp_path, column):
    """Stretches of one field recording: what it is scored on, nothing of it is learned."""
    values = range(6) if column == "group" else [take % 3 for take in range(9)]
    dataset = with_column(tmp_path, column, values)
    with open_corpus(dataset, OURS.windowing) as corpus:
        examples = draw(corpus, OURS)
        learned = learned_names(corpus, examples)
        value_of = {item.path: str(getattr(item, column)) for item in corpus.recordings}
        if column == "fold":
            assert {value_of[path] for path in learned} == {"0", "1"}
        for value in sorted({value_of[path] for path in learned}):
            mine = np.array([value_of[item.path] == value for item in corpus.recordings])
            held_out = corpus.with_background(mine & corpus.has_class)
            train_part, _ = examples.split(held_out)
            left = {corpus.recordings[row].path for row in train_part.background_recordings}
            assert left == {path for path in learned if value_of[path] != value}
            without, _ = dataclasses.replace(examples, background=None).split(held_out)
            assert train_part.sha256 != without.sha256


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_a_model_names_what_it_learned_and_is_tested_on_the_rest(data, tmp_path):
    found = train(data, tmp_path / "model", recipe=OURS)
    notes = found.evaluation["protocol"]["notes"]
    assert notes[0].startswith("8 recordings are examples of none of these: ")
    assert [problem.path for problem in found.problems] == ["background/words.wav"]
    tested = evaluate_models(data, [tmp_path / "model"]).evaluations[0]["unknown"]
    assert found.evaluation["unknown"]["accept_rate"] == pytest.approx(tested["accept_rate"])
    assert found.evaluation["unknown"]["auroc"] == pytest.approx(tested["auroc"])
    refit = train(data, tmp_path / "refit", recipe=OURS, refit=True)
    count = [len(result.metadata["recordings"]) for result in (found, refit)]
    # Twelve recordings of the classes and eight of none; the first learned from a part of them.
    assert count[1] == 12 + 8
    assert count[0] < count[1] - 3


@pytest.mark.usefixtures("untrained")
def test_an_evaluation_learns_from_the_same_and_resumes_with_the_same_alone(data, tmp_path):
    cache, copy, trained = FeatureCache(tmp_path / "cache"), tmp_path / "data", []
    shutil.copytree(data, copy)

    class Watch(Progress):
        def __init__(self):
            self.count = 0

        def stage(self, name, done, total, note=""):
            self.count += name == "exporting" and done == 0

        def row(self, table, row):
            if table == "random split":
                raise KeyboardInterrupt

    for turn in range(3):
        if turn == 2:
            for take in range(6):
                write(copy / f"Noise/{take}.wav", 100 + take)
        watch = Watch()
        with pytest.raises(KeyboardInterrupt):
            evaluate(copy, recipe=OURS, folds=2, resume=True, cache=cache, progress=watch)
        trained.append(watch.count)
    assert trained == [3, 0, 3]


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_left_out_classes_and_background_are_scored_apart(data, tmp_path):
    cache = FeatureCache(tmp_path / "cache")
    found = evaluate(data, recipe=OURS, folds=2, unknown=True, cache=cache).evaluation["unknown"]
    assert len(found["parts"]) == 3
    assert set(found["none_of_these"]) == {"threshold", "auroc", "accept_rate", "ci95"}
    without = shutil.copytree(data, tmp_path / "data", ignore=shutil.ignore_patterns("[Nb]*"))
    bare = evaluate(without, recipe=OURS, folds=2, unknown=True, cache=cache)
    assert "none_of_these" not in bare.evaluation["unknown"]
    # What the networks of the stub learn from makes no difference to them.
    assert bare.evaluation["unknown"]["auroc"] == pytest.approx(found["auroc"])
