"""Waveforms laid aside on disk, so that a large data set does not fill the memory."""

from __future__ import annotations

import contextlib
import tempfile
from types import TracebackType

import numpy as np

from timbrel.errors import OutputError


class WaveformSpool:
    """Float32 waveforms in one temporary file that disappears when the spool is closed."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="timbrel-")  # noqa: SIM115 - closed by close()
        self._offsets = [0]
        self._all: np.ndarray | None = None

    def add(self, waveform: np.ndarray) -> int:
        """Append a waveform `(samples,)`; return its number."""
        try:
            self._file.write(np.ascontiguousarray(waveform, dtype=np.float32))
            self._file.flush()
        except OSError as error:
            raise OutputError.of(tempfile.gettempdir(), error) from error
        self._offsets.append(self._offsets[-1] + len(waveform))
        return len(self._offsets) - 2

    def windows(self, numbers: np.ndarray, starts: np.ndarray, *, window: int) -> np.ndarray:
        """Cut windows; float32 `(n, window)`, zero-padded where a waveform ends early."""
        if self._all is None or len(self._all) != self._offsets[-1]:
            self._all = np.memmap(self._file, dtype=np.float32, mode="r")
        cut = np.zeros((len(numbers), window), dtype=np.float32)
        for row, (number, start) in enumerate(zip(numbers, starts, strict=True)):
            first = self._offsets[number] + start
            part = self._all[first : min(first + window, self._offsets[number + 1])]
            cut[row, : len(part)] = part
        return cut

    def close(self) -> None:
        """Remove the file."""
        self._all = None
        # What a full disk did not take was reported by `add`.
        with contextlib.suppress(OSError):
            self._file.close()

    def __enter__(self) -> WaveformSpool:
        return self

    def __exit__(
        self, kind: type | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
