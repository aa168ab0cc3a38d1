"""Bots: visitors who did on a day what nobody does by hand, by the rules of `[identities.bots]`."""

from functools import reduce
from typing import Any

import ibis

from endcap.core.clock import next_day
from endcap.core.tables import BOTS, EVENTS
from endcap.engines.contracts import under_contract
from endcap.events.identity_config import BotRules

__all__ = ["find_bots", "needed_bots", "without_bots"]

_MINUTE_US, _HOUR_US, _DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000


def needed_bots(first: str, rules: BotRules) -> str:
    """Return the first day of bots that matter for a day.

    >>> needed_bots("2016-09-15", BotRules(keep_days=1))
    '2016-09-15'
    """
    return next_day(first, 1 - rules.keep_days)


def find_bots(events: ibis.Table, rules: BotRules) -> ibis.Table:
    """Return the visitors who broke a rule on a day.

    Args:
        events: EVENTS of whole days; a visitor is who the event itself names, a user or a device.
        rules: The rules; a limit of 0 is none.

    Returns:
        BOTS in no order: for each visitor, day and rule the most that was counted.
    """
    told = events.select("date_partition", "user_key", "event_id", "event_name", "at_us").distinct()
    counted = [
        _more_than(told, rules.most_events_a_minute, _MINUTE_US, "events_a_minute"),
        _more_than(told, rules.most_events_an_hour, _HOUR_US, "events_an_hour"),
        _more_than(told, rules.most_events_a_day, _DAY_US, "events_a_day"),
        _only_views(told, rules.most_views_without_a_cart),
    ]
    return under_contract(reduce(lambda left, right: left.union(right), counted), BOTS)


def without_bots(events: ibis.Table, bots: ibis.Table, rules: BotRules) -> ibis.Table:
    """Leave out the events of visitors who are bots on their day.

    Args:
        events: EVENTS of some days, under the keys that the events themselves name.
        bots: BOTS of these days and of `keep_days` - 1 before each.
        rules: For how long a bot stays one.
    """
    last = (bots.date_partition.cast("date") + ibis.interval(days=rules.keep_days - 1)).strftime("%Y-%m-%d")
    known = bots.select(bot_key=bots.user_key, first_day=bots.date_partition, last_day=last).distinct()
    is_bot = (
        (events.user_key == known.bot_key)
        & (events.date_partition >= known.first_day)
        & (events.date_partition <= known.last_day)
    )
    return events.anti_join(known, is_bot).select(EVENTS.names)


def _more_than(told: ibis.Table, most: int, span_us: int, rule: str) -> ibis.Table:
    by_span = told.mutate(span=(told.at_us - told.at_us % span_us)).group_by("date_partition", "user_key", "span")
    counts = by_span.aggregate(num_events=lambda rows: rows.count())
    return _broken(counts, most, rule)


def _only_views(told: ibis.Table, most: int) -> ibis.Table:
    wants = told.event_name.isin(["add_to_cart", "purchase"])
    counts = told.group_by("date_partition", "user_key").aggregate(
        num_events=(told.event_name == "view_item").cast("int64").sum().cast("int64"), wants=wants.max()
    )
    return _broken(counts.filter(~counts.wants), most, "views_without_a_cart")


def _broken(counts: ibis.Table, most: int, rule: str) -> ibis.Table:
    beyond: Any = counts.num_events > most if most else ibis.literal(value=False)
    of_visitor = counts.filter(beyond).group_by("date_partition", "user_key")
    return of_visitor.aggregate(num_events=lambda rows: rows.num_events.max()).mutate(rule=ibis.literal(rule))
