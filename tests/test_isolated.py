"""Decoding in other processes: the same samples and sentences, and one file lost at most."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import soundfile

from conftest import write_folder
from timbrel import workers
from timbrel.audio.decode import IsolatedDecoder, decode
from timbrel.errors import AudioError, DecoderError, DecoderFailed, InvalidArgument
from timbrel.features.cache import FeatureCache
from timbrel.findings import Finding
from timbrel.workers import cores, in_order

RATE = 16_000
UNRULY = Path(__file__).with_name("unruly_worker.py")
posix_only = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture(scope="module")
def decoder():
    with IsolatedDecoder() as pool:
        yield pool


@pytest.fixture
def unruly(monkeypatch):
    """Workers that misbehave on certain names."""
    monkeypatch.setattr(workers, "command", lambda: [sys.executable, str(UNRULY)])


def write(path, samples=8000, *, rate=22_050, channels=1, seed=0, **how):
    shape = samples if channels == 1 else (samples, channels)
    noise = np.float32(np.random.default_rng([seed, samples]).uniform(-0.5, 0.5, shape))
    soundfile.write(path, noise, rate, **how)
    return path


def assert_same(got, expected):
    assert got.waveform.dtype == np.float32
    np.testing.assert_array_equal(got.waveform, expected.waveform)
    for field in fields(expected):
        if field.name != "waveform":
            one, other = getattr(got, field.name), getattr(expected, field.name)
            assert (one, type(one)) == (other, type(other)), field.name


def assert_same_error(decoder, path, rate=RATE, **how):
    with pytest.raises((AudioError, InvalidArgument)) as expected:
        decode(path, rate, **how)
    with pytest.raises(expected.type) as got:
        decoder.decode(path, rate, **how)
    # As text: a time that is not a number does not even equal itself.
    assert repr(vars(got.value)) == repr(vars(expected.value))
    assert str(got.value) == str(expected.value)
    return str(got.value)


def reason(decoder, path):
    with pytest.raises(DecoderFailed) as caught:
        decoder.decode(path, RATE, name="this one")
    assert caught.value.path == "this one"
    return caught.value.reason


# The same as `decode`


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "opus", "mp3", "aiff", "w64"])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_and_facts_are_those_of_decode(decoder, tmp_path, extension, channels):
    how = {"format": "OGG", "subtype": "OPUS", "rate": 24_000} if extension == "opus" else {}
    path = write(tmp_path / f"x.{extension}", 40_000, channels=channels, **how)
    assert_same(decoder.decode(path, RATE), decode(path, RATE))
    assert_same(decoder.decode(str(path), 44_100), decode(str(path), 44_100))
    own_rate = decoder.decode(path, None)
    assert_same(own_rate, decode(path, None))
    own_rate.waveform[0] = 1  # It can be written to.


@pytest.mark.parametrize(
    ("start", "end"),
    [(0.25, None), (None, 0.75), (0.1, 0.3), (0.5, float("inf")), (np.float32(0.25), np.int64(1))],
)
@pytest.mark.parametrize("extension", ["wav", "flac", "mp3"])
def test_stretches_are_those_of_decode(decoder, tmp_path, extension, start, end):
    path = write(tmp_path / f"x.{extension}", 40_000)
    assert_same(
        decoder.decode(path, RATE, start=start, end=end), decode(path, RATE, start=start, end=end)
    )


def test_the_shortest_and_a_long_recording(decoder, tmp_path):
    for samples in (1, 2, 3_000_000):
        path = write(tmp_path / "x.wav", samples, rate=RATE)
        assert len(decoder.decode(path, RATE).waveform) == samples
        assert_same(decoder.decode(path, RATE), decode(path, RATE))


def test_warnings_come_along(decoder, tmp_path):
    loud = tmp_path / "loud.wav"
    soundfile.write(loud, np.float32([0, 2.5, -1]), RATE, subtype="FLOAT")
    cut = write(tmp_path / "cut.wav")
    cut.write_bytes(cut.read_bytes()[:8000])
    for path in (loud, cut):
        assert_same(decoder.decode(path, RATE), decode(path, RATE))
        assert len(decoder.decode(path, RATE).warnings) == 1


@pytest.mark.parametrize(
    "name",
    ["a b.wav", "quote\"'.wav", "line\nbreak.wav", "back\\slash.wav", "Größe 音.wav", "-x.wav", "-"]
    if os.name != "nt"
    else ["a b.wav", "Größe 音.wav", "-x.wav"],
)
def test_odd_names(decoder, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = write("plain.wav")
    os.replace(path, name)
    if name != "-":  # libsndfile takes it for stdin, which is not the protocol's.
        assert_same(decoder.decode(name, RATE), decode(name, RATE))
    assert_same(decoder.decode(tmp_path / name, RATE), decode(tmp_path / name, RATE))


@pytest.mark.skipif(sys.platform != "linux", reason="names are text here")
def test_names_that_are_not_text(decoder, tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe\x80.wav")
    shutil.copy(write(tmp_path / "x.wav"), odd)
    assert_same(decoder.decode(odd, RATE), decode(odd, RATE))
    os.truncate(odd, 0)
    assert_same_error(decoder, odd)


def test_every_error_is_that_of_decode(decoder, tmp_path):
    good = write(tmp_path / "good.wav", 8000, rate=8000)
    words = tmp_path / "words.wav"
    words.write_text("these are words")
    damaged = write(tmp_path / "damaged.flac")
    damaged.write_bytes(damaged.read_bytes()[:60])
    empty = tmp_path / "empty.wav"
    empty.touch()
    raw = tmp_path / "samples.raw"
    raw.write_bytes(bytes(100))
    infinite = tmp_path / "infinite.wav"
    soundfile.write(infinite, np.float32([0, np.inf, np.nan]), RATE, subtype="FLOAT")
    cases = [
        (tmp_path / "none.wav", {}, "there is no such file"),
        ("none.wav", {}, "none.wav: there is no such file"),
        ("", {}, "there is no such file"),
        ("nul\0l.wav", {}, "there is no such file"),
        ("\ud800.wav", {}, "there is no such file"),
        (tmp_path, {}, "this is a folder"),
        (empty, {}, "the file is empty"),
        (words, {}, "cannot be read as a sound file"),
        (words, {"name": "a class/words.wav [0–2 s]"}, "a class/words.wav [0–2 s]: it cannot be"),
        (damaged, {}, ""),
        (raw, {}, "it has no header"),
        (write(tmp_path / "nothing.wav", 0), {}, "it holds no samples"),
        (infinite, {}, "2 of 3 samples are NaN or infinite"),
        (good, {"start": 5, "end": 6}, "its stretch starts at 5 s"),
        (good, {"start": 2, "end": 1}, "Got 2 to 1"),
        (good, {"start": 2.0, "end": 1.0}, "Got 2.0 to 1.0"),
        (good, {"start": float("nan")}, "Got nan to None"),
        (good, {"rate": 0}, "Sample rates must be above 0 Hz. Got 8000 and 0."),
    ]
    for path, how, sentence in cases:
        assert sentence in assert_same_error(decoder, path, **how)
    assert_same(decoder.decode(good, RATE), decode(good, RATE))


def test_real_recordings(decoder, shared):
    paths = sorted((shared / "data/instruments/wavfiles").glob("*.wav"))[::60]
    paths += sorted((shared / "data/elsewhere").rglob("*.mp3"))[::30]
    for path in paths:
        assert_same(decoder.decode(path, RATE), decode(path, RATE))


# Where it runs


def test_relative_names_follow_the_working_folder(decoder, tmp_path, monkeypatch):
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        write("x.wav", seed=number)
        assert_same(decoder.decode("x.wav", RATE), decode("x.wav", RATE))


@posix_only
def test_the_working_folder_may_be_gone(tmp_path, monkeypatch):
    path = write(tmp_path / "x.wav")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with IsolatedDecoder() as decoder:
        assert_same(decoder.decode(path, RATE), decode(path, RATE))
        assert_same_error(decoder, "x.wav")


def test_files_in_the_working_folder_are_not_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for module in ("numpy", "soundfile", "json", "timbrel"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('imported')")
    with IsolatedDecoder() as decoder:
        assert_same(decoder.decode(write("x.wav"), RATE), decode("x.wav", RATE))


def test_the_package_is_found_where_this_process_found_it(tmp_path, monkeypatch):
    """Also when it is not installed, and the program itself put its folder on the path."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    path = write(tmp_path / "x.wav")
    source = Path(workers.__file__).parents[1]
    program = (
        f"import sys; sys.path.insert(0, {str(source)!r})\n"
        "from timbrel import IsolatedDecoder\n"
        "with IsolatedDecoder() as decoder:\n"
        f"    print(len(decoder.decode({str(path)!r}, 22050).waveform))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("8000\n", "")


def test_a_pool_that_is_not_used_starts_no_process(monkeypatch):
    monkeypatch.setattr(workers, "command", lambda: pytest.fail("started"))
    with IsolatedDecoder():
        pass


@pytest.mark.parametrize("files", [1, 1000])
def test_processes_may_be_started_ahead(tmp_path, files):
    path = write(tmp_path / "x.wav")
    with IsolatedDecoder() as decoder:
        decoder.start(files)
        decoder.start(files)
        ahead = set(decoder._idle)
        assert len(ahead) == min(files, cores())
        assert_same(decoder.decode(path, RATE), decode(path, RATE))
        assert set(decoder._idle) == ahead
    decoder.start(files)
    assert not decoder._idle


@pytest.mark.parametrize("end_first", [False, True])
def test_workers_that_were_started_ahead_and_do_not_start(tmp_path, monkeypatch, end_first):
    command = [sys.executable, "-c", "raise ImportError('no codec here')"]
    monkeypatch.setattr(workers, "command", lambda: command)
    path = write(tmp_path / "x.wav")
    with IsolatedDecoder() as decoder:
        decoder.start(1)
        if end_first:
            decoder._idle[0].process.wait()
        with pytest.raises(DecoderError, match="no codec here"):
            decoder.decode(path, RATE)


@pytest.mark.parametrize(
    ("task", "not_needed"),
    [
        ("DECODE", {"onnxruntime", "scipy", "email", "timbrel.dataset", "timbrel.inference"}),
        ("DESCRIBE", {"onnxruntime", "scipy", "timbrel.inference"}),
        ("SCORE", {"scipy", "timbrel.dataset"}),
    ],
)
def test_workers_import_little(task, not_needed):
    not_needed |= {"keras", "tensorflow", "sklearn", "rich", "typer"}
    program = (
        "import sys\n"
        "from timbrel.worker import Task, function_of\n"
        f"function_of(Task.{task})\n"
        f"print({not_needed!r} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize("patience", [0, -1.0, float("nan")])
def test_patience_is_above_zero(patience):
    with pytest.raises(InvalidArgument, match=f"above 0 s. Got {patience}"):
        IsolatedDecoder(patience=patience)


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        ([sys.executable, "-c", "raise ImportError('no codec here')"], "no codec here"),
        ([sys.executable, "-c", "raise SystemExit(5)"], "exit status 5"),
        (["/nowhere/python"], "nowhere"),
    ],
)
def test_workers_that_do_not_start_are_no_fault_of_the_file(tmp_path, monkeypatch, command, cause):
    monkeypatch.setattr(workers, "command", lambda: command)
    path = write(tmp_path / "x.wav")
    with IsolatedDecoder() as decoder, pytest.raises(DecoderError, match="cannot be started") as e:
        decoder.decode(path, RATE)
    assert cause in str(e.value)
    assert "x.wav" not in str(e.value)


