"""Counts per item and day and per user and day: small tables from which the windows of all features are summed.

They are kept, so that a day's features look back on 30 small days and not on 30 days of events. A row of day D is made
from what was known at the end of D. A click after midnight on a list of the evening before sets `clicked` in that
evening's exposure, but is not counted here: at the start of the next day nobody knew of it.
"""

from collections.abc import Sequence

import ibis

from endcap.core.clock import DAY_US, next_day
from endcap.core.tables import ITEM_DAYS, USER_DAYS, WINDOWS_DAYS
from endcap.engines.contracts import under_contract

__all__ = ["HISTORY_DAYS", "as_of_days", "first_seen", "item_days", "needed_days", "user_days", "windowed"]

HISTORY_DAYS = max(WINDOWS_DAYS)
"""How many days before a day its features look back."""


def needed_days(day: str) -> tuple[str, str]:
    """Return the first and last day of events, sessions and exposures that a day's features depend on.

    >>> needed_days("2016-09-15")
    ('2016-08-16', '2016-09-14')
    """
    return next_day(day, -HISTORY_DAYS), next_day(day, -1)


def first_seen(item_days: ibis.Table) -> ibis.Table:
    """Return (item_id, first_day_number): the first day that names each item, counted from 1970-01-01.

    Args:
        item_days: ITEM_DAYS of all days there are. Later days never change the answer for an item that is there.
    """
    first = item_days.group_by("item_id").aggregate(day=item_days.date_partition.min())
    return first.select("item_id", first_day_number=_day_number(first.day))


def item_days(events: ibis.Table, exposures: ibis.Table) -> ibis.Table:
    """Count what happened with each item on each day.

    Args:
        events: EVENTS of whole days.
        exposures: EXPOSURES of the same days.

    Returns:
        ITEM_DAYS in no order: a row for each item and day that any event names it.
    """
    told = events.filter(events.item_id.notnull())
    counts = told.group_by("item_id", "date_partition").aggregate(**_touches(told))
    shown = exposures.group_by("item_id", "date_partition").aggregate(num_exposures=exposures.count())
    clicked = _clicked_by_midnight(exposures)
    clicks = clicked.group_by("item_id", "date_partition").aggregate(num_clicks=clicked.count())
    rows = counts.left_join(shown, ["item_id", "date_partition"]).drop("item_id_right", "date_partition_right")
    rows = rows.left_join(clicks, ["item_id", "date_partition"]).drop("item_id_right", "date_partition_right")
    rows = rows.left_join(_prices(told), ["item_id", "date_partition"])
    counted = {name: rows[name].fill_null(0) for name in ("num_exposures", "num_clicks")}
    return under_contract(rows.mutate(**counted), ITEM_DAYS)


def _prices(told: ibis.Table) -> ibis.Table:
    """Return the median price of each item and day in one currency: the most frequent, else the first by name."""
    priced = told.filter(told.price_minor.notnull()).mutate(currency=told.currency.fill_null(""))
    by_currency = priced.group_by("item_id", "date_partition", "currency").aggregate(
        num=priced.count(), price_minor=priced.price_minor.median().floor().cast("int64")
    )
    order = [ibis.desc("num"), "currency"]
    ranked = by_currency.mutate(place=ibis.row_number().over(group_by=["item_id", "date_partition"], order_by=order))
    return ranked.filter(ranked.place == 0).select("item_id", "date_partition", "price_minor")


def user_days(events: ibis.Table, sessions: ibis.Table) -> ibis.Table:
    """Count what each user did on each day.

    Args:
        events: EVENTS of whole days.
        sessions: SESSIONS that started on the same days.

    Returns:
        USER_DAYS in no order: a row for each user and day with an event.
    """
    is_priced = (events.event_name == "view_item") & events.price_minor.notnull()
    counts = events.group_by("user_key", "date_partition").aggregate(
        viewed_price_minor=events.price_minor.sum(where=is_priced).fill_null(0).cast("int64"),
        num_priced=is_priced.cast("int64").sum().cast("int64"),
        **_touches(events),
    )
    started = sessions.group_by("user_key", "date_partition").aggregate(num_sessions=sessions.count())
    rows = counts.left_join(started, ["user_key", "date_partition"])
    return under_contract(rows.mutate(num_sessions=rows.num_sessions.fill_null(0)), USER_DAYS)


def as_of_days(rows: ibis.Table, days: Sequence[str]) -> ibis.Table:
    """Repeat each daily row for every wanted day that looks back on it.

    Args:
        rows: ITEM_DAYS or USER_DAYS.
        days: The wanted UTC days.

    Returns:
        The rows' columns, with `date_partition` the wanted day, `as_of_number` (the same, counted from 1970-01-01) and
        `age_days` (from the row's day to the wanted one, 1..HISTORY_DAYS).
    """
    wanted = ibis.array([ibis.literal(day) for day in days]) if days else ibis.literal([], type="array<string>")
    rows = rows.mutate(day_number=_day_number(rows.date_partition), date_partition=wanted.unnest())
    rows = rows.mutate(as_of_number=_day_number(rows.date_partition))
    rows = rows.mutate(age_days=rows.as_of_number - rows.day_number)
    return rows.filter(rows.age_days.between(1, HISTORY_DAYS))


def windowed(rows: ibis.Table, names: Sequence[str]) -> dict[str, ibis.Value]:
    """Return the sums of daily counts over each trailing window: `num_views` gives num_views_1d, num_views_7d, ...

    Args:
        rows: What `as_of_days` made.
        names: The counts' columns.
    """
    return {
        f"{name}_{window}d": rows[name].sum(where=rows.age_days <= window).fill_null(0).cast("int64")
        for name in names
        for window in WINDOWS_DAYS
    }


def _touches(rows: ibis.Table) -> dict[str, ibis.Value]:
    names = {"num_views": "view_item", "num_carts": "add_to_cart", "num_purchases": "purchase"}
    is_item = rows.item_id.notnull()
    return {
        count: (is_item & (rows.event_name == name)).cast("int64").sum().cast("int64") for count, name in names.items()
    }


def _day_number(day: ibis.Value) -> ibis.Value:
    """Return whole days since 1970-01-01."""
    return day.cast("date").epoch_days().cast("int64")


def _clicked_by_midnight(exposures: ibis.Table) -> ibis.Table:
    """Return the exposures whose first click came on their own UTC day: of the others nobody knew when it ended."""
    return exposures.filter(exposures.clicked_us // DAY_US == exposures.at_us // DAY_US)
