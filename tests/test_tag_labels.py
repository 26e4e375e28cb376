"""Labels in the files' own metadata: read back by others, and the sound is as it was."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from tagging_killed import Named, contents
from timbrel.errors import MissingExtra
from timbrel.tagging import labels, sorting
from timbrel.tagging.labels import Labeller, NotLabelled, apply_delta, make_delta, same_sound
from timbrel.workflows.tag import tag, undo_tag

mutagen = pytest.importorskip("mutagen")

KINDS = {
    "wav": {"subtype": "PCM_16"},
    "wave": {"format": "WAV", "subtype": "FLOAT"},
    "aiff": {"subtype": "PCM_24"},
    "aif": {"format": "AIFF"},
    "flac": {"subtype": "PCM_24"},
    "ogg": {},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {},
}
SILENT_KINDS = {"au": {}, "caf": {}, "w64": {}}


def genres(path):
    """Genres of a file, as mutagen's own guess of its kind reads them."""
    tags = mutagen.File(path).tags
    return list(tags["TCON"].genres) if hasattr(tags, "getall") else list(tags["genre"])


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    for number, (kind, options) in enumerate({**KINDS, **SILENT_KINDS}.items()):
        # An odd number of odd samples: the chunk of a WAV is then padded.
        sound = np.random.default_rng(number).normal(size=24_001) * 0.1
        path = folder / f"hum-{kind}.{kind}"
        soundfile.write(path, sound, 48_000, **options)
        os.utime(path, ns=(10**18, 10**18 + number))
        path.chmod(0o444)
    shutil.copy2(folder / "hum-wav.wav", folder / "odd.wav")
    shutil.copy2(folder / "hum-au.au", folder / "hum-2.AU")
    return folder


@pytest.mark.parametrize("mode", ["copy", "move"])
def test_labels_are_written_and_taken_back(library, tmp_path, mode):
    original = tmp_path / "original"
    shutil.copytree(library, original)
    before, out = contents(library), tmp_path / "sorted"
    result = tag(library, out, Named(), mode=mode, write_tags=True)
    for kind in KINDS:
        name = f"hum-{kind}.{kind}"
        made = out / "hum" / name
        assert genres(made) == ["hum"], kind
        assert made.read_bytes() != (original / name).read_bytes()
        one, two = (soundfile.read(path, dtype="float64") for path in (made, original / name))
        np.testing.assert_array_equal(one[0], two[0])
        assert one[1] == two[1]
        assert made.stat().st_mtime_ns == (original / name).stat().st_mtime_ns
        assert oct(made.stat().st_mode) == oct((original / name).stat().st_mode)
    for kind in SILENT_KINDS:
        name = f"hum-{kind}.{kind}"
        assert (out / "hum" / name).read_bytes() == (original / name).read_bytes()
    assert (out / "unsure" / "odd.wav").read_bytes() == (original / "odd.wav").read_bytes()
    assert sorted(result.notes) == [
        f"labels are not written into .{kind} files" for kind in sorted(SILENT_KINDS)
    ]
    assert undo_tag(out).left == []
    assert contents(library) == before
    assert not out.exists()


@pytest.mark.parametrize("kind", [*KINDS, "mp3 with ID3v2.3"])
def test_what_a_file_says_already_stays(library, kind):
    old = kind.endswith("v2.3")
    path = library / ("hum-mp3.mp3" if old else f"hum-{kind}.{kind}")
    path.chmod(0o600)
    audio = mutagen.File(path)
    if audio.tags is None:
        audio.add_tags()
    if hasattr(audio.tags, "getall"):
        audio.tags.add(mutagen.id3.TCON(encoding=3, text=["House", "Techno"]))
        audio.tags.add(mutagen.id3.TIT2(encoding=3, text=["größer"]))
        audio.tags.add(mutagen.id3.TDRC(encoding=3, text=["2020-02-03"]))
        if old:
            audio.tags.update_to_v23()
        audio.save(v2_version=3 if old else 4)
    else:
        audio.tags.update({"genre": ["House", "Techno"], "title": ["größer"]})
        audio.save()
    original = path.with_name(f"original-{path.name}")
    shutil.copy(path, original)
    for _ in range(2):  # A label that is there already is not doubled.
        Labeller().write(path, "hum", original=original)
        assert genres(path) == (["hum/House/Techno"] if old else ["hum", "House", "Techno"])
    tags = mutagen.File(path).tags
    if hasattr(tags, "getall"):
        assert tags.version == ((2, 3, 0) if old else (2, 4, 0))
        assert (str(tags["TIT2"]), str(tags["TDRC"])) == ("größer", "2020-02-03")
    else:
        assert tags["title"] == ["größer"]
    assert same_sound(path, original)


