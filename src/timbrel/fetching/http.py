"""Ask a server for something, and say in words what went wrong.

Proxies are those of the environment (`https_proxy`, `no_proxy`, …), certificates those of the
system (`SSL_CERT_FILE`), as Python's urllib has them.
"""

from __future__ import annotations

import email.utils
import errno
import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import IO
from urllib.parse import urlsplit

from timbrel.errors import FetchError, InvalidArgument

# Seconds without a byte after which a server is given up on.
TIMEOUT = 30.0
# In a row without a new byte, where nobody ever answered, and in all.
_TRIES, _TRIES_UNREACHABLE, _MOST_TRIES = 5, 2, 50
_LONGEST_WAIT = 60.0
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_UNREACHABLE = frozenset(
    {errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL}
)


_CIRCLE = urllib.request.HTTPRedirectHandler.inf_msg.partition("\n")[0]


class NotFetched(FetchError):
    """Something could not be fetched.

    Attributes:
        url: what was asked for.
        reason: why not, without the address.
        status: what the server answered; None where it did not.
    """

    def __init__(self, url: str, reason: str, status: int | None = None) -> None:
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.reason = reason
        self.status = status


@dataclass(eq=False)
class Failure(Exception):
    """A request failed.

    Attributes:
        reason: why, in words.
        passing: it may go well another time.
        unreachable: nobody answered, so it is hardly worth waiting, unless somebody did before.
        wait: seconds that the server asks to wait.
        status: of the answer.
    """

    reason: str
    passing: bool = False
    unreachable: bool = False
    wait: float | None = None
    status: int | None = None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from an encrypted connection to an open one."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, *rest: object
    ) -> urllib.request.Request | None:
        # The new address comes last.
        if urlsplit(req.full_url).scheme == "https" and urlsplit(str(rest[-1])).scheme != "https":
            fp.close()
            raise Failure("it leads on to an address that is not encrypted, which is not followed")
        return super().redirect_request(req, fp, code, msg, *rest)


@cache
def _certificates() -> ssl.SSLContext:
    # Reading them takes as long as fetching a small file.
    return ssl.create_default_context()


def _opener() -> urllib.request.OpenerDirector:
    # Nothing but HTTP, wherever a redirect may lead.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=_certificates()),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def is_url(text: str) -> bool:
    """Whether this is an address rather than a path.

    Raises:
        InvalidArgument: it is one that cannot be fetched from.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or not scheme.isalnum():
        return False
    if scheme.lower() not in ("http", "https") or not rest.strip("/") or not _host(text):
        raise InvalidArgument(
            f"`source` must be a folder, an archive, or an address that begins with https:// or "
            f"http://. Got '{text}'."
        )
    return True


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def ask(url: str, headers: Mapping[str, str] | None = None) -> http.client.HTTPResponse:
    """Send a request; the answer's body is still to be read, inside `reading`.

    Raises:
        Failure: there is no answer, or it is an error.
    """
    usual = {
        "User-Agent": f"timbrel/{metadata.version('timbrel')}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
    }
    try:
        request = urllib.request.Request(url, headers={**usual, **(headers or {})})
        return _opener().open(request, timeout=TIMEOUT)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise failure_of(error) from error


def failure_of(error: Exception) -> Failure:
    """Say in words why a request failed, and whether to try again."""
    if isinstance(error, urllib.error.HTTPError):
        wait = _seconds(error.headers.get("Retry-After"))
        # What urllib says of redirects without end has three lines.
        said = " ".join(str(error.reason).split())
        said = "again and again, which leads nowhere" if said.startswith(_CIRCLE) else said
        reason = f"the server answered {error.code} {said}".rstrip()
        return Failure(reason, passing=error.code in _PASSING, wait=wait, status=error.code)
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        return failure_of(error.reason)
    if isinstance(error, socket.gaierror):
        return _unreachable("the server cannot be found; there may be no network")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(
            f"its certificate cannot be trusted ({error.verify_message}); where a proxy uses one "
            "of its own, name the file with it in SSL_CERT_FILE"
        )
    if isinstance(error, TimeoutError):
        return _unreachable(f"the server was silent for {TIMEOUT:.0f} s")
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return _unreachable("the server cannot be reached; there may be no network")
    if isinstance(error, ValueError):
        return Failure(f"this is no address that can be asked for ({error})")
    if isinstance(error, urllib.error.URLError):
        return Failure(f"it cannot be had ({error.reason})")
    return Failure("the connection broke", passing=True)


def _unreachable(reason: str) -> Failure:
    return Failure(reason, passing=True, unreachable=True)


def _seconds(text: str | None) -> float | None:
    """What `Retry-After` asks for: seconds, or a date."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - time.time())


def pause(seconds: float) -> None:
    """Wait between two attempts."""
    time.sleep(seconds)


def persist(
    url: str, attempt: Callable[[], None], *, done: Callable[[], int], tell: Callable[[str], None]
) -> None:
    """Make attempts until one succeeds, waiting longer each time.

    Attempts that got further than any before do not count against the next.

    Args:
        url: what is fetched, for messages.
        attempt: raises Failure where it fails.
        done: how far it is.
        tell: given a sentence before each further attempt.

    Raises:
        NotFetched: it is hopeless, or the attempts are used up.
    """
    furthest, tries = done(), 0
    came = False
    for _ in range(_MOST_TRIES):
        try:
            attempt()
        except Failure as failure:
            further = done() > furthest
            came = came or further
            tries = 1 if further else tries + 1
            furthest = max(furthest, done())
            most = _TRIES if came or not failure.unreachable else _TRIES_UNREACHABLE
            if not failure.passing or tries >= most:
                raise NotFetched(url, failure.reason, failure.status) from failure
            asked = 2.0 ** (tries - 1) if failure.wait is None else failure.wait
            seconds = min(_LONGEST_WAIT, asked)
            tell(f"{url}: {failure.reason}. Asking again in {seconds:.0f} s.")
            pause(seconds)
        else:
            return
    raise NotFetched(url, "the connection broke again and again")
