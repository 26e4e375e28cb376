"""Downloads from a server that breaks, changes, redirects and refuses."""

import errno
import io
import re
import socket
import ssl
import urllib.error

import numpy as np
import pytest

from timbrel.errors import InvalidArgument
from timbrel.fetching import http
from timbrel.fetching.download import Download, fetch_small
from timbrel.fetching.http import Failure, NotFetched, _Redirects, failure_of, is_url
from timbrel.fetching.parts import RemoteFile

CONTENT = np.random.default_rng(0).bytes(1_000_000)
FREE = "http://127.0.0.1:9"  # Nobody listens there.


@pytest.fixture
def waited(site, monkeypatch):
    """Seconds that would have been waited."""
    seconds = []
    monkeypatch.setattr(http, "pause", seconds.append)
    return seconds


@pytest.fixture
def fetch(site, tmp_path):
    def run(url, limit=2_000_000, **options):
        download = Download(url, tmp_path / "part", limit=limit, **options)
        download.run()
        return download.file.read_bytes()

    return run


def ranges(site):
    return [wanted for _, wanted, _ in site.asked]


def test_a_file_comes_whole_and_progress_is_told(site, fetch):
    told = []
    url = site.put("/file", CONTENT)
    assert fetch(url, progress=lambda *it: told.append(it)) == CONTENT
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert told == sorted(told)


def test_a_broken_connection_goes_on_where_it_broke(site, fetch, waited):
    url = site.put("/file", CONTENT, breaks=[300_000, 200_000])
    assert fetch(url) == CONTENT
    assert site.asked[1:] == [
        ("/file", "bytes=300000-", '"one"'),
        ("/file", "bytes=500000-", '"one"'),
    ]
    assert waited == [1.0, 1.0]


def test_the_next_run_goes_on_where_this_one_stopped(site, fetch, tmp_path):
    url = site.put("/file", CONTENT, breaks=[400_000, *[0] * 4])
    with pytest.raises(NotFetched, match=r"the connection broke after 0\.4 of 1\.0 MB"):
        fetch(url)
    assert (tmp_path / "part").stat().st_size == 400_000
    site.asked.clear()
    assert fetch(url) == CONTENT
    assert ranges(site) == ["bytes=400000-"]
    site.asked.clear()
    assert fetch(url) == CONTENT
    assert site.asked == []


def test_chunks_that_break_off_are_noticed(site, fetch):
    url = site.put("/file", CONTENT, length=False, breaks=[300_000])
    assert fetch(url) == CONTENT
    assert len(site.asked) == 2
    assert site.asked[1][1].startswith("bytes=")


def test_a_server_without_parts_starts_again(site, fetch):
    url = site.put("/file", CONTENT, ranges=False, breaks=[300_000])
    assert fetch(url) == CONTENT
    assert ranges(site) == [None, "bytes=300000-"]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_nothing_is_joined_where_the_server_does_not_say_which_state_it_has(site, fetch, etag):
    url = site.put("/file", CONTENT, etag=etag, breaks=[300_000])
    assert fetch(url) == CONTENT
    assert ranges(site) == [None, None]


def test_a_file_that_changed_in_between_is_fetched_anew(site, fetch):
    url = site.put("/file", CONTENT, breaks=[300_000, *[0] * 4])
    with pytest.raises(NotFetched):
        fetch(url)
    site.put("/file", CONTENT[::-1], etag='"two"')
    assert fetch(url) == CONTENT[::-1]


def test_a_file_that_shrank_in_between_is_fetched_anew(site, fetch):
    url = site.put("/file", CONTENT, breaks=[300_000, *[0] * 4])
    with pytest.raises(NotFetched):
        fetch(url)
    site.put("/file", b"short")  # The server forgot to give it another tag: 416.
    assert fetch(url) == b"short"


@pytest.mark.parametrize("says", ["bytes 0-99/1000000", "bytes 300000-999999/999999", "nonsense"])
def test_another_part_than_asked_for_is_not_joined(site, fetch, says):
    url = site.put("/file", CONTENT, breaks=[300_000, *[0] * 4])
    with pytest.raises(NotFetched):
        fetch(url)
    site.pages["/file"].says = says
    assert fetch(url) == CONTENT


