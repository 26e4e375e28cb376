"""Copies of a sound are found, whatever was done to them, and takes of a sound are not copies."""

import dataclasses
import hashlib
import io
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbrel.audio.samples import resample
from timbrel.dataset import copies as module
from timbrel.dataset.copies import (
    RATE,
    Duplicate,
    dataset_sha256,
    file_sha256,
    fingerprint,
    join_groups,
    match,
    near_duplicates,
    recording_sha256,
)
from timbrel.dataset.manifest import Recording, read_dataset
from timbrel.dataset.synthesis import VOICES, record

SOURCE_RATE = 44_100
SLOW = pytest.mark.slow


def recorded(kind, seed, *, rate=SOURCE_RATE, alike=False):
    """A synthesised recording of one of the ten kinds; float32 and its rate.

    Where they are alike, all that voices draw on a logarithmic scale is the same: pitches, decays,
    lengths.
    """
    rng = np.random.default_rng([seed, list(VOICES).index(kind), 77])
    with pytest.MonkeyPatch.context() as patch:
        if alike:
            patch.setattr(
                "timbrel.dataset.synthesis.log_uniform",
                lambda rng, low, high: float(np.sqrt(low * high)),
            )
        dry = VOICES[kind](rng, rate)
    return record(rng, dry, rate), rate


def encoded(sound, kind, subtype, **settings):
    """Through a file and back."""
    waveform, rate = sound
    content = io.BytesIO()
    clipped = np.clip(waveform, -1, 1)
    soundfile.write(content, clipped, rate, format=kind, subtype=subtype, **settings)
    content.seek(0)
    return soundfile.read(content, dtype="float32")


def pcm(sound):
    return encoded(sound, "WAV", "PCM_16")


def gain(decibels):
    return lambda sound: pcm((sound[0] * 10 ** (decibels / 20), sound[1]))


def trim(start, end):
    def cut(sound):
        size = len(sound[0])
        return sound[0][int(start * size) : size - int(end * size)], sound[1]

    return cut


def at_rate(rate):
    return lambda sound: pcm((resample(*sound, rate), rate))


def mp3(sound):
    return encoded(sound, "MP3", "MPEG_LAYER_III")


def ogg(sound):
    return encoded(sound, "OGG", "VORBIS")


# Each change, and the least number of thirty copies that must be found. A bass drum without its
# beginning has nothing left that stands out.
CHANGES = {
    "20 dB softer": (gain(-20), 30),
    "6 dB softer": (gain(-6), 30),
    "upside down": (lambda sound: pcm((-0.8 * sound[0], sound[1])), 30),
    "without its first 10 %": (trim(0.1, 0), 30),
    "without its first 30 %": (trim(0.3, 0), 29),
    "without its last 30 %": (trim(0, 0.3), 30),
    "without 15 % on either side": (trim(0.15, 0.15), 30),
    "FLAC": (lambda sound: encoded(sound, "FLAC", "PCM_16"), 30),
    "22.05 kHz": (at_rate(22_050), 30),
    "16 kHz": (at_rate(16_000), 30),
    "8 kHz": (at_rate(8_000), 30),
    "48 kHz, softer and trimmed": (
        lambda sound: at_rate(48_000)(trim(0.2, 0.05)(gain(-9)(sound))),
        29,
    ),
    "6 dB louder": (gain(6), 28),
    "MP3": (mp3, 28),
    "Ogg": (ogg, 28),
    "trimmed, then MP3": (lambda sound: mp3(trim(0.2, 0)(sound)), 28),
    "22.05 kHz Ogg, upside down": (
        lambda sound: ogg((-0.4 * at_rate(22_050)(sound)[0], 22_050)),
        28,
    ),
}
QUICK = {"20 dB softer", "without 15 % on either side", "48 kHz, softer and trimmed"}


def prints(sounds):
    return [fingerprint(resample(waveform, rate, 16_000), 16_000) for waveform, rate in sounds]


@pytest.fixture(scope="module")
def originals():
    """Three recordings of each kind, and their fingerprints."""
    sounds = [recorded(kind, seed) for kind, seed in itertools.product(VOICES, range(3))]
    return sounds, prints(sounds)


