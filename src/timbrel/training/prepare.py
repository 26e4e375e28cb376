"""From recordings to pictures: decode, clean, draw windows, MFCC; computed once, then cached."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from timbrel.audio.isolated import IsolatedDecoder
from timbrel.audio.spool import WaveformSpool
from timbrel.audio.windows import Windowing, cleaning_warnings, keep, windows_at_once
from timbrel.dataset.duplicates import Fingerprint, fingerprint, near_duplicates
from timbrel.dataset.fingerprint import join_copies, join_duplicates, recording_sha256
from timbrel.dataset.manifest import Dataset, Problem, Recording
from timbrel.display.bars import Stages, telling_stages
from timbrel.errors import AudioError, DataError, DecoderFailed, OutputError
from timbrel.features.backend import keras
from timbrel.features.cache import FeatureCache, default_folder
from timbrel.features.logmel import LogMel
from timbrel.networks.builders import front_end
from timbrel.networks.recipes import Recipe, get_recipe
from timbrel.parallel import in_order
from timbrel.training.draw import draw_windows, sounding_starts, spread_windows
from timbrel.training.examples import Examples
from timbrel.wording import counted

# Part of every cache key: raise it when the same settings give other pictures, or more is kept.
_CACHE_VERSION = 5
_BATCH = 512
# Windows that a long recording is represented by, where there are few recordings.
MOST_WINDOWS = 16
_CACHED = {
    *("pictures", "recording", "start", "used"),
    *("seconds", "kept", "emptied", "level", "said", "copies", "sound_sha256"),
}

# When to say that the cleaning threshold looks wrong, and what to propose: the tutorial's 0.005 is
# about this share of the mean level of its recordings.
_LITTLE_KEPT = 0.2
_MANY_EMPTIED = 0.1
_SUGGESTED_SHARE = 0.1


@dataclass(frozen=True, repr=False)
class Audit:
    """What reading and cleaning found, recording by recording.

    Attributes:
        seconds: float64 `(recordings,)`, length as read.
        kept: float64 `(recordings,)`, length after cleaning.
        emptied: bool `(recordings,)`, cleaning left nothing and the sound was used uncleaned.
        level: float64 `(recordings,)`, mean of `|x|` as read, in units of full scale.
        warnings: recordings that are odd but used, copies among them.
        copies: recordings that repeat another one, and which.
        problems: recordings that cannot be used.
    """

    seconds: np.ndarray
    kept: np.ndarray
    emptied: np.ndarray
    level: np.ndarray
    warnings: tuple[Problem, ...]
    copies: tuple[Problem, ...]
    problems: tuple[Problem, ...]

    def __repr__(self) -> str:
        return f"Audit({self.kept.sum():.1f} s of {self.seconds.sum():.1f} s kept)"

    def cleaning_note(self, threshold: float | None) -> str | None:
        """Say so where cleaning took so much that its threshold looks wrong; else None."""
        if threshold is None or len(self.seconds) == 0:
            return None
        share = self.kept[~self.emptied].sum() / self.seconds.sum()
        if share >= _LITTLE_KEPT and self.emptied.mean() <= _MANY_EMPTIED:
            return None
        better = f"{_SUGGESTED_SHARE * float(np.median(self.level)):.1g}"
        return (
            f"Cleaning kept {self.kept[~self.emptied].sum():.1f} s of {self.seconds.sum():.1f} s "
            f"({share:.0%}) and would have left nothing of {self.emptied.sum()} of "
            f"{counted(len(self.emptied), 'recording')}, which were used uncleaned: the threshold "
            f"{threshold:g} looks too high for recordings this quiet. "
            f"Lower it, for instance with --clean-threshold {better}."
        )


@dataclass(frozen=True, repr=False)
class Prepared:
    """A data set as pictures.

    Attributes:
        examples: the pictures of all drawn windows with their classes.
        recordings: the recordings in use, examples of none of these not among them.
        sha256: of each recording's file.
        sound_sha256: of each recording's samples, mono, float32, at the rate of the recipe, before
            cleaning (`samples_sha256`); empty where there is no sound to recognise.
        audit: what reading and cleaning found.
        recipe: how all this was made.
        cached: whether it came from the cache.
    """

    examples: Examples
    recordings: tuple[Recording, ...]
    sha256: tuple[str, ...]
    sound_sha256: tuple[str, ...]
    audit: Audit
    recipe: Recipe
    cached: bool

    def __repr__(self) -> str:
        return f"Prepared({self.recipe.name!r}: {self.examples!r}; {self.audit!r})"


def prepare(
    dataset: Dataset,
    recipe: str | Recipe = "tutorial-cnn",
    *,
    seed: int = 0,
    cache: FeatureCache | None = None,
    progress: Stages | bool | None = None,
) -> Prepared:
    """Read, clean and cut a data set and compute its pictures.

    Args:
        dataset: what `read_dataset` gave.
        recipe: a recipe or its name.
        seed: of the drawing of windows.
        cache: where pictures are kept; the platform's cache folder by default. What a decoder
            that crashed or hung left out is not kept: it is tried again the next time.
        progress: True for bars, or called with the stage, and what is done of how much.

    Raises:
        DataError: fewer than two classes have a recording that can be used.
        DecoderError: the processes that decode cannot be started.
    """
    recipe = get_recipe(recipe)
    cache = FeatureCache(default_folder()) if cache is None else cache
    recordings = [item for item in dataset.recordings if not item.none_of_these]
    sums = recording_sha256(recordings)
    recordings, repeated = join_duplicates(recordings, sums)
    key = _key(recordings, sums, (recipe, seed))
    arrays = cache.get(key)
    if arrays is not None and set(arrays) != _CACHED:
        arrays = None
    cached, more = arrays is not None, ()
    if arrays is None:
        with telling_stages(progress) as tell:
            arrays, lasting = _compute(recordings, recipe, (seed, tell))
        try:
            if lasting:
                cache.put(key, arrays)
        except OutputError as error:
            more = (Problem(str(cache.folder), f"the features were not cached. {error}"),)
    said = tuple(repeated), more
    return _assemble(arrays, (recordings, sums, recipe), cached=cached, said=said)


def _key(recordings: Sequence[Recording], sums: list[str], how: tuple[Recipe, int]) -> str:
    recipe, seed = how
    return FeatureCache.key(
        version=_CACHE_VERSION,
        backend=keras.backend.backend(),
        windowing=asdict(recipe.windowing),
        front_end=asdict(recipe.front_end),
        picture=type(recipe.network).__name__,
        windows=None if recipe.schedule is None else _most_windows(recipe, len(recordings)),
        seed=seed,
        recordings=[
            [item.name, digest, item.label, item.start, item.end]
            for item, digest in zip(recordings, sums, strict=True)
        ],
    )


def _most_windows(recipe: Recipe, recordings: int) -> int:
    """Windows of one recording that a scheduled training has copies for, so that many suffice.

    It learns from two thirds of the recordings or more, and makes more copies of fewer.
    """
    return min(recipe.schedule.copies_each(max(2 * recordings // 3, 1)), MOST_WINDOWS)


def _compute(
    recordings: list[Recording], recipe: Recipe, how: tuple[int, Stages]
) -> tuple[dict[str, np.ndarray], bool]:
    """All that is cached, as arrays, and whether another time would find the same.

    Recordings are numbered as in the data set.
    """
    seed, tell = how
    windowing = recipe.windowing
    with IsolatedDecoder() as decoder, WaveformSpool() as spool:
        decoder.start(len(recordings))
        # Built, and compiled where that is needed, while the decoders start.
        model = front_end(recipe)
        transform = transform_of(model)
        read = _read_all(recordings, windowing, (decoder, spool, tell))
        target = _targets([recordings[number] for number in read.used], read.problems)
        copies = near_duplicates(
            read.prints, progress=lambda done, total: tell("comparing", done, total)
        )
        samples, seconds, emptied, level = map(np.array, zip(*read.facts, strict=True))
        how_long = {"window": windowing.window, "seed": seed}
        if recipe.schedule is None:
            recording, start = draw_windows(samples, target, **how_long)
        else:
            most = _most_windows(recipe, len(recordings))
            recording, start = spread_windows(read.starts, most=most, **how_long)
        pictures = pictures_of(spool, (model, transform), (recording, start), tell)
    pairs = [(pair.first, pair.second) for pair in copies]
    arrays = {
        "pictures": pictures,
        "recording": recording,
        "start": start,
        "used": np.array(read.used),
        "seconds": seconds,
        "kept": samples / windowing.rate,
        "emptied": emptied,
        "level": level,
        "said": np.array(json.dumps([read.warnings, read.problems])),
        "copies": np.array(pairs, dtype=np.int64).reshape(-1, 2),
        "sound_sha256": np.array([found.digest if found else "" for found in read.prints]),
    }
    return arrays, read.lasting


@dataclass
class _Read:
    """What was found while all recordings were read, apart from their samples."""

    used: list[int] = field(default_factory=list)
    facts: list[tuple] = field(default_factory=list)
    starts: list[np.ndarray] = field(default_factory=list)
    prints: list[Fingerprint | None] = field(default_factory=list)
    warnings: list[list[str]] = field(default_factory=list)
    problems: list[list[str]] = field(default_factory=list)
    lasting: bool = True


def _read_all(
    recordings: list[Recording],
    windowing: Windowing,
    how: tuple[IsolatedDecoder, WaveformSpool, Stages],
) -> _Read:
    decoder, spool, tell = how
    read = _Read()
    heard = in_order(
        lambda item: hear_recording(item, windowing, decoder), recordings, stop=decoder.close
    )
    for number, result in enumerate(heard):
        name = recordings[number].name
        if isinstance(result, AudioError):
            read.problems.append([name, result.reason])
            read.lasting = read.lasting and not isinstance(result, DecoderFailed)
        else:
            waveform, fact, odd, found, starts = result
            read.starts.append(starts)
            spool.add(waveform)
            read.used.append(number)
            read.facts.append(fact)
            read.prints.append(found)
            read.warnings += [[name, text] for text in odd]
        tell("reading", number + 1, len(recordings))
    return read


_Heard = AudioError | tuple[np.ndarray, tuple, list[str], Fingerprint | None, np.ndarray]


def hear_recording(
    item: Recording,
    windowing: Windowing,
    decoder: IsolatedDecoder,
    *,
    silence: str = "every sample is zero (digital silence); record it again or take it out",
) -> _Heard:
    """Decode and clean a recording.

    Args:
        item: the recording.
        windowing: how it becomes windows.
        decoder: decodes it.
        silence: what is wrong where every sample is zero.

    Returns:
        What is wrong, or: the cleaned waveform, float32 `(samples,)`; samples kept, seconds as
        read, whether cleaning would have left nothing, and mean level; warnings; fingerprint;
        where windows may begin.
    """
    try:
        decoded = decoder.decode(
            item.file, windowing.rate, start=item.start, end=item.end, name=item.name
        )
    except AudioError as error:
        return error
    if decoded.silent:
        return AudioError(item.name, silence)
    cleaned, left = keep(decoded.waveform, windowing)
    warnings = [*decoded.warnings, *cleaning_warnings(len(cleaned.waveform), windowing, left=left)]
    level = float(np.abs(decoded.waveform).mean())
    fact = (len(cleaned.waveform), decoded.seconds, not left, level)
    found = fingerprint(decoded.waveform, windowing.rate)
    starts = sounding_starts(cleaned.waveform, window=windowing.window, depth=windowing.depth)
    return cleaned.waveform, fact, warnings, found, starts


def _targets(recordings: list[Recording], problems: list[list[str]]) -> np.ndarray:
    labels = sorted({item.label for item in recordings})
    if len(labels) < 2:
        found = f"one class only, '{labels[0]}'" if labels else "no class"
        reason = f" First problem: {problems[0][0]}: {problems[0][1]}." if problems else ""
        raise DataError(
            f"A classifier needs at least two classes; the recordings that can be used "
            f"hold {found}.{reason}"
        )
    return np.array([labels.index(item.label) for item in recordings])


def transform_of(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """The fastest way to what a front end makes of windows."""
    if isinstance(model.layers[0], LogMel):
        return model.layers[0].compute
    samples = model.input_shape[1]
    size = windows_at_once(samples, most=_BATCH)
    model.predict_on_batch(np.zeros((size, samples), dtype=np.float32))
    return lambda windows: keras.ops.convert_to_numpy(model.predict_on_batch(windows))


def pictures_of(
    spool: WaveformSpool,
    how: tuple[keras.Model, Callable[[np.ndarray], np.ndarray]],
    what: tuple[np.ndarray, np.ndarray],
    tell: Stages = lambda stage, done, total: None,
) -> np.ndarray:
    """What a front end makes of windows.

    Args:
        spool: where the recordings lie, cleaned.
        how: the front end, and what `transform_of` gave for it.
        what: recording and first sample of each window.
        tell: told how far it is.

    Returns:
        float32 `(n, …)`.
    """
    (model, transform), (recording, start) = how, what
    shape = (len(recording), *model.output_shape[1:])
    pictures = np.empty(shape, dtype=np.float32)
    size = windows_at_once(model.input_shape[1], most=_BATCH)
    for first in range(0, len(recording), size):
        part = slice(first, first + size)
        windows = spool.windows(recording[part], start[part], window=model.input_shape[1])
        pictures[part] = transform(windows)
        tell("computing", min(first + size, len(recording)), len(recording))
    return pictures


def _assemble(
    arrays: dict[str, np.ndarray],
    what: tuple[list[Recording], list[str], Recipe],
    *,
    cached: bool,
    said: tuple[tuple[Problem, ...], tuple[Problem, ...]],
) -> Prepared:
    """Join the copies; `said` are remarks on files that are the same, and further warnings."""
    recordings, sums, recipe = what
    sums = [sums[number] for number in arrays["used"]]
    used, repeated = join_copies(
        [recordings[number] for number in arrays["used"]], sums, arrays["copies"].tolist()
    )
    same, more = said
    in_use = {item.name for item in used}
    labels = tuple(sorted({item.label for item in used}))
    target = np.array([labels.index(item.label) for item in used])
    warnings, problems = json.loads(str(arrays["said"]))
    return Prepared(
        examples=Examples(
            pictures=arrays["pictures"],
            y_flat=target[arrays["recording"]],
            recording=arrays["recording"],
            start=arrays["start"],
            labels=labels,
            scales=recipe.schedule is None,
        ),
        recordings=tuple(used),
        sha256=tuple(sums),
        sound_sha256=tuple(arrays["sound_sha256"].tolist()),
        audit=Audit(
            seconds=arrays["seconds"],
            kept=arrays["kept"],
            emptied=arrays["emptied"],
            level=arrays["level"],
            warnings=(*(Problem(*pair) for pair in warnings), *same, *more, *repeated),
            copies=(*(item for item in same if item.path in in_use), *repeated),
            problems=tuple(Problem(*pair) for pair in problems),
        ),
        recipe=recipe,
        cached=cached,
    )