def test_another_address_is_not_joined_to_what_is_there(site, fetch):
    url = site.put("/file", CONTENT, breaks=[300_000, *[0] * 4])
    with pytest.raises(NotFetched):
        fetch(url)
    assert fetch(site.put("/other", CONTENT[::-1])) == CONTENT[::-1]


def test_a_server_that_is_busy_is_asked_again(site, fetch, waited):
    answers = [(503, {}), (429, {"Retry-After": "7"}), (500, {"Retry-After": "soon"})]
    url = site.put("/file", b"content", answers=answers)
    told = []
    assert fetch(url, tell=told.append) == b"content"
    assert waited == [1.0, 7.0, 4.0]
    assert told[1] == f"{url}: the server answered 429 Too Many Requests. Asking again in 7 s."


def test_a_server_that_stays_busy_is_given_up_on(site, fetch, waited):
    url = site.put("/file", b"content", answers=[(503, {"Retry-After": "9999"})] * 9)
    with pytest.raises(NotFetched, match="the server answered 503 Service Unavailable"):
        fetch(url)
    assert waited == [60.0] * 4


@pytest.mark.parametrize("status", [401, 403, 404, 410])
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
    assert site.asked[-1] == ("/file", "bytes=300000-", '"one"')


def test_redirects_that_go_round_end(site, fetch):
    url = site.put("/round", b"", answers=[(302, {"Location": "/round"})] * 99)
    with pytest.raises(NotFetched) as caught:
        fetch(url)
    assert caught.value.reason == "the server answered 302 again and again, which leads nowhere"
    assert len(site.asked) < 20


@pytest.mark.parametrize("leads", ["file:///etc/passwd", "ftp://127.0.0.1/file"])
def test_redirects_lead_to_the_web_only(site, fetch, leads):
    url = site.put("/file", b"", answers=[(302, {"Location": leads})])
    with pytest.raises(NotFetched):
        fetch(url)


def test_redirects_do_not_lead_out_of_encryption():
    request = urllib.request.Request("https://example.org/file")
    with pytest.raises(Failure) as caught:
        _Redirects().redirect_request(
            request, io.BytesIO(), 302, "Found", {}, "http://example.org/file"
        )
    assert "not encrypted" in caught.value.reason
    fine = _Redirects().redirect_request(
        request, io.BytesIO(), 302, "Found", {}, "https://example.com/file"
    )
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
    ("error", "said", "passing"),
    [
        (urllib.error.URLError(socket.gaierror(-2, "unknown")), "cannot be found", True),
        (urllib.error.URLError(TimeoutError()), "silent for 30 s", True),
        (TimeoutError(), "silent for 30 s", True),
        (OSError(errno.ENETUNREACH, "unreachable"), "no network", True),
        (ConnectionResetError(), "the connection broke", True),
        (urllib.error.URLError(untrusted()), r"trusted \(self-signed\); .* SSL_CERT_FILE", False),
        (urllib.error.URLError("unknown url type: ftp"), "unknown url type", False),
        (ValueError("bad"), "no address", False),
    ],
)
def test_failures_are_said_in_words(error, said, passing):
    failure = failure_of(error)
    assert re.search(said, failure.reason)
    assert failure.passing == passing


def test_retry_after_may_be_a_date():
    headers = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    error = urllib.error.HTTPError("http://a", 503, "Busy", headers, io.BytesIO())
    assert failure_of(error).wait == 0.0
    error.close()


@pytest.mark.parametrize("length", [True, False])
def test_more_than_expected_is_not_fetched(site, fetch, tmp_path, length):
    url = site.put("/file", CONTENT, length=length)
    with pytest.raises(NotFetched, match=r"no more than 0\.5 MB are expected"):
        fetch(url, limit=500_000)
    assert len(site.asked) == 1
    part = tmp_path / "part"
    assert not part.exists() or part.stat().st_size <= 500_000


