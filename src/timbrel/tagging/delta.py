"""What turns a changed file back into its original, in few bytes where only metadata changed."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import numpy as np

# Bytes that are compared as one, and that are held at a time.
_BLOCK = 64
_CHUNK = 1 << 20

_SAME, _SHIFTED, _OTHER = 0, 1, 2


def make_delta(original: Path, changed: Path) -> str:
    """Describe `original` by what of it is in `changed`, at its place or shifted, and the rest.

    Metadata that is written into a sound file leaves the sound where it is, or shifts it as a
    whole; so both are looked for, and nothing else.

    Returns:
        Text for `apply_delta`.
    """
    old, new = (np.memmap(path, dtype=np.uint8, mode="r") for path in (original, changed))
    shift = len(new) - len(old)
    kinds: list[tuple[int, int]] = []
    rest = bytearray()
    for start in range(0, len(old), _CHUNK):
        piece = old[start : start + _CHUNK]
        found = np.full(-(-len(piece) // _BLOCK), _OTHER)
        for kind, offset in ((_SHIFTED, shift), (_SAME, 0)):
            found[_equal_blocks(piece, new, start + offset)] = kind
        for number, kind in enumerate(found):
            if kind == _OTHER:
                rest += piece[number * _BLOCK : (number + 1) * _BLOCK].tobytes()
        kinds += ((int(kind), len(list(run))) for kind, run in groupby(found))
    packed = base64.b85encode(zlib.compress(bytes(rest))).decode()
    return json.dumps({"shift": shift, "size": len(old), "blocks": kinds, "rest": packed})


def _equal_blocks(piece: np.ndarray, new: np.ndarray, start: int) -> np.ndarray:
    """Which blocks of `piece`, bool, are found in `new` from `start` on."""
    equal = np.zeros(-(-len(piece) // _BLOCK) * _BLOCK, dtype=bool)
    equal[len(piece) :] = True
    first, last = max(start, 0), min(start + len(piece), len(new))
    if first < last:
        inside = slice(first - start, last - start)
        equal[inside] = piece[inside] == new[first:last]
    return equal.reshape(-1, _BLOCK).all(axis=1)


def apply_delta(delta: str, changed: Path, write: Callable[[bytes], object]) -> None:
    """Hand the original of `changed` to `write`, piece by piece."""
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


def leads_back(delta: str, changed: Path, sha256: str) -> bool:
    """Whether `apply_delta` gives the file with this SHA-256."""
    digest = hashlib.sha256()
    apply_delta(delta, changed, digest.update)
    return digest.hexdigest() == sha256
