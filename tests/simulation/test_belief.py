from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.simulation.belief import Pages, belief_overnight, beliefs_of, likelihood, pages_of
from endcap.simulation.block import Block, LawsOfWeeks
from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.stock import first_shelves, open_day
from endcap.simulation.tastes import make_tastes
from endcap.simulation.truth import expected_of_day, pages_table

WORLD = make_world("small", visitors=2_000, days=3, items=60, tastes=4, places=6, drift=0.2, bot_share=0, p_repeat=0.3)


@pytest.fixture(scope="module")
def lived():
    """(laws, pages, tastes) of each day of a world with stock, repeat purchases and much drift."""
    goods = make_catalogue(WORLD)
    tastes = make_tastes(WORLD, goods)
    weeks = LawsOfWeeks(WORLD, goods, tastes)
    shelves = first_shelves(WORLD, tastes, weeks.of_day(0))
    block = Block(WORLD, goods, tastes, 0, Popular())
    days = []
    for number in range(WORLD.days):
        morning = open_day(WORLD, weeks.of_day(number), shelves, number)
        made = block.live(morning, None).made
        pages = pages_of(pages_table(morning, made, expected_of_day(WORLD, morning, made)), WORLD.places)
        days.append((morning.laws, pages, made.taste[made.session]))
    return tastes, days


def one_page(**told):
    """One item page of a newcomer, or what is told."""
    nothing = np.array([-1])
    page = Pages(
        visitor=np.array([0]),
        session_us=np.array([0]),
        number=np.array([0]),
        at_us=np.array([0]),
        before=nothing,
        bought=nothing,
        is_list=np.array([False]),
        place=nothing,
        item=np.array([0]),
        can_cart=np.array([False]),
        is_carted=np.array([False]),
        slate=np.full((1, WORLD.places), -1, np.int32),
    )
    return replace(page, **{name: np.array([value]) for name, value in told.items()})


@pytest.mark.parametrize("told", [{}, {"before": 7, "number": 3}, {"bought": 5}])
def test_all_items_that_may_be_viewed_next_are_likely_to_one_in_sum(lived, told):
    laws = lived[1][0][0]
    total = sum(likelihood(WORLD, laws, one_page(item=item, **told)) for item in range(WORLD.items))
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_all_that_may_become_of_a_list_is_likely_to_one_in_sum(lived):
    laws, pages, _ = lived[1][0]
    shown = np.flatnonzero(pages.is_list & (pages.before >= 0))[:1]
    page = replace(pages.rows(shown), can_cart=np.array([False]))
    total = sum(likelihood(WORLD, laws, replace(page, place=np.array([place]))) for place in range(-1, WORLD.places))
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_a_cart_and_no_cart_are_likely_to_one_in_sum(lived):
    laws = lived[1][0][0]
    bare = likelihood(WORLD, laws, one_page(item=3))
    both = sum(likelihood(WORLD, laws, one_page(item=3, can_cart=True, is_carted=each)) for each in (True, False))
    np.testing.assert_allclose(both, bare)


def test_bayes_is_applied_page_by_page(lived):
    tastes, [(laws, pages, _), *_] = lived
    likely = likelihood(WORLD, laws, pages)
    before, evening = beliefs_of(likely, pages, np.tile(tastes.prior, (WORLD.visitors, 1)))
    busiest = int(np.bincount(pages.visitor).argmax())
    own = np.flatnonzero(pages.visitor == busiest)
    belief = tastes.prior
    for page in own[np.lexsort((pages.number[own], pages.session_us[own]))]:
        np.testing.assert_allclose(before[page], belief, atol=1e-9)
        belief = belief * likely[page] / (belief * likely[page]).sum()
    np.testing.assert_allclose(evening[busiest], belief, atol=1e-9)


def test_who_did_not_come_is_known_as_well_as_in_the_morning(lived):
    tastes, [(laws, pages, _), *_] = lived
    morning = np.tile(tastes.prior, (WORLD.visitors, 1))
    _, evening = beliefs_of(likelihood(WORLD, laws, pages), pages, morning)
    absent = np.setdiff1d(np.arange(WORLD.visitors), pages.visitor)
    assert len(absent) > 0
    np.testing.assert_array_equal(evening[absent], morning[absent])


def test_nights_are_powers_of_one_matrix():
    tastes = make_tastes(WORLD, make_catalogue(WORLD))
    chain = (1 - WORLD.drift) * np.eye(WORLD.tastes) + WORLD.drift * tastes.prior
    belief = np.array([[0.7, 0.1, 0.1, 0.1]])
    twice = belief_overnight(WORLD, tastes, belief_overnight(WORLD, tastes, belief, 1), 2)
    np.testing.assert_allclose(twice, belief @ chain @ chain)


def test_a_shock_forgets_more_than_a_night():
    world = replace(WORLD, shock_day="2026-01-02", shock_share=1.0)
    tastes = make_tastes(world, make_catalogue(world))
    certain = np.array([[1.0, 0, 0, 0]])
    np.testing.assert_allclose(belief_overnight(world, tastes, certain, 1)[0], tastes.prior)
    assert belief_overnight(world, tastes, certain, 2)[0, 0] > 0.8


def test_beliefs_are_as_often_right_as_they_say(lived):
    """One page of each visitor, so that the errors are independent: the sum of (is it so - belief) is about zero."""
    tastes, days = lived
    belief = np.tile(tastes.prior, (WORLD.visitors, 1))
    for number, (laws, pages, _) in enumerate(days):
        belief = belief_overnight(WORLD, tastes, belief, number) if number else belief
        before, belief = beliefs_of(likelihood(WORLD, laws, pages), pages, belief)
    _, last = np.unique(pages.visitor[::-1], return_index=True)
    last = len(pages.visitor) - 1 - last
    said, is_so = before[last], days[-1][2][last, None] == np.arange(WORLD.tastes)
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.9), (0.9, 1.0)):
        within = (said >= low) & (said <= high)
        error = np.sqrt((said * (1 - said))[within].sum())
        assert within.sum() > 50
        assert abs((is_so[within] - said[within]).sum()) < 4 * error


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.1, 1))
def test_order_of_rows_and_what_comes_later_do_not_matter(lived, seed, share):
    tastes, [(laws, pages, _), *_] = lived
    morning = np.tile(tastes.prior, (WORLD.visitors, 1))
    whole, _ = beliefs_of(likelihood(WORLD, laws, pages), pages, morning)
    earlier = np.flatnonzero(pages.at_us <= np.quantile(pages.at_us, share))
    shuffled = np.random.default_rng(seed).permutation(earlier)
    part = pages.rows(shuffled)
    found, _ = beliefs_of(likelihood(WORLD, laws, part), part, morning)
    np.testing.assert_allclose(found, whole[shuffled], atol=1e-9)
