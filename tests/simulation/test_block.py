import numpy as np
import pytest

from endcap.core.clock import DAY_US, day_start_us
from endcap.simulation.block import Block, LawsOfWeeks
from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.stock import Till, first_shelves, open_day
from endcap.simulation.tastes import make_tastes

WORLD = make_world("small", days=16, visitors=500, items=30, p_cart=0.4, p_return=0.5, bot_share=0.02)
GOODS = make_catalogue(WORLD)
TASTES = make_tastes(WORLD, GOODS)


@pytest.fixture
def laws():
    return LawsOfWeeks(WORLD, GOODS, TASTES)


@pytest.fixture
def lives(laws):
    """Let a block live through days first..last with full shelves."""
    shelves = first_shelves(WORLD, TASTES, laws.of_day(0))
    return lambda block, first, last: [
        block.live(open_day(WORLD, laws.of_day(number), shelves, number), Till(shelves).settle)
        for number in range(first, last + 1)
    ]


def new_block():
    return Block(WORLD, GOODS, TASTES, 0, Popular())


def test_laws_change_weekly_where_the_range_does(laws):
    assert [laws.of_day(number).week for number in (0, 6, 7, 13, 14, 0)] == [0, 0, 1, 1, 2, 0]
    still = make_world("stationary", items=10)
    goods = make_catalogue(still)
    assert LawsOfWeeks(still, goods, make_tastes(still, goods)).of_day(13).week == 0


def test_a_day_adds_up(lives):
    for day in lives(new_block(), 0, 3):
        lines, items = day.made.lines, day.made.item[day.made.lines.page]
        by_hand = np.zeros(30, int)
        for line in np.flatnonzero(lines.is_paid).tolist():
            by_hand[items[line]] += lines.quantity[line]
        np.testing.assert_array_equal(day.sold(30), by_hand)
        people = ~day.made.people.is_bot[day.made.sessions.visitor[day.made.session]]
        assert day.viewed(30).sum() == ((day.made.item >= 0) & people).sum()
        assert day.came_back(30).sum() == day.refunds.quantity.sum()


def test_all_events_stand_before_or_after_midnight_or_are_refunds(lives):
    for day in lives(new_block(), 0, 6):
        midnight_us = day_start_us(WORLD.start) + (day.number + 1) * DAY_US
        before, refunds, after = day.tables(GOODS, midnight_us=midnight_us)
        assert before.num_rows + after.num_rows == len(day.log.at_us)
        assert refunds.num_rows == len(day.refunds.at_us)
        assert before.num_rows == 0 or max(before["event_timestamp"].to_pylist()) < midnight_us
        assert after.num_rows == 0 or min(after["event_timestamp"].to_pylist()) >= midnight_us


def test_a_kept_state_goes_on_as_if_it_had_never_been_kept(lives, tmp_path):
    whole, first = new_block(), new_block()
    expected = lives(whole, 0, 12)[9:]
    lives(first, 0, 8)
    first.save(tmp_path / "block.npz")
    second = new_block()
    second.load(tmp_path / "block.npz")
    for day, again in zip(expected, lives(second, 9, 12), strict=True):
        for name in ("at_us", "cookie", "item"):
            np.testing.assert_array_equal(getattr(day.log, name), getattr(again.log, name))
        np.testing.assert_array_equal(day.refunds.order, again.refunds.order)
    np.testing.assert_array_equal(whole.state.taste, second.state.taste)
    np.testing.assert_array_equal(whole.state.pleased, second.state.pleased)
    assert sum(len(day.refunds.at_us) for day in expected) > 0


def test_who_drifted_is_told_with_the_new_taste(lives):
    block = new_block()
    days = lives(block, 0, 15)
    assert len(days[0].drifted) == 0
    assert sum(len(day.drifted) for day in days) > 30
    np.testing.assert_array_equal(block.state.taste[days[-1].drifted], days[-1].drawn)
    assert not block.people.is_bot[days[-1].drifted].any()


def test_a_day_passed_over_lets_tastes_drift_alike(lives):
    lived, passed = new_block(), new_block()
    lives(lived, 0, 9)
    for number in range(10):
        passed.pass_over(number)
    np.testing.assert_array_equal(lived.state.taste, passed.state.taste)
