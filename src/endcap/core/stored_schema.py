"""May rows that were written under an older contract be read under this one?

A column that was added and may be missing reads as missing, a narrower number as a wider one; nothing else passes.
"""

from collections.abc import Mapping

from endcap.core.contract import Kind, Table
from endcap.core.errors import Code, StoreError

__all__ = ["check_stored", "columns_to_widen"]

_WIDER = {
    (Kind.INT32, Kind.INT64),
    (Kind.INT32, Kind.FLOAT64),
    (Kind.FLOAT32, Kind.FLOAT64),
}  # int64 to float64 is not among them: beyond 2^53 it rounds


def check_stored(table: Table, stored: Mapping[str, str]) -> None:
    """Refuse stored columns that cannot be read under a contract.

    Args:
        table: The contract.
        stored: Name of each stored column -> its type, in the words of `Kind` or in any other.

    Raises:
        StoreError: A column that is always there is not stored, or one is of a type that cannot be widened to the
            contract's (TABLE_SCHEMA).
    """
    for column in table.columns:
        if column.name not in stored:
            if not column.nullable:
                raise _refused(table, f"has no column {column.name}")
        elif not _is_read_as(stored[column.name], column.kind):
            raise _refused(table, f"has {column.name} as {stored[column.name]}, the contract as {column.kind}")


def columns_to_widen(table: Table, stored: Mapping[str, str]) -> list[str]:
    """Return the stored columns whose type is narrower than the contract's."""
    return [column.name for column in table.columns if stored.get(column.name, column.kind) != column.kind]


def _is_read_as(stored: str, kind: Kind) -> bool:
    return stored == kind or any((stored, kind) == pair for pair in _WIDER)


def _refused(table: Table, what: str) -> StoreError:
    return StoreError(
        f"the stored table {table.name} {what}: version {table.version} of its contract cannot read it",
        where=f"SHOP/lake/{table.name}",
        fix=f"move SHOP/lake/{table.name} away and run `endcap refresh SHOP`, which makes it again, or use the version "
        "of Endcap that wrote it",
        code=Code.TABLE_SCHEMA,
    )
