from collections import Counter
from dataclasses import replace
from itertools import permutations
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.simulation.in_memory import live
from endcap.simulation.policies import Asked, Popular, Random, Slates, Split, place_law
from endcap.simulation.settings import make_world
from endcap.simulation.truth import click_given_eye

OFFERED = np.array([0, 2, 3, 5, 6, 7, 9, 10, 11])  # of 12 items
POPULAR = np.array([7, 0, 11, 3])
POLICIES = [Random(), Popular(0.3), Popular(0.05), Popular(0), Popular(0.9)]


def asked(lists, *, offered=OFFERED, popular=POPULAR, places=4, visitor=None):
    nothing = np.full(lists, -1)
    visitor = np.arange(lists) if visitor is None else visitor
    return Asked(0, 0, visitor, nothing, nothing, nothing, nothing, offered, popular, places)


def rng(seed=1):
    return np.random.default_rng(seed)


def law_of(policy, *, offered=OFFERED, popular=POPULAR, places=4, items=12):
    return place_law(policy, popular=popular, offered=offered, places=places, items=items)


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
@pytest.mark.parametrize("places", [2, 3, 4])
def test_each_item_stands_on_each_place_as_often_as_its_propensity_says(policy, places):
    """20,000 lists of 2 or 3 (drawn again where two are alike) or 4 (shuffled) of 9 items, 99.9 % over all cells."""
    slates = policy.choose(asked(20_000, places=places), rng())
    law_LN = law_of(policy, places=places)
    errors = NormalDist().inv_cdf(1 - 0.0005 / (places * 12))
    for place in range(places):
        p = law_LN[place]
        counts = np.bincount(slates.items[:, place], minlength=12)
        assert (np.abs(counts - 20_000 * p) <= errors * np.sqrt(20_000 * p * (1 - p)) + 1e-6).all()


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_the_propensity_that_is_told_is_the_law_of_the_place(policy):
    slates = policy.choose(asked(500), rng())
    assert slates.propensity == pytest.approx(law_of(policy)[np.arange(4), slates.items])
    assert slates.items.dtype == np.int32
    assert slates.propensity.dtype == np.float32


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_every_place_holds_one_item_and_so_the_law_of_a_place_sums_to_one(policy):
    law_LN = law_of(policy)
    assert law_LN.sum(axis=1) == pytest.approx(1)
    assert not law_LN[:, [1, 4, 8]].any()


def test_the_law_of_popular_by_hand():
    """Half the lists are [2, 0], half of them are random ones of three items."""
    law_LN = law_of(Popular(0.5), offered=np.array([0, 1, 2]), popular=np.array([2, 0]), places=2, items=4)
    assert law_LN == pytest.approx(np.array([[1, 1, 4, 0], [4, 1, 1, 0]]) / 6)


@settings(deadline=None)
@given(
    among=st.integers(1, 60),
    part=st.floats(0, 1),
    lists=st.integers(0, 40),
    explores=st.floats(0, 0.99),
    seed=st.integers(0, 2**32),
)
def test_a_list_is_full_of_different_items_that_are_offered(among, part, lists, explores, seed):
    offered = np.sort(rng(seed).permutation(100)[:among])
    places = max(1, round(part * among))
    popular = rng(seed).permutation(offered)[:places]
    for policy in (Random(), Popular(explores)):
        slates = policy.choose(asked(lists, offered=offered, popular=popular, places=places), rng(seed))
        assert slates.items.shape == slates.propensity.shape == (lists, places)
        assert np.isin(slates.items, offered).all()
        assert all(len(set(slate)) == places for slate in slates.items.tolist())
        assert ((slates.propensity > 0) & (slates.propensity <= 1)).all()


@pytest.mark.parametrize(("among", "places"), [(9, 3), (8, 3), (5, 2), (5, 4)])
def test_every_random_list_is_as_likely_as_any_other(among, places, fits):
    """Where the square of the places is at most the range, lists are drawn again; others are shuffled."""
    lists = list(permutations(range(among), places))
    slates = Random().choose(asked(60 * len(lists), offered=np.arange(among), places=places), rng(3)).items
    counts = Counter(map(tuple, slates.tolist()))
    assert fits([(np.array([counts[each] for each in lists]), np.full(len(lists), 1 / len(lists)))])


def test_popular_lists_what_is_popular_and_explores_a_share_of_the_lists():
    """A random list of 4 of 9 items is the popular one in 1 of 3,024; within 4 standard errors."""
    slates = Popular(0.2).choose(asked(10_000), rng()).items
    share = (slates == POPULAR).all(axis=1).mean()
    assert abs(share - 0.8) < 4 * np.sqrt(0.16 / 10_000)
    assert (Popular(0).choose(asked(100), rng()).items == POPULAR).all()


