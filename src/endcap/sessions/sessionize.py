"""Sessions: a user's events without a pause longer than the gap.

A day's sessions are computed from four days of events alone. Two kinds of instant open a session:

- a *natural* start has no event of the same user in the gap before it;
- a *forced* start is a user's first instant of a UTC day when the user's last active day had no natural start, that is,
  when the activity has gone on for more than a whole day without a pause: a machine, not a shopper.

So an event belongs to a session that started on its own UTC day or on the day before, and a session that starts on day
D ends on D+1 at the latest. Whether D's first instant is forced is known from the natural starts of D-1, and those from
the events of D-2. A session that crosses midnight is otherwise whole, and belongs to the day it starts.

Events of one instant are never parted, so ties need no order. All sites of a shop together make one visit.
"""

from collections.abc import Sequence

import ibis

from endcap.core.clock import DAY_US, day_start_us, next_day
from endcap.core.tables import SESSIONS
from endcap.engines.contracts import under_contract
from endcap.sessions.config import SessionsConfig

__all__ = ["and_the_next", "in_sessions", "needed_days", "sessionize"]

_MINUTE_US = 60_000_000
_TOUCHES = ("view_item", "add_to_cart", "purchase")
_INSTANT = ("user_key", "date_partition", "at_us")


def needed_days(day: str) -> tuple[str, str]:
    """Return the first and last day of events that the sessions starting on a day depend on.

    >>> needed_days("2016-09-15")
    ('2016-09-13', '2016-09-16')
    """
    return next_day(day, -2), next_day(day)


def and_the_next(days: Sequence[str]) -> list[str]:
    """Return some days and the day after each, ascending: on these their sessions end.

    >>> and_the_next(["2016-09-15", "2016-09-16"])
    ['2016-09-15', '2016-09-16', '2016-09-17']
    """
    return sorted({*days, *(next_day(day) for day in days)})


