"""What native libraries print when they are imported, and how not to be greeted."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


def in_notebook() -> bool:
    """Whether this process runs the cells of a notebook."""
    return "ipykernel" in sys.modules


@contextlib.contextmanager
def held_back_stderr() -> Iterator[None]:
    """Hold back what is written to stderr, native code included; shown if an import fails.

    Some of it is printed before any setting is read, so the only way is to hold back the file
    descriptor.
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
        except ImportError:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
