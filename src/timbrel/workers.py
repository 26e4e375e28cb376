"""Work on all cores: in threads, and in processes that may crash.

`in_order` applies a function in a thread per core. A `WorkerPool` reads recordings in processes of
its own, so that a codec that crashes or hangs costs one file: codecs are native code that reads
unchecked files, and one bad pointer in them ends the process that they run in. The processes are
plain ones with pipes, which run `timbrel.worker`. `multiprocessing` would need a guard in every
user's script, or a fork, which TensorFlow may not survive.

The protocol:

    worker  READY, after whatever else the interpreter printed while it started
    pool    one line of JSON: `{"task": …, "reading": {…}, "settings": {…}}`, a `Task`, the
            arguments of `Reading`, and the keyword arguments of the task's function
    worker  one line of JSON: `{"facts": …, "arrays": …}`, the arrays as `[name, dtype, shape]`,
            followed by their raw content in that order; both are what the function returned.
            `{"unusable": finding}` for an AudioError, `{"invalid": message}` for InvalidArgument,
            `{"failed": true}` where memory runs out. Before it, once a second at most while the
            recording is read, a line `{"alive": true}`
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader, BufferedWriter
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from timbrel.errors import AudioError, DecoderError, DecoderFailed, InvalidArgument, TimbrelError
from timbrel.findings import Finding, unpack

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import TracebackType

Item = TypeVar("Item")
Result = TypeVar("Result")

# Results that may wait for their turn, per thread: enough to keep all busy, few enough to hold.
_AHEAD = 2

READY = b"timbrel decodes\n"
_START_SECONDS = 120.0
_END_SECONDS = 5.0

# A tenth of the pace at which the slowest codec (Opus) goes on one core of a server of 2023, and a
# third of that of digital silence in FLAC, which takes next to no bytes.
_BYTES_PER_SECOND = 50_000
_TICK_SECONDS = 1.0


def cores() -> int:
    """Processor cores that this process may use; in a container, often fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    stop: Callable[[], object] = lambda: None,
) -> Iterator[Result]:
    """Apply a function in a thread per core; yield its results in the order of the items.

    Only a few items are taken ahead of the one whose result is wanted, so that neither a long
    iterator nor large results fill the memory. A caller that stops early waits for what is running,
    not for the rest.

    Args:
        function: what to do with an item.
        items: the items.
        stop: called when the work is given up (an error, Ctrl-C, a caller that stops early), to
            make what is running end early.

    Raises:
        Whatever `function` raises, when its turn comes.
    """
    # A worker process imports this module, and needs no threads.
    from concurrent.futures import ThreadPoolExecutor

    workers = cores()
    waiting: deque[Future[Result]] = deque()
    threads = ThreadPoolExecutor(workers)
    given_up = True
    try:
        for item in items:
            waiting.append(threads.submit(function, item))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        given_up = False
    finally:
        if given_up:
            stop()
        threads.shutdown(cancel_futures=True)


class Task(enum.Enum):
    """What a worker can do with a recording.

    `timbrel.worker` has a function for each. It takes a `timbrel.audio.reading.Reading` and keyword
    arguments that are JSON data, and returns facts (JSON data) and arrays by their names.
    """

    DECODE = "decode"
    DESCRIBE = "describe"
    SCORE = "score"


