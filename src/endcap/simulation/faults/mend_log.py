"""Mend a faulty drop: undo each fault by the record, so that the clean log comes out, table for table."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from endcap.simulation.faults.record import CleanFile, Record, made_whole, read_record
from endcap.simulation.faults.schema_change import restore_names

__all__ = ["mend_log"]

_ROW = pa.field("_origin_row", pa.int64())


def mend_log(faulty: Path, record: Path, out: Path) -> None:
    """Write the clean log; a few days of it are in memory at a time.

    Args:
        faulty: What `break_log` wrote.
        record: Its record; the files of a missing day come from it.
        out: Folder that does not exist yet or is empty.

    Raises:
        UsageError: There is something in `out` already.
    """
    told = read_record(record)
    waiting: dict[str, list[pa.Table]] = {file.name: [] for file in told.files}
    num_rows = {file.name: file.num_rows for file in told.files}
    with made_whole(out) as new:
        for file in told.files:
            for origin, rows in _by_origin(faulty, record, told, file).items():
                waiting[origin].append(rows)
            for origin in [name for name, parts in waiting.items() if sum(map(len, parts)) == num_rows[name]]:
                pq.write_table(_mended(waiting.pop(origin), record, origin), new / origin, compression="zstd")
        assert not waiting


def _by_origin(faulty: Path, record: Path, told: Record, file: CleanFile) -> dict[str, pa.Table]:
    """Return the rows of a faulty file that are neither copies nor garbage, under their old names, by clean file."""
    folder = record / "undelivered" if file.day == told.faults.missing_day else faulty
    trace, rows = pq.read_table(record / "rows" / file.name), pq.read_table(folder / file.name)
    if told.faults.schema_change and file.day >= told.faults.schema_change:
        rows = restore_names(rows)
    rows = rows.append_column(_ROW, trace.column(_ROW.name))
    is_own = pc.is_in(trace.column("_fault"), pa.array(["", "late"]))
    origins = pc.unique(trace.column("_origin_file").filter(is_own)).to_pylist()
    return {each: rows.filter(pc.and_(is_own, pc.equal(trace.column("_origin_file"), each))) for each in origins}


def _mended(parts: list[pa.Table], record: Path, name: str) -> pa.Table:
    """Put the rows of a clean file in order, in its schema, and the changed ones back to what they were."""
    originals = pq.read_table(record / "originals" / name)
    changed = np.unique(pq.read_table(record / "changes" / name, columns=["row"]).column("row"))
    loose = pa.schema([each.with_nullable(nullable=True) for each in originals.schema])
    traced = loose.append(_ROW)
    rows = pa.concat_tables([traced.empty_table(), *[part.select(traced.names).cast(traced) for part in parts]])
    rows = rows.sort_by(_ROW.name).drop_columns(_ROW.name)
    source = np.arange(len(rows))
    source[changed] = len(rows) + np.arange(len(changed))
    whole = pa.concat_tables([rows, pa.table(originals.columns, schema=loose)]).take(source)
    return pa.table(whole.columns, schema=originals.schema)
