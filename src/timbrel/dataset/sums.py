"""Check the files of a known data set by their sums."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

_CHUNK = 1 << 20
_PCM, _EXTENSIBLE = 1, 0xFFFE


@dataclass(frozen=True)
class Sums:
    """The sums of some files.

    Attributes:
        algorithm: "sha256" or "md5".
        digests: sum in hexadecimal by path, joined with `/`, in the order of the list.
    """

    algorithm: str
    digests: Mapping[str, str]

    @classmethod
    def read(cls, text: str, algorithm: str) -> Sums:
        """Read what `sha256sum` or `md5sum` writes."""
        pairs = (line.split("  ", 1) for line in text.splitlines())
        return cls(algorithm, {path: digest for digest, path in pairs})

    @cached_property
    def by_name(self) -> dict[str, str]:
        """Path by the file's name alone; no two files of one data set share theirs."""
        return {path.rpartition("/")[2]: path for path in self.digests}

    def matches(self, path: str, content: bytes) -> bool:
        """Whether this is what is known of the file."""
        hashed = self._new()
        hashed.update(content)
        return hashed.hexdigest() == self.digests[path]

    def matches_file(self, path: str, file: str | os.PathLike) -> bool:
        """Whether the file holds what is known of it.

        Raises:
            OSError: it cannot be read.
        """
        hashed = self._new()
        with open(file, "rb") as content:
            while chunk := content.read(_CHUNK):
                hashed.update(chunk)
        return hashed.hexdigest() == self.digests[path]

    def restore(self, path: str, content: bytes) -> bytes | None:
        """The file as it is known, where this is that, or has the same samples; None otherwise.

        The same recordings are handed around with other WAV headers: with a list of tags, say.
        """
        if self.matches(path, content):
            return content
        plain = plain_wav(content) if path.endswith(".wav") else None
        return plain if plain is not None and self.matches(path, plain) else None

    def _new(self) -> hashlib._Hash:
        return hashlib.new(self.algorithm, usedforsecurity=False)


def plain_wav(content: bytes) -> bytes | None:
    """The same PCM samples under the shortest header, 44 bytes; None if it is no WAV of PCM."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return None
    form, at = None, 12
    while at + 8 <= len(content):
        kind, size = struct.unpack_from("<4sI", content, at)
        chunk = content[at + 8 : at + 8 + size]
        if kind == b"fmt " and len(chunk) >= 16:
            tag = struct.unpack_from("<H", chunk)[0]
            if tag == _EXTENSIBLE and len(chunk) >= 26:
                tag = struct.unpack_from("<H", chunk, 24)[0]
            form = struct.pack("<H", tag) + chunk[2:16] if tag == _PCM else None
        elif kind == b"data" and form is not None:
            head = struct.pack("<4sI4s4sI", b"RIFF", 36 + len(chunk), b"WAVE", b"fmt ", 16)
            return head + form + struct.pack("<4sI", b"data", len(chunk)) + chunk
        # Chunks begin at even places.
        at += 8 + size + size % 2
    return None