class WorkerPool:
    """Processes that read recordings, one for each core; any number of threads may use it at once.

    A process starts, in about 0.3 s, when a thread finds all others busy; a pool that is never used
    starts none, unless `start` is called. So a pool for each piece of work is cheap, and there is
    none for the whole program: it would stay in notebooks and servers when its work is done. A
    program that forks must not use one pool on both sides.

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
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._watchdog: threading.Thread | None = None

    def __repr__(self) -> str:
        state = ", closed" if self._closed.is_set() else ""
        return f"{type(self).__name__}(patience={self._patience:g}{state})"

    def run(
        self,
        task: Task,
        path: str | os.PathLike,
        rate: int | None,
        *,
        start: float | None = None,
        end: float | None = None,
        name: str | None = None,
        **settings: object,
    ) -> tuple[dict, dict[str, np.ndarray]]:
        """Have a task done in another process, where Python's lock stops no other thread.

        A process that has read another file before may have been damaged by it: where such a one
        ends, the file is given to a new process before it is called unusable.

        Args:
            task: what to do with the recording.
            path: the file.
            rate: wanted sample rate in Hz; None for that of the file.
            start, end: the stretch to read, in seconds of the file; all of it by default.
            name: what to call the file in messages; `path` by default.
            settings: keyword arguments of the function that does the task; JSON data.

        Returns:
            Facts and arrays, as the function returned them.

        Raises:
            AudioError: the recording cannot be used.
            DecoderFailed: an AudioError; the process crashes, does not finish or lacks memory. A
                defect of the function looks like one of the decoder.
            InvalidArgument: an argument of the reading breaks its rule.
            DecoderError: the process cannot be started.
        """
        path = os.fspath(path)
        name = path if name is None else name
        # The process may have another working folder.
        absolute = path
        if path and not os.path.isabs(path):
            with contextlib.suppress(OSError):  # Nothing lies in a folder that was removed.
                absolute = os.path.join(os.getcwd(), path)
        size = 0
        with contextlib.suppress(OSError, ValueError):
            size = os.path.getsize(path)
        seconds = self._patience + size / _BYTES_PER_SECOND
        request = {
            "task": task.value,
            "reading": {"path": absolute, "rate": rate, "start": start, "end": end, "name": name},
            "settings": settings,
        }
        # NumPy's numbers become Python's.
        line = json.dumps(request, default=lambda number: number.item()).encode() + b"\n"
        fresh = False
        while True:
            worker = self._take(name, fresh=fresh)
            try:
                reply, arrays = worker.ask(line, seconds)
                break
            except MemoryError:
                raise DecoderFailed(Finding("decoder-memory", name)) from None
            except _Gone:
                error = self._error_of(worker, name, seconds=seconds)
                if error is not None:
                    raise error from None
                fresh = True
            finally:
                self._give_back(worker)
        if "invalid" in reply:
            raise InvalidArgument(reply["invalid"])
        if "failed" in reply:
            raise DecoderFailed(Finding("decoder-memory", name))
        if "unusable" in reply:
            raise AudioError(*unpack([reply["unusable"]]))
        return reply["facts"], arrays

    def start(self, files: int) -> None:
        """Start the processes that so many files keep busy, without waiting until they are ready.

        For callers with something else to do for some tenths of a second before the first file.

        Raises:
            DecoderError: they cannot be started.
        """
        with self._changed:
            wanted = 0 if self._closed.is_set() else min(files, self._size)
            while len(self._idle) + len(self._busy) < wanted:
                self._idle.append(_Worker())

    def close(self) -> None:
        """End all processes at once; callers that still wait for one get a DecoderFailed."""
        with self._changed:
            self._closed.set()
            idle, self._idle = self._idle, []
            for worker in (*idle, *self._busy):
                worker.process.kill()
            self._changed.notify_all()
        for worker in idle:
            worker.close()
        with self._changed:
            # Each is closed by the thread that uses it.
            self._changed.wait_for(lambda: not self._busy, _END_SECONDS)
        if self._watchdog is not None:
            self._watchdog.join()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self, kind: type | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, name: str, *, fresh: bool) -> _Worker:
        """Wait until a process is free or may be started; a new one where `fresh`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed.is_set() or len(self._busy) < self._size)
            if self._closed.is_set():
                raise DecoderFailed(Finding("decoder-stopped", name))
            worker = self._idle.pop() if self._idle else None
            if worker is not None and (fresh or worker.process.poll() is not None):
                worker.close()
                worker = None
            if worker is None:
                worker = _Worker()
            self._busy.add(worker)
            if self._watchdog is None:
                self._watchdog = threading.Thread(target=self._watch, daemon=True)
                self._watchdog.start()
        return worker

    def _give_back(self, worker: _Worker) -> None:
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

    def _error_of(self, worker: _Worker, name: str, *, seconds: float) -> TimbrelError | None:
        """The error for a file whose process ended; None where another process should try it."""
        if self._closed.is_set():
            return DecoderFailed(Finding("decoder-stopped", name))
        if not worker.ready:
            if worker.overdue:
                return DecoderError.of(f"one did not answer for {_START_SECONDS:.0f} s")
            lines = worker.errors.read().decode(errors="replace").strip().splitlines()
            return DecoderError.of(lines[-1] if lines else _named(worker.process.wait()))
        if worker.overdue:
            return DecoderFailed(Finding("decoder-hung", name, {"seconds": seconds}))
        if worker.answered:
            return None
        try:
            how = _named(worker.process.wait(_END_SECONDS))
        except subprocess.TimeoutExpired:
            return DecoderFailed(Finding("decoder-silent", name))
        if how == "SIGKILL":
            return DecoderFailed(Finding("decoder-killed", name))
        return DecoderFailed(Finding("decoder-crashed", name, {"how": how}))

    def _watch(self) -> None:
        """End processes that take too long.

        Time is counted in ticks of this thread: a clock goes on while the whole program is stopped,
        and afterwards every process would be overdue.
        """
        tick = min(_TICK_SECONDS, self._patience / 4)
        while not self._closed.wait(tick):
            with self._changed:
                for worker in self._busy:
                    worker.seconds_left -= tick
                    if worker.seconds_left < 0:
                        worker.overdue = True
                        worker.process.kill()