def test_popular_by_default_explores_a_tenth():
    share = (Popular().choose(asked(10_000), rng()).items == POPULAR).all(axis=1).mean()
    assert abs(share - 0.9) < 4 * np.sqrt(0.09 / 10_000)


def test_the_law_of_a_policy_that_looks_at_visitors_has_no_closed_form():
    with pytest.raises(TypeError, match=r"random\|popular"):
        law_of(Split(Random(), Popular(), seed=1))


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=30), st.integers(0, 2**32))
def test_a_visitor_is_in_one_variant_for_good_whoever_else_is_there(visitors, seed):
    split = Split(Random(), Popular(), seed=seed)
    variant = split.variant(np.array(visitors))
    assert set(variant.tolist()) <= {0, 1}
    assert variant[::-1].tolist() == split.variant(np.array(visitors[::-1])).tolist()
    for visitor, each in zip(visitors, variant.tolist(), strict=True):
        assert split.variant(np.array([visitor])).tolist() == [each]


def test_about_half_the_visitors_are_in_each_variant_and_another_seed_tosses_other_coins():
    """Within 4 standard errors; two seeds agree about half of the visitors."""
    visitors = np.arange(4_000)
    one, other = (Split(Random(), Popular(), seed=seed).variant(visitors) for seed in (1, 2))
    for share in (one.mean(), other.mean(), (one == other).mean(), (one[1:] == one[:-1]).mean()):
        assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(4_000)


def test_each_variant_gets_the_lists_of_its_policy_with_their_propensities():
    split = Split(Popular(0), Random(), seed=3)
    slates = split.choose(asked(600), rng())
    is_other = split.variant(np.arange(600)) == 1
    assert (slates.items[~is_other] == POPULAR).all()
    assert (slates.propensity[~is_other] == 1).all()
    assert (slates.items[is_other] != POPULAR).any(axis=1).mean() > 0.95
    assert slates.propensity[is_other] == pytest.approx(1 / 9)
    assert split.name == "popular|random"


def test_nobody_may_ask():
    for policy in (Random(), Popular(), Split(Random(), Popular(), seed=1)):
        assert policy.choose(asked(0), rng()).items.shape == (0, 4)


CALM = make_world("stationary", items=40, visitors=3_000, days=6, places=6, tastes=4, p_list=0.8, p_land_on_item=0.5)


def judged(logged, judged_policy, seed):
    """Log one policy and judge another by it: for each list the estimate of its clicks, and their exact expectation."""
    attention = np.asarray(CALM.attention[:6])
    estimates, exact = [], []
    for day in live(replace(CALM, seed=seed), logged):
        made, which = day.lived.made, np.flatnonzero(day.lived.made.is_list)
        law_LN = law_of(judged_policy, offered=day.day.offered, popular=day.day.popular, places=6, items=40)
        row = made.row[which]
        weight = law_LN[np.arange(6), made.slates[row]] / made.propensity[row]
        is_clicked = made.place[which][:, None] == np.arange(6)
        estimates.append((weight * is_clicked).sum(axis=1))
        everything = np.tile(np.arange(40, dtype=np.int32), (len(which), 1))
        p_RN = click_given_eye(day.day.laws, made.taste[made.session[which]], made.before[which], everything)
        exact.append(p_RN @ (attention @ law_LN))
    return np.concatenate(estimates), np.concatenate(exact)


@pytest.mark.parametrize(
    ("logged", "other"),
    [(Popular(0.5), Random()), (Popular(0.2), Popular(0.8)), (Random(), Popular(0)), (Popular(0.5), Popular(0.5))],
    ids=repr,
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_policys_log_judges_another_one_without_bias(logged, other, seed):
    """The inverse-propensity estimate of its clicks lies within 4 standard errors of what is expected of it."""
    estimates, exact = judged(logged, other, seed)
    assert len(estimates) > 10_000
    assert exact.sum() > 100
    assert abs((estimates - exact).sum()) < 4 * np.sqrt(((estimates - exact) ** 2).sum())


def test_without_propensities_the_log_of_popular_would_mislead():
    estimates, exact = judged(Popular(0.5), Popular(0.5), 1)
    _, of_random = judged(Popular(0.5), Random(), 1)
    assert abs((estimates - of_random).sum()) > 6 * np.sqrt(((estimates - exact) ** 2).sum())


def test_slates_say_what_was_chosen_and_how_likely_it_was():
    slates = Random().choose(asked(1, offered=np.array([3]), places=1), rng())
    assert isinstance(slates, Slates)
    assert (slates.items.tolist(), slates.propensity.tolist()) == ([[3]], [[1.0]])


def test_what_is_set_of_a_policy_is_told_to_manifests():
    split = Split(Popular(0.2), Random(), seed=3)
    assert split.settings == {"seed": 3, "control": {"explores": 0.2}, "treatment": Random().settings}
