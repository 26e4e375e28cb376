"""Examples of none of these: half of them to learn from, half to test with."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from timbrel.audio.clean import uncleaned
from timbrel.audio.isolated import IsolatedDecoder
from timbrel.audio.spool import WaveformSpool
from timbrel.audio.windows import Windowing, consecutive, counting, keep
from timbrel.dataset.duplicates import Fingerprint, fingerprint, near_duplicates
from timbrel.dataset.fingerprint import join_copies, join_duplicates, recording_sha256
from timbrel.dataset.manifest import Dataset, Problem, Recording
from timbrel.errors import AudioError
from timbrel.networks.builders import front_end
from timbrel.networks.recipes import Recipe
from timbrel.parallel import in_order
from timbrel.training.draw import sounding_starts, spread_windows
from timbrel.training.examples import NoneOfThese
from timbrel.training.prepare import MOST_WINDOWS, Prepared, pictures_of, transform_of


@dataclass(frozen=True)
class Others:
    """Recordings that belong to no class.

    Attributes:
        recordings: those that can be used; copies share a group.
        sha256: of each recording's file.
        sound_sha256: of each recording's samples, as in `Prepared`.
        learned: bool `(recordings,)`, which are learned from; whole groups, none where the recipe
            learns from no such examples.
        problems: those that cannot be used.
        examples: what is learned from those.
        everything: what is learned where nothing is kept for a test.
        spool: holds the sounds, cleaned; closed by `close`.
        samples: length of each there.
        windowing: how they become windows.
    """

    recordings: tuple[Recording, ...]
    sha256: tuple[str, ...]
    sound_sha256: tuple[str, ...]
    learned: np.ndarray
    problems: tuple[Problem, ...]
    examples: NoneOfThese | None
    everything: NoneOfThese | None
    spool: WaveformSpool
    samples: tuple[int, ...]
    windowing: Windowing

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
        return counting(consecutive(uncleaned(whole), self.windowing).samples, self.windowing)

    def note(self) -> str | None:
        """Say in a sentence what becomes of them; None where there are none."""
        count, learned = len(self.recordings), int(self.learned.sum())
        if not count:
            return None
        be = "recording is an example" if count == 1 else "recordings are examples"
        if self.examples is None:
            fate = "this recipe does not learn from them; they test how unknown sounds are rejected"
        elif learned == count:
            fate = "learned from; with a second group, half would test how unknown sounds fare"
        else:
            fate = (
                f"{learned} are learned from, {count - learned} test how unknown sounds are "
                "rejected"
            )
        return f"{count} {be} of none of these: {fate}."


def hear_none_of_these(dataset: Dataset, prepared: Prepared, *, seed: int = 0) -> Others:
    """Decode and clean the examples of none of these, and deal them; silence needs no model.

    Args:
        dataset: all recordings.
        prepared: what became of those that have a class.
        seed: of the dealing, and of the windows to learn from.
    """
    with contextlib.ExitStack() as undone:
        spool = undone.enter_context(WaveformSpool())
        others = _deal(_read(dataset, prepared.recipe, spool), prepared, (spool, seed))
        undone.pop_all()
    return others


def learning_from(prepared: Prepared, others: NoneOfThese | None) -> Prepared:
    """Let what is prepared be learned from together with examples of none of these."""
    return replace(prepared, examples=replace(prepared.examples, none_of_these=others))


def _hear(
    item: Recording, windowing: Windowing, decoder: IsolatedDecoder
) -> tuple[np.ndarray, np.ndarray, Fingerprint | None] | AudioError | None:
    """Cleaned waveform, where windows may begin, and the fingerprint; None for silence."""
    try:
        decoded = decoder.decode(
            item.file, windowing.rate, start=item.start, end=item.end, name=item.name
        )
    except AudioError as error:
        return error
    if decoded.silent:
        return None
    waveform = keep(decoded.waveform, windowing)[0].waveform
    starts = sounding_starts(waveform, window=windowing.window, depth=windowing.depth)
    return waveform, starts, fingerprint(decoded.waveform, windowing.rate)


@dataclass
class _Read:
    """What was read, apart from the samples, and what could not be."""

    recordings: list[Recording] = field(default_factory=list)
    sums: list[str] = field(default_factory=list)
    prints: list[Fingerprint | None] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    starts: list[np.ndarray] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def _read(dataset: Dataset, recipe: Recipe, spool: WaveformSpool) -> _Read:
    items = [item for item in dataset.recordings if item.none_of_these]
    sums = recording_sha256(items)
    items, _ = join_duplicates(items, sums)
    read = _Read()
    with IsolatedDecoder() as decoder:
        heard = in_order(
            lambda item: _hear(item, recipe.windowing, decoder), items, stop=decoder.close
        )
        for number, found in enumerate(heard):
            if isinstance(found, AudioError):
                read.problems.append(Problem(items[number].name, found.reason))
            elif found is not None:
                waveform, starts, mark = found
                spool.add(waveform)
                read.recordings.append(items[number])
                read.sums.append(sums[number])
                read.prints.append(mark)
                read.samples.append(len(waveform))
                read.starts.append(starts)
    return read


def _deal(read: _Read, prepared: Prepared, how: tuple[WaveformSpool, int]) -> Others:
    spool, seed = how
    pairs = [(pair.first, pair.second) for pair in near_duplicates(read.prints)]
    joined, _ = join_copies(read.recordings, read.sums, pairs)
    learned, everything, examples = np.zeros(len(joined), dtype=bool), None, None
    if joined and prepared.recipe.schedule is not None:
        learned = _half(joined, seed)
        everything, recording = _examples(spool, read.starts, (joined, prepared, seed))
        examples = everything.select(learned[recording])
    return Others(
        recordings=tuple(joined),
        sha256=tuple(read.sums),
        sound_sha256=tuple(mark.digest if mark else "" for mark in read.prints),
        learned=learned,
        problems=tuple(read.problems),
        examples=examples,
        everything=everything,
        spool=spool,
        samples=tuple(read.samples),
        windowing=prepared.recipe.windowing,
    )


def _half(recordings: Sequence[Recording], seed: int) -> np.ndarray:
    """Deal whole groups; the larger half is learned from, and all of a single group."""
    groups = sorted({item.group for item in recordings})
    order = np.random.default_rng(seed).permutation(len(groups))
    learned = {groups[place] for place in order[: -(-len(groups) // 2)]}
    return np.array([item.group in learned for item in recordings])


def _examples(
    spool: WaveformSpool,
    starts: list[np.ndarray],
    what: tuple[list[Recording], Prepared, int],
) -> tuple[NoneOfThese, np.ndarray]:
    """Pictures to learn from of all the recordings, and the recording of each."""
    joined, prepared, seed = what
    recipe: Recipe = prepared.recipe
    window = recipe.windowing.window
    recording, start = spread_windows(starts, window=window, most=MOST_WINDOWS, seed=seed)
    model = front_end(recipe)
    pictures = pictures_of(spool, (model, transform_of(model)), (recording, start))
    # A recording of the same group, where there is one: what keeps that aside keeps this aside.
    place = {item.group: number for number, item in enumerate(prepared.recordings)}
    beside = np.array([place.get(item.group, -1) for item in joined])
    return NoneOfThese(pictures, beside[recording]), recording
