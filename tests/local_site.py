"""A web server on this machine that behaves well or badly, as a test needs."""

import contextlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """A file on the server.

    Attributes:
        content: of the file.
        ranges: whether the server gives parts of the file.
        breaks: bytes of the body after which the connection breaks, for each request in turn.
        answers: statuses and headers for the first requests, in turn, before any content.
        length: whether the answer has a Content-Length; otherwise the file comes in chunks.
        says: a wrong Content-Range.
    """

    content: bytes = b""
    ranges: bool = True
    breaks: list[int | None] = field(default_factory=list)
    answers: list[tuple[int, dict]] = field(default_factory=list)
    length: bool = True
    says: str | None = None


class Site:
    """The server.

    Attributes:
        url: of it, without a slash at the end.
        pages: by path.
        asked: the path and the Range of each request.
    """

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.pages = {}
        self.asked = []

    def put(self, path, content, **settings):
        """Have a file; return its address."""
        self.pages[path] = Page(content, **settings)
        return self.url + path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        site, path = self.server.site, self.path.removeprefix(self.server.site.url)
        wanted = self.headers["Range"]
        site.asked.append((path, wanted))
        self.close_connection = True
        page = site.pages.get(path)
        if page is None:
            self.answer(404, {"Content-Length": "0"})
        elif page.answers:
            status, headers = page.answers.pop(0)
            self.answer(status, {"Content-Length": "0", **headers})
        else:
            self.give(page, wanted)

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def give(self, page, wanted):
        content, headers, status = page.content, {}, 200
        if wanted and page.ranges:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            if int(first) >= len(content):
                self.answer(416, {"Content-Range": f"bytes */{len(content)}"})
                return
            end = min(len(content), int(last) + 1) if last else len(content)
            content, status = content[int(first) : end], 206
            said = f"bytes {first}-{end - 1}/{len(page.content)}"
            headers["Content-Range"] = page.says or said
        if page.length:
            headers["Content-Length"] = str(len(content))
        else:
            headers["Transfer-Encoding"] = "chunked"
        self.answer(status, headers)
        stop = page.breaks.pop(0) if page.breaks else None
        with contextlib.suppress(ConnectionError):
            self.send(content[:stop], page, whole=stop is None)

    def send(self, content, page, *, whole):
        if page.length:
            self.wfile.write(content)
            return
        for start in range(0, len(content), 4096):
            chunk = content[start : start + 4096]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if whole:
            self.wfile.write(b"0\r\n\r\n")


@contextlib.contextmanager
def serving():
    """Run a server; give its `Site`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.site = Site(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
