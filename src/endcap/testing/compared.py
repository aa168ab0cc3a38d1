"""Two shops' tables side by side, row for row: what one engine has made and what another one has."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from endcap.core.tables import TABLES
from endcap.flows.shop import find_shop
from endcap.flows.wiring.batch import open_engine
from endcap.flows.wiring.stores import open_tables

__all__ = ["TOLERANCE", "Compared", "compare_tables"]

TOLERANCE = 1e-9
"""Largest relative difference of two floats that are held for equal: sums depend on the order of their terms."""

Tables = Mapping[str, pa.Table]


@dataclass(frozen=True)
class Compared:
    """How far two shops' tables are alike.

    Args:
        tables: Tables that have rows in one of them at least.
        rows: Rows compared.
        rows_that_differ: Rows that one alone has, or that differ in a text, a whole number, what is missing, or a float
            by more than `TOLERANCE`.
        largest_relative_difference: Of all floats.
        columns_that_differ: table.column -> rows.
    """

    tables: int
    rows: int
    rows_that_differ: int
    largest_relative_difference: float
    columns_that_differ: Mapping[str, int]


def compare_tables(one: Path, other: Path, *, scratch: Path) -> Compared:
    """Compare all tables of two shops, as they lie on the disk.

    Args:
        one: A shop's folder.
        other: Another's.
        scratch: Folder for what does not fit into memory.
    """
    left, right = _tables(one, scratch), _tables(other, scratch)
    rows = differing = 0
    largest, columns = 0.0, {}
    for name, table in left.items():
        rows += max(table.num_rows, right[name].num_rows)
        if table.num_rows != right[name].num_rows:
            columns[f"{name} rows"] = abs(table.num_rows - right[name].num_rows)
            differing += max(table.num_rows, right[name].num_rows)
            continue
        wrong: set[int] = set()
        for column in table.column_names:
            bad, relative = _differences(table[column], right[name][column])
            largest = max(largest, relative)
            wrong |= bad
            if bad:
                columns[f"{name}.{column}"] = len(bad)
        differing += len(wrong)
    there = sum(1 for name in left if left[name].num_rows or right[name].num_rows)
    return Compared(there, rows, differing, largest, columns)


def _tables(root: Path, scratch: Path) -> Tables:
    """Read all tables of a shop, in the order of their keys."""
    found = {}
    with open_engine(scratch) as engine, open_tables(find_shop(root)) as store:
        for table in TABLES.values():
            order = [table.partition, *table.key] if table.partition else list(table.key)
            found[table.name] = engine.to_arrow(engine.read_snapshot(store.files(table), table).order_by(order))
    return found


def _differences(left: Any, right: Any) -> tuple[set[int], float]:
    """Return the rows in which two columns differ, and the largest relative difference of their floats."""
    if left.equals(right):
        return set(), 0.0
    bad, largest = set(), 0.0
    for row, (one, other) in enumerate(zip(left.to_pylist(), right.to_pylist(), strict=True)):
        relative = _relative(one, other)
        if relative > TOLERANCE:
            bad.add(row)
        if relative != float("inf"):
            largest = max(largest, relative)
    return bad, largest


def _relative(one: Any, other: Any) -> float:
    """Return by how much two values differ: 0 for equal ones, infinity for what is not a float."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return max((_relative(*pair) for pair in zip(one, other, strict=True)), default=0.0)
    if one == other or (isinstance(one, float) and isinstance(other, float) and one != one and other != other):  # noqa: PLR0124 - NaN
        return 0.0
    if not isinstance(one, float) or not isinstance(other, float):
        return float("inf")
    if not (math.isfinite(one) and math.isfinite(other)):
        return float("inf")
    return abs(one - other) / max(abs(one), abs(other))
