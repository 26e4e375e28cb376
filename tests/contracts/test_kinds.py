"""Which kind of network or front end it is, is asked nowhere but in the modules of the kinds."""

import ast
from pathlib import Path

import timbrel
from timbrel.features.front_ends import FrontEndSettings
from timbrel.networks.network import Network
from timbrel.networks.recipes import FRONT_ENDS, NETWORKS

ROOT = Path(timbrel.__file__).parent
ASKING = {"isinstance", "issubclass"}
LAYERS = {"FrontEnd", "FramedSpectrum", "MFCC", "LogMel", "DistanceTemperature", "RelativeLevel"}
KINDS = {
    kind.__name__ for kind in (Network, FrontEndSettings, *NETWORKS.values(), *FRONT_ENDS.values())
}


def names_in(node):
    return {
        each.id if isinstance(each, ast.Name) else each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Name | ast.Attribute)
    }


def questions(tree):
    """Names of classes that a value is compared with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ASKING:
            yield from names_in(node.args[1])
        elif isinstance(node, ast.Compare) and "type" in names_in(node):
            yield from names_in(node)
        elif isinstance(node, ast.MatchClass):
            yield from names_in(node.cls)


def test_no_module_asks_which_kind_a_network_or_a_front_end_is():
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in ROOT.rglob("*.py")
        for name in questions(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert ("networks/recipes.py", "Recipe") in found, "the scan finds nothing"
    asked = {(path, name) for path, name in found if name in KINDS | LAYERS}
    assert not asked
