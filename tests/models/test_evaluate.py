import msgspec
import numpy as np
import pytest

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Catalogue, Sequences
from endcap.metrics.ranking import UNDEFINED
from endcap.models import evaluate as room
from endcap.models.budget import Budget
from endcap.models.config import EvaluationSettings
from endcap.models.evaluate import answer, evaluate, split_by
from endcap.models.item_markov import ItemMarkov
from endcap.models.popular import Popular, PopularScorer
from endcap.models.protocols import leave_one_out
from endcap.models.recent import Recent
from endcap.testing.worlds import SPLIT_US, no_sequences, planted_catalogue, planted_sequences

RECIPES = {"popular": Popular(), "item_markov": ItemMarkov(), "recent": Popular(window_days=1)}


class Unfit:
    """A recipe that cannot learn from anything."""

    kind = "unfit"

    def fit(self, _sequences, _catalogue, *, seed):
        raise ModelError(f"nothing can be learned by seed {seed}", fix="none", code=Code.MODEL_NOT_FITTED)


def measured(protocol="session_next", sequences=None, recipes=RECIPES, **changes):
    settings = {"split_us": SPLIT_US, "ks": (1, 3), "seed": 5, "resamples": 20} | changes
    return evaluate(
        recipes,
        planted_sequences() if sequences is None else sequences,
        planted_catalogue(),
        protocol=protocol,
        **settings,
    )


def one_user():
    """Items 0, 1, 0 and then 1: what is seen holds the target."""
    return Sequences(np.array([0, 4]), np.array([0, 1, 0, 1], np.int32), np.arange(4), np.array([0]))


def test_measures_differences_and_counts_of_the_planted_world():
    plain = measured().to_plain()
    assert plain["models"]["item_markov"]["hr@1"] > 0.8
    assert plain["counts"]["cases"] == 316  # 320 steps less 4 to an equal item
    assert set(plain["differences"]) == {"item_markov - popular", "recent - item_markov", "recent - popular"}
    low, high = plain["differences"]["item_markov - popular"]["ci"]["ndcg@3"]
    assert 0 < low < plain["differences"]["item_markov - popular"]["ndcg@3"] < high


def test_what_the_settings_can_watch_is_measured():
    named = {measure.split("@")[0] for measure in EvaluationSettings().measures()}
    told = measured().to_plain()["models"]["popular"]
    assert named < {measure.split("@")[0] for measure in told if "@" in measure}


@pytest.mark.parametrize("protocol", ["session_next", "time", "leave_one_out", "next_basket"])
def test_the_same_data_and_seed_give_the_same_bytes(protocol):
    first, again = (msgspec.json.encode(measured(protocol).to_plain()) for _ in range(2))
    assert first == again


def test_batches_do_not_matter(monkeypatch):
    whole = measured().to_plain()
    monkeypatch.setattr(room, "_CELLS", 50)
    assert measured().to_plain() == whole


def test_the_current_item_is_no_candidate():
    split = split_by("session_next", one_user(), 2)
    found = answer(PopularScorer(np.array([9, 5, 1], np.float32)), split.cases, 3, count=3)
    assert found.ranks.tolist() == [0]
    assert found.top.tolist() == [[1, 2, -1]]


def test_seen_items_are_dropped_on_request_and_such_targets_are_undefined():
    cases = leave_one_out(one_user()).cases
    scorer = PopularScorer(np.array([9, 5, 1], np.float32))
    assert answer(scorer, cases, 3, count=2).ranks.tolist() == [1]
    assert answer(scorer, cases, 3, count=2, seen="drop").ranks.tolist() == [UNDEFINED]


def test_nothing_to_ask_gives_undefined_measures_not_zeros():
    plain = measured(sequences=no_sequences()).to_plain()
    assert plain["counts"]["cases"] == 0
    assert plain["models"]["popular"]["hr@1"] is None
    assert plain["models"]["popular"]["ci"]["hr@1"] is None


def test_all_items_are_ranked_also_those_never_seen():
    wide = Catalogue(tuple(f"item-{number:03d}" for number in range(20)))
    found = evaluate(
        RECIPES, planted_sequences(), wide, protocol="time", split_us=SPLIT_US, ks=(20,), seed=1, resamples=20
    )
    assert found.to_plain()["models"]["popular"]["coverage@20"] == 1


def test_lists_are_measured_beside_hits_and_the_catalogue_of_the_planted_world_has_categories():
    plain = measured().to_plain()["models"]
    assert plain["popular"]["gini@3"] > plain["item_markov"]["gini@3"]
    assert {"novelty@1", "popularity@1", "diversity@3"} <= set(plain["item_markov"]["ci"])


def test_slices_are_measured_with_their_numbers_of_cases():
    slices = measured().to_plain()["slices"]
    assert slices["untied"]["cases"] == 316
    assert slices["untied"]["models"]["item_markov"]["hr@1"] == measured().to_plain()["models"]["item_markov"]["hr@1"]
    assert slices["cold_items"] == {"cases": 0, "users": 0, "too_small": True, "models": {}, "differences": {}}
    assert slices["cold_users"]["cases"] == 80  # the first step of each session after the split
    assert slices["cold_users"]["models"]["item_markov"]["ci"]["hr@1"] is not None


def orders():
    """Sixty customers who buy items 0 and 1, then 2 with 3, then the first two again."""
    items = np.tile(np.array([0, 1, 2, 3, 0, 1], np.int32), 60)
    at_us = np.tile(np.array([1, 1, 2, 2, 3, 3]), 60)
    return Sequences(np.arange(0, 361, 6), items, at_us, np.arange(60))


def test_of_baskets_all_right_items_are_asked_and_repeats_count():
    recipes = {"item_markov": ItemMarkov(), "popular": Popular(), "recent": Recent(decay=1.0)}
    found = measured("next_basket", orders(), recipes, split_us=3)
    plain = found.to_plain()
    assert plain["counts"] | {"cases": 60, "same_instant": 0, "undefined": 0} == plain["counts"]
    assert {"hr@3", "recall@3", "ndcg@3"} <= set(plain["models"]["recent"])
    assert "mrr@3" not in plain["models"]["recent"]
    assert set(plain["slices"]) == {"new_items", "cold_users"}
    assert (plain["slices"]["new_items"]["cases"], plain["slices"]["cold_users"]["cases"]) == (0, 0)
    dropped = measured("next_basket", orders(), recipes, split_us=3, seen="drop").to_plain()
    assert dropped["models"]["recent"]["ndcg@3"] is None
    assert dropped["counts"]["undefined"] == 60  # baskets, not their items


def test_a_recipe_that_may_fail_is_told_and_another_one_stops_everything():
    recipes = {**RECIPES, "unfit": Unfit()}
    found = measured(recipes=recipes, may_fail=frozenset({"unfit"}))
    assert set(found.models) == set(RECIPES)
    assert found.not_fitted["unfit"].why == "cannot be fitted: nothing can be learned by seed 5"
    with pytest.raises(ModelError):
        measured(recipes=recipes)


def test_under_a_budget_the_references_run_and_the_others_as_far_as_it_goes_in_the_order_asked():
    ticks = iter(range(0, 10**9, 1_000_000))  # a second goes by at each look at the clock

    def clock():
        return next(ticks)

    plenty = measured(budget=Budget(1000, clock, 0), clock=clock)
    assert list(plenty.models) == list(RECIPES)
    assert plenty.to_plain() == measured().to_plain()
    little = measured(budget=Budget(1, clock, 0), clock=clock)
    assert list(little.models) == ["popular", "item_markov"]
    assert "budget of 1 s" in little.not_fitted["recent"].why
