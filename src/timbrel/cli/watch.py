"""Show a training on the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.progress import Progress, TaskID

from timbrel.cli.console import Terminal
from timbrel.cli.tables import cost_text, distribution_table, network_table, weights_table
from timbrel.dataset.manifest import Dataset
from timbrel.networks.recipes import Recipe
from timbrel.training.examples import Examples
from timbrel.training.prepare import Prepared
from timbrel.wording import counted
from timbrel.workflows.observer import EvaluateObserver, TrainObserver
from timbrel.workflows.summary import summary


class ConsoleObserver(TrainObserver):
    """Tables and epochs to stdout, progress and warnings to stderr."""

    def __init__(self, terminal: Terminal, bars: Progress) -> None:
        self._terminal = terminal
        self._bars = bars
        self._task: TaskID | None = None
        self._stage = ""
        self._epochs = 0
        self._scheduled = False

    def dataset(self, dataset: Dataset) -> None:
        """Pass on what reading the list of recordings noticed."""
        self._terminal.warn(dataset.notes)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Move the bar of a stage."""
        if stage != self._stage:
            self._new_task(stage, done, total)
        self._bars.update(self._task, completed=done, total=total)
        if done == total:
            self._clear()

    def prepared(self, prepared: Prepared) -> None:
        """Print class distribution, cleaning and shapes."""
        self._clear()
        audit, windowing = prepared.audit, prepared.recipe.windowing
        self._scheduled = prepared.recipe.schedule is not None
        self._terminal.warn(audit.warnings)
        note = audit.cleaning_note(windowing.clean_threshold)
        if note:
            self._terminal.warn([note])
        self._show(distribution_table(prepared))
        if windowing.clean_threshold is not None:
            kept, read = audit.kept.sum(), audit.seconds.sum()
            self._show(
                f"\nCleaning kept {kept:.1f} s of {read:.1f} s ({kept / read:.0%}): where the "
                f"envelope exceeds {windowing.clean_threshold:g}."
            )
        cached = ", from the cache" if prepared.cached else ""
        examples = prepared.examples
        self._show(
            f"{counted(len(examples), 'window')} of {windowing.window / windowing.rate:g} s"
            f"{cached}: X {examples.pictures.shape}, y {examples.y.shape}\n"
        )

    def parts(self, train: Examples, validation: Examples, notes: tuple[str, ...]) -> None:
        """Print what is learned from and what is not."""
        self._terminal.warn(notes)
        self._show(weights_table(train, of_recordings=self._scheduled))
        learned, inner = (len(part.recording_class) for part in (train, validation))
        self._show(
            f"\nLearning from {counted(learned, 'recording')}: X {train.pictures.shape}. Inner "
            f"hold-out for calibration and val_: {counted(inner, 'recording')}. The rest is held "
            "out for the score.\n"
        )

    def network(self, recipe: Recipe, examples: Examples) -> None:
        """Print the network."""
        self._epochs = recipe.epochs_for(len(examples.recording_class))
        described = summary(recipe, classes=len(examples.labels))
        self._show(network_table(described))
        self._show(f"{cost_text(described)}\n")

    def steps(self, epoch: int, done: int, total: int) -> None:
        """Move the bar of a training, whose speed so far says how long the rest takes."""
        if self._stage != "training":
            # What a resumed training had done before says nothing of its speed.
            self._new_task("training", done, total)
        note = f"epoch {epoch}"
        self._bars.update(self._task, completed=done, total=total, note=note, visible=True)

    def epoch(self, row: dict) -> None:
        """Print an epoch's line, the bar out of the way."""
        if self._task is not None:
            self._bars.update(self._task, visible=False)
        figures = "  ".join(
            f"{key} {row[key]:.4f}"
            for key in ("loss", "acc", "val_loss", "val_acc")
            if row[key] is not None
        )
        planned = f"/{self._epochs}" if self._epochs else ""
        self._show(f"Epoch {row['epoch']:>2}{planned}  {figures}  {row['seconds']:.1f} s")

    def note(self, text: str) -> None:
        """Print a sentence."""
        self._terminal.say(text)

    def _show(self, what: object) -> None:
        if not self._terminal.quiet:
            self._terminal.out.print(what)

    def _new_task(self, stage: str, done: int, total: int) -> None:
        self._clear()
        self._stage = stage
        self._task = self._bars.add_task(stage, total=total, completed=done, note="")

    def _clear(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task, self._stage = None, ""


class EvaluationObserver(ConsoleObserver, EvaluateObserver):
    """The data set as for a training, then a line a network; epochs only when verbose."""

    def planned(self, networks: int, notes: tuple[str, ...]) -> None:
        """Say what comes, and start the bar over all networks."""
        self._terminal.warn(notes)
        self._terminal.say(f"{counted(networks, 'network')} to train.")
        self._all = self._bars.add_task("networks", total=networks, note="")
        self._begun = 0

    def task(self, name: str, *, resumed: bool) -> None:
        """Name the network in the bar."""
        self._clear()
        self._bars.update(self._all, completed=self._begun, note=name)
        self._begun += 1
        self._resumed = resumed

    def scored(self, name: str, what: str) -> None:
        """Print how a network did."""
        self._clear()
        before = " (from the interrupted run)" if self._resumed else ""
        self._terminal.out.print(f"{name}{before}: {what}", markup=False, soft_wrap=True)

    def epoch(self, row: dict) -> None:
        """Print an epoch's line when verbose."""
        if self._terminal.verbose:
            super().epoch(row)


@contextlib.contextmanager
def watching(terminal: Terminal) -> Iterator[ConsoleObserver]:
    """Watch a training from here on."""
    with terminal.progress() as bars:
        yield ConsoleObserver(terminal, bars)


@contextlib.contextmanager
def watching_evaluation(terminal: Terminal) -> Iterator[EvaluationObserver]:
    """Watch an evaluation from here on."""
    with terminal.progress() as bars:
        yield EvaluationObserver(terminal, bars)
