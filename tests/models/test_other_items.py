"""The planted world, where item i is followed by i + 1, under other numbers: 12 is new, the others stand backwards."""

import numpy as np
import pytest

from endcap.core.sequences import Queries
from endcap.models.item_markov import ItemMarkov
from endcap.models.other_items import OtherItems, renumbered
from endcap.models.popular import Popular
from endcap.models.scorers import load_scorer
from endcap.testing.worlds import planted_catalogue, planted_sequences

BACKWARDS = np.array([*range(11, -1, -1), -1], np.int32)


@pytest.fixture(scope="module")
def markov():
    return ItemMarkov().fit(planted_sequences(), planted_catalogue(), seed=1)


def test_an_item_has_the_score_that_it_has_under_its_own_number_and_a_new_one_the_lowest(markov):
    scores_BN = OtherItems(markov, BACKWARDS).score(Queries.of([[11 - 3, 11 - 4], [12], []]))
    own_BO = markov.score(Queries.of([[3, 4], [], []]))
    assert np.array_equal(scores_BN[:, :12], own_BO[:, ::-1])
    assert scores_BN[:, 12].tolist() == own_BO.min(axis=1).tolist()
    assert scores_BN.dtype == np.float32


def test_it_says_what_speaks_for_an_item_as_the_model_does(markov):
    other = OtherItems(markov, BACKWARDS)
    assert markov.because([3, 8], 4) == 3
    assert other.because([11 - 3, 11 - 8, 12], 11 - 4) == 11 - 3
    assert (other.because([12], 11 - 4), other.because([11 - 3], 12)) == (None, None)
    popular = Popular().fit(planted_sequences(), planted_catalogue(), seed=1)
    assert OtherItems(popular, BACKWARDS).because([3], 4) is None


def test_what_was_saved_scores_the_same(markov, tmp_path):
    other = OtherItems(markov, BACKWARDS)
    other.save(tmp_path)
    loaded = load_scorer(tmp_path)
    queries = Queries.of([[3, 4], []])
    assert loaded.kind == other.kind == "other_items"
    assert np.array_equal(loaded.score(queries), other.score(queries))


def test_histories_of_unknown_items_are_empty():
    found = renumbered(Queries.of([[3, 0], [], [1]]), np.array([7, -1, -1, 2], np.int32))
    assert (found.starts.tolist(), found.items.tolist()) == ([0, 2, 2, 2], [2, 7])


def test_what_was_done_with_an_item_and_when_stays_with_it_and_goes_with_it():
    asked = Queries(
        np.array([0, 3, 4]),
        np.array([3, 0, 1, 3], np.int32),
        np.array([1, 2, 3, 1], np.int8),
        np.array([10, 20, 30, 5]),
    )
    found = renumbered(asked, np.array([7, -1, -1, 2], np.int32))
    assert (found.starts.tolist(), found.items.tolist()) == ([0, 2, 3], [2, 7, 2])
    assert (found.events.tolist(), found.at_us.tolist()) == ([1, 2, 1], [10, 20, 5])
    untold = renumbered(Queries.of([[0]]), np.arange(3, dtype=np.int32))
    assert (untold.events, untold.at_us) == (None, None)
