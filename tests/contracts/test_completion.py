"""Completion in the shells themselves, by what `timbrel --install-completion` gives them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from timbrel.cli.main import COMMANDS, LazyCommand
from timbrel.fetching.known import KNOWN_DATA
from timbrel.networks.recipes import RECIPES

BIN = Path(sys.executable).parent

# What is typed and the words that complete it; none where the shell completes file names itself.
TYPED = [
    ("timbrel ", list(COMMANDS)),
    ("timbrel ex", ["explore"]),
    ("timbrel --ver", ["--version"]),
    ("timbrel summary --cl", ["--classes"]),
    ("timbrel summary ", list(RECIPES)),
    ("timbrel train sounds -r tutorial-cnn", ["tutorial-cnn", "tutorial-cnn-16"]),
    ("timbrel evaluate --recipe st", ["statistics-cnn", "strong"]),
    ("timbrel predict -f ", ["csv", "jsonl", "audacity", "raven", "parquet"]),
    ("timbrel predict --level w", ["window"]),
    ("timbrel listen - --pcm-format f", ["f32le"]),
    ("timbrel data ", list(KNOWN_DATA)),
    ("timbrel data in", ["instruments"]),
    ("timbrel predict a.wav -m ", []),
    ("timbrel train ", []),
]
# Each runs a shell without settings of the user, and prints the words; FILES for none.
BASH = """
eval "$(_TIMBREL_COMPLETE=source_bash timbrel)"
complete -p timbrel | grep -q -- '-o default' || exit 1
IFS=' ' read -r -a COMP_WORDS <<< "$TYPED"
[[ $TYPED == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
_timbrel_completion timbrel
printf '%s\\n' "${COMPREPLY[@]:-FILES}"
"""
# Prints the arguments that the completion system of zsh would receive.
ZSH = """
compdef() { true }
_files() { print FILES }
_arguments() { print -r -- "$1" | sed -E "s/^\\*: :\\(\\(//; s/\\)\\)$//" }
eval "$(_TIMBREL_COMPLETE=source_zsh timbrel)"
words=("${(@s: :)TYPED}")
CURRENT=${#words}
_timbrel_completion
"""
FISH = """
_TIMBREL_COMPLETE=source_fish timbrel | source
complete -C "$TYPED"
"""


def run_shell(name, program, home, typed=""):
    shell = shutil.which(name)
    if shell is None:
        pytest.skip(f"{name} is not installed")
    start = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[name]
    done = subprocess.run(
        [shell, *start, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={
            **os.environ,
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home.parent / "config"),
            "XDG_DATA_HOME": str(home.parent / "data"),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "TYPED": typed,
        },
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


# The words come from one program; a few show that a shell passes them on.
FEW = TYPED[::3]


@pytest.mark.parametrize(("typed", "words"), TYPED)
def test_bash(tmp_path, typed, words):
    assert run_shell("bash", BASH, tmp_path, typed) == (words or ["FILES"])


@pytest.mark.parametrize(("typed", "words"), FEW)
def test_zsh(tmp_path, typed, words):
    printed = run_shell("zsh", ZSH, tmp_path, typed)
    # "word":"explanation", or "word" alone, one after the other.
    found = re.findall(r'(?:^| )"([^"]+)"', " ".join(printed)) or printed
    assert found == (words or ["FILES"])


@pytest.mark.parametrize(("typed", "words"), FEW)
def test_fish(tmp_path, typed, words):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "sound.wav").touch()
    found = run_shell("fish", FISH, tmp_path / "home", typed)
    assert sorted(line.partition("\t")[0] for line in found) == sorted(words or ["sound.wav"])


def test_every_recipe_is_completed():
    completed = {
        name: [item.value for item in parameter.shell_complete(None, "tutorial-cnn")]
        for name in COMMANDS
        for parameter in LazyCommand(name, "").read().params
        if parameter.name == "recipe"
    }
    expected = ["tutorial-cnn", "tutorial-cnn-16"]
    commands = ("check", "explore", "summary", "train", "evaluate")
    assert completed == dict.fromkeys(commands, expected)


def test_completion_is_installed_in_bash(tmp_path):
    program = "timbrel --install-completion; true"
    printed = run_shell("bash", program, tmp_path)
    assert "bash completion installed in" in printed[0]
    assert [path.name for path in tmp_path.rglob("*.sh")] == ["timbrel.sh"]
    program = 'source "$HOME/.bashrc"; complete -p timbrel'
    assert run_shell("bash", program, tmp_path) == [
        "complete -o default -F _timbrel_completion timbrel"
    ]
