"""The documentation: built without a warning, no dead link, no name missing, nothing stale."""

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sphinx.util.inventory import InventoryFile

import timbrel

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The pages, as `make docs` builds them, in an environment that has no network to reach."""
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-c", OFFLINE, "-b", "html", "-W", "--keep-going", "-q"]
    places = ["-d", folder / "doctrees", DOCS, folder / "html"]
    done = subprocess.run(
        [*command, *map(str, places)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return folder / "html"


OFFLINE = """
import socket, sys

def refuse(*_):
    raise OSError("the documentation is built without a network")

socket.socket.connect = refuse
socket.getaddrinfo = refuse
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))
"""


class Page(HTMLParser):
    """The anchors of a page, and what it links to and loads."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loaded = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag in ("img", "script", "source", "iframe") and values.get("src"):
            self.loaded.append(values["src"])
        elif tag == "link" and values.get("rel") in ("stylesheet", "icon", "preload"):
            self.loaded.append(values["href"])


def test_every_link_leads_to_a_page_and_a_heading(site):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 25
    checked = 0
    for path, page in pages.items():
        for link in (*page.links, *page.loaded):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            assert target.is_file(), f"{path.relative_to(site)}: {link}"
            if parts.fragment and target.suffix == ".html":
                anchors = pages[target].anchors | {""}
                assert unquote(parts.fragment) in anchors, f"{path.relative_to(site)}: {link}"
            checked += 1
    assert checked > 1000


def test_pages_load_nothing_from_elsewhere(site):
    for path in site.rglob("*.html"):
        for address in Page(path).loaded:
            assert not urlsplit(address).netloc, f"{path.relative_to(site)}: {address}"


def test_every_page_is_in_the_contents(site):
    """The build warns of pages that no table of contents names; this sees that all were built."""
    for page in DOCS.rglob("*.md"):
        assert (site / page.relative_to(DOCS)).with_suffix(".html").is_file(), page


def test_every_public_name_is_in_the_reference(site):
    with open(site / "objects.inv", "rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, path: path)
    documented = {
        name
        for kind, names in inventory.items()
        if kind.startswith("py:")
        for name, item in names.items()
        if item.uri.startswith("reference/python/")
    }
    missing = {f"timbrel.{name}" for name in timbrel.__all__} - documented
    assert not missing, f"add them to a page of docs/reference/python: {sorted(missing)}"


def test_reasons_not_to_run_are_not_shown(site):
    for path in site.rglob("*.html"):
        if path.stem != "contributing":
            shown = []
            parser = HTMLParser()
            parser.handle_data = shown.append
            parser.feed(path.read_text(encoding="utf-8"))
            assert "not run:" not in "".join(shown), path


@pytest.mark.parametrize("name", ["cli", "benchmarks"])
def test_made_pages_are_fresh(name):
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    committed = module.PAGE.read_text(encoding="utf-8")
    assert committed == module.page(), f"make it anew: python docs/{name}.py"


def test_help_says_what_the_reference_says():
    """Not by way of the same code: what the program prints names every option of the page."""
    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    for part in page.split("\n## timbrel")[1:]:
        command = part.split("\n", 1)[0].split()
        printed = subprocess.run(
            [sys.executable, "-m", "timbrel", *command, "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={"COLUMNS": "200", "PATH": "", "PYTHONPATH": str(ROOT / "src")},
        ).stdout
        written = part.replace("`", " ").replace(",", " ").split()
        of_all = {"--help", "-h"}
        assert options_in(written) - of_all == options_in(printed.split()) - of_all, command


def options_in(words):
    return {word.rstrip(":.") for word in words if re.fullmatch(r"--?[a-z][a-z-]*[:.]?", word)}


def test_pages_look_as_they_should(site):
    """No page is wider than a phone, and none fails at anything in the browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = Path("/usr/bin/chromium")
    if not chromium.exists():
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=str(chromium), args=["--no-sandbox", "--disable-gpu"]
        )
        failures = []
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("requestfailed", lambda request: failures.append(request.url))
        for path in sorted(site.rglob("*.html")):
            page.goto(path.as_uri())
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= 390, f"{path.relative_to(site)} is {width} pixels wide"
        browser.close()
    assert not failures
