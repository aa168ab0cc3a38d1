"""What the house asks of an engine. Adapters stand in `engines/adapters` and are chosen in `flows/wiring` alone."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import ibis
import pyarrow as pa

from endcap.core.contract import Table

__all__ = ["Engine", "FileWriter", "arrow_schema", "empty_table"]


class Engine(Protocol):
    """Computes Ibis expressions over files and snapshots."""

    name: str

    def read_parquet(self, paths: Sequence[str]) -> ibis.Table:
        """Read Parquet files as one table, their columns united by name, with two columns more.

        Returns:
            The files' columns, `_file` (the file's name without folders) and `_row` (row in the file, from 0).

        Raises:
            SourceError: A file cannot be read, or its columns clash.
        """
        ...

    def read_arrow(self, table: pa.Table) -> ibis.Table:
        """Take an Arrow table in; used for small tables made in Python."""
        ...

    def read_snapshot(self, files: Sequence[str], table: Table) -> ibis.Table:
        """Read the files of a snapshot under its contract; no files give a table without rows."""
        ...

    def materialise(self, expression: ibis.Table) -> ibis.Table:
        """Compute an expression once and keep its rows, in no order, until the engine is closed or `drop` is called."""
        ...

    def drop(self, materialised: ibis.Table) -> None:
        """Let go of the rows of a materialised table."""
        ...

    def to_arrow(self, expression: ibis.Table) -> pa.Table:
        """Compute an expression into an Arrow table in memory; in no order but one that the expression asks for."""
        ...

    def stream(self, expression: ibis.Table) -> pa.RecordBatchReader:
        """Compute an expression as a stream of Arrow batches, in the expression's order."""
        ...

    def partition_digests(self, materialised: ibis.Table, table: Table) -> dict[str, dict[str, Any]]:
        """Digest the content of each partition, whatever the order of its rows.

        Returns:
            Partition ("" for a table without partitions) -> {"rows": int, "digest": 32 hex digits}.
        """
        ...

    def close(self) -> None:
        """Free all that the engine holds."""
        ...


@runtime_checkable
class FileWriter(Protocol):
    """An engine on a cluster, whose executors write the files of a table by themselves; a table store adopts them."""

    def write_files(self, expression: ibis.Table, table: Table, folder: str) -> None:
        """Write Parquet files below a folder that is not there yet: `<partition>=<value>/`, in the expression's order.

        Args:
            expression: Rows under the contract.
            table: The contract.
            folder: A path that all executors see.
        """
        ...


def empty_table(table: Table) -> pa.Table:
    """Return an Arrow table without rows under a contract."""
    return arrow_schema(table).empty_table()


def arrow_schema(table: Table) -> pa.Schema:
    """Return the Arrow schema of a contract."""
    kinds = {
        "string": pa.string(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "float32": pa.float32(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
        "list<string>": pa.list_(pa.string()),
        "list<int64>": pa.list_(pa.int64()),
        "list<float64>": pa.list_(pa.float64()),
    }
    return pa.schema([pa.field(column.name, kinds[column.kind.value]) for column in table.columns])
