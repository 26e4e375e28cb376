"""The schemas of docs/reference/schemas, and what validates by them."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[1] / "docs" / "reference" / "schemas"
SCHEMAS = {
    path.name: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.json"))
}


def validator(name, schemas=SCHEMAS):
    contents = {key: Resource.from_contents(schema) for key, schema in schemas.items()}
    return Draft202012Validator(schemas[name], registry=Registry().with_resources(contents.items()))
