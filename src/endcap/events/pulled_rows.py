"""Rows of a database, pulled into Parquet files that never change; the files themselves tell what has been pulled.

A pull reads from the latest watermark that it has, less the overlap, and leaves out the rows that are in its files
already. So it may be killed at any moment, and run twice it writes nothing.
"""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from endcap.core.clock import microseconds_of
from endcap.core.errors import Code, SourceError
from endcap.events.place_config import DatabaseSource
from endcap.events.row_values import as_arrow, row_digest
from endcap.stores.query import Query, Watermark

__all__ = ["PulledFile", "latest_rows", "pull_rows", "pulled_files"]

_NAME = re.compile(r"rows_(\d{8})_(-?\d+)_(-?\d+)\.parquet")
_READ_AT_ONCE = 10_000
_KINDS = {"integer": "integers", "instant": "instants", "wall": "times without a zone"}


@dataclass(frozen=True)
class PulledFile:
    """One file of pulled rows.

    Args:
        path: Where it lies.
        number: Its place among the files, from 1.
        low: The least watermark in it; of a timestamp the microseconds since 1970.
        high: The greatest one.
    """

    path: Path
    number: int
    low: int
    high: int


def pulled_files(folder: Path) -> list[PulledFile]:
    """Return the files of a pull, ascending by number.

    Raises:
        SourceError: One of them is gone, or there twice (SOURCE_MISSING): its rows would not be pulled again.
    """
    found = [(path, match) for path in folder.glob("rows_*.parquet") if (match := _NAME.fullmatch(path.name))]
    files = sorted((PulledFile(path, *map(int, match.groups())) for path, match in found), key=lambda each: each.number)
    for number, file in enumerate(files, start=1):
        if file.number != number:
            raise SourceError(
                f"of the {files[-1].number:,} files that were pulled, number {min(number, file.number):,} is "
                f"{'gone' if file.number > number else 'there twice'}",
                where=str(folder),
                fix="put it back as it was; or move the folder away, and the next refresh pulls all rows again",
                code=Code.SOURCE_MISSING,
            )
    return files


def latest_rows(query: Query, settings: DatabaseSource) -> dict[str, str]:
    """Return what tells whether there is something new: the latest watermark, and how many rows the overlap holds."""
    latest = query.latest()
    if latest is None:
        return {"latest": ""}
    return {"latest": str(latest), "rows": str(query.num_rows(_below(latest, settings.overlap)))}


def pull_rows(query: Query, folder: Path, settings: DatabaseSource, *, scratch: Path) -> int:
    """Pull the rows that are not in the folder's files yet into new files; return how many they were.

    Args:
        query: The open query.
        folder: Of the pulled files; made if it is not there.
        settings: `[events.database]`.
        scratch: Folder on the same disk, in which a file is written before it is moved to its place.

    Raises:
        SourceError: Rows have no watermark, the column is another one than it was or has gone back (SOURCE_WATERMARK);
            there are no rows at all, or files are gone (SOURCE_MISSING); or the database fails, see the port.
    """
    files = pulled_files(folder)
    latest = query.latest()
    _refuse_unmarked(query, settings)
    if latest is None:
        if not files:
            raise _no_rows(settings)
        return 0
    start = _start(files, latest, settings) if files else None
    writing = _Writing(folder, scratch, settings.watermark, len(files), _types(files))
    known: _Known | None = None
    waiting: list[Sequence[Any]] = []
    columns: tuple[str, ...] = ()
    for part in query.read(start, num_rows=min(settings.file_rows, _READ_AT_ONCE)):
        columns = part.columns
        known = known or _known(files, start, settings.watermark, columns)
        waiting += [row for row in part.rows if not known.cross_off(row)]
        while len(waiting) >= settings.file_rows:
            writing.write(columns, waiting[: settings.file_rows])
            waiting = waiting[settings.file_rows :]
    if waiting:
        writing.write(columns, waiting)
    return writing.num_rows


@dataclass(frozen=True)
class _Known:
    """The rows that were pulled already, each by the columns that its file and the query both have.

    Args:
        places: Names of these columns -> where they stand in a row of the query.
        counts: The same names -> how often each row is there, by its digest.
    """

    places: dict[tuple[str, ...], list[int]]
    counts: dict[tuple[str, ...], Counter[bytes]]

    def cross_off(self, row: Sequence[Any]) -> bool:
        """Return whether a row is there, and count it no more: of two equal rows both are pulled."""
        for names, places in self.places.items():
            digest = row_digest(names, [row[place] for place in places])
            if self.counts[names][digest] > 0:
                self.counts[names][digest] -= 1
                return True
        return False


