"""The vocabulary in which a table's contract is written, independent of every engine and file format."""

from dataclasses import dataclass
from enum import StrEnum

from endcap.core.ids import digest_of

__all__ = ["Column", "Kind", "Table"]


class Kind(StrEnum):
    """The types a column can have; engines translate them into their own."""

    STRING = "string"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BOOL = "bool"
    STRINGS = "list<string>"
    INT64S = "list<int64>"
    FLOAT64S = "list<float64>"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: Its name, the same in every engine.
        kind: Its type.
        doc: What it holds, with unit.
        nullable: Whether a value may be missing.
        low: The least value allowed (numbers).
        high: The greatest value allowed (numbers).
        allowed: The only values allowed; empty for any.
        names_user: Whether it names a person, if only by a keyed hash: deletion looks for these columns.
    """

    name: str
    kind: Kind
    doc: str
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] = ()
    names_user: bool = False


@dataclass(frozen=True)
class Table:
    """The contract of one table.

    Args:
        name: Its name in the lake.
        doc: What one row is.
        columns: Its columns in order.
        key: The columns that name a row; rows are kept in this order within a partition.
        partition: The column that cuts the table into partitions, or "" for one that is written whole.
        retention_days: How long a row is kept by default; 0 keeps it for good.
        version: Of the columns, from 1; each change of them has a number of its own, which stands in every snapshot.
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition: str = "date_partition"
    retention_days: int = 0
    version: int = 1

    @property
    def digest(self) -> str:
        """Digest of what is written of the columns: names, types, order, which may be missing, key and partition."""
        columns = [[column.name, column.kind.value, column.nullable] for column in self.columns]
        return digest_of([columns, list(self.key), self.partition])[:16]

    @property
    def names(self) -> list[str]:
        """The columns' names in order."""
        return [column.name for column in self.columns]

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            KeyError: The table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
