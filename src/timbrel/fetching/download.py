"""Fetch a file, and go on where an earlier attempt or an earlier run stopped."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from timbrel.fetching.http import Failure, ask, failure_of, persist

_CHUNK = 1 << 18
_MB = 1_000_000

Progress = Callable[[int, int | None], None]


class Download:
    """A file that is fetched into a partial file, in as many runs as it takes.

    Beside the partial file lies what is known of it: the address, the state in which the server had
    the file (its ETag, or its date), the size, and whether it is whole.

    Args:
        url: what to fetch.
        file: the partial file; whole once `run` returns.
        limit: bytes; more than that is not what is wanted.
        progress: told of the bytes that are there, and of all, None where they are not known.
        tell: given a sentence where something went wrong and is tried again.
    """

    def __init__(
        self,
        url: str,
        file: Path,
        *,
        limit: int,
        progress: Progress | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.url = url
        self.file = file
        self._limit = limit
        self._progress = progress or (lambda done, total: None)
        self._tell = tell or (lambda sentence: None)
        self._notes_file = file.with_name(f"{file.name}.json")
        self._notes = self._read_notes()

    @property
    def size(self) -> int:
        """Bytes that are there."""
        try:
            return self.file.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return self._notes.get("whole") == self.size > 0

    def discard(self) -> None:
        """Forget what is there."""
        self.file.unlink(missing_ok=True)
        self._notes_file.unlink(missing_ok=True)
        self._notes = {}

    def run(self) -> None:
        """Fetch what is missing.

        Raises:
            NotFetched: it cannot be had; what came is kept.
            OSError: it cannot be written; what was written is kept.
        """
        if not self.whole:
            persist(self.url, self._attempt, done=lambda: self.size, tell=self._tell)

    def _attempt(self) -> None:
        have = self.size if self._notes.get("state") else 0
        headers = {"Range": f"bytes={have}-", "If-Range": self._notes["state"]} if have else {}
        try:
            answer = ask(self.url, headers)
        except Failure as failure:
            if failure.status != 416 or not have:
                raise
            # Nothing lies behind what is there: either it is whole, or the file changed.
            self.discard()
            raise Failure("the file changed on its server", passing=True, wait=0.0) from failure
        with contextlib.closing(answer):
            total = self._begin(answer, have)
            self._copy(answer, total)
        if total is not None and self.size < total:
            raise Failure(
                f"the connection broke after {self.size / _MB:.1f} of {total / _MB:.1f} MB",
                passing=True,
            )
        self._note(whole=self.size)

    def _begin(self, answer: http.client.HTTPResponse, have: int) -> int | None:
        """Make the partial file fit what is going to come; return the bytes of all of it."""
        length = answer.headers.get("Content-Length", "")
        if answer.status == 206:
            start, total = _range(answer)
            if start != have or not self._is_same(_state(answer), total):
                self.discard()
                raise Failure("the server sent another part than asked for", passing=True, wait=0.0)
        elif answer.status == 200:
            # From the start: there was nothing, the file changed, or the server has no parts.
            self.discard()
            total = int(length) if length.isdigit() else None
        else:
            raise Failure(f"the server answered {answer.status} {answer.reason}")
        if total is not None and total > self._limit:
            raise Failure(self._too_large(f"has {total / _MB:.1f} MB"))
        state = _state(answer) or self._notes.get("state")
        self._note(url=self.url, state=state, total=total)
        return total

    def _is_same(self, state: str | None, total: int | None) -> bool:
        """Whether a part is of the file that was begun, as far as both sides say."""
        pairs = ((state, self._notes.get("state")), (total, self._notes.get("total")))
        return all(new == old for new, old in pairs if new is not None and old is not None)

    def _copy(self, answer: http.client.HTTPResponse, total: int | None) -> None:
        size = self.size
        with self.file.open("ab") as file:
            self._progress(size, total)
            while chunk := _read(answer):
                size += len(chunk)
                if size > min(self._limit, self._limit if total is None else total):
                    raise Failure(self._too_large("goes on"))
                _write(file, chunk)
                self._progress(size, total)

    def _too_large(self, what: str) -> str:
        return f"the file {what}, and no more than {self._limit / _MB:.1f} MB are expected"

    def _note(self, **notes: object) -> None:
        self._notes = {**self._notes, **notes}
        new = self._notes_file.with_name(f"{self._notes_file.name}.new")
        new.write_text(json.dumps(self._notes), encoding="utf-8")
        os.replace(new, self._notes_file)

    def _read_notes(self) -> dict:
        try:
            notes = json.loads(self._notes_file.read_bytes())
        except (OSError, ValueError):
            return {}
        return notes if isinstance(notes, dict) and notes.get("url") == self.url else {}


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(_CHUNK)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise failure_of(error) from error


def _write(file: BinaryIO, chunk: bytes) -> None:
    # At once, so that an interruption loses nothing and a full disk is seen here.
    file.write(chunk)
    file.flush()


def _range(answer: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Where the part begins that the server sent, and the bytes of the whole file."""
    said = answer.headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", said.strip())
    if not found:
        return -1, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _state(answer: http.client.HTTPResponse) -> str | None:
    """What tells this state of a file from others; a weak ETag does not."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified")


def fetch_small(download: Download) -> bytes:
    """Fetch a file that fits into memory; the partial file is removed again.

    Raises:
        NotFetched: it cannot be had.
        OSError: it cannot be written.
    """
    try:
        download.run()
        return download.file.read_bytes()
    finally:
        download.discard()
