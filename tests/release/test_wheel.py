"""What is handed out, installed into fresh environments, does what it says."""

import re
import shlex

import numpy as np
import pytest
from release_tools import Environment, run

from timbrel import __version__
from timbrel.cli.main import COMMANDS


@pytest.fixture(scope="module")
def core(wheel, tmp_path_factory):
    """The wheel alone, without extras: fetched first, then installed without a network."""
    folder = tmp_path_factory.mktemp("core")
    environment = Environment(folder / "venv")
    environment.pip("download", "--dest", folder / "wheels", wheel)
    environment.pip("install", "--no-index", "--find-links", folder / "wheels", "timbrel")
    return environment


def test_the_core_is_small_and_whole(core):
    installed = core.packages()
    assert "onnxruntime" in installed
    assert not {"keras", "tensorflow-cpu", "tensorflow", "scipy", "matplotlib"} & installed
    run(core.bin / "python", "-m", "pip", "check")


def test_it_predicts(core, tiny_model, tiny_data):
    out = core.timbrel("predict", tiny_data / "hum", "-m", tiny_model).stdout
    assert len(out.splitlines()) == 9
    assert ",hum," in out


def test_it_brings_a_model(core, tiny_data):
    out = core.timbrel("predict", tiny_data / "hum").stdout
    assert len(out.splitlines()) == 9
    assert "instrument" in core.timbrel("info").stdout.lower()


def test_it_listens(core, tiny_model):
    sound = np.zeros(16_000, dtype="<i2").tobytes().decode()
    pcm = ("--pcm-rate", "16000", "-f", "jsonl")
    out = core.timbrel("listen", "-", "-m", tiny_model, *pcm, input=sound).stdout
    assert '"seconds"' in out


def test_it_sorts_and_takes_back(core, tiny_model, tiny_data, tmp_path):
    to = tmp_path / "sorted"
    core.timbrel("tag", tiny_data, "--to", to, "-m", tiny_model)
    assert len(list(to.rglob("*.wav"))) == 24
    core.timbrel("tag", "--undo", next(to.glob("*.jsonl")))
    assert not list(to.rglob("*.wav"))


def test_it_tells_of_models_and_of_data(core, tiny_model, tiny_data):
    assert "tutorial-cnn" in core.timbrel("info", tiny_model).stdout
    assert "24 recordings" in core.timbrel("check", tiny_data, "--no-cache").stdout
    assert "100.0 %" in core.timbrel("evaluate", tiny_data, "-m", tiny_model).stdout


def test_the_program_and_the_module_are_one(core):
    python = core.bin / "python"
    for arguments in (["--help"], ["--version"], ["predict", "--help"], ["predict"], ["sing"]):
        status = 0 if arguments[-1].startswith("--") else 2
        one = core.timbrel(*arguments, status=status)
        two = run(python, "-m", "timbrel", *arguments, cwd=core.folder, status=status)
        assert (one.stdout, one.stderr) == (two.stdout, two.stderr)
        assert "python -m" not in one.stdout + one.stderr
    assert "Usage: timbrel [OPTIONS] COMMAND" in core.timbrel("--help").stdout
    said = core.timbrel("--version").stdout.splitlines()
    assert said[0] == f"timbrel {__version__}"
    assert "train: not installed" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_help(core, command):
    said = core.timbrel(command, "--help")
    assert f"Usage: timbrel {command} " in said.stdout
    assert said.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["demo"], "train"),
        (["train", "DATA"], "train"),
        (["evaluate", "DATA"], "train"),
        (["explore", "DATA"], "train"),
        (["summary", "strong"], "train"),
        (["check", "DATA", "--deep"], "train"),
        (["predict", "DATA", "-m", "MODEL", "-f", "parquet", "-o", "out.parquet"], "parquet"),
        (["tag", "DATA", "--to", "OUT", "-m", "MODEL", "--copy", "--write-tags"], "tags"),
        (["listen", "-m", "MODEL"], "live"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_what_needs_more_says_what_to_install(
    core, arguments, extra, tiny_data, tiny_model, tmp_path
):
    names = {"DATA": tiny_data, "MODEL": tiny_model, "OUT": tmp_path / "out"}
    said = core.timbrel(*(names.get(word, word) for word in arguments), status=2)
    assert said.stdout == ""
    assert said.stderr.count("\n") == 1
    assert said.stderr.startswith("Error: ")
    assert said.stderr.endswith(f'needs more packages: pip install "timbrel[{extra}]"\n')
    assert not (tmp_path / "out").exists()


def test_what_it_says_to_install_is_all_that_training_needs(sdist, tiny_data, tmp_path):
    """From the sdist to the first sentence, by its advice, and on to a model of one's own."""
    whole = Environment(tmp_path / "venv")
    whole.pip("install", sdist)
    training = ("train", tiny_data, "-o", tmp_path / "model", "--epochs", "2")
    error = whole.timbrel(*training, status=2).stderr
    program, *arguments = shlex.split(re.search(r"pip install .*", error)[0])
    assert program == "pip"
    whole.pip(*arguments)
    run(whole.bin / "python", "-m", "pip", "check")
    whole.timbrel(*training)
    assert "hum" in (tmp_path / "model" / "report.html").read_text(encoding="utf-8")
    out = whole.timbrel("predict", tiny_data / "hum", "-m", tmp_path / "model").stdout
    assert len(out.splitlines()) == 9
    assert "504,170" in whole.timbrel("summary", "tutorial-cnn").stdout
    page = tmp_path / "explore.html"
    whole.timbrel("explore", tiny_data, "-o", page)
    assert "whistle" in page.read_text(encoding="utf-8")
