"""Ctrl-C, SIGTERM and SIGKILL while predictions are written."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from pyarrow import parquet

from conftest import RATE, interruptible, sound
from timbrel.cli.predict import Interrupts

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

# `timbrel`, halting after each recording until it is told to go on; a model need not be loaded.
HALTING = """
import signal, sys
from types import SimpleNamespace
from timbrel.inference import predictor
from timbrel.inference.prediction import Prediction
from timbrel.workflows import predict

def predict_each(files, *_, **__):
    for path in files:
        yield [
            Prediction(path=path, label="dog", probability=0.5, seconds=2.0, start=n, end=n + 1)
            for n in range(2)
        ]
        print(path, file=sys.stderr, flush=True)
        sys.stdin.readline()

predict.predict_each = predict_each
predictor.load = lambda *_, **__: SimpleNamespace(windowing=SimpleNamespace(rate=16000))
# Who starts the tests in the background may have it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
from timbrel.cli.main import main
main(sys.argv[1:])
"""
FILES = [f"{name}.wav" for name in "abcdef"]


def stopped(*arguments, by, after=3):
    """Run `timbrel predict` on six recordings until so many are written; status, stdout, stderr."""
    command = [
        sys.executable,
        "-c",
        HALTING,
        "predict",
        *FILES,
        "-m",
        "model",
        *map(str, arguments),
    ]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, **pipes, text=True) as process:
        for number in range(after):
            assert process.stderr.readline() == f"{FILES[number]}\n"
            if number < after - 1:
                process.stdin.write("\n")
                process.stdin.flush()
        process.send_signal(by)
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_what_is_finished_is_in_the_file(tmp_path, by):
    target = tmp_path / "out.jsonl"
    target.write_text("before")
    status, out, err = stopped("-f", "jsonl", "--level", "window", "-o", target, by=by)
    assert (status, out, err) == (130, "", f"Stopped: 3 of 6 recordings in {target}.\n")
    paths = [json.loads(line)["path"] for line in target.read_text().splitlines()]
    assert paths == [path for path in FILES[:3] for _ in range(2)]
    assert os.listdir(tmp_path) == ["out.jsonl"]


def test_parquet_has_its_footer(tmp_path):
    target = tmp_path / "out.parquet"
    status, _, err = stopped("-f", "parquet", "-o", target, by=signal.SIGINT)
    assert (status, err) == (130, f"Stopped: 3 of 6 recordings in {target}.\n")
    assert parquet.read_table(target)["path"].to_pylist()[::2] == FILES[:3]


def test_what_is_finished_is_in_the_folder(tmp_path):
    folder = f"{tmp_path}/labels/"
    status, _, err = stopped("-f", "audacity", "-o", folder, by=signal.SIGINT)
    assert (status, err) == (130, f"Stopped: 3 of 6 recordings in {folder}.\n")
    assert sorted(os.listdir(folder)) == ["a.txt", "b.txt", "c.txt"]
    assert (tmp_path / "labels" / "c.txt").read_text().count("\n") == 2


def test_what_is_finished_is_on_stdout():
    status, out, err = stopped(by=signal.SIGINT)
    assert (status, err) == (130, "Stopped: 3 of 6 recordings written.\n")
    assert [line.partition(",")[0] for line in out.splitlines()[1:]][::2] == FILES[:3]


def test_being_killed_leaves_what_was_there(tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("before")
    status, _, _ = stopped("-o", target, by=signal.SIGKILL)
    assert status == -signal.SIGKILL
    assert target.read_text() == "before"


@pytest.mark.slow
def test_real_predictions_are_interrupted(tiny_model, tmp_path):
    """As it is started by hand, with everything that decodes and predicts meanwhile."""
    (tmp_path / "sounds").mkdir()
    waveform = sound("hum", 20, np.random.default_rng(0))
    for number in range(40):
        soundfile.write(tmp_path / "sounds" / f"{number:02}.wav", waveform, RATE)
    options = ("-m", tiny_model, "--level", "window")
    command = interruptible("predict", tmp_path / "sounds", *options)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        lines = [process.stdout.readline() for _ in range(300)]
        process.send_signal(signal.SIGINT)
        # `communicate` would lose what `readline` has read ahead.
        out, err = process.stdout.read(), process.stderr.read()
    assert process.returncode == 130
    assert err.startswith("Stopped: ")
    rows = [line.split(",") for line in "".join((*lines, out)).splitlines()]
    assert {len(row) for row in rows} == {9}
    assert 300 <= len(rows) < 40 * 200


# The handlers of signals


@pytest.fixture
def _usual():
    """Whatever happens, the handlers are as they were; SIGINT is not ignored."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_usual")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_held_block_is_finished_first(number):
    done = []

    def work():
        with interrupts.held():
            signal.raise_signal(number)
            done.append("whole")
        done.append("more")

    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            work()
        assert done == ["whole"]


@pytest.mark.usefixtures("_usual")
def test_elsewhere_an_interruption_is_immediate():
    with Interrupts() as interrupts:
        with interrupts.held():
            pass
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.usefixtures("_usual")
def test_a_further_signal_ends_the_process_and_later_all_is_as_before():
    usual = signal.getsignal(signal.SIGTERM)
    with Interrupts() as interrupts:
        interrupts.hold()
        signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is usual


@pytest.mark.usefixtures("_usual")
def test_an_ignored_signal_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts():
        signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
