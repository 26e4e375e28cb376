"""Commands whose modules are imported when they are called, so that the program starts at once."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import typer
from typer.core import TyperCommand, TyperGroup

from timbrel.cli.closed_pipe import ending_quietly


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
