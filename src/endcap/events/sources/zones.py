"""Wall-clock times of a time zone as offsets from UTC, computed from Python's zone data so that engines agree."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import ibis

__all__ = ["offset_us_of", "offsets_of"]

_FIRST, _LAST = datetime(1995, 1, 1), datetime(2045, 1, 1)  # noqa: DTZ001 - wall-clock times have no zone yet


def offset_us_of(zone: str) -> Callable[[Any], Any] | None:
    """Return a function from a column of naive timestamps to microseconds ahead of UTC; None for UTC itself."""
    if zone == "UTC":
        return None
    offsets = offsets_of(zone)

    def offset_us(local: Any) -> Any:
        later = [(local >= ibis.literal(since), offset) for since, offset in reversed(offsets[1:])]
        return ibis.cases(*later, else_=offsets[0][1]).cast("int64") if later else ibis.literal(offsets[0][1], "int64")

    return offset_us


@lru_cache(maxsize=8)
def offsets_of(zone: str) -> tuple[tuple[datetime, int], ...]:
    """Return from which wall-clock time on which offset holds, microseconds ahead of UTC, 1995 to 2044.

    An hour that comes twice in autumn is taken the first time; one that is skipped in spring by the offset before it.

    >>> offsets_of("Europe/London")[1]
    (datetime.datetime(1995, 3, 26, 2, 0), 3600000000)
    """
    named = ZoneInfo(zone)

    def offset(local: datetime) -> int:
        ahead = local.replace(tzinfo=named).utcoffset()
        return 0 if ahead is None else ahead // timedelta(microseconds=1)

    found = [(_FIRST, offset(_FIRST))]
    day = _FIRST
    while day < _LAST:
        following = day + timedelta(days=1)
        if offset(following) != found[-1][1]:
            found.append(_turn(day, following, offset))
        day = following
    return tuple(found)


def _turn(before: datetime, after: datetime, offset: Callable[[datetime], int]) -> tuple[datetime, int]:
    """Find the minute at which the offset changes by halving."""
    while after - before > timedelta(minutes=1):
        middle = before + ((after - before) // 2 // timedelta(minutes=1)) * timedelta(minutes=1)
        before, after = (middle, after) if offset(middle) == offset(before) else (before, middle)
    return after, offset(after)
