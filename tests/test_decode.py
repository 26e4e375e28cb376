"""Sound files to samples: the same samples as librosa, and a finding for unusable files."""

import errno
from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import pytest
import soundfile

from timbrel.audio.decode import EXTENSIONS, decode
from timbrel.audio.reading import Reading
from timbrel.audio.samples import resample
from timbrel.errors import AudioError, InvalidArgument, TimbrelError
from timbrel.findings import Finding

RATE = 16_000

# Format and subtype for soundfile where an extension is not the name of its format.
CONTAINERS = {
    ".wave": ("WAV", "PCM_16"),
    ".oga": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".aif": ("AIFF", "PCM_16"),
    ".aifc": ("AIFF", "FLOAT"),
    ".snd": ("AU", "PCM_16"),
    ".sf": ("IRCAM", "PCM_16"),
}


def noise(samples, *, channels=1, seed=0):
    shape = samples if channels == 1 else (samples, channels)
    return np.float32(np.random.default_rng(seed).uniform(-0.5, 0.5, shape))


def write(path, waveform, rate=RATE, subtype="FLOAT", **settings):
    soundfile.write(path, waveform, rate, subtype=subtype, **settings)
    return path


def found(path, **settings):
    """Code and facts of the finding for an unusable file."""
    with pytest.raises(AudioError) as caught:
        decode(path, RATE, **settings)
    finding = caught.value.finding
    assert (finding.path, finding.unusable) == (str(path), True)
    return finding.code, finding.facts


# The same samples as librosa's; what librosa imports is deprecated in part.
as_librosa = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def assert_as_librosa(path):
    """Equal samples; librosa may round the length up by one."""
    got = decode(path, RATE)
    expected, _ = librosa.load(path, sr=RATE)
    assert got.waveform.dtype == np.float32
    assert len(expected) - len(got.waveform) in (0, 1)
    np.testing.assert_array_equal(got.waveform, expected[: len(got.waveform)])
    return got


@as_librosa
@pytest.mark.parametrize(
    ("rate", "channels"),
    [(8000, 1), (16_000, 2), (22_050, 5), (44_100, 1), (44_100, 2), (48_000, 5), (96_000, 2)],
)
def test_decoding_and_resampling_equal_librosa(tmp_path, rate, channels):
    path = write(tmp_path / "x.wav", noise(7777, channels=channels), rate)
    got = assert_as_librosa(path)
    assert (got.rate, got.source_rate, got.channels) == (RATE, rate, channels)
    assert got.seconds == 7777 / rate
    assert got.findings == ()


@as_librosa
def test_real_recordings_equal_librosa(shared):
    for path in sorted((shared / "data/instruments/wavfiles").glob("*.wav"))[::25]:
        assert assert_as_librosa(path).findings == ()
    for path in sorted((shared / "data/elsewhere").glob("*/*.mp3"))[::40]:
        assert_as_librosa(path)


@pytest.mark.parametrize(
    ("subtype", "step"),
    [
        ("PCM_U8", 2**-7),
        ("PCM_16", 2**-15),
        ("PCM_24", 2**-23),
        ("PCM_32", 2**-25),
        ("FLOAT", 0),
        ("DOUBLE", 0),
    ],
)
def test_sample_formats_come_back_within_one_step(tmp_path, subtype, step):
    waveform = noise(1000)
    got = decode(write(tmp_path / "x.wav", waveform, subtype=subtype), RATE)
    assert np.abs(got.waveform - waveform).max() <= step


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 96_000])
def test_no_rate_is_that_of_the_file(tmp_path, rate):
    waveform = noise(7777)
    path = write(tmp_path / "x.wav", waveform, rate)
    got = decode(path, None)
    np.testing.assert_array_equal(got.waveform, waveform)
    assert (got.rate, got.source_rate, got.seconds) == (rate, rate, 7777 / rate)
    part = decode(path, None, start=1000 / rate, end=3000 / rate)
    np.testing.assert_array_equal(part.waveform, waveform[1000:3000])
    assert (part.rate, part.seconds) == (rate, 2000 / rate)


@pytest.mark.parametrize("extension", sorted(EXTENSIONS))
def test_every_extension_that_folders_are_searched_for_can_be_read(tmp_path, extension):
    form, subtype = CONTAINERS.get(extension, (extension[1:].upper(), None))
    path = write(tmp_path / f"x{extension}", noise(8000), subtype=subtype, format=form)
    assert len(decode(path, RATE).waveform) == 8000


def test_channels_are_averaged(tmp_path):
    levels = np.float32([0.5, 0.25, 0.0, -0.25, -1.0])
    path = write(tmp_path / "x.wav", np.tile(levels, (100, 1)))
    np.testing.assert_allclose(decode(path, RATE).waveform, levels.mean(), rtol=1e-6)


