"""In which format a world's log is written: a GA4 export, or the same events as others would hand them over."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa

from endcap.simulation.files import whole_file, write_parquet
from endcap.simulation.flat import write_csv, write_interactions
from endcap.simulation.segment import write_segment
from endcap.simulation.snowplow import write_snowplow
from endcap.simulation.vertex import write_vertex

__all__ = ["FORMATS", "Format", "write_events"]

Format = Literal["ga4", "ga4-json", "segment", "snowplow", "vertex", "csv", "personalize"]
FORMATS: tuple[Format, ...] = ("ga4", "ga4-json", "segment", "snowplow", "vertex", "csv", "personalize")


def write_events(stem: Path, tables: Sequence[pa.Table], form: Format) -> None:
    """Write a day's events.

    Args:
        stem: The file without its ending.
        tables: GA4 rows, one table after the other.
        form: The format. Snowplow, Vertex and Personalize have no words for some events, which are left out.
    """
    if form == "ga4":
        write_parquet(stem.with_suffix(".parquet"), tables)
    else:
        ending, write = _WRITERS[form]
        write(stem.with_suffix(ending), pa.concat_tables(tables))


def _write_lines(path: Path, table: pa.Table) -> None:
    """Write rows as BigQuery exports them to JSON: whole numbers as text, nothing for what is missing."""
    encoder = msgspec.json.Encoder()
    with whole_file(path) as part, part.open("wb") as file:
        for row in table.to_pylist():
            file.write(encoder.encode(_as_bigquery(row)) + b"\n")


def _as_bigquery(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_bigquery(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_as_bigquery(each) for each in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_WRITERS: dict[str, tuple[str, Callable[[Path, pa.Table], None]]] = {
    "ga4-json": (".jsonl", _write_lines),
    "segment": (".jsonl", write_segment),
    "snowplow": (".jsonl", write_snowplow),
    "vertex": (".jsonl", write_vertex),
    "csv": (".csv", write_csv),
    "personalize": (".csv", write_interactions),
}
