"""The server's own event segments, `landing/events/*.jsonl`: ids in them are keyed hashes already."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ibis
import msgspec
import pyarrow as pa

from endcap.core.landed import LandedEvent, LandedItem
from endcap.events.money import scale_of
from endcap.events.reading import (
    EVENT_COLUMNS,
    ROW_COLUMNS,
    Reading,
    bare_rows,
    event_number,
    listed_items,
    shaped,
    text,
)
from endcap.events.sources.lines import FAULT, split_lines

__all__ = ["open_landing", "read_landing"]


_ITEM = pa.struct(
    [
        (name, pa.int64() if name in ("price_minor", "quantity", "place") else pa.string())
        for name in LandedItem.__struct_fields__
    ]
)
_TYPES = {"at_us": pa.int64(), "received_us": pa.int64(), "value_minor": pa.int64(), "items": pa.list_(_ITEM)}
_FIELDS = LandedEvent.__struct_fields__


def open_landing(path: Path) -> pa.Table:
    """Read one complete segment; a line that is torn or of another form is kept as a row with `_fault`."""
    decoder = msgspec.json.Decoder(LandedEvent)
    lines: list[dict[str, Any]] = []
    for place, line in split_lines(path.read_bytes()):
        marks: dict[str, Any] = {"_file": path.name, "_row": place, "_fault": None}
        try:
            lines.append(_within_int64(msgspec.to_builtins(decoder.decode(line))) | marks)
        except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
            lines.append(marks | {"_fault": FAULT})
    fields = [pa.field(name, _TYPES.get(name, pa.string())) for name in _FIELDS]
    marks_of = [pa.field("_file", pa.string()), pa.field("_row", pa.int64()), pa.field("_fault", pa.string())]
    return pa.Table.from_pylist(lines, schema=pa.schema(fields + marks_of))


def _within_int64(line: dict[str, Any]) -> dict[str, Any]:
    for part in (line, *line["items"]):
        if any(isinstance(value, int) and abs(value) >= 2**63 for value in part.values()):
            raise OverflowError
    return line


def read_landing(
    raw: ibis.Table, file_numbers: Mapping[str, int], file_day: Any, default_currency: str | None
) -> Reading:
    """Read segments into the shape of all sources.

    Args:
        raw: Rows of `open_landing`.
        file_numbers: Name of the file -> its number.
        file_day: Day of the file each row stands in, a column expression.
        default_currency: Of amounts whose event names no currency.
    """
    currency = ibis.coalesce(raw.currency, ibis.literal(default_currency, "string"))
    numbered = raw.mutate(
        event_no=event_number(raw["_file"], raw["_row"], file_numbers), file_day=file_day, scale=scale_of(currency)
    )
    same = (
        "source_session_id",
        "currency",
        "transaction_id",
        "search_term",
        "recommendation_id",
        "country",
        "device_category",
        "user_key",
        "device_key",
    )
    values = {name: text(numbered[name]) for name in same} | {
        "event_no": numbered.event_no,
        "file": numbered["_file"],
        "row": numbered["_row"],
        "file_day": numbered.file_day,
        "event_name_read": text(numbered.event_name),
        "at_us": numbered.at_us,
        "received_us": numbered.received_us,
        "source_event_id": text(numbered.event_id),
        "value": (numbered.value_minor / numbered.scale).cast("string"),
        "fault": numbered["_fault"],
    }
    return Reading(events=shaped(numbered, EVENT_COLUMNS, values), rows=_rows(numbered))


def _rows(raw: ibis.Table) -> ibis.Table:
    listed = listed_items(raw, "scale", "item_list_id")
    item = listed["item"]
    values = {
        "event_no": listed.event_no,
        "item_ordinal": listed.item_ordinal,
        "row": listed["_row"],
        "item_id": text(item["item_id"]),
        "item_name": text(item["item_name"]),
        "item_variant": text(item["item_variant"]),
        "price": item["price_minor"] / listed.scale,
        "quantity": item["quantity"].cast("float64"),
        "item_list_id": text(listed.item_list_id),
        "place": ibis.ifelse(item["place"].between(0, 1_000_000), item["place"], ibis.null("int64")),
        "is_duplicate": ibis.literal(value=False),
    }
    return shaped(listed, ROW_COLUMNS, values).union(bare_rows(raw))
