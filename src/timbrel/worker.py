"""What a process of a `timbrel.workers.WorkerPool` runs: `python -m timbrel.worker`.

`timbrel.workers` describes the protocol. When its input ends, because the pool closed it or its
process ended, the worker ends at once, even in the middle of a file.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import BinaryIO

import numpy as np

from timbrel.audio.reading import Reading
from timbrel.errors import AudioError, InvalidArgument
from timbrel.findings import pack
from timbrel.workers import READY, Task

_ALIVE_SECONDS = 1.0


def function_of(task: Task) -> Callable[..., tuple[dict, dict[str, np.ndarray]]]:
    """The function that does a task; only what it needs is imported."""
    match task:
        case Task.DECODE:
            from timbrel.audio.decode import parts

            return parts
        case Task.DESCRIBE:
            from timbrel.dataset.corpus import describe

            return describe
        case Task.SCORE:
            from timbrel.inference.scores import score_for_parent

            return score_for_parent


def serve(read: Callable[..., Reading] = Reading) -> None:
    """Answer requests on stdin until it ends; never returns.

    Args:
        read: opens a recording, with the signature of `timbrel.audio.reading.Reading`.
    """
    # stdin and stdout are kept for the protocol; codecs that print or read get the null device.
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)
    answers.write(READY)
    answers.flush()
    waiting: SimpleQueue[bytes] = SimpleQueue()

    def receive() -> None:
        for line in requests:
            waiting.put(line)
        os._exit(0)

    # Only now: on Windows no library can be loaded while a thread waits for a pipe on stdin.
    threading.Thread(target=receive, daemon=True).start()
    while True:
        request = json.loads(waiting.get())
        function = function_of(Task(request["task"]))
        reply: dict[str, object]
        arrays: dict[str, np.ndarray] = {}
        try:
            reading = _Reported(read(**request["reading"]), answers)
            facts, arrays = function(reading, **request["settings"])
            listed = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
            reply = {"facts": facts, "arrays": listed}
        except AudioError as error:
            reply = {"unusable": pack([error.finding])[0]}
        except InvalidArgument as error:
            reply = {"invalid": str(error)}
        except MemoryError:
            reply = {"failed": True}
        answers.write(json.dumps(reply).encode() + b"\n")
        for array in arrays.values():
            # What is larger than the buffer goes to the pipe without another copy.
            answers.write(np.ascontiguousarray(array).data)
        answers.flush()


class _Reported:
    """A reading that tells the pool, about once a second, that it goes on."""

    def __init__(self, reading: Reading, answers: BinaryIO) -> None:
        self._reading, self._answers = reading, answers

    def __iter__(self) -> Iterator[np.ndarray]:
        reported = time.monotonic()
        for piece in self._reading:
            yield piece
            if time.monotonic() - reported > _ALIVE_SECONDS:
                self._answers.write(b'{"alive": true}\n')
                self._answers.flush()
                reported = time.monotonic()

    def __getattr__(self, name: str) -> object:
        return getattr(self._reading, name)


if __name__ == "__main__":
    serve()
