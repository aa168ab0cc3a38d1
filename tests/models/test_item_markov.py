import numpy as np
import pytest
from pydantic import ValidationError

from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.models.item_markov import ItemMarkov
from endcap.testing.algorithms import AlgorithmConformance
from endcap.testing.worlds import planted_catalogue, planted_sequences


class TestItemMarkov(AlgorithmConformance):
    recipe = ItemMarkov()


class TestItemMarkovWithSettings(AlgorithmConformance):
    recipe = ItemMarkov(max_gap=2, decay=0.6, penalty=0.5, rows_sum=1.0)


def test_settings_that_are_given_stand_and_the_others_are_chosen():
    settings = ItemMarkov(max_gap=2, penalty=0.1).fit(planted_sequences(), planted_catalogue(), seed=1).settings
    assert (settings.max_gap, settings.penalty) == (2, 0.1)
    assert settings.decay in (0.1, 0.3, 0.5, 0.7, 0.85)


def test_what_followed_often_stands_before_what_followed_once():
    sequences = Sequences(np.array([0, 2, 4, 6]), np.array([0, 1, 0, 1, 0, 2], np.int32), np.arange(6), np.arange(3))
    recipe = ItemMarkov(max_gap=1, decay=0.5, penalty=0, rows_sum=1)
    scorer = recipe.fit(sequences, Catalogue(("a", "b", "c", "d")), seed=1)
    assert scorer.score(Queries.of([[0]]))[0] == pytest.approx([-1 / 4, 2 / 3, 1 / 3, -1])


@pytest.mark.parametrize("settings", [{"max_gap": 0}, {"decay": 0}, {"penalty": -1}, {"rows_sum": "often"}])
def test_a_setting_out_of_its_range_is_refused(settings):
    with pytest.raises(ValidationError):
        ItemMarkov(**settings)
