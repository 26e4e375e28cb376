"""Every block of Python and of shell in the README and in the docs runs, or says why not.

The blocks of a page run in its order, in one process, in a folder that holds what a reader is
taken to have: `RECORDINGS` says what. A block that cannot run here has a comment before it that
readers do not see:

    <!-- not run: it needs a microphone -->
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import soundfile

import timbrel
from schemas import validator

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^>]*) -->\s*)?"
    r"^(?P<fence>```+)(?P<language>[^\n]*)\n(?P<code>.*?)^(?P=fence)$",
    flags=re.MULTILINE | re.DOTALL,
)
RUN = {"python", "sh"}
# Programs that no test can run, which must say so.
SKETCHES = {"js", "cpp", "csharp"}
SHOWN = {"", "text", "json", "yaml"}

# What a reader has besides the demo's data set: copies of its recordings.
RECORDINGS = {
    "sound.wav": "clarinet_01",
    "new.wav": "flute_02",
    "more-sounds/a.wav": "bell_03",
    "more-sounds/b.wav": "hi-hat_03",
    "field/north/dawn.flac": "flute_04",
    "dawn.flac": "flute_04",
    "dawn.wav": "flute_04",
    "samples/loops/01.wav": "snare-drum_01",
    "samples/02.wav": "bell_02",
    "sample-library/808.wav": "bass-drum_01",
    "a.wav": "bell_01",
    **{
        f"my-sounds/{label}/{take}.wav": f"{name}_{take:02d}"
        for label, name in (("Flute", "flute"), ("Bell", "bell"), ("Hi-hat", "hi-hat"))
        for take in range(1, 6)
    },
}

# Put before the code of a page: its shell blocks run between its blocks of Python.
SHELL = """
def _sh(code):
    import subprocess
    subprocess.run(["sh", "-eux", "-c", code], check=True)
"""


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    code: str
    reason: str | None


def blocks(page):
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["language"], found["code"], found["reason"]) for found in FENCE.finditer(text)
    ]


def named(page):
    return page.relative_to(ROOT).as_posix()


def program(page):
    """The code of a page that is to be run, as Python."""
    parts = [
        block.code if block.language == "python" else f"_sh({block.code!r})"
        for block in blocks(page)
        if block.language in RUN and block.reason is None
    ]
    return "\n".join([SHELL, *parts]) if parts else None


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The demo's data set, small, and a model of it."""
    folder = tmp_path_factory.mktemp("reader")
    data = timbrel.make_synthetic(folder / "timbrel-demo" / "data", recordings=5)
    timbrel.train(data, folder / "my-model", recipe="tutorial-cnn", epochs=2)
    return folder


@pytest.fixture
def reader(trained, tmp_path):
    """The folder in which a reader follows a page."""
    folder = tmp_path / "reader"
    shutil.copytree(trained, folder)
    recordings = folder / "timbrel-demo" / "data" / "recordings"
    for name, source in RECORDINGS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, *soundfile.read(recordings / f"{source}.wav"))
    table = (folder / "timbrel-demo" / "data" / "recordings.csv").read_text()
    (folder / "sounds.csv").write_text(
        table.replace("\nrecordings", "\ntimbrel-demo/data/recordings")
    )
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if program(page)], ids=named)
def test_blocks_run(page, reader):
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-c", program(page)],
        cwd=reader,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": search, "TIMBREL_CACHE": str(reader / "cache")},
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_block_is_of_a_kind_that_is_known(page):
    for block in blocks(page):
        if block.language.startswith("{"):
            continue
        assert block.language in RUN | SKETCHES | SHOWN, block.language
        if block.language in SKETCHES:
            assert block.reason, f"not run, and no reason: {block.code[:80]}"
        if block.reason is not None:
            assert block.language in RUN | SKETCHES, "a reason before what is not run anyway"
            assert len(block.reason.split()) >= 3, block.reason
        # Commands that are shown as text would escape from being run; usage lines are none.
        for line in block.code.splitlines() if block.language == "text" else ():
            command = re.match(r"\$? ?(timbrel|python|pip|make) (?!.*(\[|COMMAND))", line)
            assert command is None, line


def test_reasons_belong_to_blocks():
    for page in PAGES:
        text = re.sub(r"^(```+).*?^\1$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        written = text.count("<!-- not run: ")
        assert sum(block.reason is not None for block in blocks(page)) == written, named(page)


def test_examples_of_json_are_as_their_schemas_say():
    reference = ROOT / "docs" / "reference"
    (example,) = (block for block in blocks(reference / "check.md") if block.language == "json")
    validator("check.json").validate(json.loads(example.code))
    (example,) = (
        block for block in blocks(reference / "predictions.md") if block.language == "json"
    )
    for line in example.code.splitlines():
        validator("prediction.json").validate(json.loads(line))


def slugs(page):
    """The anchors of a page as GitHub makes them."""
    text = re.sub(FENCE, "", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    """Where the repository is read as it is; the pages that are built have a test of their own."""
    text = re.sub(FENCE, "", page.read_text(encoding="utf-8"))
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", text):
        if target.startswith("http"):
            continue
        file = (page.parent / target) if target else page
        assert file.exists(), target
        if anchor:
            assert anchor in slugs(file), f"{target}#{anchor}"