class _Gone(Exception):
    """A process ended before it answered; the pool says why."""


class _Worker:
    """One process of a pool; used by one thread at a time.

    Attributes:
        process: the process.
        seconds_left: how long it may go on with what it does now; counted down by the pool.
        overdue: whether it took longer, and was ended for that.
        ready: whether it has started.
        answered: whether it has answered before.
        in_step: whether its last answer was read to the end, so that it can be used again.

    Raises:
        DecoderError: it cannot be started.
    """

    def __init__(self) -> None:
        self.seconds_left = _START_SECONDS
        self.overdue = self.ready = self.answered = self.in_step = False
        try:
            self.process = subprocess.Popen(
                command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ
                | {
                    # The folders that this process imports from.
                    "PYTHONPATH": os.pathsep.join(
                        path or os.curdir for path in sys.path if isinstance(path, str)
                    ),
                    # There is a process for each core: no threads for NumPy's linear algebra.
                    "OPENBLAS_NUM_THREADS": "1",
                },
                # Ctrl-C in a terminal goes to this process alone, which then ends the other.
                process_group=None if os.name == "nt" else 0,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise DecoderError.of(str(error)) from error
        # All three are pipes with a buffer.
        self.requests = cast(BufferedWriter, self.process.stdin)
        self.answers = cast(BufferedReader, self.process.stdout)
        self.errors = cast(BufferedReader, self.process.stderr)

    def ask(self, request: bytes, seconds: float) -> tuple[dict, dict[str, np.ndarray]]:
        """Send a request; return the reply, and the arrays that come with it.

        Args:
            request: a line.
            seconds: how long the process may take for each sign of life, its start not counted.

        Raises:
            _Gone: the process ended before it answered.
            MemoryError: an array does not fit in the memory.
        """
        self.in_step = False
        while not self.ready:
            line = self.answers.readline()
            if not line:
                raise _Gone
            self.ready = line.endswith(READY)
        self.errors.close()
        self.seconds_left = seconds
        try:
            self.requests.write(request)
            self.requests.flush()
        except OSError:  # A broken pipe.
            raise _Gone from None
        while True:
            line = self.answers.readline()
            if not line.endswith(b"\n"):
                raise _Gone
            reply = json.loads(line)
            if "alive" not in reply:
                break
            self.seconds_left = seconds
        arrays = {}
        for name, kind, shape in reply.get("arrays", ()):
            array = arrays[name] = np.empty(shape, dtype=kind)
            # What is longer than the reader's buffer goes into the array without another copy.
            if array.size and self.answers.readinto(array.reshape(-1).data) < array.nbytes:
                raise _Gone
        self.in_step = self.answered = True
        return reply, arrays

    def close(self) -> None:
        """End the process and close its pipes."""
        self.process.kill()
        # A process that waits for a dead drive cannot be ended; leave it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_END_SECONDS)
        for stream in (self.requests, self.answers, self.errors):
            with contextlib.suppress(OSError):
                stream.close()


def command() -> list[str]:
    """The command that starts a worker, with the same encoding of file names.

    Without `-P`, a file in the working folder that is called `numpy.py` would be imported.
    """
    options = ("-P", "-X", f"utf8={sys.flags.utf8_mode}")
    return [sys.executable or "python", *options, "-m", "timbrel.worker"]


def _named(status: int) -> str:
    """A signal by its name, another exit status by its number."""
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"exit status {status:#x}" if status > 255 else f"exit status {status}"
