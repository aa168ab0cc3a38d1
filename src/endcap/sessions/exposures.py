"""Exposures: each item that a list showed, and whether it was then clicked, carted or bought.

A click, cart or purchase of an item belongs to one earlier showing of that item in the same session:

1. to one of the slate that it names by its recommendation_id, if that slate showed the item within the window of
   `[sessions]` before;
2. else to any within that window, by default the latest.

Showings of an item are ordered by (instant, event id); a list that shows an item twice is one showing, at its first
place, since that is the one a shopper meets first. A list of the very instant of the click comes before it. What no
list showed before belongs to no exposure.
"""

from collections.abc import Sequence

import ibis

from endcap.core.clock import DAY_US, day_start_us, next_day
from endcap.core.tables import EXPOSURES
from endcap.engines.contracts import under_contract
from endcap.sessions.config import SessionsConfig
from endcap.sessions.sessionize import in_sessions

__all__ = ["find_exposures", "needed_days", "needed_session_days", "needed_slate_days"]

_FLAGS = ("clicked", "carted", "purchased")
_SHOWN = (
    "date_partition",
    "event_id",
    "item_ordinal",
    "user_key",
    "at_us",
    "item_id",
    "item_list_id",
    "place",
    "recommendation_id",
)
_SHOWING = ("session_id", "item_id", "showing")
_MINUTE_US = 60_000_000
_WHOLE_SESSION = 3 * 1440  # minutes: no session is longer


def needed_days(day: str) -> tuple[str, str]:
    """Return the first and last day of events that a day's exposures depend on.

    The day after counts for what happens after midnight, the day before for the earlier lists of a session that crossed
    midnight (they matter when the first list gets the credit).

    >>> needed_days("2016-09-15")
    ('2016-09-14', '2016-09-16')
    """
    return next_day(day, -1), next_day(day)


def needed_session_days(day: str) -> tuple[str, str]:
    """Return the first and last day of sessions that a day's exposures depend on.

    >>> needed_session_days("2016-09-15")
    ('2016-09-14', '2016-09-15')
    """
    return next_day(day, -1), day


def needed_slate_days(day: str) -> tuple[str, str]:
    """Return the first and last day of slates that a day's exposures depend on: one may be shown after midnight.

    >>> needed_slate_days("2016-09-15")
    ('2016-09-14', '2016-09-15')
    """
    return next_day(day, -1), day


def find_exposures(
    events: ibis.Table, sessions: ibis.Table, slates: ibis.Table, config: SessionsConfig, *, days: Sequence[str]
) -> ibis.Table:
    """List what was shown on the given days, with what came of it.

    Args:
        events: The EVENTS of every day that `needed_days` names for any of the days; more does no harm.
        sessions: The SESSIONS of every day that `needed_session_days` names for any of the days; likewise.
        slates: The SLATES of every day that `needed_slate_days` names for any of the days; likewise.
        config: Which list gets the credit.
        days: UTC days whose exposures are wanted.

    Returns:
        EXPOSURES in no order. Propensity and variant are those of the slate that the list names as its
        recommendation_id, and missing for items that no slate of ours held.
    """
    of_items, sessions = events.filter(events.item_id.notnull()), _reaching(sessions, days)
    lists = of_items.filter((of_items.event_name == "view_item_list") & (of_items.item_ordinal >= 1))
    lists = in_sessions(lists.select(*_SHOWN), sessions)
    outcomes = in_sessions(_outcomes(of_items, config), sessions)
    credited = _credited(lists, outcomes, config)
    shown = lists.filter(lists.date_partition.isin(list(days)))
    rows = shown.left_join(credited, ["event_id", "item_ordinal"])
    flags = {name: rows[name].fill_null(False) for name in _FLAGS}  # noqa: FBT003 - positional in Ibis
    # A list without places numbers them from 1 by position; 0 is no place.
    place = ibis.coalesce((rows.place >= 1).ifelse(rows.place, ibis.null("int32")), rows.item_ordinal)
    served = slates.group_by("recommendation_id", "item_id").aggregate(
        propensity=slates.propensity.max(), variant=slates.variant.max()
    )
    told = rows.mutate(place=place, **flags).left_join(served, ["recommendation_id", "item_id"])
    return under_contract(told, EXPOSURES)


