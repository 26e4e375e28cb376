"""From recordings to pictures: draw windows and compute what the front end makes of them."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace

import numpy as np

from timbrel.audio.windows import windows_at_once
from timbrel.dataset.corpus import Corpus, open_corpus
from timbrel.dataset.manifest import Dataset, Recording
from timbrel.errors import DataError, OutputError
from timbrel.features.backend import keras
from timbrel.features.cache import FeatureCache, default_folder
from timbrel.findings import Finding
from timbrel.networks.builders import front_end
from timbrel.networks.recipes import Recipe, get_recipe
from timbrel.progress import Progress, watching
from timbrel.training.examples import Examples, draw_windows, spread_windows

# Part of every cache key: raise it when the same settings give other pictures.
_CACHE_VERSION = 6
_BATCH = 512
# The largest number of windows drawn from one recording.
MOST_WINDOWS = 16

# Cleaning looks wrong if it kept less than this share of the sound, or emptied more than that share
# of the recordings. The threshold to suggest, as a share of the mean level of the recordings: the
# tutorial's 0.005 is about that share.
_LITTLE_KEPT = 0.2
_MANY_EMPTIED = 0.1
_SUGGESTED_SHARE = 0.1


@dataclass(frozen=True, repr=False)
class Audit:
    """Results of reading and cleaning each recording in use.

    Attributes:
        seconds: float64 `(recordings,)`, length as read.
        kept: float64 `(recordings,)`, length after cleaning.
        emptied: bool `(recordings,)`, cleaning left nothing and the sound was used uncleaned.
        level: float64 `(recordings,)`, mean of `|x|` as read, in units of full scale.
        findings: of all recordings, copies among them.
    """

    seconds: np.ndarray
    kept: np.ndarray
    emptied: np.ndarray
    level: np.ndarray
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        return f"Audit({self.kept.sum():.1f} s of {self.seconds.sum():.1f} s kept)"

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Recordings that are odd but used, copies among them."""
        return tuple(item for item in self.findings if item.severity == "odd")

    @property
    def copies(self) -> tuple[Finding, ...]:
        """Recordings that repeat another one."""
        codes = ("exact-duplicate", "near-duplicate")
        return tuple(item for item in self.findings if item.code in codes)

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Recordings that cannot be used."""
        return tuple(item for item in self.findings if item.unusable)


@dataclass(frozen=True, repr=False)
class Prepared:
    """A data set as pictures.

    Attributes:
        examples: the pictures of all drawn windows with their classes.
        recordings: the recordings in use, background not among them.
        sha256: of each recording's file.
        sound_sha256: of each recording's samples, mono, float32, at the rate of the recipe, before
            cleaning; empty where there is no sound to recognise.
        audit: what reading and cleaning found.
        recipe: how all this was made.
        cached: whether the pictures came from the cache.
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
    progress: Progress | bool | None = None,
) -> Prepared:
    """Read, clean and cut a data set and compute its pictures.

    Args:
        dataset: what `read_dataset` gave.
        recipe: a recipe or its name.
        seed: of the drawing of windows.
        cache: where pictures are stored; the platform's cache folder by default. Recordings that
            are missing because a decoder crashed or hung are tried again the next time.
        progress: True for bars, or an object that receives the stages.

    Raises:
        DataError: fewer than two classes have a recording that can be used.
        DecoderError: the processes that decode cannot be started.
    """
    recipe = get_recipe(recipe)
    cache = FeatureCache(default_folder()) if cache is None else cache
    with (
        watching(progress) as told,
        open_corpus(dataset, recipe.windowing, cache=cache, progress=told) as corpus,
    ):
        examples, cached = draw_examples(corpus, recipe, seed=seed, cache=cache, progress=told)
        return prepared_of(corpus, examples, recipe, cached=cached)


def prepared_of(corpus: Corpus, examples: Examples, recipe: Recipe, *, cached: bool) -> Prepared:
    """What `prepare` returns: only the recordings in use, numbered without the others."""
    rows = np.flatnonzero(corpus.has_class)
    return Prepared(
        examples=replace(
            examples, recording=np.searchsorted(rows, examples.recording), background=None
        ),
        recordings=tuple(corpus.select(rows)),
        sha256=tuple(corpus.sha256[row] for row in rows),
        sound_sha256=tuple(corpus.of("digest", rows).tolist()),
        audit=Audit(
            seconds=corpus.of("seconds", rows),
            kept=corpus.of("samples", rows) / recipe.windowing.rate,
            emptied=corpus.of("emptied", rows),
            level=corpus.of("level", rows),
            findings=corpus.findings[len(corpus.dataset.findings) :],
        ),
        recipe=recipe,
        cached=cached,
    )


