from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.simulation.block import Block
from endcap.simulation.catalogue import STRENGTHS, make_catalogue
from endcap.simulation.policies import Random
from endcap.simulation.settings import make_world
from endcap.simulation.stock import first_shelves, open_day
from endcap.simulation.tastes import Laws, make_laws, make_tastes, pull

LIVELY = make_world("small", items=200, days=28, tastes=5, seed=3)


@pytest.fixture(scope="module")
def made(morning_of):
    return morning_of(LIVELY)


@pytest.fixture(scope="module")
def weeks(made):
    return [make_laws(LIVELY, made.goods, made.tastes, week) for week in range(4)]


@pytest.fixture
def three():
    """Three items, one taste and the bots; item 2 is not sold."""
    return Laws(
        week=0,
        is_sold=np.array([True, True, False]),
        price_minor=np.array([100, 100, 100]),
        wanted_KN=np.array([[0.75, 0.25, 0], [0.5, 0.5, 0]], np.float32),
        attraction_KN=np.array([[0.25, 0.5, 0.5], [0, 0, 0]], np.float32),
        cart_KN=np.zeros((2, 3), np.float32),
        complements=np.array([[1, 1, 2, 1], [0, 2, 2, 2], [0, 1, 0, 1]], np.int32),
        pull_strength=0.5,
        p_follow=0.5,
    )


def by_themselves(laws):
    """(K + 1) x (1 + N) x N chances of coming to each item after each item before, the first of them none."""
    tastes, items = laws.wanted_KN.shape
    axes = np.ix_(np.arange(tastes), np.arange(-1, items), np.arange(items))
    return laws.chosen_by_themselves(*np.broadcast_arrays(*axes))


def test_what_a_taste_wants_sums_to_one_and_is_nothing_that_is_not_sold(weeks):
    for laws in weeks:
        assert laws.wanted_KN.sum(axis=1) == pytest.approx(1, abs=1e-5)
        assert ((laws.wanted_KN > 0) == laws.is_sold).all()
        assert (~laws.is_sold).any()
        assert laws.ends_KN[:, -1] == pytest.approx(1, abs=1e-5)


def test_bots_come_to_any_item_and_click_and_cart_nothing(weeks):
    for laws in weeks:
        assert len(laws.wanted_KN) == LIVELY.tastes + 1
        assert laws.wanted_KN[-1] == pytest.approx(laws.is_sold / laws.is_sold.sum())
        assert not laws.attraction_KN[-1].any()
        assert not laws.cart_KN[-1].any()


@settings(max_examples=20, deadline=None)
@given(
    items=st.integers(10, 60),
    seed=st.integers(0, 2**32),
    attraction=st.floats(0.001, 0.999),
    week=st.integers(0, 3),
)
def test_attraction_and_pull_together_are_a_probability(items, seed, attraction, week):
    world = replace(LIVELY, items=items, seed=seed, attraction=attraction, complement_pull=1 - attraction)
    goods = make_catalogue(world)
    laws = make_laws(world, goods, make_tastes(world, goods), week)
    assert (laws.attraction_KN[:-1] > 0).all()
    assert (laws.attraction_KN <= np.float32(attraction)).all()
    everything = np.tile(np.arange(items), (items, 1))
    pulled = pull(goods.complements, np.arange(items), everything)
    assert pulled.sum(axis=1) == pytest.approx(1)
    assert (laws.attraction_KN[:-1, None] + laws.pull_strength * pulled).max() <= 1 + 1e-6


def test_the_pull_is_the_share_of_the_item_before_and_nothing_without_one(three):
    items = np.array([[0, 1, 2], [0, 1, 2], [0, 1, -1]])
    by_hand = [[0, 0.8, 0.2], [0.4, 0, 0.6], [0, 0, 0]]
    assert pull(three.complements, np.array([0, 1, -1]), items) == pytest.approx(np.array(by_hand))


def test_who_comes_by_himself_follows_the_item_before_or_his_taste(three):
    """After item 0 half the visitors follow: 0.8 of them to item 1; the share of item 2 is not sold, it goes back."""
    chances = by_themselves(three)
    assert chances[0, 0] == pytest.approx([0.75, 0.25, 0])
    assert chances[0, 1] == pytest.approx([0.6 * 0.75, 0.4 + 0.6 * 0.25, 0])
    assert chances[0, 2] == pytest.approx([0.2 + 0.8 * 0.75, 0.8 * 0.25, 0])
    assert chances[1, 1] == pytest.approx([0.6 * 0.5, 0.4 + 0.6 * 0.5, 0])


def test_chances_of_coming_by_oneself_sum_to_one_after_every_item_and_are_0_where_nothing_is_sold(weeks):
    for laws in weeks:
        chances = by_themselves(laws)
        assert (~laws.is_sold[laws.complements]).any()
        assert chances.sum(axis=2) == pytest.approx(1, abs=1e-5)
        assert not chances[:, :, ~laws.is_sold].any()


