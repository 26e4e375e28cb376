"""Execute the notebooks: `python docs/notebook.py` makes `docs/notebooks/*.ipynb` from `*.py`.

Each runs in a temporary folder with a cache of its own. What is kept are cells and their outputs;
times, progress bars and the name of the kernel are not.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent / "notebooks"
# What says how long something took, which is another each time.
_TIMES = ("Done in", "Stopped after")


def read(source: Path) -> nbformat.NotebookNode:
    """The notebook of a source, without outputs; the same each time, by numbered cells."""
    notebook = jupytext.read(source)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", {}
    return notebook


def execute(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Run a notebook in a folder, in place; raises where a cell fails."""
    environment = {"TIMBREL_CACHE": str(folder / "cache"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    before = {name: os.environ.get(name) for name in environment}
    os.environ |= environment
    try:
        place = {"metadata": {"path": str(folder)}}
        return NotebookClient(notebook, timeout=600, resources=place).execute()
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Take out what is another each time, in place."""
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_progress(output)]


def _is_progress(output: nbformat.NotebookNode) -> bool:
    page = output.get("data", {}).get("text/html", "")
    return any(text in page for text in _TIMES)


def main() -> None:
    """Execute all."""
    for source in sorted(NOTEBOOKS.glob("*.py")):
        notebook = read(source)
        with tempfile.TemporaryDirectory() as folder:
            execute(notebook, Path(folder))
        tidy(notebook)
        nbformat.write(notebook, source.with_suffix(".ipynb"))


if __name__ == "__main__":
    main()
