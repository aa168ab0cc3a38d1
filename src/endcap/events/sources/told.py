"""Nested sources whose events are JSON objects: what each tells, in one shape, and how that is read.

A source is a function from an object to `Told`; all else is the same for all of them. Everything is kept as text until
it is read, so that what is no number can be told in quarantine.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

import ibis
import msgspec
import pyarrow as pa

from endcap.core.errors import Code, SourceError
from endcap.events.reading import (
    EVENT_COLUMNS,
    ROW_COLUMNS,
    Reading,
    bare_rows,
    event_number,
    instant_us,
    listed_items,
    number,
    place_number,
    shaped,
    text,
    unreadable_number,
)
from endcap.events.sources.lines import FAULT, decode_json, plain_name, read_content, split_lines

__all__ = [
    "Tell",
    "Told",
    "ToldItem",
    "as_list",
    "as_text",
    "decoded",
    "nested",
    "objects_of",
    "open_told",
    "read_told",
    "told_instant_us",
    "told_items",
]


class ToldItem(TypedDict, total=False):
    """What an event tells of one of its items; what it does not tell is missing."""

    item_id: str | None
    item_name: str | None
    item_variant: str | None
    price: str | None
    quantity: str | None
    place: str | None


class Told(TypedDict, total=False):
    """What an object tells: `value` in major units, `time` and `received` as ISO texts or numbers in microseconds."""

    event_name: str | None
    time: str | None
    received: str | None
    user_id: str | None
    device_id: str | None
    event_id: str | None
    session_id: str | None
    value: str | None
    currency: str | None
    transaction_id: str | None
    search_term: str | None
    recommendation_id: str | None
    country: str | None
    device_category: str | None
    item_list_id: str | None
    items: list[ToldItem]


Tell = Callable[[Mapping[str, Any]], Told]
"""Reads an object of a source."""

_ITEM = pa.struct([(name, pa.string()) for name in ToldItem.__annotations__])
_SCHEMA = pa.schema(
    [(name, pa.list_(_ITEM) if name == "items" else pa.string()) for name in Told.__annotations__]
    + [("_file", pa.string()), ("_row", pa.int64()), ("_fault", pa.string())]
)
_TIMES = pa.schema([_SCHEMA.field(name) for name in ("time", "_file", "_row", "_fault")])
_ROWS = 50_000  # that are turned into Arrow at once


def open_told(
    path: Path,
    tell: Tell,
    objects: Callable[[Path], Iterator[tuple[int, Any]]] | None = None,
    *,
    times_only: bool = False,
) -> pa.Table:
    """Read a file; what is no object is kept as a row with `_fault`.

    Args:
        path: JSON lines, or a list of objects (.json); maybe packed.
        tell: Of the source.
        objects: Yields what stands at each place of a file that is neither; what is no object has a fault.
        times_only: Whether `time` is the only column that is wanted beside the marks.

    Raises:
        SourceError: The file is missing or damaged.
    """
    tables, rows, schema = [], [], _TIMES if times_only else _SCHEMA
    for place, each in (objects or objects_of)(path):
        marks = {"_file": path.name, "_row": place, "_fault": None}
        rows.append({**tell(each), **marks} if isinstance(each, Mapping) else {**marks, "_fault": FAULT})
        if len(rows) == _ROWS:
            tables.append(pa.Table.from_pylist(rows, schema=schema))
            rows = []
    return pa.concat_tables([*tables, pa.Table.from_pylist(rows, schema=schema)])


def objects_of(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield what stands at each place of a file: on each line, or in the list that a `.json` file is.

    What is no JSON is None.

    Raises:
        SourceError: The file is missing or damaged, or its list is cut off.
    """
    content = read_content(path)
    if plain_name(path).endswith(".json") and content.lstrip()[:1] == b"[":
        listed = decoded(content)
        if not isinstance(listed, list):
            raise SourceError(
                "the list of events cannot be read: it is cut off or no JSON",
                where=path.name,
                fix="export the file again, or move it out of the source folder",
                code=Code.SOURCE_UNREADABLE,
            )
        return iter(enumerate(listed))
    return ((place, decoded(line)) for place, line in split_lines(content))


def decoded(content: bytes) -> Any:
    """Return a JSON document, None where it is none."""
    try:
        return decode_json(content)
    except ValueError:
        return None


def as_list(value: Any) -> list[Any]:
    """Return a list that an event tells: warehouses write it as text, and some senders one entry alone."""
    if isinstance(value, str):
        value = decoded(value.encode())
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def told_instant_us(raw: ibis.Table) -> Any:
    """Return the instant of each row, microseconds UTC, missing where it cannot be read."""
    return instant_us(raw.time)


def read_told(raw: ibis.Table, file_numbers: Mapping[str, int], file_day: Any) -> Reading:
    """Read what was told into the shape of all sources.

    Args:
        raw: Rows of `open_told`.
        file_numbers: Name of the file -> its number.
        file_day: Day of the file each row stands in, a column expression.
    """
    numbered = raw.mutate(event_no=event_number(raw["_file"], raw["_row"], file_numbers), file_day=file_day)
    same = (
        *("value", "currency", "transaction_id", "search_term", "recommendation_id", "country", "device_category"),
        "file_day",
    )
    values = {name: text(numbered[name]) for name in same} | {
        "event_no": numbered.event_no,
        "file": numbered["_file"],
        "row": numbered["_row"],
        "event_name_read": text(numbered.event_name),
        "at_us": told_instant_us(numbered),
        "received_us": instant_us(numbered.received),
        "raw_user_id": text(numbered.user_id),
        "raw_device_id": text(numbered.device_id),
        "source_event_id": text(numbered.event_id),
        "source_session_id": text(numbered.session_id),
        "fault": numbered["_fault"],
    }
    return Reading(events=shaped(numbered, EVENT_COLUMNS, values), rows=_rows(numbered))


def _rows(raw: ibis.Table) -> ibis.Table:
    listed = listed_items(raw, "item_list_id")
    item = listed["item"]
    values = {
        "event_no": listed.event_no,
        "item_ordinal": listed.item_ordinal,
        "row": listed["_row"],
        "item_id": text(item["item_id"]),
        "item_name": text(item["item_name"]),
        "item_variant": text(item["item_variant"]),
        "price": number(item["price"]),
        "price_text": unreadable_number(item["price"]),
        "quantity": number(item["quantity"]),
        "quantity_text": unreadable_number(item["quantity"]),
        "item_list_id": text(listed.item_list_id),
        "place": place_number(item["place"]),
        "is_duplicate": ibis.literal(value=False),
    }
    return shaped(listed, ROW_COLUMNS, values).union(bare_rows(raw))


def as_text(value: Any) -> str | None:
    """Return a value as text: a number without a needless fraction, anything nested as its JSON, nothing as missing."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return msgspec.json.encode(value).decode()


def nested(value: Any, *path: str) -> Any:
    """Return a value some levels down in objects, missing where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def told_items(items: Iterable[Any], names: Mapping[str, tuple[str, ...]]) -> list[ToldItem]:
    """Return items under our names.

    Args:
        items: What an event holds as its items; what is no object is an item that tells nothing.
        names: Our name -> theirs, the most telling first.
    """
    return [cast("ToldItem", {ours: _told(each, theirs) for ours, theirs in names.items()}) for each in items]


def _told(item: Any, names: tuple[str, ...]) -> str | None:
    return next((found for name in names if (found := as_text(nested(item, name))) is not None), None)
