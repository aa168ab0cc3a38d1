"""Are the presets like the shops they are named after? Real figures: docs/simulation.md. Tolerances are beside each.

Rates and means may be 5 % off (they move by 1 or 2 % with the seed), quantiles 20 % (few whole numbers, a heavy tail).
"""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.calibration import GMERCH_HOURS, counted

from endcap.simulation.in_memory import live
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def retailrocket():
    return counted(make_world("retailrocket"))


@pytest.fixture(scope="module")
def otto():
    return counted(make_world("otto", scale=0.01))


@pytest.fixture(scope="module")
def small():
    return counted(make_world("small"))


@pytest.fixture(scope="module")
def click_through(small):
    """By place, the mean over three worlds: on a place there is one item for days, and worlds differ in it."""
    worlds = [small, *(counted(make_world("small", seed=seed)) for seed in (1, 2))]
    return np.mean([world.by_place / world.lists for world in worlds], axis=0)


def test_retailrocket_has_as_many_visitors_views_carts_and_orders_as_the_log(retailrocket):
    assert (retailrocket.by_visitor > 0).sum() == pytest.approx(1_407_580, rel=0.01)
    assert retailrocket.views == pytest.approx(2_664_312, rel=0.05)
    assert retailrocket.carts == pytest.approx(69_332, rel=0.05)
    assert retailrocket.lines == pytest.approx(22_457, rel=0.05)
    assert retailrocket.events / len(retailrocket.by_visitor) == pytest.approx(1.96, rel=0.05)


def test_retailrocket_has_its_rates(retailrocket):
    assert retailrocket.carts / retailrocket.views == pytest.approx(0.0260, rel=0.05)
    assert retailrocket.lines / retailrocket.carts == pytest.approx(0.324, rel=0.05)


def test_as_many_items_are_seen_as_in_retailrocket(retailrocket):
    assert (retailrocket.by_item > 0).sum() == pytest.approx(235_061, rel=0.05)


def test_otto_has_its_rates(otto):
    assert otto.carts / otto.views == pytest.approx(0.0868, rel=0.05)
    assert otto.lines / otto.carts == pytest.approx(0.302, rel=0.05)
    assert otto.events / len(otto.by_visitor) == pytest.approx(16.8, rel=0.05)


@pytest.mark.parametrize("blocks", [1, 50])
def test_how_many_blocks_the_visitors_make_changes_neither_rates_nor_what_is_sold_out(blocks):
    """As many as the whole of OTTO has; a stock dealt out to them refused three lines of five."""
    world = make_world("otto", scale=0.004)
    world = replace(world, block=-(-world.visitors // blocks))
    carts = paid = refused = 0
    for each in live(world, Popular()):
        lines = each.lived.made.lines
        carts += int(each.lived.made.is_carted.sum())
        paid, refused = paid + int(lines.is_paid.sum()), refused + int(lines.is_refused.sum())
    assert paid / carts == pytest.approx(0.302, rel=0.05)
    assert refused < 0.05 * (paid + refused)


def test_few_visitors_do_most_as_in_otto(otto):
    found = np.percentile(otto.by_visitor, [50, 75, 90, 95])
    assert found == pytest.approx([6, 15, 39, 68], rel=0.2)


def test_few_items_are_seen_most_as_in_otto(otto):
    seen = otto.by_item[otto.by_item > 0]
    found = np.percentile(seen, [50, 75, 90, 95]) / seen.mean()
    assert found == pytest.approx([0.17, 0.48, 1.57, 3.41], rel=0.2)


def test_click_through_falls_with_the_place_as_in_the_google_merchandise_store(click_through):
    assert click_through[[0, 1, 5]] == pytest.approx([0.037, 0.023, 0.0125], rel=0.15)
    assert click_through[0] > click_through[1] > click_through[2] > click_through[5] > click_through[15]


def test_people_come_at_the_hours_they_come_to_the_google_merchandise_store(small):
    shape = small.by_hour / small.by_hour.sum()
    assert np.abs(shape - GMERCH_HOURS / GMERCH_HOURS.sum()).sum() / 2 < 0.03  # total variation distance


def test_pauses_within_sessions_are_those_of_the_google_merchandise_store_but_for_the_shortest(small):
    found = np.percentile(small.gaps_s, [25, 50, 75, 90])
    assert found == pytest.approx([5.4, 14.0, 31.2, 64], rel=0.5)
    assert np.abs(np.log(found / [5.4, 14.0, 31.2, 64])).mean() < 0.35


def test_a_list_has_about_twenty_rows_an_event(small):
    assert small.lists * 20 / small.events == pytest.approx(20, rel=0.15)
