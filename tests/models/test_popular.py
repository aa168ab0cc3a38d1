import numpy as np

from endcap.core.clock import DAY_US
from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.models.popular import Popular, item_counts
from endcap.testing.algorithms import AlgorithmConformance

THREE = Catalogue(("a", "b", "c"))


def shop(weights=None):
    # a, a on day 0; b on day 8; b, c on day 9.
    return Sequences(
        starts=np.array([0, 2, 5]),
        items=np.array([0, 0, 1, 1, 2], np.int32),
        at_us=np.array([0, 1, 8, 9, 9]) * DAY_US,
        users=np.arange(2),
        weights=weights,
    )


class TestPopular(AlgorithmConformance):
    recipe = Popular()
    learns = False


class TestPopularOfTheLastDays(AlgorithmConformance):
    recipe = Popular(window_days=7)
    learns = False


class TestPopularByCategory(AlgorithmConformance):
    recipe = Popular(categories=2)
    learns = False

    def test_it_beats_popularity_on_the_planted_world(self):
        """Its shoppers always go on to the other category: there it cannot."""


def test_items_of_the_categories_looked_at_last_come_first_the_latest_of_them_before_the_others():
    hats_and_mugs = Catalogue(("a", "b", "c"), categories=("Hats", "Mugs", "Hats"))
    scorer = Popular(categories=2).fit(shop(), hats_and_mugs, seed=1)
    orders = [
        np.argsort(-scores, kind="stable").tolist() for scores in scorer.score(Queries.of([[], [1], [1, 2], [2, 1, 1]]))
    ]
    assert orders == [[0, 1, 2], [1, 0, 2], [0, 2, 1], [1, 0, 2]]


def test_a_catalogue_without_categories_has_popular_items_alone():
    scores = Popular(categories=1).fit(shop(), THREE, seed=1).score(Queries.of([[], [2]]))
    assert np.array_equal(scores[0], scores[1])


def test_scores_are_counts_whoever_asks():
    scores = Popular().fit(shop(), THREE, seed=1).score(Queries.of([[], [2]]))
    assert scores.tolist() == [[2, 2, 1], [2, 2, 1]]


def test_a_window_counts_only_the_days_before_the_last_event():
    assert Popular(window_days=1).fit(shop(), THREE, seed=1).score(Queries.of([[]])).tolist() == [[0, 1, 1]]
    assert Popular(window_days=2).fit(shop(), THREE, seed=1).score(Queries.of([[]])).tolist() == [[0, 2, 1]]


def test_an_event_counts_by_its_weight():
    weighted = shop(np.array([1, 1, 1, 1, 5], np.float32))
    assert item_counts(weighted, 3).tolist() == [2, 2, 5]
