"""Who is who: whose the events are that a device sends while nobody is logged in.

A device belongs to the user who logged in there last, for some days; so a shared device passes from one user to the
next as they log in, and a user may have many devices. Events before a day's first login are that user's as well where
nobody had the device before: a visit in which somebody logs in late is one visit. What a later day brings changes
nothing of an earlier one, unless the shop asks for it (`restitched_through`).
"""

from collections.abc import Sequence
from functools import reduce

import ibis

from endcap.core.clock import DAY_US, next_day
from endcap.core.tables import EVENTS, IDENTITIES, LOGINS
from endcap.engines.contracts import under_contract
from endcap.events.identity_config import IdentitiesConfig

__all__ = ["as_people", "find_identities", "find_logins", "needed_logins"]

_DEVICE_DAY = ("date_partition", "device_key")


def needed_logins(day: str, config: IdentitiesConfig) -> tuple[str, str]:
    """Return the first and last day of logins that a day's identities depend on.

    >>> needed_logins("2016-09-15", IdentitiesConfig())
    ('2016-08-16', '2016-09-15')
    >>> needed_logins("2016-09-15", IdentitiesConfig(restitched_through="2016-09-20"))
    ('2016-08-16', '2016-09-20')
    """
    return next_day(day, -config.keep_days), max(day, config.restitched_through)


def find_logins(events: ibis.Table) -> ibis.Table:
    """Return who was logged in on which device, as runs of one user in order of time.

    Args:
        events: EVENTS of whole days. Where nobody is logged in, `user_key` is the device's own.

    Returns:
        LOGINS in no order.
    """
    named = events.filter(events.device_key.notnull() & (events.user_key != events.device_key))
    # Of two users at one instant, as exports that know minutes alone have them, one counts: every order is total.
    told = named.group_by(*_DEVICE_DAY, "at_us").aggregate(
        user_key=named.user_key.max(), num_told=named.event_id.nunique()
    )
    in_order = ibis.window(group_by=_DEVICE_DAY, order_by="at_us")
    told = told.mutate(before=told.user_key.lag().over(in_order))
    opens = (told.before.isnull() | (told.before != told.user_key)).cast("int64")
    so_far = ibis.window(group_by=_DEVICE_DAY, order_by="at_us", preceding=None, following=0)
    runs = told.mutate(opens=opens)
    runs = runs.mutate(run=runs.opens.sum().over(so_far))
    return under_contract(
        runs.group_by(*_DEVICE_DAY, "user_key", "run").aggregate(
            since_us=runs.at_us.min(), until_us=runs.at_us.max(), num_events=runs.num_told.sum().cast("int64")
        ),
        LOGINS,
    )


def find_identities(
    events: ibis.Table, logins: ibis.Table, config: IdentitiesConfig, *, days: Sequence[str]
) -> ibis.Table:
    """Return whose the devices were on some days that sent events without a login.

    Args:
        events: EVENTS of the days; more does no harm.
        logins: LOGINS of every day that `needed_logins` names for any of the days; more does no harm.
        config: For how long, and how far back.
        days: The UTC days.

    Returns:
        IDENTITIES in no order; a user's spans of a device and day do not overlap. None with `keep_days` = 0.
    """
    of_days = events.filter(events.date_partition.isin(list(days)))
    nameless = of_days.filter(of_days.user_key == of_days.device_key).select(*_DEVICE_DAY).distinct()
    if config.keep_days == 0:
        nameless = nameless.limit(0)
    own = logins.inner_join(nameless, list(_DEVICE_DAY)).select(*_DEVICE_DAY, "since_us", "user_key")
    starts = _at_the_start(nameless, logins, config).anti_join(own, [*_DEVICE_DAY, "since_us"])
    spans = starts.union(own.mutate(evidence=ibis.literal("login")).select(starts.columns))
    in_order = ibis.window(group_by=_DEVICE_DAY, order_by="since_us")
    end_us = _start_us(spans.date_partition) + DAY_US
    return under_contract(
        spans.mutate(until_us=ibis.coalesce(spans.since_us.lead().over(in_order), end_us)), IDENTITIES
    )


def as_people(events: ibis.Table, identities: ibis.Table) -> ibis.Table:
    """Give events without a login to the user whose the device was at that instant.

    Args:
        events: EVENTS of some days.
        identities: IDENTITIES of these days; more does no harm.

    Returns:
        EVENTS, as many rows, of which only `user_key` may differ.
    """
    known = identities.select(
        "since_us",
        "until_us",
        known_device=identities.device_key,
        of_day=identities.date_partition,
        known_key=identities.user_key,
    )
    is_whose = (
        (events.user_key == known.known_device)
        & (events.date_partition == known.of_day)
        & (events.at_us >= known.since_us)
        & (events.at_us < known.until_us)
    )
    joined = events.left_join(known, is_whose)
    return joined.mutate(user_key=ibis.coalesce(joined.known_key, joined.user_key)).select(EVENTS.names)


def _at_the_start(nameless: ibis.Table, logins: ibis.Table, config: IdentitiesConfig) -> ibis.Table:
    """Return whose each device is from the start of its day on, where that is known, and by which evidence."""
    told = logins.select("device_key", "user_key", "since_us", "until_us", told_on=logins.date_partition)
    pairs = nameless.inner_join(told, "device_key")
    first_day = (pairs.date_partition.cast("date") - ibis.interval(days=config.keep_days)).strftime("%Y-%m-%d")
    kinds = {
        "earlier_login": (pairs.told_on < pairs.date_partition) & (pairs.told_on >= first_day),
        "later_the_same_day": pairs.told_on == pairs.date_partition,
        "restitched": (pairs.told_on > pairs.date_partition) & (pairs.told_on <= config.restitched_through),
    }
    found = []
    for rank, (evidence, holds) in enumerate(kinds.items()):
        some = pairs.filter(holds).group_by(*_DEVICE_DAY)
        last = some.aggregate(user_key=lambda rows: rows.user_key.argmax(rows.until_us))
        first = some.aggregate(user_key=lambda rows: rows.user_key.argmin(rows.since_us))
        whose = last if evidence == "earlier_login" else first
        found.append(whose.mutate(evidence=ibis.literal(evidence), rank=ibis.literal(rank)))
    every = reduce(lambda left, right: left.union(right), found)
    place = ibis.row_number().over(group_by=_DEVICE_DAY, order_by="rank")
    best = every.mutate(place=place).filter(ibis._.place == 0)
    return best.select(*_DEVICE_DAY, "user_key", "evidence", since_us=_start_us(best.date_partition))


def _start_us(day: ibis.Value) -> ibis.Value:
    return day.cast("date").epoch_days().cast("int64") * DAY_US
