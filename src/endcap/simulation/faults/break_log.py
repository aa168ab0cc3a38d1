"""Break a clean log: the faulty drop of a shop, and a record by which `mend_log` undoes each fault.

Per file: its values are broken, its rows are sent to the files in which they are delivered (late, twice), and once all
that is delivered in a file is there, it gets the new schema, garbage and another order. Each fault draws from a stream
of its own over the clean rows, so that one more fault changes nothing that another did to them.
Shapes: E events of a clean file.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from endcap.core.errors import Code, UsageError
from endcap.simulation.faults.choice import FAULTS, Faults
from endcap.simulation.faults.record import (
    CHANGES,
    TRACE,
    CleanFile,
    Purpose,
    Record,
    made_whole,
    stream,
    write_record,
)
from endcap.simulation.faults.schema_change import RENAMED, change_schema
from endcap.simulation.faults.values import make_garbage, miss_fields, skew_clocks

__all__ = ["break_log"]

_MOST_DAYS_LATE = 3
_P_NEXT_DAY = 0.2  # a copy mostly follows at once (a client sends again), at times with the next day's export

Int64 = NDArray[np.int64]


@dataclass
class _Breaking:
    """A log on its way: `waiting` holds, by number of the file, the rows that are to be delivered in it."""

    faults: Faults
    seed: int
    files: list[CleanFile]
    faulty: Path
    record: Path
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAULTS, 0))
    waiting: dict[int, list[pa.Table]] = field(default_factory=lambda: defaultdict(list))


def break_log(clean: Path, faulty: Path, record: Path, *, faults: Faults, seed: int) -> dict[str, int]:
    """Write the faulty drop of a clean log; a few days of it are in memory at a time.

    Args:
        clean: Folder of the clean log, one or several `events_YYYYMMDD*.parquet` a UTC day.
        faulty: Folder that does not exist yet or is empty; gets files of the same names.
        record: The same, for the record.
        faults: What is to go wrong.
        seed: The same log, faults and seed give the same bytes.

    Returns:
        Fault -> rows that it touched: copies, late events, rows that stand elsewhere, events of clocks that are off,
        events that lack a field, rows of the new schema, rows of garbage, rows that are not delivered.

    Raises:
        UsageError: The clean folder holds no log, or another folder holds something already.
    """
    files = _clean_files(clean)
    assert {faults.schema_change, faults.missing_day} <= {"", *(file.day for file in files)}
    # The record comes first: a faulty drop without one could not be undone.
    with made_whole(faulty) as new_faulty, made_whole(record) as new_record:
        for name in ("rows", "changes", "originals", "undelivered"):
            (new_record / name).mkdir()
        breaking = _Breaking(faults, seed, files, new_faulty, new_record)
        for number, file in enumerate(files):
            table = pq.read_table(clean / file.name)
            _send(breaking, number, _with_values_broken(breaking, file, table))
            rows = _arrived(breaking, number, table)
            _write(rows.select(TRACE.names), new_record / "rows" / file.name)
            _deliver(breaking, file, _tight(rows.drop_columns(TRACE.names), table.schema))
        write_record(new_record, Record(faults, seed, breaking.counts, files))
    return breaking.counts


def _clean_files(clean: Path) -> list[CleanFile]:
    """List the files of the log by day and name."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(clean.glob("events_*.parquet")):
        if day := re.match(r"events_(\d{4})(\d{2})(\d{2})", path.name):
            found[date(*map(int, day.groups())).isoformat()].append(path)
    if not found:
        raise UsageError(
            "the folder holds no log: no file is named events_YYYYMMDD.parquet",
            where=str(clean),
            fix="name the folder of a simulated export",
            code=Code.USAGE,
        )
    return [
        CleanFile(path.name, day, part, pq.read_metadata(path).num_rows)
        for day, paths in sorted(found.items())
        for part, path in enumerate(paths)
    ]


def _with_values_broken(breaking: _Breaking, file: CleanFile, clean: pa.Table) -> pa.Table:
    """Return the rows with the faults of their values, and write what was done and what they were."""
    faults, seed, table, done = breaking.faults, breaking.seed, _loose(clean), [CHANGES.empty_table()]
    # Clocks first: a clock is drawn by its device, which may be missing afterwards.
    if faults.clock_skew:
        table, changes = skew_clocks(table, faults.clock_skew, seed, breaking.files[0].day)
        breaking.counts["clock_skew"] += changes.num_rows
        done.append(changes)
    if faults.missing_fields:
        table, changes = miss_fields(table, faults.missing_fields, stream(seed, Purpose.MISSING_FIELDS, file))
        breaking.counts["missing_fields"] += changes.num_rows
        done.append(changes)
    changes = pa.concat_tables(done).sort_by([("row", "ascending"), ("fault", "ascending")])
    _write(changes, breaking.record / "changes" / file.name)
    _write(clean.take(np.unique(changes.column("row"))), breaking.record / "originals" / file.name)
    return _traced(table, file.name)


