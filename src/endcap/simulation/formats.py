"""In which format a world's log is written: a GA4 export, or the same events as others would hand them over."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa

from endcap.simulation.files import write_parquet
from endcap.simulation.flat import write_csv
from endcap.simulation.segment import write_segment

__all__ = ["FORMATS", "Format", "write_events"]

Format = Literal["ga4", "segment", "csv"]
FORMATS: tuple[Format, ...] = ("ga4", "segment", "csv")


def write_events(stem: Path, tables: Sequence[pa.Table], form: Format) -> None:
    """Write a day's events.

    Args:
        stem: The file without its ending.
        tables: GA4 rows, one table after the other.
        form: The format.
    """
    if form == "ga4":
        write_parquet(stem.with_suffix(".parquet"), tables)
    elif form == "segment":
        write_segment(stem.with_suffix(".jsonl"), pa.concat_tables(tables))
    else:
        write_csv(stem.with_suffix(".csv"), pa.concat_tables(tables))
