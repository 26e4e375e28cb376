import json

import keras
import librosa
import numpy as np
import pytest

from timbrel.errors import InvalidArgument
from timbrel.networks.builders import (
    front_end,
    front_end_multiply_adds,
    layer_table,
    network,
    untrained,
)
from timbrel.networks.recipes import RECIPES, Recipe, get_recipe


@pytest.mark.parametrize(
    ("name", "parameters", "picture"),
    [
        ("tutorial-cnn", 504_170, (13, 9, 1)),
        ("tutorial-cnn-16", 499_402, (13, 9, 1)),
        # LSTM: 4·128·(13 + 128 + 1) and 4·128·(128 + 128 + 1); dense layers on each of 9 frames.
        ("tutorial-rnn", 72_704 + 131_584 + 8_256 + 2_080 + 528 + 136 + 730, (9, 13)),
    ],
)
def test_the_networks_are_the_tutorials(name, parameters, picture):
    model = untrained(get_recipe(name), 10)
    assert isinstance(model, keras.Sequential)
    assert model.count_params() == parameters
    assert model.input_shape == (None, *picture)
    assert model.output_shape == (None, 10)


def test_the_convolutional_network_layer_by_layer():
    kinds = [layer.__class__.__name__ for layer in untrained(get_recipe("tutorial-cnn"), 10).layers]
    assert kinds == ["Conv2D"] * 4 + ["MaxPooling2D", "Dropout", "Flatten"] + ["Dense"] * 3
    convolution = untrained(get_recipe("tutorial-cnn"), 10).layers[0]
    assert convolution.kernel_size == (3, 3)
    assert convolution.strides == (1, 1)
    assert convolution.padding == "same"


def place(bin_):
    """Where the transform of 2048 points leaves a bin first: 33 upwards, then 33 downwards."""
    stretch, into = divmod(bin_, 64)
    if into == 0 and stretch > 0:
        return 66 * (stretch - 1) + 33
    return 66 * stretch + (into if into <= 32 else 33 + 64 - into)


def mel_bands():
    """Multiply-adds of summing 128 bands, sixteen at a time, from the first place to the last."""
    bank = librosa.filters.mel(sr=32_000, n_fft=2048, n_mels=128, fmin=40, htk=True)
    places = [[*map(place, np.flatnonzero(b.any(axis=0)))] for b in bank.reshape(8, 16, -1)]
    return sum(16 * (max(heard) - min(heard) + 1) for heard in places)


@pytest.mark.parametrize(
    ("name", "network_cost", "front_end_cost"),
    [
        # Counted by hand: positions, times kernel, times channels; then the dense layers.
        (
            "tutorial-cnn",
            13 * 9 * 9 * (32 + 32 * 32 + 32 * 64 + 64 * 128)
            + 6 * 4 * 128 * 128
            + 128 * 64
            + 64 * 10,
            9 * (400 * 2 * 257 + 2 * 257 * 27 + 27 * 13),
        ),
        (
            "tutorial-rnn",
            9 * 4 * 128 * (13 + 128 + 128 + 128)
            + 9 * (128 * 64 + 64 * 32 + 32 * 16 + 16 * 8)
            + 9 * 8 * 10,
            9 * (400 * 2 * 257 + 2 * 257 * 27 + 27 * 13),
        ),
        (
            "statistics-cnn",
            # Statistics, ripples and course; the dense view; the convolutions and what follows.
            95 * (64 * 20 + 10 * 84)
            + 95 * 64 * (2 * 128 + 4)
            + 95 * 24 * 64
            + 764 * 256
            + 256 * 10
            + 9 * (12 * 32 * 16 + 6 * 16 * 16 * 32 + 6 * 8 * 32 * 64)
            + 3072 * 96
            + 96 * 10
            # The distance to the classes.
            + 352 * 352
            + 352 * 10,
            95 * (32 * 64 * 66 + 4 * 33 * 32 + 33 * 64 * 64 + mel_bands()),
        ),
    ],
)
def test_multiply_adds_are_those_counted_by_hand(name, network_cost, front_end_cost):
    recipe = get_recipe(name)
    rows = layer_table(untrained(recipe, 10))
    assert sum(row.multiply_adds for row in rows) == network_cost
    assert front_end_multiply_adds(recipe) == front_end_cost


