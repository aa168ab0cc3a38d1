"""Are the presets like the shops they are named after? Real figures: docs/simulation.md. Tolerances are beside each.

Rates and means may be 5 % off (they move by 1 or 2 % with the seed), quantiles 20 % (few whole numbers, a heavy tail).
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from endcap.simulation.block import Block, LawsOfWeeks
from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.stock import allotted, close_day, first_shelves, open_day
from endcap.simulation.tastes import make_tastes

GMERCH_HOURS = np.array(
    (
        *(4.48, 3.96, 4.19, 4.10, 3.76, 3.85, 3.04, 2.53, 1.95, 1.68, 1.57, 1.89),
        *(2.37, 3.20, 4.58, 5.89, 5.69, 6.45, 6.53, 6.09, 6.39, 5.38, 5.60, 4.83),
    )
)


@dataclass
class Counted:
    """What a world's people did, over all days."""

    views: int = 0
    carts: int = 0
    lines: int = 0
    lists: int = 0
    by_visitor: NDArray[np.int64] | None = None
    by_item: NDArray[np.int64] | None = None
    by_place: NDArray[np.int64] | None = None
    by_hour: NDArray[np.int64] | None = None
    gaps_s: NDArray[np.float64] | None = None

    @property
    def events(self):
        return self.views + self.carts + self.lines


def counted(world):
    goods = make_catalogue(world)
    tastes = make_tastes(world, goods)
    laws = LawsOfWeeks(world, goods, tastes)
    shelves = first_shelves(world, tastes, laws.of_day(0))
    block = Block(world, goods, tastes, 0, Popular())
    found = Counted(0, 0, 0, 0, *(np.zeros(size, int) for size in (world.visitors, world.items, world.places, 24)))
    gaps = []
    for number in range(world.days):
        day = open_day(world, laws.of_day(number), shelves, number)
        lived = block.live(replace(day, left=allotted(world, shelves, number, 0)))
        items, made = world.items, lived.made
        close_day(
            world, shelves, number, sold=lived.sold(items), came_back=lived.came_back(items), viewed=lived.viewed(items)
        )
        paid = made.lines.page[made.lines.is_paid]
        pages = np.concatenate([np.flatnonzero(made.item >= 0), np.flatnonzero(made.is_carted), paid])
        found.views += int((made.item >= 0).sum())
        found.carts += int(made.is_carted.sum())
        found.lines += len(paid)
        found.lists += int(made.is_list.sum())
        found.by_visitor += np.bincount(made.sessions.visitor[made.session[pages]], minlength=world.visitors)
        found.by_item += np.bincount(made.item[pages], minlength=items)
        found.by_place += np.bincount(made.place[made.place >= 0], minlength=world.places)
        people = ~made.people.is_bot[made.sessions.visitor[made.session]] & (made.item >= 0)
        found.by_hour += np.bincount(made.view_us[people] // 3_600_000_000 % 24, minlength=24)
        gaps.append(_gaps_s(lived))
    found.gaps_s = np.concatenate(gaps)
    return found


def _gaps_s(lived):
    """Seconds between successive events of people's sessions."""
    log, made = lived.log, lived.made
    people = ~np.isin(log.cookie, made.people.cookie[made.people.is_bot])
    order = np.lexsort((log.at_us, log.session_us, log.cookie))
    order = order[people[order]]
    same = (np.diff(log.cookie[order]) == 0) & (np.diff(log.session_us[order]) == 0)
    return np.diff(log.at_us[order])[same] / 1e6


@pytest.fixture(scope="module")
def retailrocket():
    return counted(make_world("retailrocket"))


@pytest.fixture(scope="module")
def otto():
    return counted(make_world("otto", scale=0.01))


@pytest.fixture(scope="module")
def small():
    return counted(make_world("small"))


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


def test_few_visitors_do_most_as_in_otto(otto):
    found = np.percentile(otto.by_visitor, [50, 75, 90, 95])
    assert found == pytest.approx([6, 15, 39, 68], rel=0.2)


def test_few_items_are_seen_most_as_in_otto(otto):
    seen = otto.by_item[otto.by_item > 0]
    found = np.percentile(seen, [50, 75, 90, 95]) / seen.mean()
    assert found == pytest.approx([0.17, 0.48, 1.57, 3.41], rel=0.2)


def test_click_through_falls_with_the_place_as_in_the_google_merchandise_store(small):
    found = small.by_place / small.lists
    assert found[[0, 1, 5]] == pytest.approx([0.037, 0.023, 0.0125], rel=0.15)
    assert found[0] > found[1] > found[2] > found[5] > found[15]


def test_people_come_at_the_hours_they_come_to_the_google_merchandise_store(small):
    shape = small.by_hour / small.by_hour.sum()
    assert np.abs(shape - GMERCH_HOURS / GMERCH_HOURS.sum()).sum() / 2 < 0.03  # total variation distance


def test_pauses_within_sessions_are_those_of_the_google_merchandise_store_but_for_the_shortest(small):
    found = np.percentile(small.gaps_s, [25, 50, 75, 90])
    assert found == pytest.approx([5.4, 14.0, 31.2, 64], rel=0.5)
    assert np.abs(np.log(found / [5.4, 14.0, 31.2, 64])).mean() < 0.35


def test_a_list_has_about_twenty_rows_an_event(small):
    assert small.lists * 20 / small.events == pytest.approx(20, rel=0.15)
