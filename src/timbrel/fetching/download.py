"""Fetch files over HTTP: retried, resumed after an interruption, or read only in parts.

Nothing here checks the content; the sums of the files do. Proxies are those of the environment
(`https_proxy`, `no_proxy`, …), certificates those of the system (`SSL_CERT_FILE`), as in Python's
urllib.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import io
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from timbrel import __version__
from timbrel.progress import Progress

# Seconds without a byte after which a request has failed.
TIMEOUT = 30.0
# Attempts in a row without a new byte, the same where no server answers, and attempts in all.
_TRIES, _TRIES_UNREACHABLE, _MOST_TRIES = 5, 2, 50
_LONGEST_WAIT = 60.0
_PASSING_STATUSES = (408, 425, 429, 500, 502, 503, 504)
_UNREACHABLE = (errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)
_CHUNK = 1 << 18
# The smallest request in bytes where a file is read in parts.
_PART = 1 << 19
_MB = 1_000_000

# Errors of urllib, for a request and while its answer is read.
_FAILURES = (OSError, http.client.HTTPException, ValueError)

_Result = TypeVar("_Result")


class NotFetched(Exception):
    """A file could not be fetched.

    Attributes:
        url: of the file.
        reason: why not, in words.
        status: of the server's answer; None where there was no answer.
        tries: attempts in a row that may fail like this; 1 where another would not help.
        wait: seconds after which the server allows another attempt; None if it does not say.
    """

    def __init__(
        self,
        url: str,
        reason: str,
        *,
        status: int | None = None,
        tries: int = 1,
        wait: float | None = None,
    ) -> None:
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.reason = reason
        self.status = status
        self.tries = tries
        self.wait = wait


def _not_fetched(url: str, error: Exception) -> NotFetched:
    """Put the failure of a request in words, and decide whether to try again."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        after = error.headers.get("Retry-After", "").strip()
        return NotFetched(
            url,
            f"the server answered {error.code} {error.reason}".rstrip(),
            status=error.code,
            tries=_TRIES if error.code in _PASSING_STATUSES else 1,
            wait=float(after) if after.isdecimal() else None,
        )
    if isinstance(error, urllib.error.URLError):
        if isinstance(error.reason, Exception):
            return _not_fetched(url, error.reason)
        return NotFetched(url, f"it cannot be fetched ({error.reason})")
    if isinstance(error, ssl.SSLCertVerificationError):
        return NotFetched(
            url,
            f"its certificate cannot be trusted ({error.verify_message}); where a proxy uses one "
            "of its own, name the file with it in SSL_CERT_FILE",
        )
    if isinstance(error, ValueError | http.client.InvalidURL):
        return NotFetched(url, f"this is not a valid address ({error})")
    if isinstance(error, socket.gaierror):
        reason, tries = "the server cannot be found; there may be no network", _TRIES_UNREACHABLE
    elif isinstance(error, TimeoutError):
        reason, tries = f"the server was silent for {TIMEOUT:.0f} s", _TRIES_UNREACHABLE
    elif isinstance(error, OSError) and error.errno in _UNREACHABLE:
        reason, tries = "the server cannot be reached; there may be no network", _TRIES_UNREACHABLE
    else:
        reason, tries = "the connection broke", _TRIES
    return NotFetched(url, reason, tries=tries)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to HTTP only, and never from an encrypted connection to an open one."""

    inf_msg = "again and again, in a circle: "

    # The types are those of urllib.
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        old, new = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if new != "https" and (old, new) != ("http", "http"):
            fp.close()
            reason = "it redirects to an address that is not encrypted, which is not followed"
            raise NotFetched(req.full_url, reason)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@cache
def _certificates() -> ssl.SSLContext:
    # Reading them takes as long as fetching a small file.
    return ssl.create_default_context()


def _request(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    """Send a request; the body of the answer is still to be read."""
    opener = urllib.request.build_opener(
        _Redirects(), urllib.request.HTTPSHandler(context=_certificates())
    )
    opener.addheaders = [("User-Agent", f"timbrel/{__version__}")]
    try:
        return opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except _FAILURES as error:
        raise _not_fetched(url, error) from error


def _read(answer: http.client.HTTPResponse, url: str, size: int) -> bytes:
    """Read some of the body of an answer."""
    try:
        return answer.read(size)
    except _FAILURES as error:
        raise _not_fetched(url, error) from error


def _retry(
    attempt: Callable[[], _Result], progress: Progress, done: Callable[[], int] = lambda: 0
) -> _Result:
    """Make attempts until one succeeds, waiting longer each time.

    An attempt after which more bytes are `done` than after any before does not count against the
    next. Raises NotFetched where another attempt would not help, or there were too many.
    """
    furthest, failures, number = done(), 0, 0
    while True:
        number += 1
        try:
            return attempt()
        except NotFetched as error:
            failures = 1 if done() > furthest else failures + 1
            furthest = max(furthest, done())
            # A server that sent some bytes may well answer again.
            tries = _TRIES if furthest and error.tries > 1 else error.tries
            if failures >= tries or number >= _MOST_TRIES:
                raise
            wait = 2.0 ** (failures - 1) if error.wait is None else error.wait
            wait = min(_LONGEST_WAIT, wait)
            progress.stage("waiting", 0, wait, f"{error}. Trying again in {wait:.0f} s.")
            time.sleep(wait)
            progress.stage("waiting", wait, wait)


def download(url: str, file: Path, *, limit: int, progress: Progress) -> None:
    """Fetch a file, or the rest of it, if an earlier call left a part.

    Args:
        url: of the file.
        file: where it is written. Where the server changed it since the earlier call, it may hold
            the start of the one and the end of the other.
        limit: bytes; a larger file is not fetched.
        progress: receives the stages "fetching", in MB, and "waiting".

    Raises:
        NotFetched: it cannot be fetched; the bytes that came are kept.
        OSError: it cannot be written; the bytes that were written are kept.
    """

    def size() -> int:
        return file.stat().st_size if file.exists() else 0

    def attempt() -> None:
        have = size()
        try:
            answer = _request(url, {"Range": f"bytes={have}-"} if have else {})
        except NotFetched as error:
            if error.status == 416 and have:
                return  # The file ends here.
            raise
        with contextlib.closing(answer):
            total = answer.length
            if answer.status == 206:
                given = answer.headers["Content-Range"] or ""
                if re.fullmatch(rf"bytes {have}-\d+/(\d+|\*)", given) is None:
                    file.unlink()
                    raise NotFetched(url, "the server sent the wrong part of it", tries=_TRIES)
                total = None if total is None else have + total
            elif answer.status == 200:
                have = 0  # The whole file: nothing was there, or the server gives no parts.
            else:
                raise NotFetched(url, f"the server answered {answer.status} {answer.reason}")
            length = "does not end" if total is None else f"has {total / _MB:.1f} MB"
            expected = f"no more than {limit / _MB:.1f} MB are expected"
            too_large = NotFetched(url, f"the file {length}, and {expected}")
            if total is not None and total > limit:
                raise too_large
            with file.open("ab" if have else "wb") as written:
                while chunk := _read(answer, url, _CHUNK):
                    have += len(chunk)
                    if have > limit:
                        raise too_large
                    written.write(chunk)
                    # At once, so that an interruption loses nothing.
                    written.flush()
                    # A bar for a small file would only flicker.
                    if total is None or total >= _MB:
                        megabytes = total and total // _MB
                        progress.stage("fetching", have // _MB, megabytes, "MB")
        if total is not None and have < total:
            broke = f"the connection broke after {have / _MB:.1f} of {total / _MB:.1f} MB"
            raise NotFetched(url, broke, tries=_TRIES)
        if total is None:
            progress.stage("fetching", have // _MB, have // _MB, "MB")

    _retry(attempt, progress, size)


def open_remote(url: str, progress: Progress) -> io.BufferedReader:
    """Open a file on a server, to read parts of it without fetching it whole.

    Args:
        url: of the file; its server must give parts of files.
        progress: receives the stages "fetching", in MB, and "waiting".

    Raises:
        NotFetched: it cannot be fetched, or not in parts; reading raises it, too.
    """
    return io.BufferedReader(_RemoteFile(url, progress), _PART)


class _RemoteFile(io.RawIOBase):
    """A file on a server; each read is a request."""

    def __init__(self, url: str, progress: Progress) -> None:
        super().__init__()
        self._url = url
        self._progress = progress
        self._came = 0
        # The answer to a first request says how long it is.
        self._position, self._length = 0, 1
        self.readinto(bytearray(1))
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        if start + offset < 0:
            raise OSError("a file has nothing before its start")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        start, end = self._position, min(self._position + len(buffer), self._length)
        if end <= start:
            return 0

        def attempt() -> bytes:
            wanted = f"{start}-{end - 1}"
            with contextlib.closing(_request(self._url, {"Range": f"bytes={wanted}"})) as answer:
                given = answer.headers["Content-Range"] or ""
                part = re.fullmatch(rf"bytes {wanted}/(\d+)", given)
                if answer.status != 206 or part is None:
                    raise NotFetched(
                        self._url,
                        "the server gives whole files only, and this one is large; fetch it in "
                        "another way and name it with `source`",
                    )
                self._length = int(part[1])
                content = _read(answer, self._url, end - start)
            if len(content) < end - start:
                raise NotFetched(self._url, "the connection broke", tries=_TRIES)
            return content

        content = _retry(attempt, self._progress)
        buffer[: len(content)] = content
        self._position = end
        self._came += len(content)
        self._progress.stage("fetching", self._came // _MB, None, "MB")
        return len(content)
