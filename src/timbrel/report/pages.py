"""Fill the page templates."""

from __future__ import annotations

from functools import cache

from timbrel import wording
from timbrel.report.backend import jinja2

_FILTERS = (
    "percent",
    "number",
    "count",
    "times",
    "duration",
    "frequency",
    "channels",
    "plural",
    "shorten",
    "signed",
)


@cache
def templates() -> jinja2.Environment:
    """Return the templates of this package; whatever they are given is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("timbrel.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in _FILTERS:
        environment.filters[name] = getattr(wording, name)
    return environment


def render(template: str, values: dict[str, object]) -> str:
    """Fill a template of this package with values for its variables."""
    return templates().get_template(template).render(values)


def chart(macro: str, value: object) -> str:
    """Return what a macro of `charts.html.j2` makes of a value."""
    return str(getattr(templates().get_template("charts.html.j2").module, macro)(value))
