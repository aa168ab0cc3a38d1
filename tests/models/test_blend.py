import numpy as np
import pytest
from pydantic import ValidationError

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.models.blend import Blend
from endcap.testing.algorithms import AlgorithmConformance
from endcap.testing.worlds import planted_catalogue, planted_sequences

QUICK = {"sequence": {"epochs": 2, "dim": 16}, "two_tower": {"epochs": 2, "dim": 16}}


class TestBlend(AlgorithmConformance):
    recipe = Blend(settings=QUICK)


class TestBlendOfCounts(AlgorithmConformance):
    recipe = Blend(members=("popular", "item_markov", "recent"))


def test_the_member_that_knows_the_world_gets_the_weight():
    scorer = Blend(members=("popular", "item_markov")).fit(planted_sequences(), planted_catalogue(), seed=1)
    weights = dict(zip(scorer.members, scorer.weights_M.tolist(), strict=True))
    assert weights["item_markov"] > 0.5
    assert sum(weights.values()) == pytest.approx(1)


def orders():
    """Forty weeks: user u of 12 orders items u and u + 1 again and again, and one popular item, 12."""
    weeks, users = np.arange(40), np.arange(12)
    items = np.stack([users, (users + 1) % 12, np.full(12, 12)], axis=1)
    return Sequences(
        starts=np.arange(0, 40 * 36 + 1, 3),
        items=np.tile(items.reshape(-1), 40).astype(np.int32),
        at_us=np.repeat(weeks * 12 * 10, 36) + np.tile(np.repeat(users, 3), 40),
        users=np.tile(users, 40),
    )


def test_where_orders_are_asked_for_a_user_is_offered_again_what_the_user_orders():
    recipe = Blend(
        members=("popular", "recent"), ask="next_basket", settings={"recent": {"length": 1000, "decay": 1.0}}
    )
    scorer = recipe.fit(orders(), Catalogue(tuple(f"{number:02d}" for number in range(13))), seed=1)
    scores = scorer.score(Queries.of([[4, 5, 12] * 3, []]))
    assert sorted(np.argsort(-scores[0])[:3].tolist()) == [4, 5, 12]
    assert np.argmax(scores[1]) == 12  # a new user gets what everybody orders


@pytest.mark.parametrize(
    "settings",
    [
        {"members": []},
        {"members": ["popular", "popular"]},
        {"members": ["popular", "blend"]},
        {"members": ["popular"], "settings": {"recent": {}}},
        {"held_out": 1},
        {"ask": "time"},
    ],
)
def test_settings_that_do_not_fit_are_refused(settings):
    with pytest.raises(ValidationError):
        Blend(**settings)


def test_a_member_that_nobody_knows_is_named_with_the_near_ones():
    with pytest.raises(ModelError, match="did you mean 'popular'"):
        Blend(members=("populer",)).fit(planted_sequences(), planted_catalogue(), seed=1)


def test_a_members_settings_are_told_with_their_place():
    recipe = Blend(members=("popular",), settings={"popular": {"window_days": 0}})
    with pytest.raises(ModelError, match="window_days") as caught:
        recipe.fit(planted_sequences(), planted_catalogue(), seed=1)
    assert caught.value.code == Code.CONFIG_INVALID
    assert "models.blend.settings.popular" in str(caught.value)
