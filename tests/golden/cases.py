"""The data sets and commands whose results are frozen, and a program that runs them.

`python cases.py FOLDER` makes the data sets in FOLDER/data and runs every command there, in one
process, with paths relative to FOLDER. Each case leaves what it wrote in FOLDER/out/<case>, and
what the terminal showed in FOLDER/out/<case>/terminal.txt. Which Timbrel runs is decided by
PYTHONPATH alone: nothing here uses more of it than its command line.
"""

from __future__ import annotations

import argparse
import csv
import errno
import fnmatch
import os
import shutil
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
FORMATS = ("csv", "jsonl", "audacity", "raven", "parquet")
LEVELS = ("file", "window", "event")
COMMANDS = (
    "",
    *("demo", "data", "check", "explore", "summary", "train", "evaluate", "predict", "listen"),
    *("tag", "info"),
)


@dataclass(frozen=True)
class Case:
    """Commands that are run one after the other.

    Attributes:
        name: of the case and of its folder in `out`.
        commands: what follows `timbrel`; `{out}` is the folder of the case.
        slow: whether it loads Keras.
        needs: cases whose results the commands use.
        stdin: a file that the commands read from stdin.
        more: whether it is left to `compare.py`.
        closed: name of a folder that cannot be listed while the commands run.
        instruments: whether it needs the real recordings.
        large: whether it uses all of them.
    """

    name: str
    commands: tuple[str, ...]
    slow: bool = False
    needs: tuple[str, ...] = ()
    stdin: str | None = None
    more: bool = False
    closed: str | None = None
    instruments: bool = False
    large: bool = False


def _cases() -> Iterator[Case]:
    yield from _check_cases()
    yield from _predict_cases()
    yield Case(
        "tag",
        (
            "tag data/tiny --to {out}/dry --dry-run",
            "tag data/bad --to {out}/linked --threshold 0.3",
            "tag data/bad --to {out}/linked --threshold 0.3",
            "tag data/tiny --to {out}/copied --copy --keep-folders",
            "tag --undo {out}/copied/timbrel-tag.jsonl",
            "tag data/tiny",
            "tag data/tiny --to {out}/both --copy --move",
        ),
    )
    yield Case("info", ("info", "info --json", "info data/tiny"))
    yield Case("data", ("data --list", "data nothing-of-this-name"))
    yield Case("help", tuple(f"{command} --help".strip() for command in COMMANDS))
    yield from _keras_cases()
    yield from _instrument_cases()


def _check_cases() -> Iterator[Case]:
    for name, options in {
        "tiny": "data/tiny",
        "grouped": "data/grouped.csv --audio data/grouped",
        "bad": "data/bad",
        "rows": "data/rows.csv --audio data/bad",
        "swapped": "data/swapped --seed 3",
        "annotated": "data/annotated",
        "made": "out/synthetic/recordings.csv",
    }.items():
        yield Case(f"check-{name}", (f"check {options} --json {{out}}/check.json",))
    yield Case(
        "check-options",
        (
            "check data/bad --verbose --recipe tutorial-cnn --json {out}/tutorial.json",
            "check data/locked --quiet --clean-threshold 0.05 --json {out}/threshold.json",
            "check data/nowhere",
            "check data/tiny --recipe nothing-of-this-name",
            "check data/tiny --seed -1",
            "check data/empty",
        ),
    )
    yield Case("check-closed", ("check data/locked --json {out}/check.json",), closed="closed")


