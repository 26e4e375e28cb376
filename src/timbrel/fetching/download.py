"""Fetch files over HTTP: retried, resumed after an interruption, or read only in parts.

Nothing here makes sure that what comes is what was wanted: that is seen by the sums of the files.
Proxies are those of the environment (`https_proxy`, `no_proxy`, …), certificates those of the
system (`SSL_CERT_FILE`), as Python's urllib has them.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import io
import itertools
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from timbrel import __version__
from timbrel.progress import Progress

# Seconds without a byte after which a server is given up on.
TIMEOUT = 30.0
# Attempts in a row without a new byte, the same where no server answers, and attempts in all.
_TRIES, _TRIES_UNREACHABLE, _MOST_TRIES = 5, 2, 50
_LONGEST_WAIT = 60.0
_PASSING_STATUSES = (408, 425, 429, 500, 502, 503, 504)
_UNREACHABLE = (errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)
_CHUNK = 1 << 18
# Bytes of a request at least, where a file is read in parts.
_PART = 1 << 19
_MB = 1_000_000

# What urllib raises, for a request and while its answer is read.
_FAILURES = (OSError, http.client.HTTPException, ValueError)

_Result = TypeVar("_Result")


class NotFetched(Exception):
    """Something could not be fetched.

    Attributes:
        url: what was asked for.
        reason: why not, in words.
        status: of the server's answer; None where there was no answer.
        tries: attempts in a row that may fail like this before it is given up; 1 where another
            attempt would not help.
        wait: seconds that the server asks to wait; None where it does not say.
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
    """Say in words why a request failed, and whether to try again."""
    if isinstance(error, urllib.error.HTTPError):
        asked = error.headers.get("Retry-After", "").strip()
        return NotFetched(
            url,
            f"the server answered {error.code} {error.reason}".rstrip(),
            status=error.code,
            tries=_TRIES if error.code in _PASSING_STATUSES else 1,
            wait=float(asked) if asked.isdecimal() else None,
        )
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        return _not_fetched(url, error.reason)
    reason, tries = "the connection broke", _TRIES
    if isinstance(error, ssl.SSLCertVerificationError):
        reason, tries = f"its certificate cannot be trusted ({error.verify_message})", 1
        reason += "; where a proxy uses one of its own, name the file with it in SSL_CERT_FILE"
    elif isinstance(error, ValueError | http.client.InvalidURL):
        reason, tries = f"this is no address that can be asked for ({error})", 1
    elif isinstance(error, urllib.error.URLError):
        reason, tries = f"it cannot be had ({error.reason})", 1
    elif isinstance(error, socket.gaierror):
        reason = "the server cannot be found; there may be no network"
        tries = _TRIES_UNREACHABLE
    elif isinstance(error, TimeoutError):
        reason, tries = f"the server was silent for {TIMEOUT:.0f} s", _TRIES_UNREACHABLE
    elif isinstance(error, OSError) and error.errno in _UNREACHABLE:
        reason = "the server cannot be reached; there may be no network"
        tries = _TRIES_UNREACHABLE
    return NotFetched(url, reason, tries=tries)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to HTTP only, and never from an encrypted connection to an open one."""

    inf_msg = "again and again, which leads nowhere: "

    # The types are those of urllib.
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        old, new = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if new != "https" and (old, new) != ("http", "http"):
            fp.close()
            reason = "it leads on to an address that is not encrypted, which is not followed"
            raise NotFetched(req.full_url, reason)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@cache
def _certificates() -> ssl.SSLContext:
    # Reading them takes as long as fetching a small file.
    return ssl.create_default_context()


def _ask(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    """Send a request; the body of the answer is still to be read.

    Raises:
        NotFetched: there is no answer, or it is an error.
    """
    opener = urllib.request.build_opener(
        _Redirects(), urllib.request.HTTPSHandler(context=_certificates())
    )
    opener.addheaders = [("User-Agent", f"timbrel/{__version__}")]
    try:
        return opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except _FAILURES as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise _not_fetched(url, error) from error


def _read(answer: http.client.HTTPResponse, url: str, size: int) -> bytes:
    """Read some of the body of an answer.

    Raises:
        NotFetched: the connection broke.
    """
    try:
        return answer.read(size)
    except _FAILURES as error:
        raise _not_fetched(url, error) from error


def _retry(
    attempt: Callable[[], _Result], progress: Progress, done: Callable[[], int] = lambda: 0
) -> _Result:
    """Make attempts until one succeeds, waiting longer each time.

    An attempt that got further than any before does not count against the next.

    Args:
        attempt: raises NotFetched where it fails.
        progress: told of the stage "waiting", with the reason as its note.
        done: gives the bytes that are there.

    Raises:
        NotFetched: another attempt would not help, or there were too many.
    """
    furthest, failures = done(), 0
    for number in itertools.count(1):
        try:
            return attempt()
        except NotFetched as error:
            failures = 1 if done() > furthest else failures + 1
            furthest = max(furthest, done())
            # A server that gave something may well answer again.
            tries = _TRIES if furthest and error.tries > 1 else error.tries
            if failures >= tries or number >= _MOST_TRIES:
                raise
            wait = 2.0 ** (failures - 1) if error.wait is None else error.wait
            wait = min(_LONGEST_WAIT, wait)
            progress.stage("waiting", 0, wait, f"{error}. Asking again in {wait:.0f} s.")
            pause(wait)
            progress.stage("waiting", wait, wait)


def pause(seconds: float) -> None:
    """Wait between two attempts."""
    time.sleep(seconds)


def download(url: str, file: Path, *, limit: int, progress: Progress) -> None:
    """Fetch a file, or what is missing of it, if an earlier call left a part of it.

    Args:
        url: what to fetch.
        file: where it is written. Where the server changed it since the earlier call, it may hold
            the start of the one and the end of the other.
        limit: bytes; a larger file is not fetched.
        progress: told of the stages "fetching", in MB, and "waiting".

    Raises:
        NotFetched: it cannot be had; what came is kept.
        OSError: it cannot be written; what was written is kept.
    """

    def size() -> int:
        return file.stat().st_size if file.exists() else 0

    def attempt() -> None:
        have = size()
        try:
            answer = _ask(url, {"Range": f"bytes={have}-"} if have else {})
        except NotFetched as error:
            if error.status == 416 and have:
                return  # There is nothing after what is there.
            raise
        with contextlib.closing(answer):
            total = answer.length
            if answer.status == 206:
                given = answer.headers["Content-Range"] or ""
                part = re.fullmatch(rf"bytes {have}-\d+/(\d+|\*)", given)
                if part is None:
                    file.unlink()
                    reason = "the server sent another part than asked for"
                    raise NotFetched(url, reason, tries=_TRIES)
                total = None if total is None else have + total
            elif answer.status == 200:
                # All of it: nothing was there, or the server gives no parts.
                have = 0
            else:
                raise NotFetched(url, f"the server answered {answer.status} {answer.reason}")
            how = "goes on" if total is None else f"has {total / _MB:.1f} MB"
            most = f"no more than {limit / _MB:.1f} MB are expected"
            too_large = NotFetched(url, f"the file {how}, and {most}")
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
        progress: told of the stages "fetching", in MB, and "waiting".

    Raises:
        NotFetched: it cannot be had, or not in parts; so does every read.
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

    def readinto(self, buffer: bytearray) -> int:
        start, end = self._position, min(self._position + len(buffer), self._length)
        if end <= start:
            return 0

        def attempt() -> bytes:
            wanted = f"{start}-{end - 1}"
            with contextlib.closing(_ask(self._url, {"Range": f"bytes={wanted}"})) as answer:
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
