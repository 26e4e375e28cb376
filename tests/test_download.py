"""Downloads from a server that breaks, changes, redirects and refuses."""

import errno
import io
import re
import socket
import ssl
import urllib.error

import numpy as np
import pytest

from timbrel.fetching import download as downloading
from timbrel.fetching.download import NotFetched, download, open_remote
from timbrel.progress import Progress

CONTENT = np.random.default_rng(0).bytes(1_000_000)
FREE = "http://127.0.0.1:9"  # Nobody listens there.


@pytest.fixture
def waited(site, monkeypatch):
    """Seconds that would have been waited."""
    seconds = []
    monkeypatch.setattr(downloading.time, "sleep", seconds.append)
    return seconds


@pytest.fixture
def fetch(site, tmp_path):
    def run(url, *, limit=2_000_000, progress=None):
        file = tmp_path / "part"
        download(url, file, limit=limit, progress=progress or Progress())
        return file.read_bytes()

    return run


def ranges(site):
    return [wanted for _, wanted in site.asked]


def test_a_file_comes_whole_and_progress_is_told(site, fetch, recorder):
    content = CONTENT * 3
    assert fetch(site.put("/file", content), limit=len(content), progress=recorder) == content
    assert recorder.stages == sorted(recorder.stages)
    assert recorder.stages[0] == ("fetching", 0, 3, "MB")
    assert recorder.stages[-1] == ("fetching", 3, 3, "MB")


def test_a_file_of_unknown_size_is_over_when_it_is_there(site, fetch, recorder):
    assert fetch(site.put("/file", CONTENT, length=False), progress=recorder) == CONTENT
    assert recorder.stages[0] == ("fetching", 0, None, "MB")
    assert recorder.stages[-1] == ("fetching", 1, 1, "MB")


def test_an_empty_file_is_fetched(site, fetch):
    assert fetch(site.put("/file", b"")) == b""


def test_a_broken_connection_goes_on_where_it_broke(site, fetch, waited):
    url = site.put("/file", CONTENT, breaks=[300_000, 200_000])
    assert fetch(url) == CONTENT
    assert ranges(site) == [None, "bytes=300000-", "bytes=500000-"]
    assert waited == [1.0, 1.0]


def test_the_next_run_goes_on_where_this_one_stopped(site, fetch, tmp_path):
    url = site.put("/file", CONTENT, breaks=[400_000, *[0] * 4])
    with pytest.raises(NotFetched, match=r"the connection broke after 0\.4 of 1\.0 MB"):
        fetch(url)
    assert (tmp_path / "part").stat().st_size == 400_000
    site.asked.clear()
    assert fetch(url) == CONTENT
    assert fetch(url) == CONTENT
    assert ranges(site) == ["bytes=400000-", "bytes=1000000-"]


def test_chunks_that_break_off_are_noticed(site, fetch):
    url = site.put("/file", CONTENT, length=False, breaks=[300_000])
    assert fetch(url) == CONTENT
    assert len(site.asked) == 2
    assert site.asked[1][1].startswith("bytes=")


def test_a_server_without_parts_starts_again(site, fetch):
    url = site.put("/file", CONTENT, ranges=False, breaks=[300_000])
    assert fetch(url) == CONTENT
    assert ranges(site) == [None, "bytes=300000-"]


@pytest.mark.parametrize("says", ["bytes 0-99/1000000", "nonsense"])
def test_another_part_than_asked_for_is_not_joined(site, fetch, says):
    url = site.put("/file", CONTENT, breaks=[300_000], says=says)
    assert fetch(url) == CONTENT
    assert ranges(site) == [None, "bytes=300000-", None]


def test_a_server_that_is_busy_is_asked_again(site, fetch, waited, recorder):
    answers = [(503, {}), (429, {"Retry-After": "7"}), (500, {"Retry-After": "soon"})]
    url = site.put("/file", b"content", answers=answers)
    assert fetch(url, progress=recorder) == b"content"
    assert waited == [1.0, 7.0, 4.0]
    sentence = f"{url}: the server answered 429 Too Many Requests. Trying again in 7 s."
    assert recorder.stages[2:4] == [("waiting", 0, 7.0, sentence), ("waiting", 7.0, 7.0, "")]


def test_a_server_that_stays_busy_is_given_up_on(site, fetch, waited):
    url = site.put("/file", b"content", answers=[(503, {"Retry-After": "9999"})] * 9)
    with pytest.raises(NotFetched, match="the server answered 503 Service Unavailable"):
        fetch(url)
    assert waited == [60.0] * 4


def test_a_server_that_gives_little_each_time_is_given_up_on(site, fetch, waited):
    url = site.put("/file", CONTENT, breaks=[1] * 99)
    with pytest.raises(NotFetched, match="the connection broke after 0.0 of 1.0 MB"):
        fetch(url)
    assert waited == [1.0] * 49


@pytest.mark.parametrize("status", [403, 404])
def test_what_is_not_there_is_asked_for_once(site, fetch, status):
    url = site.put("/file", b"", answers=[(status, {})])
    with pytest.raises(NotFetched, match=f"{url}: the server answered {status} ") as caught:
        fetch(url)
    assert caught.value.status == status
    assert len(site.asked) == 1


