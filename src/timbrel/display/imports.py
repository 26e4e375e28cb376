"""Quietly import libraries that print when they are imported."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence

# Parts of the lines that TensorFlow always prints.
_GREETINGS = (
    b"oneDNN custom operations are on",
    b"All log messages before absl::InitializeLog()",
    b"binary is optimized to use available CPU instructions",
    b"To enable the following instructions:",
)


@contextlib.contextmanager
def held_back_stderr(*, everything: bool = True) -> Iterator[None]:
    """Hold back what is written to stderr, native code included; shown if an import fails.

    Some of it is printed before any setting is read, so the file descriptor itself is redirected.

    Args:
        everything: drop all of it; else only the lines of known greetings, so that what other
            threads write in the meantime is not lost.
    """
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # There is no stderr.
        yield
        return

    def pass_on(*, but: Sequence[bytes] = ()) -> None:
        held.seek(0)
        lines = [line for line in held if not any(part in line for part in but)]
        if lines:
            os.write(kept, b"".join(lines))

    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            pass_on()
            raise
        else:
            if not everything:
                pass_on(but=_GREETINGS)
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def ungreeted() -> contextlib.AbstractContextManager[None]:
    """A context to import TensorFlow in; a notebook would show all that is printed in its cell."""
    return held_back_stderr(everything="ipykernel" in sys.modules)
