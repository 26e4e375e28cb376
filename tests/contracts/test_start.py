"""The program starts at once: what is imported when, and that nothing is lost by it."""

import inspect
import os
import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest

import timbrel.cli
from timbrel.cli.main import COMMANDS, LazyCommand

START = "import sys\nfrom timbrel.cli.main import main\ntry:\n    main({arguments!r})\nfinally:\n"
LOADED = "    print(*(name for name in {names!r} if name in sys.modules), file=sys.stderr)"


def run(*command, **environment):
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done


def loaded(arguments, *names):
    """Which of some modules a command loads."""
    code = (START + LOADED).format(arguments=[str(word) for word in arguments], names=names)
    return run("-c", code).stderr.split()


def test_help_lines_are_those_of_the_commands():
    real = {name: LazyCommand(name, "").read().help.partition("\n")[0] for name in COMMANDS}
    assert real == COMMANDS


def test_every_command_is_listed():
    pytest.importorskip("keras", reason="the train extra is not installed")
    modules = {found.name for found in pkgutil.iter_modules(timbrel.cli.__path__)}
    commands = {
        name
        for name in modules
        if inspect.isfunction(getattr(import_module(f"timbrel.cli.{name}"), name, None))
    }
    # The function `main` is the program.
    assert commands - {"main"} == set(COMMANDS)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["predict", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    assert loaded(arguments, "typer", "numpy", "onnxruntime", "soundfile") == ["typer"]


def test_what_prints_no_text_of_its_own_loads_no_rich(tiny_model, tiny_data):
    arguments = ["predict", tiny_data / "hum" / "0.wav", "-m", tiny_model]
    assert loaded(arguments, "onnxruntime", "rich", "timbrel.dataset") == ["onnxruntime"]
