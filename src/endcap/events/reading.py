"""The one shape into which every source is read: nothing is judged yet, what is no number is kept apart.

Two tables, because a list event has one user and 20 items: `events` has a row for each copy of an event, `rows` a row
for each of its items. `event_no` joins them: the number of the file times 2^36 plus the row where the event starts, so
that its order is (file, row).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import ibis

from endcap.core.errors import Code, SourceError, near

__all__ = [
    "EVENT_COLUMNS",
    "ROW_COLUMNS",
    "Reading",
    "bare_rows",
    "event_number",
    "field",
    "instant_us",
    "listed_items",
    "number",
    "place_number",
    "require_columns",
    "shaped",
    "text",
    "union_of",
    "unreadable_number",
]

EVENT_COLUMNS = {
    "event_no": "int64",
    "file": "string",
    "row": "int64",
    "file_day": "string",
    "event_name_read": "string",
    "at_us": "int64",
    "received_us": "int64",
    "raw_user_id": "string",
    "raw_device_id": "string",
    "user_key": "string",
    "device_key": "string",
    "source_event_id": "string",
    "source_session_id": "string",
    "value": "string",
    "currency": "string",
    "transaction_id": "string",
    "search_term": "string",
    "recommendation_id": "string",
    "country": "string",
    "device_category": "string",
    "fault": "string",
}
"""Columns of a read event. `raw_*` never leave the room; `user_key` and `device_key` are filled by sources that are
keyed already; `value` is the text of an amount in major units; `fault` is why the whole row cannot be read."""

ROW_COLUMNS = {
    "event_no": "int64",
    "item_ordinal": "int32",
    "row": "int64",
    "item_id": "string",
    "item_name": "string",
    "item_variant": "string",
    "price": "float64",
    "price_text": "string",
    "quantity": "float64",
    "quantity_text": "string",
    "item_list_id": "string",
    "place": "int32",
    "ignored": "string",
    "is_duplicate": "boolean",
}
"""Columns of a read row. item_ordinal is 0 for an event without items; `price` in major units; `*_text` what is no
number; `ignored` the reason of a keep rule; `is_duplicate` marks a line that repeats another of the same event."""

_EVENTS_PER_FILE = 2**36
_MOST_US = 9 * 10**18  # what lies beyond is no instant, and near the end of int64


@dataclass(frozen=True)
class Reading:
    """What was read of some files.

    Args:
        events: One row for each copy of an event, columns of EVENT_COLUMNS.
        rows: One row for each item of it, columns of ROW_COLUMNS; at least one for every event.
        before: EVENTS that were taken in already, of the day before each day that is wanted, unless that is wanted too:
            copies and twins are looked for over midnight. None for none.
    """

    events: ibis.Table
    rows: ibis.Table
    before: ibis.Table | None = None


def shaped(table: ibis.Table, columns: Mapping[str, str], values: Mapping[str, Any]) -> ibis.Table:
    """Select columns in order and type; a column without a value is missing everywhere."""
    chosen = {name: values.get(name) for name in columns}
    return table.select(
        **{name: (ibis.null() if value is None else value).cast(columns[name]) for name, value in chosen.items()}
    )


def bare_rows(raw: ibis.Table) -> ibis.Table:
    """Return a row, of ROW_COLUMNS, for each event that names no item.

    Args:
        raw: Numbered events: event_no, `_row` and `items`, a list that may be empty or missing.
    """
    bare = raw.filter(raw["items"].length().fill_null(0) == 0)
    no = ibis.literal(value=False)
    values = {"event_no": bare.event_no, "item_ordinal": ibis.literal(0), "row": bare["_row"], "is_duplicate": no}
    return shaped(bare, ROW_COLUMNS, values)


def listed_items(raw: ibis.Table, *names: str) -> ibis.Table:
    """Return a row for each item of each event's list.

    Args:
        raw: Numbered events: event_no, `_row` and `items`, a list that may be empty or missing.
        names: Further columns to keep.

    Returns:
        event_no, `_row`, the named columns, `item` and its place in the list, `item_ordinal`, from 1.
    """
    # On DuckDB, `Table.unnest(offset=...)` becomes a lateral join, 8 times slower, and a list zipped with a range has
    # the range made anew for each item.
    placed = raw["items"].map(lambda item, index: ibis.struct({"item": item, "item_ordinal": index + 1}))
    listed = raw.select("event_no", "_row", *names, each=placed.unnest())
    return listed.mutate(item=listed.each["item"], item_ordinal=listed.each["item_ordinal"]).drop("each")


def union_of(readings: Sequence[Reading]) -> Reading:
    """Put readings together; their files must differ."""
    return Reading(
        events=reduce(lambda left, right: left.union(right), [each.events for each in readings]),
        rows=reduce(lambda left, right: left.union(right), [each.rows for each in readings]),
    )


def event_number(file: Any, row: Any, file_numbers: Mapping[str, int]) -> Any:
    """Return the number of the event that starts at a row of a file."""
    number_of_file = ibis.cases(*[(file == name, number) for name, number in sorted(file_numbers.items())], else_=0)
    return number_of_file.cast("int64") * _EVENTS_PER_FILE + row


def require_columns(raw: ibis.Table, needed: Sequence[str]) -> None:
    """Refuse a source that lacks a column.

    Raises:
        SourceError: SOURCE_COLUMN, with the file and the near names.
    """
    known = [name for name in raw.columns if not name.startswith("_")]
    for name in needed:
        if name not in known:
            raise SourceError(
                f"the source has no column {name!r}; {near(name, known)}",
                where=f"column {name}",
                fix="export the file with this column, or correct its name under [events.reader] of endcap.toml",
                code=Code.SOURCE_COLUMN,
            )


def field(value: Any, *path: str) -> Any:
    """Return a nested field (or a table's column), or None where the source has no such field."""
    for name in path:
        if isinstance(value, ibis.Table):
            value = value[name] if name in value.columns else None
        elif value is not None:
            value = value[name] if value.type().is_struct() and name in value.type().names else None
    return value


def text(value: Any) -> Any:
    """Return a column as text; empty text and GA4's `(not set)` are missing."""
    if value is None:
        return ibis.null("string")
    if value.type().is_floating():
        whole = value.try_cast("int64")
        value = ibis.ifelse(whole.cast("float64") == value, whole.cast("string"), value.cast("string"))
    elif not value.type().is_string():
        value = value.cast("string")
    return value.nullif("").nullif("(not set)")


def number(value: Any) -> Any:
    """Return a column as float64; what is no number is missing, and so is NaN."""
    if value is None or value.type().is_null():
        return ibis.null("float64")
    read = value.cast("float64") if value.type().is_numeric() else text(value).try_cast("float64")
    return ibis.ifelse(read.isnan(), ibis.null("float64"), read)


def unreadable_number(value: Any) -> Any:
    """Return the text of a column where it should be a number and is none; missing elsewhere."""
    if value is None or value.type().is_numeric() or value.type().is_null():
        return ibis.null("string")
    read = text(value)
    return ibis.ifelse(read.try_cast("float64").isnull(), read, ibis.null("string"))


def place_number(value: Any) -> Any:
    """Return a place in a list as int32; what is no place (text, below 0, beyond a million) is missing."""
    read = number(value)
    return ibis.ifelse(read.between(0, 1_000_000), read, ibis.null("float64")).cast("int32")


def instant_us(value: Any, *, unit_us: int = 1, zone_offset_us: Any = None) -> Any:
    """Return a column of times as microseconds UTC; what is no time is missing.

    Args:
        value: Timestamp, date, text or number.
        unit_us: Microseconds in one unit of a number.
        zone_offset_us: Function from a naive timestamp column to the microseconds by which its zone is ahead of UTC.
    """
    kind = value.type()
    if kind.is_integer():  # not by way of float64: it holds no more than 2^53, and that may be a microsecond off
        return _within(value.try_cast("int64"), _MOST_US // unit_us) * unit_us
    if kind.is_numeric():
        return _whole(value.cast("float64") * unit_us)
    if kind.is_timestamp() or kind.is_date():
        return _timestamp_us(value.try_cast("timestamp") if kind.is_date() else value, zone_offset_us)
    read = text(value)
    has_zone = read.re_search(r"[0-9] ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$") & read.contains(":")
    # Joined: DuckDB passes over an offset that a space parts from the time, "10:00:00 -0500".
    joined = read.replace(" +", "+").replace(" -", "-")
    zoned = _timestamp_us(joined.try_cast("timestamp('UTC')"), None)
    # A zone by its name is not understood by every engine: DuckDB reads "10:00 PST" as 10:00.
    has_word = read.re_search(r"[A-Za-z]{2,}$") & ~read.re_search(r"(?i)(UTC|GMT)$")
    plain = ibis.ifelse(has_word, ibis.null("string"), read)
    naive = _timestamp_us(plain.try_cast("timestamp"), zone_offset_us)
    as_number = _whole(read.try_cast("float64") * unit_us)
    return ibis.coalesce(as_number, ibis.ifelse(has_zone, zoned, naive))


def _timestamp_us(value: Any, zone_offset_us: Any) -> Any:
    has_zone = value.type().timezone is not None
    naive = value.cast("timestamp") if has_zone else value  # engines' sessions are in UTC
    # epoch_seconds() alone rounds the fraction up on DuckDB: a third of all instants were a second late.
    # By way of float64: DuckDB's seconds are floats, and Ibis, which takes them for int64, leaves a plain cast out.
    seconds = naive.truncate("s").epoch_seconds().cast("float64").cast("int64")
    local_us = _within(seconds, _MOST_US // 1_000_000) * 1_000_000 + naive.microsecond().cast("int64")
    return local_us if has_zone or zone_offset_us is None else local_us - zone_offset_us(naive)


def _whole(value: Any) -> Any:
    return _within(value, _MOST_US).round().cast("int64")


def _within(value: Any, most: int) -> Any:
    return ibis.ifelse(value.between(-most, most), value, ibis.null(value.type()))
