"""The simulated log as plain CSV, one row an event x item, for shops that have no GA4.

Column names are such that `endcap init` knows them by itself, and what is read of a day is what its GA4 file tells.
Shapes: E events, F items of all events one after the other, R rows of the file.
"""

import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from endcap.simulation.files import whole_file

__all__ = [
    "ORDERS",
    "events_with_items",
    "iso_time",
    "known",
    "param",
    "plain_events",
    "plain_items",
    "write_csv",
    "write_interactions",
    "write_json_lines",
]

ORDERS = ("purchase", "refund")
"""Events whose value is the total that the order itself tells."""

_CURRENCY = "USD"  # of the shop's feed; the nested log names none
_BETWEEN = "\x1f"
_ID_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://shop.example/events")
_ITEM_TEXTS = ("item_id", "item_name", "item_brand", "item_category", "item_variant", "coupon")
_COLUMNS = (
    "event_time",
    "event_name",
    "event_id",
    "user_id",
    "device_id",
    "session_id",
    "item_id",
    "item_name",
    "item_variant",
    "price",
    "quantity",
    "currency",
    "value",
    "order_id",
    "item_list_name",
    "place",
    "search_term",
    "recommendation_id",
    "country",
    "device_category",
)


def write_csv(path: Path, table: pa.Table) -> None:
    """Write one day as CSV; an event without items is one row whose item columns are empty.

    Two rows of one event that are equal in everything are read as one: `drop_duplicate_rows` of the reader.

    Args:
        path: The file, `events_YYYYMMDD.csv`; it appears whole or not at all.
        table: The day's events as `simulation/ga4.py` writes them, E rows.
    """
    items = plain_items(table)
    events = plain_events(table, items)
    events = events.append_column("event_time", iso_time(events["at_us"], unit="us"))
    num_E = np.bincount(items["event"], minlength=len(events))
    event_R = np.repeat(np.arange(len(events)), np.maximum(num_E, 1))
    item_R = np.full(len(event_R), -1)
    item_R[num_E[event_R] > 0] = np.arange(len(items))
    of_event = events.take(pa.array(event_R))
    of_item = items.take(pa.array(item_R, mask=item_R < 0))
    rows = {name: (of_event if name in events.column_names else of_item)[name] for name in _COLUMNS}
    with whole_file(path) as part:
        pa_csv.write_csv(pa.table(rows), part)


def events_with_items(table: pa.Table) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Yield E events, each with its items, as `plain_events` and `plain_items` have them.

    Events have `time` beside: ISO 8601 in UTC, cut to milliseconds.
    """
    items = plain_items(table)
    events = plain_events(table, items)
    events = events.append_column("time", iso_time(events["at_us"], unit="ms"))
    ends = np.cumsum(np.bincount(items["event"], minlength=len(table))).tolist()
    rows, begin = items.to_pylist(), 0
    for event, end in zip(events.to_pylist(), ends, strict=True):
        yield event, rows[begin:end]
        begin = end


def write_json_lines(path: Path, objects: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object a line; the file appears whole or not at all."""
    encoder = msgspec.json.Encoder()
    with whole_file(path) as part, part.open("wb") as file:
        file.writelines(encoder.encode(each) + b"\n" for each in objects)


