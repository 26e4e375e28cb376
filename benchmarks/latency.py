"""Claim: `timbrel listen` answers within 100 ms of the last sample that an answer is about.

Pipes a recording into `timbrel listen - -f jsonl` as a sound card would: 20 ms of samples every
20 ms. The latency of an answer is the time from when the last sample of its window was written
until its line is there. Prints the median and the largest, of this and as the program states it
itself, and whether the answers are those of `predict --level window`.

    python benchmarks/latency.py -m MODEL [--seconds 30]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import soundfile

from machine import recordings, save
from timbrel.dataset.manifest import read_dataset
from timbrel.inference.predictor import load

_RATE, _PIECE = 44_100, 882


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("-m", "--model", type=Path, required=True)
    options.add_argument("--seconds", type=int, default=30)
    chosen = options.parse_args()
    table, audio = recordings("instruments")
    files = [item.file for item in read_dataset(table, audio=audio).recordings]
    parts = [soundfile.read(file, dtype="int16")[0] for file in files[: chosen.seconds]]
    samples = np.concatenate(parts)[: chosen.seconds * _RATE]
    command = [sys.executable, "-m", "timbrel", "listen", "-", "-q", "-m", str(chosen.model)]
    process = subprocess.Popen(
        [*command, "-f", "jsonl", "--pcm-rate", str(_RATE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    came: list[tuple[float, dict]] = []

    def collect() -> None:
        for line in process.stdout:
            came.append((time.perf_counter(), json.loads(line)))

    reader = threading.Thread(target=collect)
    reader.start()
    # The program starts while nothing is played yet.
    time.sleep(2)
    begun = time.perf_counter()
    for number in range(len(samples) // _PIECE):
        due = begun + (number + 1) * _PIECE / _RATE
        time.sleep(max(due - time.perf_counter(), 0))
        process.stdin.write(samples[number * _PIECE : (number + 1) * _PIECE].tobytes())
        process.stdin.flush()
    process.stdin.close()
    reader.join()
    heard = [(at, row) for at, row in came if row["predicted"]]
    late = [at - begun - row["end"] for at, row in heard][:-1]
    stated = [row["latency"] for _, row in heard][:-1]
    windows = load(chosen.model).predict_windows(np.float32(samples / 32768), _RATE)
    equal = [row["predicted"] for _, row in heard] == [
        item.predicted for item in windows if item.predicted
    ]
    median, worst = statistics.median(late), max(late)
    print(
        f"{len(late)} answers, {1000 * median:.0f} ms after the last sample (at most "
        f"{1000 * worst:.0f}); as stated {1000 * statistics.median(stated):.0f} and "
        f"{1000 * max(stated):.0f}; the windows of predict: {equal}"
    )
    save(
        "latency",
        {
            "answers": len(late),
            "median_ms": round(1000 * median),
            "largest_ms": round(1000 * worst),
            "stated_median_ms": round(1000 * statistics.median(stated)),
            "equal_to_predict": equal,
        },
    )


if __name__ == "__main__":
    main()