def draw_examples(
    corpus: Corpus,
    recipe: Recipe,
    *,
    seed: int = 0,
    cache: FeatureCache,
    progress: Progress,
) -> tuple[Examples, bool]:
    """Draw windows from all recordings of classes, and compute their pictures.

    Args:
        corpus: the recordings.
        recipe: names windows and front end.
        seed: of the drawing.
        cache: where pictures are stored.
        progress: receives the stage "computing".

    Returns:
        The examples, numbered by the rows of the corpus, and whether they came from the cache.

    Raises:
        DataError: fewer than two classes have a recording that can be used.
    """
    if len(corpus.labels) < 2:
        found = f"one class only, '{corpus.labels[0]}'" if corpus.labels else "no class"
        first = f" First problem: {corpus.unusable[0]}." if corpus.unusable else ""
        raise DataError(
            "A classifier needs at least two classes; the recordings that can be used hold "
            f"{found}.{first}"
        )
    rows, window = np.flatnonzero(corpus.has_class), recipe.windowing.window
    if recipe.schedule is None:
        place, start = draw_windows(
            corpus.of("samples", rows), corpus.target[rows], window=window, seed=seed
        )
    else:
        # Training uses at least two thirds of the recordings, and at most this many copies of each;
        # more windows would not be used.
        most = min(recipe.schedule.copies_each(max(2 * len(rows) // 3, 1)), MOST_WINDOWS)
        starts = [corpus.description(row).starts for row in rows.tolist()]
        place, start = spread_windows(starts, window=window, most=most, seed=seed)
    recording = rows[place]
    key = FeatureCache.key(
        version=_CACHE_VERSION,
        backend=keras.backend.backend(),
        windowing=asdict(recipe.windowing),
        front_end=recipe.to_dict()["front_end"],
        network=recipe.network.kind,
        recordings=[
            [item.name, digest, item.start, item.end]
            for item, digest in zip(corpus.recordings, corpus.sha256, strict=True)
        ],
        recording=hashlib.sha256(recording.tobytes()).hexdigest(),
        start=hashlib.sha256(start.tobytes()).hexdigest(),
    )
    stored = cache.get(key)
    cached = False
    if stored is not None and set(stored) == {"pictures"}:
        pictures, cached = stored["pictures"], True
    else:
        pictures = _pictures(corpus, recipe, recording, start, progress)
        try:
            cache.put(key, {"pictures": pictures})
        except OutputError as error:
            facts = {"cause": str(error)}
            progress.finding(Finding("not-cached", str(cache.folder), facts))
    examples = Examples(
        pictures=pictures,
        y_flat=corpus.target[recording],
        recording=recording,
        start=start,
        labels=corpus.labels,
        scales=recipe.network.scales,
    )
    return examples, cached


def background_examples(
    corpus: Corpus, recipe: Recipe, rows: np.ndarray, *, seed: int = 0
) -> Examples | None:
    """Draw windows from background and compute their pictures; None if there are none.

    Args:
        corpus: the recordings.
        recipe: names windows and front end; the tutorial's recipes do not learn from background.
        rows: bool `(rows,)`, the background to draw from.
        seed: of the drawing.
    """
    if recipe.schedule is None or not rows.any():
        return None
    places = np.flatnonzero(rows)
    place, start = spread_windows(
        [corpus.description(row).starts for row in places.tolist()],
        window=recipe.windowing.window,
        most=MOST_WINDOWS,
        seed=seed,
    )
    recording = places[place]
    return Examples(
        pictures=_pictures(corpus, recipe, recording, start, Progress()),
        y_flat=corpus.target[recording],
        recording=recording,
        start=start,
        labels=corpus.labels,
        scales=recipe.network.scales,
    )


def cleaning_finding(corpus: Corpus) -> Finding | None:
    """A finding if cleaning removed so much that its threshold looks wrong; else None."""
    threshold, rows = corpus.windowing.clean_threshold, np.flatnonzero(corpus.has_class)
    if threshold is None or not len(rows):
        return None
    emptied = corpus.of("emptied", rows)
    read = float(corpus.of("seconds", rows).sum())
    kept = float(corpus.of("samples", rows)[~emptied].sum()) / corpus.windowing.rate
    if kept / read >= _LITTLE_KEPT and emptied.mean() <= _MANY_EMPTIED:
        return None
    level = float(np.median(corpus.of("level", rows)))
    return Finding(
        "little-kept",
        corpus.dataset.source,
        {
            "kept": kept,
            "seconds": read,
            "emptied": int(emptied.sum()),
            "recordings": len(rows),
            "threshold": threshold,
            "better": f"{_SUGGESTED_SHARE * level:.1g}",
        },
    )


def _pictures(
    corpus: Corpus, recipe: Recipe, recording: np.ndarray, start: np.ndarray, progress: Progress
) -> np.ndarray:
    """Pictures of windows; float32 `(n, …)`."""
    model = front_end(recipe)
    transform = model.layers[0].transform(model)
    pictures = np.empty((len(recording), *model.output_shape[1:]), dtype=np.float32)
    size = windows_at_once(model.input_shape[1], most=_BATCH)
    # Where samples must be decoded again, decode each recording once.
    order = np.arange(len(recording))
    if not corpus.keeps_all:
        order = np.argsort(recording, kind="stable")
    for first in range(0, len(order), size):
        part = order[first : first + size]
        pictures[part] = transform(corpus.windows(recording[part], start[part]))
        progress.stage("computing", min(first + size, len(order)), len(order))
    return pictures
