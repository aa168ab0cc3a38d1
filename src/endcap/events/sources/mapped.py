"""Any flat file, one row an event x item, read by the columns and rules of endcap.toml. No code for one shop."""

from collections.abc import Mapping
from typing import Any

import ibis

from endcap.events.reader_config import MappedReader
from endcap.events.reading import (
    EVENT_COLUMNS,
    ROW_COLUMNS,
    Reading,
    event_number,
    instant_us,
    number,
    place_number,
    require_columns,
    shaped,
    unreadable_number,
)
from endcap.events.sources.rules import event_by_rules, ignored_by, is_absolute, trimmed
from endcap.events.sources.zones import offset_us_of

__all__ = ["mapped_columns", "mapped_instant_us", "read_mapped"]

_UNIT_US = {"s": 1_000_000, "ms": 1_000, "us": 1}
_BETWEEN = "\x1f"
_PLAIN = [
    "time",
    "event_name",
    "user_id",
    "device_id",
    "guest_from",
    "event_id",
    "session_id",
    "item_id",
    "item_name",
    "item_variant",
    "price",
    "quantity",
    "value",
    "currency",
    "transaction_id",
    "item_list_id",
    "place",
    "search_term",
    "recommendation_id",
    "country",
    "device_category",
]
_FAULT = "_fault"


def mapped_columns(settings: MappedReader) -> list[str]:
    """Return every column of the source that the settings name, ascending."""
    plain = [getattr(settings, name) for name in _PLAIN]
    ruled = [condition.column for rule in settings.rules for condition in rule.when]
    kept = [rule.column for rule in settings.keep]
    return sorted({name for name in [*plain, *ruled, *kept, *settings.event_columns] if name})


def mapped_instant_us(raw: ibis.Table, settings: MappedReader) -> Any:
    """Return the instant of each row, microseconds UTC, missing where it cannot be read."""
    return instant_us(
        raw[settings.time], unit_us=_UNIT_US[settings.time_unit], zone_offset_us=offset_us_of(settings.timezone)
    )


def read_mapped(raw: ibis.Table, settings: MappedReader, file_numbers: Mapping[str, int], file_day: Any) -> Reading:
    """Read a flat source into the shape of all sources.

    Rows that agree in `event_columns`, instant, user and event name are one event, in whichever files they stand; a row
    that repeats another of its event in every mapped column is marked as a duplicate.

    Args:
        raw: The rows as they are, with `_file`, `_row` and, for text files, `_fault`.
        settings: Of the reader.
        file_numbers: Name of the file -> its number.
        file_day: Day of the file each row stands in, a column expression.

    Raises:
        SourceError: A column that the settings name is missing.
    """
    require_columns(raw, mapped_columns(settings))
    own = raw.mutate(_own_no=event_number(raw["_file"], raw["_row"], file_numbers), _file_day=file_day)
    grouped = _grouped(_picked(own, settings), settings)
    first = grouped.filter(grouped.own_no == grouped.event_no)
    columns = set(grouped.columns)
    events = shaped(first, EVENT_COLUMNS, {name: first[name] for name in EVENT_COLUMNS if name in columns})
    rows = shaped(grouped, ROW_COLUMNS, {name: grouped[name] for name in ROW_COLUMNS if name in columns})
    return Reading(events=events, rows=rows)


