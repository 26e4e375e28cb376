"""The program as a user meets it: help, streams and exit status; tests/golden has its output."""

import csv
import io
import itertools
import json
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest
import soundfile

import timbrel
from conftest import RATE, write_folder
from timbrel.cli.main import COMMANDS, LazyCommand, version_text
from timbrel.networks.recipes import RECIPES

# Its sample rate is that of the recordings here; for others, `check` warns of a low rate.
TUTORIAL = ("--recipe", "tutorial-cnn")


@pytest.fixture
def few_trees(monkeypatch):
    """These sounds are easy to tell apart; tests/test_labels.py has the model as it is."""
    monkeypatch.setattr("timbrel.evaluation.mislabelled._TREES", 20)
    monkeypatch.setattr("timbrel.evaluation.mislabelled._DEALS", 1)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_is_readable_in_a_pipe_of_80_columns(call, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    status, out, err = call(*filter(None, [name]), "--help")
    assert (status, err) == (0, "")
    assert "\x1b" not in out
    assert all(len(line) <= 80 for line in out.splitlines())
    examples = out.partition("Examples:")[2].split("\n")
    assert 1 <= sum("timbrel " in line for line in examples) <= 3
    if not name:
        assert re.findall(r"^│ (\w+) ", out, flags=re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text_and_a_group(name):
    command = LazyCommand(name, "").read()
    for parameter in command.params:
        assert parameter.help, parameter.name
        assert parameter.param_type_name == "argument" or parameter.rich_help_panel
    panels = [parameter.rich_help_panel for parameter in command.params]
    # Options of one group are together.
    assert [panel for panel, _ in itertools.groupby(panels)] == list(dict.fromkeys(panels))


def examples(name):
    """The arguments of every example of a command."""
    for line in LazyCommand(name, "").read().epilog.splitlines()[1:]:
        program, command, *arguments = shlex.split(line.rpartition("| ")[2])
        assert (program, command) == ("timbrel", name)
        yield arguments


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_of_the_help_are_valid(name):
    for arguments in examples(name):
        context = LazyCommand(name, "").make_context(name, list(arguments))
        assert context.params.get("recipe") in (None, *RECIPES)


@pytest.mark.parametrize("name", ["data", "info", "predict", "tag"])
def test_examples_of_the_help_work(call, tiny_data, tiny_model, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for folder in ("recordings", "library"):
        os.symlink(tiny_data, folder)
    os.symlink(tiny_model, "my-model")
    for file in ("recording.wav", "long.flac"):
        soundfile.write(file, soundfile.read(tiny_data / "hum" / "0.wav")[0], RATE)
    for arguments in examples(name):
        if name != "data" or not arguments:
            status, _, err = call(name, *arguments)
            assert status == 0, (arguments, err)


def test_version(call, monkeypatch):
    status, out, _ = call("--version")
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == f"timbrel {timbrel.__version__}"
    assert lines[1].startswith(f"Python {platform.python_version()} on ")
    assert f"onnxruntime {metadata.version('onnxruntime')}" in lines[2]
    assert {line.partition(":")[0] for line in lines[2:]} >= {"predicting", "train", "live"}
    monkeypatch.setattr("timbrel.cli.main._PACKAGES", {"train": ("no-such-package",)})
    assert version_text().endswith("\ntrain: not installed")


def test_summary_shows_layers_and_parameters(call, tmp_path):
    status, out, _ = call("summary", "tutorial-cnn", "-o", tmp_path / "network.png")
    assert status == 0
    assert "504,170 parameters" in out
    assert re.search(r"dense_1 \(Dense\)\s+\(128\)\s+393,344\s+78\.0 %", out)
    assert (tmp_path / "network.png").read_bytes()[:4] == b"\x89PNG"
    assert re.search(r"conv_4 .* 8,626,176 *\n", out)
    assert "123 million multiply-adds in the network, 19.8 million in the front end." in out
    assert "499,402 parameters" in call("summary", "tutorial-cnn-16")[1]
    assert "(14, 4, 64)" not in call("summary", "tutorial-cnn", "--classes", "3")[1]


@pytest.mark.slow
@pytest.mark.usefixtures("few_trees")
def test_check_of_a_clean_data_set_exits_with_0(call, tiny_data):
    status, out, err = call("check", tiny_data, *TUTORIAL, "--quiet")
    assert (status, err) == (0, "")
    assert out == "24 recordings, all of them usable; nothing odd was found.\n"


@pytest.mark.slow
@pytest.mark.usefixtures("few_trees")
def test_check_shows_few_of_a_kind_unless_verbose(call, tmp_path):
    folder = write_folder(tmp_path / "data", kinds=("hiss", "hum"))
    for file in (folder / "hum").iterdir():
        waveform = soundfile.read(file)[0]
        soundfile.write(file, 0.5 * waveform + 0.05, RATE)
    _, out, _ = call("check", folder, *TUTORIAL)
    assert "dc-offset, 8" in out
    assert len(re.findall(r"hum/\d\.wav: ", out)) == 5
    assert "… and 3 more (--verbose or --json names all)" in out
    assert out.count("→") == 1
    _, out, _ = call("check", folder, *TUTORIAL, "--verbose")
    assert len(re.findall(r"hum/\d\.wav: ", out)) == 8


# The warning of a training on so few recordings.
FEW = "Probabilities and the threshold for unknown are calibrated on 3 recordings only"


def warned(err):
    """The warnings, up to the first colon."""
    return [line.removeprefix("Warning: ").partition(":")[0] for line in err.splitlines()]


@pytest.mark.slow
def test_train_is_short_and_shows_every_step_of_the_tutorial_when_verbose(
    call, tiny_data, tmp_path
):
    arguments = ("train", tiny_data, "-r", "tutorial-cnn", "--epochs", "2")
    status, out, err = call(*arguments, "-o", tmp_path / "model", "--verbose")
    assert status == 0, err
    always = (
        r"hum\s+8\s+4\.0\s+0\.50",
        r"240 windows of 0\.1 s.*X \(240, 13, 9, 1\), y \(240, 3\)",
        r"learns from 16 recordings; 3 are for calibration, and 5 are held out",
        r"\d+\.\d % of 5 recordings right \(95 % interval",
        r"model\.onnx agrees with the Keras model to \d\.\de-\d\d",
    )
    verbose = (
        r"Class weights",
        r"tutorial-cnn: input \(13, 9, 1\), 503,715 parameters",
        r"Epoch  2/2  loss \d\.\d+  acc \d\.\d+  val_loss \d\.\d+  val_acc \d\.\d+",
    )
    for expected in (*always, *verbose):
        assert re.search(expected, out), expected
    assert warned(err) == [FEW]
    _, short, _ = call(*arguments, "-o", tmp_path / "again")
    for expected in always:
        assert re.search(expected, short), expected
    assert not any(re.search(left_out, short) for left_out in verbose)
    assert short.count("\n") < 40


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_quiet_leaves_the_result(call, tiny_data, tmp_path):
    status, out, err = call(
        *("train", tiny_data, "-r", "tutorial-cnn"),
        *("-o", tmp_path / "m", "--epochs", "1", "--quiet"),
    )
    assert status == 0
    assert "Epoch" not in out
    assert "of 5 recordings right" in out
    assert warned(err) == [FEW]


def test_recordings_that_cannot_be_used_are_named_twice_and_the_status_is_1(
    call, tiny_model, tiny_data, tmp_path
):
    (tmp_path / "words.wav").write_text("words")
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    status, out, err = call("predict", tmp_path, tiny_data / "hum" / "0.wav", "-m", tiny_model)
    assert status == 1
    silence, words, hum = csv.DictReader(io.StringIO(out))
    assert (silence["label"], silence["predicted"], silence["accepted"]) == ("unknown", "", "false")
    assert words["label"] == ""
    assert "cannot be read as a sound file" in words["error"]
    assert hum["predicted"] == "hum"
    assert "words.wav" in err
    assert "silence" not in err


def _csv(folder, text, name="list.csv"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def wrong_uses(tmp_path, tiny_model):
    """Arguments, and a part of the one sentence."""
    empty = tmp_path / "empty"
    empty.mkdir()
    taken = tmp_path / "taken"
    _csv(taken, "x", "thesis.txt")
    no_label = _csv(tmp_path / "a", "path,colour\n1.wav,red\n")
    header_only = _csv(tmp_path / "b", "path,label\n")
    missing = _csv(tmp_path / "c", "path,label\nno.wav,a\nnone.wav,b\n")
    one = write_folder(tmp_path / "one", kinds=("hum",), recordings=2)
    good = write_folder(tmp_path / "good", recordings=2, seconds=0.2)
    return [
        (["train", tmp_path / "nowhere"], "There is no file or folder '"),
        (["train", empty], "There are no labelled recordings in"),
        (["train", no_label], "has no column for the label. Expected one of label, category"),
        (["train", header_only], "There are no labelled recordings in"),
        (["train", missing, "-o", tmp_path / "m"], "no.wav: there is no such file"),
        (["train", one, "-o", tmp_path / "m"], "one class only, 'hum'"),
        (["train", good, "-o", taken], "exists and is not a Timbrel model"),
        (["train", good, "-o", taken / "thesis.txt"], "exists and is a file"),
        (["train", good, "-o", "/proc/timbrel"], "Cannot write /proc/timbrel"),
        (["train", good, "-r", "cnn"], "`--recipe` must be one of 'tutorial-cnn'"),
        (["train", good, "--epochs", "0"], "`--epochs` must be at least 1. Got 0."),
        (["train", good, "--audio", empty], "--audio goes with a CSV"),
        (["train", no_label, "--audio", tmp_path / "no"], "--audio: there is no folder"),
        (["train", good, "--colour", "red"], "No such option"),
        (["summary", "cnn"], "`recipe` must be one of"),
        (["summary", "tutorial-cnn", "--classes", "1"], "`--classes` must be at least 2. Got 1."),
        (["summary", "tutorial-cnn", "-o", tmp_path / "x.doc"], ".png"),
        (["explore", tmp_path / "nowhere"], "There is no file or folder"),
        (["check", good, "--json", tmp_path], "is a folder"),
        (["predict", "x.wav", "-m", tmp_path / "no"], "There is no model"),
        (["predict", "x.wav", "-m", empty], "is not a Timbrel model"),
        (["predict", "x.wav", "-m", tiny_model, "--threshold", "2"], "between 0 and 1. Got 2.0"),
        (["predict", "x.wav", "-m", tiny_model, "--top", "0"], "`--top` must be at least 1"),
        (["predict", "x.wav", "-m", tiny_model, "-f", "xml"], "'xml' is not one of"),
        (["predict", one, "-m", tiny_model, "-f", "audacity"], "name a folder for them, as in -o"),
        (["predict", one, "-m", tiny_model, "-f", "parquet"], "name a file or a folder with -o"),
        (["demo", "-o", taken], "was not made by timbrel demo"),
    ]


def test_wrong_use_is_one_sentence_and_status_2(call, tmp_path, tiny_model):
    for arguments, sentence in wrong_uses(tmp_path, tiny_model):
        status, out, err = call(*arguments)
        text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", err).split())
        assert status == 2, (arguments, err)
        assert sentence in text, (arguments, text)
        assert out == "", arguments
    assert not (tmp_path / "m").exists()


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_an_output_that_is_full_is_one_sentence():
    command = [sys.executable, "-m", "timbrel", "summary", "tutorial-cnn"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "the disk is full" in done.stderr


@pytest.mark.slow
def test_a_reader_that_has_enough_is_no_error(tiny_model, tiny_data):
    command = [sys.executable, "-m", "timbrel", "predict", tiny_data, "-m", tiny_model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_recordings_left_out_of_training_are_named_and_the_status_is_1(call, tmp_path):
    data = write_folder(tmp_path / "data", recordings=6)
    soundfile.write(data / "hum" / "silent.wav", np.zeros(RATE), RATE)
    (data / "hum" / "empty.wav").touch()
    status, _, err = call("train", data, "-o", tmp_path / "model", "--epochs", "1")
    assert status == 1
    assert "hum/silent.wav: every sample is zero" in err
    assert "hum/empty.wav: the file is empty (0 bytes)" in err
    assert "2 recordings could not be used." in err
    assert (tmp_path / "model" / "model.onnx").is_file()


def test_an_interruption_says_how_to_go_on(call, tiny_data, tmp_path, monkeypatch):
    def interrupted(*args, **kwargs):
        state = tmp_path / "model" / "checkpoint" / "scored" / "state.npz"
        state.parent.mkdir(parents=True)
        state.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("timbrel.workflows.train.train", interrupted)
    status, _, err = call("train", tiny_data, "-o", tmp_path / "model")
    assert status == 130
    assert "--resume" in err


def test_interrupting_the_import_of_keras_ends_the_program():
    """Imports that swallow every exception must not swallow Ctrl-C."""
    program = (
        "import os, signal\n"
        "from timbrel.cli.console import interrupted_at_once\n"
        # Who starts the tests in the background may have it ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with interrupted_at_once():\n"
        "    pass\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "except KeyboardInterrupt:\n"
        "    print('as ever outside', flush=True)\n"
        "with interrupted_at_once():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    except BaseException:\n"
        "        pass\n"
        "print('survived')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGINT
    assert ended.stdout == "as ever outside\n"


@pytest.mark.slow
@pytest.mark.usefixtures("untrained")
def test_evaluate_prints_claim_and_truth_and_writes_json_and_report(call, tiny_data, tmp_path):
    figures, page = tmp_path / "evaluation.json", tmp_path / "report.html"
    status, out, err = call(
        *("evaluate", tiny_data, "-r", "tutorial-cnn", "--folds", "2", "--epochs", "1"),
        *("--json", figures, "--report", page),
    )
    assert status == 0, err
    evaluation = json.loads(figures.read_text())
    assert re.search(r"fold 2 of 2: \d+ of 12 recordings right", out)
    assert "Random split" in out
    assert f"{100 * evaluation['file']['accuracy']:.1f} %" in out
    assert "Confidence is off by" in out
    assert (
        "Each recording was predicted by a network that was trained without it" in page.read_text()
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evaluation.json", "report.html"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--resume", "--no-cache"], "`--resume` needs the cache"),
        (["--folds", "1"], "`--folds` must be 2 or more, or 'group'. Got 1."),
        (["--folds", "many"], "Got many."),
        (["--folds", "9"], "`--folds` must be between 2 and"),
        (["-m", "nothing", "--epochs", "3"], "`--epochs` is for training"),
        (["-m", "nothing"], "There is no model 'nothing'; name a model"),
        (["-r", "nothing"], "`--recipe` must be one of"),
        (["--json", "."], "it is a folder"),
    ],
)
def test_evaluate_refuses_in_a_sentence(call, tiny_data, options, sentence):
    status, _, err = call("evaluate", tiny_data, *options)
    assert status == 2
    assert sentence in " ".join(err.split())


def test_an_unreadable_input_is_not_called_output(call, monkeypatch, tmp_path):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied", str(tmp_path / "closed"))

    monkeypatch.setattr("timbrel.workflows.info.info", refused)
    status, out, err = call("info")
    assert (status, out) == (2, "")
    assert "closed: Permission denied; check that it exists and may be used." in err
    assert "output" not in err
