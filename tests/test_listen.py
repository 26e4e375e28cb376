"""`listen`: raw PCM, WAV headers, microphones that are not there, and what a user sees."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
import types

import numpy as np
import pytest
import soundfile

from conftest import RATE, interruptible, sound
from timbrel.audio import microphone
from timbrel.audio.microphone import Microphone, choose, devices
from timbrel.audio.pcm import Pcm, read_stream
from timbrel.cli.main import main
from timbrel.errors import AudioError, DeviceError, InvalidArgument, MissingExtra
from timbrel.inference.predictor import load
from timbrel.workflows.listen import listen


@pytest.fixture
def run(monkeypatch, capfdbinary):
    """Run `timbrel listen` on bytes in this process; exit status, stdout and stderr."""

    def call(arguments, stdin):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as stopped:
            main(["listen", *map(str, arguments)])
        out, err = capfdbinary.readouterr()
        return types.SimpleNamespace(returncode=stopped.value.code or 0, stdout=out, stderr=err)

    return call


def tune(seconds=3.0):
    """Sounds of all kinds and silence, 16-bit integers."""
    rng = np.random.default_rng(0)
    parts = [sound(kind, seconds / 4, rng) for kind in ("hum", "whistle", "hiss")]
    whole = np.concatenate([parts[0], np.zeros(RATE // 2), *parts[1:]])
    return np.int16(np.clip(whole, -1, 1) * 32767)


# PCM


@pytest.mark.parametrize(("form", "subtype"), [("s16le", "PCM_16"), ("f32le", "FLOAT")])
@pytest.mark.parametrize("channels", [1, 3])
def test_pcm_is_what_libsndfile_reads(tmp_path, form, subtype, channels):
    waveform = np.random.default_rng(0).uniform(-1, 1, (500, channels))
    soundfile.write(tmp_path / "x.raw", waveform, 8000, subtype, endian="LITTLE", format="RAW")
    pcm = Pcm(8000, form, channels)
    content = (tmp_path / "x.raw").read_bytes()
    expected, rate = soundfile.read(
        tmp_path / "x.raw", dtype="float32", always_2d=True, **pcm.settings
    )
    np.testing.assert_array_equal(pcm.samples(content), expected)
    assert pcm.samples(content).dtype == np.float32
    rate, pieces = read_stream(io.BytesIO(content), pcm)
    np.testing.assert_array_equal(np.concatenate(list(pieces)), expected)
    assert rate == 8000


class Trickle(io.RawIOBase):
    """Gives odd numbers of bytes at a time, as pipes do."""

    def __init__(self, content):
        self.content = io.BytesIO(content)
        self.sizes = np.random.default_rng(0)

    def read(self, size=-1):
        return self.content.read(min(size, int(self.sizes.integers(1, 40))))

    read1 = read


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_a_wav_header_says_what_follows(subtype, form):
    waveform = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    file = io.BytesIO()
    soundfile.write(file, waveform, 22_050, subtype, format=form)
    file.seek(0)
    expected, _ = soundfile.read(file, dtype="float32")
    rate, pieces = read_stream(Trickle(file.getvalue()), None)
    got = np.concatenate(list(pieces))
    assert rate == 22_050
    np.testing.assert_array_equal(got[:500], expected)


def test_pieces_end_with_whole_frames():
    content = np.arange(101, dtype="<i2").tobytes() + b"\1"
    _, pieces = read_stream(Trickle(content), Pcm(8000, "s16le", 2))
    got = np.concatenate(list(pieces))
    np.testing.assert_array_equal((got * 32768).reshape(-1), np.arange(100))


def test_streams_that_cannot_be_taken_are_told():
    with pytest.raises(InvalidArgument, match="no WAV header"):
        read_stream(io.BytesIO(b"words and more words"), None)
    with pytest.raises(AudioError, match="stdin was empty"):
        read_stream(io.BytesIO(b""), None)
    file = io.BytesIO()
    soundfile.write(file, np.zeros(10), 8000, "PCM_24", format="WAV")
    with pytest.raises(AudioError, match="its samples have 24 bits"):
        read_stream(io.BytesIO(file.getvalue()), None)
    with pytest.raises(AudioError, match="its WAV header is incomplete"):
        read_stream(io.BytesIO(file.getvalue()[:30]), None)
    for wrong, sentence in [
        ({"rate": 99}, "`pcm_rate` must be between 100 and 10,000,000 Hz. Got 99"),
        ({"rate": 10**10}, "`pcm_rate` must be between .* Got 10000000000"),
        ({"rate": 100, "channels": 0}, "`pcm_channels` must be between 1 and 1024. Got 0"),
        ({"rate": 100, "channels": 5000}, "`pcm_channels` must be between 1 and 1024. Got 5000"),
        ({"rate": 100, "form": "u8"}, "`pcm_format` must be one of s16le, f32le. Got 'u8'"),
    ]:
        with pytest.raises(InvalidArgument, match=sentence):
            Pcm(**wrong)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"fLaC", "FLAC"),
        (b"OggS", "Ogg"),
        (b"ID3\x03", "MP3"),
        (b"RF64", "RF64"),
        (b"FORM", "AIFF"),
    ],
)
def test_sound_files_are_no_raw_pcm(start, kind):
    with pytest.raises(InvalidArgument, match=rf"a sound file \({kind}\), not raw PCM"):
        read_stream(io.BytesIO(start + bytes(100)), Pcm(RATE))


def test_a_header_without_samples_is_told():
    content = io.BytesIO()
    soundfile.write(content, np.zeros(0), RATE, format="WAV", subtype="PCM_16")
    _, pieces = read_stream(io.BytesIO(content.getvalue()[:45]), None)
    with pytest.raises(AudioError, match="it holds no samples"):
        list(pieces)


@pytest.mark.parametrize("odd", [b"odd", b"even"])
def test_what_a_wav_file_says_around_its_sound_is_not_sound(odd):
    """Chunks begin at even places; those after the sound are not part of it."""
    waveform = np.random.default_rng(0).uniform(-1, 1, 500)
    file = io.BytesIO()
    soundfile.write(file, waveform, 22_050, "PCM_16", format="WAV")
    plain = file.getvalue()
    extra = b"LIST" + len(odd).to_bytes(4, "little") + odd + b"\0" * (len(odd) % 2)
    before = plain[:12] + extra + plain[12:]
    for content in (plain, plain + extra * 50, before):
        file.seek(0)
        got = np.concatenate(list(read_stream(Trickle(content), None)[1]))
        np.testing.assert_array_equal(got[:, 0], soundfile.read(file, dtype="float32")[0])


def test_a_length_of_none_lasts_until_the_stream_ends():
    file = io.BytesIO()
    soundfile.write(file, np.zeros(500), 22_050, "PCM_16", format="WAV")
    content = file.getvalue()
    place = content.index(b"data") + 4
    for size in (0, 0x7FFFFFC4, 0xFFFFFFFF):
        endless = content[:place] + size.to_bytes(4, "little") + content[place + 4 :] + bytes(1000)
        got = np.concatenate(list(read_stream(Trickle(endless), None)[1]))
        assert len(got) == 1000


def test_a_header_and_a_description_are_one_too_many(run, tiny_model):
    file = io.BytesIO()
    soundfile.write(file, np.zeros(500), 22_050, "PCM_16", format="WAV")
    done = run(["-", "-m", tiny_model, "--pcm-rate", 8000], file.getvalue())
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"has a WAV header, which gives its format; leave out `--pcm-rate`" in done.stderr
    broken = bytearray(file.getvalue())
    broken[24:28] = bytes(4)
    done = run(["-", "-m", tiny_model], bytes(broken))
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"its WAV header says 1 channel of 0 Hz" in done.stderr


# Live answers


def test_level_and_latency(tiny_model):
    predictor = load(tiny_model)
    waveform = np.float32(sound("hum", 1.0, np.random.default_rng(0)))
    pieces = [waveform[first : first + 320] for first in range(0, RATE, 320)]
    found = list(listen(pieces, RATE, predictor))
    answers = list(predictor.listen(pieces, RATE))
    assert [live.prediction for live in found] == answers
    level = 20 * np.log10(np.sqrt(np.mean(np.square(waveform))))
    assert np.median([live.level for live in found]) == pytest.approx(level, abs=1)
    # Half of the envelope's window, one piece, and what computing takes.
    assert min(live.latency for live in found[:-1]) >= 0.05
    # The meter is of what has come since the answer before.
    falling = [waveform, *np.split(waveform * np.float32(0.01), 10)]
    levels = [live.level for live in listen(falling, RATE, predictor)]
    assert levels[-1] == pytest.approx(level - 40, abs=2)
    assert all(live.latency > 0 for live in listen(pieces, RATE, predictor))
    (silent,) = {live.level for live in listen([np.zeros(RATE, np.float32)], RATE, predictor)}
    assert silent == -np.inf


def test_the_level_is_that_of_all_channels_and_no_answer_is_early(tiny_model):
    predictor = load(tiny_model)
    waveform = np.float32(sound("hum", 1.0, np.random.default_rng(0)))
    mono = [live.level for live in listen([waveform], RATE, predictor)]
    both = np.stack([waveform, waveform], axis=1)
    assert [live.level for live in listen([both], RATE, predictor)] == pytest.approx(mono)
    # Resampled, the last window ends after the last sample.
    odd = [np.float32(sound("hum", 0.33, np.random.default_rng(1)))[: RATE // 3 - 1]]
    assert all(live.latency > 0 for live in listen(odd, 11_025, predictor))


def test_every_silent_hop_says_so(tiny_model):
    predictor = load(tiny_model)
    hum = np.float32(sound("hum", 1.0, np.random.default_rng(0)))
    silence = np.zeros(RATE, np.float32)
    answers = list(predictor.listen([silence, hum, silence], RATE))
    silent = [item.start for item in answers if item.predicted is None]
    # A second is ten hops; cleaning keeps half of its envelope's window at each side of the sound.
    assert silent == pytest.approx([*np.arange(9) / 10, *(2.1 + np.arange(9) / 10)], abs=0.11)
    assert len(silent) in (18, 19)
    (gone,) = {
        len(list(predictor.listen([np.zeros(n * 1600, np.float32)], RATE))) - n for n in (1, 7)
    }
    assert gone == 0


def test_a_listener_that_has_finished_takes_no_more(tiny_model):
    listener = load(tiny_model).listener(RATE)
    listener.push(np.zeros(RATE, np.float32))
    listener.finish()
    for again in (lambda: listener.push(np.zeros(10, np.float32)), listener.finish):
        with pytest.raises(InvalidArgument, match="The stream has ended"):
            again()


def test_a_recording_as_pcm_gives_the_windows_that_predict_gives(run, tiny_model, tmp_path):
    tone = tune()
    soundfile.write(tmp_path / "x.wav", tone, RATE)
    expected = load(tiny_model).predict_windows(tmp_path / "x.wav")
    for stdin, options in [
        (tone.tobytes(), ["--pcm-rate", RATE]),
        ((tmp_path / "x.wav").read_bytes(), []),
        (np.stack([tone] * 2, axis=1).tobytes(), ["--pcm-rate", RATE, "--pcm-channels", 2]),
        (
            np.float32(tone / 32768).tobytes(),
            ["--pcm-rate", RATE, "--pcm-format", "f32le"],
        ),
    ]:
        done = run(["-", "-m", tiny_model, "-f", "jsonl", *options], stdin)
        assert done.returncode == 0, done.stderr
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        heard = [row for row in rows if row["predicted"]]
        silent = [row for row in rows if not row["predicted"]]
        assert len(silent) > 2
        assert {row["label"] for row in silent} == {"unknown"}
        assert len(heard) == len(expected)
        for row, item in zip(heard, expected, strict=True):
            assert (row["start"], row["end"], row["label"]) == (item.start, item.end, item.label)
            for one, (label, value) in zip(row["top"], item.top, strict=True):
                assert one["label"] == label
                assert one["probability"] == pytest.approx(value, abs=1e-5)
            assert row["latency"] > 0


def test_lines_for_people(run, tiny_model):
    done = run(["-", "-m", tiny_model, "--pcm-rate", RATE], tune().tobytes())
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert "hum" in lines[0]
    assert "dB" in lines[0]
    assert "%" in lines[0]
    assert any(line.endswith("silence") for line in lines)
    said = done.stderr.decode()
    assert "Listening to stdin; one line every 0.1 s" in said
    assert "ms (median" in said
    quiet = run(["-", "-m", tiny_model, "--pcm-rate", RATE, "-q"], tune().tobytes())
    assert quiet.stderr == b""


@pytest.mark.skipif(os.name == "nt", reason="a terminal of POSIX")
def test_on_a_terminal_equal_answers_share_a_line(tiny_model):
    command = [sys.executable, "-m", "timbrel", "listen", "-", "-q", "-m", str(tiny_model)]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*command, "--pcm-rate", str(RATE)], stdin=subprocess.PIPE, stdout=theirs
    )
    os.close(theirs)
    process.stdin.write(tune().tobytes())
    process.stdin.close()
    shown = b""
    while True:
        try:
            more = os.read(ours, 4096)
        except OSError:
            break
        if not more:
            break
        shown += more
    os.close(ours)
    assert process.wait(60) == 0
    text = shown.decode()
    assert text.count("\r") > 20
    assert 3 <= text.count("\n") <= 15


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_answers_come_at_once_and_ctrl_c_ends_it_well(tiny_model):
    process = subprocess.Popen(
        interruptible("listen", "-", "-m", tiny_model, "-f", "jsonl", "--pcm-rate", RATE),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(tune()[: RATE // 2].tobytes())
    process.stdin.flush()
    # More than that is never written; the answer is there all the same.
    assert json.loads(process.stdout.readline())["predicted"] == "hum"
    process.send_signal(signal.SIGINT)
    # Stdin stays open: it is the signal that ends it.
    assert process.wait(60) == 0
    said = process.stderr.read().decode()
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
    assert "Traceback" not in said
    assert "ms (median" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["x.wav", "-m", "MODEL"], "for files there is timbrel predict"),
        (["-", "-m", "MODEL"], "no WAV header"),
        (["-m", "MODEL", "--pcm-rate", "8000"], "is for sound on stdin"),
        (["-", "-m", "MODEL", "--device", "1"], "is for microphones"),
        (["-", "-m", "MODEL", "--pcm-channels", "2"], "`--pcm-channels` need `--pcm-rate` as well"),
        (
            ["-", "-m", "MODEL", "--pcm-rate", "0"],
            "`--pcm-rate` must be between 100 and 10,000,000 Hz. Got 0",
        ),
        (["-", "-m", "MODEL", "--pcm-rate", "8000", "--top", "0"], "`--top` must be at least 1"),
    ],
)
def test_wrong_use_is_one_sentence(run, tiny_model, arguments, sentence):
    done = run([tiny_model if item == "MODEL" else item for item in arguments], b"words" * 9)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert sentence in done.stderr.decode()


def test_numbers_that_are_none_end_it_with_a_sentence(run, tiny_model):
    broken = np.float32(sound("hum", 0.5, np.random.default_rng(0)))
    broken[-1] = np.nan
    options = ["--pcm-rate", RATE, "--pcm-format", "f32le", "-q"]
    done = run(["-", "-m", tiny_model, *options], broken.tobytes())
    assert done.returncode == 1
    assert b"Left out: -: 1 of 8000 samples is NaN" in done.stderr


# Microphones


class FakePortAudio(types.ModuleType):
    """As much of sounddevice as is used: one device that plays a ramp, one that cannot record."""

    class PortAudioError(Exception):
        pass

    def __init__(self):
        super().__init__("sounddevice")
        self.default = types.SimpleNamespace(device=(1, 0))
        self.there = [
            {"name": "Speaker", "max_input_channels": 0, "default_samplerate": 48_000.0},
            {"name": "Built-in Microphone", "max_input_channels": 2, "default_samplerate": 16e3},
            {"name": "USB Microphone", "max_input_channels": 1, "default_samplerate": 44_100.0},
        ]
        self.closed = threading.Event()

    def query_devices(self):
        return self.there

    def InputStream(self, *, samplerate, blocksize, device, channels, dtype, callback):  # noqa: N802
        if device == 2:
            raise self.PortAudioError("Device unavailable")
        assert (channels, dtype) == (1, "float32")
        return _Playing(self, blocksize, callback)


class _Playing:
    def __init__(self, port, size, callback):
        self.port, self.size, self.callback = port, size, callback

    def __enter__(self):
        threading.Thread(target=self._play, daemon=True).start()

    def _play(self):
        piece = np.empty((self.size, 1), dtype=np.float32)
        for number in range(10_000):
            piece[:, 0] = np.arange(number * self.size, (number + 1) * self.size) % 1000 / 1000
            self.callback(piece, self.size, None, types.SimpleNamespace(input_overflow=number == 3))
            if self.port.closed.is_set():
                return
            time.sleep(0.001)

    def __exit__(self, *_):
        self.port.closed.set()


@pytest.fixture
def port(monkeypatch):
    fake = FakePortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


def test_microphones_are_listed_and_chosen(port):
    assert [(item.number, item.name, item.usual) for item in devices()] == [
        (1, "Built-in Microphone", True),
        (2, "USB Microphone", False),
    ]
    assert choose(None).number == choose("1").number == choose("built").number == 1
    assert choose("usb micro").number == 2
    with pytest.raises(DeviceError, match=r"Several devices fit 'Micro'. .* 1 Built-in .*; 2 USB"):
        choose("Micro")
    with pytest.raises(DeviceError, match="No device fits '0'"):
        choose("0")
    port.default.device = (-1, -1)
    assert choose(None).number == 1
    port.there = port.there[:1]
    with pytest.raises(DeviceError, match="No sound card or microphone was found"):
        devices()


def test_what_is_recorded_comes_in_order(port):
    recorded = Microphone(choose(None))
    pieces = iter(recorded)
    joined = np.concatenate([next(pieces)[:, 0] for _ in range(10)])
    pieces.close()
    np.testing.assert_array_equal(joined, np.float32(np.arange(len(joined)) % 1000 / 1000))
    assert port.closed.is_set()
    assert recorded.lost == 1
    with pytest.raises(DeviceError, match="'USB Microphone' cannot be recorded with .*unavailable"):
        next(iter(Microphone(choose("2"))))


def test_what_is_missing_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingExtra, match=r'pip install "timbrel\[live\]"'):
        devices()

    def refuse():
        raise DeviceError("The library PortAudio is not installed.")

    monkeypatch.setattr(microphone, "_portaudio", refuse)
    with pytest.raises(DeviceError, match="PortAudio is not installed"):
        choose(None)
