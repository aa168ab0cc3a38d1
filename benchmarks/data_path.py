"""Two ways from an export to features: SQL written by hand, and a refresh. What both make can be compared."""

import datetime as dt
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from endcap.core.clock import fixed_clock
from endcap.core.contract import Kind
from endcap.core.tables import (
    ELEMENTS,
    EVENTS,
    EXPOSURES,
    ITEM_DAYS,
    ITEM_FEATURES,
    QUARANTINE,
    SESSIONS,
    TABLES,
    USER_DAYS,
    USER_FEATURES,
)
from endcap.flows.flow import StepReport
from endcap.flows.init import init_shop
from endcap.flows.refresh import refresh
from endcap.simulation.faults.choice import Faults
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.stores.adapters.delta import DeltaTables

__all__ = [
    "CLOCK",
    "MEMORY",
    "STEPS",
    "VERBS",
    "Cost",
    "by_hand",
    "by_refresh",
    "make_export",
    "make_shop",
    "refreshed",
    "sums_of",
]

MEMORY = "4GB"
"""Memory limit of DuckDB in both; each takes every core."""

CLOCK = fixed_clock("2026-11-01T00:00:00")
"""No log of a benchmark reaches as far."""

VERBS = ("ingest", "sessionize", "featurize")

STEPS = ("ingest", "sessions", "exposures", "daily", "item_features", "user_features")
"""The steps of a refresh that make what the SQL makes; the others do what it leaves out."""

_TABLES = (QUARANTINE, EVENTS, SESSIONS, EXPOSURES, ITEM_DAYS, USER_DAYS, ELEMENTS, ITEM_FEATURES, USER_FEATURES)
_SQL = Path(__file__).with_name("by_hand.sql")
_WRITE = re.compile(r"^-- write (\w+) ORDER BY (.+)$", re.MULTILINE)
_WINDOWS = {
    "$windows_of_items": ("num_exposures", "num_views", "num_carts", "num_purchases"),
    "$windows_of_users": ("num_sessions", "num_views", "num_carts", "num_purchases"),
}
_FAULTS = Faults(duplicates=0.01, late=0.02, missing_fields=0.02, malformed=0.005)
_NOBODY_ELSE = """
[identities]
keep_days = 0
[identities.bots]
most_events_a_minute = 0
most_events_an_hour = 0
most_events_a_day = 0
most_views_without_a_cart = 0
"""
"""The SQL knows neither whose a device is nor who is a bot."""
_NO_RAW_IDS = ("[shop]\n", "[shop]\nkeep_raw_ids = false\n")
"""Nor does it keep which key is which raw id."""


@dataclass(frozen=True)
class Cost:
    """What some work took.

    Args:
        wall_s: Seconds.
        cpu_s: CPU seconds of all threads of this process.
    """

    wall_s: float
    cpu_s: float


def make_export(folder: Path, *, days: int, visitors: int) -> Path:
    """Simulate a shop whose export has what goes wrong in real ones, and return the export's folder."""
    world = make_world("small", days=days, visitors=visitors)
    return simulate(world, folder, Popular(), faults=_FAULTS, workers=min(os.cpu_count() or 1, 8)).export


def by_hand(export: Path, folder: Path, key: bytes) -> Cost:
    """Run `by_hand.sql` on the files of an export; a folder for each table below `folder` is what it wrote."""
    folder.mkdir(parents=True)
    text = _script(export, key)
    with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(folder / "spill")}) as connection:
        connection.execute("SET enable_progress_bar = false; SET preserve_insertion_order = false")

        def work() -> None:
            # Between two marks stands a table's SQL; a mark has two parts, the table and its order.
            parts = _WRITE.split(text)
            for sql, table, order in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
                if sql.strip():
                    connection.execute(sql)
                _write(connection, table, order, folder / table)

        return _cost(work)


