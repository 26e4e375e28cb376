"""The tutorial's arrays, and a scale that never knows what is held out."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from timbrel.errors import InvalidArgument
from timbrel.training.examples import Examples

LABELS = ("Cello", "Flute", "Oboe")


@pytest.fixture
def examples():
    """Forty pictures of eight recordings; recording 7 holds the extremes."""
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(40, 13, 9, 1)).astype(np.float32)
    recording = np.repeat(np.arange(8), 5)
    pictures[recording == 7] *= 100
    return Examples(pictures, recording % 3, recording, np.arange(40), LABELS)


def held_out(*numbers):
    return np.isin(np.arange(8), numbers)


# The tutorial's arrays


def test_pictures_are_scaled_to_zero_and_one(examples):
    low, high = examples.pictures.min(), examples.pictures.max()
    assert examples.value_range == (low, high)
    assert examples.X.dtype == np.float32
    assert examples.X.shape == (40, 13, 9, 1)
    assert (examples.X.min(), examples.X.max()) == (0, 1)
    np.testing.assert_allclose(examples.X, (examples.pictures - low) / (high - low), rtol=1e-6)


def test_classes_are_one_hot(examples):
    assert examples.y.dtype == np.float32
    assert examples.y.shape == (40, 3)
    np.testing.assert_array_equal(examples.y.argmax(axis=1), examples.y_flat)
    np.testing.assert_array_equal(examples.y.sum(axis=1), 1)


def test_a_class_that_does_not_occur_has_its_column(examples):
    part = examples.select(examples.y_flat != 2)
    assert part.y.shape[1] == 3
    assert part.y[:, 2].sum() == 0


def test_shape_length_and_weights(examples):
    assert len(examples) == 40
    assert examples.input_shape == (13, 9, 1)
    y = examples.y_flat
    expected = compute_class_weight("balanced", classes=np.unique(y), y=y)
    assert examples.class_weight == dict(enumerate(expected))


def test_pictures_that_are_all_the_same_become_zero(examples):
    same = Examples(np.ones((2, 4, 4, 1), np.float32), *(np.zeros(2, int),) * 3, LABELS)
    np.testing.assert_array_equal(same.X, np.zeros((2, 4, 4, 1)))


def test_a_scale_that_is_given_is_used(examples):
    given = Examples(
        examples.pictures, examples.y_flat, examples.recording, examples.start, LABELS, (-10, 30)
    )
    assert given.value_range == (-10, 30)
    np.testing.assert_allclose(given.X, (examples.pictures + 10) / 40, rtol=1e-6)


# Parts


@pytest.mark.parametrize("kind", ["mask", "positions", "none"])
def test_a_selection_is_that_part_of_every_array(examples, kind):
    mask = examples.start % 7 == 1
    if kind == "none":
        mask[:] = False
    part = examples.select(mask if kind == "mask" else np.flatnonzero(mask))
    for name in ("pictures", "y_flat", "recording", "start", "y"):
        np.testing.assert_array_equal(getattr(part, name), getattr(examples, name)[mask])
    assert part.labels == LABELS


@pytest.mark.parametrize("scale", [None, (-5.0, 5.0)])
def test_a_selection_is_scaled_as_the_whole(examples, scale):
    whole = Examples(
        examples.pictures, examples.y_flat, examples.recording, examples.start, LABELS, scale
    )
    np.testing.assert_array_equal(whole.select(np.arange(10)).X, whole.X[:10])


def test_a_split_keeps_recordings_whole(examples):
    train, rest = examples.split(held_out(0, 7))
    assert set(rest.recording) == {0, 7}
    assert set(train.recording) == {1, 2, 3, 4, 5, 6}
    assert len(train) + len(rest) == 40
    np.testing.assert_array_equal(rest.pictures, examples.pictures[rest.start])
    np.testing.assert_array_equal(train.y_flat, examples.y_flat[train.start])


def test_the_scale_of_a_split_is_that_of_its_training_part(examples):
    train, rest = examples.split(held_out(7))
    quiet = examples.pictures[examples.recording != 7]
    assert train.value_range == rest.value_range == (quiet.min(), quiet.max())
    assert (train.X.min(), train.X.max()) == (0, 1)
    assert rest.X.min() < -1
    assert rest.X.max() > 2
    assert rest.select(np.arange(2)).value_range == train.value_range


def test_what_is_held_out_cannot_be_seen_in_training(examples):
    other = examples.pictures.copy()
    other[examples.recording == 7] = 0
    changed = Examples(other, examples.y_flat, examples.recording, examples.start, LABELS)
    one, two = (data.split(held_out(7))[0] for data in (examples, changed))
    np.testing.assert_array_equal(one.X, two.X)
    assert one.class_weight == two.class_weight


def test_a_split_of_a_part_takes_a_new_scale(examples):
    outer, _ = examples.split(held_out(7))
    inner, rest = outer.split(held_out(6))
    assert (inner.X.min(), inner.X.max()) == (0, 1)
    assert rest.value_range == inner.value_range
    assert set(inner.recording) == {0, 1, 2, 3, 4, 5}


def test_holding_nothing_out_leaves_an_empty_part(examples):
    train, rest = examples.split(held_out())
    np.testing.assert_array_equal(train.X, examples.X)
    assert len(rest) == 0
    assert rest.X.shape == (0, 13, 9, 1)
    assert rest.y.shape == (0, 3)


def test_holding_everything_out_is_named(examples):
    with pytest.raises(InvalidArgument, match="must leave recordings to train on. Got all"):
        examples.split(held_out(*range(8)))
