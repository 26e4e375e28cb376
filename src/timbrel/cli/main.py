"""The program `timbrel`."""

from __future__ import annotations

import atexit
import gc
import os
import re
import sys
from typing import Annotated, NoReturn, TextIO

import typer

from timbrel.cli.closed_pipe import ending_quietly
from timbrel.cli.lazy import lazy_group
from timbrel.errors import OutputError, TimbrelError

# Every command in the order of the help, with the first line of its own.
COMMANDS = {
    "demo": "Do the main job from nothing: make sounds, check them, train, score, predict new "
    "ones.",
    "data": "Fetch a known data set and check every file of it, or list those that are known.",
    "check": "Examine a data set: broken, odd, doubled and probably mislabelled recordings, each "
    "named.",
    "explore": "Draw a data set: class distribution, and per class waveform, spectrum, filter "
    "bank, MFCC.",
    "summary": "Show a recipe's network layer by layer, and where its parameters sit.",
    "train": "Train a model and score it on recordings that it never heard.",
    "evaluate": "Score a recipe honestly: every recording is heard by a network trained without "
    "it.",
    "predict": "Say what is heard in files, folders or stdin: one row a file, a window or an "
    "event.",
    "listen": "Say what is heard live, from a microphone or from stdin: one line a window.",
    "tag": "Sort a sample library into a folder for each class; interrupt, resume or undo it.",
    "info": "Say what a model is: classes, front end, honest scores, thresholds, where it comes "
    "from.",
}

app = typer.Typer(
    name="timbrel",
    cls=lazy_group(COMMANDS),
    help="Turn a folder of labelled recordings into a small sound classifier you can trust.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from timbrel.cli.versions import version_text

        with ending_quietly():
            typer.echo(version_text())
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Print versions and exit.",
        ),
    ] = False,
) -> None:
    """Turn a folder of labelled recordings into a small sound classifier you can trust."""


def _is_utf8(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") == "utf8"


def _as_typed(message: str, arguments: list[str]) -> str:
    """Name options as they are typed, where the library names its arguments."""
    commands = typer.main.get_command(app).commands
    options = {
        parameter.name: parameter.opts[0]
        for name in arguments[:1]
        if name in commands
        for parameter in commands[name].read().params
        if parameter.opts[0].startswith("--")
    }
    return re.sub(r"`(\w+)`", lambda found: f"`{options.get(found[1], found[1])}`", message)


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit: 0 all well, 1 some recordings could not be used, 2 wrong use."""
    # Nearly all that is made at the start are imports, and they stay. Looking through them for
    # garbage every 700 objects, and once more at the exit, is a tenth of what a short run takes.
    gc.set_threshold(10_000)
    atexit.register(gc.freeze)
    # File names need not be text; what cannot be printed must not end a run.
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.reconfigure(errors="surrogateescape" if _is_utf8(stream) else "backslashreplace")
    try:
        app(arguments, prog_name="timbrel")
    except TimbrelError as error:
        _fail(_as_typed(str(error), sys.argv[1:] if arguments is None else arguments))
    except OSError as error:
        # stdout must not be flushed again at exit.
        sys.stdout = None
        # A stream has no name, or is a number.
        if not isinstance(error.filename, str | bytes):
            _fail(str(OutputError.of("the output", error)))
        why = f"{error.strerror or error}; see whether it is there and whether you may use it"
        _fail(f"{os.fsdecode(error.filename)}: {why}.")


def _fail(sentence: str) -> NoReturn:
    from rich.console import Console

    from timbrel.wording import one_line

    errors = Console(stderr=True, highlight=False, emoji=False)
    text = one_line(f"Error: {sentence}")
    errors.print(text, style="red", markup=False, soft_wrap=True)
    sys.exit(2)
