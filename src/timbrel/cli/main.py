"""The program `timbrel`."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module, metadata
from typing import Annotated, NoReturn, TextIO

import typer
from typer.core import TyperCommand, TyperGroup

from timbrel import __version__
from timbrel.errors import OutputError, TimbrelError

# What is needed for what, by the extra that installs it.
_PACKAGES = {
    "predicting": ("numpy", "soundfile", "soxr", "onnxruntime"),
    "train": ("keras", "tensorflow", "tensorflow-cpu", "torch", "jax", "scikit-learn", "tf2onnx"),
    "parquet": ("pyarrow",),
    "tags": ("mutagen",),
    "live": ("sounddevice",),
}


def version_text() -> str:
    """The version, then Python and the packages that are installed, by what they are for.

    The first line is `timbrel VERSION`, and will stay so.
    """
    lines = [
        f"timbrel {__version__}",
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
    ]
    for purpose, names in _PACKAGES.items():
        found = ", ".join(f"{name} {version}" for name in names if (version := _installed(name)))
        lines.append(f"{purpose}: {found or 'not installed'}")
    return "\n".join(lines)


def _installed(package: str) -> str | None:
    """The version of a package that is installed, which is not imported for it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


# What shells say of a program that SIGPIPE ended.
_STATUS = 141


@contextlib.contextmanager
def ending_quietly() -> Iterator[None]:
    """End the program where it writes to a pipe that nobody reads any more.

    What it was asked for may not be done then, so that it did not end well.
    """
    try:
        try:
            yield
        except typer.Exit:
            _flush()
            raise
        _flush()
    except (BrokenPipeError, SystemExit):  # The second by rich, where typer prints help with it.
        # Neither must be flushed again at exit.
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        raise typer.Exit(_STATUS) from None


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


class LazyCommand(TyperCommand):
    """A command of which only the name and the help line are known until it is needed.

    Args:
        name: of the command, of its module in `timbrel.cli`, and of the function in that.
        line: the first line of its help.
    """

    def __init__(self, name: str, line: str) -> None:
        super().__init__(name, help=line)

    def read(self) -> TyperCommand:
        """The command itself, with its parameters and its whole help."""
        alone = typer.Typer(add_completion=False)
        alone.command(self.name)(getattr(import_module(f"timbrel.cli.{self.name}"), self.name))
        return typer.main.get_command(alone)

    def make_context(self, *args: object, **options: object) -> object:
        """Begin to run the command, to show its help or to complete its options."""
        return self.read().make_context(*args, **options)


def lazy_group(lines: Mapping[str, str]) -> type[TyperGroup]:
    """A group of commands for `typer.Typer(cls=…)`.

    Args:
        lines: help line of each command by name, in the order in which they are listed.
    """

    class LazyGroup(TyperGroup):
        def __init__(self, **settings: object) -> None:
            super().__init__(**settings)
            self.commands = {name: LazyCommand(name, line) for name, line in lines.items()}

        def format_help(self, context: typer.Context, formatter: object) -> None:
            """Print the help."""
            with ending_quietly():
                super().format_help(context, formatter)

        def invoke(self, context: typer.Context) -> object:
            """Run the command that is asked for."""
            with ending_quietly():
                return super().invoke(context)

    return LazyGroup


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

    from timbrel.text import one_line

    errors = Console(stderr=True, highlight=False, emoji=False)
    text = one_line(f"Error: {sentence}")
    errors.print(text, style="red", markup=False, soft_wrap=True)
    sys.exit(2)
