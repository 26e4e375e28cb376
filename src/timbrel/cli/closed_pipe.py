"""An end without a word where whoever reads our output has enough of it, as `head` does."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import typer

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
