"""A process that decodes sound files for its parent; `timbrel.audio.isolated` starts it.

What the two say to each other:

    worker  READY, after whatever else the interpreter printed while it started
    parent  one line of JSON: the arguments of `decode` by their names
    worker  one line of JSON: `{"decoded": …}` with the fields of `Decoded`, `waveform` being the
            number of its samples, followed by the samples as raw float32;
            `{"unusable": reason}` for an AudioError, `{"invalid": message}` for InvalidArgument,
            `{"failed": reason}` where memory runs out

When its input ends, because the parent closed it or is no more, the worker ends at once, even in
the middle of a file.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import fields
from queue import SimpleQueue
from typing import BinaryIO

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
    waveform = None
    try:
        decoded = decode(**request)
    except AudioError as error:
        reply = {"unusable": error.reason}
    except InvalidArgument as error:
        reply = {"invalid": str(error)}
    except MemoryError:
        reply = {"failed": TOO_LONG}
    else:
        waveform = decoded.waveform
        facts = {item.name: getattr(decoded, item.name) for item in fields(decoded)}
        reply = {"decoded": facts | {"waveform": len(waveform)}}
    answers.write(json.dumps(reply).encode() + b"\n")
    if waveform is not None:
        # Larger than the buffer, so it goes to the pipe without another copy.
        answers.write(waveform)
    answers.flush()


if __name__ == "__main__":
    serve(decode)
