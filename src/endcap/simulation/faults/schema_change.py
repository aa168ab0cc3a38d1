"""A change of the export's schema, as it comes with a new version of a tracker: from one day on, every file has it.

One column has another name, one is new, three fields have another type; every value can be read back exactly.
"""

import numpy as np
import pyarrow as pa

from endcap.simulation.faults.nested import Change, FieldPath, change_field, field_type

__all__ = ["ADDED", "RENAMED", "RETYPED", "change_schema", "restore_names"]

RENAMED = {"user_pseudo_id": "pseudo_user_id"}
"""Column before the change -> its name after it: the two names that GA4 itself has for it, in events and in users."""

ADDED = "batch_event_index"
"""The new column, int64: numbers the events of a file, as GA4 numbers those of a batch since 2024."""

RETYPED: dict[FieldPath, pa.DataType] = {
    ("event_timestamp",): pa.string(),
    ("items", "quantity"): pa.float64(),
    ("items", "price"): pa.string(),
}
"""Field -> its type after the change; whole numbers of up to 53 bits and shortest decimal text lose nothing."""


def change_schema(table: pa.Table) -> pa.Table:
    """Return the events as an export of the new version writes them; what the table does not have is not changed."""
    assert ADDED not in table.column_names
    for path, kind in RETYPED.items():
        if field_type(table.schema, path) is not None:
            table = change_field(table, path, _cast_to(kind))
    table = table.rename_columns([RENAMED.get(name, name) for name in table.column_names])
    return table.append_column(pa.field(ADDED, pa.int64()), pa.array(np.arange(table.num_rows)))


def _cast_to(kind: pa.DataType) -> Change:
    return lambda values, _row: values.cast(kind)


def restore_names(table: pa.Table) -> pa.Table:
    """Return the table under its old names and without the new column; types are still those of the new version."""
    before = {after: name for name, after in RENAMED.items()}
    table = table.drop_columns([ADDED])
    return table.rename_columns([before.get(name, name) for name in table.column_names])
