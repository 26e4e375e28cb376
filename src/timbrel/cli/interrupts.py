"""Ctrl-C that leaves whole rows behind."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


class Interrupts:
    """Makes Ctrl-C and SIGTERM a KeyboardInterrupt, but never amid something that must be whole.

    A further one ends the process at once.
    """

    def __init__(self) -> None:
        self._holding = False
        self._pending = False
        self._usual: dict[int, object] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number, usual in (
                (signal.SIGINT, signal.default_int_handler),
                (signal.SIGTERM, signal.SIG_DFL),
            ):
                # Anything else is somebody else's, or ignored on purpose.
                if signal.getsignal(number) is usual:
                    self._usual[number] = usual
                    signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, usual in self._usual.items():
            signal.signal(number, usual)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let what is done inside be finished before it is interrupted."""
        self.hold()
        yield
        self._holding = False
        if self._pending:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """Let what is done from here on be finished."""
        self._holding = True

    def _heard(self, *_: object) -> None:
        for number in self._usual:
            signal.signal(number, signal.SIG_DFL)
        self._pending = True
        if not self._holding:
            raise KeyboardInterrupt
