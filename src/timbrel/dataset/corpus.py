"""One pass over the recordings of a data set: a description of each, and its samples.

The rows of a corpus are the recordings in the order of the data set, background and recordings that
cannot be used among them. Subsets are masks over all rows. Each recording is decoded once, in a
process of its own, however many parts of a command read its samples.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

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
from timbrel.findings import Finding, pack, unpack
from timbrel.progress import Progress
from timbrel.workers import Task, in_order

Answer = TypeVar("Answer")

STATISTICS_RATE = 16_000
"""Sample rate in Hz at which `statistics` are computed, whatever the rate of the recipe."""

# Part of every cache key: raise it when the same settings find other facts, or more is kept.
_CACHE_VERSION = 6
_CACHED = {"facts", "runs", "run_counts", "starts", "start_counts"}
# Most bytes of samples that are kept on disk, and the largest share of the free disk. Recordings
# that do not fit are decoded again whenever they are needed.
_MOST_BYTES = 16 << 30
_MOST_OF_DISK = 0.5


@dataclass(frozen=True)
class Description:
    """What is known of a recording that can be read.

    Attributes:
        seconds: length as read.
        rate: sample rate of the file in Hz.
        channels: channels in the file.
        silent: whether every sample is zero; then the attributes below are 0 or empty.
        level: mean of `|x|` at the rate of the windowing, in units of full scale.
        samples: number of samples after cleaning, at the rate of the windowing; all of them where
            cleaning would keep none.
        emptied: whether cleaning would keep none, so that the recording is used uncleaned.
        digest: SHA-256 of the samples before cleaning; empty where no fingerprint was made.
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
    """A data set, and the results of one pass over its recordings; close it after use.

    Attributes:
        dataset: the data set as it was read.
        windowing: how recordings are cleaned and cut.
        recordings: every recording, in the order of the data set; copies share a group.
        described: of each, None where it cannot be read.
        usable: bool `(rows,)`, whether it can be used for training or for testing.
        labels: the classes with a usable recording, sorted.
        target: int64 `(rows,)`, an index into `labels`; −1 for background and what is not usable.
        sha256: of each recording's file; empty where it cannot be read.
        pairs: recordings that are the same sound.
        findings: those of the list first, then of the recordings in their order, then of copies.
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

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the samples."""
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

    def select(self, rows: np.ndarray | Sequence[int]) -> list[Recording]:
        """The recordings at a mask or at positions."""
        return [self.recordings[row] for row in np.arange(len(self))[rows]]

    def of(self, name: str, rows: np.ndarray | Sequence[int]) -> np.ndarray:
        """One attribute of the descriptions of usable rows, at a mask or at positions; `(n,)`."""
        return np.array([getattr(self.described[row], name) for row in np.arange(len(self))[rows]])

    def description(self, row: int) -> Description:
        """Return the description of a recording that can be read."""
        found = self.described[row]
        if found is None:
            raise ValueError(f"The recording of row {row} cannot be read.")
        return found

    def mask(self, rows: np.ndarray | Sequence[int]) -> np.ndarray:
        """Bool `(rows,)`, true at positions."""
        found = np.zeros(len(self), dtype=bool)
        found[rows] = True
        return found

    def with_background(self, rows: np.ndarray) -> np.ndarray:
        """Add the background that belongs with some rows, so that one mask keeps both apart.

        Background belongs with a recording of a class in the same group or, where there is none, in
        the same fold.

        Args:
            rows: bool `(rows,)`.
        """
        found = rows.copy()
        found[self.background] = (self._owner >= 0) & rows[self._owner]
        return found

    @cached_property
    def _owner(self) -> np.ndarray:
        """The row that each row of background belongs with, −1 for none; int64 `(background,)`."""
        by_group: dict[str, int] = {}
        by_fold: dict[str, int] = {}
        for row in np.flatnonzero(self.has_class).tolist():
            item = self.recordings[row]
            by_group[item.group] = row
            if item.fold:
                by_fold[item.fold] = row
        owners = [
            by_group.get(item.group, by_fold.get(item.fold or "", -1))
            for item in self.select(self.background)
        ]
        return np.array(owners, dtype=np.int64)

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
        Those that are not kept are decoded again, a few in advance.

        Raises:
            AudioError: a recording can no longer be read.
        """
        kept = [row in self._samples for row in rows]
        rate = self._samples.rate
        decoded = _each(
            [self.recordings[row] for row, ready in zip(rows, kept, strict=True) if not ready],
            lambda decoder, item: decoder.decode(
                item.file, rate, start=item.start, end=item.end, name=item.name
            ),
        )
        for row, ready in zip(rows, kept, strict=True):
            if ready:
                yield self._samples.get(row)
                continue
            result = next(decoded)
            if isinstance(result, AudioError):
                raise result
            self._samples.add(row, result.waveform)
            yield result.waveform

    def cleaned(self, rows: Sequence[int]) -> Iterator[Cleaned]:
        """What cleaning keeps of usable rows, in the order given."""
        for row, waveform in zip(rows, self._resampled(rows), strict=True):
            facts, kept = self.description(row), waveform
            if facts.samples < len(waveform):
                kept = np.concatenate([waveform[first:end] for first, end in facts.runs])
            yield Cleaned(kept, facts.runs, len(waveform))

    def _resampled(self, rows: Sequence[int]) -> Iterator[np.ndarray]:
        """`waveforms` at the rate of the windowing."""
        for row, waveform in zip(rows, self.waveforms(rows), strict=True):
            if self._samples.rate is None:
                waveform = resample(waveform, self.description(row).rate, self.windowing.rate)
            yield waveform

    @property
    def keeps_all(self) -> bool:
        """Whether the samples of all usable rows are kept, so that any order costs the same."""
        return all(row in self._samples for row in np.flatnonzero(self.usable).tolist())

    def windows(self, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Cut windows, float32 `(n, window)`, zero-padded where a recording ends early.

        Args:
            rows: int `(n,)`.
            starts: int `(n,)`, first sample of each after cleaning.
        """
        length = self.windowing.window
        cut = np.zeros((len(rows), length), dtype=np.float32)
        distinct, place = np.unique(rows, return_inverse=True)
        distinct = distinct.tolist()
        for number, waveform in enumerate(self._resampled(distinct)):
            runs = self.description(distinct[number]).runs
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
    """

    def __init__(self, rate: int | None) -> None:
        self.rate = rate
        self._file = tempfile.TemporaryFile(prefix="timbrel-")  # noqa: SIM115 - closed by close()
        free = shutil.disk_usage(tempfile.gettempdir()).free
        self._left = min(_MOST_BYTES, int(_MOST_OF_DISK * free))
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
            self._file.write(np.ascontiguousarray(waveform, dtype=np.float32).data)
            self._file.flush()
        except OSError:
            self._left = 0  # The disk is full.
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
    samples: Literal["windowing", "native", "none"] = "windowing",
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
        samples: keep waveforms at the rate of the windowing, at the rates of their files
            ("native"), or not at all.
        cache: where descriptions are looked up and kept, if the options above are the defaults.
            Samples are not in it: they are decoded when they are needed. Results are not kept
            where a decoder crashed or hung: it is tried again the next time.
        progress: gets the stages "reading" and "comparing", and a finding where the cache cannot be
            written.

    Raises:
        DecoderError: the processes that decode cannot be started.
    """
    progress = progress or Progress()
    recordings = dataset.recordings
    sums = recording_sha256(recordings)
    if levels or statistics or not copies or samples != "windowing":
        cache = None
    key = FeatureCache.key(
        version=_CACHE_VERSION,
        windowing=asdict(windowing),
        recordings=[
            [item.name, digest, item.start, item.end]
            for item, digest in zip(recordings, sums, strict=True)
        ],
    )
    # What `describe` returned for each recording, or why it cannot be read.
    answers: list[dict[str, Any] | Finding] = []
    with contextlib.ExitStack() as undone:
        kept = _Samples(None if samples == "native" else windowing.rate)
        undone.callback(kept.close)
        stored = cache.get(key) if cache is not None else None
        if stored is not None and set(stored) == _CACHED:
            facts, problems, found = json.loads(str(stored["facts"]))
            runs = iter(np.split(stored["runs"], np.cumsum(stored["run_counts"])[:-1]))
            starts = iter(np.split(stored["starts"], np.cumsum(stored["start_counts"])[:-1]))
            unreadable = iter(unpack(problems))
            answers = [
                next(unreadable)
                if item is None
                else item | {"runs": next(runs), "starts": next(starts)}
                for item in facts
            ]
            pairs = [Duplicate(**pair) for pair in found]
        else:
            settings = {
                "windowing": asdict(windowing),
                "levels": levels,
                "statistics": statistics and importlib.util.find_spec("scipy") is not None,
                "copies": copies,
                "samples": samples,
            }
            rate = None if levels or statistics or samples == "native" else windowing.rate
            prints: list[Fingerprint | None] = []
            lasting = True
            progress.stage("reading", 0, len(recordings))
            results = _each(
                recordings,
                lambda decoder, item: decoder.run(
                    Task.DESCRIBE,
                    item.file,
                    rate,
                    start=item.start,
                    end=item.end,
                    name=item.name,
                    **settings,
                ),
            )
            for row, result in enumerate(results):
                progress.stage("reading", row + 1, len(recordings))
                prints.append(None)
                if isinstance(result, AudioError):
                    lasting = lasting and not isinstance(result, DecoderFailed)
                    answers.append(result.finding)
                    continue
                facts, arrays = result
                if facts["digest"]:
                    prints[-1] = Fingerprint(
                        digest=facts["digest"],
                        waveform=arrays.pop("print_waveform"),
                        frames=arrays.pop("print_frames"),
                        loudness=arrays.pop("print_loudness"),
                    )
                if "waveform" in arrays:
                    kept.add(row, arrays.pop("waveform"))
                answers.append(facts | arrays)
            pairs = near_duplicates(
                prints, progress=lambda done, of: progress.stage("comparing", done, of)
            )
            if cache is not None and lasting:
                try:
                    cache.put(key, _to_cache(answers, pairs))
                except OutputError as error:
                    cause = {"cause": str(error)}
                    progress.finding(Finding("not-cached", str(cache.folder), cause))
        corpus = _assemble(dataset, windowing, sums, answers, pairs, kept)
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
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Describe a recording, in the process that decodes it.

    For a short recording this is some thousand steps of Python, which threads of one process could
    not take at the same time.

    Args:
        reading: the recording, at the rate of the windowing or of its file.
        windowing: the fields of a `Windowing`.
        levels, statistics, copies, samples: as for `open_corpus`.

    Returns:
        Facts as JSON data, and arrays by their names.
    """
    wanted = Windowing(**windowing)
    decoded = whole(reading)
    waveform, findings = decoded.waveform, list(decoded.findings)
    facts: dict[str, Any] = {
        "seconds": decoded.seconds,
        "rate": decoded.source_rate,
        "channels": decoded.channels,
        "silent": decoded.silent,
        "level": 0.0,
        "samples": 0,
        "emptied": False,
        "digest": "",
        "levels": asdict(measure_levels(waveform, decoded.source_rate)) if levels else None,
    }
    arrays: dict[str, np.ndarray] = {
        "runs": np.empty((0, 2), dtype=np.int64),
        "starts": np.empty(0, dtype=np.int64),
    }
    if statistics:
        # Needs SciPy.
        from timbrel.features.statistics import file_statistics

        arrays["statistics"] = file_statistics(
            resample(waveform, decoded.rate, STATISTICS_RATE), STATISTICS_RATE
        )
    if not decoded.silent:
        resampled = resample(waveform, decoded.rate, wanted.rate)
        cleaned, left = keep(resampled, wanted)
        facts["level"] = float(np.abs(resampled).mean())
        facts["samples"], facts["emptied"] = len(cleaned.waveform), not left
        findings += cleaning_findings(
            "",
            wanted,
            seconds=decoded.seconds,
            kept=len(cleaned.waveform) / wanted.rate if left else 0.0,
        )
        arrays["runs"] = cleaned.runs
        arrays["starts"] = sounding_starts(
            cleaned.waveform, window=wanted.window, depth=wanted.depth
        )
        mark = fingerprint(resampled, wanted.rate) if copies else None
        if mark is not None:
            facts["digest"] = mark.digest
            arrays["print_waveform"] = mark.waveform
            arrays["print_frames"], arrays["print_loudness"] = mark.frames, mark.loudness
        if samples != "none":
            arrays["waveform"] = waveform if samples == "native" else resampled
    return facts | {"findings": [[item.code, dict(item.facts)] for item in findings]}, arrays


def _each(
    recordings: Sequence[Recording], read: Callable[[IsolatedDecoder, Recording], Answer]
) -> Iterator[Answer | AudioError]:
    """Read each recording in a pool of processes, a few in advance; yield the results in order."""

    def attempt(item: Recording) -> Answer | AudioError:
        try:
            return read(decoder, item)
        except AudioError as error:
            return error

    decoder = IsolatedDecoder()
    with decoder:
        decoder.start(len(recordings))
        yield from in_order(attempt, recordings, stop=decoder.close)


def _to_cache(
    answers: Sequence[dict[str, Any] | Finding], pairs: Sequence[Duplicate]
) -> dict[str, np.ndarray]:
    """All answers and pairs as a few arrays."""
    problems = [answer for answer in answers if isinstance(answer, Finding)]
    facts: list[dict[str, Any] | None] = []
    runs, starts = [], []
    for answer in answers:
        if isinstance(answer, Finding):
            facts.append(None)
            continue
        runs.append(answer["runs"])
        starts.append(answer["starts"])
        facts.append({name: answer[name] for name in answer if name not in ("runs", "starts")})
    runs = runs or [np.empty((0, 2), dtype=np.int64)]
    starts = starts or [np.empty(0, dtype=np.int64)]
    whole = [facts, pack(problems), [asdict(pair) for pair in pairs]]
    return {
        "facts": np.array(json.dumps(whole)),
        "runs": np.concatenate(runs),
        "run_counts": np.array([len(item) for item in runs]),
        "starts": np.concatenate(starts),
        "start_counts": np.array([len(item) for item in starts]),
    }


def _assemble(
    dataset: Dataset,
    windowing: Windowing,
    sums: Sequence[str],
    answers: Sequence[dict[str, Any] | Finding],
    pairs: Sequence[Duplicate],
    samples: _Samples,
) -> Corpus:
    """Make descriptions, join copies into groups, and decide which recordings can be used."""
    recordings = dataset.recordings

    def conflict(code: str, item: Recording, other: Recording) -> Finding:
        facts = {"label": item.label, "other": other.name, "other_label": other.label}
        return Finding(code, item.name, facts)

    first_of: dict[str, int] = {}
    joined = [(first_of.setdefault(digest, row), row) for row, digest in enumerate(sums) if digest]
    contradicted: dict[int, Finding] = {}
    copies: dict[int, Finding] = {}
    conflicts: dict[int, Finding] = {}
    for pair in pairs:
        one, other = recordings[pair.first], recordings[pair.second]
        if one.none_of_these != other.none_of_these:
            row, known = (pair.first, other) if one.none_of_these else (pair.second, one)
            contradicted.setdefault(row, conflict("background-conflict", recordings[row], known))
            continue
        joined.append((pair.first, pair.second))
        if one.file == other.file and one.group == other.group:
            continue
        if pair.exact:
            copy = Finding("exact-duplicate", other.name, {"other": one.name})
        else:
            facts = {"other": one.name, "overlap": pair.overlap}
            copy = Finding("near-duplicate", other.name, facts)
        copies.setdefault(pair.second, copy)
        if one.label != other.label and not one.none_of_these:
            conflicts.setdefault(pair.second, conflict("label-conflict", other, one))

    findings = list(dataset.findings)
    described: list[Description | None] = []
    usable = np.zeros(len(recordings), dtype=bool)
    for row, (item, answer) in enumerate(zip(recordings, answers, strict=True)):
        if isinstance(answer, Finding):
            described.append(None)
            findings.append(answer)
            continue
        own = tuple(Finding(code, item.name, facts) for code, facts in answer["findings"])
        levels = answer["levels"] and Levels(**answer["levels"])
        described.append(Description(**answer | {"findings": own, "levels": levels}))
        if answer["silent"]:
            code = "silent-background" if item.none_of_these else "silent"
            findings.append(Finding(code, item.name, {"channels": answer["channels"]}))
        else:
            findings += own
            usable[row] = row not in contradicted
    for by_row in (contradicted, copies, conflicts):
        findings += (by_row[row] for row in sorted(by_row))
    labels = sorted(
        {
            item.label
            for item, use in zip(recordings, usable, strict=True)
            if use and not item.none_of_these
        }
    )
    return Corpus(
        dataset=dataset,
        windowing=windowing,
        recordings=tuple(join_groups(recordings, joined)),
        described=tuple(described),
        usable=usable,
        labels=tuple(labels),
        target=np.where(usable, targets(recordings, labels), -1),
        sha256=tuple(sums),
        pairs=tuple(pairs),
        findings=tuple(findings),
        _samples=samples,
    )
