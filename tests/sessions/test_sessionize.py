import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from endcap.core.clock import days_between, next_day
from endcap.core.tables import SESSIONS
from endcap.engines.contracts import check_contract
from endcap.sessions.config import SessionsConfig
from endcap.sessions.sessionize import in_sessions, needed_days, sessionize

DAYS = days_between("2016-09-01", "2016-09-08")
CONFIG = SessionsConfig()
# Building an expression costs more than running it: few examples of many users each.
few = settings(max_examples=4, deadline=None, derandomize=True, phases=[Phase.generate])
USERS = "abcdefgh"


@pytest.fixture(scope="module")
def spans(world, rows_of, minute):
    """Sessions of a tiny world as (user, day of September, first minute, last minute, number of events)."""

    def spans(text, *, days=DAYS, config=CONFIG):
        found = rows_of(sessionize(world(text), config, days=days), "user_key", "date_partition", "started_us",
                        "ended_us", "num_events")  # fmt: skip
        return sorted((user, int(day[-2:]), minute(first), minute(last), num) for user, day, first, last, num in found)

    return spans


def test_a_pause_as_long_as_the_gap_does_not_end_the_session_a_longer_one_does(spans):
    assert spans("""
        ann 0   view_item A
        ann 30  view_item A
        ann 61  view_item A
    """) == [("ann", 1, 0, 30, 2), ("ann", 1, 61, 61, 1)]


def test_the_gap_is_a_setting(spans):
    assert spans(["ann 0 view_item A", "ann 6 view_item A"], config=SessionsConfig(gap_minutes=5)) == [
        ("ann", 1, 0, 0, 1),
        ("ann", 1, 6, 6, 1),
    ]


def test_users_do_not_meet(spans):
    assert spans(["ann 0 view_item A", "bob 1 view_item A"]) == [("ann", 1, 0, 0, 1), ("bob", 1, 1, 1, 1)]


def test_a_session_that_crosses_midnight_is_whole_and_belongs_to_the_day_it_starts(spans):
    assert spans(["ann 1430 view_item A", "ann 1d+10 view_item B"]) == [("ann", 1, 1430, 1450, 2)]
    assert spans(["ann 1430 view_item A", "ann 1d+10 view_item B"], days=["2016-09-02"]) == []


def test_activity_without_a_pause_for_more_than_a_day_is_cut_at_midnight(spans):
    machine = [f"bot {minute} view_item A" for minute in range(0, 4 * 1440, 20)]
    assert spans(machine) == [
        ("bot", 1, 0, 2 * 1440 - 20, 144),
        ("bot", 3, 2 * 1440, 3 * 1440 - 20, 72),
        ("bot", 4, 3 * 1440, 4 * 1440 - 20, 72),
    ]


def test_a_day_within_endless_activity_is_found_from_the_days_that_it_needs(world, rows_of, minute):
    machine = world([f"bot {at} view_item A" for at in range(0, 4 * 1440, 20)])
    first, last = needed_days("2016-09-03")
    near = machine.filter(machine.date_partition.between(first, last))
    found = rows_of(sessionize(near, CONFIG, days=["2016-09-03"]), "started_us", "ended_us")
    assert [(minute(start), minute(end)) for start, end in found] == [(2 * 1440, 3 * 1440 - 20)]


def test_a_session_counts_its_events_items_and_value(engine, world, rows_of):
    found = sessionize(world("""
        ann 0  view_item_list A B C D
        ann 1  view_item A@300 country=FR
        ann 1  view_item B@100 country=CH device=mobile
        ann 2  add_to_cart A@300
        ann 3  purchase A@300*2 C@50 D
        ann 4  view_item A@300 country=DE
    """), CONFIG, days=DAYS)  # fmt: skip
    check_contract(engine, engine.materialise(found), SESSIONS)
    names = ("num_events", "num_views", "num_carts", "num_purchases", "num_items", "value_minor", "device_category")
    assert rows_of(found, *names) == [(6, 3, 1, 1, 4, 650, "mobile")]


