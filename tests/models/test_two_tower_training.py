import numpy as np
import pytest
import torch

from endcap.core.errors import ModelError
from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.models.two_tower import TwoTower
from endcap.models.two_tower_training import fit_towers, scorer_of, train

NUM_ITEMS = 12


def world(num_sequences=200, **more):
    """A walk over the circle of items, with item 0 in the middle of everything."""
    rng = np.random.default_rng(3)
    lists = []
    for _ in range(num_sequences):
        at = rng.integers(1, NUM_ITEMS)
        lists += [at, 1 + at % (NUM_ITEMS - 1), 0 if rng.random() < 0.4 else 1 + (at + 1) % (NUM_ITEMS - 1)]
    items = np.array(lists, np.int32)
    return Sequences(np.arange(0, len(items) + 1, 3), items, np.arange(len(items)), np.arange(num_sequences), **more)


def catalogue():
    categories = tuple("odd" if item % 2 else "even" for item in range(NUM_ITEMS))
    return Catalogue(tuple(f"{item:02}" for item in range(NUM_ITEMS)), categories=categories)


def test_the_numpy_scorer_says_what_the_torch_towers_say():
    recipe = TwoTower(epochs=3)
    towers = fit_towers(recipe, world(), catalogue(), seed=0)
    scorer = scorer_of(towers, recipe, np.ones(NUM_ITEMS, bool))
    queries = Queries.of([[1, 2, 3], [], [5], [0, 4] * 30])
    at_BL, filled_BL = queries.last(recipe.history)
    with torch.no_grad():
        vectors_ND = towers.item_vectors(np.arange(NUM_ITEMS))
        query_BD = towers.query_vectors(vectors_ND, at_BL.astype(np.int64), filled_BL)
        scores_BN = (query_BD @ vectors_ND.T).numpy()
    assert np.abs(scorer.query_vectors_BD(queries) - query_BD.numpy()).max() <= 1e-5
    assert np.abs(scorer.score(queries) - scores_BN).max() <= 1e-5 * max(1, np.abs(scores_BN).max())


@pytest.mark.parametrize("num_negatives", [NUM_ITEMS, 4, 0])
def test_drawn_or_whole_the_softmax_learns_how_often_items_follow(num_negatives):
    sequences = world(500)
    walks = sequences.items.reshape(-1, 3)
    recipe = TwoTower(num_negatives=num_negatives, epochs=15, batch=64, dropout=0, id_dropout=0)
    scores = train(recipe, sequences, catalogue(), seed=0).score(Queries.of([[3, 4], [7, 8]]))
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    # Uncorrected in-batch negatives would push item 0, which follows anything, far below its share.
    for found, start in zip(chances, (3, 7), strict=True):
        followed_by_0 = (walks[walks[:, 0] == start, 2] == 0).mean()
        assert found[[0, start + 2]] == pytest.approx([followed_by_0, 1 - followed_by_0], abs=0.15)


def test_negatives_of_the_examples_are_learned_from():
    plain = world(60)
    negatives = np.full((len(plain.items), 4), 9, np.int32)
    p = np.full(negatives.shape, 0.1, np.float32)
    with_given = world(60, negatives=negatives, negative_p=p)
    without = world(60, negatives=np.full_like(negatives, -1), negative_p=p)
    recipe = TwoTower(epochs=2, num_negatives=4)
    vectors = [train(recipe, each, catalogue(), seed=0).item_vectors_ND for each in (plain, without, with_given)]
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])


def test_training_uses_one_thread_and_leaves_torch_as_it_was():
    before, state = torch.get_num_threads(), torch.random.get_rng_state()
    train(TwoTower(epochs=1), world(20), catalogue(), seed=0)
    assert torch.get_num_threads() == before
    assert torch.equal(torch.random.get_rng_state(), state)


def test_elements_of_weight_zero_are_not_learned_as_targets():
    sequences = world()
    weights = np.where(sequences.items == 0, 0, 1).astype(np.float32)
    queries = Queries.of([[3, 4]])
    ranks = []
    for each in (sequences, world(weights=weights)):
        (row,) = train(TwoTower(), each, catalogue(), seed=0).score(queries)
        ranks.append(int((row >= row[0]).sum()) - 1)
    assert ranks[0] < 2 < ranks[1]


def test_numbers_out_of_range_end_in_an_error_that_says_what_to_change():
    recipe = TwoTower(epochs=1)
    towers = fit_towers(recipe, world(20), catalogue(), seed=0)
    with torch.no_grad():
        towers.out_bias_D[0] = float("nan")
    with pytest.raises(ModelError, match="lower two_tower's learning_rate"):
        scorer_of(towers, recipe, np.ones(NUM_ITEMS, bool))
