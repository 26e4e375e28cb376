"""A file on a server that is read here and there, without fetching it whole."""

from __future__ import annotations

import contextlib
import http.client
import io
import re
from collections.abc import Callable

from timbrel.fetching.http import Failure, ask, failure_of, persist

# Read ahead: a connection costs more than so many bytes.
_AHEAD = 1 << 17


class RemoteFile(io.RawIOBase):
    """A file on a server, as if it were open for reading.

    Each read that leaves what was read ahead is a request of its own.

    Args:
        url: of the file; its server must give parts of files.
        progress: told of the bytes that came.
        tell: given a sentence where something went wrong and is tried again.

    Raises:
        NotFetched: it cannot be had, or not in parts.
    """

    def __init__(
        self,
        url: str,
        *,
        progress: Callable[[int], None] | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self.url = url
        self.came = 0
        self._progress = progress or (lambda came: None)
        self._tell = tell or (lambda sentence: None)
        self._at = 0
        self._start, self._ahead = 0, b""
        self._length: int | None = None
        self._fetch(0, 1)

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Bytes from the start."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go somewhere else."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length or 0}[whence]
        if base + offset < 0:
            raise OSError("a file has nothing before its start")
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes, all of them unless the file ends.

        Raises:
            NotFetched: the server does not give them.
        """
        end = self._length if size is None or size < 0 else min(self._length, self._at + size)
        if end <= self._at:
            return b""
        if not self._start <= self._at <= end <= self._start + len(self._ahead):
            self._fetch(self._at, min(self._length, max(end, self._at + _AHEAD)))
        content = self._ahead[self._at - self._start : end - self._start]
        self._at += len(content)
        return content

    def expect(self, start: int, length: int) -> None:
        """Read ahead what will be read soon, in one request.

        Raises:
            NotFetched: the server does not give it.
        """
        end = min(self._length, start + length)
        if not self._start <= start <= end <= self._start + len(self._ahead):
            self._fetch(start, end)

    def _fetch(self, start: int, end: int) -> None:
        persist(self.url, lambda: self._ask(start, end), done=lambda: self.came, tell=self._tell)

    def _ask(self, start: int, end: int) -> None:
        with contextlib.closing(ask(self.url, {"Range": f"bytes={start}-{end - 1}"})) as answer:
            found = re.fullmatch(
                r"bytes (\d+)-(\d+)/(\d+)", answer.headers.get("Content-Range", "").strip()
            )
            if answer.status != 206 or not found:
                raise Failure(
                    "the server gives whole files only, and this one is large; fetch it in "
                    "another way and name it with `source`"
                )
            first, last, length = (int(number) for number in found.groups())
            if self._length not in (None, length):
                raise Failure("the file changed on its server")
            if (first, last) != (start, end - 1):
                raise Failure("the server sent another part than asked for")
            self._start, self._ahead = start, self._body(answer, end - start)
            self._length = length

    def _body(self, answer: http.client.HTTPResponse, length: int) -> bytes:
        try:
            content = answer.read(length)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise failure_of(error) from error
        if len(content) != length:
            raise Failure("the connection broke", passing=True)
        self.came += length
        self._progress(self.came)
        return content
