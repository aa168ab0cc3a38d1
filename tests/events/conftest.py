"""A tiny shop: one file a day, times in minutes of the day, three cookies, four items."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.clock import day_start_us
from endcap.core.tables import EVENTS, QUARANTINE
from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.events.checks import bad_days, check_intake
from endcap.events.config import EventsConfig
from endcap.events.files import days_claimed, days_fed, files_for, read_files, scan_files, scan_landing
from endcap.events.ingest import ingest

KEY = bytes(range(32))
DAY = "2026-08-01"
NOW_US = day_start_us("2026-08-05")

PARAM = pa.struct(
    [
        ("key", pa.string()),
        (
            "value",
            pa.struct([("string_value", pa.string()), ("int_value", pa.int64()), ("double_value", pa.float64())]),
        ),
    ]
)
ITEM = pa.struct(
    [
        ("item_id", pa.string()),
        ("item_name", pa.string()),
        ("item_variant", pa.string()),
        ("price", pa.float64()),
        ("quantity", pa.int64()),
        ("item_list_name", pa.string()),
        ("item_list_index", pa.string()),
    ]
)


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    engine = DuckDBEngine(memory_limit="1GB", threads=1, spill=tmp_path_factory.mktemp("spill"))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def config():
    return EventsConfig(
        source="drop",
        default_currency="USD",
        folds=[{"event_name": "quickview", "into": "view_item", "within_s": 2}],
    )


@pytest.fixture(scope="session")
def ga4_event() -> Callable[..., dict[str, Any]]:
    def event(name: str | None, minute: float | None, *items: dict[str, Any], **other: Any) -> dict[str, Any]:
        """One GA4 row; `other` may give cookie, user, session, day, params and any column of the export."""
        day, cookie, session = other.pop("day", DAY), other.pop("cookie", "cookie-a"), other.pop("session", 7)
        params = {"ga_session_id": session, **other.pop("params", {})}
        listed = [
            {"key": key, "value": {"int_value" if isinstance(value, int) else "string_value": value}}
            for key, value in params.items()
            if value is not None
        ]
        at_us = None if minute is None else day_start_us(day) + round(minute * 60_000_000)
        row = {
            "event_timestamp": at_us,
            "event_name": name,
            "user_pseudo_id": cookie,
            "user_id": other.pop("user", None),
        }
        return {**row, "event_params": listed, "items": list(items), **other}

    return event


@pytest.fixture(scope="session")
def write_ga4():
    def write(folder: Path, day: str, events: list[dict[str, Any]], *, price: pa.DataType | None = None) -> Path:
        item = pa.struct([pa.field(f.name, price if price and f.name == "price" else f.type) for f in ITEM])
        schema = pa.schema(
            [
                ("event_timestamp", pa.int64()),
                ("event_name", pa.string()),
                ("user_pseudo_id", pa.string()),
                ("user_id", pa.string()),
                ("event_params", pa.list_(PARAM)),
                ("ecommerce", pa.struct([("transaction_id", pa.string()), ("purchase_revenue", pa.float64())])),
                ("items", pa.list_(item)),
            ]
        )
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"events_{day.replace('-', '')}.parquet"
        pq.write_table(pa.Table.from_pylist(events, schema=schema), path)
        return path

    return write


@pytest.fixture(scope="session")
def take_in(engine):
    """Scan, read, ingest and check a folder; returns events, quarantine and counts as lists of mappings."""

    def take_in(
        folder: Path,
        config: EventsConfig,
        *,
        days: list[str] | None = None,
        landing: Path | None = None,
        before: pa.Table | None = None,
    ) -> SimpleNamespace:
        files = scan_files(lambda: engine, config, folder)
        files += scan_landing(lambda: engine, config, landing) if landing else []
        fed = days_fed(files, config, now_us=NOW_US)
        wanted = list(fed) if days is None else days
        reading = read_files(engine, config, files_for(fed, wanted), now_us=NOW_US)
        if before is not None:
            reading = replace(reading, before=engine.read_arrow(before))
        ingested = ingest(engine, reading, config, key=KEY, now_us=NOW_US, days=wanted)
        counts = check_intake(engine, ingested)
        claimed = days_claimed(fed, config, now_us=NOW_US) & set(wanted)
        for error in bad_days(counts, config, claimed=claimed).values():
            raise error
        events = engine.to_arrow(ingested.events.order_by([EVENTS.partition, *EVENTS.key]))
        quarantine = engine.to_arrow(ingested.quarantine.order_by([QUARANTINE.partition, *QUARANTINE.key]))
        ingested.drop(engine)
        return SimpleNamespace(
            events=events.to_pylist(),
            quarantine=quarantine.to_pylist(),
            counts={
                (row["event_name"], row["outcome"], row["reason"]): (row["num_events"], row["num_rows"])
                for row in counts
            },
            events_table=events,
            quarantine_table=quarantine,
        )

    return take_in


@pytest.fixture(scope="session")
def write_lines():
    def write(path: Path, rows: list[Any]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def arrow_rows(engine):
    """Compute an Ibis table into a list of mappings."""
    return lambda table: engine.to_arrow(table).to_pylist()
