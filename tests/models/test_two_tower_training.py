from dataclasses import replace

import numpy as np
import pytest
import torch

from endcap.core.errors import ModelError
from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.metrics.ranking import ndcg_at
from endcap.models.evaluate import answer
from endcap.models.popular import Popular
from endcap.models.protocols import session_next
from endcap.models.training.context import Context
from endcap.models.training.lookup import Reading
from endcap.models.training.loop import train as train_task
from endcap.models.training.place import place_of
from endcap.models.training.ranks import Ranks
from endcap.models.training.settings import TrainingRun, TrainingSettings
from endcap.models.training.source import InMemory
from endcap.models.two_tower import TwoTower
from endcap.models.two_tower_batches import Contents
from endcap.models.two_tower_content import content_features
from endcap.models.two_tower_examples import examples_of
from endcap.models.two_tower_training import TwoTowerTask, scorer_of
from endcap.testing.worlds import SPLIT_US, planted_catalogue, planted_sequences

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


def train(recipe, sequences, items, *, seed):
    return recipe.fit(sequences, items, seed=seed)


def task_of(recipe, sequences):
    context = Context(place_of(TrainingSettings(device="cpu")), Ranks(), 0)
    task = TwoTowerTask(recipe, InMemory(sequences), Contents(*content_features(catalogue())), context)
    return task, context


def fitted(recipe, sequences):
    task, context = task_of(recipe, sequences)
    train_task(task, TrainingRun(context_settings()), context, of=task.of)
    return task


def context_settings():
    return TrainingSettings(device="cpu")


def test_the_numpy_scorer_says_what_the_torch_towers_say():
    recipe = TwoTower(epochs=3)
    task = fitted(recipe, world())
    towers, contents = task.module, task.batches.contents
    scorer = scorer_of(towers, recipe, contents, np.ones(NUM_ITEMS, bool))
    queries = Queries.of([[1, 2, 3], [], [5], [0, 4] * 30])
    at_BL, filled_BL = queries.last(recipe.history)
    row_H, place_H = np.nonzero(filled_BL)
    batch = {
        **vars(contents.touched(np.arange(NUM_ITEMS))),
        "history_at_H": at_BL[row_H, place_H].astype(np.int64),
        "history_row_H": row_H,
        "history_place_H": place_H,
        "latest_G": np.flatnonzero(place_H == 0),
    }
    batch = {name: torch.from_numpy(values) for name, values in batch.items()}
    with torch.no_grad():
        contents_FD = towers.contents_FD.whole()[batch["features_V"]]
        vectors_ND = towers.item_vectors(batch, towers.ids_ND.whole()[batch["items_U"]], contents_FD)
        query_BD = towers.query_vectors(vectors_ND, batch, len(queries))
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


def test_items_of_a_pool_count_once_more_for_their_example_alone():
    """The loss of one example by hand: draws with repetition stand for their pool, the target in it is left out."""
    walk = np.array([1, 2, 3], np.int32)
    pool = np.array([[-1] * 4, [5, 5, 6, 2], [-1] * 4], np.int32)
    weights = np.array([[1.0] * 4, [0.5, 0.5, 0.5, 9.0], [1.0] * 4], np.float32)
    beside = Sequences(np.array([0, 3]), walk, np.arange(3), np.arange(1), pool_negatives=pool, pool_weights=weights)
    recipe = TwoTower(epochs=1, dropout=0, id_dropout=0)
    task = fitted(recipe, world(20))
    scores_BN = scorer_of(task.module, recipe, task.batches.contents, np.ones(NUM_ITEMS, bool)).score(
        Queries.of([[], [1], [1, 2]])
    )
    exp_BN = np.exp(scores_BN.astype(np.float64))
    sums = exp_BN.sum(axis=1)
    sums[1] += exp_BN[1, 5] + 0.5 * exp_BN[1, 6]
    expected = np.log(sums) - scores_BN[np.arange(3), walk]
    for row in range(3):
        batch = task.batches.of(examples_of(beside), np.array([row]), name=0, weight=1)
        reading = Reading(task.reads, batch, place_of(context_settings()))
        with torch.no_grad():
            found = task.loss(reading.batch(), reading.rows())
        assert float(found) == pytest.approx(expected[row], abs=1e-5)


def planted(**kinds):
    """The planted world with negatives of some kinds beside each element, as examples bring them."""
    plain = planted_sequences()
    rng = np.random.default_rng(11)
    num = len(plain.items)
    uniform = rng.integers(0, 12, (num, 4))
    # Shown and passed over: any item but the target and the next. Near: those around the target, which is none.
    passed = (plain.items[:, None] + rng.integers(2, 12, (num, 3))) % 12
    near = (plain.items[:, None] + rng.choice([-3, -2, 2, 3], (num, 2))) % 12
    drawn = {
        "uniform": {"negatives": uniform, "negative_p": np.full(uniform.shape, 1 / 12)},
        "pools": {
            "pool_negatives": np.concatenate([passed, near], axis=1),
            "pool_weights": np.concatenate([np.full(passed.shape, 10 / 3), np.full(near.shape, 4 / 2)], axis=1),
        },
    }
    beside = {name: values for kind in kinds for name, values in drawn[kind].items() if kinds[kind]}
    typed = {name: each.astype(np.int32 if name.endswith("negatives") else np.float32) for name, each in beside.items()}
    return replace(plain, **typed)


