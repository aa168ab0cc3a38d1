"""Fields deep in nested columns: read, and changed without a look at the rest of the row.

A path such as `("items", "price")` names a field of every element where it passes a list.
Shapes: E rows, V values at the end of a path (E without a list on the way).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["Change", "FieldPath", "change_field", "field_type", "leaves", "rows_that_hold"]

FieldPath = tuple[str, ...]
"""Names from the column down to the field; lists have no name of their own."""

Int64 = NDArray[np.int64]
Change = Callable[[Any, Int64], Any]
"""From V values and the V rows that they stand in to V values, maybe of another type."""


def field_type(schema: pa.Schema, path: FieldPath) -> Any:
    """Return the type of the field, or None where the schema has no such field."""
    kind: Any = pa.struct(list(schema))
    for name in path:
        kind = kind.value_type if pa.types.is_list(kind) else kind
        number = kind.get_field_index(name) if pa.types.is_struct(kind) else -1
        if number < 0:
            return None
        kind = kind.field(number).type
    return kind


def leaves(table: pa.Table, path: FieldPath) -> tuple[Any, Int64]:
    """Return the V values of a field that is there, and the row of each."""
    array, row_V = _column(table, path[0]), np.arange(table.num_rows)
    for name in path[1:]:
        if pa.types.is_list(array.type):
            array, row_V = array.flatten(), row_V[_parents(array)]
        array = array.flatten()[array.type.get_field_index(name)]
    return array, row_V


def rows_that_hold(table: pa.Table, path: FieldPath) -> NDArray[np.bool_]:
    """Say for each of E rows whether it has a value in the field; nowhere if the table has no such field."""
    is_held = np.zeros(table.num_rows, bool)
    if field_type(table.schema, path) is not None:
        array, row_V = leaves(table, path)
        is_held[row_V[_flags(array.is_valid())]] = True
    return is_held


def change_field(table: pa.Table, path: FieldPath, change: Change) -> pa.Table:
    """Return the table with the values of one field changed, and its type with them."""
    changed = _changed(_column(table, path[0]), path[1:], np.arange(table.num_rows), change)
    place = table.schema.get_field_index(path[0])
    return table.set_column(place, table.schema.field(place).with_type(changed.type), changed)


def _changed(array: Any, path: FieldPath, row_V: Int64, change: Change) -> Any:
    if not path:
        return change(array, row_V)
    if pa.types.is_list(array.type):
        elements = _changed(array.flatten(), path, row_V[_parents(array)], change)
        lengths = pc.list_value_length(array).fill_null(0).to_numpy()
        starts = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        kind = pa.list_(array.type.value_field.with_type(elements.type))
        return pa.ListArray.from_arrays(starts, elements, type=kind, mask=array.is_null())
    place = array.type.get_field_index(path[0])
    parts = array.flatten()
    parts[place] = _changed(parts[place], path[1:], row_V, change)
    fields = [array.type.field(number).with_type(part.type) for number, part in enumerate(parts)]
    return pa.StructArray.from_arrays(parts, fields=fields, mask=array.is_null())


def _column(table: pa.Table, name: str) -> Any:
    return table.column(name).combine_chunks()


def _parents(array: Any) -> Int64:
    parents: Int64 = pc.list_parent_indices(array).to_numpy()
    return parents


def _flags(array: Any) -> NDArray[np.bool_]:
    flags: NDArray[np.bool_] = array.to_numpy(zero_copy_only=False)
    return flags
