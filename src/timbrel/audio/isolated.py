"""Decode in processes of their own, so that a codec that crashes or hangs costs one file."""

from __future__ import annotations

import os

from timbrel.audio.decode import Decoded
from timbrel.findings import unpack
from timbrel.workers import Task, WorkerPool


class IsolatedDecoder(WorkerPool):
    """`decode` in a pool of processes, one for each core.

    Any number of threads may use it at once::

        with IsolatedDecoder() as decoder:
            hear = lambda path: decoder.decode(path, 16_000)
            for decoded in in_order(hear, paths, stop=decoder.close):
                ...

    A process starts, in about 0.3 s, when a thread finds all others busy; a pool that is never
    asked starts none, unless `start` is called. A program that forks must not use one pool on both
    sides.

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
        """Do what `timbrel.audio.decode.decode` does, in another process.

        Args:
            path: the file.
            rate: wanted sample rate in Hz; None for that of the file.
            start, end: the stretch to read, in seconds of the file; all of it by default.
            name: what to call the file in messages; `path` by default.

        Raises:
            AudioError: the recording cannot be used.
            DecoderFailed: an AudioError; the decoder crashes, does not finish or lacks memory.
            InvalidArgument: `rate` is not above 0.
            DecoderError: the process cannot be started.
        """
        facts, arrays = self.run(Task.DECODE, path, rate, start=start, end=end, name=name)
        return Decoded(**facts | arrays | {"findings": unpack(facts["findings"])})
