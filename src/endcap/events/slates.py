"""Slates as the server logged them, `landing/slates/*.jsonl`: one line a slate, one row a place."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import msgspec
import pyarrow as pa

from endcap.core.clock import day_of, next_day
from endcap.core.landed import LandedSlate
from endcap.core.tables import QUARANTINE, SLATES
from endcap.engines.contracts import under_contract
from endcap.engines.port import Engine, arrow_schema
from endcap.events.files import NO_DAY
from endcap.events.sources.lines import FAULT, split_lines

__all__ = ["Slates", "build_slates", "quarantined_under", "read_slates", "slate_files", "slate_files_by_day"]

_MOST = 2**31 - 1  # places are int32


@dataclass(frozen=True)
class Slates:
    """What was read of some segments.

    Args:
        rows: Columns of SLATES, as written: a slate written twice is there twice.
        quarantine: Lines that cannot be read, under the contract QUARANTINE.
    """

    rows: pa.Table
    quarantine: pa.Table


def slate_files(folder: Path) -> list[Path]:
    """List the complete segments (one being written ends in `.open`), ascending; none if there is no folder."""
    return sorted(folder.glob("*.jsonl")) if folder.is_dir() else []


def slate_files_by_day(folder: Path) -> dict[str, list[Path]]:
    """List the complete segments for each UTC day of whose slates they may hold some.

    A segment is named by the instant it began and closed after a day at most; its first slates may be a moment older.
    So it holds slates of the day it began, and of the days beside it.
    """
    found: dict[str, list[Path]] = {}
    for path in slate_files(folder):
        for day in _days_of(path):
            found.setdefault(day, []).append(path)
    return dict(sorted(found.items()))


def quarantined_under(day: str) -> str:
    """Return the partition of the quarantine with the bad lines of the segments that began on a day."""
    return f"slates-{day}"


def read_slates(paths: Sequence[Path]) -> Slates:
    """Read segments; a line that cannot be read, or is of no day of its segment, is booked on the segment's day."""
    decoder = msgspec.json.Decoder(LandedSlate)
    rows: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    for path in paths:
        days = _days_of(path)
        for place, line in split_lines(path.read_bytes()):
            try:
                rows.extend(_rows(decoder.decode(line), days))
            except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
                bad.append(_rejected(path, place, line, quarantined_under(days[1])))
    return Slates(
        rows=pa.Table.from_pylist(rows, schema=arrow_schema(SLATES)),
        quarantine=pa.Table.from_pylist(bad, schema=arrow_schema(QUARANTINE)),
    )


def build_slates(engine: Engine, slates: Slates) -> ibis.Table:
    """Return slates under the contract SLATES, each place of each slate once, ordered by partition and key."""
    raw = engine.read_arrow(slates.rows)
    named = ["recommendation_id", "place"]
    everything = [raw[name] for name in ("at_us", "item_id", "source", "score", "propensity")]
    once = raw.mutate(copy=ibis.row_number().over(group_by=named, order_by=everything))
    return under_contract(once.filter(once.copy == 0), SLATES).order_by([SLATES.partition, *SLATES.key])


def _days_of(path: Path) -> list[str]:
    """Return the day before a segment began, that day and the day after it."""
    began = path.name.split("-")[0]
    day = day_of(int(began)) if began.isdecimal() else NO_DAY
    return [next_day(day, step) for step in (-1, 0, 1)]


def _rows(slate: LandedSlate, days: Sequence[str]) -> list[dict[str, Any]]:
    day = day_of(slate.at_us)
    if day not in days or not all(1 <= item.place <= _MOST and 0 <= item.propensity <= 1 for item in slate.items):
        raise OverflowError
    told = msgspec.structs.asdict(slate) | {"date_partition": day}
    del told["items"]
    return [told | msgspec.structs.asdict(item) for item in slate.items]


def _rejected(path: Path, place: int, line: bytes, partition: str) -> dict[str, Any]:
    return {
        "date_partition": partition,
        "reason": FAULT,
        "detail": "a slate that cannot be read",
        "source_file": path.name,
        "source_row": place,
        "item_ordinal": 0,
        "row_digest": hashlib.sha256(line).hexdigest()[:32],
    }
