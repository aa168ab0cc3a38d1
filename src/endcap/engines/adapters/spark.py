"""Spark as the engine: the same expressions, computed on this machine, on a standalone cluster or by Spark Connect.

The executors read and write files: the shop's folder must lie under one path for all of them.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.operations as ops
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import functions as F  # noqa: N812 - as everybody names it

from endcap.core.contract import Kind, Table
from endcap.core.errors import Code, ConfigError, EndcapError, EngineError, SourceError, StoreError
from endcap.engines.adapters.spark_dialect import SparkDialect
from endcap.engines.adapters.spark_session import first_line, open_session
from endcap.engines.adapters.spark_workers import WorkersWatch
from endcap.engines.contracts import read_under_contract
from endcap.engines.port import empty_table

__all__ = ["SparkEngine"]


class SparkEngine:
    """The engine port on a Spark session.

    What is materialised lies as Parquet below `scratch`, not in the executors' memory: the plan of what follows stays
    short, and a lost worker costs its tasks alone.

    Args:
        master: local[*], spark://HOST:PORT or sc://HOST:PORT.
        memory_limit: Memory of the driver and of each executor ("4GB").
        threads: Threads or cores at most; 0 takes all.
        scratch: Folder of this engine, seen by the executors; made here, removed by `close`.
    """

    name = "spark"

    def __init__(self, *, master: str, memory_limit: str, threads: int, scratch: Path) -> None:
        # Readers stand there with raw ids; on a cluster the workers must get in, whoever they run as.
        scratch.mkdir(mode=0o700 if master.startswith("local") else 0o777, parents=True, exist_ok=True)
        self._scratch = scratch.resolve()
        self._session = open_session(master, memory_limit=memory_limit, threads=threads, scratch=self._scratch)
        self._watch = WorkersWatch(self._session) if master.startswith("spark://") else None
        self._con = ibis.pyspark.connect(session=self._session)
        self._con.compiler = SparkDialect()
        self._num_tables = 0
        self._table_of: dict[str, str] = {}  # file of a snapshot -> its table, to say which one is damaged

    def read_parquet(self, paths: Sequence[str]) -> ibis.Table:
        """Read Parquet files as one table; see the port."""
        with self._told_as_ours():
            found = self._session.read.option("mergeSchema", "true").parquet(*_local(paths))
            place = {"_file": F.col("_metadata.file_name"), "_row": F.col("_metadata.row_index")}
            return self._as_table(found.select("*", *(column.alias(name) for name, column in place.items())))

    def read_arrow(self, table: pa.Table) -> ibis.Table:
        """Take an Arrow table in, by a file of the scratch folder; see the port."""
        name = self._fresh_name()
        pq.write_table(_for_spark(table), self._scratch / f"{name}.parquet", compression="zstd")
        with self._told_as_ours():
            return self._as_table(self._session.read.parquet(f"file://{self._scratch}/{name}.parquet"), name)

    def read_snapshot(self, files: Sequence[str], table: Table) -> ibis.Table:
        """Read exactly the files of a snapshot; the partition's value is told by their folders."""
        if not files:
            return self.read_arrow(empty_table(table))
        self._table_of.update({Path(name).name: table.name for name in files})
        with self._told_as_ours():
            # No basePath: Spark refuses folders that are no whole partitions of one table.
            reader = self._session.read.option("mergeSchema", "true").option("recursiveFileLookup", "true")
            found = reader.parquet(*_local(files))
            if table.partition and table.partition not in found.columns:
                told = F.regexp_extract(F.col("_metadata.file_path"), f"/{table.partition}=([^/]*)/", 1)
                found = found.withColumn(table.partition, F.url_decode(told))
            return read_under_contract(self._as_table(found), table)

    def materialise(self, expression: ibis.Table) -> ibis.Table:
        """Compute an expression once, into files of the scratch folder; see the port."""
        name = self._fresh_name()
        with self._told_as_ours():
            computed = self._computed(expression)
            place = f"file://{self._scratch}/{name}"
            computed.write.mode("error").parquet(place)
            return self._as_table(self._session.read.schema(computed.schema).parquet(place), name)

    def drop(self, materialised: ibis.Table) -> None:
        """Let go of the rows of a materialised table."""
        name = materialised.op().name
        self._session.catalog.dropTempView(name)
        shutil.rmtree(self._scratch / name, ignore_errors=True)
        (self._scratch / f"{name}.parquet").unlink(missing_ok=True)

    def to_arrow(self, expression: ibis.Table) -> pa.Table:
        """Compute an expression into an Arrow table in memory."""
        with self._told_as_ours():
            return self._computed(expression).toArrow().cast(expression.schema().to_pyarrow(), safe=False)

    def stream(self, expression: ibis.Table) -> pa.RecordBatchReader:
        """Compute an expression as a stream of Arrow batches, by files of the scratch folder that go when it is closed.

        Executors write them, so that neither the driver nor a worker's Python holds the rows.
        """
        name, schema = self._fresh_name(), expression.schema().to_pyarrow()
        with self._told_as_ours():
            self._computed(expression).write.mode("error").parquet(f"file://{self._scratch}/{name}")
        return pa.RecordBatchReader.from_batches(schema, self._rows_of(self._scratch / name, schema))

    def write_files(self, expression: ibis.Table, table: Table, folder: str) -> None:
        """Have the executors write the files of a table; see the port.

        What Spark adds to them goes: it is no data, and would be taken for what a dead attempt has left.
        """
        with self._told_as_ours():
            writer = self._computed(expression).write.mode("error")
            writer = writer.partitionBy(table.partition) if table.partition else writer
            writer.parquet(f"file://{Path(folder).resolve()}")
        for path in [*Path(folder).rglob("_SUCCESS"), *Path(folder).rglob(".*.crc")]:
            path.unlink()

    def _rows_of(self, folder: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a folder in the order of its files, which Spark numbers in the order of its partitions."""
        try:
            for path in sorted(folder.glob("part-*.parquet")):
                with pq.ParquetFile(path) as opened:
                    for batch in opened.iter_batches():
                        yield from pa.Table.from_batches([batch]).cast(schema, safe=False).to_batches()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def partition_digests(self, materialised: ibis.Table, table: Table) -> dict[str, dict[str, Any]]:
        """Digest the content of each partition; see the port.

        The digest is the sum of the rows' hashes. It compares runs of Spark alone.
        """
        rows = self._session.table(materialised.op().name)
        hashed = [part for column in table.columns for part in _hashable(column.name, column.kind)]
        partition = F.col(table.partition) if table.partition else F.lit("")
        one, other = F.xxhash64(*hashed), F.xxhash64(F.lit(1), *hashed)
        summed = F.sum(one.cast("decimal(38,0)")).alias("total")
        counted = rows.groupBy(partition.alias("p")).agg(
            F.count("*").alias("num"), summed, F.bit_xor(other).alias("crossed")
        )
        with self._told_as_ours():
            found = sorted(counted.toArrow().to_pylist(), key=lambda row: row["p"])
        return {
            row["p"]: {
                "rows": row["num"],
                "digest": f"{int(row['total']) % 2**64:016x}{row['crossed'] % 2**64:016x}",
            }
            for row in found
        }

    def close(self) -> None:
        """Free all that the engine holds."""
        if self._watch:
            self._watch.close()
        self._session.stop()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _computed(self, expression: ibis.Table) -> Any:
        for each in expression.op().find(ops.Project):
            unnested = [value for value in each.values.values() if value.find(ops.Unnest, filter=ops.Value)]
            assert len(unnested) < 2, "lists beside each other become every pair: zip them first"
        return self._session.sql(self._con.compile(expression))

    def _as_table(self, found: Any, name: str = "") -> ibis.Table:
        name = name or self._fresh_name()
        found.createOrReplaceTempView(name)
        return self._con.table(name)

    def _fresh_name(self) -> str:
        self._num_tables += 1
        return f"materialised_{self._num_tables}"

    @contextmanager
    def _told_as_ours(self) -> Iterator[None]:
        """Tell Spark's errors that a user can mend as our own."""
        try:
            yield
        except EndcapError:
            raise
        except Exception as error:
            if self._watch and self._watch.has_given_up:
                raise _lost("all its workers", "none of them has come back") from error
            told = _told(error, self._table_of)
            if told is None:
                raise
            raise told from error


def _local(paths: Sequence[str]) -> list[str]:
    """Return paths as URLs: a cluster may take a bare path for one of its own file system."""
    return [path if "://" in path else f"file://{Path(path).resolve()}" for path in paths]


def _for_spark(table: pa.Table) -> pa.Table:
    """Return a table whose types Spark reads: no columns of nothing, no nanoseconds."""
    fields = []
    for field in table.schema:
        kind = field.type
        if pa.types.is_null(kind):
            kind = pa.string()
        elif pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", kind.tz)
        fields.append(pa.field(field.name, kind))
    return table.cast(pa.schema(fields), safe=False)


def _hashable(name: str, kind: Kind) -> list[Any]:
    """Return what of a column is hashed: Spark's hash passes over nulls, so that they are there is hashed too."""
    column = F.col(f"`{name}`")
    is_list = kind in (Kind.STRINGS, Kind.INT64S, Kind.FLOAT64S)
    return [column.isNull(), column, *([F.size(column)] if is_list else [])]


_GONE = (
    r"ExecutorLostFailure|Connection refused|SparkContext was shut down|SparkContext has been shut|stopped SparkContext"
    r"|Master removed our application|All masters are unresponsive|Answer from Java side is empty|Py4JNetworkError"
    r"|StatusCode.UNAVAILABLE"
)


def _lost(who: str, what: str) -> EngineError:
    return EngineError(
        f"Spark lost {who}, and gave the work up: {what}",
        where="$.engine.master",
        fix="run the command again when the cluster is whole; what is done is kept",
        code=Code.ENGINE_FAILED,
    )


def _told(error: Exception, table_of: dict[str, str]) -> EndcapError | None:
    """Return our error for one of Spark's that a user can mend, else None."""
    text = str(error)
    first = first_line(text) or type(error).__name__
    if "OutOfMemoryError" in text or "Java heap space" in text:
        return ConfigError(
            f"the engine ran out of memory: {first}",
            where="$.engine.memory_limit",
            fix="raise engine.memory_limit, or refresh fewer days at once with --through",
            code=Code.OUT_OF_MEMORY,
        )
    if re.search(_GONE, text):
        return _lost("a worker, its master or its own Java", first)
    named = [Path(each).name for each in re.findall(r"/[^\s\"']+\.parquet", text)]
    table = next((table_of[name] for name in named if name in table_of), None)
    if table is not None:
        return StoreError(
            f"the table {table} cannot be read: {first}",
            where=f"SHOP/lake/{table}",
            fix=f"put its files back from a copy, or move SHOP/lake/{table} away and run `endcap refresh SHOP`",
            code=Code.TABLE_DAMAGED,
        )
    if named:
        return SourceError(
            f"a Parquet file cannot be read: {first}",
            where=named[0],
            fix="export the file again, or move it out of the source folder",
            code=Code.SOURCE_UNREADABLE,
        )
    return None
