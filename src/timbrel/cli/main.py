"""The program `timbrel`."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from timbrel import __version__
from timbrel.cli.options import GENERAL
from timbrel.errors import OutputError, TimbrelError

if TYPE_CHECKING:
    from typer._click.core import Command, Context
    from typer._click.formatting import HelpFormatter
    from typer.core import TyperOption

# Packages by purpose, which is the name of an extra except for the first.
_PACKAGES = {
    "predicting": ("numpy", "soundfile", "soxr", "onnxruntime"),
    "train": ("keras", "tensorflow", "tensorflow-cpu", "torch", "jax", "scikit-learn", "tf2onnx"),
    "parquet": ("pyarrow",),
    "tags": ("mutagen",),
    "live": ("sounddevice",),
}


def version_text() -> str:
    """The version, then Python and the packages that are installed, by purpose.

    The first line is `timbrel VERSION`, and will stay so.
    """
    from importlib import metadata  # It takes long to import.

    lines = [
        f"timbrel {__version__}",
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
    ]
    for purpose, packages in _PACKAGES.items():
        found = []
        for package in packages:
            with contextlib.suppress(metadata.PackageNotFoundError):
                found.append(f"{package} {metadata.version(package)}")
        lines.append(f"{purpose}: {', '.join(found) or 'not installed'}")
    return "\n".join(lines)


# The exit status of a program that SIGPIPE ended.
_STATUS = 141


@contextlib.contextmanager
def ending_quietly() -> Iterator[None]:
    """End the program where it writes to a pipe that is closed.

    The status is not 0: the command may not have done all of its work.
    """
    ended: typer.Exit | None = None
    try:
        try:
            yield
        except typer.Exit as error:
            ended = error
        if sys.stdout is not None:
            sys.stdout.flush()
        if ended is not None:
            raise ended
    except (BrokenPipeError, SystemExit):  # The second by rich, where typer prints help with it.
        # Neither must be flushed again at exit.
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        raise typer.Exit(_STATUS) from None


class _Command(TyperCommand):
    """A command whose `--help` is listed among its general options."""

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        """The option `--help`."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.rich_help_panel = GENERAL
        return option


class LazyCommand(TyperCommand):
    """A command of which only the name and the help line are known until it is needed.

    Args:
        name: of the command, of its module in `timbrel.cli`, and of the function in that.
        line: the first line of its help.
    """

    def __init__(self, name: str, line: str) -> None:
        super().__init__(name, help=line)
        self._module = f"timbrel.cli.{name}"

    def read(self) -> Command:
        """The command itself, with its parameters, its whole help and its examples."""
        module = import_module(self._module)
        alone = typer.Typer(add_completion=False)
        examples = f"Examples:\n{module.EXAMPLES.strip()}"
        register = alone.command(self.name, cls=_Command, epilog=examples)
        register(getattr(module, module.__name__.rpartition(".")[2]))
        return typer.main.get_command(alone)

    def make_context(
        self, info_name: str | None, args: list[str], parent: Context | None = None, **extra: Any
    ) -> Context:
        """Begin to run the command, to show its help or to complete its options."""
        return self.read().make_context(info_name, args, parent, **extra)


# Every command in the order of the help, with the first line of its own.
COMMANDS = {
    "demo": "Try everything: make sounds, check them, train, score, and predict new sounds.",
    "data": "Fetch a known data set and verify every file of it, or list the known data sets.",
    "check": "Check a data set: name broken, odd, duplicate and probably mislabelled recordings.",
    "explore": "Draw a data set: class distribution, and per class waveform, spectrum, filter "
    "bank, MFCC.",
    "summary": "Show the network of a recipe layer by layer, with the parameters of each layer.",
    "train": "Train a model and score it on recordings that it was not trained on.",
    "evaluate": "Score a recipe honestly: each recording is predicted by a network trained without "
    "it.",
    "predict": "Classify files, folders or stdin: one row per file, window or event.",
    "listen": "Classify live sound from a microphone or stdin: one line per window.",
    "tag": "Sort a sample library into one folder per class; can be interrupted, resumed, undone.",
    "info": "Describe a model: classes, front end, honest scores, thresholds, provenance.",
}


class CommandGroup(TyperGroup):
    """All commands; what a command needs is imported when it is used."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: LazyCommand(name, line) for name, line in COMMANDS.items()}

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Print the help."""
        with ending_quietly():
            super().format_help(ctx, formatter)

    def invoke(self, ctx: Context) -> Any:
        """Run the command that was given."""
        with ending_quietly():
            return super().invoke(ctx)


app = typer.Typer(
    name="timbrel",
    cls=CommandGroup,
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


@app.callback(epilog="Examples:\ntimbrel demo\ntimbrel train --help")
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print versions and exit."
        ),
    ] = False,
) -> None:
    """Turn a folder of labelled recordings into a small sound classifier you can trust."""


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit: 0 all well, 1 some recordings could not be used, 2 wrong use."""
    # Nearly all objects at the start belong to imports, and they stay. To look for garbage among
    # them every 700 objects, and again at exit, is a tenth of the time of a short run.
    gc.set_threshold(10_000)
    atexit.register(gc.freeze)
    # Names of files may hold anything; what cannot be printed must not end a run.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            utf8 = stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")
    try:
        app(arguments, prog_name="timbrel")
    except TimbrelError as error:
        # The library names its arguments; a user typed options.
        name = next(iter(sys.argv[1:] if arguments is None else arguments), "")
        options = {
            parameter.name: parameter.opts[0]
            for parameter in (LazyCommand(name, "").read().params if name in COMMANDS else ())
            if parameter.opts[0].startswith("--")
        }
        _fail(re.sub(r"`(\w+)`", lambda found: f"`{options.get(found[1], found[1])}`", str(error)))
    except OSError as error:
        # stdout must not be flushed again at exit.
        sys.stdout = None
        # A stream has no name, or is a number.
        if not isinstance(error.filename, str | bytes):
            _fail(str(OutputError.of("the output", error)))
        cause = error.strerror or error
        _fail(f"{os.fsdecode(error.filename)}: {cause}; check that it exists and may be used.")


def _fail(sentence: str) -> NoReturn:
    from rich.console import Console

    from timbrel.text import one_line

    errors = Console(stderr=True, highlight=False, emoji=False, markup=False)
    errors.print(one_line(f"Error: {sentence}"), style="red", soft_wrap=True)
    sys.exit(2)
