"""A process that reads sound files for its parent; `timbrel.audio.isolated` starts it.

What the two say to each other:

    worker  READY, after whatever else the interpreter printed while it started
    parent  one line of JSON: the arguments of `Reading` by their names, and under `by` the module
            and the name of a function that the reading is given to, with its other arguments
    worker  one line of JSON: `{"facts": …, "arrays": …}`, the arrays as `[name, dtype, shape]`,
            followed by their raw content in that order; both are what the function returns.
            `{"unusable": reason}` for an AudioError, `{"invalid": message}` for InvalidArgument,
            `{"failed": reason}` where memory runs out. Before it, once a second at most while
            pieces of the recording are read, a line `{"alive": true}`

When its input ends, because the parent closed it or is no more, the worker ends at once, even in
the middle of a file.
"""

from __future__ import annotations

import importlib
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

READY = b"timbrel decodes\n"
_BEAT_SECONDS = 1.0
TOO_LONG = "it does not fit in the memory; cut it into shorter recordings"


def serve(read: Callable[..., Reading]) -> None:
    """Answer requests on stdin until it ends; never returns.

    Args:
        read: what reads, with the signature of `timbrel.audio.reading.Reading`.
    """
    requests, answers = _own_streams()
    waiting: SimpleQueue[bytes] = SimpleQueue()
    answers.write(READY)
    answers.flush()
    # Only now: on Windows no library can be loaded while a thread waits for a pipe on stdin.
    threading.Thread(target=_receive, args=(requests, waiting), daemon=True).start()
    while True:
        _answer(json.loads(waiting.get()), answers, read)


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for the protocol; codecs that print or read get the null device."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)
    return requests, answers


def _receive(requests: BinaryIO, waiting: SimpleQueue[bytes]) -> None:
    for line in requests:
        waiting.put(line)
    os._exit(0)


def _answer(request: dict, answers: BinaryIO, read: Callable[..., Reading]) -> None:
    arrays: dict[str, np.ndarray] = {}
    module, name, settings = request.pop("by")
    function = getattr(importlib.import_module(module), name)
    try:
        facts, arrays = function(_Beating(read(**request), answers), **settings)
    except AudioError as error:
        reply = {"unusable": error.reason}
    except InvalidArgument as error:
        reply = {"invalid": str(error)}
    except MemoryError:
        reply = {"failed": TOO_LONG}
    else:
        listed = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
        reply = {"facts": facts, "arrays": listed}
    answers.write(json.dumps(reply).encode() + b"\n")
    for array in arrays.values():
        # What is larger than the buffer goes to the pipe without another copy.
        answers.write(np.ascontiguousarray(array))
    answers.flush()


class _Beating:
    """A reading that lets the parent know, now and then, that it goes on.

    Args:
        reading: what is read.
        answers: where to say so.
    """

    def __init__(self, reading: Reading, answers: BinaryIO) -> None:
        self._reading, self._answers = reading, answers

    def __iter__(self) -> Iterator[np.ndarray]:
        said = time.monotonic()
        for piece in self._reading:
            yield piece
            if time.monotonic() - said > _BEAT_SECONDS:
                self._answers.write(b'{"alive": true}\n')
                self._answers.flush()
                said = time.monotonic()

    def __getattr__(self, name: str) -> object:
        return getattr(self._reading, name)


if __name__ == "__main__":
    serve(Reading)
