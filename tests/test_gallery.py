"""The pictures in docs: small, shown somewhere, and made by the commands beside them."""

import importlib
import json
import re
import sys
from pathlib import Path

import pytest

from conftest import ROOT

PICTURES = sorted((ROOT / "docs" / "pictures").iterdir())
GALLERY = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def maker():
    """docs/pictures.py."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        yield importlib.import_module("pictures")
    finally:
        sys.path.remove(str(ROOT / "docs"))


def test_pictures_are_small():
    sizes = {path.name: path.stat().st_size for path in PICTURES}
    assert {name: size for name, size in sizes.items() if size > 300_000} == {}
    assert sum(sizes.values()) < 2_000_000


def test_every_picture_is_shown_with_words_for_who_cannot_see_it():
    shown = re.findall(r"!\[([^\]]+)\]\(pictures/([^)]+)\)", GALLERY)
    assert {name for _, name in shown} == {path.name for path in PICTURES}
    assert all(len(words) > 20 for words, _ in shown)


def test_every_picture_has_a_command(maker):
    named = set(re.findall(r"python docs/pictures\.py (\w[\w-]*)", GALLERY.replace("\n", " ")))
    made = {*maker.from_sounds(Path()), *maker.NOTEBOOK, "confusion"}
    assert named == made
    # A class of the exploration is photographed with it.
    assert {path.stem for path in PICTURES} == {*made, "explore-class"}


def test_svg_asks_for_nothing():
    for path in PICTURES:
        if path.suffix == ".svg":
            text = path.read_text(encoding="utf-8")
            assert re.findall(r'(?:href|src)="|url\((?!#)', text) == []


def test_matrices_are_those_of_the_committed_results():
    for recipe in ("tutorial-cnn", "statistics-cnn"):
        path = ROOT / "benchmarks" / "results" / f"honesty-instruments-{recipe}.json"
        result = json.loads(path.read_text(encoding="utf-8"))
        matrix, labels = result["confusion"], result["labels"]
        assert [sum(row) for row in matrix] == [30] * len(labels)
        right = sum(row[place] for place, row in enumerate(matrix))
        assert right / 300 == pytest.approx(result["honest_files"]["accuracy"])
