"""Time comes in as an argument: a clock says what time it is, everything else is told.

Instants are int64 microseconds since 1970-01-01 in UTC (`at_us`). Days are `YYYY-MM-DD` strings of UTC days (`day`).
"""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

__all__ = [
    "DAY_US",
    "Clock",
    "day_of",
    "day_start_us",
    "days_between",
    "fixed_clock",
    "instant_of",
    "microseconds_of",
    "next_day",
    "steady_clock",
    "system_clock",
]

Clock = Callable[[], int]
"""A function without arguments that returns the present instant in microseconds UTC."""

DAY_US = 86_400_000_000
"""Microseconds in a day."""


def system_clock() -> int:
    """Return the machine's present instant in microseconds UTC."""
    return time.time_ns() // 1_000


def steady_clock() -> int:
    """Return microseconds since some moment: a clock that is never set, to measure how long something takes."""
    return time.perf_counter_ns() // 1_000


def fixed_clock(at: str) -> Clock:
    """Return a clock that stands still.

    Args:
        at: An ISO instant; UTC if it names no zone.

    >>> fixed_clock("2016-09-15T00:00:01")()
    1473897601000000
    """
    at_us = instant_of(at)
    return lambda: at_us


def instant_of(written: str) -> int:
    """Return an ISO instant in microseconds UTC; it is in UTC if it names no zone.

    >>> instant_of("2026-03-01T08:00+0100"), instant_of("2026-03-01")
    (1772348400000000, 1772323200000000)

    Raises:
        ValueError: It is none.
    """
    return microseconds_of(datetime.fromisoformat(written.strip()))


def microseconds_of(instant: datetime) -> int:
    """Return an instant in microseconds since 1970; one without a zone is taken as UTC.

    >>> microseconds_of(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def day_of(at_us: int) -> str:
    """Return the UTC day of an instant.

    >>> day_of(1473897601000000)
    '2016-09-15'
    """
    return (date(1970, 1, 1) + timedelta(days=at_us // DAY_US)).isoformat()


def day_start_us(day: str) -> int:
    """Return the first instant of a day.

    >>> day_start_us("2016-09-15")
    1473897600000000
    """
    return (date.fromisoformat(day) - date(1970, 1, 1)).days * DAY_US


def next_day(day: str, step: int = 1) -> str:
    """Return the day `step` days later (earlier when negative).

    >>> next_day("2016-02-28"), next_day("2016-03-01", -1)
    ('2016-02-29', '2016-02-29')
    """
    return (date.fromisoformat(day) + timedelta(days=step)).isoformat()


def days_between(first: str, last: str) -> list[str]:
    """Return every day from `first` to `last`, both included; empty when `last` is earlier.

    >>> days_between("2016-09-29", "2016-10-01")
    ['2016-09-29', '2016-09-30', '2016-10-01']
    """
    count = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
    return [next_day(first, step) for step in range(count)]
