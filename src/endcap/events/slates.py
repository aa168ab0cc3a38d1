"""Slates as the server logged them, `landing/slates/*.jsonl`: one line a slate, one row a place."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import msgspec
import pyarrow as pa

from endcap.core.clock import day_of
from endcap.core.landed import LandedSlate
from endcap.core.tables import QUARANTINE, SLATES
from endcap.engines.contracts import under_contract
from endcap.engines.port import Engine, arrow_schema
from endcap.events.sources.lines import FAULT, split_lines

__all__ = ["Slates", "build_slates", "read_slates", "slate_files"]


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


def read_slates(paths: Sequence[Path]) -> Slates:
    """Read segments; a bad line is booked on the day of the slate before it in its file, 1970-01-01 without one."""
    decoder = msgspec.json.Decoder(LandedSlate)
    rows: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    for path in paths:
        day = "1970-01-01"
        for place, line in split_lines(path.read_bytes()):
            try:
                slate = decoder.decode(line)
                day = day_of(slate.at_us)
                rows.extend(_rows(slate, day))
            except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
                bad.append(_rejected(path, place, line, day))
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


def _rows(slate: LandedSlate, day: str) -> list[dict[str, Any]]:
    told = msgspec.structs.asdict(slate) | {"date_partition": day}
    del told["items"]
    return [told | msgspec.structs.asdict(item) for item in slate.items]


def _rejected(path: Path, place: int, line: bytes, day: str) -> dict[str, Any]:
    return {
        "date_partition": day,
        "reason": FAULT,
        "detail": "a slate that cannot be read",
        "source_file": path.name,
        "source_row": place,
        "item_ordinal": 0,
        "row_digest": hashlib.sha256(line).hexdigest()[:32],
    }
