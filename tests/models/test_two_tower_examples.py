import numpy as np
import pytest

from endcap.core.sequences import Sequences
from endcap.models.two_tower_examples import Frequencies, columns_of_step, examples_of


def sequences(lists, **more):
    lengths = [len(each) for each in lists]
    flat = np.array([item for each in lists for item in each], np.int32)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Sequences(starts, flat, np.arange(len(flat)), np.arange(len(lists)), **more)


def frequencies(examples, num_items):
    return Frequencies.of(examples.counts(num_items), power=0.75)


def told(examples):
    rows = np.arange(len(examples))
    histories, filled = examples.histories(rows, 3)
    return [(list(h[f]), int(t)) for h, f, t in zip(histories, filled, examples.items[examples.targets], strict=True)]


def test_every_change_of_item_is_a_step_and_the_first_item_follows_an_empty_history():
    found = examples_of(sequences([[3, 3, 1, 3], [], [3]]))
    assert told(found) == [([], 3), ([3], 1), ([1, 3], 3), ([], 3)]
    assert found.counts(4).tolist() == [0, 1, 0, 3]
    assert frequencies(found, 4).target_p.tolist() == [0, 0.25, 0, 0.75]


def test_a_step_weighs_what_its_heaviest_event_weighs_and_weight_zero_is_no_target():
    found = examples_of(sequences([[0, 1, 1, 2]], weights=np.array([1, 1, 3, 0], np.float32)))
    assert told(found) == [([], 0), ([0], 1)]
    assert found.weights.tolist() == [1, 3]


def test_no_sequences_give_no_examples():
    assert len(examples_of(sequences([]))) == 0
    assert len(examples_of(sequences([[], []]))) == 0


def test_column_weights_estimate_a_sum_over_all_items_without_bias():
    rng = np.random.default_rng(0)
    lists = [rng.choice(8, size=5, p=np.arange(1, 9) / 36).tolist() for _ in range(40)]
    examples = examples_of(sequences(lists))
    values = np.arange(8) + 1.0
    totals, how_often = [], frequencies(examples, 8)
    for step in range(2000):
        rows = rng.integers(0, len(examples), 16)
        columns = columns_of_step(examples, rows, how_often, num_negatives=6, name=step, seed=1)
        totals.append(values[columns.items] @ columns.weights)
        assert np.array_equal(columns.items[columns.target], examples.items[examples.targets[rows]])
    error = np.std(totals) / np.sqrt(len(totals))
    assert np.mean(totals) == pytest.approx(values.sum(), abs=4 * error)


def test_negatives_that_the_examples_bring_take_the_place_of_drawn_ones():
    negatives = np.array([[7, 7], [-1, -1], [6, 7]], np.int32)
    p = np.full((3, 2), 0.5, np.float32)
    examples = examples_of(sequences([[0, 1, 2]], negatives=negatives, negative_p=p))
    columns = columns_of_step(examples, np.arange(3), frequencies(examples, 8), num_negatives=4, name=0, seed=0)
    assert columns.items.tolist() == [0, 1, 2, 6, 7]
    assert columns.weights == pytest.approx([3 / 7, 3 / 7, 3 / 7, 2 / 7, 6 / 7])


def test_draws_from_pools_stand_beside_their_targets_and_are_no_columns():
    pool = np.array([[-1, -1], [7, 7], [6, -1]], np.int32)
    weights = np.array([[1, 1], [2, 2], [3, 1]], np.float32)
    found = examples_of(sequences([[0, 1, 2]], pool_negatives=pool, pool_weights=weights))
    assert found.pool_negatives.tolist() == pool.tolist()
    assert found.pool_weights.tolist() == weights.tolist()
    columns = columns_of_step(found, np.arange(3), frequencies(found, 8), num_negatives=0, name=0, seed=0)
    assert columns.items.tolist() == [0, 1, 2]
    assert examples_of(sequences([[0, 1, 2]])).pool_negatives.shape == (3, 0)


def test_a_draw_that_almost_never_happens_does_not_outweigh_the_rest():
    negatives = np.array([[7], [7]], np.int32)
    examples = examples_of(sequences([[0, 1]], negatives=negatives, negative_p=np.full((2, 1), 1e-9, np.float32)))
    columns = columns_of_step(examples, np.arange(2), frequencies(examples, 8), num_negatives=2, name=0, seed=0)
    assert columns.weights[-1] <= 100 * 8


def test_a_small_catalogue_is_scored_whole_and_exactly():
    examples = examples_of(sequences([[0, 2]]))
    columns = columns_of_step(examples, np.arange(2), frequencies(examples, 4), num_negatives=4, name=0, seed=0)
    assert columns.items.tolist() == [0, 1, 2, 3]
    assert columns.weights.tolist() == [1, 1, 1, 1]
    assert columns.target.tolist() == [0, 2]
