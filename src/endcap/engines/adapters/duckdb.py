"""DuckDB as the engine: embedded, one process, spills to disk beyond its memory limit."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa

from endcap.core.contract import Table
from endcap.core.errors import Code, ConfigError, SourceError, StoreError
from endcap.engines.contracts import read_under_contract
from endcap.engines.port import empty_table

__all__ = ["DuckDBEngine"]

_BATCH_ROWS = 200_000


class DuckDBEngine:
    """The engine port on an in-memory DuckDB database.

    Args:
        memory_limit: How much memory it may take, as DuckDB writes it ("4GB"); beyond, it spills.
        threads: How many threads it may use.
        spill: Folder for what does not fit; made when needed.
    """

    name = "duckdb"

    def __init__(self, *, memory_limit: str, threads: int, spill: Path) -> None:
        spill.parent.mkdir(parents=True, exist_ok=True)  # DuckDB makes the folder itself, but not the one it lies in
        self._con = ibis.duckdb.connect(threads=threads, memory_limit=memory_limit, temp_directory=str(spill))
        self._raw = self._con.con
        self._raw.execute("SET TimeZone = 'UTC'")
        self._raw.execute("SET enable_progress_bar = false")
        self._raw.execute("SET preserve_insertion_order = false")  # rows have no order but what is asked for
        self._num_tables = 0
        self._table_of: dict[str, str] = {}  # file of a snapshot -> its table, to say which one is damaged

    def read_parquet(self, paths: Sequence[str]) -> ibis.Table:
        """Read Parquet files as one table; see the port."""
        try:
            table = self._con.read_parquet(list(paths), union_by_name=True, filename="_path", file_row_number=True)
        except duckdb.Error as error:
            raise _unreadable(paths, error) from error
        name = table["_path"].split("/")[-1]
        return table.mutate(_file=name, _row=table["file_row_number"]).drop("_path", "file_row_number")

    def read_arrow(self, table: pa.Table) -> ibis.Table:
        """Take an Arrow table in; see the port.

        Ibis 12 cannot create a table from an Arrow object on DuckDB 2.0 (it drops a view without a name).
        """
        name = self._fresh_name()
        self._raw.register(f"{name}_arrow", table)
        self._raw.execute(f'CREATE TEMP TABLE "{name}" AS FROM "{name}_arrow"')
        self._raw.unregister(f"{name}_arrow")
        return self._con.table(name)

    def read_snapshot(self, files: Sequence[str], table: Table) -> ibis.Table:
        """Read the files of a snapshot under its contract; see the port."""
        if not files:
            return self.read_arrow(empty_table(table))
        self._table_of.update(dict.fromkeys(files, table.name))
        try:
            found = self._con.read_parquet(
                list(files), union_by_name=True, hive_partitioning=True, hive_types_autocast=False
            )
        except duckdb.Error as error:
            raise _damaged(table.name, error) from error
        return read_under_contract(found, table)

    def materialise(self, expression: ibis.Table) -> ibis.Table:
        """Compute an expression once; see the port."""
        # In one statement: Ibis 12's own `create_table` makes the table first and inserts into it, which took 3 % more
        # CPU of ingest to features (2026-11-27). The types are Ibis' own, as DuckDB sums to wider ones.
        name, types = self._fresh_name(), self._con.compiler.type_mapper
        quoted = {column: '"' + column.replace('"', '""') + '"' for column in expression.columns}
        columns = ", ".join(
            f"CAST({quoted[column]} AS {types.to_string(dtype)}) AS {quoted[column]}"
            for column, dtype in expression.schema().items()
        )
        with self._told_as_ours():
            rows = self._con.compile(expression)
            self._raw.execute(f'CREATE TEMP TABLE "{name}" AS SELECT {columns} FROM ({rows})')  # noqa: S608 - quoted
            return self._con.table(name)

    def drop(self, materialised: ibis.Table) -> None:
        """Let go of the rows of a materialised table."""
        self._raw.execute(f'DROP TABLE IF EXISTS "{materialised.op().name}"')

    def to_arrow(self, expression: ibis.Table) -> pa.Table:
        """Compute an expression into an Arrow table in memory."""
        with self._told_as_ours():
            return self._raw.sql(self._con.compile(expression)).to_arrow_table()

    def stream(self, expression: ibis.Table) -> pa.RecordBatchReader:
        """Compute an expression as a stream of Arrow batches.

        Ibis 12 asks DuckDB 2.0 for `fetch_record_batch`, which is gone: the relation's own reader is used instead. A
        file found damaged while the stream is read raises DuckDB's own error; materialise first to know it.
        """
        return self._raw.sql(self._con.compile(expression)).to_arrow_reader(_BATCH_ROWS)

    def partition_digests(self, materialised: ibis.Table, table: Table) -> dict[str, dict[str, Any]]:
        """Digest the content of each partition; see the port.

        The digest is the sum of the rows' hashes, so the order of rows does not matter and equal rows count twice.
        It compares runs of one DuckDB version only, which the lock file fixes.
        """
        partition = f'"{table.partition}"' if table.partition else "''"
        columns = ", ".join(f'"{name}"' for name in table.names)
        rows = self._raw.execute(
            "SELECT part, count(*), sum(mark::HUGEINT), bit_xor(hash(mark))"  # noqa: S608 - our own names
            f' FROM (SELECT {partition} AS part, hash({columns}) AS mark FROM "{materialised.op().name}")'
            " GROUP BY 1 ORDER BY 1"
        ).fetchall()
        return {
            day: {"rows": count, "digest": f"{total % 2**64:016x}{crossed:016x}"} for day, count, total, crossed in rows
        }

    def close(self) -> None:
        """Free all that the engine holds."""
        self._con.disconnect()

    @contextmanager
    def _told_as_ours(self) -> Iterator[None]:
        """Tell DuckDB's errors that a user can mend as our own."""
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            raise ConfigError(
                f"the engine ran out of memory: {str(error).splitlines()[0]}",
                where="$.engine.memory_limit",
                fix="raise engine.memory_limit, or refresh fewer days at once with --through",
                code=Code.OUT_OF_MEMORY,
            ) from error
        except (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException) as error:
            named = re.findall(r"[^\s\"']+\.parquet", str(error))
            table = next((self._table_of[name] for name in named if name in self._table_of), None)
            if table is not None:
                raise _damaged(table, error) from error
            if not named:
                raise
            raise _unreadable(named, error) from error
        except duckdb.Error as error:
            if type(error) is not duckdb.Error:
                raise
            # No class of its own: what the decoder of damaged Parquet pages raises. It names no file.
            raise SourceError(
                f"a Parquet file cannot be read: {str(error).splitlines()[0]}",
                fix="look which file is damaged, and export it again or move it away",
                code=Code.SOURCE_UNREADABLE,
            ) from error

    def _fresh_name(self) -> str:
        self._num_tables += 1
        return f"materialised_{self._num_tables}"


def _damaged(table: str, error: Exception) -> StoreError:
    return StoreError(
        f"the table {table} cannot be read: {str(error).splitlines()[0]}",
        where=f"SHOP/lake/{table}",
        fix=f"put its files back from a copy, or move SHOP/lake/{table} away and run `endcap refresh SHOP`",
        code=Code.TABLE_DAMAGED,
    )


def _unreadable(paths: Sequence[str], error: Exception) -> SourceError:
    first_line = str(error).splitlines()[0]
    named = [Path(path).name for path in paths if path in str(error)]
    return SourceError(
        f"a Parquet file cannot be read: {first_line}",
        where=named[0] if named else f"{len(paths)} files from {Path(paths[0]).name}",
        fix="export the file again, or move it out of the source folder",
        code=Code.SOURCE_UNREADABLE,
    )
