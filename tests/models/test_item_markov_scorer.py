import numpy as np
import pytest

from endcap.core.sequences import Queries, Sequences
from endcap.models.item_markov_scorer import ItemMarkovScorer, MarkovSettings, fit_scorer, weigh
from endcap.models.transitions import Transitions


def shop():
    # Twice 0 then 1, once 2 then 3 then 2; item 4 stands alone.
    starts = np.array([0, 2, 4, 7, 8])
    return Sequences(starts, np.array([0, 1, 0, 1, 2, 3, 2, 4], np.int32), np.arange(8), np.arange(4))


def fitted(**changes):
    settings = {"max_gap": 2, "decay": 0.5, "penalty": 0.0, "rows_sum": 0.0} | changes
    return fit_scorer(shop(), 5, MarkovSettings(**settings))


def test_scores_by_hand():
    scores_BN = fitted().score(Queries.of([[0], [2, 0], [4], []]))
    assert scores_BN[0] == pytest.approx([-1 / 3, 2, -1 / 3, -1 / 2, -1 / 2])
    # From 2, one step back: 3 with 1 x .5, itself two steps later with 1/2 x .5.
    assert scores_BN[1] == pytest.approx([-1 / 3, 2, 0.25, 0.5, -1 / 2])
    for nothing_known in scores_BN[2:]:
        assert nothing_known == pytest.approx([-1 / 3, -1 / 3, -1 / 3, -1 / 2, -1 / 2])


def test_a_row_divided_by_its_sum_is_probabilities():
    assert fitted(rows_sum=1.0).score(Queries.of([[2]]))[0, [2, 3]] == pytest.approx([1 / 3, 2 / 3])


def test_a_penalty_divides_by_popularity():
    assert fitted(penalty=0.5).score(Queries.of([[0]]))[0, 1] == pytest.approx(2 / np.sqrt(2))


def test_equal_neighbours_in_a_query_count_once():
    scorer = fitted()
    assert scorer.score(Queries.of([[2, 0, 0, 0]])).tolist() == scorer.score(Queries.of([[2, 0]])).tolist()


def test_because_names_the_item_that_contributed_most():
    scorer = fitted()
    assert scorer.because([2, 0], 1) == 0
    assert scorer.because([2, 0], 3) == 2
    assert scorer.because([0, 4], 1) == 0


def test_because_is_silent_where_popularity_alone_speaks():
    scorer = fitted()
    assert scorer.because([4], 1) is None
    assert scorer.because([], 1) is None


def test_unscored_items_stand_below_all_scored_ones_however_weak():
    counted = Transitions(np.array([0, 1, 1, 1]), np.array([1], np.int32), np.array([1e-20], np.float32))
    scorer = weigh(counted, np.array([9.0, 0.0, 1e6]), MarkovSettings(1, 0.5, 0.0, 0.0))
    assert np.argsort(-scorer.score(Queries.of([[0]]))[0]).tolist() == [1, 2, 0]


def test_the_settings_come_back_from_disk(tmp_path):
    scorer = fitted()
    scorer.save(tmp_path)
    assert ItemMarkovScorer.load(tmp_path).settings == scorer.settings
