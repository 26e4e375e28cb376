"""A process that decodes sound files for its parent; `timbrel.audio.isolated` starts it.

What the two say to each other:

    worker  READY, after whatever else the interpreter printed while it started
    parent  one line of JSON: the arguments of `decode` by their names, and under `describe` the
            module and the name of a function to give the result to, with its other arguments, or
            null for the pieces of the recording
    worker  for a function, one line of JSON: `{"facts": …, "arrays": …}`, the arrays as
            `[name, dtype, shape]`, followed by their raw content in that order. They are what the
            function returns.
            For pieces, a line `{"piece": samples}` before the float32 samples of each, then one
            with `{"facts": …}` of the whole.
            Instead of the next line `{"unusable": reason}` for an AudioError,
            `{"invalid": message}` for InvalidArgument, `{"failed": reason}` where memory runs out

When its input ends, because the parent closed it or is no more, the worker ends at once, even in
the middle of a file.
"""

from __future__ import annotations

import importlib
import json
import os
import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import BinaryIO

import numpy as np

from timbrel.audio.decode import whole
from timbrel.audio.reading import FACTS, Reading
from timbrel.errors import AudioError, InvalidArgument

READY = b"timbrel decodes\n"
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
    describe = request.pop("describe")
    try:
        reading = read(**request)
        if describe is None:
            for piece in reading:
                _write(answers, {"piece": len(piece)}, [piece])
            reply = {"facts": {name: getattr(reading, name) for name in FACTS}}
        else:
            module, name, settings = describe
            function = getattr(importlib.import_module(module), name)
            facts, arrays = function(whole(reading), **settings)
            listed = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
            reply = {"facts": facts, "arrays": listed}
    except AudioError as error:
        reply = {"unusable": error.reason}
    except InvalidArgument as error:
        reply = {"invalid": str(error)}
    except MemoryError:
        reply, arrays = {"failed": TOO_LONG}, {}
    _write(answers, reply, arrays.values())


def _write(answers: BinaryIO, reply: dict, arrays: Iterable[np.ndarray]) -> None:
    answers.write(json.dumps(reply).encode() + b"\n")
    for array in arrays:
        # What is larger than the buffer goes to the pipe without another copy.
        answers.write(np.ascontiguousarray(array))
    answers.flush()


if __name__ == "__main__":
    serve(Reading)
