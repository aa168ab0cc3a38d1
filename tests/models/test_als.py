import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from endcap.core.sequences import EVENT_KINDS, Catalogue, Queries, Sequences
from endcap.models.als import Als, EventWeights
from endcap.models.protocol import VectorScorer
from endcap.testing.algorithms import AlgorithmConformance

FOUR = Catalogue(tuple("abcd"))


def two_crowds():
    """The checkerboard: users 0 to 9 have a and b, users 10 to 19 have c and d; user 20 has a alone."""
    items = np.array([0, 1] * 10 + [2, 3] * 10 + [0], np.int32)
    starts = np.append(np.arange(0, 41, 2), 41)
    return Sequences(starts, items, np.arange(41), np.arange(21))


class TestAls(AlgorithmConformance):
    recipe = Als()


def test_what_the_crowd_of_a_history_has_comes_before_what_the_other_crowd_has():
    scorer = Als(factors=2, regularization=0.1).fit(two_crowds(), FOUR, seed=3)
    assert isinstance(scorer, VectorScorer)
    from_a, from_d = scorer.score(Queries.of([[0], [3]]))
    assert from_a[1] > from_a[[2, 3]].max()
    assert from_d[2] > from_d[[0, 1]].max()


def test_a_new_visitor_gets_what_more_users_had():
    scores = Als(factors=2, regularization=0.1).fit(two_crowds(), FOUR, seed=3).score(Queries.of([[]]))[0]
    assert scores[0] > scores[2]


def test_weights_stand_in_the_order_of_the_kinds():
    assert len(EventWeights().by_kind()) == len(EVENT_KINDS)
    assert EventWeights(other=4, view_item=5, add_to_cart=6, purchase=7).by_kind() == [4, 5, 6, 7]


@pytest.mark.parametrize(
    "settings",
    [{"factors": 0}, {"regularization": 0}, {"alpha": -1}, {"iterations": 0}, {"event_weights": {"view": 1}}],
)
def test_a_setting_out_of_its_range_is_refused(settings):
    with pytest.raises(ValidationError):
        Als(**settings)


def test_settings_and_scorer_load_without_the_library():
    script = "import sys, endcap.models.als\nprint([name for name in ('implicit', 'scipy') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
