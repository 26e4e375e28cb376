"""Whoever takes a recipe takes its name."""

import dataclasses
import inspect

import numpy as np
import pytest

import timbrel
from timbrel.errors import InvalidArgument

pytest.importorskip("keras", reason="the train extra is not installed")


def functions():
    """Public functions that take a recipe, and what else they must be given."""
    for name in timbrel.__all__:
        thing = getattr(timbrel, name)
        parameters = inspect.signature(thing).parameters if inspect.isfunction(thing) else {}
        if "recipe" in parameters:
            needed = [item for item in parameters.values() if item.default is item.empty]
            yield name, dict.fromkeys(item.name for item in needed if item.name != "recipe")


@pytest.mark.parametrize(("name", "others"), list(functions()))
def test_a_name_that_no_recipe_has_is_refused_first(name, others):
    function = getattr(timbrel, name)
    assert inspect.signature(function).parameters["recipe"].annotation == "str | Recipe"
    with pytest.raises(InvalidArgument, match="`recipe` must be one of .* Got 'nonsense'"):
        function(**others, recipe="nonsense")


def test_all_that_build_and_train_are_among_them():
    names = {name for name, _ in functions()}
    assert {"front_end", "network", "fit", "prepare", "train", "evaluate", "summary"} <= names


@pytest.mark.parametrize("name", timbrel.RECIPES)
def test_a_name_builds_what_its_recipe_builds(name):
    recipe = timbrel.RECIPES[name]
    pictures = [timbrel.front_end(item) for item in (name, recipe)]
    assert pictures[0].get_config() == pictures[1].get_config()
    shape = pictures[0].output_shape[1:]
    one, other = (timbrel.network(item, shape, 3).get_weights() for item in (name, recipe))
    assert all(map(np.array_equal, one, other))
    assert timbrel.summary(name, classes=3) == timbrel.summary(recipe, classes=3)


def test_a_name_trains_what_its_recipe_trains(monkeypatch):
    short = dataclasses.replace(timbrel.RECIPES["tutorial-cnn"], name="short", epochs=1)
    monkeypatch.setitem(timbrel.RECIPES, "short", short)
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(32, 13, 9, 1)).astype(np.float32)
    numbers = np.arange(32)
    data = timbrel.Examples(pictures, numbers % 2, numbers, numbers * 0, ("a", "b"))
    one, other = (timbrel.fit(data, item).network.get_weights() for item in ("short", short))
    assert all(map(np.array_equal, one, other))
