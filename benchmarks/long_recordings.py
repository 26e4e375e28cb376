"""Claim: a recording of ten hours is predicted in 400 MB, and twice as long takes twice as long.

Joins recordings of a data set to WAV files of 1, 2, 4 and 8 times a length, and one of ten hours,
and runs `timbrel predict --level window` on each in a fresh process, as a user would. Prints
seconds, audio seconds per second, the ratio of each time to that of half the length, and the peak
memory of the process (which reads the file itself; there is no other).

    python benchmarks/long_recordings.py -m MODEL [--hours 1] [--longest 10]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile

from machine import recordings, save
from timbrel.dataset.manifest import read_dataset

_RATE = 44_100


def write_long(path: Path, hours: float) -> None:
    """Recordings one after the other until they are so long, 16-bit mono."""
    table, audio = recordings("instruments")
    waveforms = [
        soundfile.read(item.file, dtype="int16")[0]
        for item in read_dataset(table, audio=audio).recordings
    ]
    left = round(hours * 3600 * _RATE)
    with soundfile.SoundFile(path, "w", _RATE, 1, "PCM_16") as file:
        while left > 0:
            for waveform in waveforms:
                file.write(waveform[:left])
                left -= min(len(waveform), left)


def predicted(model: Path, path: Path) -> dict:
    """Seconds and peak memory of one run, and the rows that it wrote."""
    out = path.with_suffix(".csv")
    command = [sys.executable, "-m", "timbrel", "predict", os.fspath(path), "-m", os.fspath(model)]
    command += ["--level", "window", "-q", "-o", os.fspath(out)]
    started = time.perf_counter()
    # In a process of its own, whose only child it is: the peak of children is of all there were.
    measure = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", measure, *command], check=True, capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    with open(out, encoding="utf-8") as rows:
        count = sum(1 for _ in rows) - 1
    return {"seconds": round(seconds, 1), "peak_mb": int(done.stdout) / 1024, "rows": count}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("-m", "--model", type=Path, required=True)
    options.add_argument("--hours", type=float, default=1.0, help="the shortest")
    options.add_argument("--longest", type=float, default=10.0)
    chosen = options.parse_args()
    rows = []
    for hours in (*(chosen.hours * factor for factor in (1, 2, 4, 8)), chosen.longest):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "long.wav"
            write_long(path, hours)
            row = {"hours": hours, **predicted(chosen.model, path)}
        row["audio_seconds_per_second"] = round(hours * 3600 / row["seconds"])
        row["peak_mb"] = round(row["peak_mb"])
        before = next((one for one in rows if one["hours"] * 2 == hours), None)
        growth = f", {row['seconds'] / before['seconds']:.2f} times half of it" if before else ""
        print(
            f"{hours:5.2f} h: {row['seconds']:7.1f} s, {row['audio_seconds_per_second']} s of "
            f"sound per second, {row['peak_mb']} MB, {row['rows']} windows{growth}",
            flush=True,
        )
        rows.append(row)
    save("long-recordings", {"recordings": rows})


if __name__ == "__main__":
    main()
