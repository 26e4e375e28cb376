"""What Timbrel shows and writes is what it showed and wrote when the golden files were made.

Where a difference is intended, `python tests/golden/make.py` makes them anew.
"""

from pathlib import Path

import pytest
from cases import CASES
from make import run
from masks import alike, difference

import timbrel

GOLDEN = Path(__file__).with_name("golden")


# The cases of a kind are run once, in one process, by the first test that asks for them.


def golden(*, slow, instruments=False):
    """Names of the golden files of some cases."""
    names = []
    for path in sorted((*GOLDEN.glob("terminal/*.txt"), *GOLDEN.glob("files/**/*"))):
        name = path.relative_to(GOLDEN).as_posix()
        case = CASES.get(name.split("/")[1].removesuffix(".txt"))
        kind = (case.slow, case.instruments) if case else (False, False)
        if path.is_file() and kind == (slow, instruments):
            names.append(name)
    return names


def made(folder, *options):
    """The golden files as they are today."""
    return run(folder, Path(timbrel.__file__).parents[1], list(options))


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    return made(tmp_path_factory.mktemp("quick"), "--quick")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return made(tmp_path_factory.mktemp("trained"), "--slow")


@pytest.fixture(scope="module")
def instruments(tmp_path_factory, shared):
    return made(tmp_path_factory.mktemp("instruments"), "--instruments", "--only", "instruments-*")


def compare(name, found):
    """Compare a golden file with what it is today."""
    assert name in found, "it was not written"
    lines = difference(name, GOLDEN / name, found[name])
    shown = "\n".join(lines[:60]).encode(errors="backslashreplace").decode()
    assert not lines, f"{name} differs:\n{shown}"


@pytest.mark.parametrize("name", golden(slow=False))
def test_what_needs_no_training_is_as_it_was(name, quick):
    compare(name, quick)


def test_nothing_is_written_that_was_not_before(quick):
    assert quick.keys() == set(golden(slow=False))


@pytest.mark.slow
@pytest.mark.parametrize("name", golden(slow=True))
def test_what_is_trained_is_as_it_was(name, trained):
    compare(name, trained)


@pytest.mark.slow
def test_nothing_is_written_of_trainings_that_was_not_before(trained):
    written = {name for name in trained if not name.startswith("files/synthetic")}
    assert written == set(golden(slow=True))


@pytest.mark.parametrize("name", golden(slow=False, instruments=True))
def test_real_recordings_are_as_they_were(name, instruments):
    compare(name, instruments)


def test_a_figure_may_differ_by_the_tolerance_and_nothing_else_at_all():
    assert alike("a 1.25  b", "a 1.2501 b", 1e-3)
    assert alike("60.0% of 1.5e-07", "60.05%  of 2.5e-07", 1e-3)
    assert not alike("a 1.25 b", "a 1.26 b", 1e-3)
    assert not alike("a 1.25 b", "a 1.25 c", 1e-3)
    assert not alike("a 2 b", "a 3 b", 1e-3)
    assert not alike("a 1.25", "a 1.25 1.25", 1e-3)
