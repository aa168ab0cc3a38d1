import numpy as np
import pytest

from endcap.core.sequences import Sequences
from endcap.models.two_tower_batches import Batches, Contents
from endcap.models.two_tower_examples import Frequencies, examples_of

FEATURES = np.array([[1, 2, 0], [2, 0, 0], [0, 0, 0], [3, 1, 2], [3, 0, 0]])
EXAMPLES = examples_of(Sequences(np.array([0, 3, 4]), np.array([3, 1, 3, 4], np.int32), np.arange(4), np.arange(2)))


def batch_of(rows, *, num_negatives=8):
    frequencies = Frequencies.of(EXAMPLES.counts(5), power=0.75)
    batches = Batches(Contents(FEATURES, 3), frequencies, history=2, num_negatives=num_negatives, seed=0)
    return batches.of(EXAMPLES, np.array(rows, np.int64), name=0, weight=0.5)


def test_the_features_of_items_are_looked_up_once_each_and_share_a_length_of_one():
    touched = Contents(FEATURES, 3).touched(np.array([0, 2, 4]))
    assert touched.features_V.tolist() == [1, 2, 3]
    named = list(zip(touched.feature_row_P, touched.features_V[touched.feature_at_P], strict=True))
    assert named == [(0, 1), (0, 2), (2, 3)]
    assert touched.feature_share_P.tolist() == pytest.approx([2**-0.5, 2**-0.5, 1])


def test_a_batch_reads_the_last_places_of_each_history_and_knows_the_latest():
    batch = batch_of([0, 1, 2, 3])
    told = list(zip(batch.history_row_H, batch.history_place_H, batch.items_U[batch.history_at_H], strict=True))
    assert told == [(1, 0, 3), (2, 0, 1), (2, 1, 3)]
    assert batch.latest_G.tolist() == [0, 1]
    assert batch.items_U[batch.column_at_C][batch.target_B].tolist() == [3, 1, 3, 4]
    assert batch.weights_B.tolist() == [0.5] * 4


def test_a_batch_touches_what_it_reads_ranks_and_draws_and_nothing_else():
    batch = batch_of([1], num_negatives=0)
    assert batch.items_U.tolist() == [1, 3]
    assert batch.column_at_C.tolist() == [0]


def test_a_part_without_an_example_is_a_batch_of_nothing():
    batch = batch_of([], num_negatives=1)
    assert len(batch.target_B) == len(batch.history_at_H) == 0