def known(told: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is missing: trackers send no null, and do not know GA4's `(not set)`."""
    return {name: value for name, value in told.items() if value not in (None, "(not set)", {}, [])}


def write_interactions(path: Path, table: pa.Table) -> None:
    """Write one day as interactions of Amazon Personalize: who did what to which item, and nothing else.

    Args:
        path: The file; it appears whole or not at all.
        table: The day's events as `simulation/ga4.py` writes them. Lists, for which it has no rows, are left out.
    """
    items = plain_items(table)
    events = plain_events(table, items).take(items["event"])
    rows = pa.table(
        {
            "USER_ID": pc.coalesce(events["user_id"], events["device_id"]),
            "ITEM_ID": items["item_id"],
            "TIMESTAMP": pc.divide(events["at_us"], 1_000_000),
            "EVENT_TYPE": events["event_name"],
            "RECOMMENDATION_ID": events["recommendation_id"],
        }
    )
    with whole_file(path) as part:
        pa_csv.write_csv(rows.filter(pc.not_equal(rows["EVENT_TYPE"], "view_item_list")), part)


def plain_events(table: pa.Table, items: pa.Table) -> pa.Table:
    """Take the events out of the nested table.

    Args:
        table: E nested events.
        items: Their items, of `plain_items`.

    Returns:
        E rows in the same order: event_id, at_us (microseconds UTC), event_name, user_id, device_id, session_id,
        order_id, value (text, major units; an order's total), currency, search_term, recommendation_id, country,
        device_category. All but event_id, at_us, event_name, device_id and currency may be missing.
    """
    is_order = pc.is_in(table["event_name"], value_set=pa.array(ORDERS))
    total = [pc.struct_field(table["ecommerce"], name) for name in ("purchase_revenue", "refund_value")]
    revenue = pc.coalesce(*total).cast(pa.string())
    order_id = pc.struct_field(table["ecommerce"], "transaction_id")
    columns = {
        "at_us": table["event_timestamp"],
        "event_name": table["event_name"],
        "user_id": table["user_id"],
        "device_id": table["user_pseudo_id"],
        "session_id": param(table, "ga_session_id"),
        "order_id": pc.coalesce(order_id, param(table, "transaction_id")),
        "value": pc.coalesce(pc.if_else(is_order, revenue, None), param(table, "value")),
        "currency": pc.coalesce(param(table, "currency"), _CURRENCY),
        "search_term": param(table, "search_term"),
        "recommendation_id": param(table, "recommendation_id"),
        "country": pc.struct_field(table["geo"], "country"),
        "device_category": pc.struct_field(table["device"], "category"),
    }
    digest = _digests(pa.table(columns), items)
    return pa.table({"event_id": pc.coalesce(param(table, "event_id"), digest), **columns})


def plain_items(table: pa.Table) -> pa.Table:
    """Take the items out of the nested table.

    Returns:
        F rows in the order of the events: event (its row, 0..E-1), item_id, item_name, item_brand, item_category,
        item_variant, coupon, item_list_name, place (text, from 1), price (float64, major units), quantity (int64). All
        but event may be missing.
    """
    lists = table["items"].combine_chunks()
    items = lists.flatten()
    columns = {name: _field(items, name) for name in _ITEM_TEXTS}
    return pa.table(
        {
            "event": pc.list_parent_indices(lists),
            **columns,
            "item_list_name": pc.coalesce(_field(items, "item_list_id"), _field(items, "item_list_name")),
            "place": _field(items, "item_list_index"),
            "price": pc.struct_field(items, "price"),
            "quantity": pc.struct_field(items, "quantity"),
        }
    )


def param(table: pa.Table, key: str) -> pa.Array:
    """Return the event parameter of this name for E events, as text; missing where an event has none."""
    lists = table["event_params"].combine_chunks()
    params = lists.flatten()
    kinds = ("string_value", "int_value", "float_value", "double_value")
    value = pc.coalesce(*[pc.struct_field(params, ["value", kind]).cast(pa.string()) for kind in kinds])
    named = np.flatnonzero(pc.equal(pc.struct_field(params, "key"), key))
    which_E = np.full(len(table), -1)
    which_E[pc.list_parent_indices(lists).to_numpy()[named]] = named
    return value.take(pa.array(which_E, mask=which_E < 0))


def iso_time(at_us: pa.ChunkedArray, *, unit: str) -> pa.ChunkedArray:
    """Write instants as ISO 8601 in UTC.

    Args:
        at_us: Microseconds UTC.
        unit: `us` or `ms`: how fine; what is finer is cut off.
    """
    instant = at_us.cast(pa.timestamp("us")).cast(pa.timestamp(unit), safe=False)
    return pc.strftime(instant, format="%Y-%m-%dT%H:%M:%SZ")


def _field(items: pa.StructArray, name: str) -> pa.Array:
    """Return a text of F items; the simulated log names no coupon and no id of a list unless it is asked to."""
    if items.type.get_field_index(name) < 0:
        return pa.nulls(len(items), pa.string())
    return pc.struct_field(items, name)


def _digests(events: pa.Table, items: pa.Table) -> pa.Array:
    """Give E events ids made of all that they say: two copies of an event have one id, as a tracker's retries have."""
    num_E = np.bincount(items["event"], minlength=len(events))
    starts_E = pa.array(np.concatenate(([0], np.cumsum(num_E))), pa.int32())
    per_event = pa.ListArray.from_arrays(starts_E, _joined(items.drop_columns(["event"])))
    told = _joined(events.append_column("items", pc.binary_join(per_event, _BETWEEN)))
    return pa.array([str(uuid.uuid5(_ID_SPACE, each)) for each in told.to_pylist()], pa.string())


def _joined(table: pa.Table) -> pa.Array:
    """Join the columns of each row to one text; what is missing is empty."""
    columns = [column.cast(pa.string()).combine_chunks() for column in table.columns]
    return pc.binary_join_element_wise(*columns, _BETWEEN, null_handling="replace", null_replacement="")