def test_a_moved_file_that_was_edited_returns_as_it_is(library, tmp_path):
    out = tmp_path / "sorted"
    tag(library, out, Named(), mode="move", write_tags=True)
    edited = out / "hum" / "hum-wav.wav"
    edited.chmod(0o600)
    edited.write_bytes(edited.read_bytes() + b"more")
    content = edited.read_bytes()
    result = undo_tag(out)
    assert result.left == []
    assert result.notes[0].endswith("hum-wav.wav: it was changed since, and went back as it is now")
    assert (library / "hum-wav.wav").read_bytes() == content


def test_a_file_whose_sound_would_change_is_left_as_it_is(library, tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "same_sound", lambda *files: False)
    result = tag(library, tmp_path / "sorted", Named(), mode="copy", write_tags=True)
    assert f"{library.as_posix()}/hum-wav.wav: a label would have changed its sound" in result.notes
    made = tmp_path / "sorted" / "hum" / "hum-wav.wav"
    assert made.read_bytes() == (library / "hum-wav.wav").read_bytes()


def test_same_sound_tells_sounds_apart(tmp_path):
    sound, other = np.zeros(100_000), np.zeros(100_000)
    other[-1] = 1e-4
    soundfile.write(tmp_path / "one.wav", sound, 8000)
    for samples, rate, same in (
        *((sound, 8000, True), (other, 8000, False), (sound, 8001, False)),
        (sound[:-1], 8000, False),
    ):
        soundfile.write(tmp_path / "two.wav", samples, rate)
        assert same_sound(tmp_path / "one.wav", tmp_path / "two.wav") == same


@pytest.mark.skipif(os.name == "nt", reason="names are text")
def test_names_that_are_no_text_are_labelled_like_others(tmp_path):
    (library := tmp_path / "library").mkdir()
    odd = library / os.fsdecode(b"hum-\xff.wav")
    # libsndfile gets the bytes of the name.
    soundfile.write(os.fsencode(odd), np.random.default_rng(0).normal(size=800) * 0.1, 8000)
    result = tag(library, tmp_path / "sorted", Named(), mode="copy", write_tags=True)
    assert result.placed == 1
    assert genres(tmp_path / "sorted" / "hum" / odd.name) == ["hum"]
    assert (tmp_path / "sorted" / "tags.csv").is_file()


def test_what_is_no_sound_is_said(tmp_path):
    words = tmp_path / "words.wav"
    words.write_bytes(b"RIFF....WAVEfmt and then nothing")
    with pytest.raises(NotLabelled, match="no label could be written into it"):
        Labeller().write(words, "hum", original=words)


def test_without_mutagen_it_is_one_sentence():
    code = "import sys; sys.modules['mutagen'] = None; from timbrel.tagging.labels import *\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}Labeller()"], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip().splitlines()[-1] == (
        f"timbrel.errors.{MissingExtra.__name__}: Writing labels into files needs more packages: "
        'pip install "timbrel[tags]"'
    )


def rebuilt(tmp_path, old, new):
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    delta, found = make_delta(tmp_path / "old", tmp_path / "new"), bytearray()
    apply_delta(delta, tmp_path / "new", found.extend)
    return bytes(found), delta


@pytest.mark.parametrize("size", [1, 63, 64, 65, 5000, (1 << 20) + 7])
def test_a_delta_leads_back_whatever_was_changed(tmp_path, size):
    rng = np.random.default_rng(size)
    old = rng.bytes(size)
    for new in (
        *(old, b"x" * 100 + old, old[size // 2 :], old[: size // 2 + 1]),
        *(old[:4] + b"size" + old[8:] + b"chunk", rng.bytes(2 * size), b"y"),
    ):
        assert rebuilt(tmp_path, old, new)[0] == old


def test_a_delta_is_short_where_only_metadata_changed(tmp_path):
    old = np.random.default_rng(0).bytes(3_000_000)
    assert len(rebuilt(tmp_path, old, b"tag" * 99 + old)[1]) < 300
    assert len(rebuilt(tmp_path, old, old[:4] + b"size" + old[8:] + b"tag" * 99)[1]) < 300


def test_a_file_that_could_not_be_made_anew_is_not_moved(library, tmp_path, monkeypatch):
    before = contents(library)
    monkeypatch.setattr(sorting, "apply_delta", lambda *arguments: None)
    result = tag(library, tmp_path / "sorted", Named(), mode="move", write_tags=True)
    assert len(result.failed) == len(KINDS)
    assert result.failed[0][1] == "it changed while it was read; run the command again"
    undo_tag(tmp_path / "sorted")
    assert contents(library) == before
