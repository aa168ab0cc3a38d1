from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from endcap.core.clock import DAY_US, day_start_us
from endcap.simulation.block import Block, LawsOfWeeks
from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.ga4 import NAMES
from endcap.simulation.logbook import (
    LISTS_A_DAY,
    first_number,
    log_of,
    no_refunds,
    refund_log,
    refunds_due,
    refunds_of,
)
from endcap.simulation.luck import BACK_WITHIN_DAYS
from endcap.simulation.policies import Random
from endcap.simulation.settings import make_world
from endcap.simulation.stock import first_shelves, open_day
from endcap.simulation.tastes import make_tastes
from endcap.simulation.visitors import NEVER

WORLD = make_world(
    "stationary",
    visitors=400,
    days=2,
    items=30,
    p_land_on_item=0.7,
    p_cart=0.5,
    p_return=0.5,
    account_share=0.5,
    bot_share=0.02,
)


@pytest.fixture(scope="module")
def day():
    goods = make_catalogue(WORLD)
    tastes = make_tastes(WORLD, goods)
    laws = LawsOfWeeks(WORLD, goods, tastes).of_day(0)
    return open_day(WORLD, laws, first_shelves(WORLD, tastes, laws), 0)


@pytest.fixture(scope="module")
def made(day):
    goods = make_catalogue(WORLD)
    return Block(WORLD, goods, make_tastes(WORLD, goods), 0, Random()).live(day, None).made


@pytest.fixture(scope="module")
def log(made):
    return log_of(made, first=100)


def named(log, name):
    return np.flatnonzero(log.name == NAMES.index(name))


def items_of(log, event):
    return log.item[log.start[event] : log.start[event] + log.count[event]].tolist()


def test_events_stand_in_order_of_time(log):
    assert (np.diff(log.at_us) >= 0).all()
    assert (log.at_us % 1_000 == 0).all()


def test_every_page_becomes_its_events(made, log):
    counts = Counter(NAMES[each] for each in log.name.tolist())
    assert counts["view_item_list"] == made.is_list.sum()
    assert counts["select_item"] == (made.place >= 0).sum()
    assert counts["view_item"] == (made.item >= 0).sum()
    assert counts["add_to_cart"] == made.is_carted.sum()
    assert counts["remove_from_cart"] == made.is_removed.sum()
    assert counts["begin_checkout"] == len(np.unique(made.lines.session))
    assert counts["purchase"] == len(np.unique(made.lines.session[made.lines.is_paid]))
    assert min(counts.values()) > 0


def test_a_list_tells_its_slate_and_its_number(made, log):
    for event in named(log, "view_item_list")[:50]:
        row = log.list_number[event] - 100
        assert items_of(log, event) == made.slates[row].tolist()


def test_a_click_names_an_item_of_its_list_and_where_it_stood_there(made, log):
    for event in named(log, "select_item"):
        assert items_of(log, event) == [made.slates[log.list_number[event] - 100, log.place[event]]]
    assert (log.place[named(log, "view_item_list")] == 0).all()


def test_a_list_after_a_view_is_one_of_related_products(made, log):
    lists = named(log, "view_item_list")
    after = np.zeros(len(made.slates), bool)
    after[made.row[made.is_list]] = made.before[made.is_list] >= 0
    assert (log.is_related[lists] == after[log.list_number[lists] - 100]).all()
    assert 0 < after.mean() < 1
    clicks = named(log, "select_item")
    assert (log.is_related[clicks] == after[log.list_number[clicks] - 100]).all()
    assert not log.is_related[named(log, "view_item")].any()


def test_an_order_holds_what_the_session_paid_for_each_item_once(made, log):
    wanted = {}
    for line in np.flatnonzero(made.lines.is_paid).tolist():
        pieces = wanted.setdefault(int(made.lines.session[line]), Counter())
        pieces[int(made.item[made.lines.page[line]])] += int(made.lines.quantity[line])
    found = {}
    for event in named(log, "purchase"):
        span = slice(log.start[event], log.start[event] + log.count[event])
        assert len(set(log.item[span].tolist())) == log.count[event]
        found[int(log.order[event]) - 100] = dict(
            zip(log.item[span].tolist(), log.quantity[span].tolist(), strict=True)
        )
    assert found == {session: dict(pieces) for session, pieces in wanted.items()}
    assert any(len(pieces) > 1 for pieces in wanted.values())


def test_who_logs_in_late_is_unknown_before(made, log):
    late = np.flatnonzero(
        (made.sessions.login_page > 0) & (made.sessions.login_page < NEVER) & (made.sessions.pages > 6)
    )
    assert len(late) > 3
    for session in late.tolist():
        visitor = made.sessions.visitor[session]
        cookie = made.people.cookie[visitor, made.sessions.which[session]]
        own = (log.cookie == cookie) & (log.session_us == made.sessions.start_us[session])
        accounts = log.account[own].tolist()
        assert accounts[0] == -1
        assert set(accounts) <= {-1, made.people.account[visitor]}
        assert accounts == sorted(accounts)  # never unknown again


def test_numbers_of_lists_and_orders_are_different_on_all_days_and_in_all_blocks():
    world = replace(WORLD, block=100)
    firsts = [first_number(world, day, block) for day in range(3) for block in range(4)]
    assert np.diff(firsts).tolist() == [LISTS_A_DAY] * 11


def test_paid_lines_come_back_once_at_the_price_they_were_bought_for(made, day):
    pending = refunds_of(made, day, first=100)
    assert len(pending.due) == made.lines.comes_back.sum() > 5
    assert (made.lines.is_paid | ~made.lines.comes_back).all()
    assert ((pending.due >= 1) & (pending.due <= BACK_WITHIN_DAYS)).all()
    assert (pending.unit_minor == day.laws.price_minor[pending.item]).all()
    came = 0
    for number in range(BACK_WITHIN_DAYS + 1):
        due, pending = refunds_due(pending, number)
        start_us = day_start_us(WORLD.start) + number * DAY_US
        log = refund_log(WORLD, made.people, due, number, day_start_us=start_us)
        assert ((log.at_us >= start_us) & (log.at_us < start_us + DAY_US)).all()
        assert (np.diff(log.at_us) >= 0).all()
        came += len(log.at_us)
    assert (came, len(pending.due)) == (made.lines.comes_back.sum(), 0)


def test_nothing_and_something_pending_is_something_pending(made, day):
    pending = refunds_of(made, day, first=0)
    both = no_refunds().and_also(pending)
    np.testing.assert_array_equal(both.order, pending.order)


def test_a_refund_comes_from_the_device_that_bought_and_from_where_that_came_first(made, day):
    pending = refunds_of(made, day, first=100)
    for number in range(1, BACK_WITHIN_DAYS + 1):
        due, pending = refunds_due(pending, number)
        log = refund_log(WORLD, made.people, due, number, day_start_us=0)
        assert (log.traffic == made.people.traffic[due.visitor, due.which]).all()
        assert (log.cookie == made.people.cookie[due.visitor, due.which]).all()
    traffic = made.people.traffic
    assert (traffic[:, 0] != traffic[:, 1]).any()