def _known(files: Sequence[PulledFile], start: Watermark | None, watermark: str, columns: Sequence[str]) -> _Known:
    """Return the pulled rows from a watermark on."""
    known = _Known({}, {})
    for file in files:
        if start is None or file.high < _number(start):
            continue
        here = pq.read_schema(file.path).names
        names = tuple(name for name in columns if name in here)
        table = pq.read_table(file.path, columns=list(names))
        table = table.filter(pc.greater_equal(table[watermark], pa.scalar(start, table[watermark].type)))
        rows = zip(*[table[name].to_pylist() for name in names], strict=True)
        known.places[names] = [columns.index(name) for name in names]
        known.counts.setdefault(names, Counter()).update(row_digest(names, row) for row in rows)
    return known


@dataclass
class _Writing:
    """Writes files one after the other.

    Args:
        folder: Where they go.
        scratch: Where they are written.
        watermark: The column that grows.
        num_files: How many there are.
        types: The type that each column had last.
        num_rows: How many rows were written.
    """

    folder: Path
    scratch: Path
    watermark: str
    num_files: int
    types: dict[str, pa.DataType]
    num_rows: int = 0

    def write(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write the next file: it has its name only when it is whole."""
        table = as_arrow(columns, rows, self.types)
        marks = [row[columns.index(self.watermark)] for row in rows]
        table = table.replace_schema_metadata({"watermark": self.watermark, "kind": _kind(marks[0])})
        ends = [_number(mark) for mark in (min(marks), max(marks))]
        self.num_files += 1
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"rows_{self.num_files:08}_{ends[0]}_{ends[1]}.parquet"
        beside = self.scratch / name
        with beside.open("wb") as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.folder / name)
        self.types.update(zip(table.schema.names, table.schema.types, strict=True))
        self.num_rows += len(rows)


def _types(files: Sequence[PulledFile]) -> dict[str, pa.DataType]:
    schema = pq.read_schema(files[-1].path) if files else pa.schema([])
    return dict(zip(schema.names, schema.types, strict=True))


def _start(files: Sequence[PulledFile], latest: Watermark, settings: DatabaseSource) -> Watermark:
    """Return the watermark from which on rows are read: the latest pulled one less the overlap."""
    told: Mapping[bytes, bytes] = pq.read_schema(files[-1].path).metadata or {}
    name, kind = told.get(b"watermark", b"").decode(), told.get(b"kind", b"").decode()
    high = max(file.high for file in files)
    if (name, kind) != (settings.watermark, _kind(latest)):
        raise _other_watermark(
            f"rows were pulled by the watermark {name!r} ({_KINDS.get(kind, kind)}), which is now "
            f"{settings.watermark!r} ({_KINDS[_kind(latest)]})",
            files[-1].path.parent,
        )
    start = _below(_value(high, kind), settings.overlap)
    if _number(latest) < _number(start):
        raise _other_watermark(
            f"the latest watermark {settings.watermark!r} is {latest}, and rows through {_value(high, kind)} were "
            f"pulled: it has gone back by more than the overlap of {settings.overlap:,}",
            files[-1].path.parent,
        )
    return start


def _kind(watermark: Watermark) -> str:
    return "integer" if isinstance(watermark, int) else "instant" if watermark.tzinfo else "wall"


def _number(watermark: Watermark) -> int:
    return watermark if isinstance(watermark, int) else microseconds_of(watermark)


def _value(number: int, kind: str) -> Watermark:
    if kind == "integer":
        return number
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number)
    return instant if kind == "instant" else instant.replace(tzinfo=None)


def _below(watermark: Watermark, overlap: int) -> Watermark:
    if isinstance(watermark, int):
        return watermark - overlap
    first = datetime(1, 1, 1, tzinfo=watermark.tzinfo)
    return max(first, watermark - timedelta(seconds=min(overlap, (watermark - first).total_seconds())))


def _refuse_unmarked(query: Query, settings: DatabaseSource) -> None:
    if num := query.num_unmarked():
        raise SourceError(
            f"{num:,} rows of the query have no watermark {settings.watermark!r}: they would never be pulled",
            where="events.database.watermark",
            fix="name a column that is never missing, or leave those rows out in the SELECT (WHERE ... IS NOT NULL)",
            code=Code.SOURCE_WATERMARK,
        )


def _other_watermark(what: str, folder: Path) -> SourceError:
    return SourceError(
        what,
        where=f"events.database.watermark, and {folder}",
        fix="put the setting back; or, if the table was made anew, move that folder away, and the next refresh pulls "
        "all rows again (if rows were only deleted, set events.database.overlap so high that it reaches back)",
        code=Code.SOURCE_WATERMARK,
    )


def _no_rows(settings: DatabaseSource) -> SourceError:
    what = "the table" if settings.is_table else "the query"
    return SourceError(
        f"{what} has no rows",
        where="events.database.query",
        fix="correct events.database.query, or fill the table first",
        code=Code.SOURCE_MISSING,
    )
