"""A data file that an engine has written and a table store has yet to take into a table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["DataFile"]


@dataclass(frozen=True)
class DataFile:
    """A Parquet file that was written below a table's folder and is not in the table yet.

    Args:
        path: Where it lies, relative to the table's folder: "attempt-<id>/date_partition=2026-01-01/part-0.parquet". An
            attempt's id is used once: a file that was in the table before must not be adopted again.
        partition: The partition whose rows it holds; "" in a table without partitions.
        size: Bytes.
        rows: Number of rows.
        least: Column -> its least value, for numbers that have one.
        greatest: Column -> its greatest value, for the same columns.
        nulls: Column -> how many values are missing, where that is known.
    """

    path: str
    partition: str
    size: int
    rows: int
    least: Mapping[str, Any] = field(default_factory=dict)
    greatest: Mapping[str, Any] = field(default_factory=dict)
    nulls: Mapping[str, int] = field(default_factory=dict)
