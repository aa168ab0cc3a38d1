"""A table of many small files: what compaction makes of them, and how long it takes to read them.

Figures: files_before, files_after, rows, compact_s; scan_before_s and scan_after_s (a count over all rows and columns
of people and times), person_before_s and person_after_s (the rows of 20 people), each the median of interleaved
readings; scan_speedup and person_speedup.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.transaction import AddAction

from benchmarks.report import arguments, report
from endcap.core.contract import Column, Kind, Table
from endcap.stores.adapters.delta import DeltaTables

FILES, DAYS, ROWS_A_FILE, READINGS = 5_000, 50, 400, 7
VISITS = Table(
    "visits",
    "a visit",
    (
        Column("date_partition", Kind.STRING, "day"),
        Column("user_key", Kind.STRING, "keyed hash", names_user=True),
        Column("at_us", Kind.INT64, "instant"),
        Column("value", Kind.FLOAT64, "value"),
    ),
    ("user_key", "at_us"),
)


def main() -> int:
    """Write, read, compact, read."""
    options = arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        store = DeltaTables(Path(folder))
        schema, people = write_small_files(Path(folder), FILES // 10 if options.quick else FILES)
        before = store.files(VISITS)
        began = time.perf_counter()
        sorted_rows = (
            duckdb.connect()
            .execute(
                "SELECT date_partition::VARCHAR AS date_partition, user_key, at_us, value "
                "FROM read_parquet($files, hive_partitioning = true) ORDER BY date_partition, user_key, at_us",
                {"files": before},
            )
            .to_arrow_table()
        )
        store.rearrange(VISITS, store.partitions(VISITS), pa.table(sorted_rows).cast(schema).to_reader(), fences=[])
        compact_s = time.perf_counter() - began
        after = store.files(VISITS)
        figures = {"files_before": len(before), "files_after": len(after), "compact_s": round(compact_s, 2)}
        figures["rows"] = scan(after)
        readers: dict[str, Callable[[], int]] = {
            "scan_before_s": lambda: scan(before),
            "scan_after_s": lambda: scan(after),
            "person_before_s": lambda: of_people(before, people),
            "person_after_s": lambda: of_people(after, people),
        }
        figures |= interleaved(readers)
    for name in ("scan", "person"):
        figures[f"{name}_speedup"] = round(figures[f"{name}_before_s"] / figures[f"{name}_after_s"], 2)
    report("compaction", figures, options)
    return 0


def write_small_files(root: Path, num_files: int) -> tuple[pa.Schema, list[str]]:
    """Write small files, in any order of people, in one commit; return the schema and some of the people."""
    draw = np.random.default_rng(17)
    keys = np.array([f"{number:032x}" for number in draw.integers(0, 2**62, 20_000)])
    schema = pa.schema([(column.name, _KINDS[column.kind]) for column in VISITS.columns])
    adds = []
    for number in range(num_files):
        day = f"2026-01-{number % DAYS + 1:02}" if number % DAYS < 31 else f"2026-02-{number % DAYS - 30:02}"
        path = Path(f"date_partition={day}") / f"part-{number}.parquet"
        (root / "visits" / path).parent.mkdir(parents=True, exist_ok=True)
        part = pa.table({"user_key": draw.choice(keys, ROWS_A_FILE), "at_us": draw.integers(0, 10**15, ROWS_A_FILE),
                         "value": draw.random(ROWS_A_FILE)})  # fmt: skip
        pq.write_table(part, root / "visits" / path, compression="zstd")
        size = (root / "visits" / path).stat().st_size
        adds.append(
            AddAction(
                path.as_posix(),
                size,
                {"date_partition": day},
                0,
                data_change=True,
                stats=f'{{"numRecords": {ROWS_A_FILE}}}',
            )
        )
    table = DeltaTable.create(str(root / "visits"), schema, partition_by=["date_partition"])
    table.create_write_transaction([*adds], "append", schema, ["date_partition"])
    return schema, sorted(keys[:20])


_KINDS = {Kind.STRING: pa.string(), Kind.INT64: pa.int64(), Kind.FLOAT64: pa.float64()}


def scan(files: list[str]) -> int:
    """Read people and times of all rows; return the number of rows."""
    told = duckdb.connect().execute(
        "SELECT count(*), max(user_key), sum(at_us) FROM read_parquet($files)", {"files": files}
    )
    return int(told.fetchall()[0][0])


def of_people(files: list[str], people: list[str]) -> int:
    """Read the rows of some people."""
    sql = "SELECT count(*), sum(value) FROM read_parquet($files) WHERE user_key IN (SELECT unnest($people))"
    return int(duckdb.connect().execute(sql, {"files": files, "people": people}).fetchall()[0][0])


def interleaved(readers: dict[str, Callable[[], int]]) -> dict[str, float]:
    """Time each reader in turn, several times over; return medians in seconds."""
    took: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(READINGS):
        for name, read in readers.items():
            began = time.perf_counter()
            read()
            took[name].append(time.perf_counter() - began)
    return {name: round(statistics.median(times), 4) for name, times in took.items()}


if __name__ == "__main__":
    sys.exit(main())
