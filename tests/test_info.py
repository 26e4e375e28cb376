"""What a model says of itself, however much or little that is."""

import json
import shutil

import pytest

import timbrel
from timbrel.cli.main import main
from timbrel.errors import ModelError
from timbrel.model.directory import load_model
from timbrel.model.export import with_metadata
from timbrel.model.metadata import _REQUIRED


@pytest.fixture
def show(capfd):
    """What `timbrel info` prints."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main(["info", *map(str, arguments)])
        out, err = capfd.readouterr()
        assert (stopped.value.code or 0, err) == (0, "")
        return out

    return run


@pytest.fixture
def saying(tiny_model, tmp_path):
    """The tiny model with another description, as a `model.onnx` alone."""
    graph = (tiny_model / "model.onnx").read_bytes()
    original = load_model(tiny_model / "model.onnx").metadata

    def write(metadata=original, **changes):
        path = tmp_path / "other.onnx"
        path.write_bytes(with_metadata(graph, {**metadata, **changes}))
        return path

    write.original = original
    return write


def test_it_says_what_training_found(tiny_training):
    found = timbrel.info(tiny_training.path)
    evaluation, metadata = tiny_training.evaluation, tiny_training.metadata
    assert found.labels == ("hiss", "hum", "whistle")
    assert found.class_counts == {"hiss": 8, "hum": 8, "whistle": 8}
    assert found.recipe["name"] == "tutorial-cnn"
    assert found.front_end["picture"] == "MFCC"
    assert (found.front_end["rate"], found.front_end["window"]) == (16_000, 0.1)
    assert found.network == {"kind": "cnn", "parameters": 503_715, "embedding": 64}
    assert found.scores["file"] == evaluation["file"]
    assert found.scores["held_out_files"] == len(evaluation["predictions"]) == 5
    assert found.provenance["trained_on"] == 24 - 5
    assert found.temperature == metadata["temperature"]
    assert found.threshold == metadata["thresholds"]["unknown"]
    assert found.evaluation["per_class"] == evaluation["per_class"]
    assert found.bytes == (tiny_training.path / "model.onnx").stat().st_size
    assert found.notes == tuple(evaluation["protocol"]["notes"])


def test_the_graph_alone_says_the_same_but_for_the_evaluation(show, tiny_model):
    whole, alone = (
        timbrel.info(path).to_dict() for path in (tiny_model, tiny_model / "model.onnx")
    )
    assert json.loads(show(tiny_model, "--json")) == json.loads(json.dumps(whole))
    assert alone.pop("evaluation") is None
    del whole["evaluation"], whole["model"], alone["model"]
    assert alone == whole


def test_everything_that_matters_is_shown(show, tiny_training):
    out = " ".join(show(tiny_training.path).split())
    file = tiny_training.evaluation["file"]
    low, high = file["ci95"]["accuracy"]
    for expected in (
        "hiss (8), hum (8), whistle (8)",
        "MFCC picture of 0.10 s at 16 kHz, every 0.10 s",
        "where the envelope exceeds 0.005 of full scale",
        "503,715 parameters",
        "5 recordings that it was not trained on",
        f"{100 * file['accuracy']:.1f} % (95 % interval {100 * low:.0f}–{100 * high:.0f} %)",
        f"temperature {tiny_training.metadata['temperature']:.2f}",
        f"below a probability of {tiny_training.metadata['thresholds']['unknown']:.3f}",
        "24 recordings, 12 s",
        "19 different files",
        tiny_training.evaluation["data"]["sha256"],
        f"timbrel {timbrel.__version__}",
        "Class by class",
    ):
        assert expected in out, expected


def test_labels_are_shown_as_they_are(show, saying):
    labels = ["[bold]hiss[/bold]", "hum", "ŵhistle"]
    counts = dict.fromkeys(labels, 3)
    assert "[bold]hiss[/bold] (3), hum (3), ŵhistle (3)" in show(
        saying(labels=labels, class_counts=counts)
    )


def test_a_model_that_says_no_more_than_it_must(show, saying):
    least = {key: saying.original[key] for key in _REQUIRED}
    path = saying(least | {"recipe": {}})
    found = timbrel.info(path).to_dict()
    assert found.keys() == timbrel.info(saying()).to_dict().keys()
    for key in ("class_counts", "scores", "refit", "temperature", "sanity", "evaluation"):
        assert found[key] is None
    assert "no score" in found["notes"][0]
    path = saying(least | {"recipe": {}})
    out = show(path)
    assert "recipe           not known" in out
    assert "scored on        nothing" in out


ODD = (None, "x", 3, [1], {"file": 3, "data": 3})


@pytest.mark.parametrize(
    "key",
    ["scores", "refit", "class_counts", "temperature", "sanity", "data", "recordings", "versions",
     "parity", "seed", "trained_in", "parameters", "depth"],
)  # fmt: skip
def test_what_is_not_as_expected_is_left_out(show, saying, key):
    for odd in ODD:
        if key == "depth" and odd not in (None, 3):
            continue
        path = saying(**{key: odd})
        assert "hiss" in show(path)
        json.loads(show(path, "--json"))


@pytest.mark.parametrize("part", ["file", "window", "calibration", "unknown", "held_out_files"])
def test_scores_that_are_not_as_expected_are_left_out(show, saying, part):
    for odd in (*ODD, {"accuracy": "x"}, {"accuracy": 0.5, "ci95": None}, {"ci95": {}}):
        scores = {**saying.original["scores"], part: odd}
        out = show(saying(scores=scores))
        assert "hiss" in out
        assert "{" not in out


def test_what_a_user_should_know_is_said(show, saying):
    scores = saying.original["scores"]
    protocol = scores["protocol"]
    assert "trained once more, on everything" in show(saying(refit=True))
    split = {**scores, "protocol": {**protocol, "grouped": False, "notes": ["Mind the gap."]}}
    notes = timbrel.info(saying(scores=split)).notes
    assert "groups that it also learned from" in notes[0]
    assert notes[1:] == ("Mind the gap.",)
    assert "trained once more" not in show(saying(refit=False))
    unknown = {
        "auroc": 0.8125, "accept_rate": 0.25, "threshold": 0.5,
        "ci95": {"auroc": [0.7, 0.9], "accept_rate": [0.1, 0.4]},
    }  # fmt: skip
    assert "AUROC of 0.81" in show(saying(scores={**scores, "unknown": unknown}))
    assert "every answer is accepted" in show(saying(thresholds={"unknown": 0}))


def test_an_evaluation_of_something_else_is_left_out(show, tiny_model, tmp_path):
    copy = shutil.copytree(tiny_model, tmp_path / "copy")
    evaluation = json.loads((copy / "evaluation.json").read_text())
    (copy / "evaluation.json").write_text(json.dumps({**evaluation, "labels": ["a"]}))
    assert timbrel.info(copy).evaluation is None
    out = show(copy)
    assert "not the file that the model was written with" in " ".join(out.split())
    assert "Class by class" not in out
    (copy / "evaluation.json").unlink()
    assert timbrel.info(copy).notes == timbrel.info(tiny_model).notes


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="There is no model"):
        timbrel.info(tmp_path / "none")
