"""The synthesised data set: reproducible, complete, and each voice what it claims to be."""

from __future__ import annotations

import csv
import wave

import numpy as np
import pytest

pytest.importorskip("scipy")

from timbrel.dataset.synthesis import (
    VOICES,
    additive,
    make_synthetic,
    modal,
    pluck,
    record,
    resonate,
    sustain,
)
from timbrel.errors import InvalidArgument, OutputError
from timbrel.progress import Progress

LABELS = [
    "Plucked string",
    "Bass string",
    "Bowed string",
    "Clarinet",
    "Saxophone",
    "Flute",
    "Bell",
    "Bass drum",
    "Snare drum",
    "Hi-hat",
]


def contents(folder):
    """Every file below a folder with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def magnitude(sound, rate):
    """Frequencies in Hz and magnitudes of a windowed, zero-padded spectrum."""
    size = 4 * len(sound)
    return np.fft.rfftfreq(size, 1 / rate), np.abs(
        np.fft.rfft(sound * np.hanning(len(sound)), size)
    )


def level_at(sound, rate, frequency, within=0.03):
    """The highest magnitude within a share of a frequency."""
    frequencies, levels = magnitude(sound, rate)
    return levels[np.abs(frequencies / frequency - 1) < within].max()


def centroid(sound, rate):
    """Spectral centroid in Hz."""
    frequencies, levels = magnitude(sound, rate)
    return np.sum(frequencies * levels**2) / np.sum(levels**2)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A set of two recordings of each label at a low rate."""
    folder = tmp_path_factory.mktemp("small")
    make_synthetic(folder, recordings=2, rate=8000)
    return folder


# The data set


def test_the_same_arguments_give_the_same_bytes_again(small, tmp_path):
    for _ in range(2):
        table = make_synthetic(tmp_path, recordings=2, rate=8000)
    assert table == tmp_path / "recordings.csv"
    assert contents(tmp_path) == contents(small)


def test_a_recording_does_not_depend_on_how_many_are_made(small, tmp_path):
    make_synthetic(tmp_path, recordings=1, rate=8000)
    fewer, more = contents(tmp_path), contents(small)
    del fewer["recordings.csv"]
    assert len(fewer) == 10
    assert all(more[path] == content for path, content in fewer.items())


def test_another_seed_gives_other_recordings(small, tmp_path):
    make_synthetic(tmp_path, recordings=1, seed=1, rate=8000)
    other, first = contents(tmp_path), contents(small)
    assert all(first[path] != other[path] for path in other)


def test_the_csv_lists_every_recording(small):
    with open(small / "recordings.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label"]
    assert [row["label"] for row in rows] == [label for label in LABELS for _ in range(2)]
    assert rows[0]["path"] == "recordings/plucked-string_01.wav"
    assert rows[-1]["path"] == "recordings/hi-hat_02.wav"
    assert {row["path"] for row in rows} | {"recordings.csv"} == set(contents(small))


def test_recordings_are_16_bit_mono_and_have_quiet_around_them(small):
    for path in sorted((small / "recordings").iterdir()):
        with wave.open(str(path)) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        assert 0.2 < len(samples) / 8000 < 6
        assert 10 ** (-24.5 / 20) < np.abs(samples).max() < 10 ** (-0.9 / 20)
        quiet = np.sqrt(np.mean(samples[:100] ** 2))
        assert quiet < 0.1 * np.abs(samples).max()


def test_progress_counts_the_recordings(tmp_path, recorder):
    make_synthetic(tmp_path, recordings=1, rate=8000, progress=recorder)
    assert recorder.stages == [("making", done, 10, "") for done in range(1, 11)]


def test_an_interrupted_set_has_no_csv(small, tmp_path):
    make_synthetic(tmp_path, recordings=1, rate=8000)

    class Interrupt(Progress):
        def stage(self, name, done, total, note=""):
            if done == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_synthetic(tmp_path, recordings=2, rate=8000, progress=Interrupt())
    assert not (tmp_path / "recordings.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"recordings": 0}, "`recordings` must be at least 1. Got 0."),
        ({"recordings": 2.5}, "`recordings` must be a whole number. Got 2.5."),
        ({"seed": -1}, "`seed` must be at least 0. Got -1."),
        ({"seed": None}, "`seed` must be a whole number. Got None."),
        ({"rate": 7999}, "`rate` must be between 8,000 and 192,000 Hz. Got 7999."),
        ({"rate": 192_001}, "`rate` must be between 8,000 and 192,000 Hz. Got 192001."),
    ],
)
def test_bad_arguments_are_named(tmp_path, arguments, sentence):
    with pytest.raises(InvalidArgument) as caught:
        make_synthetic(tmp_path / "new", **arguments)
    assert str(caught.value) == sentence
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        make_synthetic(tmp_path / "file", recordings=1, rate=8000)