@pytest.mark.parametrize("num_negatives", [1024, 4])
def test_negatives_of_mixed_kinds_still_beat_popularity_on_the_planted_world(num_negatives):
    split = session_next(planted(uniform=True, pools=True), split_us=SPLIT_US)
    found = {}
    for recipe in (TwoTower(num_negatives=num_negatives), Popular()):
        scorer = recipe.fit(split.train, planted_catalogue(), seed=17)
        found[recipe.kind] = ndcg_at(answer(scorer, split.cases, 12, count=5).ranks, 5).mean()
    assert found["two_tower"] > 1.5 * found["popular"]


def test_an_item_that_comes_after_training_has_the_vector_that_training_would_give_it_without_events():
    whole = train(TwoTower(epochs=2), world(50), catalogue(), seed=0)
    unseen = train(TwoTower(epochs=2), world(50), with_new(catalogue()), seed=0)
    later = unseen.with_items(with_new(catalogue()), np.array([*range(NUM_ITEMS), -1], np.int32))
    np.testing.assert_allclose(later.item_vectors_ND, unseen.item_vectors_ND, rtol=1e-4, atol=1e-6)
    assert np.linalg.norm(later.item_vectors_ND[NUM_ITEMS]) > 0
    assert whole.content_names == unseen.content_names == ("category:even", "category:odd")


def with_new(known):
    return Catalogue((*known.item_ids, "new"), categories=(*known.categories, "odd"))


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
    task, _ = task_of(recipe, world(20))
    with torch.no_grad():
        task.module.out_bias_D[0] = float("nan")
    with pytest.raises(ModelError, match="lower two_tower's learning_rate"):
        scorer_of(task.module, recipe, task.batches.contents, np.ones(NUM_ITEMS, bool))


@pytest.mark.parametrize("tables", ["dense", "by_rows"])
def test_both_ways_of_learning_tables_beat_popularity_on_the_planted_world(tables):
    split = session_next(planted(), split_us=SPLIT_US)
    found = {}
    for recipe in (TwoTower(tables=tables), Popular()):
        scorer = recipe.fit(split.train, planted_catalogue(), seed=17)
        found[recipe.kind] = ndcg_at(answer(scorer, split.cases, 12, count=5).ranks, 5).mean()
    assert found["two_tower"] > 1.5 * found["popular"]


def test_a_step_of_several_parts_has_the_targets_of_a_whole_one():
    task, _ = task_of(TwoTower(batch=64), world(100))
    whole, halves = (list(task.steps(0, range(parts), parts)) for parts in (1, 2))
    assert [(step.begin, step.end, step.ends_pass) for step in whole] == [
        (step.begin, step.end, step.ends_pass) for step in halves
    ]
    for one, two in zip(whole, halves, strict=True):
        assert sum(len(batch.target_B) for batch in two.parts.values()) == len(one.parts[0].target_B)
        assert sum(batch.weights_B.sum() for batch in two.parts.values()) == pytest.approx(
            one.parts[0].weights_B.sum(), abs=1e-6
        )


def test_the_steps_from_a_cursor_on_are_those_of_the_whole_walk():
    task, _ = task_of(TwoTower(batch=64, epochs=3), world(100))
    walk = [(step.begin, step.end) for step in task.steps(0, [0], 1)]
    assert walk[0][0] == 0
    assert walk[-1][1] == task.total
    for at in (1, len(walk) // 2, len(walk) - 1):
        again = list(task.steps(walk[at][0], [0], 1))
        assert [(step.begin, step.end) for step in again] == walk[at:]
    first = next(iter(task.steps(walk[5][0], [0], 1))).parts[0]
    second = list(task.steps(0, [0], 1))[5].parts[0]
    assert all(np.array_equal(getattr(first, name), getattr(second, name)) for name in vars(first))


def test_other_content_and_other_negatives_are_other_data():
    context = Context(place_of(context_settings()), Ranks(), 0)
    plain = world(60)
    negatives = np.full((len(plain.items), 2), 3, np.int32)
    sampled = replace(plain, negatives=negatives, negative_p=np.full(negatives.shape, 0.1, np.float32))
    other = replace(catalogue(), categories=("odd", *catalogue().categories[1:]))
    of = {
        TwoTowerTask(TwoTower(), InMemory(sequences), Contents(*content_features(items)), context).of
        for sequences, items in ((plain, catalogue()), (sampled, catalogue()), (plain, other))
    }
    assert len(of) == 3


def test_what_makes_the_batches_of_the_validation_part_makes_no_others():
    task, _ = task_of(TwoTower(), world(60))
    assert task.asking is not task.batches
    assert task.asking.contents is not task.batches.contents
