import dataclasses

import keras
import numpy as np
import pytest

from timbrel.errors import ModelError
from timbrel.networks import statistics_cnn
from timbrel.networks.layers import weights_of
from timbrel.networks.recipes import Schedule, get_recipe
from timbrel.progress import Progress
from timbrel.training.examples import Examples
from timbrel.training.fit import (
    HISTORY_KEYS,
    Checkpoint,
    compile_network,
    fit,
    stalled,
    training_policy,
)


def examples(n=150, *, sequence=False, bands=16):
    rng = np.random.default_rng(0)
    y_flat = rng.integers(0, 3, n)
    pictures = rng.normal(size=(n, 13, 9, 1)).astype("float32") + 2 * y_flat[:, None, None, None]
    if sequence:
        pictures = np.ascontiguousarray(pictures[..., 0].transpose(0, 2, 1))
        pictures = np.tile(pictures, 2)[..., :bands]
    return Examples(pictures, y_flat, np.arange(n), np.zeros(n, dtype=int), ("a", "b", "c"))


RECIPE = get_recipe("tutorial-cnn").adjusted(epochs=3)


def with_epochs(name, epochs):
    """A recipe for the pictures of `examples`, whose bands are few."""
    recipe = get_recipe(name).adjusted(epochs=epochs)
    if name != "statistics-cnn":
        return recipe
    return dataclasses.replace(recipe, front_end=dataclasses.replace(recipe.front_end, filters=16))


def interrupted(data, recipe, checkpoint, *, after):
    """A training that ends after so many epochs."""

    class Stopping(Progress):
        def row(self, table, row):
            if row["epoch"] == after:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(data, recipe, checkpoint=checkpoint, progress=Stopping())


def same(one, two):
    pairs = zip(one.network.get_weights(), two.network.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_same_seed_gives_the_same_weights_bit_for_bit(policy):
    recipe = RECIPE.adjusted(epochs=2)
    first = fit(examples(), recipe, policy=policy)
    assert same(first, fit(examples(), recipe, policy=policy))
    assert not same(first, fit(examples(), recipe, policy=policy, seed=1))


@pytest.mark.parametrize("name", ["tutorial-cnn", "tutorial-rnn", "statistics-cnn"])
@pytest.mark.slow
def test_a_resumed_training_ends_where_an_undisturbed_one_does(name, tmp_path):
    recipe = with_epochs(name, 3)
    data = examples(sequence=name != "tutorial-cnn")
    checkpoint = Checkpoint(tmp_path / "checkpoint", {"of": "this test"})
    undisturbed = fit(data, recipe)
    interrupted(data, recipe, checkpoint, after=2)
    resumed = fit(data, recipe, checkpoint=checkpoint, resume=True)
    assert same(undisturbed, resumed)
    for one, two in zip(undisturbed.history, resumed.history, strict=True):
        assert one | {"seconds": 0} == two | {"seconds": 0}


@pytest.mark.slow
def test_a_trained_network_knows_where_its_classes_lie(monkeypatch):
    data, recipe = examples(n=60, sequence=True), with_epochs("statistics-cnn", 1)
    fitted = fit(data, recipe)
    hidden, _ = recipe.network.hidden_and_answer(fitted.network)(data.X)
    expected = weights_of(np.asarray(hidden), data.y_flat, data.recording, classes=3)
    for got, wanted in zip(fitted.network.layers[-1].get_weights(), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4)
    monkeypatch.setattr(statistics_cnn, "_MOST_PICTURES", 20)
    few = fit(data, recipe).network.layers[-1].get_weights()
    assert not np.allclose(few[1], expected[1], rtol=1e-3)


@pytest.mark.slow
def test_a_checkpoint_of_something_else_or_a_damaged_one_is_refused(tmp_path):
    folder = tmp_path / "checkpoint"
    checkpoint = Checkpoint(folder, {"seed": 0})
    fit(examples(), RECIPE.adjusted(epochs=1), checkpoint=checkpoint)
    with pytest.raises(ModelError, match="another seed"):
        fit(examples(), RECIPE, checkpoint=Checkpoint(folder, {"seed": 1}), resume=True)
    checkpoint.file.write_bytes(checkpoint.file.read_bytes()[:1000])
    with pytest.raises(ModelError, match="damaged"):
        fit(examples(), RECIPE, checkpoint=checkpoint, resume=True)


class Recorder(Progress):
    """Keeps what it is told."""

    def __init__(self):
        self.stages, self.rows = [], []

    def stage(self, name, done, total, note=""):
        self.stages.append((name, done, total, note))

    def row(self, table, row):
        self.rows.append((table, row))


@pytest.mark.slow
def test_every_example_is_seen_once_an_epoch_also_in_a_last_short_batch():
    told = Recorder()
    fitted = fit(examples(n=32 * 19 + 5), RECIPE.adjusted(epochs=2), progress=told)
    assert {(name, total) for name, _, total, _ in told.stages} == {("training", 40)}
    assert [note for _, done, _, note in told.stages if done in (20, 40)] == ["epoch 1", "epoch 2"]
    assert told.stages[-1][1] == 40
    assert told.rows == [("epochs", row) for row in fitted.history]


@pytest.mark.slow
def test_a_recipe_is_taken_by_its_name():
    told = Recorder()
    fitted = fit(examples(n=8), "tutorial-cnn", progress=told)
    assert fitted.network.name == "tutorial_cnn"
    assert len(fitted.history) == 10


@pytest.mark.slow
def test_history_has_the_figures_of_the_validation_part():
    data = examples()
    train, held_out = data.split(np.arange(len(data)) % 5 == 0)
    fitted = fit(train, RECIPE, validation=held_out, policy="float32")
    assert [tuple(row) for row in fitted.history] == [HISTORY_KEYS] * 3
    p = np.asarray(fitted.network(held_out.X))
    last = fitted.history[-1]
    assert last["val_acc"] == pytest.approx((p.argmax(1) == held_out.y_flat).mean(), abs=1e-6)
    own = p[np.arange(len(p)), held_out.y_flat]
    assert last["val_loss"] == pytest.approx(-np.log(own).mean(), abs=1e-4)


@pytest.mark.slow
def test_class_weights_count():
    data = examples(n=300)
    rare = np.flatnonzero((data.y_flat != 2) | (np.arange(300) % 20 == 0))
    unbalanced = data.select(rare)
    noise = np.random.default_rng(1).normal(size=unbalanced.pictures.shape).astype("float32")
    unbalanced = dataclasses.replace(unbalanced, pictures=unbalanced.pictures + 4 * noise)
    fitted = fit(unbalanced, RECIPE.adjusted(epochs=1), policy="float32")
    mean = np.asarray(fitted.network(unbalanced.X)).mean(axis=0)
    share = (unbalanced.y_flat == 2).mean()
    assert mean[2] > 2 * share


def test_scale_precision_and_random_state():
    """The scale is that of what was learned from; the rest is left as it was."""
    data = examples()
    before = np.random.get_state()[1].copy()
    fitted = fit(data, RECIPE.adjusted(epochs=1), policy="mixed_bfloat16")
    assert fitted.scale == (float(data.pictures.min()), float(data.pictures.max()))
    assert fitted.policy == "mixed_bfloat16"
    assert {layer.compute_dtype for layer in fitted.network.layers} == {"float32"}
    assert np.array_equal(before, np.random.get_state()[1])


def test_recurrent_networks_are_trained_in_float32():
    assert training_policy(get_recipe("tutorial-rnn").network) == "float32"


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([2, 1.5, 1.2, 1.1, 1.0, 0.9], False),
        ([2, 1.0, 1.0, 1.0, 1.0], True),
        ([2, 1.0, 1.1, 1.2, 1.1], True),
        ([2, 1.0, 1.1, 1.1], False),
        ([2, 1.0, 1.1, 0.9], False),
        ([1.0], False),
        ([], False),
    ],
)
def test_a_loss_that_no_longer_falls_ends_the_training(losses, expected):
    history = [{"loss": loss} for loss in losses]
    assert stalled(history, Schedule(patience=0.3), 10) is expected