def _send(breaking: _Breaking, number: int, rows: pa.Table) -> None:
    """Send the E rows of a file to the files in which they are delivered, and copies of some after them."""
    faults, file = breaking.faults, breaking.files[number]
    firsts = np.array([each for each, known in enumerate(breaking.files) if known.part == 0])
    late, twice = (stream(breaking.seed, purpose, file) for purpose in (Purpose.LATE, Purpose.DUPLICATES))
    is_late = late.random(len(rows)) < faults.late
    days = np.where(is_late, late.integers(1, _MOST_DAYS_LATE + 1, len(rows)), 0)
    is_copied = twice.random(len(rows)) < faults.duplicates
    copy_days = days + (twice.random(len(rows)) < _P_NEXT_DAY)
    delivered, copy_delivered = (_file_after(firsts, number, each) for each in (days, copy_days))
    breaking.counts["late"] += int((delivered != number).sum())
    breaking.counts["duplicates"] += int(is_copied.sum())
    for target in sorted({number, *delivered.tolist(), *copy_delivered.tolist()}):
        sent, copies = rows.filter(delivered == target), rows.filter(is_copied & (copy_delivered == target))
        breaking.waiting[target] += [sent if target == number else _marked(sent, "late"), _marked(copies, "duplicates")]


def _file_after(firsts: Int64, number: int, days: Int64) -> Int64:
    """Return the file, the first of its day, that is delivered some days after a file; on the last day at latest.

    Args:
        firsts: Number of the first file of each day that has files.
        number: Of the file.
        days: E counts of such days; where it is none, and after the last, the file is the same.
    """
    own_day = np.searchsorted(firsts, number, side="right") - 1
    day = np.minimum(own_day + days, len(firsts) - 1)
    return np.where(day == own_day, number, firsts[day])


def _arrived(breaking: _Breaking, number: int, clean: pa.Table) -> pa.Table:
    """Return all rows of a file as they are delivered: in the schema of its day, with garbage, in their order."""
    faults, file, counts = breaking.faults, breaking.files[number], breaking.counts
    rows, donors = pa.concat_tables(breaking.waiting.pop(number)), _traced(_loose(clean), file.name)
    if faults.schema_change and file.day >= faults.schema_change:
        rows, donors = change_schema(rows), change_schema(donors)
        counts["schema_change"] += len(rows)
    if faults.malformed:
        rng = stream(breaking.seed, Purpose.MALFORMED, file)
        garbage, kinds = make_garbage(donors, rng.binomial(file.num_rows, faults.malformed), rng)
        counts["malformed"] += len(garbage)
        rows = pa.concat_tables([rows, _marked(garbage, "malformed", kinds)])
    if faults.out_of_order:
        order = stream(breaking.seed, Purpose.OUT_OF_ORDER, file).permutation(len(rows))
        counts["out_of_order"] += int((order != np.arange(len(rows))).sum())
        rows = rows.take(order)
    return rows


def _deliver(breaking: _Breaking, file: CleanFile, rows: pa.Table) -> None:
    """Write a faulty file: into the drop, or into the record if its day is missing."""
    is_missing = file.day == breaking.faults.missing_day
    breaking.counts["missing_day"] += len(rows) if is_missing else 0
    folder = breaking.record / "undelivered" if is_missing else breaking.faulty
    _write(rows, folder / file.name)


def _traced(table: pa.Table, file_name: str) -> pa.Table:
    """Add the columns of TRACE to the rows of a clean file."""
    nothing = pa.repeat("", len(table))
    columns = (pa.repeat(file_name, len(table)), pa.array(np.arange(len(table))), nothing, nothing)
    for trace, column in zip(TRACE, columns, strict=True):
        table = table.append_column(trace, column)
    return table


def _marked(rows: pa.Table, fault: str, what: list[str] | None = None) -> pa.Table:
    """Name the fault that puts rows where they are."""
    told = pa.repeat("", len(rows)) if what is None else pa.array(what, pa.string())
    for name, column in (("_fault", pa.repeat(fault, len(rows))), ("_what", told)):
        rows = rows.set_column(rows.schema.get_field_index(name), TRACE.field(name), column)
    return rows


def _loose(table: pa.Table) -> pa.Table:
    """Let every column be missing, as faults may null any of them."""
    return pa.table(table.columns, schema=pa.schema([each.with_nullable(nullable=True) for each in table.schema]))


def _tight(rows: pa.Table, clean: pa.Schema) -> pa.Table:
    """Require again what the clean log requires, where no fault has left a value out."""
    required = {name for each in clean if not each.nullable for name in (each.name, RENAMED.get(each.name))}
    columns = zip(rows.schema, rows.columns, strict=True)
    fields = [
        each.with_nullable(nullable=column.null_count > 0 or each.name not in required) for each, column in columns
    ]
    return pa.table(rows.columns, schema=pa.schema(fields))


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")