def test_the_value_of_a_session_is_that_of_its_first_currency(world, rows_of):
    lines = [
        "ann 0  view_item C@7 currency=USD",
        "ann 1  purchase A@300 B@1*2 currency=JPY",
        "ann 2  purchase A@999 currency=EUR",
        "ann 3  purchase C",
        "ann 4  purchase A@10 currency=JPY",
        "bob 0  purchase C",
        "bob 1  purchase A@999 currency=EUR",
    ]
    for order in (lines, lines[::-1]):
        assert rows_of(sessionize(world(order), CONFIG, days=DAYS), "user_key", "value_minor") == [
            ("ann", 312),
            ("bob", 999),
        ]


def test_the_country_is_that_of_the_first_event_that_names_one(world, rows_of):
    lines = ["ann 0 view_item A", "ann 1 view_item A country=FR", "ann 2 view_item B country=CH"]
    for order in (lines, lines[::-1]):
        assert rows_of(sessionize(world(order), CONFIG, days=DAYS), "country") == [("FR",)]


def test_a_session_id_follows_from_the_user_and_the_start(world, rows_of):
    found = sessionize(world("ann 0 view_item A"), CONFIG, days=DAYS)
    [(session_id, started_us)] = rows_of(found, "session_id", "started_us")
    assert session_id == hashlib.sha256(f"ann|{started_us}".encode()).hexdigest()[:32]


def test_a_session_without_items_has_none(world, rows_of):
    assert rows_of(sessionize(world("ann 0 search"), CONFIG, days=DAYS), "num_items", "value_minor") == [(0, 0)]


pauses = st.lists(
    st.tuples(st.sampled_from([0, 1, 29, 30, 31, 400, 1439, 1441]), st.integers(1, 60)), min_size=1, max_size=6
)


@st.composite
def lines_of(draw):
    lines = []
    for user in USERS:
        minute = draw(st.integers(0, 2000))
        for pause, repeats in draw(pauses):
            for _ in range(repeats if pause in (1, 29, 30) else 1):
                minute += pause
                lines.append(f"{user} {minute} view_item A")
    return [line for line in lines if int(line.split()[1]) < len(DAYS) * 1440]


@few
@given(lines=lines_of())
def test_sessions_are_those_of_the_plain_rule(spans, lines):
    assert spans(lines) == _plain(lines)


@few
@given(lines=lines_of(), seed=st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter(world, rows_of, lines, seed):
    shuffled = [lines[place] for place in np.random.default_rng(seed).permutation(len(lines))]
    once, again = (rows_of(sessionize(world(order), CONFIG, days=DAYS)) for order in (lines, shuffled))
    assert once == again


@settings(few, max_examples=2)
@given(lines=lines_of())
def test_a_day_computed_from_the_days_around_it_equals_the_same_day_of_all_at_once(world, rows_of, lines):
    events = world(lines)
    days = DAYS[1:4]
    at_once = rows_of(sessionize(events, CONFIG, days=days))
    by_day = []
    for day in days:
        first, last = needed_days(day)
        by_day += rows_of(sessionize(events.filter(events.date_partition.between(first, last)), CONFIG, days=[day]))
    assert sorted(by_day, key=repr) == at_once


@few
@given(lines=lines_of())
def test_every_event_lies_in_one_session_that_started_that_day_or_the_day_before(world, rows_of, lines):
    events = world(lines)
    found = in_sessions(events, sessionize(events, CONFIG, days=DAYS))
    placed = rows_of(found, "event_id", "date_partition", "session_day")
    assert [event_id for event_id, _, _ in placed] == [event_id for (event_id,) in rows_of(events, "event_id")]
    assert all(started in (day, next_day(day, -1)) for _, day, started in placed)


def _plain(lines):
    """The rule, user by user and minute by minute."""
    found = []
    for user in sorted({line.split()[0] for line in lines}):
        told = sorted(int(line.split()[1]) for line in lines if line.split()[0] == user)
        minutes = sorted(set(told))
        natural = {minutes[0]} | {later for earlier, later in pairwise(minutes) if later - earlier > 30}
        starts = set(natural)
        for earlier, later in pairwise(minutes):
            if later // 1440 > earlier // 1440 and not any(start // 1440 == earlier // 1440 for start in natural):
                starts.add(later)
        for start in sorted(starts):
            end = min((other for other in starts if other > start), default=minutes[-1] + 1)
            inside = [minute for minute in told if start <= minute < end]
            found.append((user, 1 + start // 1440, start, inside[-1], len(inside)))
    return sorted(found)
