"""What a cell that ends in an object of ours shows: a short repr, and HTML where there is more."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import timbrel
from conftest import RATE, write_folder
from shown import HOSTILE, rows, shown, words
from timbrel import Prediction
from timbrel.dataset.recording import Dataset, Recording
from timbrel.findings import Finding
from timbrel.report.view import ScoreView
from timbrel.workflows.check import Checked, CheckResult
from timbrel.workflows.compare import Comparison
from timbrel.workflows.demo import DemoResult
from timbrel.workflows.evaluate import EvaluateResult
from timbrel.workflows.explore import ExploreResult
from timbrel.workflows.tag import TagResult
from timbrel.workflows.train import TrainResult

LONGEST = 260


@pytest.fixture(scope="module")
def prepared(tiny_data):
    return timbrel.prepare(timbrel.read_dataset(tiny_data), cache=timbrel.FeatureCache(None))


@pytest.fixture(scope="module")
def objects(tiny_data, tiny_training, prepared, tmp_path_factory):
    """An object of every kind that the public functions return, by its class."""
    folder = tmp_path_factory.mktemp("shown")
    new = write_folder(folder / "new", recordings=2, seconds=0.7)
    model, data = timbrel.load(tiny_training.path), timbrel.read_dataset(tiny_data)
    sound = timbrel.decode(tiny_data / "hum" / "0.wav", RATE)
    checked = timbrel.check(tiny_data)
    both = timbrel.evaluate_models(new, [tiny_training.path] * 2)
    found = [
        data, data.recordings[0], sound, model, checked, checked.recordings[0], prepared,
        prepared.examples, prepared.audit, tiny_training, timbrel.hold_out(prepared.recordings),
        timbrel.clean(sound.waveform, 0.005, 1600),
        timbrel.deal_folds(prepared.recordings), timbrel.Reading(tiny_data / "hum" / "0.wav", None),
        timbrel.FeatureCache(folder), timbrel.Pcm(RATE), prepared.recipe.windowing, prepared.recipe,
        timbrel.EventSettings(), timbrel.summary("tutorial-cnn"), timbrel.info(tiny_training.path),
        timbrel.IsolatedDecoder(), model.predict(tiny_data / "hum" / "0.wav"),
        timbrel.predict([new], model), both,
        replace(both, models=both.models[:1], evaluations=both.evaluations[:1]),
        EvaluateResult(tiny_training.evaluation, prepared, [], ()),
        ExploreResult(folder / "explore.html", 24, 12.0, 11.5),
        timbrel.tag(new, folder / "sorted", model), timbrel.undo_tag(folder / "sorted"),
        DemoResult(Path("a/b"), checked, tiny_training, [("hum", Prediction("x"))], Path("c")),
        next(iter(timbrel.listen([sound.waveform], RATE, model))),
    ]  # fmt: skip
    return {f"{type(item).__name__} {number}": item for number, item in enumerate(found)}


def test_every_repr_is_short_and_can_be_printed(objects):
    for name, item in objects.items():
        text = repr(item)
        assert len(text) <= LONGEST, (name, text)
        assert text.isprintable(), text
        assert "array(" not in text, text
        assert " object at 0x" not in text, text
        assert text.startswith((type(item).__name__, "<")), text


def test_recipes_are_named_in_short():
    assert all(len(repr(recipe)) < 80 for recipe in timbrel.RECIPES.values())
    assert repr(timbrel.get_recipe("statistics-cnn")) == (
        "Recipe('statistics-cnn': StatisticsCNN on LogMel of 3.1 s at 32 kHz)"
    )


def test_results_draw_themselves(objects):
    drawn = {type(item).__name__ for item in objects.values() if hasattr(item, "_repr_html_")}
    assert drawn == {
        *("Dataset", "Decoded", "CheckResult", "TrainResult", "EvaluateResult", "Comparison"),
        *("Prediction", "Predictions", "Summary", "ModelInfo", "TagResult", "DemoResult"),
    }
    for item in objects.values():
        if hasattr(item, "_repr_html_"):
            shown(item)
            assert len(item._repr_html_()) < 60_000


def test_a_data_set_shows_its_classes(tiny_data):
    data = timbrel.read_dataset(tiny_data)
    assert repr(data) == f"Dataset('{tiny_data}': 24 recordings, 3 classes: hiss, hum, whistle)"
    assert words(data).startswith(f"24 recordings of 3 classes {tiny_data}")
    assert rows(data) == [["hiss", "", "8", ""], ["hum", "", "8", ""], ["whistle", "", "8", ""]]


def test_many_classes_are_cut_short():
    recordings = tuple(
        Recording(f"{number}.wav", Path("x"), f"class {number:03}", "group") for number in range(99)
    )
    findings = (
        Finding("empty-cell", "row 3", {"column": "label"}),
        Finding("lost-class", "", {"label": "a"}),
    )
    data = Dataset("many", recordings, findings)
    assert len(rows(data)) == 30
    assert "… and 69 more" in words(data)
    assert "99 recordings of 99 classes many · in 1 group" in words(data)
    assert "row 3: it has no label; fill it in or delete the row No recording of 'a'" in words(data)
    assert repr(data).endswith("class 004, …; 1 row not usable)")


def test_a_waveform_is_drawn_and_played():
    waveform = np.float32(np.sin(np.arange(20 * RATE) / 9))
    waveform[:RATE] = 0
    odd = Finding("too-loud", "a.wav", {"peak": 2.0})
    sound = timbrel.Decoded(waveform, RATE, 44_100, 2, 20.0, findings=(odd,))
    assert repr(sound) == "Decoded(20 s at 16 kHz; the file: stereo, 44.1 kHz, 1 warning)"
    page = shown(sound)
    assert page.find(".//audio").get("src").startswith("data:audio/")
    assert "the first 10 s can be played" in words(sound)
    assert "loudest sample at 100 % of full scale" in words(sound)
    assert odd.reason in words(sound)
    # 16 of 320 columns are the silence: flat.
    bars = page.find(".//path").get("d").split("M")[1:]
    heights = [
        float(bar.split("V")[1].split("h")[0]) - float(bar.split(" ")[1].split("h")[0])
        for bar in bars
    ]
    assert len(heights) == 320
    assert max(heights[:15]) < 1 < 80 < min(heights[17:])
    assert len(sound._repr_html_()) < 200_000


@pytest.mark.parametrize("samples", [0, 1, 7])
def test_a_waveform_of_hardly_any_samples_is_drawn(samples):
    sound = timbrel.Decoded(np.full(samples, np.nan, np.float32), RATE, RATE, 1, samples / RATE)
    page = shown(sound)
    assert (page.find(".//audio") is None) == (samples == 0)


def evaluation_of(training, **changes):
    return {**training.evaluation, **changes}


def test_a_score_stands_with_its_interval_and_what_flatters_it(tiny_training, prepared):
    evaluation = evaluation_of(
        tiny_training,
        random_split={"window_accuracy": 0.99, "ci95": [0.97, 1.0]},
        confusion=[[1, 1, 0], [0, 2, 0], [0, 0, 2]],
    )
    evaluation["file"] = {"accuracy": 5 / 6, "ci95": {"accuracy": [0.5, 1.0]}}
    result = EvaluateResult(evaluation, prepared, [], (Finding("no-samples", "a.wav"),))
    said = words(result)
    assert said.startswith(
        "83.3 % of 5 recordings right (95 % interval 50–100 %) tutorial-cnn · 5 recordings held "
        "out, whole groups"
    )
    assert "Random split 99.0 % 97–100 % pieces of one recording on both sides" in said
    for statement in ScoreView(evaluation).statements:
        assert str(statement).replace("\xa0", " ") in said
    assert "a.wav: it holds no samples" in said
    assert rows(result)[-3:] == [
        ["hiss", "1", "1", "", "50 %"], ["hum", "", "2", "", "100 %"],
        ["whistle", "", "", "2", "100 %"],
    ]  # fmt: skip
    page = shown(result)
    whiskers = [item.get("style") for item in page.iterfind(".//i")]
    assert whiskers[0] == "left:50.0%;width:50.0%"
    titles = [cell.get("title") for cell in page.iterfind(".//table[@class='matrix']//td")]
    assert "hiss, taken for hum: 1 (50\xa0%)" in titles
    assert repr(result) == (
        "EvaluateResult(tutorial-cnn: 83.3 % of 5 recordings right (95 % interval 50–100 %))"
    )


def test_more_classes_than_a_cell_holds_are_left_to_the_report(tiny_training, prepared):
    labels = [f"class {number}" for number in range(25)]
    evaluation = evaluation_of(
        tiny_training, labels=labels, confusion=np.eye(25, dtype=int).tolist()
    )
    said = words(EvaluateResult(evaluation, prepared, [], ()))
    assert "The confusion matrix of 25 classes is in the report." in said


def test_a_score_of_nothing_is_said_to_be_none(tiny_training, prepared):
    empty = evaluation_of(tiny_training, confusion=[[0] * 3] * 3)
    result = EvaluateResult(empty, prepared, [], ())
    assert words(result).startswith("No score")
    assert repr(result) == "EvaluateResult(tutorial-cnn: no score)"


def test_findings_say_what_to_do():
    findings = tuple(Finding("silent", f"{number}.wav", {"channels": 1}) for number in range(30))
    item = Recording("a.wav", Path("x"), "Bell", "a.wav")
    result = CheckResult("data", "tutorial-cnn", (Checked(item, False, None, None),) * 30, findings)
    assert repr(findings[0]) == f"Finding('0.wav': silent, {findings[0].message})"
    said = words(result)
    assert said.startswith("30 recordings, 0 of them usable; nothing else was found. data")
    assert "Every sample is zero: 30" in said
    assert "… and 10 more" in said
    assert rows(result)[0] == ["0.wav", "silent", findings[0].text]


def test_models_stand_side_by_side(tiny_training):
    other = evaluation_of(tiny_training, against_first={"points": -0.25, "ci95": [-0.5, 0.0]})
    other["file"] = {**other["file"], "accuracy": 0.5}
    note = Finding("lost-class", "", {"label": "gong"})
    both = Comparison(("one", "two"), (tiny_training.evaluation, other), (note,), ())
    assert [row[0] for row in rows(both)] == ["one", "two"]
    assert rows(both)[1][2].startswith("50.0 % ")
    assert "two against one: −25.0 points of files" in words(both)
    assert note.text in words(both)


def test_a_model_says_what_it_is(tiny_training):
    found = timbrel.info(tiny_training.path)
    cells = dict(row for row in rows(found))
    assert cells["classes"].endswith(": hiss (8), hum (8), whistle (8)")
    assert cells["input"].startswith("MFCC picture of 0.10 s at 16 kHz, every 0.10 s; ")
    assert cells["scored on"] == "5 recordings that it was not trained on"
    assert cells["files right"].endswith(" %)")
    assert cells["network"].startswith(f"{tiny_training.metadata['parameters']:,} parameters, ")
    unsaid = replace(found, scores={"file": {"accuracy": "much"}, "held_out_files": 3})
    assert "files right" not in dict(rows(unsaid))
    for odd in (None, {}, {"file": None}, {"file": {"accuracy": 1.0}, "held_out_files": "x"}):
        assert dict(rows(replace(found, scores=odd)))["scored on"] == "nothing"


def test_sorting_says_where_files_went():
    result = TagResult(journal=Path("out/timbrel-tag.jsonl"), failed=[("a.wav", "is broken")])
    result.counts.update({"Bell": 3, "unsure": 1})
    assert repr(result) == "TagResult(4 files placed, 1 unsure, 1 not usable)"
    assert words(result).startswith("4 files placed")
    assert "timbrel.undo_tag('out/timbrel-tag.jsonl')" in words(result)
    assert "a.wav: is broken" in words(result)
    assert rows(result) == [["Bell", "", "3"], ["unsure", "", "1"]]
    assert repr(TagResult()) == "TagResult(0 files would be placed)"
    assert words(TagResult()) == "0 files would be placed"


def test_names_from_outside_are_never_markup(tiny_training, prepared):
    item = Recording(HOSTILE, Path(HOSTILE), HOSTILE, HOSTILE + "group", fold=HOSTILE)
    facts = dict.fromkeys(("label", "other", "other_label"), HOSTILE)
    finding = Finding("label-conflict", HOSTILE, facts)
    broken = Finding("not-sound", HOSTILE, {"cause": HOSTILE})
    note = Finding("lost-class", HOSTILE, {"label": HOSTILE})
    labels = [HOSTILE, "hum", "whistle"]
    evaluation = evaluation_of(tiny_training, labels=labels, recipe=HOSTILE)
    evaluation["protocol"] = {**evaluation["protocol"], "notes": [HOSTILE]}
    sanity = [{"sound": HOSTILE, "label": HOSTILE, "passed": False, "probability": 0.5}]
    metadata = {**tiny_training.metadata, "sanity": sanity}
    found = timbrel.info(tiny_training.path)
    tagged = TagResult(failed=[(HOSTILE, HOSTILE)], notes=[HOSTILE], journal=Path(HOSTILE))
    tagged.counts[HOSTILE] = 1
    for thing in (
        Dataset(HOSTILE, (item,), (broken, note)),
        CheckResult(HOSTILE, HOSTILE, (Checked(item, True, None, None),), (finding,)),
        EvaluateResult(evaluation, prepared, [], (broken,)),
        TrainResult(Path(HOSTILE), evaluation, metadata, ()),
        Comparison((HOSTILE, HOSTILE), (evaluation, evaluation), (note,), ()),
        Comparison((HOSTILE,), (evaluation,), (note,), ()),
        replace(found, model=HOSTILE, labels=tuple(labels), notes=(HOSTILE,)),
        replace(found, recipe={"name": HOSTILE, "description": HOSTILE}),
        tagged,
        timbrel.Decoded(np.zeros(9, np.float32), RATE, RATE, 1, 1.0, findings=(finding,)),
    ):
        assert "<script" not in thing._repr_html_()
        assert "alert('x')" in words(thing)
        assert repr(thing).isprintable()
    assert repr(item).isprintable()
    assert repr(finding).isprintable()
