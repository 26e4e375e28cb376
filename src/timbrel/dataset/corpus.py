"""One pass over the recordings of a data set: what was found of each, and its samples.

A recording is a row, in the order of the data set; background, and what cannot be used, among them.
Whoever wants some of the rows takes a mask over all. Each recording is decoded once, in a process
of its own, however many parts of a command want to hear it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from types import TracebackType
from typing import Literal, TypeVar

import numpy as np

from timbrel.audio.clean import Cleaned
from timbrel.audio.decode import IsolatedDecoder, whole
from timbrel.audio.levels import Levels, measure_levels
from timbrel.audio.reading import Reading
from timbrel.audio.samples import resample
from timbrel.audio.windows import Windowing, cleaning_findings, keep, sounding_starts
from timbrel.dataset.copies import (
    Duplicate,
    Fingerprint,
    dataset_sha256,
    fingerprint,
    join_groups,
    near_duplicates,
    recording_sha256,
)
from timbrel.dataset.recording import Dataset, Recording, targets
from timbrel.errors import AudioError, DecoderFailed, OutputError
from timbrel.features.cache import FeatureCache
from timbrel.findings import Finding
from timbrel.progress import Progress
from timbrel.workers import Task, in_order

Answer = TypeVar("Answer")

STATISTICS_RATE = 16_000
"""Sample rate in Hz at which `statistics` are computed, whatever the recipe hears at."""

# Part of every cache key: raise it when the same settings find other facts, or more is kept.
_CACHE_VERSION = 6
# Samples that are kept on disk at most, and the share of the free disk; what does not fit is
# decoded again whenever it is wanted.
_MOST_BYTES = 16 << 30
_MOST_OF_DISK = 0.5


@dataclass(frozen=True)
class Description:
    """What a recording that can be read was found to be.

    Attributes:
        seconds: length as read.
        rate: sample rate of the file in Hz.
        channels: channels in the file.
        silent: whether every sample is zero; then there is nothing more to say.
        level: mean of `|x|` at the rate of the windowing, in units of full scale.
        samples: how many cleaning keeps, at the rate of the windowing; all where it would keep
            none.
        emptied: whether cleaning would keep none, so that the recording is used uncleaned.
        digest: SHA-256 of the samples before cleaning; empty where there is nothing to recognise.
        findings: what is odd about it, as codes and facts.
        runs: int64 `(k, 2)`, first sample and end of each stretch that cleaning keeps.
        starts: int64 `(n,)`, first samples of windows with sound in them, after cleaning.
        levels: peak, level, offset and clipping at the rate of the file; None unless measured.
        statistics: float32 `(d,)` of `timbrel.features.statistics`; None unless computed.
    """

    seconds: float
    rate: int
    channels: int
    silent: bool
    level: float
    samples: int
    emptied: bool
    digest: str
    findings: tuple[Finding, ...]
    runs: np.ndarray
    starts: np.ndarray
    levels: Levels | None = None
    statistics: np.ndarray | None = None


@dataclass(frozen=True, repr=False)
class Corpus:
    """A data set, and what one pass over its recordings found; close it when it is not needed.

    Attributes:
        dataset: the data set as it was read.
        windowing: how recordings are cleaned and cut.
        recordings: every recording, in the order of the data set; copies share a group.
        described: of each, None where it cannot be read.
        usable: bool `(rows,)`, whether there is sound to learn from or to test with.
        labels: the classes with a usable recording, sorted.
        target: int64 `(rows,)`, an index into `labels`; −1 for background and what is not usable.
        sha256: of each recording's file; empty where it cannot be read.
        pairs: recordings that are the same sound.
        findings: whatever was found, of the list first, then of the recordings in their order,
            then of copies.
    """

    dataset: Dataset
    windowing: Windowing
    recordings: tuple[Recording, ...]
    described: tuple[Description | None, ...]
    usable: np.ndarray
    labels: tuple[str, ...]
    target: np.ndarray
    sha256: tuple[str, ...]
    pairs: tuple[Duplicate, ...]
    findings: tuple[Finding, ...]
    _samples: _Samples = field(repr=False)

    def __len__(self) -> int:
        return len(self.recordings)

    def __repr__(self) -> str:
        return f"Corpus({self.dataset!r}: {int(self.usable.sum())} usable)"

    def __enter__(self) -> Corpus:
        return self

    def __exit__(
        self, kind: type | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the samples."""
        self._samples.close()

    @cached_property
    def has_class(self) -> np.ndarray:
        """Bool `(rows,)`, usable recordings of a class."""
        return self.target >= 0

    @cached_property
    def background(self) -> np.ndarray:
        """Bool `(rows,)`, usable examples of no class."""
        return self.usable & ~self.has_class

    @cached_property
    def groups(self) -> np.ndarray:
        """The group of each recording, `(rows,)`."""
        return np.array([item.group for item in self.recordings], dtype=object)

    @property
    def unusable(self) -> tuple[Finding, ...]:
        """What cannot be used, and why."""
        return tuple(item for item in self.findings if item.unusable)

    def select(self, rows: np.ndarray) -> list[Recording]:
        """The recordings at a mask or at positions."""
        return [self.recordings[row] for row in np.arange(len(self))[rows]]

    def of(self, name: str, rows: np.ndarray) -> np.ndarray:
        """One attribute of the descriptions of usable rows, at a mask or at positions; `(n,)`."""
        return np.array([getattr(self.described[row], name) for row in np.arange(len(self))[rows]])

    def mask(self, rows: np.ndarray) -> np.ndarray:
        """Bool `(rows,)`, true at positions."""
        found = np.zeros(len(self), dtype=bool)
        found[rows] = True
        return found

    def with_background(self, rows: np.ndarray) -> np.ndarray:
        """Add the background that belongs with some rows: what keeps them apart keeps it apart.

        It belongs with a recording of a class in the same group or, where there is none, in the
        same fold.

        Args:
            rows: bool `(rows,)`.
        """
        by_group: dict[str, int] = {}
        by_fold: dict[str, int] = {}
        for row in np.flatnonzero(self.has_class):
            by_group[self.recordings[row].group] = row
            if self.recordings[row].fold:
                by_fold[self.recordings[row].fold] = row
        found = rows.copy()
        for row in np.flatnonzero(self.background):
            item = self.recordings[row]
            with_row = by_group.get(item.group, by_fold.get(item.fold or "", -1))
            found[row] = with_row >= 0 and rows[with_row]
        return found

    def data_facts(self) -> dict:
        """The `data` part of `evaluation.json` and `model.json`: recordings of classes alone."""
        recordings = self.select(self.has_class)
        return {
            "files": len(recordings),
            "groups": len({item.group for item in recordings}),
            "seconds": round(float(self.of("seconds", self.has_class).sum()), 3),
            "sha256": self.data_sha256(),
        }

    def data_sha256(self) -> str:
        """One SHA-256 over contents, labels, groups and stretches of the recordings of classes."""
        sums = [self.sha256[row] for row in np.flatnonzero(self.has_class)]
        return dataset_sha256(self.select(self.has_class), sums)

    def waveforms(self, rows: Sequence[int]) -> Iterator[np.ndarray]:
        """Waveforms of usable rows in the order given, as read: float32 `(samples,)`.

        They are at the rate of the windowing, or of their files where the corpus was opened so.
        Those that are not kept are decoded again, a few ahead.

        Raises:
            AudioError: a recording cannot be read any more.
        """
        kept = [row in self._samples for row in rows]
        missing = [row for row, ready in zip(rows, kept, strict=True) if not ready]
        rate = self._samples.rate
        found = _each(
            [self.recordings[row] for row in missing],
            lambda decoder, item: decoder.decode(
                item.file, rate, start=item.start, end=item.end, name=item.name
            ),
        )
        for row, ready in zip(rows, kept, strict=True):
            if ready:
                yield self._samples.get(row)
            else:
                decoded = next(found)
                if isinstance(decoded, AudioError):
                    raise decoded
                self._samples.add(row, decoded.waveform)
                yield decoded.waveform

    def cleaned(self, rows: Sequence[int]) -> Iterator[Cleaned]:
        """What cleaning keeps of usable rows, in the order given."""
        for row, waveform in zip(rows, self._heard(rows), strict=True):
            kept, runs = waveform, self.described[row].runs
            if self.described[row].samples < len(waveform):
                kept = np.concatenate([waveform[first:end] for first, end in runs])
            yield Cleaned(kept, runs, len(waveform))

    def _heard(self, rows: Sequence[int]) -> Iterator[np.ndarray]:
        """`waveforms` at the rate of the windowing."""
        for row, waveform in zip(rows, self.waveforms(rows), strict=True):
            if self._samples.rate is None:
                waveform = resample(waveform, self.described[row].rate, self.windowing.rate)
            yield waveform

    @property
    def keeps_all(self) -> bool:
        """Whether the samples of all usable rows lie ready, so that any order costs the same."""
        return all(row in self._samples for row in np.flatnonzero(self.usable))

    def windows(self, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Cut windows, float32 `(n, window)`, zero-padded where a recording ends early.

        Args:
            rows: int `(n,)`.
            starts: int `(n,)`, first sample of each after cleaning.
        """
        length = self.windowing.window
        cut = np.zeros((len(rows), length), dtype=np.float32)
        several, place = np.unique(rows, return_inverse=True)
        for number, waveform in enumerate(self._heard(several.tolist())):
            runs = self.described[several[number]].runs
            ends = np.cumsum(runs[:, 1] - runs[:, 0])
            for window in np.flatnonzero(place == number):
                filled, start = 0, starts[window]
                run = int(np.searchsorted(ends, start, side="right"))
                while filled < length and run < len(runs):
                    first = runs[run, 1] - (ends[run] - start - filled)
                    part = waveform[first : min(runs[run, 1], first + length - filled)]
                    cut[window, filled : filled + len(part)] = part
                    filled += len(part)
                    run += 1
        return cut


class _Samples:
    """Waveforms by row in one temporary file, up to a bound.

    Args:
        rate: sample rate in Hz that they are kept at; None for that of each file.
        most: bytes that are kept; None for as many as the disk has room for.
    """

    def __init__(self, rate: int | None, most: int | None = None) -> None:
        self.rate = rate
        self._file = tempfile.TemporaryFile(prefix="timbrel-")  # noqa: SIM115 - closed by close()
        if most is None:
            free = shutil.disk_usage(tempfile.gettempdir()).free
            most = min(_MOST_BYTES, int(_MOST_OF_DISK * free))
        self._left = most
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0
        self._mapped: np.ndarray | None = None

    def __contains__(self, row: int) -> bool:
        return row in self._places

    def add(self, row: int, waveform: np.ndarray) -> None:
        """Keep a waveform, if there is room and it is not kept yet."""
        if row in self or waveform.nbytes > self._left or not len(waveform):
            return
        try:
            self._file.seek(4 * self._end)
            self._file.write(np.ascontiguousarray(waveform, dtype=np.float32))
            self._file.flush()
        except OSError:
            self._left = 0  # The disk is full: go on with what is kept.
            return
        self._left -= waveform.nbytes
        self._places[row] = (self._end, self._end + len(waveform))
        self._end += len(waveform)

    def get(self, row: int) -> np.ndarray:
        """A waveform that is kept; it must not be written to."""
        first, end = self._places[row]
        if self._mapped is None or len(self._mapped) < end:
            self._mapped = np.memmap(self._file, dtype=np.float32, mode="r", shape=(self._end,))
        return np.asarray(self._mapped[first:end])

    def close(self) -> None:
        """Remove the file."""
        self._mapped = None
        with contextlib.suppress(OSError):
            self._file.close()


def open_corpus(
    dataset: Dataset,
    windowing: Windowing,
    *,
    levels: bool = False,
    statistics: bool = False,
    copies: bool = True,
    samples: Literal["heard", "native", "none"] = "heard",
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Read every recording of a data set once.

    Args:
        dataset: what `read_dataset` gave.
        windowing: how recordings are cleaned and cut.
        levels: also measure levels and clipping, at the rates of the files.
        statistics: also describe each recording by `timbrel.features.statistics`, where SciPy is
            installed.
        copies: look for recordings of the same sound.
        samples: keep waveforms at the rate of the windowing ("heard"), at the rates of their files
            ("native"), or not at all.
        cache: where what was found is looked up and kept, if nothing more than the usual is asked
            for. Samples are not in it: those that are wanted are decoded then. What a decoder that
            crashed or hung left out is not kept: it is tried again the next time.
        progress: told of the stages "reading" and "comparing", and of a cache that cannot be
            written.

    Raises:
        DecoderError: the processes that decode cannot be started.
    """
    progress = progress or Progress()
    sums = recording_sha256(dataset.recordings)
    kept = _Samples({"heard": windowing.rate, "native": None, "none": 0}[samples])
    usual = copies and not levels and not statistics and samples == "heard"
    cache = cache if usual else None
    key = FeatureCache.key(
        version=_CACHE_VERSION,
        windowing=asdict(windowing),
        recordings=[
            [item.name, digest, item.start, item.end]
            for item, digest in zip(dataset.recordings, sums, strict=True)
        ],
    )
    with contextlib.ExitStack() as undone:
        undone.callback(kept.close)
        stored = cache.get(key) if cache is not None else None
        if stored is not None and set(stored) == _CACHED:
            found = _Found.of_arrays(stored, dataset.recordings)
        else:
            described, problems, prints = [], [], []
            settings = {
                "windowing": asdict(windowing),
                "levels": levels,
                "statistics": statistics and importlib.util.find_spec("scipy") is not None,
                "copies": copies,
                "samples": samples,
            }
            native = levels or statistics or samples == "native"
            lasting, total = True, len(dataset.recordings)
            progress.stage("reading", 0, total)
            answers = _each(
                dataset.recordings,
                lambda decoder, item: decoder.run(
                    Task.DESCRIBE,
                    item.file,
                    None if native else windowing.rate,
                    start=item.start,
                    end=item.end,
                    name=item.name,
                    **settings,
                ),
            )
            for row, answer in enumerate(answers):
                progress.stage("reading", row + 1, total)
                if isinstance(answer, AudioError):
                    lasting = lasting and not isinstance(answer, DecoderFailed)
                    problems.append(answer.finding)
                    described.append(None)
                    prints.append(None)
                    continue
                facts, arrays = answer
                described.append(_description(facts, arrays, dataset.recordings[row].name))
                prints.append(
                    Fingerprint(
                        digest=facts["digest"],
                        waveform=arrays["print_waveform"],
                        frames=arrays["print_frames"],
                        loudness=arrays["print_loudness"],
                    )
                    if facts["digest"]
                    else None
                )
                if "waveform" in arrays:
                    kept.add(row, arrays["waveform"])
            pairs = near_duplicates(
                prints, progress=lambda done, of: progress.stage("comparing", done, of)
            )
            found = _Found(described, problems, pairs)
            if cache is not None and lasting:
                try:
                    cache.put(key, found.to_arrays())
                except OutputError as error:
                    facts = {"cause": str(error)}
                    progress.finding(Finding("not-cached", str(cache.folder), facts))
        corpus = _assemble(dataset, windowing, sums, found, kept)
        undone.pop_all()
    return corpus


def describe(
    reading: Reading,
    *,
    windowing: dict,
    levels: bool,
    statistics: bool,
    copies: bool,
    samples: str,
) -> tuple[dict, dict[str, np.ndarray]]:
    """Describe a recording, in the process that decodes it.

    Of a short recording this is some thousand steps of Python, which threads of one process would
    wait for each other to take.

    Args:
        reading: the recording, at the rate of the windowing or of its file.
        windowing: the fields of a `Windowing`.
        levels, statistics, copies, samples: as for `open_corpus`.

    Returns:
        Facts as JSON data, and arrays by their names.
    """
    wanted = Windowing(**windowing)
    decoded = whole(reading)
    waveform = decoded.waveform
    facts = {
        "seconds": decoded.seconds,
        "rate": decoded.source_rate,
        "channels": decoded.channels,
        "silent": decoded.silent,
        "level": 0.0,
        "samples": 0,
        "emptied": False,
        "digest": "",
        "findings": [[item.code, dict(item.facts)] for item in decoded.findings],
        "levels": asdict(measure_levels(waveform, decoded.source_rate)) if levels else None,
    }
    arrays = {"runs": np.empty((0, 2), dtype=np.int64), "starts": np.empty(0, dtype=np.int64)}
    if statistics:
        # Needs SciPy.
        from timbrel.features.statistics import file_statistics

        arrays["statistics"] = file_statistics(
            resample(waveform, decoded.rate, STATISTICS_RATE), STATISTICS_RATE
        )
    if decoded.silent:
        return facts, arrays
    heard = resample(waveform, decoded.rate, wanted.rate)
    cleaned, left = keep(heard, wanted)
    facts["level"] = float(np.abs(heard).mean())
    facts["samples"], facts["emptied"] = len(cleaned.waveform), not left
    facts["findings"] += [
        [item.code, dict(item.facts)]
        for item in cleaning_findings(
            "",
            wanted,
            seconds=decoded.seconds,
            kept=len(cleaned.waveform) / wanted.rate if left else 0.0,
        )
    ]
    arrays["runs"] = cleaned.runs
    arrays["starts"] = sounding_starts(cleaned.waveform, window=wanted.window, depth=wanted.depth)
    mark = fingerprint(heard, wanted.rate) if copies else None
    if mark is not None:
        facts["digest"] = mark.digest
        arrays["print_waveform"] = mark.waveform
        arrays["print_frames"], arrays["print_loudness"] = mark.frames, mark.loudness
    if samples != "none":
        arrays["waveform"] = waveform if samples == "native" else heard
    return facts, arrays


def _each(
    recordings: Sequence[Recording],
    ask: Callable[[IsolatedDecoder, Recording], Answer],
) -> Iterator[Answer | AudioError]:
    """Have something done with each recording by a pool of processes, a few ahead, in order."""

    def attempt(item: Recording) -> Answer | AudioError:
        try:
            return ask(decoder, item)
        except AudioError as error:
            return error

    with IsolatedDecoder() as decoder:
        decoder.start(len(recordings))
        yield from in_order(attempt, recordings, stop=decoder.close)


def _description(facts: dict, arrays: dict[str, np.ndarray], name: str) -> Description:
    """Make a description of what came from another process, or from the cache."""
    levels = facts["levels"]
    named = {item.name: facts[item.name] for item in fields(Description) if item.name in facts}
    named |= {
        "findings": tuple(Finding(code, name, said) for code, said in facts["findings"]),
        "levels": levels and Levels(**levels),
        "runs": arrays["runs"],
        "starts": arrays["starts"],
        "statistics": arrays.get("statistics"),
    }
    return Description(**named)


@dataclass(frozen=True)
class _Found:
    """What one pass found: a description or None of each recording, and what is wrong."""

    described: Sequence[Description | None]
    problems: Sequence[Finding]
    pairs: Sequence[Duplicate]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return all of it as arrays, for the cache."""
        readable = [item for item in self.described if item is not None]
        facts = [
            item
            and {
                **{name: getattr(item, name) for name in _STORED},
                "findings": [[found.code, dict(found.facts)] for found in item.findings],
                "levels": None,
            }
            for item in self.described
        ]
        problems = [[item.code, item.path, dict(item.facts)] for item in self.problems]
        runs = [item.runs for item in readable] or [np.empty((0, 2), dtype=np.int64)]
        starts = [item.starts for item in readable] or [np.empty(0, dtype=np.int64)]
        return {
            "facts": np.array(json.dumps([facts, problems, [asdict(p) for p in self.pairs]])),
            "runs": np.concatenate(runs),
            "run_counts": np.array([len(item) for item in runs]),
            "starts": np.concatenate(starts),
            "start_counts": np.array([len(item) for item in starts]),
        }

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray], recordings: Sequence[Recording]) -> _Found:
        """Rebuild it."""
        facts, problems, pairs = json.loads(str(arrays["facts"]))
        runs = iter(np.split(arrays["runs"], np.cumsum(arrays["run_counts"])[:-1]))
        starts = iter(np.split(arrays["starts"], np.cumsum(arrays["start_counts"])[:-1]))
        return cls(
            described=[
                item and _description(item, {"runs": next(runs), "starts": next(starts)}, row.name)
                for item, row in zip(facts, recordings, strict=True)
            ],
            problems=[Finding(*item) for item in problems],
            pairs=[Duplicate(**pair) for pair in pairs],
        )


_CACHED = {"facts", "runs", "run_counts", "starts", "start_counts"}
_STORED = ("seconds", "rate", "channels", "silent", "level", "samples", "emptied", "digest")


def _assemble(
    dataset: Dataset, windowing: Windowing, sums: list[str], found: _Found, samples: _Samples
) -> Corpus:
    """Join copies into groups, and decide what can be used."""
    recordings, described = dataset.recordings, found.described
    first_of: dict[str, int] = {}
    same_file = [
        (first_of.setdefault(digest, row), row) for row, digest in enumerate(sums) if digest
    ]
    same_sound, copies, contradicted = [], {}, {}
    conflicts: dict[int, Finding] = {}
    for pair in found.pairs:
        one, other = recordings[pair.first], recordings[pair.second]
        if one.none_of_these != other.none_of_these:
            row, known = (pair.first, other) if one.none_of_these else (pair.second, one)
            contradicted.setdefault(row, _conflict("background-conflict", recordings[row], known))
            continue
        same_sound.append((pair.first, pair.second))
        if one.file == other.file and one.group == other.group:
            continue
        if pair.second not in copies:
            if pair.exact:
                copy = Finding("exact-duplicate", other.name, {"other": one.name})
            else:
                facts = {"other": one.name, "overlap": pair.overlap}
                copy = Finding("near-duplicate", other.name, facts)
            copies[pair.second] = copy
        if one.label != other.label and not one.none_of_these:
            conflicts.setdefault(pair.second, _conflict("label-conflict", other, one))
    problems = {item.path: item for item in found.problems}
    findings = list(dataset.findings)
    usable = np.zeros(len(recordings), dtype=bool)
    for row, (item, facts) in enumerate(zip(recordings, described, strict=True)):
        if facts is None:
            findings.append(problems[item.name])
        elif facts.silent:
            code = "silent-background" if item.none_of_these else "silent"
            findings.append(Finding(code, item.name, {"channels": facts.channels}))
        else:
            findings += facts.findings
            usable[row] = row not in contradicted
    for by_row in (contradicted, copies, conflicts):
        findings += (by_row[row] for row in sorted(by_row))
    of_class = [
        item.label
        for item, use in zip(recordings, usable, strict=True)
        if use and not item.none_of_these
    ]
    labels = sorted(set(of_class))
    joined = join_groups(recordings, [*same_file, *same_sound])
    return Corpus(
        dataset=dataset,
        windowing=windowing,
        recordings=tuple(joined),
        described=tuple(described),
        usable=usable,
        labels=tuple(labels),
        target=np.where(usable, targets(recordings, labels), -1),
        sha256=tuple(sums),
        pairs=tuple(found.pairs),
        findings=tuple(findings),
        _samples=samples,
    )


def _conflict(code: str, item: Recording, other: Recording) -> Finding:
    facts = {"label": item.label, "other": other.name, "other_label": other.label}
    return Finding(code, item.name, facts)
