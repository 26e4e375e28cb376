"""The directive `schema`: the keys of a JSON Schema as tables, one for each object in it.

    ```{schema} prediction.json
    ```

The description of a key is text of MyST.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

SCHEMAS = Path(__file__).parents[1] / "reference" / "schemas"


def resolved(part: dict, schema: dict) -> dict:
    """A part of a schema, with what it refers to in its place."""
    if "$ref" not in part:
        return part
    found = schema
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return {**found, **{key: value for key, value in part.items() if key != "$ref"}}


def kind(part: dict, schema: dict) -> str:
    """What a value is, in words."""
    if "$ref" in part:
        return f"`{part['$ref'].rpartition('/')[2]}`"
    if "const" in part:
        return json.dumps(part["const"])
    if "enum" in part:
        return ", ".join(map(json.dumps, part["enum"]))
    for way in ("oneOf", "anyOf"):
        if way in part:
            return " or ".join(kind(one, schema) for one in part[way])
    types = part.get("type", "anything")
    types = [types] if isinstance(types, str) else types
    said = []
    for name in types:
        if name == "array" and isinstance(part.get("items"), dict):
            name = f"list of {kind(part['items'], schema)}"
        said.append(name)
    return " or ".join(said)


def rows(part: dict, schema: dict, before: str = "") -> Iterator[tuple[str, str, str]]:
    """Key, kind and description of everything in an object; of objects in it, dotted."""
    for key, value in part.get("properties", {}).items():
        name = f"{before}{key}"
        yield name, kind(value, schema), value.get("description", "")
        if "$ref" not in value:
            yield from rows(value, schema, f"{name}.")
            items = value.get("items")
            if isinstance(items, dict) and "$ref" not in items:
                yield from rows(items, schema, f"{name}[].")


class Schema(SphinxDirective):
    """The keys of one schema."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the tables."""
        path = SCHEMAS / self.arguments[0]
        self.env.note_dependency(str(path))
        schema = json.loads(path.read_text(encoding="utf-8"))
        made = self.parse_text_to_nodes(schema["description"])
        if "oneOf" not in schema:
            made += self._table(list(rows(schema, schema)))
        for name, part in schema.get("$defs", {}).items():
            said = part.get("description", "")
            made += self.parse_text_to_nodes(f"`{name}`{': ' if said else ''}{said}")
            made += self._table(list(rows(part, schema)))
        return made

    def _table(self, found: list[tuple[str, str, str]]) -> list[nodes.Node]:
        if not found:
            return []
        lines = ["| key | type | |", "|---|---|---|"]
        lines += [f"| `{key}` | {what} | {said} |" for key, what, said in found]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> dict:
    """Add this to Sphinx."""
    app.add_directive("schema", Schema)
    return {"parallel_read_safe": True}
