"""What every command shares: where text goes, how loud, and how errors end."""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib.util
import logging
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import typer

from timbrel.display.imports import held_back_stderr
from timbrel.progress import Progress, TerminalProgress
from timbrel.text import counted, harmless, one_line

if TYPE_CHECKING:
    from rich.console import Console

    from timbrel.findings import Finding

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and problems only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Name every warning.")]

_FEW = 5


@dataclass
class Terminal:
    """Results to stdout, all else to stderr.

    rich is imported when something is printed; it takes longer to import than a file to predict.

    Attributes:
        quiet: leave out progress and explanation.
        verbose: name every warning instead of the first few.
    """

    quiet: bool = False
    verbose: bool = False

    @cached_property
    def out(self) -> Console:
        """Prints results."""
        return _console(stderr=False)

    @cached_property
    def err(self) -> Console:
        """Prints everything else."""
        # A console moves its bars out of the way of what it prints itself.
        return self.out if _one_screen() else _console(stderr=True)

    def say(self, text: str) -> None:
        """Explain something, unless quiet."""
        if not self.quiet:
            self.err.print(harmless(text), markup=False)

    def findings(self, findings: Iterable[Finding]) -> int:
        """Print what was found, what could not be used at the end; return the exit status."""
        findings = list(findings)
        self.warn(item for item in findings if not item.unusable)
        # A recording may have been named twice.
        return self.problems(dict.fromkeys(item for item in findings if item.unusable))

    def warn(self, warnings: Iterable[Finding | str]) -> None:
        """Print warnings: all when verbose, the first few otherwise."""
        warnings = list(warnings)
        shown = warnings if self.verbose else warnings[:_FEW]
        for warning in shown:
            text = one_line(f"Warning: {warning}")
            self.err.print(text, style="yellow", markup=False, soft_wrap=True)
        if len(warnings) > len(shown):
            rest = counted(len(warnings) - len(shown), "more warning")
            self.err.print(f"… and {rest} (--verbose names all).", style="yellow")

    def problems(self, problems: Iterable[Finding | str]) -> int:
        """Name every recording that could not be used; return the exit status."""
        problems = list(problems)
        for problem in problems:
            text = one_line(f"Left out: {problem}")
            self.err.print(text, style="red", markup=False, soft_wrap=True)
        if problems:
            count = counted(len(problems), "recording")
            self.err.print(f"{count} could not be used.", style="red")
        return 1 if problems else 0

    def progress(self) -> Progress:
        """Bars on stderr, nothing where stderr is not a terminal or quiet was asked."""
        if self.quiet or not (sys.stderr and sys.stderr.isatty()):
            return Progress()
        return TerminalProgress(self.err)


def _one_screen() -> bool:
    """Whether stdout and stderr are shown on one terminal."""
    if not all(stream and stream.isatty() for stream in (sys.stdout, sys.stderr)):
        return False
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError):  # What takes the place of a stream may have no file.
        return False


def _console(*, stderr: bool) -> Console:
    from timbrel.display.console import HarmlessConsole

    # Neither numbers nor what looks like `:name:` is to be drawn otherwise than it is written.
    how = {"stderr": stderr, "highlight": False, "emoji": False}
    console = HarmlessConsole(**how)
    # A file or a pipe has no width; 80 columns would cut labels short.
    return console if console.is_terminal else HarmlessConsole(**how, width=120)


def load_keras(terminal: Terminal) -> None:
    """Import Keras without its backend's greetings, which are shown if that fails."""
    if "timbrel.features.backend" in sys.modules:
        return
    if terminal.err.is_terminal:
        terminal.say("Loading Keras …")
    with interrupted_at_once(), held_back_stderr(), _uncollected():
        importlib.import_module("timbrel.features.backend")
        # What is trained is exported through TensorFlow, whatever Keras runs on.
        if importlib.util.find_spec("tensorflow"):
            importlib.import_module("tensorflow")
    # It warns of every few networks that are compiled, which is what training does.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep Python from looking for garbage among the million objects of an import.

    They all stay, so looking through them takes seconds and finds nothing: while they are made,
    whenever more are made later, and once more at the exit.
    """
    usual = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.freeze)
        if usual:
            gc.enable()


@contextlib.contextmanager
def interrupted_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process without asking Python.

    Some of what Keras imports catches every exception, KeyboardInterrupt too, and goes on.
    """
    usual = signal.getsignal(signal.SIGINT)
    if usual is not signal.default_int_handler:  # Somebody else's, or ignored on purpose.
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
