"""Claim: decoding in processes of its own costs their start, and nothing more.

The same 300 WAV files are decoded to 16 kHz in threads of this process and in isolated processes,
in turn, one for each core in both; the samples must be equal. Medians of the rounds. Caveat: on a
machine that is shared with other work, two processes get a larger share of it than one, so the
processor time of all of them is given beside the time that passes.

    python benchmarks/isolation.py
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import numpy as np

from machine import recordings, save
from timbrel import IsolatedDecoder, decode
from timbrel.workers import cores, in_order

RATE, ROUNDS = 16_000, 9


@contextmanager
def timed(name: str, seconds: dict[str, list[float]]) -> Iterator[None]:
    """Note the seconds that pass."""
    started = time.perf_counter()
    yield
    seconds.setdefault(name, []).append(time.perf_counter() - started)


def processor() -> float:
    """Seconds of processor time of this process and of those that it started and that ended."""
    return sum(os.times()[:4])


def main() -> None:
    _, audio = recordings("instruments")
    paths = sorted(audio.glob("*.wav"))
    seconds: dict[str, list[float]] = {}
    equal = 0
    for _ in range(ROUNDS):
        used = [processor()]
        with timed("threads", seconds):
            expected = list(in_order(lambda path: decode(path, RATE).waveform, paths))
        used.append(processor())
        with IsolatedDecoder() as decoder:

            def isolated(path, decoder=decoder):
                return decoder.decode(path, RATE).waveform

            with timed("start", seconds):
                list(in_order(isolated, paths[: 2 * cores()]))
            with timed("isolated", seconds):
                got = list(in_order(isolated, paths))
        used.append(processor())
        seconds.setdefault("threads, processor", []).append(used[1] - used[0])
        seconds.setdefault("start and isolated, processor", []).append(used[2] - used[1])
        equal = sum(np.array_equal(*both) for both in zip(expected, got, strict=True))
    medians = {name: round(median(values), 3) for name, values in seconds.items()}
    result = {"files": len(paths), "files_with_equal_samples": equal, "seconds": medians}
    save("isolation", result)
    print(f"{equal} of {len(paths)} files have equal samples")
    for name, value in medians.items():
        print(f"{name:32} {value:6.2f} s")


if __name__ == "__main__":
    main()
