import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.clock import (
    DAY_US,
    day_of,
    day_start_us,
    days_between,
    fixed_clock,
    next_day,
    steady_clock,
    system_clock,
)

days = st.dates(min_value=datetime(1900, 1, 1, tzinfo=UTC).date()).map(lambda day: day.isoformat())


def test_a_fixed_clock_stands_still():
    clock = fixed_clock("2016-09-15")
    assert clock() == clock() == 1_473_897_600_000_000


def test_an_instant_of_another_zone_is_the_same_instant_in_utc():
    assert fixed_clock("2016-09-15T02:00:00+02:00")() == fixed_clock("2016-09-15T00:00:00")()


def test_microseconds_are_exact():
    assert fixed_clock("2016-09-15T00:00:00.000001")() == 1_473_897_600_000_001


def test_the_steady_clock_counts_microseconds_and_never_goes_back():
    before = time.perf_counter_ns() // 1000
    assert before <= steady_clock() <= steady_clock() <= time.perf_counter_ns() // 1000


def test_the_system_clock_counts_microseconds():
    before = time.time_ns() // 1000
    assert before <= system_clock() <= time.time_ns() // 1000


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2016-09-14T23:59:59.999999", "2016-09-14"),
        ("2016-09-15T00:00:00", "2016-09-15"),
        ("1969-12-31T23:59:59", "1969-12-31"),
        ("2024-02-29T12:00:00", "2024-02-29"),
    ],
)
def test_a_day_holds_its_first_instant_and_not_the_next_days(at, day):
    assert day_of(fixed_clock(at)()) == day


@settings(max_examples=50, deadline=None)
@given(days, st.integers(0, DAY_US - 1))
def test_every_instant_of_a_day_is_of_that_day(day, within_us):
    assert day_of(day_start_us(day) + within_us) == day


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3000), st.integers(0, 400))
def test_days_between_are_consecutive(first, count):
    first = next_day("2016-01-01", first)
    days = days_between(first, next_day(first, count))
    assert len(days) == count + 1
    assert [next_day(day) for day in days[:-1]] == days[1:]


def test_there_is_no_day_between_a_day_and_the_one_before_it():
    assert days_between("2016-09-15", "2016-09-14") == []
    assert days_between("2016-09-15", "2016-09-15") == ["2016-09-15"]