def found_and_accused(originals, change):
    """How many copies are found, and how many others are called one."""
    sounds, before = originals
    after = prints([change(sound) for sound in sounds])
    pairs = {(pair.first, pair.second) for pair in near_duplicates([*before, *after])}
    wanted = {(number, number + len(sounds)) for number in range(len(sounds))}
    return len(pairs & wanted), len(pairs - wanted)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=SLOW) for name in CHANGES]
)
def test_copies_are_found_and_nothing_else(originals, name):
    """All copies without loss; nearly all that are harder or came through a codec."""
    change, least = CHANGES[name]
    found, accused = found_and_accused(originals, change)
    assert accused == 0
    assert found >= least


@pytest.mark.parametrize("seconds", [0.1, *(pytest.param(s, marks=SLOW) for s in (0.15, 0.25))])
def test_very_short_sounds(seconds):
    sounds = []
    for kind, seed in itertools.product(("Snare drum", "Hi-hat", "Flute", "Bell"), range(4)):
        waveform, rate = recorded(kind, seed)
        loudest = int(np.abs(waveform).argmax())
        start = max(loudest - rate // 50, 0)
        sounds.append((waveform[start : start + int(seconds * rate)], rate))
    for change in (trim(0, 0.3), at_rate(8_000), gain(-20)):
        found, accused = found_and_accused((sounds, prints(sounds)), change)
        assert accused == 0
        assert found >= 15


@pytest.mark.slow
def test_a_part_of_a_long_recording_is_found():
    rng = np.random.default_rng(3)
    long = np.concatenate([recorded("Bowed string", seed)[0] for seed in range(30)])
    assert len(long) > 40 * SOURCE_RATE
    part = 0.3 * long[11 * SOURCE_RATE : 14 * SOURCE_RATE]
    noise = np.float32(0.1 * rng.normal(size=3 * SOURCE_RATE))
    items = prints([(part, SOURCE_RATE), (noise, SOURCE_RATE), (long, SOURCE_RATE)])
    (pair,) = near_duplicates(items)
    assert (pair.first, pair.second, pair.exact) == (0, 2, False)
    assert pair.lag == pytest.approx(-11.0, abs=2 / RATE)
    assert pair.overlap == pytest.approx(3.0, abs=2 / RATE)
    assert pair.coherence > 0.99


@pytest.mark.parametrize("lag", [-0.4131, 0.0, 0.2503])
def test_the_lag_is_where_the_second_begins_in_the_first(lag):
    waveform, rate = recorded("Clarinet", 4)
    places = max(lag, 0), max(-lag, 0)
    items = prints([(waveform[int(place * rate) :], rate) for place in places[::-1]])
    (pair,) = near_duplicates(items)
    assert pair.lag == pytest.approx(lag, abs=1.5 / RATE)


@pytest.mark.slow
@pytest.mark.parametrize("alike", [False, True], ids=["random", "of one pitch and decay"])
@pytest.mark.parametrize("kind", VOICES)
def test_takes_of_one_sound_are_not_copies(kind, alike):
    takes = [recorded(kind, seed, alike=alike) for seed in range(24)]
    assert near_duplicates(prints(takes)) == []


TIME = np.arange(RATE) / RATE


def tone(pitch, seconds, *, partials=1, seed=None, noise=0.0):
    """A steady tone; its partials begin at random phases where there is a seed."""
    rng = np.random.default_rng(seed)
    phases = np.zeros(partials) if seed is None else rng.uniform(0, 2 * np.pi, partials)
    time = TIME[: int(seconds * RATE)]
    waveform = sum(
        np.sin(2 * np.pi * pitch * number * time + phase) / number
        for number, phase in enumerate(phases, 1)
    )
    return np.float32(0.3 * waveform + noise * rng.normal(size=len(time)))


def copies_of(waveforms):
    return near_duplicates([fingerprint(each, RATE) for each in waveforms])


@pytest.mark.parametrize("partials", [1, 6])
@pytest.mark.parametrize("seconds", [0.1, 0.25, 1.0])
@pytest.mark.parametrize("same_phase", [True, False])
def test_steady_tones_of_other_pitch_are_not_copies(partials, seconds, same_phase):
    for pitch, step in ((60, 2), (100, 3), (440, 2), (1000, 2), (3000, 3)):
        tones = [
            tone(
                pitch + step * number,
                seconds,
                partials=partials,
                seed=None if same_phase else number,
            )
            for number in range(6)
        ]
        assert copies_of(tones) == []


@pytest.mark.parametrize("partials", [1, 6, 20])
def test_steady_tones_of_one_pitch_over_other_noise_are_not_copies(partials):
    tones = [tone(220, 1.0, partials=partials, seed=seed, noise=1e-3) for seed in range(8)]
    assert copies_of(tones) == []


def test_noises_are_not_copies():
    rng = np.random.default_rng(0)
    colours = [rng.normal(size=RATE), np.cumsum(rng.normal(size=RATE))]
    noises = [np.float32(0.01 * rng.permutation(each)) for each in colours for _ in range(20)]
    assert copies_of(noises) == []


def test_half_of_the_shorter_is_enough_and_less_is_not():
    waveform, rate = recorded("Bowed string", 9)
    assert len(waveform) > rate
    for share, count in ((0.85, 1), (0.4, 0)):
        first = waveform[: int(len(waveform) / (2 - share))]
        second = waveform[len(waveform) - len(first) :]
        assert len(near_duplicates(prints([(first, rate), (second, rate)]))) == count


def test_a_common_hum_is_no_common_sound():
    """Mains hum in the pauses of two recordings agrees, their sounds do not."""
    rng = np.random.default_rng(1)
    hum = np.sin(2 * np.pi * 50 * np.arange(3 * RATE) / RATE) * 0.01
    sounds = []
    for _ in range(4):
        burst = np.zeros(3 * RATE)
        burst[RATE : RATE + 800] = rng.normal(size=800) * 0.3
        sounds.append(np.float32(hum + burst + 1e-4 * rng.normal(size=3 * RATE)))
    assert copies_of(sounds) == []


# Exact copies


def test_the_same_samples_are_exact_and_the_first_stands_for_all():
    waveform, _ = recorded("Bell", 0, rate=16_000)
    other, _ = recorded("Bell", 1, rate=16_000)
    order = [other, waveform, waveform, 0.5 * waveform, waveform]
    found = near_duplicates([fingerprint(each, 16_000) for each in order])
    assert [(pair.first, pair.second, pair.exact) for pair in found] == [
        (1, 2, True),
        (1, 3, False),
        (1, 4, True),
    ]
    mark = fingerprint(waveform, 16_000)
    assert mark.digest == hashlib.sha256(waveform.tobytes()).hexdigest()
    seconds = len(mark.waveform) / RATE
    assert found[0] == Duplicate(1, 2, exact=True, coherence=1.0, lag=0.0, overlap=seconds)


# Edges


@pytest.mark.parametrize("samples", [0, 1, 2, 100, 511, 512, 513, 639, 640, 641])
@pytest.mark.parametrize("rate", [4_000, 8_000, 16_000, 96_000])
def test_any_length_has_a_fingerprint_or_nothing(samples, rate):
    waveform = np.float32(np.random.default_rng(samples).normal(size=samples))
    found = fingerprint(waveform, rate)
    if found is None:
        assert samples < 2 * max(rate / RATE, 1)
        return
    assert found.waveform.dtype == np.int16
    assert np.abs(found.waveform).max() == 32767
    assert found.frames.dtype == np.int8
    assert found.frames.shape == (len(found.loudness), 48)
    assert len(found.frames) == max((len(found.waveform) - 512) // 128 + 1, 1)
    assert near_duplicates([found, found]) == [
        Duplicate(0, 1, True, 1.0, 0.0, len(found.waveform) / RATE)
    ]


@pytest.mark.parametrize("level", [0.0, 0.25, 1e-9])
def test_silence_and_constants_have_none(level):
    waveform = np.full(8000, level, np.float32)
    assert near_duplicates([None, fingerprint(waveform, RATE), fingerprint(waveform, RATE)]) == []


def test_a_fingerprint_does_not_depend_on_how_it_is_blocked(monkeypatch):
    waveform = np.float32(np.random.default_rng(0).normal(size=10 * RATE))
    whole = fingerprint(waveform, RATE)
    monkeypatch.setattr(module, "_BLOCK", 7)
    parts = fingerprint(waveform, RATE)
    np.testing.assert_array_equal(whole.frames, parts.frames)
    np.testing.assert_array_equal(whole.loudness, parts.loudness)


def test_the_search_agrees_with_a_plain_one(originals):
    """Tiles, threads and the order by length give what a plain table of products gives."""
    items = originals[1]
    plain = set()
    for one, other in itertools.permutations(range(len(items)), 2):
        lengths = len(items[one].frames), len(items[other].frames)
        if (lengths[0], one) < (lengths[1], other):
            probes = np.float32(module._probes(items[one]))
            table = probes @ np.float32(items[other].frames).T / 127**2
            if np.sort(table.max(axis=1))[1] >= module._ALIKE:
                plain.add((one, other))
    found = set(module._candidates(items))
    # The best of each is looked at too, if it is half as alike.
    assert plain <= found
    assert len(found - plain) <= len(items)
    assert plain


def test_progress_counts_the_pairs_that_are_compared(originals):
    stages = []
    near_duplicates(
        [*originals[1][:6], *originals[1][:6]], progress=lambda *done: stages.append(done)
    )
    assert stages
    assert stages == [(done, len(stages)) for done in range(1, len(stages) + 1)]


def test_waveforms_without_overlap_do_not_match():
    one = np.int16(1000 * np.sin(np.arange(4000)))
    assert match(one, one, 5000) is None
    assert match(one, one, -5000) is None


# Real recordings


@pytest.mark.slow
def test_the_digits_of_one_speaker_are_not_copies(shared):
    recordings = read_dataset(shared / "data/digits/digits.csv").recordings
    assert len(recordings) == 3000
    assert (
        near_duplicates(prints(soundfile.read(item.file, dtype="float32") for item in recordings))
        == []
    )


# Sums of files and of data sets


def recording(file, label="Flute", **more):
    return Recording(path=file.name, file=file, label=label, group=file.name, **more)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_sums_are_those_of_hashlib_in_the_order_of_the_recordings(tmp_path):
    contents = [b"", b"a", b"\0" * 3_000_000, *(bytes([number]) for number in range(20))]
    files = [tmp_path / f"{number}.wav" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    assert [file_sha256(file) for file in files] == [sha256(content) for content in contents]
    order = [*files[::-1], files[3], tmp_path / "gone.wav", tmp_path]
    sums = recording_sha256([recording(file) for file in order])
    assert sums == [*(sha256(file.read_bytes()) for file in order[:-2]), "", ""]


def test_a_data_set_has_the_sum_of_its_lines():
    items = [
        recording(Path("a.wav"), start=0.5, end=2.0),
        recording(Path("b.wav"), label="Violín, 2"),
    ]
    lines = "s1\tFlute\ta.wav\t0.5\t2.0\ns2\tViolín, 2\tb.wav\tNone\tNone\n"
    assert dataset_sha256(items, ["s1", "s2"]) == sha256(lines.encode())
    moved = [dataclasses.replace(item, file=Path("elsewhere") / item.file) for item in items]
    assert dataset_sha256(moved, ["s1", "s2"]) == sha256(lines.encode())


def test_names_that_are_not_utf_8_have_a_sum_too(tmp_path):
    folder = os.fsencode(tmp_path) + b"/Fl\xf6te"
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    with open(folder + b"/\xe9.wav", "wb"):
        pass
    dataset = read_dataset(tmp_path)
    assert len(dataset.recordings) == 1
    assert len(dataset_sha256(dataset.recordings, recording_sha256(dataset.recordings))) == 64


def test_groups_that_a_pair_connects_become_one():
    items = [recording(Path(f"{number}.wav")) for number in range(6)]
    items[4] = dataclasses.replace(items[4], group="2.wav")
    joined = join_groups(items, [(3, 4), (0, 1)])
    groups = [item.group for item in joined]
    assert groups[2] == groups[3] == groups[4]
    assert groups[0] == groups[1]
    assert len(set(groups)) == 3
    assert [dataclasses.replace(item, group="") for item in joined] == [
        dataclasses.replace(item, group="") for item in items
    ]
