"""Score the rejection of unknown sounds by leaving classes out of training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from timbrel.dataset.manifest import targets
from timbrel.errors import DataError, InvalidArgument
from timbrel.evaluation.calibration import calibrate, file_means, tempered
from timbrel.evaluation.unknown import Rejection, rejection_record
from timbrel.training.prepare import Prepared
from timbrel.workflows.none_of_these import Others
from timbrel.workflows.parts import Parts, split_parts
from timbrel.workflows.runner import Heard, Runner, Task

# Into how many parts the classes are dealt, where there are so many.
PARTS = 5
# A network needs two classes, and one must be left out.
_FEWEST_CLASSES = 3


def check_classes(prepared: Prepared) -> None:
    """Raise InvalidArgument where no class can be left out."""
    count = len(prepared.examples.labels)
    if count < _FEWEST_CLASSES:
        raise InvalidArgument(
            f"`--unknown` needs at least {_FEWEST_CLASSES} classes: it trains without a part of "
            f"them. Got {count}."
        )


def left_out_parts(labels: tuple[str, ...], *, seed: int = 0) -> list[tuple[str, ...]]:
    """Deal the classes into at most five parts that leave two classes or more to train on."""
    order = np.random.default_rng(seed).permutation(len(labels))
    parts = np.array_split(order, min(PARTS, len(labels)))
    return [tuple(labels[number] for number in sorted(part)) for part in parts]


def leave_classes_out(
    runner: Runner, prepared: Prepared, others: Others, *, seed: int = 0
) -> dict | None:
    """Train without each part of the classes in turn, and present them; the `unknown` record.

    Each network is treated as `train` treats one: whole groups of the known classes are held out
    for the score, others for temperature and threshold. All recordings of the left-out classes are
    unknown sounds. The examples of none of these that are not learned from are others, of which the
    networks may have learned the like: they have a record of their own, `none_of_these`.

    Args:
        runner: trains, or takes up what is trained.
        prepared: the data set.
        others: examples of none of these.
        seed: of dealing, weights, order and dropout.
    """
    check_classes(prepared)
    found = []
    labels = prepared.examples.labels
    for part in left_out_parts(labels, seed=seed):
        known = np.array([item.label not in part for item in prepared.recordings])
        places = np.flatnonzero(known)
        name = f"without {', '.join(part)}"
        try:
            parts = split_parts([prepared.recordings[place] for place in places], seed=seed)
        except DataError as error:
            runner.tell(name, f"not possible. {error}")
            continue
        found.append(_present(runner, prepared, others, what=(part, places, parts, name, seed)))
    record = rejection_record([classes for classes, _ in found])
    if record and len(others.tested):
        record["none_of_these"] = rejection_record([stray for _, stray in found])
    return record


def _present(
    runner: Runner,
    prepared: Prepared,
    others: Others,
    *,
    what: tuple[tuple[str, ...], np.ndarray, Parts, str, int],
) -> tuple[Rejection, Rejection]:
    """How the left-out classes, and how the examples of none of these fare."""
    left_out, places, parts, name, seed = what
    labels = [label for label in prepared.examples.labels if label not in left_out]
    # Left-out classes are aside like what is held out.
    aside = np.ones(len(prepared.recordings), dtype=bool)
    aside[places[~(parts.held_out | parts.inner)]] = False
    strangers = np.setdiff1d(np.arange(len(aside)), places)
    inner, tested = places[parts.inner], places[parts.held_out]
    learn, _ = prepared.examples.restrict(labels).split(aside)
    nothing = prepared.examples.select(np.zeros(len(prepared.examples), dtype=bool))
    heard = runner.run(
        Task(
            name=name,
            learn=learn,
            validation=None,
            numbers=np.concatenate([inner, tested, strangers]),
            drawn=nothing,
            others=others,
            seed=seed,
        )
    )
    temperature, threshold = _calibrate(prepared, heard, (len(inner), labels))
    confidence = file_means(tempered(heard.windows, temperature), heard.window_file).max(axis=1)
    groups = np.array([prepared.recordings[number].group for number in heard.numbers])
    known = slice(len(inner), len(inner) + len(tested))
    unknown = slice(len(inner) + len(tested), None)
    stray = np.empty(0)
    if len(others.tested):
        stray = file_means(tempered(heard.others, temperature), heard.others_file).max(axis=1)
    rejection = Rejection(
        known=confidence[known],
        known_groups=groups[known],
        unknown=confidence[unknown],
        unknown_groups=groups[unknown],
        threshold=threshold,
        left_out=left_out,
    )
    accepted = (rejection.unknown >= threshold).mean()
    runner.tell(name, f"{accepted:.1%} of {len(rejection.unknown)} unknown sounds are accepted")
    return rejection, replace(
        rejection, unknown=stray, unknown_groups=others.tested_groups, left_out=()
    )


def _calibrate(
    prepared: Prepared, heard: Heard, what: tuple[int, list[str]]
) -> tuple[float, float]:
    """Temperature and threshold from the first recordings of what was heard."""
    count, labels = what
    mine = heard.window_file < count
    recordings = [prepared.recordings[number] for number in heard.numbers[:count]]
    return calibrate(heard.windows[mine], heard.window_file[mine], targets(recordings, labels))
