"""No code decides anything by the text of a message, or takes one apart."""

import ast
from pathlib import Path

import pytest

from timbrel.findings import TABLE

SOURCE = Path(__file__).parents[2] / "src" / "timbrel"
TREES = {
    path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in SOURCE.rglob("*.py")
}
MESSAGES = {"reason", "message", "error", "action"}
TAKING_APART = {
    *("partition", "rpartition", "split", "rsplit", "startswith", "endswith", "find", "index"),
    *("removeprefix", "removesuffix", "replace", "count"),
}


def is_message(node):
    return isinstance(node, ast.Attribute) and node.attr in MESSAGES


def reading_messages(tree):
    """Where the text of a message is compared or taken apart: line and code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            compared = any(
                isinstance(sign, ast.In | ast.NotIn | ast.Eq | ast.NotEq) for sign in node.ops
            )
            wrong = compared and any(map(is_message, [node.left, *node.comparators]))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            given = [item.value for item in node.args if isinstance(item, ast.Constant)]
            wrong = node.func.attr in TAKING_APART and (
                is_message(node.func.value) or "; " in given[:1]
            )
        else:
            continue
        if wrong:
            yield node.lineno, ast.unparse(node)


def test_no_message_is_read():
    found = [(name, *place) for name, tree in TREES.items() for place in reading_messages(tree)]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "'truncated' in item.reason",
        "found.error == NO_FILE",
        "error.message not in known",
        "message, _, advice = text.partition('; ')",
        "finding.reason.split(';')",
        "item.error.startswith('there is no')",
    ],
)
def test_the_scan_sees(code):
    assert list(reading_messages(ast.parse(code)))


def test_the_scan_lets_pass():
    assert not list(
        reading_messages(ast.parse("item.error is not None and item.code == 'missing'"))
    )


def test_findings_are_made_of_every_code_and_of_no_other():
    made = {
        item.value
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding" and node.args
        for item in ast.walk(node.args[0])
        if isinstance(item, ast.Constant)
    }
    assert made <= set(TABLE)
    # Some are chosen some lines before.
    texts = {
        item.value
        for name, tree in TREES.items()
        if name != "findings.py"
        for item in ast.walk(tree)
        if isinstance(item, ast.Constant)
    }
    assert set(TABLE) <= texts
