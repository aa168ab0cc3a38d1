from dataclasses import replace

import numpy as np
import pytest

from endcap.simulation.block import Block, LawsOfWeeks
from endcap.simulation.catalogue import make_catalogue, mean_of
from endcap.simulation.policies import Popular, Random
from endcap.simulation.settings import make_world
from endcap.simulation.stock import first_shelves, open_day
from endcap.simulation.tastes import make_laws, make_tastes
from endcap.simulation.value import sessions_per_visitor, value_of


@pytest.fixture
def world():
    return make_world("stationary", visitors=20_000, days=3, items=80, tastes=4, places=8)


def lived(world, policy):
    """Clicks, carts and paid lines that follow a click, for each visitor of a world that is really lived."""
    goods = make_catalogue(world)
    tastes = make_tastes(world, goods)
    laws = LawsOfWeeks(world, goods, tastes)
    shelves = first_shelves(world, tastes, laws.of_day(0))
    block = Block(world, goods, tastes, 0, policy)
    found = np.zeros((3, world.visitors))
    for number in range(world.days):
        made = block.live(open_day(world, laws.of_day(number), shelves, number), None).made
        paid = np.zeros(len(made.item), bool)
        paid[made.lines.page[made.lines.is_paid]] = True
        for row, happened in enumerate((True, made.is_carted, paid)):
            who = made.sessions.visitor[made.session[(made.place >= 0) & happened]]
            found[row] += np.bincount(who, minlength=world.visitors)
    return found


@pytest.mark.parametrize("policy", [Random(), Popular(explores=0.3)])
def test_what_is_expected_is_what_happens_within_four_standard_errors(world, policy):
    exact = value_of(world, policy)
    happened = lived(world, policy)
    errors = happened.std(axis=1) / np.sqrt(world.visitors)
    apart = np.abs(happened.mean(axis=1) - [exact.clicks, exact.carts, exact.purchases])
    assert (apart < 4 * errors).all()
    assert exact.clicks > exact.carts > exact.purchases > 0


def test_sessions_of_one_list_are_added_up_by_hand(world):
    world = replace(world, p_next_page=0.0, p_land_on_item=0.0)
    goods = make_catalogue(world)
    tastes = make_tastes(world, goods)
    laws = make_laws(world, goods, tastes, 0)
    by_hand = 0.0
    for attention in world.attention[:8]:
        for taste, share in enumerate(tastes.prior):
            by_hand += attention * share * laws.attraction_KN[taste].mean(dtype=np.float64)
    assert value_of(world, Random()).clicks == pytest.approx(by_hand * sessions_per_visitor(world), rel=1e-9)


def test_who_comes_on_the_first_day_may_come_again_on_all_others():
    world = make_world("stationary", visitors=300, days=3, activity=((0, 0.0), (1, 6.0)))
    assert mean_of(world.activity) == 3.0
    # A hundred newcomers a day, each session later at a rate of 3 / 3 days: 100 x 2 + 100 x 1 of 300 visitors.
    assert sessions_per_visitor(world) == pytest.approx(1 + (100 * 2 + 100 * 1) / 300)


def test_blocks_are_added_up():
    whole = make_world("stationary", visitors=1_000, days=5, items=40)
    assert sessions_per_visitor(replace(whole, block=250)) == pytest.approx(sessions_per_visitor(whole))


@pytest.mark.parametrize("memory", [{"has_stock": True}, {"later_visits": 0.5}, {"bot_share": 0.1}])
def test_a_world_with_a_memory_or_bots_has_no_closed_form(world, memory):
    with pytest.raises(ValueError, match="stationary"):
        value_of(replace(world, **memory), Random())


def test_a_policy_that_knows_its_visitor_has_none_either(world):
    class Other:
        name = "other"

    with pytest.raises(TypeError, match="other"):
        value_of(world, Other())
