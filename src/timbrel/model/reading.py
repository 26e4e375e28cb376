"""Read what anybody may have written: files that may be anything, JSON that may say anything."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from timbrel.errors import ModelError

# ONNX files are protocol buffers, and those end here.
_LARGEST = 1 << 31
# A description goes six levels deep. What goes on for hundreds cannot be compared or copied.
_DEPTH = 32
_WHOLE_NUMBERS = 1 << 63

# What to do about it.
NAME_ONE = "name a model directory or its model.onnx"
AGAIN = "copy the model again, or train it again"


def read_file(path: Path) -> bytes:
    """Read a file that is one, and not of a size that no model has.

    Raises:
        ModelError: it is a device or a pipe, which may never end, too large, or cannot be read.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ModelError(f"'{path}' is a device or a pipe; {NAME_ONE}.")
        if found.st_size >= _LARGEST:
            raise ModelError(f"'{path}' is larger than a model can be (2 GiB); {NAME_ONE}.")
        return path.read_bytes()
    except OSError as error:
        cause = (error.strerror or str(error)).rstrip(".")
        raise ModelError(f"'{path}' cannot be read ({cause}); {NAME_ONE} that can.") from error


def read_json(content: str | bytes, name: str) -> object:
    """Parse JSON of which nothing can overflow, whatever is done with it.

    Args:
        content: the text.
        name: what to call it in messages.

    Raises:
        ModelError: it is no JSON, or it holds what no description does: nesting without end, whole
            numbers of more than 64 bits, halves of characters.
    """
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{name} is not JSON, so the model is damaged; {AGAIN}.") from error
    _check_values(data, name)
    return data


def _check_values(data: object, name: str) -> None:
    level: list[object] = [data]
    for _ in range(_DEPTH):
        if not level:
            return
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                below += value.keys()
                below += value.values()
            elif isinstance(value, list):
                below += value
            elif not _can_be_used(value):
                raise ModelError(
                    f"{name} holds a number or a text that nothing can be done with; {AGAIN}."
                )
        level = below
    raise ModelError(f"{name} is nested too deeply, so the model is damaged; {AGAIN}.")


def _can_be_used(value: object) -> bool:
    if isinstance(value, int):
        return -_WHOLE_NUMBERS <= value < _WHOLE_NUMBERS
    if isinstance(value, str):
        try:
            # Bytes of a file name that are no text are there as halves of pairs, which is well.
            value.encode(errors="surrogateescape")
        except UnicodeEncodeError:
            return False
    return True