def _script(export: Path, key: bytes) -> str:
    block = key.ljust(hashlib.sha256().block_size, b"\0")
    last = dt.datetime.fromtimestamp(CLOCK() / 1e6, tz=dt.UTC) + dt.timedelta(days=1)
    values = {
        "$files": repr(sorted(str(path) for path in export.glob("events_*.parquet"))),
        "$inner": repr(bytes(byte ^ 0x36 for byte in block).hex()),
        "$outer": repr(bytes(byte ^ 0x5C for byte in block).hex()),
        "$last_us": str(round(last.timestamp() * 1e6)),
    }
    for name, counts in _WINDOWS.items():
        values[name] = ", ".join(
            f"coalesce(sum({count}) FILTER (age <= {days}), 0)::BIGINT AS {count}_{days}d"
            for count in counts
            for days in (1, 7, 30)
        )
    text = _SQL.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _write(connection: duckdb.DuckDBPyConnection, table: str, order: str, folder: Path) -> None:
    """Write a table day by day: three times as fast as PARTITION_BY (DuckDB 2.0, 5 days of 7 M rows)."""
    days = connection.execute(f"SELECT DISTINCT date_partition FROM {table} ORDER BY 1").fetchall()  # noqa: S608 - our own
    for (day,) in days:
        (folder / day).mkdir(parents=True)
        connection.execute(
            f"COPY (FROM {table} WHERE date_partition = '{day}' ORDER BY {order}) TO '{folder / day}/rows.parquet'"
            " (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )


def by_refresh(export: Path, folder: Path) -> tuple[Cost, list[StepReport]]:
    """Make a shop of the export, which is not counted, and refresh it as far as features."""
    make_shop(folder, export)
    config = folder / "endcap.toml"
    text = config.read_text(encoding="utf-8")
    assert _NO_RAW_IDS[0] in text
    head, _, tail = text.replace(*_NO_RAW_IDS).partition("[identities]")
    config.write_text(f"{head}{_NOBODY_ELSE}[sessions]{tail.partition('[sessions]')[2]}", encoding="utf-8")
    return refreshed(folder, VERBS)


def make_shop(folder: Path, source: Path, **named: Any) -> None:
    """Make a shop of an export."""
    init_shop(folder, source=source, clock=CLOCK, **named)


def refreshed(shop: Path, verbs: tuple[str, ...], *, through: str = "") -> tuple[Cost, list[StepReport]]:
    """Refresh a shop in this process; return what it took and how each step went."""
    done: list[StepReport] = []

    def progress(report: StepReport) -> None:
        if report.state != "started":
            done.append(report)

    return _cost(lambda: refresh(shop, verbs=verbs, through=through, progress=progress, clock=CLOCK)), done


def sums_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Add up what one of the two has written, so that they can be compared.

    Returns:
        Table -> its rows, and the sum of each column of numbers; of texts but ids of rows, how many different ones.
    """
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        return dict(_sums(connection, folder))


def _sums(connection: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for table in _TABLES:
        by_sql = sorted(str(path) for path in (folder / table.name).glob("*/*.parquet"))
        files = DeltaTables(folder / "lake").files(table) if (folder / "lake").exists() else by_sql
        sums = {"rows": "count(*)"}
        for column in TABLES[table.name].columns:
            if column.name in {"detail", "device_key", "date_partition"}:
                continue
            if column.kind is Kind.FLOAT64:
                sums[column.name] = f"round(sum({column.name}), 3)"
            elif column.kind in {Kind.INT32, Kind.INT64, Kind.BOOL}:
                sums[column.name] = f"sum({column.name}::HUGEINT)"
            elif column.name in {"item_id", "user_key", "event_id", "session_id", "reason", "event_name"}:
                sums[column.name] = f"count(DISTINCT {column.name})"
        found = connection.execute(f"SELECT {', '.join(sums.values())} FROM read_parquet(?)", [files])  # noqa: S608
        yield table.name, dict(zip(sums, found.fetchall()[0], strict=True))


def _cost(work: Callable[[], object]) -> Cost:
    cpu, wall = os.times(), time.perf_counter()
    work()
    after = os.times()
    return Cost(time.perf_counter() - wall, after.user + after.system - cpu.user - cpu.system)
