"""Pictures, class weights and drawn windows; the scale does not depend on what is held out."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from timbrel.audio.decode import decode
from timbrel.audio.windows import keep, sounding_starts
from timbrel.dataset.manifest import read_dataset
from timbrel.errors import InvalidArgument
from timbrel.networks.recipes import RECIPES
from timbrel.training.examples import Examples, balanced_class_weight, draw_windows, spread_windows

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


@pytest.mark.parametrize(
    "target",
    [
        [0],
        [0, 1],
        [0, 0, 0, 1],
        [2, 2, 0, 5, 5, 5],
        [3, 3, 3],
        np.random.default_rng(0).choice(10, 21_817, p=np.arange(1, 11) / 55),
    ],
)
def test_weights_equal_scikit_learn(target):
    target = np.array(target)
    classes = np.unique(target)
    expected = compute_class_weight("balanced", classes=classes, y=target)
    assert balanced_class_weight(target) == dict(zip(classes, expected, strict=True))


def test_weights_are_what_fit_takes():
    weight = balanced_class_weight(np.array([1, 0, 1], dtype=np.int64))
    assert weight == {0: 1.5, 1: 0.75}
    assert {type(number) for number in weight} == {int}
    assert {type(value) for value in weight.values()} == {float}


# Two classes; the recordings of the second are three times as long on average.
SAMPLES = np.array([100_000, 300_000, 200_000, 900_000, 600_000, 300_000])
TARGET = np.array([0, 0, 0, 1, 1, 1])


def test_twice_as_many_windows_are_drawn_as_fit():
    recording, start = draw_windows(SAMPLES, TARGET, window=700)
    assert len(recording) == len(start) == 2 * (2_400_000 // 700)
    assert recording.dtype == start.dtype == np.int64


@pytest.mark.parametrize("samples", [1599, 1600, 3199, 3200])
def test_the_number_is_twice_what_fits_into_all_recordings_together(samples):
    recording, _ = draw_windows(np.array([samples - 800, 800]), np.array([0, 1]), window=1600)
    drawn = 2 * (samples // 1600)
    assert drawn <= len(recording) <= drawn + 2


@pytest.mark.slow
def test_the_real_recordings_give_the_number_of_windows_of_the_tutorial(shared):
    windowing = RECIPES["tutorial-cnn"].windowing
    dataset = read_dataset(
        shared / "data/instruments/instruments.csv", shared / "data/instruments/wavfiles"
    )

    def length(item):
        return len(keep(decode(item.file, windowing.rate).waveform, windowing)[0].waveform)

    with ThreadPoolExecutor(2) as pool:
        samples = np.array(list(pool.map(length, dataset.recordings)))
    target = np.array([dataset.labels.index(item.label) for item in dataset.recordings])
    recording, _ = draw_windows(samples, target, window=windowing.window)
    assert 21_800 <= len(recording) < 21_900


def test_every_window_lies_in_its_recording():
    recording, start = draw_windows(SAMPLES, TARGET, window=1600)
    assert start.min() >= 0
    assert (start + 1600 <= SAMPLES[recording]).all()


def test_the_first_and_the_last_place_are_drawn_too():
    _, start = draw_windows(np.array([1603, 1603] * 50), np.array([0, 1] * 50), window=1600)
    assert set(start) == {0, 1, 2, 3}


def test_a_recording_shorter_than_a_window_starts_at_its_start():
    samples = np.array([5, 160_000, 10, 1599])
    recording, start = draw_windows(samples, np.array([0, 1, 0, 0]), window=1600)
    assert set(start[recording != 1]) == {0}


def test_classes_are_drawn_by_the_mean_length_of_their_recordings():
    recording, _ = draw_windows(SAMPLES, TARGET, window=50)
    share = (TARGET[recording] == 1).mean()
    # 96,000 draws: the standard deviation is 0.0014.
    assert share == pytest.approx(0.75, abs=0.007)


def test_a_class_of_many_recordings_is_not_drawn_more_for_it():
    samples, target = np.full(100, 100_000), np.array([0] * 90 + [1] * 10)
    recording, _ = draw_windows(samples, target, window=100)
    assert (target[recording] == 1).mean() == pytest.approx(0.5, abs=0.007)


def test_recordings_of_a_class_are_drawn_alike_whatever_their_length():
    recording, _ = draw_windows(SAMPLES, TARGET, window=50)
    count = np.bincount(recording)
    for member in (count[:3], count[3:]):
        np.testing.assert_allclose(member / member.sum(), 1 / 3, atol=0.015)


def test_starts_are_spread_evenly():
    recording, start = draw_windows(SAMPLES, TARGET, window=50)
    place = start / (SAMPLES[recording] - 50)
    np.testing.assert_allclose(np.histogram(place, 10, (0, 1))[0] / len(place), 0.1, atol=0.006)


@pytest.mark.parametrize("seed", range(10))
def test_no_recording_goes_unheard(seed):
    samples = np.array([1600] * 30 + [40_000])
    target = np.array([0, 1] * 15 + [0])
    recording, start = draw_windows(samples, target, window=1600, seed=seed)
    drawn = 2 * (samples.sum() // 1600)
    assert set(recording) == set(range(31))
    assert len(recording) == len(start)
    assert len(set(recording[drawn:])) == len(recording) - drawn
    assert not set(recording[drawn:]) & set(recording[:drawn])


def test_the_seed_decides():
    for one, other in zip(
        draw_windows(SAMPLES, TARGET, window=1600, seed=3),
        draw_windows(SAMPLES, TARGET, window=1600, seed=3),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    one, other = (draw_windows(SAMPLES, TARGET, window=1600, seed=seed) for seed in (3, 4))
    assert (one[0] != other[0]).any()
    assert (one[1] != other[1]).any()


@pytest.mark.parametrize(("samples", "target"), [([], []), ([1, 2], [0]), ([1], [0, 1])])
def test_lengths_that_do_not_match_are_named(samples, target):
    with pytest.raises(InvalidArgument) as caught:
        draw_windows(np.array(samples), np.array(target), window=10)
    assert str(caught.value) == (
        "`samples` and `target` must have the same length, above 0. "
        f"Got {len(samples)} and {len(target)}."
    )


def places(samples, window=1000):
    """Where windows may begin in recordings that are loud all along."""
    return [sounding_starts(np.ones(n, "float32"), window=window, depth=40) for n in samples]


def test_spread_windows_come_from_every_recording_in_order():
    samples = np.array([100, 1000, 1001, 3000, 50_000])
    recording, start = spread_windows(places(samples), window=1000, most=16)
    assert np.bincount(recording).tolist() == [1, 1, 3, 6, 16]
    assert (np.diff(recording) >= 0).all()
    assert (start[:2] == 0).all()
    assert (start >= 0).all()
    assert (start + 1000 <= np.maximum(samples[recording], 1000)).all()
    assert recording.dtype == start.dtype == np.int64


def test_spread_windows_begin_anywhere_where_there_is_sound():
    _, start = spread_windows(places([9000]), window=1000, most=100)
    more = [spread_windows(places([9000]), window=1000, most=16, seed=n)[1] for n in range(400)]
    share = np.histogram(np.concatenate(more), 8, (0, 8000))[0] / (400 * 16)
    np.testing.assert_allclose(share, 1 / 8, atol=0.02)
    assert len(start) == 18


def test_spread_windows_depend_on_the_seed_alone():
    starts, how = places([5000, 7000], 500), {"window": 500, "most": 16}
    one, same, other = (spread_windows(starts, seed=seed, **how) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one[1], same[1])
    assert not np.array_equal(one[1], other[1])


@pytest.mark.parametrize("place", [0, 3000, 40_000, 59_900])
def test_windows_are_drawn_where_the_sound_is(place):
    waveform = np.random.default_rng(0).normal(size=60_000).astype("float32") * 1e-4
    waveform[place : place + 100] += 1
    starts = sounding_starts(waveform, window=1000, depth=40)
    for seed in range(20):
        _, start = spread_windows([starts], window=1000, most=16, seed=seed)
        for first in start:
            assert waveform[first : first + 1000].max() > 0.5


def test_without_a_depth_windows_may_begin_anywhere():
    waveform = np.zeros(3100, "float32")
    starts = sounding_starts(waveform, window=1000, depth=None)
    assert starts.tolist() == [*range(0, 2100, 125), 2100]
    assert sounding_starts(waveform[:800], window=1000, depth=40).tolist() == [0]
