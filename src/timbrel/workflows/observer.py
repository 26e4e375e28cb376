"""What a long-running verb tells whoever watches."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `check` is watched without Keras.
    from timbrel.dataset.manifest import Dataset
    from timbrel.networks.recipes import Recipe
    from timbrel.training.examples import Examples
    from timbrel.training.fit import Listener
    from timbrel.training.prepare import Prepared


class TrainObserver:
    """Told how a training goes, in this order; each method does nothing unless overridden."""

    def dataset(self, dataset: Dataset) -> None:
        """The data set was read; no sound yet."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """A stage ("reading", "comparing", "computing", …) has done so much of so much."""

    def prepared(self, prepared: Prepared) -> None:
        """Recordings are decoded, cleaned, cut and pictured."""

    def parts(self, train: Examples, validation: Examples, notes: tuple[str, ...]) -> None:
        """The data set was split; notes say what a reader of the score should know."""

    def network(self, recipe: Recipe, examples: Examples) -> None:
        """Training begins."""

    def steps(self, epoch: int, done: int, total: int) -> None:
        """Batches done in an epoch (1, 2, …)."""

    def epoch(self, row: dict) -> None:
        """An epoch is over; `row` is its line of the history."""

    def note(self, text: str) -> None:
        """Something worth knowing, in a sentence."""

    def listener(self) -> Listener:
        """Who passes on to this observer what `fit` tells."""
        from timbrel.training.fit import Listener

        return Listener(
            on_steps=self.steps,
            on_epoch=self.epoch,
            on_copies=partial(self.progress, "making copies"),
        )


class EvaluateObserver(TrainObserver):
    """Told how an evaluation goes; `parts` and `network` are not called."""

    def planned(self, networks: int, notes: tuple[str, ...]) -> None:
        """So many networks will be trained; notes say what a reader of the score should know."""

    def task(self, name: str, *, resumed: bool) -> None:
        """A network ("fold 2 of 5") comes next; `resumed` where it is trained already."""

    def scored(self, name: str, what: str) -> None:
        """A network is finished; `what` says in words how it did."""
