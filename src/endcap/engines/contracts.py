"""Does a table keep its contract? Asked of every output before it is written."""

from functools import reduce
from typing import Any

import ibis

from endcap.core.contract import Column, Kind, Table
from endcap.core.errors import Code, DataError
from endcap.core.stored_schema import check_stored, columns_to_widen
from endcap.engines.port import Engine

__all__ = ["check_contract", "read_under_contract", "under_contract"]

_IBIS = {
    Kind.STRING: "string",
    Kind.INT32: "int32",
    Kind.INT64: "int64",
    Kind.FLOAT32: "float32",
    Kind.FLOAT64: "float64",
    Kind.BOOL: "boolean",
    Kind.STRINGS: "array<string>",
    Kind.INT64S: "array<int64>",
    Kind.FLOAT64S: "array<float64>",
}
_LISTS = (Kind.STRINGS, Kind.INT64S, Kind.FLOAT64S)


def under_contract(expression: ibis.Table, table: Table) -> ibis.Table:
    """Select the contract's columns in its order and cast them to its types.

    Raises:
        DataError: A column of the contract is missing: a fault of ours, told as a broken contract.
    """
    missing = [name for name in table.names if name not in expression.columns]
    if missing:
        raise _broken(table, f"lacks the columns {', '.join(missing)}")
    return expression.select(
        **{column.name: expression[column.name].cast(_IBIS[column.kind]) for column in table.columns}
    )


def read_under_contract(stored: ibis.Table, table: Table) -> ibis.Table:
    """Select the contract's columns of stored rows, which may have been written under an older contract.

    What was added since then is missing, what was widened is cast.

    Raises:
        StoreError: The stored columns cannot be read under the contract (TABLE_SCHEMA).
    """
    kinds = {name: _kind(dtype) for name, dtype in stored.schema().items()}
    check_stored(table, kinds)
    missing = [name for name in table.names if name not in kinds]
    others = [*missing, *columns_to_widen(table, kinds)]
    if not others:
        return stored.select(table.names)
    return stored.select(
        **{
            column.name: (ibis.null() if column.name in missing else stored[column.name]).cast(_IBIS[column.kind])
            if column.name in others
            else stored[column.name]
            for column in table.columns
        }
    )


def _kind(dtype: Any) -> str:
    """Return a type in the words of `Kind`, or in Ibis' where it is none of these."""
    plain = dtype.copy(nullable=True)
    return next((kind.value for kind, name in _IBIS.items() if plain.equals(ibis.dtype(name))), str(plain))


def check_contract(engine: Engine, materialised: ibis.Table, table: Table) -> None:
    """Check required values, ranges, allowed values and the key of a materialised table, in two passes.

    Raises:
        DataError: The rows break the contract; the first broken columns are named with their numbers.
    """
    _check_types(materialised, table)
    faults = {
        f"{column.name}_{what}": fault.sum()
        for column in table.columns
        for what, fault in _faults(materialised, column).items()
    }
    measured: dict[str, Any] = engine.to_arrow(
        materialised.aggregate(num_rows=materialised.count(), **faults)
    ).to_pylist()[0]
    num_rows = measured.pop("num_rows")
    broken = [f"{name} in {count:,} of {num_rows:,} rows" for name, count in measured.items() if count]
    if broken:
        raise _broken(table, "; ".join(broken[:5]))
    if repeated := _repeated_keys(engine, materialised, table, num_rows):
        raise _broken(table, f"has {repeated:,} rows of {num_rows:,} whose key {table.key} is there already")


def _repeated_keys(engine: Engine, materialised: ibis.Table, table: Table, num_rows: int) -> int:
    """Count the rows whose key another row has.

    As many hashes as rows prove as many keys. Only if there are fewer, which two keys of one hash may be the cause of,
    are the keys themselves compared: that takes twice as long.
    """
    key = dict.fromkeys([table.partition, *table.key] if table.partition else table.key)
    columns = materialised.select(*key)
    hashes = columns.select(mark=ibis.struct({name: columns[name] for name in key}).hash())
    for distinct in (hashes.distinct(), columns.distinct()):
        repeated = num_rows - int(engine.to_arrow(distinct.count().as_table()).column(0)[0].as_py())
        if not repeated:
            break
    return repeated


def _check_types(materialised: ibis.Table, table: Table) -> None:
    """Refuse a column of another type: Ibis drops casts that it holds for needless, and engines sum to wider types."""
    found = materialised.schema()
    wrong = [
        f"{column.name} is {found[column.name]}"
        for column in table.columns
        if not found[column.name].copy(nullable=True).equals(ibis.dtype(_IBIS[column.kind]))
    ]
    if wrong:
        raise _broken(table, f"has columns of another type: {', '.join(wrong)}")


def _faults(materialised: ibis.Table, column: Column) -> dict[str, Any]:
    value = materialised[column.name]
    faults: dict[str, Any] = {}
    if not column.nullable:
        faults["is_missing"] = value.isnull().cast("int64")
    if column.kind in _LISTS:
        return faults
    tests = []
    if column.low is not None:
        tests.append(value < column.low)
    if column.high is not None:
        tests.append(value > column.high)
    if column.allowed:
        tests.append(value.notin(list(column.allowed)))
    if tests:
        outside = reduce(lambda left, right: left | right, tests)
        faults["is_outside_its_range"] = outside.fill_null(False).cast("int64")  # noqa: FBT003 - positional in Ibis
    return faults


def _broken(table: Table, what: str) -> DataError:
    return DataError(
        f"table {table.name} {what}",
        where=f"table {table.name}",
        fix="nothing was written; report this with the output of `endcap show runs`",
        code=Code.CONTRACT_BROKEN,
    )
