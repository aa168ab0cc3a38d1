"""Which reader a source has: how its text files are opened, where its instants are, and what it reads into."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from endcap.core.errors import Code, SourceError
from endcap.events.config import EventsConfig
from endcap.events.reader_config import Ga4Reader, MappedReader, SegmentReader, SnowplowReader, VertexReader
from endcap.events.reading import Reading
from endcap.events.source_schema import (
    SCALAR,
    column_at_fault,
    columns_of_parquet,
    under_names,
)
from endcap.events.sources.ga4 import (
    GA4_COLUMNS,
    GA4_NEEDED,
    GA4_TYPES,
    ga4_instant_us,
    read_ga4,
    under_ga4_names,
)
from endcap.events.sources.ga4_lines import open_ga4_lines
from endcap.events.sources.landing import open_landing, read_landing
from endcap.events.sources.lines import has_header, header_of, plain_name, read_csv, read_json_lines
from endcap.events.sources.mapped import mapped_columns, mapped_instant_us, read_mapped
from endcap.events.sources.segment import segment_objects, tell_segment
from endcap.events.sources.snowplow import snowplow_objects, tell_snowplow
from endcap.events.sources.told import open_told, read_told, told_instant_us
from endcap.events.sources.vertex import tell_vertex

__all__ = ["LANDING", "SourceReader", "parquet_schema", "reader_of"]

LANDING = "landing"
_JSON_LINES = (".jsonl", ".ndjson", ".json")

Read = Callable[[ibis.Table, Mapping[str, int], Any], Reading]


@dataclass(frozen=True)
class SourceReader:
    """How one kind of source is read.

    Args:
        open_text: Reads a file that is no Parquet into a table with `_file`, `_row` and `_fault`.
        needed: Columns without which it is no such source.
        instant_us: The instants of raw rows, microseconds UTC.
        read: Reads raw rows, the numbers of their files and the days of these into the common shape.
        named: Gives the raw columns the names that the reader knows them by.
        claims_day: Whether a file claims the day that its name tells: then it must hold an event.
        open_times: Reads of such a file what the instants need; None for all of it.
        time: Column of the instant, under the reader's name.
        needs: Paths of columns without which a file cannot be read; of several together one is enough.
        types: Path of a column -> what it must be, where it is there (`source_schema`).
        names: The reader's name of a column -> the file's own.
        is_flat: Whether text files of it have a header.
    """

    open_text: Callable[[Path], pa.Table]
    needed: Sequence[str]
    instant_us: Callable[[ibis.Table], Any]
    read: Read
    named: Callable[[ibis.Table], ibis.Table] = lambda raw: raw
    claims_day: bool = False
    open_times: Callable[[Path], pa.Table] | None = None
    time: str = ""
    needs: Sequence[str | tuple[str, ...]] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    is_flat: bool = False

    def columns_of(self, path: Path) -> dict[str, str]:
        """Return the columns of a file, empty where each of its lines tells its own."""
        if path.suffix == ".parquet":
            return columns_of_parquet(parquet_schema(path))
        return dict.fromkeys(header_of(path), "string") if self.is_flat and has_header(path) else {}

    def fault_of(self, columns: Mapping[str, str]) -> str:
        """Return the first column for which a file of these columns cannot be read, "" if it can."""
        if not columns:
            return ""
        return column_at_fault(under_names(columns, self.names), needed=self.needs, wanted=self.types)


def reader_of(source: str, config: EventsConfig) -> SourceReader:
    """Return the reader of a source.

    Args:
        source: `landing`, or the kind of the shop's reader.
        config: `[events]`.
    """
    if source == LANDING:
        read = partial(_read_landing, currency=config.default_currency)
        return SourceReader(open_landing, (), lambda raw: raw.at_us, read)
    match config.reader:
        case Ga4Reader() as ga4:
            return SourceReader(
                open_text=lambda path: open_ga4_lines(path, ga4.columns),
                needed=GA4_COLUMNS,
                instant_us=ga4_instant_us,
                read=lambda raw, numbers, day: read_ga4(raw, ga4, numbers, day),
                named=lambda raw: under_ga4_names(raw, ga4),
                claims_day=True,
                time="event_timestamp",
                needs=GA4_NEEDED,
                types=GA4_TYPES,
                names=ga4.columns,
            )
        case MappedReader() as mapped:
            needed = mapped_columns(mapped)
            return SourceReader(
                open_text=_open_flat,
                needed=needed,
                instant_us=lambda raw: mapped_instant_us(raw, mapped),
                read=lambda raw, numbers, day: read_mapped(raw, mapped, numbers, day),
                time=mapped.time,
                needs=needed,
                types=dict.fromkeys(needed, SCALAR),
                is_flat=True,
            )
        case SegmentReader():
            return _told_by(partial(open_told, tell=tell_segment, objects=segment_objects))
        case VertexReader():
            return _told_by(partial(open_told, tell=tell_vertex))
        case SnowplowReader():
            return _told_by(partial(open_told, tell=tell_snowplow, objects=snowplow_objects))


def parquet_schema(path: Path) -> pa.Schema:
    """Return the schema of a Parquet file.

    Raises:
        SourceError: It cannot be read.
    """
    try:
        return pq.read_schema(path).remove_metadata()
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"the Parquet file cannot be read: {str(error).splitlines()[0]}",
            where=path.name,
            fix="export the file again, or move it out of the source folder",
            code=Code.SOURCE_UNREADABLE,
        ) from error


def _told_by(opened: Callable[..., pa.Table]) -> SourceReader:
    times = partial(opened, times_only=True)
    return SourceReader(opened, (), told_instant_us, read_told, open_times=times)


def _read_landing(raw: ibis.Table, numbers: Mapping[str, int], file_day: Any, *, currency: str | None) -> Reading:
    return read_landing(raw, numbers, file_day, currency)


def _open_flat(path: Path) -> pa.Table:
    return read_json_lines(path) if plain_name(path).endswith(_JSON_LINES) else read_csv(path)
