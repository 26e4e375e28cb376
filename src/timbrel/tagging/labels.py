"""Write a label into a sound file's own metadata, as its genre, and leave the sound as it is.

The genre is the field that file managers, players and the browsers of samplers and workstations
show and search: `TCON` of ID3 in MP3, WAV and AIFF, `GENRE` of the Vorbis comment in FLAC, OGG and
Opus. Genres that a file already has stay behind the label. A delta, short where only metadata
changed, leads from the labelled file back to its original.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import numpy as np
import soundfile

from timbrel.audio.reading import native_path
from timbrel.errors import MissingExtra, TimbrelError

# Frames of sound, and bytes of a file, that are held at a time.
_FRAMES = 1 << 16
_CHUNK = 1 << 20

# Bytes that are compared as one, and how a block of the original is found in the changed file.
_BLOCK = 64
_SAME, _SHIFTED, _OTHER = 0, 1, 2


class NotLabelled(TimbrelError):
    """A file cannot hold a label, or none of its kind; the message is the reason, without path."""

    def __init__(self, reason: str, *, of_kind: bool = False) -> None:
        super().__init__(reason)
        self.of_kind = of_kind


class Labeller:
    """Writes labels into files; raises MissingExtra where mutagen is not installed."""

    def __init__(self) -> None:
        try:
            import mutagen
            from mutagen import aiff, flac, id3, mp3, oggflac, oggopus, oggvorbis, wave
        except ImportError as error:
            raise MissingExtra.of("tags", "Writing labels into files") from error
        self._mutagen, self._id3 = mutagen, id3
        self._kinds = [
            *(mp3.MP3, wave.WAVE, aiff.AIFF),
            *(flac.FLAC, oggvorbis.OggVorbis, oggopus.OggOpus, oggflac.OggFLAC),
        ]

    def write(self, file: Path, label: str, *, original: Path) -> None:
        """Write a label into `file`, a copy of `original`; after NotLabelled, it may be changed."""
        try:
            audio = self._mutagen.File(file, options=self._kinds)
            if audio is None:
                ending = file.suffix.lower()
                raise NotLabelled(f"labels are not written into {ending} files", of_kind=True)
            new = audio.tags is None
            if new:
                audio.add_tags()
            if isinstance(audio.tags, self._id3.ID3):
                genres = [genre for frame in audio.tags.getall("TCON") for genre in frame.genres]
                # ID3v2.3 has no lists: several genres are one text with slashes.
                if not any(genre == label or genre.startswith(f"{label}/") for genre in genres):
                    frame = self._id3.TCON(encoding=self._id3.Encoding.UTF16, text=[label, *genres])
                    audio.tags.setall("TCON", [frame])
                # A tag keeps the version that it has; a new one gets the version that all read.
                if new or audio.tags.version < (2, 4):
                    audio.tags.update_to_v23()
                    audio.save(v2_version=3)
                else:
                    audio.save(v2_version=4)
            else:
                genres = audio.tags.get("genre", [])
                if label not in genres:
                    audio.tags["genre"] = [label, *genres]
                audio.save()
            same = same_sound(file, original)
        except (self._mutagen.MutagenError, soundfile.LibsndfileError, OSError) as error:
            raise NotLabelled(f"no label could be written into it ({error})") from error
        if not same:
            raise NotLabelled("a label would have changed its sound")


def same_sound(one: Path, two: Path) -> bool:
    """Whether two sound files decode to the same samples, bit by bit."""
    names = (native_path(one), native_path(two))
    with soundfile.SoundFile(names[0]) as first, soundfile.SoundFile(names[1]) as second:
        if (first.samplerate, first.channels) != (second.samplerate, second.channels):
            return False
        while True:
            blocks = [
                file.read(_FRAMES, dtype="float64", always_2d=True) for file in (first, second)
            ]
            if not np.array_equal(*blocks):
                return False
            if not len(blocks[0]):
                return True


def make_delta(original: Path, changed: Path) -> str:
    """Describe `original` by those of its blocks that are in `changed`, and by the rest.

    Metadata that is written into a sound file leaves the sound where it is, or shifts it as a
    whole; so a block is looked for in these two places only.
    """
    old, new = (np.memmap(path, dtype=np.uint8, mode="r") for path in (original, changed))
    shift = len(new) - len(old)
    runs: list[tuple[int, int]] = []  # A kind, and how many blocks of it follow.
    rest = bytearray()
    for start in range(0, len(old), _CHUNK):
        piece = old[start : start + _CHUNK]
        kinds = np.full(-(-len(piece) // _BLOCK), _OTHER)
        for kind, offset in ((_SHIFTED, shift), (_SAME, 0)):
            equal = np.zeros(len(kinds) * _BLOCK, dtype=bool)
            equal[len(piece) :] = True  # The last block may be short.
            begin = start + offset
            first, last = max(begin, 0), min(begin + len(piece), len(new))
            if first < last:
                inside = slice(first - begin, last - begin)
                equal[inside] = piece[inside] == new[first:last]
            kinds[equal.reshape(-1, _BLOCK).all(axis=1)] = kind
        rest += piece[np.repeat(kinds == _OTHER, _BLOCK)[: len(piece)]].tobytes()
        runs += ((int(kind), len(list(run))) for kind, run in groupby(kinds))
    packed = base64.b85encode(zlib.compress(bytes(rest))).decode()
    return json.dumps({"shift": shift, "size": len(old), "blocks": runs, "rest": packed})


def apply_delta(delta: str, changed: Path, write: Callable[[bytes], object]) -> None:
    """Pass the original of `changed` to `write`, piece by piece."""
    parts = json.loads(delta)
    rest = zlib.decompress(base64.b85decode(parts["rest"]))
    place, used = 0, 0
    with open(changed, "rb") as source:
        for kind, blocks in parts["blocks"]:
            length = min(blocks * _BLOCK, parts["size"] - place)
            if kind == _OTHER:
                write(rest[used : used + length])
                used += length
            else:
                source.seek(place + (parts["shift"] if kind == _SHIFTED else 0))
                for start in range(0, length, _CHUNK):
                    write(source.read(min(_CHUNK, length - start)))
            place += length
