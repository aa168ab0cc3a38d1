import numpy as np
import pytest

from endcap.core.sampling import Sampler
from endcap.core.sequences import Queries
from endcap.models.sequence import SequenceModel
from endcap.models.sequence_batches import Batches, steps_of
from endcap.models.sequence_elements import Collapsed

HISTORIES = Collapsed.of(Queries.of([[3, 1, 2], [4], [], [0, 3]]), 10)


def batch_of(rows, **settings):
    recipe = SequenceModel(dim=8, heads=2, history=9, event_dropout=0, **settings)
    batches = Batches(recipe, Sampler(np.arange(1, 7)), 6, seed=0)
    return batches.of(HISTORIES, np.array(rows, np.int64), name=0, num_targets=6)


def test_each_element_is_the_target_of_what_stands_before_it():
    batch = batch_of([0, 3], num_negatives=2)
    assert batch.items_U.tolist() == list(range(6))
    assert batch.target_row_T.tolist() == [0, 0, 0, 1, 1]
    assert batch.target_place_T.tolist() == [0, 1, 2, 0, 1]
    assert batch.items_U[batch.target_at_T].tolist() == [3, 1, 2, 0, 3]
    assert batch.items_U[batch.at_BL][0].tolist() == [3, 1]
    assert batch.items_U[batch.at_BL][1, 0] == 0


def test_a_large_catalogue_is_touched_where_a_step_reads_ranks_or_draws_it():
    batch = batch_of([1], num_negatives=1)
    assert set(batch.items_U) == {4, *batch.items_U[batch.column_at_C]}
    assert batch.column_log_weights_C == pytest.approx(-np.log((batch.items_U[batch.column_at_C] + 1) / 21))
    assert batch.at_BL.shape == (1, 0)


def test_a_part_without_a_sequence_is_a_batch_of_nothing():
    batch = batch_of([], num_negatives=1)
    assert len(batch.target_at_T) == 0
    assert batch.at_BL.shape[0] == 0


@pytest.mark.parametrize("tokens", [1, 7, 64, 10_000])
def test_every_sequence_is_in_one_step_of_an_epoch_and_no_step_of_several_is_too_large(tokens):
    lengths = np.random.default_rng(2).integers(0, 9, size=200)
    steps = list(steps_of(lengths, tokens, np.random.default_rng([1, 0])))
    assert sorted(np.concatenate(steps).tolist()) == np.flatnonzero(lengths).tolist()
    assert all(len(rows) == 1 or len(rows) * lengths[rows].max() <= tokens for rows in steps)


def test_one_seed_gives_one_order_and_epochs_differ():
    lengths = np.arange(1, 50)
    orders = [
        [rows.tolist() for rows in steps_of(lengths, 64, np.random.default_rng([1, epoch]))] for epoch in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]
