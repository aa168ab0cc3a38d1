import numpy as np
import pytest
from pydantic import ValidationError

from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.models.bought_together import BoughtTogether
from endcap.testing.algorithms import AlgorithmConformance

FIVE = Catalogue(tuple("abcde"))


def fit(*baskets, **settings):
    flat = [ord(item) - ord("a") for basket in baskets for item in basket]
    starts = np.concatenate([[0], np.cumsum([len(basket) for basket in baskets])]).astype(np.int64)
    shop = Sequences(starts, np.array(flat, np.int32), np.arange(len(flat)), np.arange(len(baskets)))
    return BoughtTogether(**settings).fit(shop, FIVE, seed=1)


def order_of(scorer, history):
    scores = scorer.score(Queries.of([[ord(item) - ord("a") for item in history]]))[0]
    return "".join("abcde"[item] for item in np.argsort(-scores, kind="stable"))


class TestBoughtTogether(AlgorithmConformance):
    recipe = BoughtTogether()


def test_a_score_is_the_lift_drawn_towards_one():
    scorer = fit("ab", "ab", "cd", "c", "e", "e", shrink=1, popularity=0)
    # a and b: 2 of 6 baskets each, together in 2; chance makes 2 * 2 / 6.
    assert scorer.score(Queries.of([[0]]))[0, 1] == pytest.approx(3 / (4 / 6 + 1) - 1)


def test_a_pair_of_one_basket_says_nothing_by_default():
    scorer = fit("ab", "ab", "cd", "e", "e")
    assert order_of(scorer, "a")[0] == "b"
    assert scorer.score(Queries.of([[2]]))[0, 3] < 0
    assert fit("ab", "ab", "cd", "e", "e", least_baskets=1).score(Queries.of([[2]]))[0, 3] > 0


def test_what_chance_alone_puts_together_is_no_pair():
    scorer = fit("ab", "ac", "ad", "ae", "ab", "ac")
    assert (scorer.score(Queries.of([[0]]))[0] < 0).all()


def test_popularity_keeps_what_hardly_anybody_buys_down():
    # c goes with a as often as chance allows, and rarely; b often.
    shop = ["ab"] * 4 + ["ac"] * 2 + ["b"] + ["d"] * 6
    assert order_of(fit(*shop, popularity=0), "a")[0] == "c"
    assert order_of(fit(*shop, popularity=1), "a")[0] == "b"


def test_items_of_the_history_add_up_and_each_counts_once():
    scorer = fit("ac", "ac", "bc", "bc", "d", "d", "d")
    one, both, again = (scorer.score(Queries.of([history]))[0, 2] for history in ([0], [0, 1], [0, 0, 1]))
    assert both > one
    assert again == both


def test_what_lies_too_far_back_is_forgotten():
    scorer = fit("ab", "ab", "cd", "cd", length=1)
    assert order_of(scorer, "ac")[0] == "d"


@pytest.mark.parametrize("settings", [{"length": 0}, {"least_baskets": 0}, {"shrink": -1}, {"popularity": 2}])
def test_a_setting_out_of_its_range_is_refused(settings):
    with pytest.raises(ValidationError):
        BoughtTogether(**settings)