def _predict_cases() -> Iterator[Case]:
    everything, some = "data/tiny data/field data/bad", "data/field data/bad/hum"
    few = "data/field/*1.flac data/tiny/hum/0.wav"
    yield Case(
        "predict-shipped",
        tuple(
            f"predict {everything if form == 'csv' else some} -f {form} -l {level} "
            f"-o {{out}}/{level}.{form}"
            for form in FORMATS
            for level in LEVELS
        ),
    )
    yield Case(
        "predict-tutorial",
        tuple(
            f"predict {few} -m out/train-tutorial/model -f {form} -l {level} "
            f"-o {{out}}/{level}.{form}"
            for form in FORMATS
            for level in LEVELS
        ),
        slow=True,
        needs=("train-tutorial",),
    )
    yield Case(
        "predict-statistics",
        (
            "predict data/field data/noisy -m out/train-statistics/model",
            "predict data/field -m out/train-statistics/model -l window -f jsonl",
            "predict data/field -m out/train-statistics/model/model.onnx -f audacity",
        ),
        slow=True,
        needs=("train-statistics",),
    )
    yield Case(
        "predict-options",
        (
            "predict data/tiny/hum/0.wav",
            "predict data/field -f jsonl --top 2 --threshold 0.1",
            "predict data/field -l event --min-confidence 0.1 --min-length 0.5 --max-gap 1",
            "predict data/field data/tiny/hum -f audacity -o {out}/folder/",
            "predict data/field -f raven -o {out}/raven/",
            "predict data/field/long.wav -f audacity -l window",
            "predict data/tiny/hiss out/synthetic/recordings/*.wav --quiet",
            "predict data/nowhere.wav data/tiny/hum/0.wav",
            "predict data/empty",
            "predict data/field -m data/tiny",
            "predict data/field --min-length 1",
            "predict data/field -f parquet",
            "predict data/field --threshold 2",
            "predict data/field --pcm-rate 16000",
        ),
    )
    yield Case(
        "predict-stdin",
        ("predict -", "predict - -l window", "predict - -l event -f jsonl"),
        stdin="data/field/long.wav",
    )
    yield Case(
        "predict-pcm",
        (
            "predict - --pcm-rate 16000",
            "predict - --pcm-rate 8000 --pcm-channels 2 -l window",
            "predict - --pcm-format f32le",
            "listen - --pcm-rate 16000",
        ),
        stdin="data/raw.pcm",
    )