def test_threads_do_not_disturb_each_other(tmp_path):
    paths = [write(tmp_path / f"{n}.wav", noise(20_000, seed=n), 44_100) for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda path: decode(path, RATE).waveform, paths * 4))
    for number, waveform in enumerate(together):
        np.testing.assert_array_equal(waveform, decode(paths[number % 8], RATE).waveform)


# Resampling


def test_resampling_removes_only_frequencies_that_would_alias():
    time = np.arange(44_100) / 44_100
    kept = resample(np.float32(np.sin(2 * np.pi * 1000 * time)), 44_100, RATE)
    gone = resample(np.float32(np.sin(2 * np.pi * 12_000 * time)), 44_100, RATE)
    expected = np.sin(2 * np.pi * 1000 * np.arange(len(kept)) / RATE)
    assert len(kept) == RATE
    assert np.abs(kept - expected)[1000:-1000].max() < 1e-3
    assert np.abs(gone)[1000:-1000].max() < 1e-4


@pytest.mark.parametrize("rates", [(0, 16_000), (16_000, 0), (16_000, -1)])
def test_rates_that_are_not_above_zero_are_named(rates):
    with pytest.raises(InvalidArgument, match=f"above 0 Hz. Got {rates[0]} and {rates[1]}"):
        resample(noise(10), *rates)


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("samples", [1, 2, 3])
def test_the_shortest_recordings_keep_a_sample(tmp_path, samples, rate):
    got = decode(write(tmp_path / "x.wav", noise(samples), rate), RATE)
    assert 1 <= len(got.waveform) <= 2 * samples
    assert np.isfinite(got.waveform).all()
    assert got.seconds == samples / rate


# Stretches


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, (0, 16_000)),
        (0.0, 1.0, (0, 16_000)),
        (0.25, None, (4000, 16_000)),
        (None, 0.75, (0, 12_000)),
        (0.25, 0.75, (4000, 12_000)),
        (0.75, 99.0, (12_000, 16_000)),
        (0.5, float("inf"), (8000, 16_000)),
    ],
)
@pytest.mark.parametrize("extension", ["wav", "flac"])
def test_a_stretch_is_that_part_of_the_file(tmp_path, extension, start, end, expected):
    path = write(tmp_path / f"x.{extension}", noise(16_000), subtype="PCM_16")
    got = decode(path, RATE, start=start, end=end)
    np.testing.assert_array_equal(got.waveform, decode(path, RATE).waveform[slice(*expected)])
    assert got.seconds == (expected[1] - expected[0]) / RATE
    assert got.findings == ()


def test_a_stretch_is_cut_at_the_rate_of_the_file(tmp_path):
    path = write(tmp_path / "x.wav", noise(44_100), 44_100)
    got = decode(path, RATE, start=0.5, end=0.7)
    samples, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(got.waveform, resample(samples[22_050:30_870], 44_100, RATE))


@pytest.mark.parametrize("extension", ["mp3", "ogg", "flac"])
def test_a_stretch_of_a_compressed_file_is_that_part_of_the_whole(tmp_path, extension):
    rng = np.random.default_rng(0)
    rate, seconds = 44_100, 8
    time = np.arange(seconds * rate) / rate
    # Loud bursts in a plain tone: frames of an MP3 then borrow much room of those before them.
    burst = rng.normal(size=len(time)) * (np.sin(2 * np.pi * 3 * time) > 0.6)
    waveform = np.float32(0.2 * np.sin(2 * np.pi * 440 * time) + 0.3 * burst).clip(-1, 1)
    path = tmp_path / f"take.{extension}"
    with soundfile.SoundFile(path, "w", rate, 1) as file:
        for block in np.split(waveform, 100):  # libsndfile cannot write a long OGG at once.
            file.write(block)
    whole = decode(path, rate).waveform
    for start in (0.0, 0.01, 0.3, *rng.uniform(0, seconds - 0.5, 30)):
        part = decode(path, rate, start=start, end=start + 0.2).waveform
        first = round(start * rate)
        np.testing.assert_allclose(part, whole[first : first + len(part)], atol=1e-5)
        assert abs(len(part) - 0.2 * rate) <= 1


@pytest.mark.parametrize("start", [1.0, 5.0])
def test_a_stretch_beyond_the_end_is_named_with_both_times(tmp_path, start):
    path = write(tmp_path / "x.wav", noise(16_000))
    expected = ("stretch-outside", {"start": start, "seconds": 1.0})
    assert found(path, start=start, end=9.0) == expected


@pytest.mark.parametrize(
    ("start", "end"), [(0.5, 0.5), (0.5, 0.2), (-1.0, None), (float("nan"), None)]
)
def test_a_stretch_that_is_empty_or_reversed_is_refused(tmp_path, start, end):
    path = write(tmp_path / "x.wav", noise(16_000))
    with pytest.raises(TimbrelError, match="start"):
        decode(path, RATE, start=start, end=end)


