"""Decode in processes of their own, so that a codec that crashes or hangs costs one file.

Codecs are native code and read what nobody has looked at: one bad pointer in them ends the process
that they run in. The processes are plain ones that talk over pipes. `multiprocessing` would need a
guard in every user's script, or a fork, which TensorFlow may not survive.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from types import TracebackType

import numpy as np

from timbrel.audio.decode import Decoded
from timbrel.audio.decode_process import ADVICE, END_SECONDS, DecodeProcess, GoneError
from timbrel.audio.decode_worker import TOO_LONG
from timbrel.errors import AudioError, DecoderError, DecoderFailed, InvalidArgument, TimbrelError
from timbrel.parallel import cores

# A tenth of the pace at which the slowest codec (Opus) goes on one core of a server of 2023, and a
# third of that of digital silence in FLAC, which takes next to no bytes.
_BYTES_PER_SECOND = 50_000
_TICK_SECONDS = 1.0

# Module and name of a function, and its keyword arguments.
Describe = tuple[str, str, dict]

_DECODE: Describe = ("timbrel.audio.decode", "parts", {})

_CLOSED = "decoding was stopped before it was read"


class IsolatedDecoder:
    """`decode` in a pool of processes, one for each core.

    Any number of threads may use it at once::

        with IsolatedDecoder() as decoder:
            hear = lambda path: decoder.decode(path, 16_000)
            for decoded in in_order(hear, paths, stop=decoder.close):
                ...

    A process starts, in about 0.3 s, when a thread finds all others busy; a pool that is never
    asked starts none, unless `start` is called. So a pool for each piece of work is cheap enough,
    and there is none for the whole program on purpose: it would stay in notebooks and servers when
    its work is done. A program that forks must not use one pool on both sides.

    Args:
        patience: seconds that a file may take, and one more for each 50 kB of it, before the
            process that reads it is ended. Time in which the whole program is stopped does not
            count.
    """

    def __init__(self, *, patience: float = 30.0) -> None:
        if not patience > 0:
            raise InvalidArgument(f"`patience` must be above 0 s. Got {patience}.")
        self._patience = patience
        self._size = cores()
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._idle: list[DecodeProcess] = []
        self._busy: set[DecodeProcess] = set()
        self._watchdog: threading.Thread | None = None

    def __repr__(self) -> str:
        state = ", closed" if self._closed.is_set() else ""
        return f"IsolatedDecoder(patience={self._patience:g}{state})"

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
        facts, arrays = self.describe(path, rate, start=start, end=end, name=name, by=_DECODE)
        return Decoded(**facts | arrays | {"warnings": tuple(facts["warnings"])})

    def describe(
        self,
        path: str | os.PathLike,
        rate: int | None,
        *,
        start: float | None = None,
        end: float | None = None,
        name: str | None = None,
        by: Describe,
    ) -> tuple[dict, dict[str, np.ndarray]]:
        """Read and describe in another process, where Python's lock stops nobody else.

        Args:
            path, rate, start, end, name: as for `decode`.
            by: module and name of a function, and its keyword arguments, which are JSON data. It
                gets a `Reading` first, and returns facts (JSON data) and arrays by their names. It
                may raise AudioError.

        Raises:
            AudioError: as `decode` does, and all that it raises besides. A defect of the function
                looks like one of the decoder.
        """
        return self._ask(path, name, rate=rate, start=start, end=end, by=by)

    def _ask(
        self, path: str | os.PathLike, name: str | None, **request: object
    ) -> tuple[dict, dict[str, np.ndarray]]:
        """Have a request answered, by a second process where the first was not at fault."""
        path = os.fspath(path)
        name = path if name is None else name
        seconds = self._patience + _size(path) / _BYTES_PER_SECOND
        line = _line(path, request)
        fresh = False
        while True:
            worker = self._take(name, fresh=fresh)
            try:
                reply, arrays = worker.ask(line, seconds)
                break
            except MemoryError:
                raise DecoderFailed(name, TOO_LONG) from None
            except GoneError:
                error = self._blame(worker, name, seconds=seconds)
                if error is not None:
                    raise error from None
                fresh = True
            finally:
                self._give_back(worker)
        if "invalid" in reply:
            raise InvalidArgument(reply["invalid"])
        if "failed" in reply:
            raise DecoderFailed(name, reply["failed"])
        if "unusable" in reply:
            raise AudioError(name, reply["unusable"])
        return reply["facts"], arrays

    def start(self, files: int) -> None:
        """Start the processes that so many files keep busy, and do not wait until they are ready.

        For whoever has something else to do for some tenths of a second before the first file.

        Raises:
            DecoderError: they cannot be started.
        """
        with self._changed:
            wanted = 0 if self._closed.is_set() else min(files, self._size)
            while len(self._idle) + len(self._busy) < wanted:
                self._idle.append(DecodeProcess())

    def close(self) -> None:
        """End all processes at once; whoever still waits for one gets a DecoderFailed."""
        with self._changed:
            self._closed.set()
            idle, self._idle = self._idle, []
            for worker in (*idle, *self._busy):
                worker.kill()
            self._changed.notify_all()
        for worker in idle:
            worker.close()
        with self._changed:
            # Each is let go of by the thread that uses it.
            self._changed.wait_for(lambda: not self._busy, END_SECONDS)
        if self._watchdog is not None:
            self._watchdog.join()

    def __enter__(self) -> IsolatedDecoder:
        return self

    def __exit__(
        self, kind: type | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, name: str, *, fresh: bool) -> DecodeProcess:
        """Wait until a process is free or may be started; a new one where `fresh`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed.is_set() or len(self._busy) < self._size)
            if self._closed.is_set():
                raise DecoderFailed(name, _CLOSED)
            worker = self._idle.pop() if self._idle else None
            if worker is not None and (fresh or worker.process.poll() is not None):
                worker.close()
                worker = None
            if worker is None:
                worker = DecodeProcess()
            self._busy.add(worker)
            if self._watchdog is None:
                self._watchdog = threading.Thread(target=self._watch, daemon=True)
                self._watchdog.start()
        return worker

    def _give_back(self, worker: DecodeProcess) -> None:
        with self._changed:
            if worker.in_step and not worker.overdue and not self._closed.is_set():
                self._busy.discard(worker)
                self._idle.append(worker)
                self._changed.notify()
                return
        worker.close()
        with self._changed:
            self._busy.discard(worker)
            self._changed.notify_all()

    def _blame(self, worker: DecodeProcess, name: str, *, seconds: float) -> TimbrelError | None:
        """What to say of a file whose process is gone; None where it deserves another one."""
        if self._closed.is_set():
            return DecoderFailed(name, _CLOSED)
        if not worker.ready:
            return DecoderError.of(worker.why_not_started())
        if worker.overdue:
            reason = f"the decoder did not finish within {seconds:.0f} s; {ADVICE}"
            return DecoderFailed(name, reason)
        # What the process read before may have damaged it.
        return None if worker.answered else DecoderFailed(name, worker.what_ended_it())

    def _watch(self) -> None:
        """End processes that take too long.

        Time is counted in ticks of this thread, not by a clock: a clock goes on while the whole
        program is stopped, and afterwards every process would be overdue.
        """
        tick = min(_TICK_SECONDS, self._patience / 4)
        while not self._closed.wait(tick):
            with self._changed:
                for worker in self._busy:
                    worker.seconds_left -= tick
                    if worker.seconds_left < 0:
                        worker.overdue = True
                        worker.kill()


def _size(path: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        return os.path.getsize(path)
    return 0


def _line(path: str, request: dict) -> bytes:
    """A request as a line; the process need not share our working folder."""
    where = path
    if path and not os.path.isabs(path):
        with contextlib.suppress(OSError):  # Nothing lies in a folder that was removed.
            where = os.path.join(os.getcwd(), path)
    # NumPy's numbers become Python's.
    whole = {"path": where, **request}
    return json.dumps(whole, default=lambda number: number.item()).encode() + b"\n"
