from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.core.sequences import Sequences
from endcap.models.training.settings import TrainingSettings
from endcap.models.training.source import InMemory, held_out, one_after_another, walk, windows


def sequences(lists, first=0):
    flat = np.array([item for each in lists for item in each], np.int32)
    starts = np.concatenate([[0], np.cumsum([len(each) for each in lists])]).astype(np.int64)
    return Sequences(starts, flat, first + np.arange(len(flat)), np.arange(len(lists)))


class Shards:
    def __init__(self, shards, window):
        self.shards, self.window = shards, window
        self.sizes = [len(each.items) for each in shards]

    def read(self, shards):
        return one_after_another([self.shards[shard] for shard in shards])


def listed(found):
    return [found.items[a:b].tolist() for a, b in zip(found.starts[:-1], found.starts[1:], strict=True)]


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 20), st.integers(0, 5))
def test_a_pass_reads_each_shard_once_and_holds_no_more_than_a_window(sizes, window, seed):
    source = Shards([sequences([[0] * size]) for size in sizes], window)
    found = list(windows(source, np.random.default_rng(seed)))
    assert sorted(shard for each in found for shard in each) == list(range(len(sizes)))
    assert all(len(each) == 1 or sum(sizes[shard] for shard in each) <= window for each in found)


def test_shards_are_read_one_after_another_with_what_stands_beside():
    joined = one_after_another([sequences([[1, 2], []]), sequences([[3]], first=9)])
    assert listed(joined) == [[1, 2], [], [3]]
    assert joined.at_us.tolist() == [0, 1, 9]
    assert joined.weights is None


def test_without_patience_everything_is_learned():
    whole = InMemory(sequences([[1], [2]]))
    assert held_out(whole, TrainingSettings()) == (whole, None)


@pytest.mark.parametrize("cuts", [[10], [3, 7], [1] * 10])
def test_the_latest_sequences_are_held_out_however_they_lie_in_shards(cuts):
    lists = [[number] for number in range(10)]
    ends = np.cumsum([0, *cuts])
    source = Shards([sequences(lists[a:b]) for a, b in pairwise(ends)], 4)
    learned, held = held_out(source, TrainingSettings(patience=1, validation_share=0.2))
    assert [item for (item,) in listed(learned.read(range(len(learned.sizes))))] == list(range(8))
    assert [item for (item,) in listed(held.read(range(len(held.sizes))))] == [8, 9]
    assert sum(learned.sizes) == 8


@pytest.mark.parametrize("num", [2, 3, 4])
def test_few_sequences_hold_one_out_and_a_single_one_none(num):
    whole = InMemory(sequences([[number] for number in range(num)]))
    learned, held = held_out(whole, TrainingSettings(patience=1))
    assert (len(learned.read([0])), len(held.read([0]))) == (num - 1, 1)
    alone = InMemory(sequences([[1]]))
    assert held_out(alone, TrainingSettings(patience=1)) == (alone, None)


def test_a_walk_from_a_cursor_on_is_the_end_of_the_whole_walk():
    source = Shards([sequences([[0]] * num) for num in (3, 1, 4, 2)], 4)
    nums = [len(shard) for shard in source.shards]
    whole = list(walk(source, nums, passes=3, done=0, seed=5))
    assert [begin for _, begin in whole] == sorted(begin for _, begin in whole)
    for done in range(31):
        left = list(walk(source, nums, passes=3, done=done, seed=5))
        assert left == whole[len(whole) - len(left) :]
        assert sum(nums[shard] for window, _ in left for shard in window) >= 30 - done
    assert list(walk(source, [0] * 4, passes=3, done=0, seed=5)) == []