def test_a_full_disk_keeps_what_was_written(site, fetch, tmp_path, monkeypatch):
    from timbrel.fetching import download

    usual, written = download._write, []

    def write(file, chunk):
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(len(chunk))
        usual(file, chunk)

    url = site.put("/file", CONTENT)
    monkeypatch.setattr(download, "_write", write)
    with pytest.raises(OSError, match="No space left") as caught:
        fetch(url)
    assert caught.value.errno == errno.ENOSPC
    assert (tmp_path / "part").stat().st_size == sum(written) > 0
    monkeypatch.setattr(download, "_write", usual)
    assert fetch(url) == CONTENT
    assert ranges(site)[-1] == f"bytes={sum(written)}-"


@pytest.mark.parametrize("notes", [b"", b"[]", b'{"url": "http://elsewhere/"}', b"\xff"])
def test_notes_that_are_damaged_mean_a_new_start(site, fetch, tmp_path, notes):
    (tmp_path / "part").write_bytes(b"something else")
    (tmp_path / "part.json").write_bytes(notes)
    assert fetch(site.put("/file", CONTENT)) == CONTENT
    assert ranges(site) == [None]


def test_a_small_file_leaves_nothing_behind(site, tmp_path):
    url = site.put("/file", b"small")
    assert fetch_small(Download(url, tmp_path / "part", limit=10)) == b"small"
    with pytest.raises(NotFetched, match="expected"):
        fetch_small(Download(url, tmp_path / "part", limit=4))
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_fetched(site, tmp_path):
    url = site.put("/file", b"")
    assert fetch_small(Download(url, tmp_path / "part", limit=10)) == b""


@pytest.mark.parametrize("text", ["https://example.org/a.zip", "http://127.0.0.1:80/folder/"])
def test_addresses(text):
    assert is_url(text)


@pytest.mark.parametrize("text", ["data.zip", "C:\\data.zip", "/data/x", "./http:/x", "a://b.zip/"])
def test_paths_and_other_addresses(text):
    if text.startswith("a://"):
        with pytest.raises(InvalidArgument, match="`source` must be"):
            is_url(text)
    else:
        assert not is_url(text)


@pytest.mark.parametrize(
    "text", ["ftp://example.org/a.zip", "file:///a.zip", "https://", "http:///"]
)
def test_addresses_that_cannot_be_fetched_from(text):
    with pytest.raises(InvalidArgument, match="must be a folder, an archive, or an address"):
        is_url(text)


# Parts


def test_a_remote_file_reads_as_a_local_one(site):
    url = site.put("/file", CONTENT)
    local = io.BytesIO(CONTENT)
    generator = np.random.default_rng(1)
    with RemoteFile(url) as remote:
        assert remote.seek(0, io.SEEK_END) == len(CONTENT)
        assert remote.read(5) == b""
        for _ in range(50):
            at, size = int(generator.integers(len(CONTENT))), int(generator.integers(200_000))
            for file in (remote, local):
                file.seek(at)
            assert remote.read(size) == local.read(size)
            assert remote.tell() == local.tell()
        remote.seek(-10, io.SEEK_CUR)
        remote.seek(999_990)
        assert remote.read() == CONTENT[999_990:]
        with pytest.raises(OSError, match="before its start"):
            remote.seek(-1)


def test_what_is_expected_is_read_in_one_request(site):
    with RemoteFile(site.put("/file", CONTENT)) as remote:
        remote.expect(1000, 500_000)
        asked = len(site.asked)
        for at in range(1000, 500_000, 7919):
            remote.seek(at)
            assert remote.read(100) == CONTENT[at : at + 100]
        assert len(site.asked) == asked
        assert remote.came < 600_000


def test_a_part_that_breaks_off_is_asked_for_again(site):
    url = site.put("/file", CONTENT, breaks=[None, 1000])
    with RemoteFile(url) as remote:
        remote.expect(0, len(CONTENT))
        assert remote.read(len(CONTENT)) == CONTENT


def test_a_server_without_parts_is_one_sentence(site):
    url = site.put("/file", CONTENT, ranges=False)
    with pytest.raises(NotFetched, match="gives whole files only, and this one is large; fetch it"):
        RemoteFile(url)


def test_a_file_that_changes_while_it_is_read_is_noticed(site):
    url = site.put("/file", CONTENT)
    with RemoteFile(url) as remote:
        site.put("/file", CONTENT + b"more")
        with pytest.raises(NotFetched, match="changed on its server"):
            remote.read(100)
