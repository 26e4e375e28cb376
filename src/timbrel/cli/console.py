"""What a command shows: text, bars and figures; how it loads Keras and reacts to Ctrl-C."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer

from timbrel.display.imports import held_back_stderr
from timbrel.progress import Progress, TerminalProgress
from timbrel.text import counted, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from timbrel.findings import Finding
    from timbrel.networks.recipes import Recipe

# Warnings that are shown unless verbose; where a verb reports them one by one, of each code.
_FEW = 5


@dataclass
class Terminal:
    """Results to stdout, all else to stderr.

    rich is imported when something is printed; that takes longer than to predict a file.

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
        # A console moves its bars out of the way of its own lines only.
        return self.out if _one_screen() else _console(stderr=True)

    def print(self, text: str) -> None:
        """Print a line of the result, which only a terminal wraps."""
        self.out.print(text, soft_wrap=True)

    def say(self, text: str) -> None:
        """Explain something, unless quiet."""
        if not self.quiet:
            self.err.print(text, soft_wrap=True)

    def findings(self, findings: Iterable[Finding]) -> int:
        """Print what was found, unusable recordings last; return the exit status."""
        findings = list(findings)
        self.warn(item for item in findings if not item.unusable)
        # A recording may have been named twice.
        return self.problems(dict.fromkeys(item for item in findings if item.unusable))

    def warn(self, warnings: Iterable[Finding | str]) -> None:
        """Print warnings: all when verbose, the first few otherwise."""
        warnings = list(warnings)
        shown = warnings if self.verbose else warnings[:_FEW]
        for warning in shown:
            self.err.print(one_line(f"Warning: {warning}"), style="yellow", soft_wrap=True)
        self.warned_less(len(warnings) - len(shown))

    def warned_less(self, count: int) -> None:
        """Print how many warnings were left out, where any were."""
        if count:
            more = f"… and {counted(count, 'more warning')} (--verbose names all)."
            self.err.print(more, style="yellow")

    def problems(self, problems: Iterable[Finding | str]) -> int:
        """Name every recording that could not be used; return the exit status."""
        problems = list(problems)
        for problem in problems:
            self.err.print(one_line(f"Left out: {problem}"), style="red", soft_wrap=True)
        if problems:
            count = counted(len(problems), "recording")
            self.err.print(f"{count} could not be used.", style="red")
        return 1 if problems else 0

    def progress(self) -> Progress:
        """Bars on stderr; none where stderr is not a terminal, and none when quiet."""
        if self.quiet or not (sys.stderr and sys.stderr.isatty()):
            return Progress()
        return TerminalProgress(self.err)

    @contextlib.contextmanager
    def interruptible(self, advice: Callable[[], str]) -> Iterator[None]:
        """Let Ctrl-C end the command with status 130 and advice on how to continue."""
        try:
            yield
        except KeyboardInterrupt:
            self.err.print(f"Interrupted. {advice()}".rstrip(), soft_wrap=True)
            raise typer.Exit(130) from None


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

    # A file or a pipe has no width; 80 columns would cut labels short.
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream and stream.isatty() else 120
    # Numbers, brackets and what looks like `:name:` are printed as they are written.
    return HarmlessConsole(stderr=stderr, width=width, highlight=False, emoji=False, markup=False)


