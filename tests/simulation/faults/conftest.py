"""A log that can be read by eye: five days, the second in two files, the third without an event, six devices."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.clock import day_start_us
from endcap.simulation.faults.break_log import break_log
from endcap.simulation.faults.choice import Faults

ITEM = pa.struct([("item_id", pa.string()), ("price", pa.float64()), ("quantity", pa.int64())])
VALUE = pa.struct([("string_value", pa.string()), ("int_value", pa.int64())])
SCHEMA = pa.schema(
    [
        pa.field("event_date", pa.string()),
        pa.field("event_timestamp", pa.int64(), nullable=False),
        pa.field("event_name", pa.string(), nullable=False),
        pa.field("event_params", pa.list_(pa.struct([("key", pa.string()), ("value", VALUE)])), nullable=False),
        pa.field("user_id", pa.string()),
        pa.field("user_pseudo_id", pa.string(), nullable=False),
        pa.field("device", pa.struct([("category", pa.string())]), nullable=False),
        pa.field("geo", pa.struct([("country", pa.string())]), nullable=False),
        pa.field("privacy_info", pa.struct([("analytics_storage", pa.string())])),
        pa.field("items", pa.list_(ITEM), nullable=False),
    ]
)
FILES = {
    "events_20260101.parquet": 60,
    "events_20260102.parquet": 30,
    "events_20260102_1.parquet": 30,
    "events_20260103.parquet": 0,
    "events_20260104.parquet": 60,
    "events_20260105.parquet": 60,
}


def _event(day: str, number: int) -> dict[str, Any]:
    name, items = ("view_item", [{"item_id": "mug", "price": 9.1}]) if number % 3 else ("search", [])
    if number % 5 == 0:
        name, items = "add_to_cart", [{"item_id": "mug", "price": 0.1 * number, "quantity": 2}, {"item_id": "pen"}]
    return {
        "event_date": day.replace("-", ""),
        "event_timestamp": day_start_us(day) + number * 60_000_000,
        "event_name": name,
        "event_params": [{"key": "ga_session_id", "value": {"int_value": number // 10}}],
        "user_id": "ann" if number % 6 == 1 else None,
        "user_pseudo_id": f"cookie-{number % 6}",
        "device": {"category": "mobile"},
        "geo": {"country": "Peru" if number % 2 else None},
        "privacy_info": {"analytics_storage": "Yes"} if number % 4 else None,
        "items": items,
    }


@pytest.fixture(scope="session")
def log(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    for name, num_events in FILES.items():
        day = f"{name[7:11]}-{name[11:13]}-{name[13:15]}"
        first = 30 if name.endswith("_1.parquet") else 0
        events = [_event(day, number) for number in range(first, first + num_events)]
        pq.write_table(pa.Table.from_pylist(events, schema=SCHEMA), folder / name, store_schema=False)
    return folder


@pytest.fixture(scope="session")
def table() -> pa.Table:
    """A day of 1,200 events."""
    return pa.Table.from_pylist([_event("2026-01-01", number) for number in range(1_200)], schema=SCHEMA)


@pytest.fixture(scope="session")
def broken(tmp_path_factory, log) -> Callable[..., SimpleNamespace]:
    """Break the log, or another; returns `faulty`, `record` and `counts`."""

    def broken(*, seed: int = 1, clean: Path = log, **faults: Any) -> SimpleNamespace:
        folder = tmp_path_factory.mktemp("broken")
        faulty, record = folder / "faulty", folder / "record"
        counts = break_log(clean, faulty, record, faults=Faults(**faults), seed=seed)
        return SimpleNamespace(faulty=faulty, record=record, counts=counts)

    return broken


@pytest.fixture(scope="session")
def rows() -> Callable[[Path], dict[str, list[dict[str, Any]]]]:
    """Read a folder of Parquet files: file -> rows."""

    def rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
        return {path.name: pq.read_table(path).to_pylist() for path in sorted(folder.glob("*.parquet"))}

    return rows


@pytest.fixture(scope="session")
def bytes_of() -> Callable[[Path], dict[str, bytes]]:
    def bytes_of(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return bytes_of