def test_visitors_come_by_themselves_to_what_the_laws_say(fits):
    """Some 20,000 item pages of 3 tastes and bots among 12 items, of which two that others lead to are not sold yet."""
    world = make_world("small", days=1, items=12, visitors=4_000, tastes=3, seed=8, bot_share=0.02)
    world = replace(world, p_land_on_item=1, p_list=0, p_repeat=0, has_stock=False)
    goods = make_catalogue(world)
    followers = np.argsort(np.bincount(goods.complements.ravel(), minlength=12))[-2:]
    goods = replace(goods, first_week=np.isin(np.arange(12), followers).astype(int))
    tastes = make_tastes(world, goods)
    laws = make_laws(world, goods, tastes, 0)
    assert (~laws.is_sold[goods.complements]).any(axis=1).sum() > 2
    day = open_day(world, laws, first_shelves(world, tastes, laws), 0)
    made = Block(world, goods, tastes, 0, Random()).live(day, None).made
    assert len(made.item) > 20_000
    seen, chances = np.zeros((4, 13, 12), int), by_themselves(laws)
    chances[3] = laws.wanted_KN[3]  # bots go to anything, wherever they come from
    np.add.at(seen, (made.taste[made.session], made.before + 1, made.item), 1)
    rows = zip(seen.reshape(-1, 12), chances.reshape(-1, 12), strict=True)
    assert fits((counts, p / p.sum()) for counts, p in rows)


@pytest.mark.parametrize("factor", [1.05, 1.5, 3])
def test_dearer_items_are_wanted_clicked_and_carted_less_by_every_taste(made, factor):
    dear = np.arange(200) % 2 == 0
    price = np.where(dear, np.rint(made.goods.price_minor * factor), made.goods.price_minor).astype(np.int64)
    before = make_laws(replace(LIVELY, changes_range=False), made.goods, made.tastes, 0)
    after = make_laws(replace(LIVELY, changes_range=False), replace(made.goods, price_minor=price), made.tastes, 0)
    assert (made.tastes.price_K > 0).all()
    others, dear = ~dear, dear & before.is_sold
    assert (after.cart_KN < before.cart_KN)[:-1, dear].all()
    assert (after.attraction_KN < before.attraction_KN)[:-1, dear].all()
    assert (after.wanted_KN < before.wanted_KN)[:-1, dear].mean() > 0.99  # the rest of the range got dearer as well
    assert (after.cart_KN == before.cart_KN)[:, others].all()


def test_a_promotion_makes_an_item_clicked_and_carted_more(weeks):
    num_cheaper = 0
    for one, other in pairwise(weeks):
        cheaper = other.price_minor < one.price_minor
        assert (other.cart_KN > one.cart_KN)[:-1, cheaper].all()
        assert (other.attraction_KN > one.attraction_KN)[:-1, cheaper].all()
        num_cheaper += cheaper.sum()
    assert num_cheaper > 0


def test_a_fair_price_is_carted_with_the_worlds_probability_and_others_by_the_power_of_the_taste(made):
    price = np.full(200, 2_000)
    price[0] = 4_000
    goods = replace(made.goods, price_minor=price, typical_minor=np.full(200, 2_000))
    laws = make_laws(replace(LIVELY, changes_range=False), goods, made.tastes, 0)
    assert laws.cart_KN[:-1, 1:] == pytest.approx(LIVELY.p_cart)
    assert laws.cart_KN[:-1, 0] == pytest.approx(LIVELY.p_cart * 0.5**made.tastes.price_K)


def test_nothing_is_so_cheap_that_everybody_carts_it(made):
    laws = make_laws(replace(LIVELY, p_cart=1), made.goods, made.tastes, 0)
    assert laws.cart_KN.max() == pytest.approx(0.9)


def test_what_the_crowd_wants_is_wanted_and_clicked_more(made):
    item = int(np.flatnonzero(made.laws.is_sold)[7])
    weight = made.goods.weight.copy()
    weight[item] *= 10
    heavy = replace(made.goods, weight=weight)
    one, other = (make_laws(LIVELY, goods, made.tastes, 0) for goods in (made.goods, heavy))
    assert (other.wanted_KN > one.wanted_KN)[:-1, item].all()
    assert (other.attraction_KN > one.attraction_KN)[:-1, item].all()
    assert (np.delete(other.attraction_KN, item, axis=1) == np.delete(one.attraction_KN, item, axis=1)).all()


def test_what_a_taste_wants_is_proportional_to_its_leanings(made):
    """exp(category + brand - price x log(price / typical)) x weight, over its sum."""
    goods, tastes, laws = made.goods, made.tastes, made.laws
    liking = tastes.category_KC[:, goods.category] + tastes.brand_KB[:, goods.brand]
    liking -= tastes.price_K[:, None] * np.log(laws.price_minor / goods.typical_minor)
    wanted = np.exp(liking) * goods.weight * laws.is_sold
    assert laws.wanted_KN[:-1] == pytest.approx(wanted / wanted.sum(axis=1, keepdims=True), rel=1e-4)


def test_tastes_are_drawn_from_a_prior_and_differ(made):
    assert made.tastes.prior.sum() == pytest.approx(1)
    assert (made.tastes.prior > 0).all()
    likes = made.laws.wanted_KN[:-1]
    apart = np.abs(likes[:, None] - likes[None]).sum(axis=2) / 2
    assert apart[~np.eye(len(likes), dtype=bool)].min() > 0.2


def test_the_same_seed_gives_the_same_tastes_and_another_seed_others(made):
    again = make_tastes(LIVELY, made.goods)
    other = make_tastes(replace(LIVELY, seed=4), made.goods)
    assert (again.category_KC == made.tastes.category_KC).all()
    assert (other.category_KC != made.tastes.category_KC).any()


def test_strengths_fall_so_that_the_first_complement_leads_most():
    assert (np.diff(STRENGTHS) < 0).all()