def _reaching(sessions: ibis.Table, days: Sequence[str]) -> ibis.Table:
    """Leave out the sessions that neither start nor end on one of the days: none lasts longer than to the next one."""
    wanted = [day_start_us(day) // DAY_US for day in days]
    return sessions.filter((sessions.started_us // DAY_US).isin(wanted) | (sessions.ended_us // DAY_US).isin(wanted))


def _outcomes(of_items: ibis.Table, config: SessionsConfig) -> ibis.Table:
    """Return the item rows of clicks, carts and purchases, each with the flag of the exposure that it sets."""
    outcome = ibis.cases(
        (of_items.event_name.isin(list(config.click_events)), "clicked"),
        (of_items.event_name == "add_to_cart", "carted"),
        (of_items.event_name == "purchase", "purchased"),
    )
    told = ("user_key", "at_us", "event_id", "item_ordinal", "item_id", "recommendation_id")
    rows = of_items.select(*told, outcome=outcome)
    return rows.filter(rows.outcome.notnull())


def _credited(lists: ibis.Table, outcomes: ibis.Table, config: SessionsConfig) -> ibis.Table:
    """Return (event_id, item_ordinal, clicked, carted, purchased, clicked_us) of exposures that something belongs to.

    Only items with an outcome in the same session are looked at: one list row in ten or fewer.
    """
    showings = _showings(lists.semi_join(outcomes, ["session_id", "item_id"]))
    credit = _credit(showings, outcomes, config)
    flags = {flag: (credit.outcome == flag).max() for flag in _FLAGS}
    won = credit.group_by(*_SHOWING).aggregate(**flags, clicked_us=credit.at_us.min(where=credit.outcome == "clicked"))
    return showings.inner_join(won, list(_SHOWING)).select("event_id", "item_ordinal", *_FLAGS, "clicked_us")


def _showings(lists: ibis.Table) -> ibis.Table:
    """Number the lists that showed an item in a session, from 1 in order of time."""
    firsts = lists.group_by("session_id", "item_id", "at_us", "event_id").aggregate(
        item_ordinal=lists.item_ordinal.min(), recommendation_id=lists.recommendation_id.min()
    )
    in_order = ibis.window(group_by=["session_id", "item_id"], order_by=["at_us", "event_id"])
    return firsts.mutate(showing=ibis.row_number().over(in_order).cast("int64") + 1)


def _credit(showings: ibis.Table, outcomes: ibis.Table, config: SessionsConfig) -> ibis.Table:
    """Return each outcome with the number of the showing that it belongs to; outcomes without one are left out."""
    shown = showings.select("session_id", "item_id", "showing", shown_us="at_us", shown_by="recommendation_id")
    pairs = outcomes.inner_join(shown, ["session_id", "item_id"])
    minutes = {"clicked": config.click_minutes, "carted": config.cart_minutes, "purchased": config.purchase_minutes}
    most_us = ibis.cases(
        *[(pairs.outcome == flag, (limit or _WHOLE_SESSION) * _MINUTE_US) for flag, limit in minutes.items()]
    )
    age_us = pairs.at_us - pairs.shown_us
    near = pairs.filter((age_us >= 0) & (age_us <= most_us))
    is_named = (near.recommendation_id == near.shown_by).fill_null(ibis.literal(value=False))
    chosen = "max" if config.attribution == "latest" else "min"
    found = near.group_by(*_SHOWING[:2], "at_us", "event_id", "item_ordinal", "outcome").aggregate(
        named=getattr(near.showing, chosen)(where=is_named), other=getattr(near.showing, chosen)()
    )
    return found.mutate(showing=ibis.coalesce(found.named, found.other))
