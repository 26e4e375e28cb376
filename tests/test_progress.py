"""`progress=True`: bars in a notebook's cell or on a terminal, nowhere else."""

import inspect
import sys
import types

import pytest

import timbrel
from timbrel import InvalidArgument
from timbrel.display import cell as cells
from timbrel.display.bars import NoBars, progress_bars
from timbrel.display.cell import NotebookBars
from timbrel.workflows.observer import TrainObserver
from timbrel.workflows.watched import BarsObserver


class Clock:
    """Time that passes by half a second each time it is asked for."""

    now = 0.0

    def monotonic(self):
        self.now += 0.5
        return self.now


@pytest.fixture
def cell(monkeypatch):
    """What a notebook's cell shows, one page after the other."""
    pages = []

    def display(page, *, display_id):
        assert display_id is True
        pages.append(page)
        return types.SimpleNamespace(update=pages.append)

    module = types.SimpleNamespace(HTML=lambda page: page, display=display)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(cells, "time", Clock())
    monkeypatch.setattr("rich.console.Console.is_jupyter", True, raising=False)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    return pages


def words(page):
    import xml.etree.ElementTree as ElementTree

    tree = ElementTree.fromstring(page)
    tree.remove(tree.find("style"))
    return "".join(tree.itertext()).replace("\xa0", " ")


def test_bars_are_where_they_can_be_seen(monkeypatch):
    from rich.progress import Progress

    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    assert type(progress_bars()) is NoBars
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert type(progress_bars()) is Progress
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert type(progress_bars()) is NotebookBars


def test_a_cell_shows_bars_and_at_last_how_long_it_took(cell):
    with progress_bars() as shown:
        first = shown.add_task("reading", total=4)
        shown.advance(first)
        shown.update(first, completed=2, note="<b>&")
        second = shown.add_task("training", total=None)
        shown.update(second, visible=False)
        shown.remove_task(second)
    assert [words(page) for page in cell] == [
        " reading 0 of 4",
        " reading 1 of 4",
        " reading 2 of 4 · <b>&",
        " reading 2 of 4 · <b>& training ",
        " reading 2 of 4 · <b>&",
        " reading 2 of 4 · <b>&",
        "Done in 3.5 s",
    ]
    assert 'style="width:50.0%"' in cell[2]


def test_a_cell_says_that_work_was_stopped(cell):
    def interrupted():
        with progress_bars() as shown:
            shown.add_task("reading", total=4)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert words(cell[-1]) == "Stopped after 1.0 s"


def test_what_is_done_at_once_shows_nothing(cell, monkeypatch):
    monkeypatch.setattr(cells, "time", types.SimpleNamespace(monotonic=lambda: 1.0))
    with progress_bars() as shown:
        shown.update(shown.add_task("reading", total=4), completed=4)
    assert cell == []


@pytest.mark.parametrize(
    "call",
    [
        lambda data, model, folder: timbrel.check(data, progress=True),
        lambda data, model, folder: timbrel.predict([data / "hum"], model, progress=True),
        lambda data, model, folder: timbrel.evaluate_models(data, [model], progress=True),
        lambda data, model, folder: timbrel.explore(data, folder / "x.html", progress=True),
        lambda data, model, folder: timbrel.make_synthetic(folder, recordings=1, progress=True),
        lambda data, model, folder: timbrel.prepare(
            timbrel.read_dataset(data), cache=timbrel.FeatureCache(None), progress=True
        ),
        lambda data, model, folder: timbrel.tag(data, folder / "sorted", model, progress=True),
    ],
    ids=["check", "predict", "evaluate_models", "explore", "make_synthetic", "prepare", "tag"],
)
def test_each_verb_shows_how_far_it_is(call, cell, tiny_data, tiny_model, tmp_path, monkeypatch):
    if "evaluate_models" in call.__code__.co_names:  # Not on what it was trained on.
        from conftest import write_folder

        tiny_data = write_folder(tmp_path / "new", recordings=2, seconds=0.7)
    call(tiny_data, tiny_model, tmp_path / "out")
    assert " of " in words(cell[0])
    assert words(cell[-1]).startswith("Done in ")


@pytest.mark.slow
def test_training_and_evaluation_show_how_far_they_are(cell, untrained, tiny_data, tmp_path):
    timbrel.train(tiny_data, tmp_path / "m", recipe="tutorial-cnn", epochs=1, progress=True)
    assert any("exporting" in words(page) for page in cell)
    assert words(cell[-1]).startswith("Done in ")
    cell.clear()
    timbrel.evaluate(tiny_data, recipe="tutorial-cnn", epochs=1, folds=2, progress=True)
    said = [words(page) for page in cell]
    assert any("networks 1 of 3 · fold 2 of 2" in text for text in said), said
    assert any("random windows" in text for text in said)
    assert said[-1].startswith("Done in ")


def test_a_training_shows_its_epochs_and_figures(cell):
    with progress_bars() as shown:
        observer = BarsObserver(shown)
        observer.steps(1, 10, 40)
        observer.epoch({"loss": 1.25, "val_acc": 0.5})
        observer.steps(2, 20, 40)
        observer.progress("exporting", 0, 1)
        observer.progress("exporting", 1, 1)
    said = [words(page) for page in cell]
    assert " training 10 of 40 · epoch 1" in said
    assert " training 20 of 40 · epoch 2 (before: loss 1.250, val_acc 0.500)" in said
    assert " exporting 0 of 1" in said


def test_nothing_is_shown_unless_asked(cell, tiny_data, tiny_model):
    timbrel.predict([tiny_data / "hum"], tiny_model)
    assert cell == []


def test_a_script_prints_nothing(tiny_data, tiny_model, capfd):
    timbrel.predict([tiny_data / "hum"], tiny_model, progress=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("verb", [timbrel.train, timbrel.evaluate, timbrel.check])
def test_bars_do_not_go_with_an_observer(verb, tiny_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgument, match="pass one of them. Got both"):
        verb(tiny_data, progress=True, observer=TrainObserver())


def test_every_verb_that_takes_long_offers_it():
    verbs = {
        name
        for name in timbrel.__all__
        if inspect.isfunction(getattr(timbrel, name))
        and "progress" in inspect.signature(getattr(timbrel, name)).parameters
    }
    assert verbs == {
        *("check", "demo", "evaluate", "evaluate_models", "explore", "make_synthetic", "predict"),
        *("prepare", "tag", "train", "undo_tag"),
    }
