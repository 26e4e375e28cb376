"""The program `timbrel`."""

from __future__ import annotations

import re
import sys
from typing import Annotated, TextIO

import typer
from rich.console import Console

from timbrel.cli import check, demo, evaluate, explore, listen, predict, summary, tag, train
from timbrel.errors import OutputError, TimbrelError

app = typer.Typer(
    name="timbrel",
    help="Turn a folder of labelled recordings into a small sound classifier you can trust.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (demo, check, explore, summary, train, evaluate, predict, listen, tag):
    app.command()(getattr(command, command.__name__.rpartition(".")[2]))


def _version(wanted: bool) -> None:
    if wanted:
        from timbrel import __version__

        typer.echo(f"timbrel {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
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
        for parameter in commands[name].params
        if parameter.opts[0].startswith("--")
    }
    return re.sub(r"`(\w+)`", lambda found: f"`{options.get(found[1], found[1])}`", message)


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit: 0 all well, 1 some recordings could not be used, 2 wrong use."""
    # File names need not be text; what cannot be printed must not end a run.
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.reconfigure(errors="surrogateescape" if _is_utf8(stream) else "backslashreplace")
    errors = Console(stderr=True, highlight=False)
    try:
        app(arguments, prog_name="timbrel")
    except TimbrelError as error:
        said = _as_typed(str(error), sys.argv[1:] if arguments is None else arguments)
        errors.print(f"Error: {said}", style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except OSError as error:
        # stdout must not be flushed again at exit.
        sys.stdout = None
        errors.print(f"Error: {OutputError.of('the output', error)}", style="red", markup=False)
        sys.exit(2)
