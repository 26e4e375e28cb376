"""Cross-validation: every recording is heard by a network that was trained without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timbrel.dataset.folds import Folds
from timbrel.dataset.manifest import targets
from timbrel.evaluation.calibration import calibrate, file_means, tempered
from timbrel.evaluation.record import RandomSplit, Scored
from timbrel.training.prepare import Prepared
from timbrel.wording import counted
from timbrel.workflows.runner import Heard, Runner, Task

# Share of the drawn windows that the tutorial's split sets aside.
_RANDOM_SHARE = 0.1


@dataclass(frozen=True)
class Calibrated:
    """Held-out predictions of one fold, made believable by the other folds.

    Attributes:
        heard: what its network says, uncalibrated.
        temperature: fitted on what the other folds' networks say of the other folds.
        threshold: for *unknown*, fitted on the same.
        repeat: in which repeat, from 0.
        fold: from 0.
    """

    heard: Heard
    temperature: float
    threshold: float
    repeat: int
    fold: int

    @property
    def files(self) -> np.ndarray:
        """Calibrated probabilities of each recording; float64 `(files, classes)`."""
        return file_means(tempered(self.heard.windows, self.temperature), self.heard.window_file)


def cross_validate(
    runner: Runner, prepared: Prepared, folds: Folds, *, repeat: int = 0, seed: int = 0
) -> list[Calibrated]:
    """Train a network a fold on all other folds, and let it hear the fold.

    Args:
        runner: trains, or takes up what is trained.
        prepared: the data set.
        folds: how it is dealt.
        repeat: in which repeat, from 0.
        seed: of weights, order and dropout.
    """
    heard = []
    for fold, name in enumerate(folds.names):
        held_out = folds.number == fold
        learn, aside = prepared.examples.split(held_out)
        more = f", repeat {repeat + 1}" if repeat else ""
        title = f"fold {fold + 1} of {len(folds)}{more}"
        if name != str(fold + 1):
            title += f" ({name})"
        task = Task(
            name=title,
            learn=learn,
            validation=aside,
            numbers=np.flatnonzero(held_out),
            drawn=prepared.examples,
            seed=seed,
        )
        heard.append(runner.run(task))
        runner.tell(title, _in_words(prepared, heard[-1]))
    return [
        Calibrated(heard[fold], *_fitted(prepared, heard[:fold] + heard[fold + 1 :]), repeat, fold)
        for fold in range(len(heard))
    ]


def random_split(runner: Runner, prepared: Prepared, *, seed: int = 0) -> RandomSplit:
    """Train once the tutorial's way: a tenth of the drawn windows is held out at random."""
    examples = prepared.examples
    order = np.random.default_rng(seed).permutation(len(examples))
    aside = np.zeros(len(examples), dtype=bool)
    aside[order[: max(round(_RANDOM_SHARE * len(examples)), 1)]] = True
    learn, drawn = examples.split_windows(aside)
    task = Task(
        name="random windows, the tutorial's split",
        learn=learn,
        validation=drawn,
        numbers=np.unique(drawn.recording),
        drawn=drawn,
        whole=False,
        seed=seed,
    )
    heard = runner.run(task)
    used = [prepared.recordings[number] for number in heard.numbers]
    right = heard.drawn.argmax(axis=1) == targets(used, examples.labels)[heard.drawn_file]
    groups = np.array([item.group for item in used])[heard.drawn_file]
    runner.tell(task.name, f"windows {right.mean():.1%}")
    return RandomSplit(right, groups)


def joined(prepared: Prepared, folds: Sequence[Calibrated]) -> Scored:
    """The held-out predictions of all folds, repeats one after the other."""
    numbers = np.concatenate([item.heard.numbers for item in folds])
    recordings = [prepared.recordings[number] for number in numbers]
    sizes = [len(item.heard.numbers) for item in folds]
    before = np.cumsum([0, *sizes[:-1]])
    return Scored(
        recordings=recordings,
        target=targets(recordings, prepared.examples.labels),
        files=np.concatenate([item.files for item in folds]),
        uncalibrated=np.concatenate([item.heard.files for item in folds]),
        windows=np.concatenate([tempered(i.heard.drawn, i.temperature) for i in folds]),
        window_file=np.concatenate(
            [item.heard.drawn_file + first for item, first in zip(folds, before, strict=True)]
        ),
        fold=np.repeat([item.fold for item in folds], sizes),
        repeat=np.repeat([item.repeat for item in folds], sizes),
    )


def mean_history(heard: Sequence[Heard]) -> list[dict]:
    """A row an epoch, the mean over the networks that got so far; seconds are their sum."""
    rows = []
    for number in range(max((len(item.history) for item in heard), default=0)):
        epoch = [item.history[number] for item in heard if number < len(item.history)]
        row = {"epoch": epoch[0]["epoch"]}
        for key in ("loss", "acc", "val_loss", "val_acc"):
            values = [part[key] for part in epoch if part[key] is not None]
            row[key] = float(np.mean(values)) if values else None
        rows.append({**row, "seconds": round(sum(part["seconds"] for part in epoch), 3)})
    return rows


def _fitted(prepared: Prepared, others: list[Heard]) -> tuple[float, float]:
    if not others:
        return 1.0, 0.0
    numbers = np.concatenate([item.numbers for item in others])
    before = np.cumsum([0, *(len(item.numbers) for item in others[:-1])])
    return calibrate(
        np.concatenate([item.windows for item in others]),
        np.concatenate(
            [item.window_file + first for item, first in zip(others, before, strict=True)]
        ),
        targets([prepared.recordings[number] for number in numbers], prepared.examples.labels),
    )


def _in_words(prepared: Prepared, heard: Heard) -> str:
    target = targets([prepared.recordings[n] for n in heard.numbers], prepared.examples.labels)
    files = (heard.files.argmax(axis=1) == target).mean()
    windows = (heard.drawn.argmax(axis=1) == target[heard.drawn_file]).mean()
    return f"{counted(len(target), 'file')} never heard: {files:.1%} right, windows {windows:.1%}"
