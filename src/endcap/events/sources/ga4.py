"""A GA4 BigQuery export: one row an event, nested `items[]` and `event_params[]`; absent fields are missing values."""

from collections.abc import Mapping
from typing import Any

import ibis

from endcap.core.errors import Code, SourceError
from endcap.events.reader_config import Ga4Reader
from endcap.events.reading import (
    EVENT_COLUMNS,
    ROW_COLUMNS,
    Reading,
    bare_rows,
    event_number,
    field,
    instant_us,
    listed_items,
    number,
    place_number,
    require_columns,
    shaped,
    text,
    unreadable_number,
)
from endcap.events.source_schema import INSTANT, LIST, SCALAR, STRUCT

__all__ = ["GA4_COLUMNS", "GA4_NEEDED", "GA4_TYPES", "ga4_instant_us", "read_ga4", "under_ga4_names"]

GA4_COLUMNS = ("event_timestamp", "event_name", "user_pseudo_id", "items")
"""Without these columns it is no GA4 export of a shop."""

GA4_NEEDED = (*GA4_COLUMNS, ("items[].item_id", "items[].item_name"))

_ITEM = (
    *("item_id", "item_name", "item_variant", "price", "quantity", "item_list_id", "item_list_name"),
    "item_list_index",
)
_VALUES = ("string_value", "int_value", "float_value", "double_value")
_SCALARS = (
    *("event_name", "user_id", "user_pseudo_id", "device.category", "geo.country", "event_params[].key"),
    *(f"ecommerce.{name}" for name in ("transaction_id", "purchase_revenue", "refund_value")),
    *(f"event_params[].value.{name}" for name in _VALUES),
    *(f"items[].{name}" for name in _ITEM),
)
GA4_TYPES = {
    "event_timestamp": INSTANT,
    "items": LIST,
    "event_params": LIST,
    "event_params[].value": STRUCT,
    **dict.fromkeys(("device", "geo", "ecommerce"), STRUCT),
    **dict.fromkeys(_SCALARS, SCALAR),
}
"""What is read of an export -> what it must be, where it is there."""

_RECOMMENDATION_PARAMS = ("recommendation_id", "RECOMMENDATION_ID", "attributionToken", "recommId", "ranking")


def under_ga4_names(raw: ibis.Table, settings: Ga4Reader) -> ibis.Table:
    """Give columns their names in GA4, as far as the export has them.

    Args:
        raw: The export's rows as they are.
        settings: `columns` tells which the export names otherwise; a column of the GA4 name beside gives way.
    """
    own = {name: column for name, column in settings.columns.items() if column in raw.columns}
    others = [name for name in raw.columns if name not in own and name not in own.values()]
    return raw.select(**{name: raw[name] for name in others}, **{name: raw[column] for name, column in own.items()})


def ga4_instant_us(raw: ibis.Table) -> Any:
    """Return the instant of each row, microseconds UTC, missing where it cannot be read."""
    read = raw.event_timestamp
    if read.type().is_timestamp():
        return instant_us(read)
    return read.try_cast("int64") if read.type().is_integer() else text(read).try_cast("int64")


def read_ga4(raw: ibis.Table, settings: Ga4Reader, file_numbers: Mapping[str, int], file_day: Any) -> Reading:
    """Read an export into the shape of all sources.

    Args:
        raw: The export's rows as they are, with `_file` and `_row`.
        settings: Of the reader.
        file_numbers: Name of the file -> its number.
        file_day: Day of the file each row stands in, a column expression.

    Raises:
        SourceError: A column that GA4 always has is missing, or `items` is not a list of structs.
    """
    raw = under_ga4_names(raw, settings)
    require_columns(raw, GA4_COLUMNS)
    _require_item_list(raw)
    numbered = raw.mutate(event_no=event_number(raw["_file"], raw["_row"], file_numbers), file_day=file_day)
    return Reading(events=_events(numbered, settings), rows=_rows(numbered))


def _require_item_list(raw: ibis.Table) -> None:
    kind = raw["items"].type()
    if kind.is_array() and kind.value_type.is_struct() and {"item_id", "item_name"} & set(kind.value_type.names):
        return
    raise SourceError(
        f"column 'items' is {kind}, not a list of structs with item_id or item_name",
        where="column items",
        fix="export the table with its nested columns (BigQuery: EXPORT DATA ... format = 'PARQUET')",
        code=Code.SOURCE_COLUMN,
    )


def _events(raw: ibis.Table, settings: Ga4Reader) -> ibis.Table:
    param = _params_of(raw)
    values = {
        "event_no": raw.event_no,
        "file": raw["_file"],
        "row": raw["_row"],
        "file_day": raw.file_day,
        "event_name_read": text(raw.event_name),
        "at_us": ga4_instant_us(raw),
        "raw_user_id": text(field(raw, "user_id")),
        "raw_device_id": text(raw.user_pseudo_id),
        "source_event_id": param(settings.event_id_param),
        "source_session_id": param("ga_session_id"),
        "value": ibis.coalesce(_order_value(raw), param("value")),
        "currency": param("currency"),
        "transaction_id": ibis.coalesce(text(field(raw, "ecommerce", "transaction_id")), param("transaction_id")),
        "search_term": param("search_term"),
        "recommendation_id": ibis.coalesce(*[param(name) for name in _RECOMMENDATION_PARAMS]),
        "country": text(field(raw, "geo", "country")),
        "device_category": text(field(raw, "device", "category")),
        "fault": field(raw, "_fault"),
    }
    return shaped(raw, EVENT_COLUMNS, values)


def _order_value(raw: ibis.Table) -> Any:
    """Return what an order or its refund came to; some exports tell a refund as the revenue it takes back."""
    revenue, refund = (text(field(raw, "ecommerce", name)) for name in ("purchase_revenue", "refund_value"))
    by_name = {"purchase": revenue, "refund": ibis.coalesce(refund, revenue)}
    return ibis.cases(*[(raw.event_name == name, value) for name, value in by_name.items()], else_=None)


def _params_of(raw: ibis.Table) -> Any:
    """Return a function from a parameter's name to its value as text."""
    params = field(raw, "event_params")
    if params is None or not params.type().is_array():
        return lambda _name: ibis.null("string")

    def value_of(name: str) -> Any:
        named = params.filter(lambda each: each["key"] == name)
        return named.map(lambda each: ibis.coalesce(*[text(field(each, "value", kind)) for kind in _VALUES]))[0]

    return value_of


def _rows(raw: ibis.Table) -> ibis.Table:
    listed = listed_items(raw)
    return _item_rows(listed).union(bare_rows(raw))


def _item_rows(listed: ibis.Table) -> ibis.Table:
    item = listed["item"]
    price, quantity = field(item, "price"), field(item, "quantity")
    lists = [text(field(item, name)) for name in ("item_list_id", "item_list_name")]
    values = {
        "event_no": listed.event_no,
        "item_ordinal": listed.item_ordinal,
        "row": listed["_row"],
        "item_id": text(field(item, "item_id")),
        "item_name": text(field(item, "item_name")),
        "item_variant": text(field(item, "item_variant")),
        "price": number(price),
        "price_text": unreadable_number(price),
        "quantity": number(quantity),
        "quantity_text": unreadable_number(quantity),
        "item_list_id": ibis.coalesce(*lists),
        "place": place_number(field(item, "item_list_index")),
        "is_duplicate": ibis.literal(value=False),
    }
    return shaped(listed, ROW_COLUMNS, values)
