import numpy as np
import pytest

from endcap.core.history import History
from endcap.serving.asking import LEAST, Asking
from endcap.serving.config import PlacementConfig
from endcap.serving.meters import Meters
from endcap.serving.pipeline import answer

HOME = PlacementConfig()


def found(bundle, history="", n=8, placement=HOME, **rules):
    asking = Asking(bundle, History.of_items(["ABCDEFGH".index(each) for each in history]), n, **rules)
    return answer(asking, placement, Meters())


def letters_of(result):
    return "".join(item.item_id for item in result.items)


def test_known_links_come_first_then_neighbours_and_popular_items(bundle):
    result = found(bundle, "A", current=frozenset([0]))
    assert letters_of(result) == "BDCGHE"  # F follows A often and is sold out
    assert [item.place for item in result.items] == [1, 2, 3, 4, 5, 6]
    assert result.items[0].reasons[0].code == "goes_with"
    assert result.items[0].reasons[0].item_id == "A"
    assert all(item.propensity == 1 for item in result.items)
    assert result.fallbacks == ()


@pytest.mark.parametrize("count", [1, 2, 8])
def test_the_slate_is_full_however_few_each_source_is_asked_for(bundle, count):
    placement = PlacementConfig(num_candidates=count)
    assert letters_of(found(bundle, "A", 6, placement, current=frozenset([0]))) == "BDCGHE"


def test_fewer_items_than_asked_for_when_no_more_are_eligible(bundle):
    assert letters_of(found(bundle, excluded=frozenset(range(6)))) == "GH"
    assert found(bundle, excluded=frozenset(range(8))).items == ()


def test_scores_that_are_no_numbers_sink_and_equal_ones_stand_by_number(bundle, monkeypatch):
    scores = np.array([[np.nan, 1, 2, 2, 1, 9, np.nan, 2]], np.float32)
    monkeypatch.setattr(type(bundle.models["two_tower"]), "score", lambda _self, _queries: scores)
    result = found(bundle, "A", placement=PlacementConfig(model="two_tower"))
    assert letters_of(result) == "CDHBEAG"
    assert result.items[-1].score == LEAST


def fail(*_):
    raise RuntimeError("broken")


def test_a_source_that_fails_leaves_the_others(bundle, monkeypatch):
    monkeypatch.setattr(type(bundle.indexes["two_tower"]), "search", fail)
    result = found(bundle, "A", current=frozenset([0]))
    assert letters_of(result) == "BDCGHE"
    assert result.fallbacks == ("source_failed",)


def test_a_model_that_fails_leaves_the_order_of_proposal(bundle, monkeypatch):
    monkeypatch.setattr(type(bundle.models["item_markov"]), "score", fail)
    result = found(bundle, "A", 3, current=frozenset([0]))
    assert result.fallbacks == ("source_failed", "model_failed")
    assert letters_of(result) == "BCD"  # neighbours of A
    assert result.model == ""


def test_when_everything_fails_what_is_popular_is_answered(bundle, monkeypatch):
    monkeypatch.setattr(type(bundle.models["item_markov"]), "score", fail)
    monkeypatch.setattr(type(bundle.models["two_tower"]), "query_vectors_BD", fail)
    monkeypatch.setattr(type(bundle.models["item_markov"]), "because", fail)
    result = found(bundle, "A", 3, PlacementConfig(sources=("item_markov", "two_tower")))
    assert letters_of(result) == "ABD"
    assert result.fallbacks == ("source_failed", "model_failed", "reasons_failed")


def test_a_model_that_the_bundle_lacks_is_told(bundle):
    result = found(bundle, "A", 3, PlacementConfig(model="ranker", sources=("ranker", "item_markov")))
    assert result.fallbacks == ("model_missing",)
    assert result.model == "item_markov"


def test_the_model_that_ordered_a_slate_is_told(bundle):
    assert found(bundle, "A", 3).model == "item_markov"
    assert found(bundle, "A", 3, PlacementConfig(model="two_tower")).model == "two_tower"
    assert found(bundle, "", 3, PlacementConfig(model="two_tower")).model == "popular"  # it has nothing to go by
