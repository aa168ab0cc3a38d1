"""Three ways from a log of clicks to events and sessions: SQL by hand, the rooms' functions, and a whole refresh."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import ibis

from endcap.core.clock import fixed_clock
from endcap.core.contract import Table
from endcap.core.tables import EVENTS, SESSIONS
from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.engines.contracts import under_contract
from endcap.events.deduplicate import identify_events
from endcap.events.reading import EVENT_COLUMNS, ROW_COLUMNS, event_number, shaped
from endcap.events.validate import believed_day
from endcap.flows.flow import StepReport
from endcap.flows.init import init_shop
from endcap.flows.refresh import refresh
from endcap.sessions.config import SessionsConfig
from endcap.sessions.sessionize import sessionize
from endcap.stores.adapters.delta import DeltaTables

__all__ = ["CLOCK", "MEMORY", "Cost", "by_hand", "by_refresh", "by_rooms", "make_shop", "refreshed", "sums_of"]

MEMORY = "4GB"
"""Memory limit of DuckDB in all three; each takes every core."""

CLOCK = fixed_clock("2026-11-01T00:00:00")
"""No log of a benchmark reaches as far."""

_SQL = Path(__file__).with_name("by_hand.sql")
_EVENT = {
    **{name: kind for name, kind in EVENT_COLUMNS.items() if not name.startswith("raw_") and name != "value"},
    **dict.fromkeys(("date_partition", "site", "event_name", "reason", "detail", "ignored"), "string"),
    "value_minor": "int64",
}
_ROW = {
    **{name: kind for name, kind in ROW_COLUMNS.items() if not name.startswith(("price", "quantity"))},
    **dict.fromkeys(("price_minor", "quantity"), "int64"),
    **dict.fromkeys(("reason", "detail"), "string"),
}
_SAME = ("event_id", "event_name", "user_id", "item_id", "price", "quantity", "transaction_id", "country")
_COLUMNS = {"time": "event_timestamp", **{name: name for name in (*_SAME, "device_category")}}


@dataclass(frozen=True)
class Cost:
    """What some work took.

    Args:
        wall_s: Seconds.
        cpu_s: CPU seconds of all threads of this process.
    """

    wall_s: float
    cpu_s: float


def by_hand(log: Path, folder: Path) -> Cost:
    """Run `by_hand.sql` on the files of a log; `events` and `sessions` below the folder are what it wrote."""
    folder.mkdir(parents=True)
    text = _SQL.read_text(encoding="utf-8").replace("$files", repr(_files(log)))
    for name in ("events", "sessions"):
        text = text.replace(f"${name}", str(folder / name))
    spill = str(folder / "spill")
    with duckdb.connect(config={"memory_limit": MEMORY, "threads": _threads(), "temp_directory": spill}) as connection:
        connection.execute("SET enable_progress_bar = false")
        return _cost(lambda: connection.execute(text))


def by_rooms(log: Path, folder: Path) -> Cost:
    """Do the same with the rooms' own functions: `identify_events`, `sessionize`, the contracts and the Delta store."""
    engine = DuckDBEngine(memory_limit=MEMORY, threads=_threads(), spill=folder / "spill")
    lake = DeltaTables(folder / "lake")

    def work() -> None:
        events, rows = _judged(engine.read_parquet(_files(log)), _files(log))
        identified = identify_events(events, rows, "main")
        first = identified.filter(identified.is_first).drop("reason", "detail", "ignored", "content", "row")
        kept = first.join(rows.drop("reason", "detail", "ignored", "row"), "event_no")
        written = engine.materialise(under_contract(kept, EVENTS))
        days = sorted(engine.partition_digests(written, EVENTS))
        lake.replace(EVENTS, days, engine.stream(written))
        sessions = engine.materialise(sessionize(written, SessionsConfig(), days=days))
        lake.replace(SESSIONS, days, engine.stream(sessions))

    cost = _cost(work)
    engine.close()
    return cost


def by_refresh(log: Path, folder: Path) -> Cost:
    """Make a shop of the log, which is not counted, and refresh it as far as sessions and exposures."""
    make_shop(folder, log)
    return refreshed(folder, ("ingest", "sessionize"))[0]


def make_shop(folder: Path, log: Path) -> None:
    """Make a shop of a log of clicks."""
    init_shop(folder, source=log, columns=_COLUMNS, currency="USD", clock=CLOCK)


def refreshed(shop: Path, verbs: tuple[str, ...], *, through: str = "") -> tuple[Cost, list[StepReport]]:
    """Refresh a shop in this process; return what it took and how each step went."""
    done: list[StepReport] = []

    def progress(report: StepReport) -> None:
        if report.state != "started":
            done.append(report)

    return _cost(lambda: refresh(shop, verbs=verbs, through=through, progress=progress, clock=CLOCK)), done


def sums_of(folder: Path) -> dict[str, int]:
    """Add up what one of the three has written, so that they can be compared.

    Returns:
        Rows of events, sessions, and sums over the sessions.
    """
    events, sessions = (_written(folder, table) for table in (EVENTS, SESSIONS))
    names = (
        "num_events",
        "num_views",
        "num_carts",
        "num_purchases",
        "num_items",
        "value_minor",
        "ended_us - started_us",
    )
    sums = ", ".join(f"sum({name})::BIGINT" for name in names)
    with duckdb.connect() as connection:
        num = connection.execute("SELECT count(*) FROM read_parquet(?)", [events]).fetchall()[0][0]
        found = connection.execute(f"SELECT count(*), {sums} FROM read_parquet(?)", [sessions]).fetchall()[0]  # noqa: S608
    return {"events": num, "sessions": found[0], **dict(zip(names, found[1:], strict=True))}


def _written(folder: Path, table: Table) -> list[str]:
    by_sql = sorted(str(path) for path in (folder / table.name).glob("*/*.parquet"))
    return by_sql or DeltaTables(folder / "lake").files(table)


def _judged(raw: ibis.Table, files: list[str]) -> tuple[ibis.Table, ibis.Table]:
    """Return a log, one row an event, as the events and rows that reading and judging leave; all of them are good."""
    number = event_number(raw["_file"], raw["_row"], {Path(path).name: place for place, path in enumerate(files)})
    event = {name: raw[name] for name in ("transaction_id", "country", "device_category", "event_name")} | {
        "event_no": number,
        "at_us": raw.event_timestamp,
        "received_us": raw.event_timestamp,
        "date_partition": believed_day(raw.event_timestamp, ibis.literal(""), last_us=CLOCK()),
        "site": ibis.literal("main"),
        "event_name_read": raw.event_name,
        "user_key": raw.user_id,
        "source_event_id": raw.event_id,
        "currency": ibis.literal("USD"),
    }
    row = {
        "event_no": number,
        "item_ordinal": ibis.literal(1),
        "item_id": raw.item_id,
        "price_minor": (raw.price * 100).round(),
        "quantity": raw.quantity,
        "is_duplicate": ibis.literal(value=False),
    }
    return shaped(raw, _EVENT, event), shaped(raw, _ROW, row)


def _files(log: Path) -> list[str]:
    return sorted(str(path) for path in log.iterdir())


def _threads() -> int:
    return os.cpu_count() or 1


def _cost(work: Callable[[], object]) -> Cost:
    cpu, wall = os.times(), time.perf_counter()
    work()
    after = os.times()
    return Cost(time.perf_counter() - wall, after.user + after.system - cpu.user - cpu.system)