# Crashes, and worse


@pytest.mark.usefixtures("unruly")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        pytest.param("segfault", "the decoder crashed on it (SIGSEGV); convert", marks=posix_only),
        pytest.param("exit", "crashed on it (exit status 7); convert", marks=pytest.mark.slow),
        pytest.param("bug", "crashed on it (exit status 1); convert", marks=pytest.mark.slow),
        pytest.param("killed", "perhaps because memory ran out; cut it", marks=posix_only),
        ("memory", "it does not fit into memory; cut it into shorter recordings"),
    ],
)
def test_a_crash_costs_one_file(tmp_path, name, sentence):
    good = write(tmp_path / "good.wav")
    bad = shutil.copy(good, tmp_path / f"{name}.wav")
    with IsolatedDecoder() as decoder:
        assert sentence in reason(decoder, bad)
        assert_same(decoder.decode(good, RATE), decode(good, RATE))
        assert sentence in reason(decoder, bad)


@pytest.mark.usefixtures("unruly")
@pytest.mark.parametrize(
    "name", ["hang", pytest.param("grip", marks=[posix_only, pytest.mark.slow])]
)
def test_a_file_that_hangs_costs_itself(tmp_path, name):
    good = write(tmp_path / "good.wav")
    with IsolatedDecoder(patience=1.0) as decoder:
        assert (
            reason(decoder, shutil.copy(good, tmp_path / f"{name}.wav"))
            == "the decoder did not finish within 1 s; convert it with another program, or leave "
            "it out"
        )
        assert_same(decoder.decode(good, RATE), decode(good, RATE))


