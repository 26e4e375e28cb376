"""Write a label into a sound file's own metadata, as its genre, and leave the sound as it is.

The genre is the field that file managers, players and the browsers of samplers and workstations
show and search: `TCON` of ID3 in MP3, WAV and AIFF, `GENRE` of the Vorbis comment in FLAC, OGG and
Opus. Genres that a file has already stay behind the label.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile

from timbrel.audio.reading import native_path
from timbrel.errors import MissingExtra, TimbrelError

# Frames that are compared at a time.
_BLOCK = 1 << 16


class NotLabelled(TimbrelError):
    """A file cannot hold a label; the message is the reason, without the path.

    Attributes:
        of_kind: whether that is so of all files of its kind.
    """

    def __init__(self, reason: str, *, of_kind: bool = False) -> None:
        super().__init__(reason)
        self.of_kind = of_kind


class Labeller:
    """Writes labels into files.

    Raises:
        MissingExtra: mutagen is not installed.
    """

    def __init__(self) -> None:
        try:
            import mutagen
            from mutagen import aiff, flac, id3, mp3, oggflac, oggopus, oggvorbis, wave
        except ImportError as error:
            raise MissingExtra.of("tags", "Writing labels into files") from error
        self._mutagen, self._id3 = mutagen, id3
        self._with_id3 = (mp3.MP3, wave.WAVE, aiff.AIFF)
        self._with_comment = (
            flac.FLAC,
            oggvorbis.OggVorbis,
            oggopus.OggOpus,
            oggflac.OggFLAC,
        )

    def write(self, file: Path, label: str, *, original: Path) -> None:
        """Write a label into `file`, which is a copy of `original`.

        Raises:
            NotLabelled: it is of a kind that holds none, or its sound would not be the same; then
                `file` is not what it was.
        """
        try:
            audio = self._mutagen.File(file, options=[*self._with_id3, *self._with_comment])
            if audio is None:
                ending = os.path.splitext(file)[1].lower()
                raise NotLabelled(f"labels are not written into {ending} files", of_kind=True)
            if isinstance(audio, self._with_id3):
                self._write_id3(audio, label)
            else:
                self._write_comment(audio, label)
            same = same_sound(file, original)
        except (self._mutagen.MutagenError, soundfile.LibsndfileError, OSError) as error:
            raise NotLabelled(f"no label could be written into it ({error})") from error
        if not same:
            raise NotLabelled("a label would have changed its sound")

    def _write_id3(self, audio: object, label: str) -> None:
        # A tag stays of the version that its file has; a new one is of that which all read.
        old = audio.tags is None or audio.tags.version < (2, 4)
        if audio.tags is None:
            audio.add_tags()
        genres = [genre for frame in audio.tags.getall("TCON") for genre in frame.genres]
        # ID3v2.3 has no lists: several genres are one text with slashes.
        if not any(genre == label or genre.startswith(f"{label}/") for genre in genres):
            frame = self._id3.TCON(encoding=self._id3.Encoding.UTF16, text=[label, *genres])
            audio.tags.setall("TCON", [frame])
        if old:
            audio.tags.update_to_v23()
        audio.save(v2_version=3 if old else 4)

    @staticmethod
    def _write_comment(audio: object, label: str) -> None:
        if audio.tags is None:
            audio.add_tags()
        genres = audio.tags.get("genre", [])
        if label not in genres:
            audio.tags["genre"] = [label, *genres]
        audio.save()


def same_sound(one: Path, two: Path) -> bool:
    """Whether two sound files decode to the same samples, bit by bit."""
    names = (native_path(one), native_path(two))
    with soundfile.SoundFile(names[0]) as first, soundfile.SoundFile(names[1]) as second:
        if (first.samplerate, first.channels) != (second.samplerate, second.channels):
            return False
        while True:
            blocks = [
                file.read(_BLOCK, dtype="float64", always_2d=True) for file in (first, second)
            ]
            if not np.array_equal(*blocks):
                return False
            if not len(blocks[0]):
                return True