def test_redirects_are_followed_with_the_range(site, fetch):
    site.put("/file", CONTENT, breaks=[300_000])
    url = site.put("/moved", b"", answers=[(302, {"Location": "/file"})] * 2)
    assert fetch(url) == CONTENT
    assert site.asked[-1] == ("/file", "bytes=300000-")


def test_redirects_that_go_round_end(site, fetch):
    url = site.put("/round", b"", answers=[(302, {"Location": "/round"})] * 99)
    with pytest.raises(NotFetched) as caught:
        fetch(url)
    assert caught.value.reason == ("the server answered 302 again and again, in a circle: Found")
    assert len(site.asked) < 20


@pytest.mark.parametrize("leads", ["file:///etc/passwd", "ftp://127.0.0.1/file"])
def test_redirects_lead_to_the_web_only(site, fetch, leads):
    url = site.put("/file", b"", answers=[(302, {"Location": leads})])
    with pytest.raises(NotFetched, match="which is not followed|is not allowed"):
        fetch(url)


def test_redirects_do_not_lead_out_of_encryption():
    request = urllib.request.Request("https://example.org/file")
    redirects = downloading._Redirects()
    rest = (io.BytesIO(), 302, "Found", {})
    with pytest.raises(NotFetched, match="not encrypted"):
        redirects.redirect_request(request, *rest, "http://example.org/file")
    fine = redirects.redirect_request(request, *rest, "https://example.com/file")
    assert fine.full_url == "https://example.com/file"


def test_the_proxy_of_the_environment_is_used(site, fetch, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", site.url)
    site.put("http://example.org/file", b"by proxy")
    assert fetch("http://example.org/file") == b"by proxy"


def test_nobody_there_is_one_sentence_and_little_waiting(fetch, waited):
    with pytest.raises(NotFetched) as caught:
        fetch(f"{FREE}/file")
    assert str(caught.value) == (
        f"{FREE}/file: the server cannot be reached; there may be no network"
    )
    assert waited == [1.0]


def untrusted():
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed"
    return error


@pytest.mark.parametrize(
    ("error", "said", "tries"),
    [
        (urllib.error.URLError(socket.gaierror(-2, "unknown")), "cannot be found", 2),
        (urllib.error.URLError(TimeoutError()), "silent for 30 s", 2),
        (TimeoutError(), "silent for 30 s", 2),
        (OSError(errno.ENETUNREACH, "unreachable"), "no network", 2),
        (ConnectionResetError(), "the connection broke", 5),
        (urllib.error.URLError(untrusted()), r"trusted \(self-signed\); .* SSL_CERT_FILE", 1),
        (urllib.error.URLError("unknown url type: ftp"), "unknown url type", 1),
        (ValueError("bad"), "not a valid address", 1),
    ],
)
def test_failures_are_said_in_words(site, fetch, waited, monkeypatch, error, said, tries):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", fail)
    with pytest.raises(NotFetched) as caught:
        fetch("http://example.org/file")
    assert re.search(said, caught.value.reason)
    assert len(waited) == tries - 1


@pytest.mark.parametrize("url", ["http://example.org/a b", "http://example.org:port/"])
def test_an_address_that_is_none_is_asked_for_once(fetch, waited, url):
    with pytest.raises(NotFetched, match="not a valid address"):
        fetch(url)
    assert waited == []


@pytest.mark.parametrize("length", [True, False])
def test_more_than_expected_is_not_fetched(site, fetch, tmp_path, length):
    url = site.put("/file", CONTENT, length=length)
    with pytest.raises(NotFetched, match=r"no more than 0\.5 MB are expected"):
        fetch(url, limit=500_000)
    assert len(site.asked) == 1
    part = tmp_path / "part"
    assert not part.exists() or part.stat().st_size <= 500_000


# Parts


def test_a_remote_file_reads_as_a_local_one(site):
    url = site.put("/file", CONTENT * 2)
    local = io.BytesIO(CONTENT * 2)
    generator = np.random.default_rng(1)
    with open_remote(url, Progress()) as remote:
        assert remote.seek(0, io.SEEK_END) == len(CONTENT) * 2
        assert remote.read(5) == b""
        for _ in range(50):
            at, size = int(generator.integers(2_000_000)), int(generator.integers(700_000))
            for file in (remote, local):
                file.seek(at)
            assert remote.read(size) == local.read(size)
            assert remote.tell() == local.tell()
        remote.seek(-10, io.SEEK_CUR)
        remote.seek(1_999_990)
        assert remote.read() == CONTENT[-10:]
        with pytest.raises(OSError, match="before its start"):
            remote.seek(-1)


def test_a_remote_file_is_read_in_few_requests_and_again_where_one_breaks_off(site, waited):
    url = site.put("/file", CONTENT, breaks=[None, 1000])
    with open_remote(url, Progress()) as remote:
        for at in range(1000, 500_000, 7919):
            remote.seek(at)
            assert remote.read(100) == CONTENT[at : at + 100]
    # The first says how long it is.
    assert len(site.asked) == 3
    assert waited == [1.0]


@pytest.mark.parametrize("server", [{"ranges": False}, {"says": "bytes 5-9/1000000"}])
def test_a_server_without_parts_is_one_sentence(site, server):
    url = site.put("/file", CONTENT, **server)
    with pytest.raises(NotFetched, match="gives whole files only, and this one is large; fetch it"):
        open_remote(url, Progress())
