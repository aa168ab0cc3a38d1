from dataclasses import replace

import numpy as np
import pytest

from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.luck import page_luck, till_luck, turned
from endcap.simulation.settings import make_world
from endcap.simulation.tastes import make_laws, make_tastes
from endcap.simulation.visitors import Arrivals, arrivals, draw_visitors, first_state

WORLD = make_world("small", days=3, visitors=600, items=30, bot_share=0.05)
GOODS = make_catalogue(WORLD)
TASTES = make_tastes(WORLD, GOODS)
LAWS = make_laws(WORLD, GOODS, TASTES, 0)
PEOPLE = draw_visitors(WORLD, 0)
AT = (1, 0)


def coming(share, seed):
    """The sessions that there may be on day 1, of which a share takes place."""
    may = arrivals(WORLD, PEOPLE, first_state(WORLD, TASTES, PEOPLE), 1).may
    return Arrivals(may, np.random.default_rng(seed).random(len(may.pages)) < share)


def luck_of(who):
    state = first_state(WORLD, TASTES, PEOPLE)
    pages, visitor = turned(who), who.may.visitor[who.come]
    bought = np.full(len(visitor), 3)
    return pages, page_luck(WORLD, LAWS, AT, state.taste[visitor], bought, pages), till_luck(WORLD, AT, pages)


def by_session(who, pages, values):
    """What each session that may be has, page after page."""
    number = np.flatnonzero(who.come)[pages.session]
    found = {}
    for session, value in zip(number.tolist(), np.moveaxis(values, -1, 0).tolist(), strict=True):
        found.setdefault(session, []).append(value)
    return found


def test_pages_stand_page_by_page_over_the_sessions_that_take_place():
    who = coming(0.6, 1)
    pages = turned(who)
    counts = who.may.pages[who.come]
    assert len(pages.session) == counts.sum()
    assert (np.bincount(pages.session) == counts).all()
    assert pages.counts.tolist() == [(counts > number).sum() for number in range(counts.max())]
    assert pages.is_turned.sum() == counts.sum()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_a_session_draws_does_not_depend_on_which_others_take_place(seed):
    everybody, some = coming(1.1, 0), coming(0.5, seed)
    all_pages, all_luck, all_paying = luck_of(everybody)
    pages, luck, paying = luck_of(some)
    for name in ("is_list", "eye", "click", "follows", "step", "alone", "cart", "is_removed", "quantity", "pause_us"):
        whole = by_session(everybody, all_pages, getattr(all_luck, name))
        found = by_session(some, pages, getattr(luck, name))
        assert found == {session: whole[session] for session in found}, name
        assert len(found) == some.come.sum()
    for name in ("goes", "pays", "pause_us"):
        assert (getattr(paying, name) == getattr(all_paying, name)[some.come]).all()
    for name in ("comes_back", "back_after"):
        back = by_session(everybody, all_pages, getattr(all_paying, name))
        found = by_session(some, pages, getattr(paying, name))
        assert found == {each: back[each] for each in np.flatnonzero(some.come)}
    assert set(all_paying.back_after.tolist()) == set(range(1, 15))


def test_bots_see_no_lists_and_follow_nothing_and_go_on_in_a_second():
    who = coming(1.1, 0)
    pages, luck, _ = luck_of(who)
    is_bot = PEOPLE.is_bot[who.may.visitor[pages.session]]
    assert is_bot.sum() > 100
    assert not luck.is_list[is_bot].any()
    assert not luck.follows[is_bot].any()
    assert (luck.pause_us[:, is_bot] == 1_001_000).all()
    assert luck.follows[~is_bot].any()


def test_a_landing_goes_back_to_what_was_bought_as_often_as_the_world_says():
    """Item 3 was bought by everybody; it is wanted otherwise as well. Within 4 standard errors."""
    world = replace(WORLD, p_repeat=0.4)
    who = coming(1.1, 0)
    state = first_state(world, TASTES, PEOPLE)
    pages, visitor = turned(who), who.may.visitor
    luck = page_luck(world, LAWS, AT, state.taste[visitor], np.full(len(visitor), 3), pages)
    first = np.arange(len(visitor))
    lands = first[~luck.is_list[first]]
    p = 0.4 + 0.6 * LAWS.wanted_KN[state.taste[visitor[lands]], 3].astype(float)
    assert LAWS.is_sold[3]
    assert abs((luck.alone[lands] == 3).sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum())
    assert (luck.alone[luck.is_list] == -1).all()


def test_no_sessions_have_no_pages():
    who = coming(0.0, 0)
    pages, luck, paying = luck_of(who)
    assert len(pages.session) == len(luck.eye) == len(paying.goes) == 0
