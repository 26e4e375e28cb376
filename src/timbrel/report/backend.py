"""The one place where matplotlib and Jinja2 are imported.

Figures are made through matplotlib's `Figure`, never through pyplot, and no setting is changed for
the whole process, so drawing here leaves a caller's own plots alone.
"""

from __future__ import annotations

from timbrel.errors import MissingExtra

try:
    import jinja2
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
except ModuleNotFoundError as error:
    raise MissingExtra.of("train", "Drawing pictures") from error

__all__ = ["ConstrainedLayoutEngine", "Figure", "jinja2", "matplotlib"]
