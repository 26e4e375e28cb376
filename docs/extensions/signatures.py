"""Signatures as Sphinx can read them."""

from __future__ import annotations

from sphinx.application import Sphinx

from timbrel.networks.recipes import DEFAULT_RECIPE, TUTORIAL_RECIPE

# What stands in the sources, and what a reader wants to know.
SHOWN = {
    "<factory>": "...",
    "DEFAULT_RECIPE": repr(DEFAULT_RECIPE),
    "TUTORIAL_RECIPE": repr(TUTORIAL_RECIPE),
}


def _readable(*arguments: object) -> tuple[str | None, str | None]:
    """The signature and what is returned, from what Sphinx tells of a name."""
    signature, returned = arguments[-2:]
    for written, shown in SHOWN.items():
        signature = signature and signature.replace(written, shown)
    return signature, returned


def setup(app: Sphinx) -> dict:
    """Add this to Sphinx."""
    app.connect("autodoc-process-signature", _readable)
    return {"parallel_read_safe": True}
