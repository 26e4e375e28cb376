"""What Timbrel shows and writes is what it showed and wrote when the golden files were made.

Where a difference is intended, `python tests/golden/make.py` makes them anew.
"""

from functools import cache
from pathlib import Path

import pytest
from cases import CASES
from make import run
from masks import alike, difference

import timbrel

GOLDEN = Path(__file__).with_name("golden")


# Cases that need no training and are run in the quick half; the others take seconds each.
QUICK = {"check-bad", "predict-options", "predict-stdin", "predict-pcm"}
QUICK |= {"tag", "info", "data", "help"}
# Of each set of cases, the options of cases.py. A set is run once, in one process.
OPTIONS = {
    "quick": ["--quick", "--only", *sorted(QUICK)],
    "untrained": ["--quick", "--without", *sorted(QUICK)],
    "trained": ["--slow"],
    "instruments": ["--instruments", "--only", "instruments-*"],
}


def set_of(name):
    """The set of cases that a golden file belongs to; "synthetic" for what all of them write."""
    case = CASES.get(name.split("/")[1].removesuffix(".txt"))
    if case is None:
        return "synthetic"
    if case.instruments:
        return "instruments"
    if case.slow:
        return "trained"
    return "quick" if case.name in QUICK else "untrained"


GOLDEN_FILES = {
    path.relative_to(GOLDEN).as_posix(): path
    for path in sorted((*GOLDEN.glob("terminal/*.txt"), *GOLDEN.glob("files/**/*")))
    if path.is_file()
}
FILES = [
    pytest.param(name, marks=[] if set_of(name) in ("quick", "synthetic") else pytest.mark.slow)
    for name in GOLDEN_FILES
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Gives the golden files of a set of cases as they are today."""

    @cache
    def make(cases):
        folder = tmp_path_factory.mktemp(cases)
        return run(folder, Path(timbrel.__file__).parents[1], OPTIONS[cases])

    return make


@pytest.mark.parametrize("name", FILES)
def test_everything_is_as_it_was(name, made, request):
    cases = set_of(name)
    if cases == "instruments":
        request.getfixturevalue("shared")
    found = made("quick" if cases == "synthetic" else cases)
    assert name in found, "it was not written"
    lines = difference(name, GOLDEN_FILES[name], found[name])
    shown = "\n".join(lines[:60]).encode(errors="backslashreplace").decode()
    assert not lines, f"{name} differs:\n{shown}"


@pytest.mark.parametrize(
    "cases",
    ["quick", *(pytest.param(it, marks=pytest.mark.slow) for it in ("untrained", "trained"))],
)
def test_nothing_else_is_written(cases, made):
    written = {name for name in made(cases) if set_of(name) != "synthetic"}
    assert written == {name for name in GOLDEN_FILES if set_of(name) == cases}


def test_a_figure_may_differ_by_the_tolerance_and_nothing_else_at_all():
    assert alike("a 1.25  b", "a 1.2501 b", 1e-3)
    assert alike("60.0% of 1.5e-07", "60.05%  of 2.5e-07", 1e-3)
    assert not alike("a 1.25 b", "a 1.26 b", 1e-3)
    assert not alike("a 1.25 b", "a 1.25 c", 1e-3)
    assert not alike("a 2 b", "a 3 b", 1e-3)
    assert not alike("a 1.25", "a 1.25 1.25", 1e-3)