class CommandProgress(TerminalProgress):
    """Bars and findings on stderr, figures on stdout.

    What makes a recording unusable is not shown: the command names it when it ends.

    Args:
        terminal: where to show it.
        recipe: what is trained; its network is shown when verbose. None shows none.
    """

    def __init__(self, terminal: Terminal, recipe: Recipe | None = None) -> None:
        super().__init__(terminal.err, disable=terminal.quiet)
        self._terminal, self._recipe = terminal, recipe
        self._classes: list[Mapping[str, Any]] = []
        self._weights: list[Mapping[str, Any]] = []
        self._shown: Counter[str] = Counter()
        self._epochs = 0
        self._figures = ""

    def stage(self, name: str, done: float, total: float | None, note: str = "") -> None:
        """Move the bar of a stage; that of a training shows the figures of the last epoch."""
        super().stage(name, done, total, note + self._figures if name == "training" else note)

    def finding(self, finding: Finding) -> None:
        """Print a finding: of each code the first few, unless verbose."""
        if finding.unusable:
            return
        if finding.severity == "note":
            self._terminal.say(finding.text)
            return
        self._shown[finding.code] += 1
        if self._terminal.verbose or self._shown[finding.code] <= _FEW:
            self._terminal.warn([finding])

    def row(self, table: str, row: Mapping[str, Any]) -> None:
        """Print figures; what takes many lines only when verbose."""
        self._count_the_rest()
        terminal, verbose = self._terminal, self._terminal.verbose
        if terminal.quiet and table not in ("fold windows", "folds", "random split", "unknown"):
            return
        if table == "classes":
            self._classes.append(row)
        elif table == "windows":
            terminal.out.print(class_table(self._classes))
            cached = ", from the cache" if row["cached"] else ""
            terminal.print(
                f"\n{counted(row['windows'], 'window')} of {row['seconds']:g} s{cached}: "
                f"X {tuple(row['X'])}, y {tuple(row['y'])}"
            )
        elif table == "weights":
            self._weights.append(row)
        elif table == "training":
            self._epochs = row["epochs"]
            terminal.print(
                f"{row['recipe']} learns from {counted(row['learn'], 'recording')}; "
                f"{row['calibrate']} are for calibration, and {row['held_out']} are held out for "
                "the score."
            )
            if verbose:
                from rich.text import Text

                from timbrel.display.console import plain_table

                counts = "recordings" if "recordings" in self._weights[0] else "windows"
                weights = plain_table("Class weights (balanced)", "class", counts, "weight")
                for item in self._weights:
                    weights.add_row(Text(item["class"]), str(item[counts]), f"{item['weight']:.3f}")
                terminal.out.print("", weights, sep="\n")
            if verbose and self._recipe is not None:
                from timbrel.cli.summary import print_network
                from timbrel.workflows.summary import summary

                print_network(terminal, summary(self._recipe, classes=row["classes"]))
                terminal.print("")
        elif table == "epochs":
            figures = {
                key: row[key]
                for key in ("loss", "acc", "val_loss", "val_acc")
                if row[key] is not None
            }
            self._figures = "".join(
                f", {key} {figures[key]:.3f}" for key in ("loss", "val_acc") if key in figures
            )
            if verbose:
                planned = f"/{self._epochs}" if self._epochs else ""
                shown = "  ".join(f"{key} {value:.4f}" for key, value in figures.items())
                terminal.print(f"Epoch {row['epoch']:>2}{planned}  {shown}  {row['seconds']:.1f} s")
        elif table in ("fold windows", "random split") and row["windows"]:
            share, windows = 100 * row["right"] / row["windows"], counted(row["windows"], "window")
            terminal.print(f"{row['name']}: {share:.1f} % of {windows} right")
        elif table == "folds":
            terminal.print(f"{row['name']}: {row['right']} of {row['files']} recordings right")
        elif table == "unknown":
            names, share = ", ".join(row["left_out"]), 100 * row["accept_rate"]
            terminal.print(f"without {names}: {share:.1f} % of its sounds are accepted")

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        super().__exit__(kind, *rest)
        self._count_the_rest()

    def _count_the_rest(self) -> None:
        """Print how many findings were not shown."""
        if not self._terminal.verbose:
            rest = sum(max(count - _FEW, 0) for count in self._shown.values())
            self._terminal.warned_less(rest)
        self._shown.clear()


def class_table(rows: list[Mapping[str, Any]]) -> Table:
    """Recordings and seconds of each class, as read and, where that differs, as kept."""
    from rich.text import Text

    from timbrel.display.console import plain_table

    cleaned = any(row["kept"] < row["seconds"] - 0.05 for row in rows)
    grouped = any(row["groups"] < row["recordings"] for row in rows)
    columns = ["recordings"]
    columns += ["groups"] if grouped else []
    columns += ["read s", "kept s"] if cleaned else ["seconds"]
    table = plain_table("The data", "class", *columns, "mean s")
    total = {
        key: sum(row[key] for row in rows) for key in ("recordings", "groups", "seconds", "kept")
    }
    for row in [*rows, {"class": None, **total}]:
        cells = [str(row["recordings"])]
        cells += [str(row["groups"])] if grouped else []
        cells += [f"{row['seconds']:.1f}", *([f"{row['kept']:.1f}"] if cleaned else [])]
        name = Text("all", style="bold") if row["class"] is None else Text(row["class"])
        table.add_row(name, *cells, f"{row['kept'] / row['recordings']:.2f}")
    return table


def load_keras(terminal: Terminal) -> None:
    """Import Keras without the messages of its backend, which are shown if that fails."""
    if "timbrel.features.backend" in sys.modules:
        return
    if terminal.err.is_terminal:
        terminal.say("Loading Keras …")
    # An import makes a million objects that all stay: to collect garbage among them takes seconds.
    collecting = gc.isenabled()
    gc.disable()
    try:
        with interrupted_at_once(), held_back_stderr():
            importlib.import_module("timbrel.features.backend")
            # Whatever Keras runs on, models are exported through TensorFlow.
            if importlib.util.find_spec("tensorflow"):
                importlib.import_module("tensorflow")
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
    # It warns whenever several networks are compiled, which is what training does.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextlib.contextmanager
def interrupted_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process without raising KeyboardInterrupt.

    Some of what Keras imports catches every exception, KeyboardInterrupt too, and continues.
    """
    usual = signal.getsignal(signal.SIGINT)
    if usual is not signal.default_int_handler:  # Set by another program, or ignored on purpose.
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
