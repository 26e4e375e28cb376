"""`timbrel predict` as it is typed: stdin, patterns, events, and what it refuses."""

import csv
import io
import json
import os
import pty
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from conftest import RATE, sound
from timbrel.cli.main import main
from timbrel.errors import InvalidArgument
from timbrel.findings import Finding
from timbrel.inference.events import EventSettings
from timbrel.inference.predictor import load
from timbrel.workflows.predict import expand, predict


@pytest.fixture
def run(capfdbinary, monkeypatch):
    """Run `timbrel predict …` with bytes on stdin; the result is that of a process."""

    def run(arguments, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as stopped:
            main(["predict", *map(str, arguments)])
        out, err = capfdbinary.readouterr()
        assert b"Traceback" not in err
        return subprocess.CompletedProcess(arguments, stopped.value.code or 0, out, err)

    return run


def rows(done):
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout.decode())))


@pytest.fixture
def tune(tmp_path):
    """Hum from 1 to 2 s, whistle from 3 to 4 s, hum from 4 to 5 s; two channels, 44.1 kHz."""
    rng = np.random.default_rng(0)
    gap = np.zeros(44_100, dtype=np.float32)
    sounds = [sound(kind, 1, rng, rate=44_100) for kind in ("hum", "whistle", "hum")]
    waveform = np.concatenate([gap, sounds[0], gap, *sounds[1:]])
    path = tmp_path / "tune.flac"
    soundfile.write(path, np.stack([waveform] * 2, axis=1), 44_100)
    return path


@pytest.mark.skipif(os.name == "nt", reason="such names are not allowed there")
def test_names_of_files_do_not_command_the_terminal(run, tiny_model, tmp_path):
    (tmp_path / "a\x1b[31mRED\x1b]0;title\x07.wav").write_bytes(b"no sound")
    soundfile.write(tmp_path / "b\x1b[2J.wav", np.full(100, 2.0), RATE, subtype="FLOAT")
    done = run([tmp_path, "-m", tiny_model, "-v"])
    assert done.returncode == 1
    assert b"\x1b" not in done.stderr
    assert b"\x07" not in done.stderr
    assert b"a\\x1b[31mRED" in done.stderr
    assert b"Warning" in done.stderr
    wrong = run([tmp_path / "b\x1b[2J.wav", "-m", tmp_path / "no\x1b[2Jmodel"])
    assert wrong.returncode == 2
    assert b"\x1b" not in wrong.stderr


# Stdin


def test_a_sound_file_on_stdin_is_predicted_as_the_file(run, tiny_model, tune):
    for level in ("file", "window", "event"):
        options = ["-m", tiny_model, "--level", level]
        piped = rows(run(["-", *options], tune.read_bytes()))
        named = rows(run([tune, *options]))
        assert len(piped) == len(named) > 0
        assert {row.pop("path") for row in piped} == {"-"}
        assert {row.pop("path") for row in named} == {tune.as_posix()}
        assert piped == named


@pytest.mark.parametrize("form", ["s16le", "f32le"])
def test_raw_pcm_on_stdin_is_predicted_as_the_file(run, tiny_model, tune, form):
    kind, subtype = ("int16", "PCM_16") if form == "s16le" else ("float32", "FLOAT")
    samples, rate = soundfile.read(tune, dtype=kind)
    soundfile.write(tune.with_suffix(".wav"), samples, rate, subtype)
    options = ["-m", tiny_model, "-l", "window", "-f", "jsonl"]
    pcm = ["--pcm-rate", rate, "--pcm-channels", 2, "--pcm-format", form]
    piped = run(["-", *options, *pcm], samples.tobytes()).stdout.splitlines()
    named = run([tune.with_suffix(".wav"), *options]).stdout.splitlines()
    assert len(piped) == len(named) > 10
    for one, other in zip(map(json.loads, piped), map(json.loads, named), strict=True):
        assert one | {"path": ""} == other | {"path": ""}


