import numpy as np
import pytest

from endcap.core.history import NO_HISTORY, History
from endcap.serving.asking import LEAST, Asking


def test_the_best_of_a_model_with_an_index_are_the_neighbours(bundle, viewed, letters):
    asking = Asking(bundle, viewed("A"), 3)
    assert letters(asking.best("two_tower", 3)) == "ABC"
    assert letters(asking.best("item_markov", 2)) == "BF"


def test_without_a_history_every_model_speaks_of_popularity(bundle, letters):
    asking = Asking(bundle, NO_HISTORY, 3)
    assert letters(asking.best("two_tower", 4)) == "ABDF"
    assert asking.scores("item_markov").tolist() == bundle.popular_scores.tolist()


def test_equal_scores_stand_by_number(bundle, letters):
    assert letters(Asking(bundle, NO_HISTORY, 8).best("popular", 8)) == "ABDFCGHE"
    known = Asking(bundle, History.of_items([0]), 8)
    known._scores_of["item_markov"] = np.array([1, 3, 3, 0, 3, 1, 1, 1], np.float32)  # noqa: SLF001 - equals on purpose
    for count in range(1, 9):
        assert letters(known.best("item_markov", count)) == "BCEAFGHD"[:count]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_sinks(bundle, monkeypatch, bad):
    scores = np.arange(8, dtype=np.float32)
    scores[7] = bad
    monkeypatch.setattr(type(bundle.models["two_tower"]), "score", lambda _self, _queries: scores[None])
    asking = Asking(bundle, History.of_items([0]), 3)
    assert asking.scores("two_tower")[7] == np.float32(LEAST)