# Unusable files


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("gone.wav", None, "missing"),
        (".", None, "folder"),
        ("x.wav", b"", "no-bytes"),
        # A WAV header that is cut.
        ("x.wav", b"RIFF\xb4\1\0\0WAVEfmt \x10\0\0\0", "not-sound"),
        *((f"x.{name}", b"To be, or not to be. " * 40, "not-sound")
          for name in ("wav", "flac", "ogg", "mp3", "aiff", "raw")),
    ],
)  # fmt: skip
def test_files_that_are_no_sound(tmp_path, name, content, code):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert found(tmp_path / name)[0] == code


def test_messages_use_the_name(tmp_path):
    with pytest.raises(AudioError) as caught:
        decode(tmp_path / "gone.wav", RATE, name="birds/1.wav [0–1 s]")
    assert caught.value.finding == Finding("missing", "birds/1.wav [0–1 s]")
    assert caught.value.path == "birds/1.wav [0–1 s]"
    assert str(caught.value) == f"{caught.value.path}: {caught.value.reason}"
    assert caught.value.reason == "there is no such file; correct its path or leave it out"


def test_a_file_without_permission(tmp_path, monkeypatch):
    def refuse(path, mode):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    path = write(tmp_path / "x.wav", noise(100))
    monkeypatch.setattr("timbrel.audio.reading.open", refuse, raising=False)
    assert found(path) == ("no-permission", {})


def test_a_rate_at_which_there_is_no_sound_is_a_wrong_header(tmp_path):
    path = write(tmp_path / "x.wav", noise(100_000), rate=1)
    assert found(path) == ("rate-too-low", {"rate": 1, "least": 100})
    slow = write(tmp_path / "y.wav", noise(1000), rate=100)
    assert decode(slow, RATE).seconds == 10
    assert max(map(len, Reading(slow, RATE))) < 8 * RATE


@pytest.mark.parametrize("extension", ["wav", "w64", "aiff"])
def test_a_file_without_samples(tmp_path, extension):
    path = write(tmp_path / f"x.{extension}", noise(0), subtype="PCM_16")
    assert found(path) == ("no-samples", {})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, (np.inf, -np.inf)])
def test_samples_that_are_no_numbers_are_counted_and_placed(tmp_path, value):
    """Also infinities that cancel between channels."""
    waveform = noise(16_000, channels=2)
    waveform[[4000, 4001, 12_000]] = value
    assert found(write(tmp_path / "x.wav", waveform, 8000)) == (
        "not-finite",
        {"broken": 3, "samples": 16_000, "seconds": 0.5},
    )


def test_bad_samples_outside_of_a_stretch_do_not_matter(tmp_path):
    waveform = noise(16_000)
    waveform[0] = np.nan
    path = write(tmp_path / "x.wav", waveform)
    np.testing.assert_array_equal(decode(path, RATE, start=0.5).waveform, waveform[8000:])


# Odd files


def test_silence_is_exact_zeros_and_nothing_else(tmp_path):
    waveform = np.zeros(1000, dtype=np.float32)
    assert decode(write(tmp_path / "x.wav", waveform), RATE).silent
    waveform[500] = 1e-30
    assert not decode(write(tmp_path / "x.wav", waveform), RATE).silent


@pytest.mark.parametrize("peak", [-2.5, 2.5, -1.0, 1.0])
def test_samples_beyond_full_scale_are_used_and_named(tmp_path, peak):
    waveform = noise(100)
    waveform[10] = peak
    got = decode(write(tmp_path / "x.wav", waveform), RATE)
    np.testing.assert_array_equal(got.waveform, waveform)
    finding = Finding("too-loud", str(tmp_path / "x.wav"), {"peak": 2.5})
    assert got.findings == ((finding,) if abs(peak) > 1 else ())
    assert got.warnings == tuple(item.reason for item in got.findings)


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("extension", ["wav", "aiff", "flac", "mp3"])
def test_a_truncated_file_is_used_as_far_as_it_goes(tmp_path, extension, share):
    path = write(tmp_path / f"x.{extension}", noise(80_000), subtype=None)
    whole = decode(path, RATE).waveform
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    got = decode(path, RATE)
    assert share * 80_000 - 10_000 < len(got.waveform) < share * 80_000 + 10_000
    # The last frame of a compressed file may come out damaged.
    sure = len(got.waveform) - 5000
    np.testing.assert_allclose(got.waveform[:sure], whole[:sure], atol=1e-4)
    # Nor need a damaged frame stay below full scale.
    (finding,) = [item for item in got.findings if item.code != "too-loud"]
    assert finding.code == "truncated"
    length = len(got.waveform) / RATE
    assert finding.facts["at"] == (length if extension == "flac" else None)
    assert finding.facts["seconds"] == length


