"""A worker that misbehaves on certain names of files: what test_isolated.py runs instead."""

import ctypes
import os
import sys
import time
from pathlib import Path

from timbrel.audio.reading import Reading
from timbrel.worker import serve

answered = []


def unruly(path, rate, **stretch):
    word = Path(path).stem.partition("-")[0]
    if word == "segfault" or (word == "second" and answered):
        ctypes.string_at(0)
    if word == "exit":
        os._exit(7)
    if word == "bug":
        raise RuntimeError("a defect")
    if word == "killed":
        os.kill(os.getpid(), 9)
    if word == "memory":
        raise MemoryError
    if word == "hang":
        time.sleep(10_000)
    if word == "grip":  # Hangs without letting other threads run.
        ctypes.PyDLL(None).sleep(10_000)
    if word == "print":
        sys.stdout.write("from Python\n")
        sys.stdout.flush()
        for stream in (1, 2):
            os.write(stream, b'from a codec\n{"decoded": 1}\n')
        assert os.read(0, 10) == b""
    answered.append(path)
    if word == "slow":
        return Slow(path, rate, **stretch)
    return Reading(path, rate, **stretch)


class Slow(Reading):
    """Takes its time for each piece."""

    def __iter__(self):
        for piece in super().__iter__():
            time.sleep(0.7)
            yield piece


if __name__ == "__main__":
    os.write(1, b"a library that greets\nwithout a new line")
    os.write(2, b"and complains\n")
    serve(unruly)