def _keras_cases() -> Iterator[Case]:
    fast = "-r tutorial-cnn --epochs 1"
    yield Case(
        "summary",
        ("summary tutorial-cnn", "summary statistics-cnn --classes 3", "summary tutorial-rnn"),
        slow=True,
    )
    yield Case("explore", ("explore data/bad -o {out}/explore.html",), slow=True)
    yield Case(
        "train-tutorial",
        (
            "train data/tiny -r tutorial-cnn --epochs 2 -o {out}/model",
            "info {out}/model",
        ),
        slow=True,
    )
    yield Case(
        "train-statistics",
        (
            "train data/noisy -r statistics-cnn --epochs 1 --seed 1 -o {out}/model",
            "info {out}/model",
        ),
        slow=True,
    )
    yield Case("train-bad", (f"train data/bad {fast} -o {{out}}/model",), slow=True)
    yield Case(
        "train-errors",
        (
            "train data/nowhere -o {out}/model",
            "train data/tiny -o data/tiny",
            "train data/tiny -o {out}/model --epochs 0",
            "evaluate data/tiny --folds 40",
            "evaluate data/tiny -m out/train-tutorial/model --repeats 2",
            "evaluate data/tiny --folds many",
        ),
        slow=True,
    )
    yield Case(
        "evaluate-groups",
        (
            "evaluate data/grouped.csv --audio data/grouped --folds group --unknown "
            f"--learning-curve {fast} --json {{out}}/evaluation.json",
        ),
        slow=True,
    )
    yield Case(
        "evaluate-repeats",
        (
            f"evaluate data/folds.csv {fast} --folds 2 --repeats 2 --json {{out}}/evaluation.json "
            "--report {out}/report.html",
        ),
        slow=True,
    )
    yield Case(
        "evaluate-models",
        (
            "evaluate data/swapped -m out/train-tutorial/model --json {out}/one.json",
            "evaluate data/noisy -m out/train-tutorial/model -m out/train-statistics/model "
            "--json {out}/two.json",
            "evaluate out/synthetic/recordings.csv -m out/train-tutorial/model",
        ),
        slow=True,
        needs=("train-tutorial", "train-statistics"),
    )
    yield Case(
        "more-check",
        (
            "check data/noisy --json {out}/noisy.json",
            "check data/folds.csv --json {out}/folds.json",
            "check data/tiny --json {out}/tiny.json",
            "check data/field",
        ),
        more=True,
    )
    yield Case(
        "more-check-deep",
        ("check data/swapped --deep -r tutorial-cnn --json {out}/check.json",),
        slow=True,
        more=True,
    )
    yield Case(
        "more-evaluate",
        (
            "evaluate data/grouped.csv --audio data/grouped -r statistics-cnn --epochs 1 --unknown "
            "--folds 2 --json {out}/grouped.json --report {out}/report.html",
            f"evaluate data/folds.csv {fast} --learning-curve --json {{out}}/folds.json",
            f"evaluate data/bad {fast} --folds 2 --json {{out}}/bad.json --verbose",
            f"evaluate data/bad {fast} --folds 2 --resume --json {{out}}/again.json --quiet",
        ),
        slow=True,
        more=True,
    )
    yield Case(
        "more-train",
        (
            "train data/noisy -r tutorial-cnn --epochs 2 -o {out}/noisy --refit --verbose",
            "train data/noisy -r strong --epochs 1 -o {out}/strong --quiet",
            "train data/tiny -r tutorial-rnn --epochs 1 -o {out}/rnn --no-cache",
            f"train data/rows.csv --audio data/bad {fast} -o {{out}}/rows",
            "train data/annotated -r tutorial-cnn --epochs 1 -o {out}/annotated",
            "train data/folds.csv -r tutorial-cnn-16 --epochs 1 -o {out}/noisy --resume",
            "predict data/field -m {out}/strong -f jsonl -l window",
        ),
        slow=True,
        more=True,
    )


def _instrument_cases() -> Iterator[Case]:
    some = "data/instruments.csv --audio data/instruments"
    yield Case("instruments-check", (f"check {some} --json {{out}}/check.json",), instruments=True)
    yield Case(
        "instruments-predict",
        (
            "predict data/instruments -o {out}/file.csv",
            "predict data/instruments -l event -o {out}/event.csv",
        ),
        instruments=True,
    )
    everything = "shared/data/instruments/instruments.csv --audio shared/data/instruments/wavfiles"
    recordings = "shared/data/instruments/wavfiles"
    large = {"instruments": True, "large": True}
    yield Case(
        "large-check",
        (f"check {everything} --verbose --json {{out}}/check.json",),
        **large,
    )
    yield Case(
        "large-predict",
        tuple(
            f"predict {recordings} -l {level} -f {form} -o {{out}}/{level}.{form}"
            for level, form in (
                *(("file", "csv"), ("window", "jsonl"), ("event", "raven")),
                ("event", "parquet"),
            )
        ),
        **large,
    )
    yield Case(
        "large-train", (f"train {everything} --epochs 2 -o {{out}}/model",), slow=True, **large
    )
    yield Case(
        "large-evaluate",
        (
            f"evaluate {everything} --epochs 1 --folds 3 --json {{out}}/evaluation.json",
            f"evaluate {everything} -m out/large-train/model --json {{out}}/model.json",
        ),
        slow=True,
        needs=("large-train",),
        **large,
    )


CASES = {case.name: case for case in _cases()}


