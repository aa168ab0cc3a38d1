import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.models.two_tower import TwoTower
from endcap.testing.algorithms import AlgorithmConformance

NUM_ITEMS, NUM_GROUPS = 40, 4
COLD = 39


class TestTwoTower(AlgorithmConformance):
    recipe = TwoTower(dim=16, hidden=32)


def planted(num_sequences=300, seed=0):
    """Item i is of group i mod 4; a visit stays in its group, low numbers more often; item 39 is never seen."""
    rng = np.random.default_rng(seed)
    in_group = NUM_ITEMS // NUM_GROUPS
    chances = 1 / np.arange(1, in_group + 1)
    lists = []
    for _ in range(num_sequences):
        group = rng.integers(NUM_GROUPS)
        picks = rng.choice(in_group, size=rng.integers(2, 7), p=chances / chances.sum())
        lists.append([int(item) for item in picks * NUM_GROUPS + group if item != COLD])
    return lists


def sequences(lists):
    starts = np.concatenate([[0], np.cumsum([len(each) for each in lists])]).astype(np.int64)
    flat = np.array([item for each in lists for item in each], np.int32)
    return Sequences(starts, flat, np.arange(len(flat)), np.arange(len(lists)))


def catalogue(num_items=NUM_ITEMS, *, content=True):
    ids = tuple(f"{item:03}" for item in range(num_items))
    return Catalogue(
        ids, categories=tuple(f"Shop/{item % NUM_GROUPS}" for item in range(num_items)) if content else None
    )


@pytest.fixture(scope="module")
def fitted():
    return TwoTower().fit(sequences(planted()), catalogue(), seed=1)


def hit_rate(scores, targets, count=5):
    ranks = (scores >= scores[np.arange(len(targets)), targets][:, None]).sum(axis=1) - 1
    return (ranks < count).mean()


def test_it_beats_popularity_on_a_planted_world(fitted):
    tests = [each for each in planted(200, seed=9) if len(each) > 1 and each[-1] != each[-2]]
    targets = np.array([each[-1] for each in tests])
    popular = np.bincount(sequences(planted()).items, minlength=NUM_ITEMS).astype(np.float32)
    scores = fitted.score(Queries.of([each[:-1] for each in tests]))
    assert hit_rate(scores, targets) > hit_rate(np.tile(popular, (len(tests), 1)), targets) + 0.2


def test_a_new_visitor_is_shown_what_many_look_at_first(fitted):
    best = np.argsort(-fitted.score(Queries.of([[]]))[0])[:4]
    counts = np.bincount(sequences(planted()).items, minlength=NUM_ITEMS)
    assert counts[best].min() >= np.sort(counts)[-10]


def test_an_item_without_any_event_lies_near_its_category(fitted):
    vectors = fitted.item_vectors_ND / np.linalg.norm(fitted.item_vectors_ND, axis=1, keepdims=True)
    alike = vectors @ vectors[COLD]
    group = np.arange(NUM_ITEMS) % NUM_GROUPS
    own = alike[(group == COLD % NUM_GROUPS) & (np.arange(NUM_ITEMS) != COLD)]
    assert own.mean() > alike[group != COLD % NUM_GROUPS].mean() + 0.3


def test_a_cold_item_scores_best_for_shoppers_of_its_category(fitted):
    own, other = fitted.score(Queries.of([[3, 7], [0, 4]]))[:, COLD]
    assert own > other


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    found = {}
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        (tmp_path / name).mkdir()
        TwoTower(epochs=2).fit(sequences(planted(60)), catalogue(), seed=seed).save(tmp_path / name)
        found[name] = [path.read_bytes() for path in sorted((tmp_path / name).iterdir())]
    assert found["one"] == found["two"]
    assert found["one"] != found["three"]


@pytest.mark.parametrize("content", [True, False])
def test_it_answers_without_any_sequence(content):
    scorer = TwoTower().fit(sequences([]), catalogue(5, content=content), seed=0)
    scores = scorer.score(Queries.of([[], [1, 4]]))
    assert scores.shape == (2, 5)
    assert np.isfinite(scores).all()


def test_one_item_can_be_learned_and_asked_for():
    scores = TwoTower(epochs=1).fit(sequences([[0], [0, 0]]), catalogue(1), seed=0).score(Queries.of([[], [0]]))
    assert scores.shape == (2, 1)
    assert np.isfinite(scores).all()


def test_it_learns_without_content():
    scorer = TwoTower().fit(sequences(planted()), catalogue(content=False), seed=0)
    own, other = scorer.score(Queries.of([[3], [0]]))[:, 7]
    assert own > other


def test_settings_out_of_range_or_unknown_are_refused():
    with pytest.raises(ValidationError) as caught:
        TwoTower(dim=0, learning_rate=0, temprature=1)
    assert len(caught.value.errors()) == 3


def test_reading_settings_and_scoring_do_not_load_torch():
    code = "import sys, endcap.models.two_tower; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
