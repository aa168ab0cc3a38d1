"""A GA4 BigQuery export as newline JSON, nested as its Parquet files are; numbers may be text, as BigQuery has it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from endcap.events.sources.lines import FAULT
from endcap.events.sources.told import as_list, as_text, objects_of

__all__ = ["open_ga4_lines"]

_VALUE = ("string_value", "int_value", "float_value", "double_value")
_ITEM = (
    *("item_id", "item_name", "item_variant", "price", "quantity", "item_list_id", "item_list_name"),
    "item_list_index",
)
_ECOMMERCE = ("transaction_id", "purchase_revenue", "refund_value")


def _texts(names: tuple[str, ...]) -> pa.DataType:
    return pa.struct([(name, pa.string()) for name in names])


_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("event_timestamp", "event_name", "user_id", "user_pseudo_id")),
        ("event_params", pa.list_(pa.struct([("key", pa.string()), ("value", _texts(_VALUE))]))),
        ("device", _texts(("category",))),
        ("geo", _texts(("country",))),
        ("ecommerce", _texts(_ECOMMERCE)),
        ("items", pa.list_(_texts(_ITEM))),
        *(("_file", pa.string()), ("_row", pa.int64()), ("_fault", pa.string())),
    ]
)


def open_ga4_lines(path: Path, columns: Mapping[str, str]) -> pa.Table:
    """Read a file of one event a line, or a list of them; what is no object is kept as a row with `_fault`.

    Args:
        path: The file, maybe packed.
        columns: GA4 name -> the export's own name, where a line has it.

    Raises:
        SourceError: The file is missing or damaged.
    """
    rows = []
    for place, each in objects_of(path):
        told, fault = (dict(each), None) if isinstance(each, Mapping) else ({}, FAULT)
        told |= {name: told[theirs] for name, theirs in columns.items() if theirs in told}
        rows.append({name: _as(told.get(name), _SCHEMA.field(name).type) for name in _SCHEMA.names[:-3]}
                    | {"_file": path.name, "_row": place, "_fault": fault})  # fmt: skip
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _as(value: Any, kind: pa.DataType) -> Any:
    """Return a value in a type of texts, lists and structs; what is of another form is missing."""
    if pa.types.is_list(kind):
        return [_as(each, kind.value_type) for each in as_list(value)]
    if pa.types.is_struct(kind):
        if not isinstance(value, Mapping):
            return None
        return {field.name: _as(value.get(field.name), field.type) for field in kind}
    return as_text(value)
