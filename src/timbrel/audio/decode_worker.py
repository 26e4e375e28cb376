"""A process that decodes sound files for its parent; `timbrel.audio.isolated` starts it.

What the two say to each other:

    worker  READY, after whatever else the interpreter printed while it started
    parent  one line of JSON: the arguments of `decode` by their names, and under `describe` the
            module and the name of a function to give the result to, with its other arguments, or
            null
    worker  one line of JSON: `{"facts": …, "arrays": …}`, the arrays as `[name, dtype, shape]`,
            followed by their raw content in that order. They are what the function returns;
            without one, the fields of `Decoded`, of which `waveform` is an array.
            `{"unusable": reason}` for an AudioError, `{"invalid": message}` for InvalidArgument,
            `{"failed": reason}` where memory runs out

When its input ends, because the parent closed it or is no more, the worker ends at once, even in
the middle of a file.
"""

from __future__ import annotations

import importlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import fields
from queue import SimpleQueue
from typing import BinaryIO

import numpy as np

from timbrel.audio.decode import Decoded, decode
from timbrel.errors import AudioError, InvalidArgument

READY = b"timbrel decodes\n"
TOO_LONG = "it does not fit in the memory; cut it into shorter recordings"


def serve(decode: Callable[..., Decoded]) -> None:
    """Answer requests on stdin until it ends; never returns.

    Args:
        decode: what decodes, with the signature of `timbrel.audio.decode.decode`.
    """
    requests, answers = _own_streams()
    waiting: SimpleQueue[bytes] = SimpleQueue()
    answers.write(READY)
    answers.flush()
    # Only now: on Windows no library can be loaded while a thread waits for a pipe on stdin.
    threading.Thread(target=_receive, args=(requests, waiting), daemon=True).start()
    while True:
        _answer(json.loads(waiting.get()), answers, decode)


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


def _answer(request: dict, answers: BinaryIO, decode: Callable[..., Decoded]) -> None:
    arrays: dict[str, np.ndarray] = {}
    describe = request.pop("describe")
    try:
        decoded = decode(**request)
        if describe is None:
            facts, arrays = _fields(decoded)
        else:
            module, name, settings = describe
            facts, arrays = getattr(importlib.import_module(module), name)(decoded, **settings)
    except AudioError as error:
        reply = {"unusable": error.reason}
    except InvalidArgument as error:
        reply = {"invalid": str(error)}
    except MemoryError:
        reply, arrays = {"failed": TOO_LONG}, {}
    else:
        listed = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
        reply = {"facts": facts, "arrays": listed}
    answers.write(json.dumps(reply).encode() + b"\n")
    for array in arrays.values():
        # What is larger than the buffer goes to the pipe without another copy.
        answers.write(np.ascontiguousarray(array))
    answers.flush()


def _fields(decoded: Decoded) -> tuple[dict, dict[str, np.ndarray]]:
    facts = {item.name: getattr(decoded, item.name) for item in fields(decoded)}
    return facts, {"waveform": facts.pop("waveform")}


if __name__ == "__main__":
    serve(decode)
