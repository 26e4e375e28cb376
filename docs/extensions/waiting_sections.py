"""Let a table of contents name folders that have no pages yet.

Sphinx warns of such a pattern, and gives the warning no type by which `suppress_warnings` could
tell it from others.
"""

from __future__ import annotations

import logging

from sphinx.application import Sphinx


def _is_worth_saying(record: logging.LogRecord) -> bool:
    return getattr(record, "subtype", None) != "empty_glob"


def setup(app: Sphinx) -> dict:
    """Add this to Sphinx."""
    for handler in logging.getLogger("sphinx").handlers:
        # Before Sphinx's own, which count.
        handler.filters.insert(0, _is_worth_saying)
    return {"parallel_read_safe": True}