@pytest.mark.usefixtures("unruly")
def test_output_of_codecs_is_neither_shown_nor_read_as_an_answer(tmp_path, capfd):
    path = write(tmp_path / "print.wav")
    with IsolatedDecoder() as decoder:
        for _ in range(3):
            assert_same(decoder.decode(path, RATE), decode(path, RATE))
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("unruly")
def test_a_file_is_read_again_where_an_earlier_one_broke_the_worker(tmp_path):
    good, second = write(tmp_path / "good.wav"), write(tmp_path / "second.wav", seed=2)
    with IsolatedDecoder() as decoder:
        decoder.decode(good, RATE)
        assert_same(decoder.decode(second, RATE), decode(second, RATE))


@posix_only
def test_a_worker_that_died_while_idle_costs_nothing(decoder, tmp_path):
    path = write(tmp_path / "x.wav")
    decoder.decode(path, RATE)
    for worker in decoder._idle:
        os.kill(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
    assert_same(decoder.decode(path, RATE), decode(path, RATE))


@pytest.mark.slow
@pytest.mark.usefixtures("unruly")
def test_from_many_threads_every_file_gets_its_own_answer_in_order(tmp_path):
    kinds = {5: "exit", 18: "exit", 19: "bug", 30: "bug", 6: "print", 7: "print"}
    paths = []
    for number in range(64):
        kind = kinds.get(number, "good")
        paths.append(write(tmp_path / f"{kind}-{number}.wav", 1000 + 37 * number, seed=number))
        if number % 9 == 4:
            paths[-1].write_text("words")

    def attempt(path):
        try:
            return decoder.decode(path, RATE)
        except AudioError as error:
            return error

    with IsolatedDecoder() as decoder, ThreadPoolExecutor(8) as threads:
        for path, got in zip(paths, threads.map(attempt, paths), strict=True):
            if isinstance(got, AudioError):
                assert got.path == str(path)
            if path.name.startswith(("exit", "bug")):
                assert got.finding.code == "decoder-crashed"
            elif path.read_bytes() == b"words":
                assert got.finding.code == "not-sound"
            else:
                assert_same(got, decode(path, RATE))
        assert 1 <= len(decoder._idle) <= cores()
        assert not decoder._busy


# The end


@pytest.mark.usefixtures("unruly")
def test_closing_ends_running_and_waiting_work(tmp_path):
    path, found = write(tmp_path / "hang.wav"), []
    decoder = IsolatedDecoder()
    threads = [
        threading.Thread(target=lambda: found.append(reason(decoder, path)))
        for _ in range(2 * cores())
    ]
    for thread in threads:
        thread.start()
    while not any(worker.ready for worker in list(decoder._busy)):
        time.sleep(0.01)
    processes = [worker.process for worker in decoder._busy]
    decoder.close()
    decoder.close()
    assert all(process.poll() is not None for process in processes)
    for thread in threads:
        thread.join()
    assert found == [Finding("decoder-stopped", "this one").reason] * len(threads)
    assert reason(decoder, path) == found[0]


@pytest.mark.usefixtures("unruly")
def test_work_that_is_given_up_does_not_wait_for_a_file_that_hangs(tmp_path):
    good, hang = write(tmp_path / "good.wav"), write(tmp_path / "hang.wav")
    with IsolatedDecoder(patience=10_000) as decoder:
        found = in_order(lambda path: decoder.decode(path, RATE), [good, hang], stop=decoder.close)
        next(found)
        found.close()


def running(pid):
    """Whether a process runs; one that ended but that nobody waited for does not."""
    status = Path(f"/proc/{pid}/stat")
    if status.parent.parent.joinpath("self").exists():
        with contextlib.suppress(OSError):
            return status.read_text().rpartition(")")[2].split()[0] != "Z"
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def gone(pids):
    deadline = time.monotonic() + 60
    while any(running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(running(pid) for pid in pids)


PROGRAM = """
import signal, sys, threading, time
from timbrel import workers
from timbrel.audio.decode import IsolatedDecoder
from timbrel.workers import in_order

workers.command = lambda: [sys.executable, sys.argv[1]]
# Who starts the tests in the background may have it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

def tell():
    while not all(worker.ready for worker in decoder._busy) or not decoder._busy:
        time.sleep(0.01)
    time.sleep(0.1)
    print(*(worker.process.pid for worker in (*decoder._busy, *decoder._idle)), flush=True)

try:
    with IsolatedDecoder(patience=10_000) as decoder:
        threading.Thread(target=tell, daemon=True).start()
        list(in_order(lambda path: decoder.decode(path, 16000), sys.argv[2:], stop=decoder.close))
except KeyboardInterrupt:
    print("interrupted")
"""


@contextlib.contextmanager
def program(tmp_path):
    """A program that decodes a file that hangs, in a process group of its own; and its workers."""
    path = write(tmp_path / "hang.wav")
    command = [sys.executable, "-c", PROGRAM, UNRULY, path]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, process_group=0) as process:
        try:
            workers = [int(pid) for pid in process.stdout.readline().split()]
            assert workers, process.stderr.read()
            assert all(running(pid) for pid in workers)
            yield process, workers
        finally:
            process.kill()


@posix_only
@pytest.mark.parametrize("how", ["terminal", pytest.param("alone", marks=pytest.mark.slow)])
def test_ctrl_c_ends_workers_without_a_message(tmp_path, how):
    with program(tmp_path) as (process, workers):
        (os.killpg if how == "terminal" else os.kill)(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == ("interrupted\n", "", 0)
    assert gone(workers)


@posix_only
@pytest.mark.parametrize(
    "sent", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_workers_end_with_their_parent_even_in_the_middle_of_a_file(tmp_path, sent):
    with program(tmp_path) as (process, workers):
        process.send_signal(sent)
        process.wait(60)
        assert gone(workers)


# In workflows


@pytest.fixture
def data_with_traps(tmp_path):
    """Three classes, with a file in one that crashes its decoder."""
    data = write_folder(tmp_path / "data", recordings=4)
    shutil.copy(data / "hum" / "0.wav", data / "hum" / "exit.wav")
    return data


@pytest.mark.slow
@pytest.mark.usefixtures("unruly")
def test_preparing_goes_on_without_the_file_that_crashes(data_with_traps, tmp_path, monkeypatch):
    pytest.importorskip("keras", reason="the train extra is not installed")
    from timbrel.dataset.manifest import read_dataset
    from timbrel.training.prepare import prepare

    dataset = read_dataset(data_with_traps)
    cache = FeatureCache(tmp_path / "cache")
    prepared = prepare(dataset, cache=cache)
    assert len(prepared.recordings) == 12
    (problem,) = prepared.audit.problems
    assert problem.path == "hum/exit.wav"
    assert (problem.code, problem.facts) == ("decoder-crashed", {"how": "exit status 7"})
    # It need not crash the next time.
    monkeypatch.undo()
    again = prepare(dataset, cache=cache)
    assert (again.cached, len(again.recordings)) == (False, 13)
    assert prepare(dataset, cache=cache).cached


@pytest.mark.slow
@pytest.mark.usefixtures("unruly")
def test_exploring_goes_on_without_the_file_that_crashes(data_with_traps, tmp_path):
    pytest.importorskip("keras", reason="the train extra is not installed")
    from timbrel.workflows.explore import explore

    found = explore(data_with_traps, tmp_path / "explore.html")
    assert found.recordings == 12
    (problem,) = found.problems
    assert problem.path == "hum/exit.wav"
    assert problem.code == "decoder-crashed"


@pytest.mark.slow
@pytest.mark.usefixtures("unruly")
def test_patience_begins_anew_with_each_sign_of_life(tmp_path):
    path = write(tmp_path / "slow-1.wav", 400_000)
    with IsolatedDecoder(patience=2.5) as decoder:
        # Seven pieces, 0.7 s each.
        found = decoder.decode(path, None)
    np.testing.assert_array_equal(found.waveform, decode(path, None).waveform)


@pytest.mark.usefixtures("unruly")
@pytest.mark.parametrize("level", ["file", pytest.param("window", marks=pytest.mark.slow)])
def test_predicting_goes_on_without_the_file_that_crashes(tiny_model, data_with_traps, level):
    from timbrel.inference.predictor import load

    paths = sorted(data_with_traps.rglob("*.wav"))
    answers = list(load(tiny_model).predict_many(paths, level))
    assert [found[0].path for found in answers] == [path.as_posix() for path in paths]
    for path, found in zip(paths, answers, strict=True):
        if path.stem == "exit":
            assert "the decoder crashed on it" in found[0].error
        else:
            assert (found[0].predicted, found[0].error) == (path.parent.name, None)


def test_a_single_file_needs_no_other_process(tiny_model, tiny_data, monkeypatch):
    from timbrel.inference.predictor import load

    monkeypatch.setattr(workers, "command", lambda: pytest.fail("started"))
    ((answer,),) = load(tiny_model).predict_many([tiny_data / "hum" / "0.wav"])
    assert answer.predicted == "hum"
    assert list(load(tiny_model).predict_many([])) == []