def _picked(raw: ibis.Table, settings: MappedReader) -> ibis.Table:
    """Select what the settings name under the names of the common shape, numbers tried."""

    def column(name: str) -> Any:
        source = getattr(settings, name)
        return None if source is None else raw[source]

    def told(name: str) -> Any:
        return ibis.null("string") if column(name) is None else trimmed(column(name))

    user, device = told("user_id"), told("device_id")
    guest = ibis.ifelse(user.isnull(), "guest:" + told("guest_from"), ibis.null("string"))
    event_name, ignored = _told_event(raw, settings)
    quantity = number(column("quantity"))
    plain = {
        name: told(name)
        for name in (
            "item_name",
            "item_variant",
            "currency",
            "transaction_id",
            "item_list_id",
            "search_term",
            "recommendation_id",
            "country",
            "device_category",
        )
    }
    return raw.select(
        **plain,
        own_no=raw["_own_no"],
        file=raw["_file"],
        row=raw["_row"],
        file_day=raw["_file_day"],
        fault=raw[_FAULT] if _FAULT in raw.columns else ibis.null("string"),
        event_name_read=event_name,
        ignored=ignored,
        at_us=mapped_instant_us(raw, settings),
        raw_user_id=user,
        raw_device_id=ibis.coalesce(device, guest),
        source_event_id=told("event_id"),
        source_session_id=told("session_id"),
        item_id=_cased(told("item_id"), settings.item_id_case),
        price=number(column("price")),
        price_text=unreadable_number(column("price")),
        quantity=ibis.ifelse(is_absolute(raw, settings.rules), quantity.abs(), quantity),
        quantity_text=unreadable_number(column("quantity")),
        value=told("value"),
        place=place_number(column("place")),
        group=_group(raw, settings),
    )


def _told_event(raw: ibis.Table, settings: MappedReader) -> tuple[Any, Any]:
    """Return the event name of each row and why a row is ignored."""
    ignored = ignored_by(raw, settings.keep)
    if settings.rules:
        name = event_by_rules(raw, settings.rules)
        ignored = ibis.coalesce(ignored, ibis.ifelse(name.isnull(), "no_rule", ibis.null("string")))
    elif settings.event_name:
        name = trimmed(raw[settings.event_name])
    else:
        name = ibis.literal(settings.constant_event_name)
    if _FAULT not in raw.columns:
        return name, ignored
    is_read = raw[_FAULT].isnull()  # a line that cannot be read is quarantined, whatever the rules say of its blanks
    return ibis.ifelse(is_read, name, ibis.null("string")), ibis.ifelse(is_read, ignored, ibis.null("string"))


def _cased(item_id: Any, case: str) -> Any:
    if case == "as_is":
        return item_id
    return item_id.upper() if case == "upper" else item_id.lower()


def _group(raw: ibis.Table, settings: MappedReader) -> Any:
    """Return what the source's own columns say about which event a row belongs to; a row of its own without them."""
    own = raw["_own_no"].cast("string")
    columns = settings.event_columns or ((settings.event_id,) if settings.event_id else ())
    if not columns:
        return own
    named = [trimmed(raw[name]) for name in columns]
    nothing_said = ibis.coalesce(*named).isnull()
    said = ibis.literal(_BETWEEN).join([value.fill_null("") for value in named])
    return ibis.ifelse(nothing_said, own, _BETWEEN + said)


def _grouped(rows: ibis.Table, settings: MappedReader) -> ibis.Table:
    """Add event_no, item_ordinal and is_duplicate."""
    event = ["group", "at_us", "event_name_read", "raw_user_id", "raw_device_id"]
    content = [
        "item_id",
        "item_name",
        "item_variant",
        "price",
        "price_text",
        "quantity",
        "quantity_text",
        "place",
        "item_list_id",
        "ignored",
    ]
    numbered = rows.mutate(
        event_no=rows.own_no.min().over(group_by=event),
        is_duplicate=ibis.row_number().over(group_by=[*event, *content], order_by=rows.own_no) > 0
        if settings.drop_duplicate_rows
        else ibis.literal(value=False),
    )
    position = ibis.row_number().over(group_by="event_no", order_by=[numbered.is_duplicate, numbered.own_no]) + 1
    said = [numbered.item_id, numbered.item_name, numbered.price_text, numbered.quantity_text]
    is_bare = ibis.coalesce(*said).isnull() & numbered.price.isnull() & numbered.quantity.isnull()
    return numbered.mutate(item_ordinal=ibis.ifelse(is_bare & (position == 1), 0, position))