def test_a_sound_file_is_not_raw_pcm(run, tiny_model, tune):
    soundfile.write(tune.with_suffix(".wav"), *soundfile.read(tune))
    done = run(["-", "-m", tiny_model, "--pcm-rate", 8000], tune.with_suffix(".wav").read_bytes())
    assert (done.returncode, b"leave out `--pcm-rate`" in done.stderr) == (2, True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_named_pipe_is_not_an_empty_file(run, tiny_model, tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    done = run([tmp_path / "pipe.wav", "-m", tiny_model])
    assert done.returncode == 1
    assert b"this is a pipe or a device, not a file; copy its content into a file" in done.stderr


def test_unusable_stdin_is_named(run, tiny_model):
    for content, sentence in [(b"words" * 9, "cannot be read as a sound"), (b"", "0 bytes")]:
        done = run(["-", "-m", tiny_model], content)
        assert done.returncode == 1
        assert sentence in done.stderr.decode()
        assert sentence in done.stdout.decode()
    done = run(["-", "-m", tiny_model, "--pcm-rate", 8000], b"\0")
    assert (done.returncode, b"it holds no samples" in done.stderr) == (1, True)


@pytest.mark.skipif(os.name == "nt", reason="a terminal of POSIX")
def test_a_terminal_is_not_waited_for(run, tiny_model):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "timbrel", "predict", "-", "-m", str(tiny_model)]
    done = subprocess.run(command, stdin=theirs, capture_output=True, check=False, timeout=60)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 2
    assert b"nothing is piped in" in done.stderr


def test_a_file_for_stdin_has_a_name(run, tiny_model, tune, tmp_path):
    folder = tmp_path / "out"
    done = run(["-", "-m", tiny_model, "-f", "audacity", "-o", f"{folder}/"], tune.read_bytes())
    assert done.returncode == 0
    assert [file.name for file in folder.iterdir()] == ["stdin.txt"]


# Events


def test_events_in_every_format_are_those_of_the_library(run, tiny_model, tune, tmp_path):
    settings = ["--min-length", "0.15", "--max-gap", "0.3", "--min-confidence", "0.34"]
    expected = load(tiny_model).predict_events(tune, events=EventSettings(0.34, 0.15, 0.3))
    assert [item.label for item in expected] == ["hum", "whistle", "hum"]
    spans = [(item.start, item.end, item.label) for item in expected]
    found = rows(run([tune, "-m", tiny_model, "-l", "event", *settings]))
    for row, (start, end, label) in zip(found, spans, strict=True):
        assert row["label"] == label
        assert float(row["start"]) == pytest.approx(start, abs=1e-6)
        assert float(row["end"]) == pytest.approx(end, abs=1e-6)
    # Label tracks and selection tables are of events unless something else is asked for.
    track = run([tune, "-m", tiny_model, "-f", "audacity", *settings]).stdout.decode()
    assert [line.split("\t")[2] for line in track.splitlines()] == ["hum", "whistle", "hum"]
    table = run([tune, "-m", tiny_model, "-f", "raven", *settings]).stdout.decode()
    assert len(table.splitlines()) == 4
    whole = run([tune, "-m", tiny_model, "-f", "audacity", "--level", "file"]).stdout.decode()
    assert whole.split("\t")[:2] == ["0.000000", "5.000000"]


def test_a_recording_without_events_gives_no_row_and_counts_in_a_sequence(
    run, tiny_model, tune, tmp_path
):
    soundfile.write(tmp_path / "silence.wav", np.zeros(3 * RATE), RATE)
    paths = [tmp_path / "silence.wav", tune]
    options = ["-m", tiny_model, "--min-length", "0.15"]
    done = run([*paths, "-l", "event", *options])
    assert {row["path"] for row in rows(done)} == {tune.as_posix()}
    table = run([*paths, "-f", "raven", *options]).stdout.decode()
    first = next(csv.DictReader(io.StringIO(table), delimiter="\t"))
    later = float(first["Begin Time (s)"]) - float(first["File Offset (s)"])
    assert later == pytest.approx(3, abs=1e-6)
    quiet = list(predict(paths[:1], load(tiny_model), level="event"))
    assert quiet == []


# Patterns


def test_patterns_are_for_shells_that_know_none(tiny_data, monkeypatch, tmp_path):
    monkeypatch.chdir(tiny_data)
    assert expand(["hum/[01].wav"]) == ["hum/0.wav", "hum/1.wav"]
    assert expand(["*/0.wav"]) == ["hiss/0.wav", "hum/0.wav", "whistle/0.wav"]
    assert len(expand(["**/*.wav"])) == len(expand(["*"])) == len(expand(["."])) == 24
    assert expand(["none/*.wav"]) == ["none/*.wav"]
    monkeypatch.chdir(tmp_path)
    odd = tmp_path / "a[1].wav"
    odd.touch()
    (tmp_path / "a1.wav").touch()
    assert expand(["a[1].wav"]) == ["a[1].wav"]


def test_one_path_is_one_path(tiny_data, tiny_model):
    path = tiny_data / "hum" / "0.wav"
    for one in (path, str(path)):
        assert expand(one) == [path.as_posix()]
        (answer,) = predict(one, load(tiny_model))
        assert answer.predicted == "hum"
    assert [item.predicted for item in predict([path], tiny_model)] == ["hum"]
    with pytest.raises(InvalidArgument, match="`paths` must be a list of files"):
        next(load(tiny_model).predict_many(str(path)))


def test_a_folder_that_cannot_be_opened_is_named(tiny_data, tiny_model, closed, monkeypatch):
    closed("whistle")
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: "whistle" not in os.fspath(path) and access(path, mode)
    )
    place = (tiny_data / "whistle").as_posix()
    assert expand(tiny_data)[16:] == [place]
    (answer,) = predict(place, load(tiny_model))
    assert answer.findings == (Finding("no-permission", place),)


# Wrong use


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-", "x.wav"], "cannot be predicted beside other paths"),
        (["x.wav", "--pcm-rate", "8000"], "`--pcm-rate` is for sound on stdin"),
        (["-", "--pcm-channels", "2"], "`--pcm-channels` need `--pcm-rate` as well"),
        (["-", "--pcm-rate", "0"], "`--pcm-rate` must be between 100 and 10,000,000 Hz. Got 0"),
        (["x.wav", "--max-gap", "1"], "`--max-gap` is for events; add --level event"),
        (["x.wav", "-l", "event", "--max-gap", "-1"], "`--max-gap` must be at least 0 s. Got -1"),
        (
            ["x.wav", "-f", "raven", "--min-confidence", "2"],
            "`--min-confidence` must be between 0 and 1. Got 2",
        ),
    ],
)
def test_wrong_use_is_one_sentence(run, tiny_model, arguments, sentence):
    done = run([*arguments, "-m", tiny_model], b"words")
    assert done.returncode == 2
    assert sentence in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
    assert done.stdout == b""
