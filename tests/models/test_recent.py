import numpy as np
import pytest
from pydantic import ValidationError

from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.models.recent import Recent
from endcap.testing.algorithms import AlgorithmConformance

FOUR = Catalogue(("a", "b", "c", "d"))


def shop():
    return Sequences(np.array([0, 3]), np.array([0, 0, 1], np.int32), np.arange(3), np.arange(1))


class TestRecent(AlgorithmConformance):
    recipe = Recent()
    learns = False


class TestRecentByFrequency(AlgorithmConformance):
    recipe = Recent(decay=1.0)
    learns = False


def order_of(history, **settings):
    scores = Recent(**settings).fit(shop(), FOUR, seed=1).score(Queries.of([history]))[0]
    return "".join("abcd"[item] for item in np.argsort(-scores, kind="stable"))


def test_the_latest_stands_first_and_what_was_never_looked_at_follows_by_popularity():
    assert order_of([3, 2]) == "cdab"
    assert order_of([]) == "abcd"


def test_what_was_looked_at_again_counts_by_its_latest_time():
    assert order_of([2, 3, 2]) == "cdab"
    assert order_of([2, 2, 3]) == "dcab"


def test_with_a_decay_every_place_of_an_item_counts():
    assert order_of([2, 2, 3]) == "dcab"
    assert order_of([2, 2, 3], decay=1) == "cdab"
    assert order_of([2, 2, 3], decay=0.5) == "dcab"  # 1/2 + 1/4 against 1


def test_of_items_that_a_history_has_equally_often_the_more_popular_one_comes_first():
    assert order_of([3, 1, 0, 2], decay=1) == "abcd"


def test_with_a_decay_what_lies_far_back_is_still_of_the_history():
    scores = Recent(length=1000, decay=0.1).fit(shop(), FOUR, seed=1).score(Queries.of([[3] + [2] * 999]))[0]
    assert scores[3] >= 1 > scores[0]


def test_what_lies_too_far_back_is_forgotten():
    assert order_of([2, 3], length=1) == "dabc"


def test_a_popular_item_never_stands_before_one_of_the_history():
    many = Sequences(np.array([0, 9999]), np.zeros(9999, np.int32), np.arange(9999), np.arange(1))
    scores = Recent(length=1000).fit(many, FOUR, seed=1).score(Queries.of([[3] + [2] * 999]))[0]
    assert scores[0] < scores[3] < scores[2]


def test_a_length_out_of_its_range_is_refused():
    with pytest.raises(ValidationError):
        Recent(length=0)
    with pytest.raises(ValidationError):
        Recent(decay=1.1)
