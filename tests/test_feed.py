"""What a schedule hands to the network, epoch by epoch."""

import dataclasses

import keras
import numpy as np
import pytest

from timbrel.errors import InvalidArgument
from timbrel.features.augment import Augmentation
from timbrel.networks.recipes import Schedule, get_recipe
from timbrel.progress import Progress
from timbrel.training.examples import Examples
from timbrel.training.feed import Scheduled
from timbrel.training.fit import fit

NOTHING = Augmentation(share=0.0, shift=0.0, mixup=0.0)
BARE = Schedule(augmentation=NOTHING, smoothing=0.0, outliers=0.0, crops=1000, least_crops=0)
BANDS = 16
OURS = get_recipe("statistics-cnn")
FEW_BANDS = dataclasses.replace(OURS.front_end, filters=BANDS)
PLAIN = dataclasses.replace(OURS, schedule=BARE, front_end=FEW_BANDS)


def scheduled(**changes):
    return dataclasses.replace(PLAIN, schedule=dataclasses.replace(BARE, **changes))


class AsItIs:
    """A fixed part that changes nothing."""

    def predict_on_batch(self, pictures):
        return [pictures, pictures[:, 0] * 2]


def examples(recordings=20, frames=8, bands=BANDS):
    """Two classes, one three times as large; recordings of one to three windows each.

    The level of the first frame tells which window a picture is.
    """
    rng = np.random.default_rng(0)
    recording = np.repeat(np.arange(recordings), 1 + np.arange(recordings) % 3)
    y_flat = (recording % 4 == 0).astype(np.int64)
    pictures = rng.normal(-4, 1, (len(recording), frames, bands)).astype("float32")
    pictures[:, :, : bands // 2] += 3 * y_flat[:, None, None]
    pictures[:, 0] = 0.1 * np.arange(len(recording))[:, None]
    start = np.zeros(len(recording), dtype=np.int64)
    return Examples(pictures, y_flat, recording, start, ("few", "many"), scales=False)


def feed(data, recipe=PLAIN, *, seed=0, progress=None):
    return Scheduled(data, recipe, seed=seed, fixed=AsItIs(), progress=progress or Progress())


def an_epoch(data, recipe=PLAIN, *, seed=0, epoch=0):
    given = feed(data, recipe, seed=seed).epoch(epoch)
    return given["x"], given["y"], given["sample_weight"]


def which(views):
    return np.rint(views[0][:, 0, 0] / 0.1).astype(int)


def test_an_epoch_holds_every_recording_equally_often():
    data = examples()
    views, y, _ = an_epoch(data)
    windows = which(views)
    assert np.bincount(data.recording[windows]).tolist() == [150] * 20
    assert set(windows) == set(range(len(data)))
    np.testing.assert_array_equal(y.argmax(axis=1), data.y_flat[windows])


def test_classes_weigh_the_same_in_all():
    _, y, weight = an_epoch(examples())
    few, many = ((y[:, number] * weight).sum() for number in (0, 1))
    assert few == pytest.approx(many)
    assert weight.mean() == pytest.approx(1)


def test_the_windows_of_a_recording_take_turns_and_all_views_are_of_one():
    data = examples()
    views, _, _ = an_epoch(data)
    windows = which(views)
    # Two or three windows of a recording share its copies and its 150 turns evenly.
    shares = np.bincount(windows) * np.bincount(data.recording)[data.recording] / 150
    assert shares.min() > 0.6
    assert shares.max() < 1.4
    np.testing.assert_allclose(views[0], data.pictures[windows], atol=1e-5)
    np.testing.assert_allclose(views[1], 2 * data.pictures[windows, 0], atol=1e-5)
    np.testing.assert_array_equal(data.X, data.pictures)
    learn, _ = data.split(np.arange(20) < 5)
    assert learn.value_range == (0.0, 1.0)


def test_an_epoch_derives_from_seed_and_number():
    recipe = dataclasses.replace(PLAIN, schedule=Schedule())
    one, same = (an_epoch(examples(), recipe, epoch=3)[0][0] for _ in range(2))
    np.testing.assert_array_equal(one, same)
    for other in ({"seed": 1, "epoch": 3}, {"epoch": 4}):
        assert not np.array_equal(one, an_epoch(examples(), recipe, **other)[0][0])


def test_targets_are_smoothed():
    _, y, _ = an_epoch(examples(), scheduled(smoothing=0.2))
    np.testing.assert_allclose(np.sort(y, axis=1), [[0.1, 0.9]] * len(y), atol=1e-6)


def test_targets_are_mixed_as_what_they_belong_to_is():
    data = examples()
    telling = np.where(data.y_flat == 1, 10.0, 0.0).astype("float32")
    data = dataclasses.replace(data, pictures=np.zeros_like(data.pictures) + telling[:, None, None])
    mixing = dataclasses.replace(NOTHING, mixup=0.5)
    views, y, _ = an_epoch(data, scheduled(augmentation=mixing))
    np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-6)
    for view, depth in zip(views, (10, 20), strict=True):
        values = view.reshape(len(view), -1)
        np.testing.assert_allclose(values, np.tile(depth * y[:, 1:], values.shape[1]), atol=1e-3)
    assert ((y > 0.01) & (y < 0.5)).any()