def chosen(
    patterns: list[str],
    *,
    without: list[str],
    kinds: set[bool],
    more: bool,
    instruments: bool,
    large: bool,
) -> list[Case]:
    """Cases that match one of the patterns, and those that they need, in their order.

    Args:
        patterns: of names.
        without: patterns of names that are left out.
        kinds: whether those that are slow, or those that are not, are among them.
        more, instruments, large: whether those cases are among them.
    """
    names = {
        case.name
        for case in CASES.values()
        if any(fnmatch.fnmatchcase(case.name, pattern) for pattern in patterns)
        and not any(fnmatch.fnmatchcase(case.name, pattern) for pattern in without)
        and case.slow in kinds
        and (more or not case.more)
        and (instruments or not case.instruments)
        and (large or not case.large)
    }
    names |= {needed for name in names for needed in CASES[name].needs}
    # What others need is defined after them where that reads better.
    ordered = sorted(names, key=list(CASES).index)
    return [CASES[name] for name in sorted(ordered, key=lambda name: bool(CASES[name].needs))]


# Data sets


def sound(
    kind: str, seconds: float, seed: list[int] | np.random.Generator, *, rate: int = RATE
) -> np.ndarray:
    """A sound of a kind that is easy to tell from the others, float32."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    if kind == "hiss":
        waveform = rng.normal(size=len(time)) * 0.1
    elif kind == "hum":
        pitch = rng.uniform(80, 160)
        waveform = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6)) * 0.2
    elif kind == "clicks":
        waveform = np.where(rng.uniform(size=len(time)) < 30 / rate, rng.normal(size=len(time)), 0)
    else:
        waveform = np.sin(2 * np.pi * rng.uniform(1800, 2600) * time) * 0.3
    return np.float32(waveform * rng.uniform(0.3, 1) + rng.normal(size=len(time)) * 1e-3)


def write(path: Path, waveform: np.ndarray, *, rate: int = RATE) -> None:
    """Write a sound file, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(waveform, -1, 1), rate, subtype="PCM_16")


