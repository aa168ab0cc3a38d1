"""Intake of a real export: is every event and every row of the source accounted for, how fast, in how much memory?

`python -m benchmarks.intake [--quick] [--out FILE]` reads the GA4 export in $ENDCAP_DATA/gmerch_ga4 (quick: its first
seven days). The source is counted apart, by SQL on the files, and compared with events, folds, copies and quarantine.
"""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from benchmarks.report import arguments, report
from endcap.core.clock import fixed_clock
from endcap.core.tables import EVENTS, QUARANTINE
from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.engines.contracts import check_contract
from endcap.events.catalogue_config import MerchantCatalogue
from endcap.events.catalogue_files import FIRST_SEEN, catalogue_files
from endcap.events.checks import bad_days, check_intake, raw_ids_found
from endcap.events.config import EventsConfig, Fold
from endcap.events.files import days_fed, files_for, read_files, scan_files
from endcap.events.ingest import ingest
from endcap.events.items import build_items
from endcap.events.mentions import build_mentions
from endcap.events.said import read_said

_NOW_US = fixed_clock("2026-11-01T00:00:00")()
_KEY = bytes(range(32))
_QUICK_FILES = 7
_CATALOGUE = MerchantCatalogue(file="catalog.tsv")
_CONFIG = EventsConfig(
    source="gmerch_ga4",
    default_currency="USD",
    folds=(Fold(event_name="quickview", into="view_item"),),
    catalogue=_CATALOGUE,
)


_MUST_BE_ZERO = ("events_unaccounted", "rows_unaccounted", "rows_written_less_kept", "raw_ids_found")


def main() -> int:
    """Run the benchmark and print its one line; the exit code is 1 when a row is lost or a raw id is found."""
    options = arguments("Is every row of a real export accounted for, how fast, in how much memory?")
    folder = Path(os.environ.get("ENDCAP_DATA", "../shared/data")) / "gmerch_ga4"
    if not folder.is_dir():
        report("intake", {}, options, unmeasured={"all": f"{folder.name} is not in $ENDCAP_DATA"})
        return 0
    with tempfile.TemporaryDirectory() as spill:
        engine = DuckDBEngine(memory_limit="3GB", threads=2, spill=Path(spill))
        figures = _intake(engine, folder, quick=options.quick)
        engine.close()
    report("intake", figures, options)
    return 1 if any(figures[name] for name in _MUST_BE_ZERO) else 0


def _intake(engine: DuckDBEngine, folder: Path, *, quick: bool) -> dict[str, Any]:
    started, cpu_started = time.perf_counter(), time.process_time()
    scanned = scan_files(lambda: engine, _CONFIG, folder)
    files = scanned[:_QUICK_FILES] if quick else scanned
    fed = days_fed(files, _CONFIG, now_us=_NOW_US)
    reading = read_files(engine, _CONFIG, files_for(fed, list(fed)), now_us=_NOW_US)
    ingested = ingest(engine, reading, _CONFIG, key=_KEY, now_us=_NOW_US, days=list(fed))
    counts = check_intake(engine, ingested)
    if bad := bad_days(counts, _CONFIG, claimed=list(fed)):
        raise next(iter(bad.values()))
    events, quarantine = engine.materialise(ingested.events), engine.materialise(ingested.quarantine)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    rss_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    ingested.drop(engine)
    check_contract(engine, events, EVENTS)
    check_contract(engine, quarantine, QUARANTINE)
    mentions = engine.materialise(build_mentions(events, _CONFIG))
    said = read_said(FIRST_SEEN, catalogue_files(_CATALOGUE, folder), _CONFIG, num_before=0)
    items = engine.materialise(build_items(engine.read_arrow(said.rows), mentions, _CONFIG, until_us=_NOW_US))
    now = items.filter(items.valid_to_us.isnull())
    told = engine.to_arrow(
        events.group_by("event_name").aggregate(rows=events.count(), events=events.event_id.nunique())
    )
    source, raw_ids = _source(folder, [file.name for file in files])
    table = _table(counts)
    _show(table, told.to_pylist())
    written = sum(row["rows"] for row in told.to_pylist())
    return {
        "events_read": sum(each[0] for each in source.values()),
        "rows_read": sum(each[1] for each in source.values()),
        "events_unaccounted": sum(abs(source[name][0] - _sum(table, name, 0)) for name in source),
        "rows_unaccounted": sum(abs(source[name][1] - _sum(table, name, 1)) for name in source),
        "rows_written_less_kept": written - sum(each["kept"][1] for each in table.values() if "kept" in each),
        "rows_folded": sum(each["folded"][1] for each in table.values() if "folded" in each),
        "rows_quarantined": engine.to_arrow(quarantine.count().as_table()).column(0)[0].as_py(),
        "items": engine.to_arrow(now.count().as_table()).column(0)[0].as_py(),
        "raw_ids_found": sum(raw_ids_found(engine, events, engine.read_arrow(raw_ids)).values()),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "rss_mib": rss_mib,
    }


def _source(folder: Path, names: list[str]) -> tuple[dict[str, tuple[int, int]], pa.Table]:
    """Count the source by SQL: event name -> (events, item rows), and its cookies."""
    paths = [str(folder / name) for name in names]
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT event_name, count(*), sum(greatest(len(items), 1))::BIGINT FROM read_parquet(?) GROUP BY 1", [paths]
        ).fetchall()
        query = "SELECT DISTINCT user_pseudo_id AS raw_id FROM read_parquet($1)"
        raw_ids = connection.sql(query, params=[paths]).to_arrow_table()
    return {name: (events, items) for name, events, items in rows}, raw_ids


def _table(counts: list[dict[str, Any]]) -> dict[str, dict[str, list[int]]]:
    """Return event name -> outcome -> [events, rows] over all days."""
    table: dict[str, dict[str, list[int]]] = {}
    for row in counts:
        cell = table.setdefault(row["event_name"], {}).setdefault(row["outcome"], [0, 0])
        cell[0] += row["num_events"]
        cell[1] += row["num_rows"]
    return table


def _sum(table: dict[str, dict[str, list[int]]], name: str, at: int) -> int:
    return sum(cell[at] for outcome, cell in table.get(name, {}).items() if outcome != "read")


def _show(table: dict[str, dict[str, list[int]]], told: list[dict[str, Any]]) -> None:
    for name, outcomes in sorted(table.items()):
        cells = "  ".join(f"{outcome} {events:,} / {rows:,}" for outcome, (events, rows) in outcomes.items())
        print(f"source {name:18} events / rows: {cells}", file=sys.stderr)
    for row in sorted(told, key=lambda each: str(each["event_name"])):
        print(f"table  {row['event_name']:18} events / rows: {row['events']:,} / {row['rows']:,}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
