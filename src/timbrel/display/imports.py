"""Quietly import libraries that print when they are imported."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

# Parts of the lines with which TensorFlow greets, whatever it is told.
_GREETINGS = (
    b"oneDNN custom operations are on",
    b"All log messages before absl::InitializeLog()",
    b"binary is optimized to use available CPU instructions",
    b"To enable the following instructions:",
)


def in_notebook() -> bool:
    """Whether this process runs the cells of a notebook."""
    return "ipykernel" in sys.modules


@contextlib.contextmanager
def held_back_stderr(*, everything: bool = True) -> Iterator[None]:
    """Hold back what is written to stderr, native code included; shown if an import fails.

    Some of it is printed before any setting is read, so the only way is to hold back the file
    descriptor.

    Args:
        everything: drop all of it; else the lines of known greetings only, so that what other
            threads say in the meantime is not lost.
    """
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # There is no stderr to hold back.
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            _pass_on(held, kept)
            raise
        else:
            if not everything:
                _pass_on(held, kept, but=_GREETINGS)
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def ungreeted() -> contextlib.AbstractContextManager[None]:
    """What to import TensorFlow in: a notebook would show all that is printed in its cell."""
    return held_back_stderr(everything=in_notebook())


def _pass_on(held: IO[bytes], kept: int, but: Sequence[bytes] = ()) -> None:
    held.seek(0)
    lines = [line for line in held if not any(part in line for part in but)]
    if lines:
        os.write(kept, b"".join(lines))
