"""How Sphinx builds the documentation; for `make docs`, every warning is an error."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent / "src")]

import timbrel  # noqa: E402

project = "Timbrel"
author = "The Timbrel developers"
copyright = "2026, The Timbrel developers"
version = release = timbrel.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    # Our own, in docs/extensions.
    "schema_tables",
    "signatures",
    "waiting_sections",
]
exclude_patterns = ["extensions"]
# Notebooks are executed by docs/notebook.py; here they are only read.
nb_execution_mode = "off"
# Links to headings of pages, as GitHub makes them too; a heading that is not there is an error.
myst_heading_anchors = 4
# Programs in other languages may be unfinished, but none is left uncoloured by mistake.
highlight_language = "text"

nitpicky = True
# Other people's names, of which the documentation is not here: the build needs no network.
nitpick_ignore_regex = [
    ("py:.*", r"(np|numpy|keras|os|pathlib|collections|argparse|types|optional|abc)(\..*)?"),
    ("py:.*", r"(Path|Any|Callable|Iterable|Iterator|Mapping|Sequence|Counter|TracebackType)"),
]
nitpick_ignore = [
    # What runs the graph of a model; `Predictor` has all that one needs of it.
    ("py:class", "timbrel.model.runtime.Session"),
]

# Docstrings put names and shapes between single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
napoleon_numpy_docstring = False
# Lists in which several names may share a line.
napoleon_use_param = False
napoleon_custom_sections = [("Attributes", "params_style")]
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"Timbrel {release}"
html_static_path = ["_static"]
html_css_files = ["timbrel.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b6a62",
        "color-brand-content": "#0b6a62",
        "color-brand-visited": "#4d5a8a",
        "color-api-name": "#0b6a62",
        "color-api-pre-name": "#0b6a62",
    },
    "dark_css_variables": {
        "color-brand-primary": "#5cc9bd",
        "color-brand-content": "#5cc9bd",
        "color-brand-visited": "#a3b0e0",
        "color-api-name": "#5cc9bd",
        "color-api-pre-name": "#5cc9bd",
    },
}
# What is copied are the commands, not the prompt.
copybutton_exclude = ".linenos, .gp, .go"
