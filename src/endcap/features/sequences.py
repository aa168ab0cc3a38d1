"""Sequences: the items of a session, and what a user did before a day, in order of time.

An element is one event x item. Elements are ordered by (instant, item id, event id, row of the event) and none is left
out: an item viewed, put into the cart and bought stands there three times. Who wants steps to a *different* item
collapses equal neighbours (examples do).
"""

from collections.abc import Sequence

import ibis

from endcap.core.clock import next_day
from endcap.core.tables import ELEMENTS, SEQUENCES
from endcap.engines.contracts import under_contract
from endcap.features.config import FeaturesConfig

__all__ = ["HISTORY_DAYS", "elements_of", "needed_days", "sequences"]

HISTORY_DAYS = 30
"""How many days before a day a user's history reaches back."""

_ELEMENT = ("at_us", "item_id", "event_id", "item_ordinal", "event_name")
"""What is told of an element, in the order by which elements stand; the first four name one."""


def needed_days(day: str) -> tuple[str, str]:
    """Return the first and last day of elements that a day's sequences depend on.

    Its history reaches back, its sessions may end on the day after. Of sessions, the day's own are needed.

    >>> needed_days("2016-09-15")
    ('2016-08-16', '2016-09-16')
    """
    return next_day(day, -HISTORY_DAYS), next_day(day)


def elements_of(events: ibis.Table, config: FeaturesConfig) -> ibis.Table:
    """Return the events that sequences are made of: few of all, so that a history is read from little.

    Args:
        events: EVENTS of some days.
        config: Which events count.

    Returns:
        ELEMENTS in no order.
    """
    counts = events.event_name.isin(list(config.sequence_events)) & events.item_id.notnull()
    return under_contract(events.filter(counts), ELEMENTS)


def sequences(elements: ibis.Table, sessions: ibis.Table, config: FeaturesConfig, *, days: Sequence[str]) -> ibis.Table:
    """Make the sequences of sessions that start on the given days, and the histories of their users.

    Args:
        elements: The ELEMENTS of every day that `needed_days` names for any of the days; more does no harm.
        sessions: The SESSIONS of the days; more does no harm.
        config: How long a history is.
        days: UTC days whose sequences are wanted.

    Returns:
        SEQUENCES in no order. Scope session: one row for each session of the days with an element, whole, also past
        midnight. Scope user: one row for each user who has a session on the day and an element in the HISTORY_DAYS
        before it; the last `max_sequence` elements, all before the day.
    """
    told = elements.select("user_key", *_ELEMENT, told_on=elements.date_partition)
    wanted = sessions.filter(sessions.date_partition.isin(list(days)))
    of_sessions = _collected(_in_sessions(told, wanted))
    of_users = _collected(_before_days(told, wanted), last=config.max_sequence)
    return under_contract(
        of_sessions.mutate(scope=ibis.literal("session")).union(of_users.mutate(scope=ibis.literal("user"))), SEQUENCES
    )


def _in_sessions(elements: ibis.Table, sessions: ibis.Table) -> ibis.Table:
    """Put the session's day and id beside each element that lies in one of the sessions."""
    spans = sessions.select("date_partition", "session_id", "user_key", "started_us", "ended_us")
    within = (
        (elements.user_key == spans.user_key)
        & (elements.at_us >= spans.started_us)
        & (elements.at_us <= spans.ended_us)
    )
    return elements.inner_join(spans, within).select(*elements.columns, "date_partition", "session_id")


def _before_days(elements: ibis.Table, sessions: ibis.Table) -> ibis.Table:
    """Repeat each user's elements of the days before for every day with a session of theirs."""
    active = sessions.select("user_key", "date_partition").distinct()
    active = active.mutate(
        first_day=(active.date_partition.cast("date") - ibis.interval(days=HISTORY_DAYS)).strftime("%Y-%m-%d")
    )
    before = (
        (elements.user_key == active.user_key)
        & (elements.told_on < active.date_partition)
        & (elements.told_on >= active.first_day)
    )
    joined = elements.inner_join(active, before)
    return joined.select(*elements.columns, "date_partition", session_id=ibis.literal(""))


def _collected(rows: ibis.Table, *, last: int | None = None) -> ibis.Table:
    """Collect the elements of each sequence into lists, in order; only the last ones, where it is said how many."""
    element = ibis.struct({name: rows[name] for name in _ELEMENT})
    found = rows.group_by("date_partition", "user_key", "session_id").aggregate(elements=element.collect().sort())
    ordered = found.elements
    if last is not None:
        # Cut off lists: to number the elements from the end took a fifth more time, and twice the memory.
        ordered = ordered[ibis.greatest(ordered.length() - last, 0) :]
        found = found.mutate(elements=ordered)
        ordered = found.elements
    return found.select(
        "date_partition",
        "user_key",
        "session_id",
        started_us=ordered[0].at_us,
        item_ids=ordered.map(lambda each: each.item_id),
        event_names=ordered.map(lambda each: each.event_name),
        event_ids=ordered.map(lambda each: each.event_id),
        at_us_list=ordered.map(lambda each: each.at_us),
    )
