"""One protocol of progress: bars in a notebook or on a terminal, or an object of the caller."""

import inspect
import io
import sys
import types
import xml.etree.ElementTree as ElementTree

import pytest
from rich.console import Console

import timbrel
from timbrel import InvalidArgument, Progress, progress as module
from timbrel.cli.console import CommandProgress, Terminal
from timbrel.findings import Finding
from timbrel.progress import NotebookProgress, TerminalProgress, watching


class Clock:
    """A clock that is half a second later at each reading."""

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

    ipython = types.SimpleNamespace(HTML=lambda page: page, display=display)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython)
    monkeypatch.setattr(module, "time", Clock())
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    return pages


def words(page):
    tree = ElementTree.fromstring(page)
    tree.remove(tree.find("style"))
    return "".join(tree.itertext()).replace("\xa0", " ")


def test_bars_are_where_they_can_be_seen(monkeypatch):
    with watching(False) as drawn:
        assert type(drawn) is Progress
    with watching(True) as drawn:
        assert type(drawn) is TerminalProgress
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    with watching(True) as drawn:
        assert type(drawn) is NotebookProgress


def test_a_progress_object_is_used_as_it_is(recorder):
    with watching(recorder) as drawn:
        assert drawn is recorder


def test_what_is_no_progress_is_refused():
    with pytest.raises(InvalidArgument, match="`progress` must be True, False or a timbrel"):
        watching(print).__enter__()


def test_a_cell_shows_bars_and_at_last_how_long_it_took(cell):
    with watching(True) as drawn:
        drawn.stage("reading", 0, 4)
        drawn.stage("reading", 2, 4, "<b>&")
        drawn.stage("training", 0, None)
        drawn.stage("training", 1, 1)
        drawn.stage("reading", 4, 4)
    assert [words(page).strip() for page in cell] == [
        "reading 0 of 4",
        "reading 2 of 4 · <b>&",
        "reading 2 of 4 · <b>& training",
        "reading 2 of 4 · <b>&",
        "",
        "Done in 3.0 s",
    ]
    assert 'style="width:50.0%"' in cell[1]


def test_a_cell_says_that_work_was_stopped(cell):
    def interrupted():
        with watching(True) as drawn:
            drawn.stage("reading", 0, 4)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert words(cell[-1]).startswith("Stopped after ")


def test_what_is_done_at_once_shows_nothing(cell, monkeypatch):
    monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: 1.0))
    with watching(True) as drawn:
        drawn.stage("reading", 4, 4)
    assert cell == []


def test_a_terminal_has_a_bar_for_each_stage_until_it_is_done():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with TerminalProgress(console) as drawn:
        drawn.stage("reading", 1, 3)
        drawn.stage("training", 2, 8, "epoch 1\nof [3]")
        tasks = {task.description: task for task in drawn._bars.tasks}
        assert (tasks["reading"].completed, tasks["reading"].total) == (1, 3)
        assert tasks["training"].fields["note"] == "epoch 1\\nof [3]"
        drawn.stage("reading", 3, 3)
        drawn.stage("training", 3, 8)
        assert [task.description for task in drawn._bars.tasks] == ["training"]


@pytest.mark.parametrize(
    ("quiet", "terminal", "shown"),
    [(False, True, True), (True, True, False), (False, False, False)],
)
def test_bars_are_shown_on_a_terminal_only(quiet, terminal, shown):
    console = Console(file=io.StringIO(), force_terminal=terminal)
    with TerminalProgress(console, disable=quiet) as bars:
        bars.stage("reading", 1, 3, "a [file]")
    assert ("reading" in console.file.getvalue()) == shown


FEW = [Finding("silent-background", f"noise/{number}.wav") for number in range(9)]


@pytest.mark.parametrize(("verbose", "shown"), [(False, 5), (True, 9)])
def test_a_command_names_the_first_findings_of_a_code(capsys, verbose, shown):
    with CommandProgress(Terminal(verbose=verbose)) as drawn:
        for finding in FEW:
            drawn.finding(finding)
        drawn.finding(Finding("no-bytes", "broken.wav"))
    err = capsys.readouterr().err
    assert err.count("Warning: noise/") == shown
    assert ("and 4 more warnings" in err) != verbose
    # What makes a recording unusable is named when the command ends.
    assert "broken.wav" not in err


@pytest.mark.parametrize(("verbose", "lines"), [(False, 0), (True, 2)])
def test_epochs_are_for_the_verbose(capsys, verbose, lines):
    row = {"loss": 1.25, "acc": 0.5, "val_loss": None, "val_acc": None, "seconds": 2.0}
    with CommandProgress(Terminal(verbose=verbose)) as drawn:
        for epoch in (1, 2):
            drawn.row("epochs", {"epoch": epoch, **row})
    assert capsys.readouterr().out.count("Epoch  ") == lines


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
def test_each_verb_shows_its_progress(call, cell, tiny_data, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr("timbrel.evaluation.mislabelled._TREES", 5)
    monkeypatch.setattr("timbrel.evaluation.mislabelled._DEALS", 1)
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
    shown = [words(page) for page in cell]
    assert any("networks 1 of 3 · fold 2 of 2" in text for text in shown), shown
    assert any("random windows" in text for text in shown)
    assert shown[-1].startswith("Done in ")


def test_by_default_nothing_is_shown(cell, tiny_data, tiny_model):
    timbrel.predict([tiny_data / "hum"], tiny_model)
    assert cell == []


def test_a_script_prints_nothing(tiny_data, tiny_model, capfd):
    timbrel.predict([tiny_data / "hum"], tiny_model, progress=True)
    assert capfd.readouterr() == ("", "")


def test_every_verb_that_takes_long_offers_it():
    verbs = {
        name
        for name in timbrel.__all__
        if inspect.isfunction(getattr(timbrel, name))
        and "progress" in inspect.signature(getattr(timbrel, name)).parameters
    }
    assert verbs == {
        *("check", "demo", "evaluate", "evaluate_models", "explore", "fetch_data", "fit"),
        *("make_synthetic", "predict", "prepare", "tag", "train", "undo_tag"),
    }