def _float_wav(waveform: np.ndarray) -> bytes:
    """A mono WAV file of floats; libsndfile would write the time of day into it."""
    samples = waveform.astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 1, RATE, 4 * RATE, 4, 32)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _write_rows(path: Path, rows: list[tuple]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _write_classes(folder: Path, kinds: tuple[str, ...], recordings: int) -> None:
    for number, kind in enumerate(kinds):
        for take in range(recordings):
            write(folder / kind / f"{take}.wav", sound(kind, 0.5, [number, take]))


def make_data(folder: Path, *, shared: Path | None) -> None:
    """Write all data sets into a folder, the same bytes every time."""
    _write_classes(folder / "tiny", ("hiss", "hum", "whistle"), 6)
    _write_classes(folder / "noisy", ("hum", "whistle", "noise"), 7)
    _write_classes(folder / "swapped", ("hiss", "hum", "whistle"), 10)
    write(folder / "swapped" / "hum" / "wrong.wav", sound("whistle", 0.5, [9, 1]))
    (folder / "empty").mkdir()
    _make_grouped(folder)
    _make_bad(folder)
    _make_annotated(folder / "annotated")
    _make_field(folder)
    _write_classes(folder / "locked", ("hum", "whistle", "closed"), 2)
    if shared is not None:
        _make_instruments(folder, shared / "data" / "instruments")


def _make_grouped(folder: Path) -> None:
    """Two speakers of each class, and background; stretches with a `fold` column."""
    rows: list[tuple] = [("file", "category", "speaker")]
    for number, kind in enumerate(("hiss", "hum", "whistle", "clicks")):
        label = "noise" if kind == "clicks" else kind
        for take in range(6):
            path = f"{kind}-{take}.wav"
            write(folder / "grouped" / path, sound(kind, 0.6, [20, number, take]))
            rows.append((path, label, f"speaker {'ab'[take % 2]}"))
    _write_rows(folder / "grouped.csv", rows)

    rows = [("path", "label", "start", "end", "fold")]
    for number, kind in enumerate(("hum", "whistle")):
        for take in range(6):
            path = f"stretches/{kind}-{take}.wav"
            write(folder / path, sound(kind, 1.2, [30, number, take]))
            rows.append((path, kind, 0, 0.5, take % 2 + 1))
            rows.append((path, kind, 0.6, "", take % 2 + 1))
    _write_rows(folder / "folds.csv", rows)


def _make_bad(folder: Path) -> None:
    """Recordings of which each is broken or odd in its own way, and rows that are."""
    bad = folder / "bad"
    _write_classes(bad, ("hum", "whistle"), 6)
    hum = sound("hum", 0.5, [40])
    write(bad / "hum" / "clipped.wav", hum * 12)
    write(bad / "hum" / "offset.wav", hum * 0.3 + 0.3)
    write(bad / "hum" / "rate.wav", sound("hum", 0.5, [41], rate=11_025), rate=11_025)
    write(bad / "hum" / "stereo.wav", np.stack([hum, 0.5 * hum[::-1]], axis=1))
    write(bad / "hum" / "short.wav", sound("hum", 0.02, [42]))
    write(bad / "hum" / "quiet.wav", sound("hum", 0.5, [43]) * 2e-3)
    write(bad / "hum" / "zero.wav", np.zeros(RATE // 2, np.float32))
    write(bad / "hum" / "no-samples.wav", np.zeros(0, np.float32))
    odd = sound("hum", 0.5, [44])
    (bad / "hum" / "too-loud.wav").write_bytes(_float_wav(odd * 9))
    odd[100:110] = np.nan
    (bad / "hum" / "not-a-number.wav").write_bytes(_float_wav(odd))
    (bad / "hum" / "empty.wav").write_bytes(b"")
    (bad / "hum" / "text.wav").write_text("This is no sound.\n")
    whole = (bad / "hum" / "0.wav").read_bytes()
    (bad / "hum" / "copy.wav").write_bytes(whole)
    write(bad / "hum" / "truncated.wav", sound("hum", 0.5, [45]))
    content = (bad / "hum" / "truncated.wav").read_bytes()
    (bad / "hum" / "truncated.wav").write_bytes(content[: len(content) // 2])
    samples, _ = soundfile.read(bad / "hum" / "1.wav", dtype="float32")
    write(bad / "hum" / "same-samples.flac", samples)
    breath = sound("hiss", 1, [47])
    write(bad / "whistle" / "breath.wav", breath)
    write(bad / "whistle" / "near.wav", breath[200:] * 0.6)
    (bad / "whistle" / "of-hum.wav").write_bytes((bad / "hum" / "2.wav").read_bytes())
    (bad / "hum" / "passed-over.m4a").write_bytes(b"m4a")
    write(bad / "loose.wav", sound("hum", 0.5, [46]))
    _write_rows(
        folder / "rows.csv",
        [
            ("path", "label", "start", "end", "colour"),
            *((f"hum/{take}.wav", "hum", "", "", "red") for take in range(6)),
            *((f"whistle/{take}.wav", "whistle", "", "", "") for take in range(6)),
            ("hum/missing.wav", "hum", "", "", ""),
            ("hum/0.wav", "hum", "0.1", "9", ""),
            ("hum/1.wav", "hum", "5", "6", ""),
            ("hum/2.wav", "hum", "0.4", "0.2", ""),
            ("hum/3.wav", "hum", "soon", "", ""),
            ("hum/4.wav", "", "", "", ""),
            ("", "hum", "", "", ""),
            ("hum", "hum", "", "", ""),
            ("hum/5.wav", "hum", "", "", "twice"),
            ("hum/text.wav", "hum", "", "", ""),
            ("hum/zero.wav", "hum", "", "", ""),
            ("whistle/0.wav", "0", "", "", ""),
            ("hum/0.wav", "NA", "0.1", "0.3", ""),
        ],
    )


def _make_annotated(folder: Path) -> None:
    """Recordings with Audacity label tracks and a Raven selection table beside them."""
    for take in range(4):
        parts = [sound(kind, 0.5, [50, take, n]) for n, kind in enumerate(("hum", "whistle"))]
        write(folder / f"take-{take}.wav", np.concatenate([*parts, *parts]))
        (folder / f"take-{take}.txt").write_text(
            "0\t0.5\thum\n0.5\t1\twhistle\n1\t1.5\thum\n1.6\t1.6\tpoint\n1.9\t9\twhistle\n"
        )
    write(folder / "table.wav", np.concatenate(parts))
    (folder / "table.Table.1.selections.txt").write_text(
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
        "Species\n1\tSpectrogram 1\t1\t0\t0.5\t0\t8000\thum\n"
    )
    write(folder / "unlabelled.wav", parts[0])


def _make_field(folder: Path) -> None:
    """Recordings that change, one of them at another rate and in stereo; raw samples."""
    quiet = np.zeros(RATE // 2, np.float32)
    kinds = ("hum", "whistle", "hiss", "clicks")
    parts = [sound(kind, 1.2, [60, number]) for number, kind in enumerate(kinds)]
    long = np.concatenate([part for pair in zip(parts, [quiet] * 4, strict=True) for part in pair])
    write(folder / "field" / "long.wav", long)
    left, right = (sound(kind, 2.5, [61], rate=44_100) for kind in ("whistle", "hum"))
    write(folder / "field" / "größe 1.flac", np.stack([left, right], axis=1), rate=44_100)
    (folder / "raw.pcm").write_bytes((long[: 6 * RATE] * 32767).astype("<i2").tobytes())


def _make_instruments(folder: Path, source: Path) -> None:
    """Four recordings of each instrument under other names: only figures of them are kept."""
    with open(source / "instruments.csv", newline="", encoding="utf-8") as file:
        rows = sorted(csv.reader(file))
    taken: dict[str, int] = {}
    listed = [("path", "label")]
    (folder / "instruments").mkdir()
    for name, label in rows:
        if name.endswith(".wav") and taken.get(label, 0) < 4:
            taken[label] = taken.get(label, 0) + 1
            path = f"{label.lower()}-{taken[label]}.wav"
            shutil.copyfile(source / "wavfiles" / name, folder / "instruments" / path)
            listed.append((path, label))
    _write_rows(folder / "instruments.csv", [listed[0], *sorted(listed[1:])])


def shared_folder() -> Path | None:
    """The folder with the real recordings; None where there is none."""
    here = Path(__file__).resolve()
    beside = [parent / "shared" for parent in here.parents]
    named = os.environ.get("TIMBREL_SHARED")
    for folder in [Path(named)] if named else beside:
        if (folder / "data" / "instruments" / "instruments.csv").is_file():
            return folder.resolve()
    return None


# Running


@contextmanager
def closed(*names: str) -> Iterator[None]:
    """Make folders of some names unreadable, to root as well, with all that is in them."""
    scandir, stat = os.scandir, os.stat

    def refuse(path: object, hidden: tuple[str, ...]) -> None:
        if not set(names).isdisjoint(hidden):
            raise PermissionError(errno.EACCES, "Permission denied", os.fsdecode(path))

    def closed_scandir(path: object = ".") -> object:
        if not isinstance(path, int):
            refuse(path, Path(os.fsdecode(path)).parts[-1:])
        return scandir(path)

    def closed_stat(path: object, *args: object, **kwargs: object) -> object:
        if not isinstance(path, int):
            refuse(path, Path(os.fsdecode(path)).parts[:-1])
        return stat(path, *args, **kwargs)

    if names:
        os.scandir, os.stat = closed_scandir, closed_stat
    try:
        yield
    finally:
        os.scandir, os.stat = scandir, stat


def _run(command: str, case: Case, folder: Path) -> str:
    """Run a command in this process; return what it showed and how it ended."""
    from timbrel.__main__ import main

    before = sys.argv, sys.stdin, sys.stdout, sys.stderr
    kept = [os.dup(number) for number in range(3)]
    shown = [folder / "stdout", folder / "stderr"]
    for stream in before[2:]:
        stream.flush()
    status: object = 0
    try:
        stdin = os.open(case.stdin or os.devnull, os.O_RDONLY)
        os.dup2(stdin, 0)
        os.close(stdin)
        for number, path in enumerate(shown, start=1):
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(target, number)
            os.close(target)
        sys.argv = ["timbrel", *command.format(out=f"out/{case.name}").split()]
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            for number, mode in ((0, "r"), (1, "w"), (2, "w"))
        )
        opened = sys.stdout, sys.stderr
        try:
            with closed(*([case.closed] if case.closed else [])):
                main()
        except SystemExit as ended:
            status = ended.code or 0
        for stream in opened:
            stream.flush()
    finally:
        sys.argv, sys.stdin, sys.stdout, sys.stderr = before
        for number, copy in enumerate(kept):
            os.dup2(copy, number)
            os.close(copy)
    text = f"$ timbrel {command.format(out=f'out/{case.name}')}\n"
    for path in shown:
        content = path.read_text(encoding="utf-8", errors="surrogateescape")
        path.unlink()
        if content:
            text += f"--- {path.name}\n{content}" + "\n" * (not content.endswith("\n"))
    return f"{text}--- exit status {status}\n\n"


def _hide_matrix_units() -> None:
    """Let no processor have what networks are trained with in bfloat16: figures are then alike."""
    read_text = Path.read_text

    def without(path: Path, *args: object, **kwargs: object) -> str:
        text = read_text(path, *args, **kwargs)
        return text.replace(" amx_bf16", "") if str(path) == "/proc/cpuinfo" else text

    Path.read_text = without


def run_cases(cases: list[Case]) -> None:
    """Run cases in the working folder, which holds `data`."""
    _run_synthesis()
    for case in cases:
        begun = time.perf_counter()
        folder = Path("out", case.name)
        folder.mkdir(parents=True)
        os.environ["TIMBREL_CACHE"] = str(Path("cache", case.name).absolute())
        # The page of a command is as wide as its longest line.
        os.environ["TERMINAL_WIDTH"] = "300"
        shown = "".join(_run(command, case, Path()) for command in case.commands)
        (folder / "terminal.txt").write_text(shown, encoding="utf-8", errors="surrogateescape")
        print(f"{time.perf_counter() - begun:6.1f} s  {case.name}", flush=True)


def _run_synthesis() -> None:
    """The set of `make_synthetic`, one recording of each class."""
    import timbrel

    timbrel.make_synthetic("out/synthetic", recordings=1, rate=16_000)


def main() -> None:
    """Make the data sets and run the cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", default=["*"], help="patterns of names of cases")
    parser.add_argument("--without", nargs="+", default=[], help="patterns of those left out")
    parser.add_argument("--quick", action="store_true", help="only what needs no Keras")
    parser.add_argument("--slow", action="store_true", help="only what needs Keras")
    parser.add_argument("--more", action="store_true", help="also what is left to compare.py")
    parser.add_argument("--instruments", action="store_true", help="with the real recordings")
    parser.add_argument(
        "--portable", action="store_true", help="train as where there are no matrix units"
    )
    parser.add_argument("--large", action="store_true", help="with all of them")
    arguments = parser.parse_args()
    shared = shared_folder()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(arguments.folder)
    if arguments.portable:
        _hide_matrix_units()
    make_data(Path("data"), shared=shared if arguments.instruments else None)
    if shared is not None and arguments.large:
        Path("shared").symlink_to(shared)
    run_cases(
        chosen(
            arguments.only,
            without=arguments.without,
            kinds={False} if arguments.quick else {True} if arguments.slow else {False, True},
            more=arguments.more,
            instruments=arguments.instruments and shared is not None,
            large=arguments.large and shared is not None,
        )
    )


if __name__ == "__main__":
    main()
