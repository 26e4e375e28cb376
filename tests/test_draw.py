"""Windows are drawn at random as the tutorial draws them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from timbrel.audio.decode import decode
from timbrel.audio.windows import keep, sounding_starts
from timbrel.dataset.manifest import read_dataset
from timbrel.errors import InvalidArgument
from timbrel.networks.recipes import RECIPES
from timbrel.training.examples import draw_windows, spread_windows

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


def test_classes_may_lie_in_any_order():
    order = np.array([3, 0, 5, 1, 4, 2])
    recording, start = draw_windows(SAMPLES[order], TARGET[order], window=50)
    assert (TARGET[order][recording] == 1).mean() == pytest.approx(0.75, abs=0.007)
    assert (start + 50 <= SAMPLES[order][recording]).all()


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