# The voices


def test_the_labels_and_their_order():
    assert list(VOICES) == LABELS


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 96_000])
@pytest.mark.parametrize("label", LABELS)
def test_a_voice_works_at_every_rate(label, rate):
    rng = np.random.default_rng(rate)
    dry = VOICES[label](rng, rate)
    for sound in (dry, record(rng, dry, rate)):
        assert sound.dtype == np.float32
        assert sound.ndim == 1
        assert np.isfinite(sound).all()
        assert 0.05 < np.abs(sound).max() <= 1
    assert 0.2 < len(dry) / rate < 5


@pytest.mark.parametrize("rate", [8000, 44_100])
@pytest.mark.parametrize("f0", [55.0, 123.4, 440.0, 700.0])
def test_a_plucked_string_is_in_tune(f0, rate):
    sound = pluck(f0, 2.0, rate, rng=np.random.default_rng(0))
    frequencies, levels = magnitude(sound, rate)
    near = np.abs(frequencies / f0 - 1) < 0.2
    measured = frequencies[near][levels[near].argmax()]
    assert len(sound) == 2 * rate
    assert abs(1200 * np.log2(measured / f0)) < 5


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_plucked_string_decays_in_the_time_asked_for(rate):
    sound = pluck(220.0, 1.5, rate, rng=np.random.default_rng(0), decay=1.2, bright_decay=0.3)
    early, late = sound[: rate // 4], sound[rate : rate + rate // 4]
    for frequency, decay in ((220.0, 1.2), (13 * 220.0, 0.3)):
        fall = level_at(early, rate, frequency) / level_at(late, rate, frequency)
        assert 20 * np.log10(fall) == pytest.approx(60 / decay, rel=0.25 if decay > 1 else 0.5)


def test_a_clarinet_has_weak_even_harmonics():
    line = np.full(22_050, 200.0), np.ones(22_050)
    rng = np.random.default_rng(0)
    sound = sustain(rng, 22_050, line, slope=1.4, breath=0.005, even=0.05, peaks=())
    odd = [level_at(sound, 22_050, 200 * k) for k in (1, 3, 5)]
    even = [level_at(sound, 22_050, 200 * k) for k in (2, 4, 6)]
    assert all(above > 4 * below for above, below in zip(odd, even, strict=True))


def test_additive_synthesis_leaves_out_what_would_alias():
    pitch = np.full(8000, 1000.0)
    sound = additive(
        pitch, np.ones((2, 20)), np.zeros(8000), rate=8000, rng=np.random.default_rng(0)
    )
    frequencies, levels = magnitude(sound, 8000)
    present = levels > 0.01 * levels.max()
    assert level_at(sound, 8000, 3000) == pytest.approx(level_at(sound, 8000, 1000), rel=0.02)
    assert frequencies[present].max() < 3100


def test_modes_have_their_frequencies_and_decays():
    sound = modal(np.full(8000, 500.0), 8000, [(1.0, 1.0, 0.5), (2.4, 0.2, 1.0), (20.0, 1.0, 1.0)])
    frequencies, levels = magnitude(sound[:2000], 8000)
    assert frequencies[levels.argmax()] == pytest.approx(500, rel=0.01)
    for ratio, decay in ((1.0, 0.5), (2.4, 1.0)):
        first, second = (
            level_at(part, 8000, 500 * ratio) for part in (sound[:2000], sound[2000:4000])
        )
        assert 20 * np.log10(first / second) == pytest.approx(60 * 0.25 / decay, rel=0.05)


def test_a_resonance_has_its_gain():
    time = np.arange(16_000) / 16_000
    for frequency, gain in ((1000, 3.0), (100, 1.0)):
        tone = np.sin(2 * np.pi * frequency * time)
        out = resonate(tone, 16_000, [(1000.0, 50.0, 2.0), (9000.0, 100.0, 5.0)])
        assert np.abs(out[8000:]).max() == pytest.approx(gain, rel=0.03)


def test_a_hi_hat_lies_far_above_a_bass_drum():
    def middle(label):
        sounds = (VOICES[label](np.random.default_rng(seed), 22_050) for seed in range(5))
        return [centroid(sound, 22_050) for sound in sounds]

    assert min(middle("Hi-hat")) > 10 * max(middle("Bass drum"))


def test_a_struck_body_fades_and_a_blown_one_does_not():
    for seed in range(5):
        drum = VOICES["Bass drum"](np.random.default_rng(seed), 8000)
        flute = VOICES["Flute"](np.random.default_rng(seed), 8000)
        for sound, fades in ((drum, True), (flute, False)):
            start, end = (
                np.sqrt(np.mean(sound[:800] ** 2)),
                np.sqrt(np.mean(sound[-1600:-800] ** 2)),
            )
            assert (end < 0.5 * start) == fades