@pytest.mark.slow
def test_training_stops_early_and_keeps_the_best_also_when_resumed(tmp_path, monkeypatch):
    losses = iter([0.9, 0.4, 0.6, 0.6, 0.6, 0.6, 0.6])
    seen = {}

    def planned(model, **options):
        logs = real(model, **options)
        logs.history["loss"] = [next(losses)]
        seen[options["initial_epoch"]] = model.get_weights()
        return logs

    real = keras.Model.fit
    monkeypatch.setattr(keras.Model, "fit", planned)
    recipe = with_epochs("statistics-cnn", 8)
    data, checkpoint = examples(30, sequence=True), Checkpoint(tmp_path / "c", {"of": "this test"})
    interrupted(data, recipe, checkpoint, after=4)
    fitted = fit(data, recipe, checkpoint=checkpoint, resume=True)
    assert fitted.stopped
    assert len(fitted.history) == 5
    # The distances to the classes are set at the end.
    _, learning = recipe.network.divide(fitted.network)
    learned = [v.numpy() for v in learning.weights]
    pairs = zip(learned, seen[1], strict=True)
    assert all(np.array_equal(one, two) for one, two in pairs)


def several_answers(shown, target, weight=None):
    """Loss and accuracy as Keras computes them for two classifiers that answer what is shown."""
    inputs = keras.Input(shown.shape[1:])
    model = compile_network(keras.Model(inputs, keras.layers.Identity()(inputs)))
    logs = model.evaluate(shown, target, sample_weight=weight, verbose=0, return_dict=True)
    return logs["loss"], logs["acc"]


def test_the_loss_is_the_mean_of_the_classifiers_and_the_accuracy_that_of_their_mean():
    rng = np.random.default_rng(0)
    shown = rng.dirichlet(np.ones(3), (40, 2)).astype("float32")
    target = np.eye(3, dtype="float32")[rng.integers(0, 3, 40)]
    weight = rng.random(40).astype("float32")
    each = -(target[:, None] * np.log(shown)).sum(axis=2).mean(axis=1)
    loss, accuracy = several_answers(shown, target, weight)
    assert loss == pytest.approx((each * weight).sum() / 40, rel=1e-5)
    right = shown.mean(axis=1).argmax(axis=1) == target.argmax(axis=1)
    assert accuracy == pytest.approx(right.mean(), rel=1e-5)


def test_what_is_of_no_class_counts_in_the_loss_and_not_in_the_accuracy():
    shown = np.tile(np.float32([0.7, 0.2, 0.1]), (10, 2, 1))
    target = np.full((10, 3), 1 / 3, dtype="float32")
    target[:4] = [1, 0, 0]
    target[4] = [0, 1, 0]
    loss, accuracy = several_answers(shown, target)
    assert accuracy == pytest.approx(4 / 5)
    expected = -(target * np.log(shown[:, 0])).sum(axis=1).mean()
    assert loss == pytest.approx(expected, rel=1e-5)
