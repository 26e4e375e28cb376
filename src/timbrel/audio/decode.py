"""Sound files to mono float32 waveforms at one sample rate."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

import numpy as np

from timbrel.audio.reading import Reading
from timbrel.findings import Finding, pack, unpack
from timbrel.text import channels, duration, frequency, plain, plural
from timbrel.workers import Task, WorkerPool

# Extensions of the formats that libsndfile 1.2 reads, in lower case.
EXTENSIONS = frozenset(
    (
        *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"),
        *(".au", ".snd", ".caf", ".w64", ".rf64", ".sf", ".voc", ".paf"),
    )
)


@dataclass(frozen=True, repr=False)
class Decoded:
    """One recording as samples.

    Attributes:
        waveform: float32 `(samples,)`, mono, nominally in [−1, 1].
        rate: sample rate of `waveform` in Hz.
        source_rate: sample rate of the file in Hz.
        channels: channels in the file.
        seconds: length of the part that was read.
        findings: oddities of the file that do not stop its use.
    """

    waveform: np.ndarray
    rate: int
    source_rate: int
    channels: int
    seconds: float
    findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        warnings = f", {plural(len(self.findings), 'warning')}" if self.findings else ""
        return plain(f"Decoded({self._facts()}{warnings})")

    def _facts(self) -> str:
        source = f"the file: {channels(self.channels)}, {frequency(self.source_rate)}"
        return f"{duration(self.seconds)} at {frequency(self.rate)}; {source}"

    def _repr_html_(self) -> str:
        from timbrel.audio.player import waveform_html

        return waveform_html(self.waveform, self.rate, facts=self._facts(), warnings=self.warnings)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The findings as sentences."""
        return tuple(item.reason for item in self.findings)

    @property
    def silent(self) -> bool:
        """Whether every sample is exactly zero."""
        return not self.waveform.any()


def decode(
    path: str | os.PathLike,
    rate: int | None,
    *,
    start: float | None = None,
    end: float | None = None,
    name: str | None = None,
) -> Decoded:
    """Read a recording, mix it to mono and resample it.

    Args:
        path: the file.
        rate: wanted sample rate in Hz; None for that of the file.
        start, end: the part to read, in seconds of the file; all of it by default. An end after
            the end of the file means the end of the file.
        name: the name of the file in messages; `path` by default.

    Raises:
        AudioError: the recording cannot be used (missing, unreadable, empty, NaN or infinite
            samples, a part outside of it).
        InvalidArgument: `rate` is not above 0.
    """
    return whole(Reading(path, rate, start=start, end=end, name=name))


def whole(reading: Reading) -> Decoded:
    """Join the pieces of a recording; raises the errors of reading it."""
    return Decoded(
        waveform=np.concatenate(list(reading)),
        rate=reading.rate or reading.source_rate,
        source_rate=reading.source_rate,
        channels=reading.channels,
        seconds=reading.seconds,
        findings=reading.findings,
    )


def parts(reading: Reading) -> tuple[dict, dict[str, np.ndarray]]:
    """Do `Task.DECODE`: the fields of `Decoded` as JSON data and arrays."""
    decoded = whole(reading)
    facts = {item.name: getattr(decoded, item.name) for item in fields(decoded)}
    waveform = facts.pop("waveform")
    return {**facts, "findings": pack(decoded.findings)}, {"waveform": waveform}


class IsolatedDecoder(WorkerPool):
    """`decode` in a pool of processes, one for each core.

    Any number of threads may use it at once::

        with IsolatedDecoder() as decoder:
            read = lambda path: decoder.decode(path, 16_000)
            for decoded in in_order(read, paths, stop=decoder.close):
                ...

    A process starts, in about 0.3 s, when a thread finds all others busy; a pool that is never
    used starts none, unless `start` is called. A program that forks must not use the same pool in
    both processes.

    Args:
        patience: seconds that a file may take, and one more for each 50 kB of it, before the
            process that reads it is ended. Time in which the whole program is stopped does not
            count.
    """

    def decode(
        self,
        path: str | os.PathLike,
        rate: int | None,
        *,
        start: float | None = None,
        end: float | None = None,
        name: str | None = None,
    ) -> Decoded:
        """Read a recording as `timbrel.audio.decode.decode` does, in another process.

        Args:
            path: the file.
            rate: wanted sample rate in Hz; None for that of the file.
            start, end: the part to read, in seconds of the file; all of it by default.
            name: the name of the file in messages; `path` by default.

        Raises:
            AudioError: the recording cannot be used.
            DecoderFailed: an AudioError; the decoder crashes, does not finish or lacks memory.
            InvalidArgument: `rate` is not above 0.
            DecoderError: the process cannot be started.
        """
        facts, arrays = self.run(Task.DECODE, path, rate, start=start, end=end, name=name)
        return Decoded(**facts | arrays | {"findings": unpack(facts["findings"])})