def sessionize(events: ibis.Table, config: SessionsConfig, *, days: Sequence[str]) -> ibis.Table:
    """Find the sessions that start on the given days.

    Args:
        events: The EVENTS of every day that `needed_days` names for any of the days; more does no harm.
        config: The gap.
        days: UTC days whose sessions are wanted.

    Returns:
        SESSIONS in no order, one row for each session that starts on one of the days.
    """
    gap_us = config.gap_minutes * _MINUTE_US
    opened = _opened(_instants(events, days, gap_us=gap_us), gap_us=gap_us)
    # Of the days around, the instants tell where sessions start; no more is looked at of what starts on them.
    wanted = opened.filter((opened.started_us // DAY_US).isin([day_start_us(day) // DAY_US for day in days]))
    within = events.filter(events.date_partition.isin(and_the_next(days))).join(wanted, list(_INSTANT))
    placed = _told(within)
    touched = within.filter(within.event_name.isin(_TOUCHES) & within.item_id.notnull())
    session = ["user_key", "started_us"]
    counted = touched.group_by(*session).aggregate(num_items=lambda rows: rows.item_id.nunique())
    rows = _summed(placed).left_join(counted, session).drop("user_key_right", "started_us_right")
    rows = rows.left_join(_values(placed), session)
    known = {name: rows[name].fill_null(0) for name in ("num_items", "value_minor")}
    return under_contract(rows.mutate(session_id=_session_id(rows), **known), SESSIONS)


def in_sessions(rows: ibis.Table, sessions: ibis.Table) -> ibis.Table:
    """Put the session's id and day beside rows of events.

    Args:
        rows: Rows with `user_key` and `at_us`.
        sessions: SESSIONS; those of a user never overlap.

    Returns:
        The rows that lie in one of the sessions, with `session_id` and `session_day` (the day the session starts).
    """
    spans = sessions.select("user_key", "session_id", "started_us", "ended_us", session_day=sessions.date_partition)
    within = (rows.user_key == spans.user_key) & (rows.at_us >= spans.started_us) & (rows.at_us <= spans.ended_us)
    found = rows.inner_join(spans, within)
    return found.select(*rows.columns, "session_id", "session_day")


def _told(events: ibis.Table) -> ibis.Table:
    """Return one row an event, with the start of its session: an event of many items has as many rows in `events`."""
    is_bought = (events.event_name == "purchase") & events.price_minor.notnull()
    return events.group_by(*_INSTANT, "started_us", "event_id", "event_name").aggregate(
        value_minor=(events.price_minor * events.quantity.fill_null(1)).sum(where=is_bought).cast("int64"),
        currency=events.currency.fill_null("").max(where=is_bought),
        country=events.country.max(),
        device_category=events.device_category.max(),
    )


def _instants(events: ibis.Table, days: Sequence[str], *, gap_us: int) -> ibis.Table:
    """Return the instants of the days, and of the days around those of users for whom these may matter.

    Without an event within the gap before any midnight, each first instant of a day is a natural start: no session of
    that user reaches over midnight, and none is forced. Few have one.
    """
    instants = events.select(*_INSTANT)
    is_wanted = instants.date_partition.isin(list(days))
    reaching = instants.filter(instants.at_us % DAY_US >= DAY_US - gap_us).select("user_key")
    around = instants.filter(~is_wanted).semi_join(reaching, "user_key")
    return instants.filter(is_wanted).union(around).distinct()


def _opened(instants: ibis.Table, *, gap_us: int) -> ibis.Table:
    """Put beside each instant of a user the instant that its session started."""
    in_order = ibis.window(group_by="user_key", order_by="at_us")
    by_day = ibis.window(group_by=["user_key", "date_partition"])
    pause_us = instants.at_us - instants.at_us.lag().over(in_order)
    instants = instants.mutate(is_natural=(pause_us > gap_us).fill_null(True))  # noqa: FBT003 - positional in Ibis
    instants = instants.mutate(
        day_is_natural=instants.is_natural.max().over(by_day), day_first_us=instants.at_us.min().over(by_day)
    )
    # On a user's first instant of a day, the row before it is of the user's last active day.
    day_before_is_natural = instants.day_is_natural.lag().over(in_order)
    is_forced = (instants.at_us == instants.day_first_us) & ~day_before_is_natural
    instants = instants.mutate(start_us=(instants.is_natural | is_forced).ifelse(instants.at_us, ibis.null("int64")))
    so_far = ibis.window(group_by="user_key", order_by="at_us", preceding=None, following=0)
    return instants.select(*_INSTANT, started_us=instants.start_us.max().over(so_far))


def _summed(told: ibis.Table) -> ibis.Table:
    """Sum up the events of each session."""

    def num(name: str) -> ibis.Value:
        return (told.event_name == name).cast("int64").sum()

    order = _order(told)
    return told.group_by("user_key", "started_us").aggregate(
        date_partition=told.date_partition.min(),
        ended_us=told.at_us.max(),
        num_events=told.count(),
        num_views=num("view_item"),
        num_carts=num("add_to_cart"),
        num_purchases=num("purchase"),
        country=told.country.argmin(order, where=told.country.notnull()),
        device_category=told.device_category.argmin(order, where=told.device_category.notnull()),
    )


def _values(told: ibis.Table) -> ibis.Table:
    """Return what each session with a purchase is worth: yen and cents are not added, the first currency counts."""
    bought = told.filter(told.currency.notnull())
    by_currency = bought.group_by("user_key", "started_us", "currency").aggregate(
        value_minor=bought.value_minor.sum().cast("int64"), first=_order(bought).min()
    )
    place = ibis.row_number().over(group_by=["user_key", "started_us"], order_by=by_currency["first"])
    return by_currency.mutate(place=place).filter(ibis._.place == 0).select("user_key", "started_us", "value_minor")


def _order(told: ibis.Table) -> ibis.Value:
    return told.at_us.cast("string").lpad(20, "0") + told.event_id


def _session_id(sessions: ibis.Table) -> ibis.Value:
    return (sessions.user_key + "|" + sessions.started_us.cast("string")).hexdigest("sha256").left(32)
