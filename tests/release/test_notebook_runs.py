"""The notebooks in docs run, and what they show is drawn."""

import importlib.util
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def maker():
    """docs/notebook.py, which makes them."""
    spec = importlib.util.spec_from_file_location("notebook_maker", DOCS / "notebook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def executed(maker, tmp_path_factory):
    """The first notebook, run in a folder of its own."""
    folder = tmp_path_factory.mktemp("notebook")
    return maker.execute(maker.read(DOCS / "notebooks" / "first-model.py"), folder), folder


def outputs_of(notebook):
    return [
        output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    ]


def drawn(notebook, name):
    """The page of the object whose repr begins with a name."""
    for output in outputs_of(notebook):
        data = output.get("data", {})
        if data.get("text/plain", "").startswith(name):
            return ElementTree.fromstring(data["text/html"])
    raise AssertionError(f"no output is a {name}")


def test_no_cell_fails_or_complains(executed):
    notebook, _ = executed
    for output in outputs_of(notebook):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text


def test_what_it_shows_is_drawn(executed):
    notebook, _ = executed
    assert drawn(notebook, "Dataset(").find(".//b") is not None
    assert drawn(notebook, "Decoded(").find(".//audio") is not None
    assert drawn(notebook, "CheckResult(").find(".//table") is not None
    score = drawn(notebook, "EvaluateResult(tutorial-cnn")
    assert "Random split" in "".join(score.itertext())
    assert score.find(".//table[@class='matrix']") is not None
    assert drawn(notebook, "TrainResult('my-model'").find(".//table[@class='matrix']") is not None
    assert drawn(notebook, "Prediction('new-sounds/").find(".//table") is not None
    assert "unknown" in "".join(drawn(notebook, "Prediction(waveform").itertext())
    assert len(drawn(notebook, "<10 predictions").findall(".//tbody/tr")) == 10
    assert drawn(notebook, "ModelInfo('my-model'").find(".//table") is not None
    # Events on a timeline, each in its row.
    events = [
        output["data"]
        for output in outputs_of(notebook)
        if 'role="img" aria-label="Answers for evening.wav' in str(output.get("data"))
    ]
    (found,) = events
    line = ElementTree.fromstring(found["text/html"]).find(".//*[@role='img']")
    assert len(line.findall(".//i")) >= 4


def test_the_story_is_true(executed):
    """A random split flatters, whole recordings tell, and what was trained is there."""
    notebook, folder = executed
    (points,) = [output.text for output in outputs_of(notebook) if output.get("name") == "stdout"]
    assert int(points.split()[0]) > 5
    assert (folder / "my-model" / "model.onnx").is_file()


def test_progress_was_shown_and_is_not_kept(maker, executed):
    notebook, _ = executed
    assert "Done in" in str(outputs_of(notebook))
    kept = nbformat.from_dict(notebook)
    maker.tidy(kept)
    assert "Done in" not in str(outputs_of(kept))
    assert len(outputs_of(kept)) == len(outputs_of(notebook)) - 3