def test_the_table_has_every_layer_once_and_each_branch_in_one_piece():
    model = untrained(get_recipe("strong"), 10)
    names = [row.name for row in layer_table(model)]
    assert sorted(names) == sorted(layer.name for layer in model.layers)
    assert names[-3:] == ["answers", "mean_answer", "probabilities"]
    branch = [name.partition("_")[0] for name in names if "_dense" in name or "_conv_" in name]
    assert branch == sorted(branch, key=branch.index)
    assert len(set(branch)) == 3
    for name in names[1:]:
        for layer in model.get_layer(name)._inbound_nodes[0].parent_nodes:
            assert names.index(layer.operation.name) < names.index(name)


def test_the_table_accounts_for_every_parameter():
    rows = layer_table(untrained(get_recipe("tutorial-cnn"), 10))
    assert sum(row.parameters for row in rows) == 504_170
    assert sum(row.share for row in rows) == pytest.approx(1)
    biggest = max(rows, key=lambda row: row.share)
    assert (biggest.name, biggest.output_shape) == ("dense_1", (128,))


@pytest.mark.parametrize("name", RECIPES)
def test_the_seed_decides_the_weights_and_nothing_global_does(name):
    recipe = get_recipe(name)
    shape = front_end(recipe).output_shape[1:]
    first = network(recipe, shape, 4, seed=1).get_weights()
    before = np.random.get_state()[1].copy()
    again = network(recipe, shape, 4, seed=1).get_weights()
    other = network(recipe, shape, 4, seed=2).get_weights()
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not all(np.array_equal(one, two) for one, two in zip(first, other, strict=True))
    assert np.array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name == "tutorial-rnn" else name
        for name in RECIPES
    ],
)
def test_low_precision_changes_arithmetic_and_not_the_weights(name):
    recipe = get_recipe(name)
    shape = front_end(recipe).output_shape[1:]
    exact = network(recipe, shape, 4, seed=1)
    low = network(recipe, shape, 4, seed=1, dtype="mixed_bfloat16")
    assert all(keras.backend.standardize_dtype(w.dtype) == "float32" for w in low.trainable_weights)
    hidden = next(layer for layer in low.layers if layer.weights and "norm" not in layer.name)
    assert keras.backend.standardize_dtype(hidden.compute_dtype) == "bfloat16"
    low.set_weights(exact.get_weights())
    pictures = np.random.default_rng(0).random((5, *shape), dtype=np.float32)
    np.testing.assert_allclose(np.asarray(low(pictures)), np.asarray(exact(pictures)), atol=0.02)
    assert keras.backend.standardize_dtype(low(pictures).dtype) == "float32"


def test_pictures_are_transposed_for_the_convolutional_network():
    window = np.random.default_rng(0).normal(size=(1, 1600)).astype("float32")
    image = np.asarray(front_end(get_recipe("tutorial-cnn"))(window))[0, :, :, 0]
    sequence = np.asarray(front_end(get_recipe("tutorial-rnn"))(window))[0]
    np.testing.assert_array_equal(image, sequence.T)


def test_a_recipe_is_taken_by_its_name():
    recipe = get_recipe("strong")
    assert front_end("strong").get_config() == front_end(recipe).get_config()
    shape = front_end(recipe).output_shape[1:]
    pairs = zip(
        network("strong", shape, 3).get_weights(),
        network(recipe, shape, 3).get_weights(),
        strict=True,
    )
    assert all(np.array_equal(one, two) for one, two in pairs)
    for build in (front_end, lambda name: network(name, shape, 3)):
        with pytest.raises(InvalidArgument, match=r"Got 'weak'\."):
            build("weak")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_json(name):
    recipe = get_recipe(name).adjusted(epochs=3)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_a_recipe_from_before_there_were_two_front_ends_is_read():
    recipe = get_recipe("tutorial-cnn")
    older = recipe.to_dict()
    del older["front_end"]["kind"], older["schedule"]
    assert Recipe.from_dict(older) == recipe


def test_wrong_recipes_are_refused_with_the_value():
    with pytest.raises(InvalidArgument, match=r"must be one of 'tutorial-cnn', .* Got 'cnn'\."):
        get_recipe("cnn")
    with pytest.raises(InvalidArgument, match=r"`epochs` must be at least 1\. Got 0\."):
        get_recipe("tutorial-cnn").adjusted(epochs=0)
    with pytest.raises(InvalidArgument, match="must have the keys"):
        Recipe.from_dict({"name": "half"})
