"""Pages that exist only to be photographed for the gallery."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from nbconvert import HTMLExporter

from timbrel.report.page import confusion_svg
from timbrel.text import percent

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "benchmarks" / "results"
NOTEBOOK = DOCS / "notebooks" / "first-model.ipynb"

_NAMES = {
    "tutorial-cnn": "The tutorial's recipe",
    "statistics-cnn": "Timbrel's default recipe",
}
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><style>{style}
main {{ max-width: none; padding: 22px 26px 18px; display: grid; gap: 0 36px;
  grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }}
h2 {{ margin: 0 0 2px; }} .lede {{ font-size: 15px; margin: 0 0 10px; }}
</style></head><body><main>{parts}</main></body></html>"""


def notebook_page(scheme: str) -> str:
    """The executed notebook as JupyterLab shows it, "light" or "dark"."""
    page, _ = HTMLExporter(template_name="lab", theme=scheme).from_filename(str(NOTEBOOK))
    return page


def confusion_page(*recipes: str) -> str:
    """What recipes take for what, side by side, from the committed results of honesty.py."""
    style = resources.files("timbrel.report").joinpath("templates/style.css").read_text("utf-8")
    return _PAGE.format(style=style, parts="".join(map(_recipe_part, recipes)))


def _recipe_part(recipe: str) -> str:
    result = json.loads((RESULTS / f"honesty-instruments-{recipe}.json").read_text("utf-8"))
    labels = [label.replace("_", " ") for label in result["labels"]]
    files, leaky = result["honest_files"], result["random_split_windows"]["accuracy"]
    low, high = (percent(end, 0) for end in files["ci95"])
    claim = f"A random split of windows claims {percent(leaky)}."
    count = sum(map(sum, result["confusion"]))
    return (
        f"<section style='margin:0'><h2>{_NAMES[recipe]}</h2><p class='lede'>"
        f"<strong>{percent(files['accuracy'])}</strong> of {count} recordings that it had never "
        f"heard (95 % interval {low} to {high}). {claim}</p>"
        f"{confusion_svg(labels, result['confusion'])}</section>"
    )
