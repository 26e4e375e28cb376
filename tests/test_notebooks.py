"""The notebooks in docs: as their sources say, with whole outputs, and nothing of one machine."""

import re
import xml.etree.ElementTree as ElementTree

import nbformat
import pytest

from conftest import ROOT

NOTEBOOKS = ROOT / "docs" / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("*.py"))

# `/tmp/…`, `C:\\…`, `file://` and addresses of memory.
OF_A_MACHINE = re.compile(
    r"(?<![\w.<])/(?:tmp|home|root|work|usr|var|Users|opt)/|[A-Z]:\\|file://|0x\w{6}"
)


def pages(cell):
    found = [output.get("data", {}).get("text/html") for output in cell.outputs]
    return [page for page in found if page]


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_every_notebook_has_a_source_and_every_source_a_notebook():
    assert SOURCES
    assert {path.stem for path in SOURCES} == {path.stem for path in NOTEBOOKS.glob("*.ipynb")}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_notebook_is_what_its_source_makes(source):
    import jupytext

    written = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(written)
    expected = [(cell.cell_type, cell.source) for cell in jupytext.read(source).cells]
    assert [(cell.cell_type, cell.source) for cell in written.cells] == expected, (
        "run: python docs/notebook.py"
    )


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_outputs_are_whole_and_of_no_machine(source):
    path = source.with_suffix(".ipynb")
    assert path.stat().st_size < 500_000
    notebook = nbformat.read(path, as_version=4)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    cells = code_of(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert cell.outputs, cell.source
        assert cell.metadata == {}
        for output in cell.outputs:
            assert output.output_type in {"execute_result", "stream"}
            assert output.get("name") != "stderr"
            said = output.get("text") or output["data"]["text/plain"]
            assert not OF_A_MACHINE.search(said)
        for page in pages(cell):
            assert not OF_A_MACHINE.search(re.sub(r'src="data:[^"]*"', "", page))
            assert ElementTree.fromstring(page).get("class") == "timbrel"
    # What is shown is drawn, but for a number that is printed.
    assert sum(bool(pages(cell)) for cell in cells) >= len(cells) - 1