@pytest.mark.parametrize(
    ("extension", "endian", "subtype"),
    [("rf64", None, "PCM_16"), ("w64", None, "PCM_24"), ("au", None, "PCM_16"),
     ("au", "LITTLE", "FLOAT"), ("wav", "BIG", "PCM_16")],
)  # fmt: skip
def test_other_headers_that_promise_more_are_seen(tmp_path, extension, endian, subtype):
    path = write(tmp_path / f"x.{extension}", noise(8000), subtype=subtype, endian=endian)
    whole = decode(path, RATE)
    assert whole.findings == ()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    got = decode(path, RATE)
    np.testing.assert_array_equal(got.waveform, whole.waveform[: len(got.waveform)])
    (finding,) = got.findings
    assert (finding.code, finding.facts["at"]) == ("truncated", None)


def overwrite(path, share):
    """Write noise over 300 bytes of a file, which keeps its length."""
    content = bytearray(path.read_bytes())
    place = int(share * len(content))
    content[place : place + 300] = np.random.default_rng(0).bytes(300)
    path.write_bytes(content)


def test_a_flac_that_is_damaged_in_the_middle_is_not_called_shorter(tmp_path):
    path = write(tmp_path / "x.flac", noise(80_000), subtype="PCM_16")
    whole = decode(path, RATE).waveform
    overwrite(path, 0.5)
    got = decode(path, RATE)
    np.testing.assert_array_equal(got.waveform, whole[: len(got.waveform)])
    length = len(got.waveform) / RATE
    assert 2.0 < length <= 2.5
    (finding,) = got.findings
    assert finding.code == "truncated"
    assert finding.facts == {"format": "FLAC", "at": length, "seconds": length}
    # The place is one of the file, whatever the stretch.
    (finding,) = decode(path, RATE, start=1.0).findings
    assert finding.facts["at"] == pytest.approx(length)
    assert finding.facts["seconds"] == pytest.approx(length - 1)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_that_is_damaged_in_the_middle_is_read_on_behind_it(tmp_path, subtype):
    path = write(tmp_path / "x.ogg", noise(160_000), subtype=subtype)
    whole = decode(path, RATE).waveform
    overwrite(path, 0.5)
    got = decode(path, RATE)
    assert 0.5 * len(whole) < len(got.waveform) < len(whole)
    assert np.corrcoef(got.waveform[-2000:], whole[-2000:])[0, 1] > 0.9
    (finding,) = got.findings
    assert finding.code == "truncated"
    assert finding.facts == {"format": "OGG", "at": None, "seconds": len(got.waveform) / RATE}


@pytest.mark.parametrize("extension", ["wav", "flac"])
def test_a_stretch_that_a_truncated_file_cuts_short_is_named(tmp_path, extension):
    path = write(tmp_path / f"x.{extension}", noise(80_000), subtype="PCM_16")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    got = decode(path, RATE, start=0.5, end=4.5)
    assert 24_000 < len(got.waveform) < 34_000
    assert "truncated" in [item.code for item in got.findings]


def test_a_stretch_before_the_truncation_is_as_good_as_ever(tmp_path):
    path = write(tmp_path / "x.wav", noise(80_000))
    whole, content = decode(path, RATE).waveform, path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    got = decode(path, RATE, start=0.5, end=1.5)
    np.testing.assert_array_equal(got.waveform, whole[8000:24_000])
    assert got.findings == ()


def test_whole_mp3_files_without_a_length_in_their_header_are_not_called_truncated(shared):
    paths = sorted((shared / "data/elsewhere/orchestra").glob("*.mp3"))[::20]
    assert paths
    for path in paths:
        assert decode(path, RATE).findings == ()


@pytest.mark.parametrize("size", [0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_file_that_was_streamed_is_read_whole(tmp_path, size):
    path = write(tmp_path / "x.wav", noise(8000), subtype="PCM_16")
    whole, content = decode(path, RATE).waveform, bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = size.to_bytes(4, "little")
    path.write_bytes(content)
    got = decode(path, RATE)
    np.testing.assert_array_equal(got.waveform, whole)
    assert got.findings == ()


def test_a_flac_file_that_was_streamed_is_read_whole(tmp_path):
    path = write(tmp_path / "x.flac", noise(8000), subtype="PCM_16")
    whole, content = decode(path, RATE).waveform, bytearray(path.read_bytes())
    # The 36 bits of STREAMINFO that hold the number of samples; 0 means not known.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    got = decode(path, RATE)
    np.testing.assert_array_equal(got.waveform, whole)
    assert got.findings == ()
