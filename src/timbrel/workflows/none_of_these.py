"""Examples of none of these: half of them to learn from, half to test with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from timbrel.audio.clean import uncleaned
from timbrel.audio.isolated import IsolatedDecoder
from timbrel.audio.spool import WaveformSpool
from timbrel.audio.windows import consecutive, counting
from timbrel.dataset.duplicates import Fingerprint, near_duplicates
from timbrel.dataset.fingerprint import join_copies, join_duplicates, recording_sha256
from timbrel.dataset.folds import own_folds
from timbrel.dataset.manifest import Dataset, Problem, Recording
from timbrel.display.bars import Stages
from timbrel.errors import AudioError
from timbrel.networks.builders import front_end
from timbrel.networks.recipes import Recipe
from timbrel.parallel import in_order
from timbrel.training.draw import spread_windows
from timbrel.training.examples import NoneOfThese
from timbrel.training.prepare import (
    MOST_WINDOWS,
    Prepared,
    hear_recording,
    pictures_of,
    transform_of,
)

_SILENCE = "every sample is zero; exact silence is unknown without being learned"


@dataclass(frozen=True)
class Others:
    """Recordings that belong to no class.

    Attributes:
        recordings: those that can be used; copies share a group.
        sha256: of each recording's file.
        sound_sha256: of each recording's samples, as in `Prepared`.
        learned: bool `(recordings,)`, which are learned from; whole groups, none where the recipe
            learns from no such examples.
        beside: int `(recordings,)`, a recording of a class that each shares its group or its fold
            with, or −1: what keeps that aside keeps this from being learned.
        warnings: recordings that are odd but used.
        problems: those that cannot be used.
        recipe: how they are heard.
        spool: holds the sounds, cleaned; closed by `close`.
        samples: length of each there.
        starts: where windows of each may begin.
        seed: of the windows to learn from.
    """

    recordings: tuple[Recording, ...]
    sha256: tuple[str, ...]
    sound_sha256: tuple[str, ...]
    learned: np.ndarray
    beside: np.ndarray
    warnings: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    recipe: Recipe
    spool: WaveformSpool
    samples: tuple[int, ...]
    starts: tuple[np.ndarray, ...]
    seed: int

    def close(self) -> None:
        """Forget the sounds."""
        self.spool.close()

    @property
    def tested(self) -> np.ndarray:
        """Numbers of the recordings that are not learned from, int64 `(k,)`."""
        return np.flatnonzero(~self.learned)

    @property
    def tested_groups(self) -> np.ndarray:
        """The groups of those, `(k,)`."""
        return np.array([self.recordings[number].group for number in self.tested], dtype=str)

    def windows(self, number: int) -> np.ndarray:
        """Consecutive windows that count of a recording; float32 `(n, window)`."""
        whole = self.spool.windows([number], [0], window=self.samples[number])[0]
        windowing = self.recipe.windowing
        return counting(consecutive(uncleaned(whole), windowing).samples, windowing)

    def examples(self, *, everything: bool = False) -> NoneOfThese | None:
        """Pictures to learn from; None where the recipe learns from none.

        Args:
            everything: of all recordings, where nothing is kept for a test.
        """
        chosen = np.arange(len(self.recordings)) if everything else np.flatnonzero(self.learned)
        if self.recipe.schedule is None or not len(chosen):
            return None
        window = self.recipe.windowing.window
        starts = [self.starts[number] for number in chosen]
        place, start = spread_windows(starts, window=window, most=MOST_WINDOWS, seed=self.seed)
        model = front_end(self.recipe)
        where = chosen[place], start
        pictures = pictures_of(self.spool, (model, transform_of(model)), where)
        return NoneOfThese(pictures, self.beside[chosen[place]])

    def tell(self, say: Callable[[str], None]) -> None:
        """Say what becomes of them, and what is odd about any."""
        for text in [self.note(), *map(str, self.warnings)]:
            if text:
                say(text)

    def note(self) -> str | None:
        """Say in a sentence what becomes of them; None where there are none."""
        count, learned = len(self.recordings), int(self.learned.sum())
        if not count:
            return None
        be = "recording is an example" if count == 1 else "recordings are examples"
        if self.recipe.schedule is None:
            fate = "this recipe does not learn from them; they test how unknown sounds are rejected"
        elif learned == count:
            fate = "all are learned from; with more groups, some would test how unknown sounds fare"
        else:
            fate = (
                f"{learned} are learned from, {count - learned} test how unknown sounds are "
                "rejected"
            )
        return f"{count} {be} of none of these: {fate}."


def hear_none_of_these(
    dataset: Dataset,
    prepared: Prepared,
    *,
    seed: int = 0,
    progress: Stages = lambda stage, done, total: None,
) -> Others:
    """Decode and clean the examples of none of these, and deal them.

    Half of the groups are learned from, or, where the data has folds of its own, all but the last
    fold. What is the same sound as a recording of a class is a contradiction, and not used.

    Args:
        dataset: all recordings.
        prepared: what became of those that have a class.
        seed: of the dealing, and of the windows to learn from.
        progress: called with "reading", and how many are read of how many.
    """
    with contextlib.ExitStack() as undone:
        spool = undone.enter_context(WaveformSpool())
        read = _read(dataset, prepared, (spool, progress))
        others = _deal(read, prepared, (spool, seed))
        undone.pop_all()
    return others


def learning_from(prepared: Prepared, others: NoneOfThese | None) -> Prepared:
    """Let what is prepared be learned from together with examples of none of these."""
    return replace(prepared, examples=replace(prepared.examples, none_of_these=others))


@dataclass
class _Read:
    """What was read, apart from the samples, and what could not be."""

    recordings: list[Recording] = field(default_factory=list)
    sums: list[str] = field(default_factory=list)
    prints: list[Fingerprint | None] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    starts: list[np.ndarray] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def _read(dataset: Dataset, prepared: Prepared, how: tuple[WaveformSpool, Stages]) -> _Read:
    (spool, tell), windowing = how, prepared.recipe.windowing
    known = dict(zip(prepared.sound_sha256, prepared.recordings, strict=True))
    items = [item for item in dataset.recordings if item.none_of_these]
    sums = recording_sha256(items)
    items, _ = join_duplicates(items, sums)
    read = _Read()
    with IsolatedDecoder() as decoder:
        heard = in_order(
            lambda item: hear_recording(item, windowing, decoder, silence=_SILENCE),
            items,
            stop=decoder.close,
        )
        for number, found in enumerate(heard):
            item = items[number]
            tell("reading", number + 1, len(items))
            if isinstance(found, AudioError):
                read.problems.append(Problem(item.name, found.reason))
                continue
            waveform, _, warnings, mark, starts = found
            if mark and mark.digest in known:
                read.problems.append(Problem(item.name, _contradiction(known[mark.digest])))
                continue
            spool.add(waveform)
            read.recordings.append(item)
            read.sums.append(sums[number])
            read.prints.append(mark)
            read.samples.append(len(waveform))
            read.starts.append(starts)
            read.warnings += [Problem(item.name, text) for text in warnings]
    return read


def _contradiction(other: Recording) -> str:
    return (
        f"it is the same sound as {other.name}, which is labelled '{other.label}': a sound of a "
        "class is none of these at the same time; correct one of the labels"
    )


def _deal(read: _Read, prepared: Prepared, how: tuple[WaveformSpool, int]) -> Others:
    spool, seed = how
    pairs = [(pair.first, pair.second) for pair in near_duplicates(read.prints)]
    joined, _ = join_copies(read.recordings, read.sums, pairs)
    learned = np.zeros(len(joined), dtype=bool)
    if prepared.recipe.schedule is not None:
        learned = _learned(joined, prepared.recordings, seed)
    # A recording of the same group, where there is one, or else of the same fold.
    folds = {item.fold: number for number, item in enumerate(prepared.recordings) if item.fold}
    groups = {item.group: number for number, item in enumerate(prepared.recordings)}
    beside = [groups.get(item.group, folds.get(item.fold, -1)) for item in joined]
    return Others(
        recordings=tuple(joined),
        sha256=tuple(read.sums),
        sound_sha256=tuple(mark.digest if mark else "" for mark in read.prints),
        learned=learned,
        beside=np.array(beside, dtype=np.int64),
        warnings=tuple(read.warnings),
        problems=tuple(read.problems),
        recipe=prepared.recipe,
        spool=spool,
        samples=tuple(read.samples),
        starts=tuple(read.starts),
        seed=seed,
    )


def _learned(others: Sequence[Recording], known: Sequence[Recording], seed: int) -> np.ndarray:
    """Which are learned from: the larger half of the groups, or what is not in the last fold."""
    if any(item.fold for item in known):
        last = own_folds(known)[0][-1]
        return np.array([item.fold != last for item in others], dtype=bool)
    groups = sorted({item.group for item in others})
    order = np.random.default_rng(seed).permutation(len(groups))
    learned = {groups[place] for place in order[: -(-len(groups) // 2)]}
    return np.array([item.group in learned for item in others], dtype=bool)