def test_pictures_of_no_class_are_among_the_others_and_wanted_evenly():
    views, y, weight = an_epoch(examples(), scheduled(outliers=0.2))
    strange = (y == 0.5).all(axis=1)
    assert strange.sum() == 600
    assert len(views[0]) == len(weight) == 3600
    assert strange[:1800].sum() == pytest.approx(300, abs=60)
    np.testing.assert_array_equal(weight[strange], 1)
    np.testing.assert_allclose(views[1][strange], 2 * views[0][strange][:, 0], atol=1e-5)
    # Their peaks are brought to 0; the others keep their level.
    np.testing.assert_allclose(views[0][~strange][:, 1:].mean(), -3.3, atol=0.5)
    assert views[0][strange].mean() < views[0][~strange].mean() - 1


def background(pictures):
    number = np.arange(len(pictures))
    return Examples(pictures, np.full(len(pictures), -1), number, 0 * number, (), scales=False)


def test_a_third_of_the_pictures_of_no_class_are_those_that_are_given():
    given = np.full((2, 8, BANDS), -5.0, dtype="float32")
    given[:, 0] = [[7.0], [9.0]]
    data = dataclasses.replace(examples(), background=background(given))
    views, y, _ = an_epoch(data, scheduled(outliers=1.0, copies=2000))
    strange = views[0][(y == 0.5).all(axis=1)]
    fall = np.rint(100 * (strange[:, 0] - strange[:, 1])) / 100
    found = np.isin(fall, [12.0, 14.0]).all(axis=1)
    assert found.mean() == pytest.approx(1 / 3, abs=0.08)
    assert set(fall[found][:, 0]) == {12.0, 14.0}


@pytest.mark.slow
def test_what_is_given_as_none_of_these_is_learned_to_be_none():
    """A class's low bands under high bands that no class has."""
    rng = np.random.default_rng(5)
    given = rng.normal(-4, 1, (60, 8, BANDS)).astype("float32")
    given[:, :, : BANDS // 2] += 3
    given[:, ::2, BANDS // 2 :] += 3
    learn, aside = background(given[:30]), given[30:]
    recipe = dataclasses.replace(PLAIN, schedule=Schedule(crops=6000))
    surest = []
    for strange in (None, learn):
        data = dataclasses.replace(examples(40), background=strange)
        answers = fit(data, recipe).network.predict(aside, verbose=0)
        surest.append(float(answers.max(axis=1).mean()))
    assert surest[1] < surest[0] - 0.1
    assert surest[1] < 0.65


@pytest.mark.parametrize(
    ("recordings", "passes", "epochs", "copies"),
    [
        *[(4, 750, 4, 24), (20, 150, 4, 24), (40, 75, 8, 24), (80, 38, 16, 24)],
        *[(240, 13, 15, 24), (500, 6, 16, 24), (3000, 1, 16, 4), (50_000, 1, 8, 3)],
    ],
)
def test_epochs_and_copies_follow_the_data(recordings, passes, epochs, copies):
    schedule = Schedule()
    assert (schedule.passes(recordings), schedule.epochs(recordings)) == (passes, epochs)
    assert schedule.copies_each(recordings) == copies
    recipe = get_recipe("statistics-cnn")
    assert recipe.epochs_for(recordings) == epochs
    assert recipe.adjusted(epochs=3).epochs_for(recordings) == 3


@pytest.mark.slow
def test_what_can_be_told_apart_is_learned():
    data = examples(40)
    learn, aside = data.split(np.arange(40) >= 30)
    fitted = fit(learn, dataclasses.replace(PLAIN, schedule=Schedule(crops=2000)), validation=aside)
    assert fitted.scale == (0.0, 1.0)
    assert len(fitted.history) <= 8
    assert fitted.history[-1]["val_acc"] > 0.9


def test_the_learning_rate_rises_once_and_falls_once():
    recipe = scheduled(learning_rate=0.01)
    optimizer = feed(examples(), recipe).optimizer(4)
    steps = 4 * -(-3000 // recipe.batch_size)
    rate = []
    for step in range(steps):
        optimizer.iterations.assign(step)
        rate.append(float(optimizer.learning_rate))
    peak = int(np.argmax(rate))
    assert rate[peak] == pytest.approx(0.01, rel=1e-3)
    assert 0.1 * steps < peak < 0.2 * steps
    assert (np.diff(rate[: peak + 1]) > 0).all()
    assert (np.diff(rate[peak:]) < 0).all()
    assert rate[0] < 1e-4
    assert rate[-1] < 1e-4


def test_kernels_decay_and_nothing_else():
    optimizer = feed(examples(), scheduled(weight_decay=0.5)).optimizer(1)
    layers = [keras.layers.Dense(2, name="dense"), keras.layers.BatchNormalization(name="norm")]
    model = keras.Sequential([keras.Input((3,)), *layers])
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    optimizer.build(model.trainable_variables)
    optimizer.iterations.assign(3)
    optimizer.apply([np.zeros(v.shape, "float32") for v in model.trainable_variables])
    for variable in model.trainable_variables:
        shrunk = bool((np.asarray(variable) < 1).all())
        assert shrunk == (variable.name == "kernel"), variable.name


def test_copies_and_outliers_are_counted_as_they_are_made():
    stages = []

    class Recorder(Progress):
        def stage(self, name, done, total, note=""):
            stages.append((name, done, total))

    feed(examples(), scheduled(outliers=0.5, copies=400), progress=Recorder())
    name, done, total = zip(*stages, strict=True)
    assert (set(name), set(total)) == ({"making copies"}, {20 * 20 + 200})
    assert list(done) == sorted(done)
    assert done[-1] == total[-1]


def test_a_schedule_for_a_network_that_rearranges_pictures_is_refused():
    recipe = dataclasses.replace(get_recipe("tutorial-cnn"), schedule=BARE)
    with pytest.raises(InvalidArgument, match=r"as the front end gives them\. Got 'cnn'\."):
        feed(examples(), recipe)
