"""From events to the rows of visitors that a bundle holds, from which features of now are computed."""

from collections.abc import Callable
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.core.clock import day_of, day_start_us, days_between, next_day
from endcap.core.tables import EVENTS
from endcap.features.visitor_rows import HORIZON_US, SUMMED, PastRows, rows_of_columns
from endcap.flows.flow import Flow
from endcap.flows.people import read_people

__all__ = ["events_to_pack", "needed_days", "packed_by_user", "read_past"]

_MINUTE_US = 60_000_000
_COLUMNS = ("user_key", "at_us", "event_id", "event_name", "price_minor")


def needed_days(through: str) -> list[str]:
    """Return the days of events that a bundle's rows are made of.

    >>> needed_days("2016-09-15")[0], len(needed_days("2016-09-15"))
    ('2016-08-13', 34)
    """
    return days_between(day_of(_since_us(through)), through)


def _since_us(through: str) -> int:
    return day_start_us(next_day(through)) - HORIZON_US


def read_past(flow: Flow) -> PastRows:
    """Read each user's last rows as of the end of the flow's last day."""
    config = flow.shop.config
    there = set(flow.days(EVENTS))
    events = read_people(flow, [day for day in needed_days(flow.through) if day in there])
    keys, starts, rows = packed_by_user(flow.engine.to_arrow(events_to_pack(events)))
    return PastRows.of_users(
        keys,
        starts,
        rows,
        most=config.serving.feature_rows,
        since_us=_since_us(flow.through),
        gap_us=config.sessions.gap_minutes * _MINUTE_US,
    )


def events_to_pack(events: ibis.Table) -> ibis.Table:
    """Return a row for each item of the events that features sum up, and one for any other event, users in order."""
    is_summed = events.event_name.isin(list(SUMMED)) & events.item_id.notnull()
    counted = events.filter(is_summed).select(*_COLUMNS, "item_id")
    others = events.filter(~is_summed).mutate(price_minor=ibis.null("int64"), item_id=ibis.null("string"))
    # Every order is total: rows of one event stand by what they say.
    return counted.union(others.select(*_COLUMNS, "item_id").distinct()).order_by(
        ["user_key", "at_us", "event_id", "event_name", "item_id", "price_minor"]
    )


def packed_by_user(table: pa.Table) -> tuple[list[str], NDArray[np.int64], NDArray[Any]]:
    """Pack what `events_to_pack` returned.

    Returns:
        U user keys ascending, U+1 offsets, and the rows.
    """
    column: Callable[[str], pa.DictionaryArray] = lambda name: table[name].combine_chunks().dictionary_encode()  # noqa: E731
    users, names, items = column("user_key"), column("event_name"), column("item_id")
    rows = rows_of_columns(
        np.asarray(table["at_us"], np.int64),
        table["event_id"].to_pylist(),
        (np.asarray(names.indices, np.int64), names.dictionary.to_pylist()),
        (np.asarray(pc.fill_null(items.indices, -1), np.int64), items.dictionary.to_pylist()),
        np.asarray(pc.fill_null(table["price_minor"], -1), np.int64),
    )
    lengths = np.bincount(np.asarray(users.indices, np.int64), minlength=len(users.dictionary))
    return users.dictionary.to_pylist(), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), rows
