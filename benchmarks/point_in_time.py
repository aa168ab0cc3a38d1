"""Features at an instant: are the readings equal to plain loops, and does the engine's finish at 20 million rows?

`python -m benchmarks.point_in_time [--quick] [--out FILE]` asks for the features of 90,000 instants of the GA4 export
in $ENDCAP_DATA/gmerch_ga4: of a user at one of their own events, or a microsecond after it. Plain loops, the engine and
the server's function must agree on each value. Then 20 million events (quick: 2 million) of a made-up log, of users
with up to 3,500 events, are asked for a tenth as many instants.
"""

import os
import resource
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from benchmarks.report import arguments, report
from endcap.core.clock import fixed_clock
from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.events.config import EventsConfig, Fold
from endcap.events.files import days_fed, files_for, read_files, scan_files
from endcap.events.ingest import ingest
from endcap.features.declared import of_instants
from endcap.features.instants import instant_features, instant_features_by_part
from endcap.features.online import features_at
from endcap.features.plain import plain_features
from endcap.features.visitor_rows import VisitorRows
from endcap.flows.visitor_data import events_to_pack, packed_by_user

_NOW_US = fixed_clock("2026-11-01T00:00:00")()
_KEY = bytes(range(32))
_GAP_US = 1_800_000_000
_ASKED = 90_000
_CONFIG = EventsConfig(
    source="gmerch_ga4", default_currency="USD", folds=(Fold(event_name="quickview", into="view_item"),)
)
_MUST_BE_ZERO = ("gmerch_engine_mismatches", "gmerch_online_mismatches")


def main() -> int:
    """Run the benchmark and print its one line; the exit code is 1 when a value differs."""
    options = arguments("Are features at an instant exact, and do they finish at 20 million rows?")
    figures: dict[str, Any] = {}
    unmeasured: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as spill:
        engine = DuckDBEngine(memory_limit="3GB", threads=2, spill=Path(spill))
        figures |= _scale(engine, 2_000_000 if options.quick else 20_000_000)
        folder = Path(os.environ.get("ENDCAP_DATA", "../shared/data")) / "gmerch_ga4"
        if folder.is_dir():
            figures |= _gmerch(engine, folder, _ASKED // 10 if options.quick else _ASKED)
        else:
            unmeasured["gmerch"] = f"{folder.name} is not in $ENDCAP_DATA"
        engine.close()
    report("point_in_time", figures, options, unmeasured=unmeasured)
    return 1 if any(figures.get(name) for name in _MUST_BE_ZERO) else 0


def _scale(engine: DuckDBEngine, num_rows: int) -> dict[str, Any]:
    """Time the engine's reading on a made-up log; a user's number of events falls off as the square of their rank."""
    events = engine.materialise(_made_up(num_rows))
    asked = events.filter(events.n % 10 == 0).select("user_key", "n", at_us=events.at_us + 1)
    before_mib = _rss_mib()
    started, cpu_started = time.perf_counter(), time.process_time()
    num_asked = 0
    for part in instant_features_by_part(engine, events, asked, gap_us=_GAP_US):
        num_asked += len(part)
        print(f"scale: {num_asked:,} rows after {time.perf_counter() - started:.1f} s", file=sys.stderr)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    most = engine.to_arrow(events.group_by("user_key").aggregate(num=events.count()).num.max().as_table())
    engine.drop(events)
    return {
        "scale_rows": num_rows,
        "scale_asked": num_asked,
        "scale_features": len(of_instants()),
        "scale_most_events_of_a_user": most.column(0)[0].as_py(),
        "scale_seconds": round(seconds, 1),
        "scale_cpu_seconds": round(cpu_seconds, 1),
        "scale_rss_mib": _rss_mib(),
        "scale_rss_before_mib": before_mib,
    }


def _made_up(num_rows: int) -> ibis.Table:
    """Return columns of EVENTS for rows drawn by the digest of their number, 60 days long."""
    rows = ibis.range(num_rows).unnest().name("n").as_table()

    def drawn(salt: str) -> Any:
        # A number in [0, 1) from a hash of 64 bits with a sign.
        return (rows.n.cast("string") + salt).hash().cast("float64").abs() / 9_223_372_036_854_777_856.0

    user = (drawn("u") * drawn("v") * drawn("w") * (num_rows / 40)).cast("int64")
    kind = drawn("e")
    name = ibis.cases(
        (kind < 0.3, "view_item"), (kind < 0.36, "add_to_cart"), (kind < 0.38, "purchase"), else_="view_item_list"
    )
    return rows.select(
        "n",
        user_key=user.cast("string").hexdigest("md5"),
        at_us=1_472_688_000_000_000 + (drawn("t") * 60 * 86_400_000_000).cast("int64"),
        event_name=name,
        item_id=(drawn("i") * drawn("j") * 5000).cast("int64").cast("string"),
        price_minor=(drawn("p") * 10_000).cast("int64"),
    )


def _rss_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _gmerch(engine: DuckDBEngine, folder: Path, num_asked: int) -> dict[str, Any]:
    """Compare the readings on a real export."""
    files = scan_files(lambda: engine, _CONFIG, folder)
    fed = days_fed(files, _CONFIG, now_us=_NOW_US)
    reading = read_files(engine, _CONFIG, files_for(fed, list(fed)), now_us=_NOW_US)
    ingested = ingest(engine, reading, _CONFIG, key=_KEY, now_us=_NOW_US, days=list(fed))
    events = engine.materialise(ingested.events)
    ingested.drop(engine)
    asked = _asked(engine, events, num_asked)
    started = time.perf_counter()
    told = instant_features(engine, events, engine.read_arrow(asked), gap_us=_GAP_US)
    found = {row["n"]: row for row in told.to_pylist()}
    seconds = time.perf_counter() - started
    rows, packed = _by_user(engine, events, asked)
    engine_faults = online_faults = num_approximate = 0
    for question in asked.to_pylist():
        key, at_us = question["user_key"], question["at_us"]
        plain = plain_features(rows[key], at_us, gap_us=_GAP_US)
        online = features_at(packed[key], at_us, gap_us=_GAP_US)
        engine_faults += any(found[question["n"]][name] != value for name, value in plain.items())
        online_faults += dict(online.values) != plain
        num_approximate += bool(online.approximate)
    return {
        "gmerch_asked": len(found),
        "gmerch_features": len(of_instants()),
        "gmerch_engine_mismatches": engine_faults,
        "gmerch_online_mismatches": online_faults,
        "gmerch_approximate": num_approximate,
        "gmerch_engine_seconds": round(seconds, 2),
        "gmerch_rows": engine.to_arrow(events.count().as_table()).column(0)[0].as_py(),
    }


def _asked(engine: DuckDBEngine, events: ibis.Table, count: int) -> pa.Table:
    """Return instants of users' own events, spread by the events' ids; every other one a microsecond later."""
    touched = events.filter(events.event_name != "view_item_list").select("user_key", "at_us", "event_id").distinct()
    table = engine.to_arrow(touched.order_by(["event_id", "user_key", "at_us"]).limit(count))
    number = pa.array(range(len(table)), pa.int64())
    at_us = pa.array([at + place % 2 for place, at in enumerate(table["at_us"].to_pylist())], pa.int64())
    return pa.table({"user_key": table["user_key"], "at_us": at_us, "n": number})


def _by_user(
    engine: DuckDBEngine, events: ibis.Table, asked: pa.Table
) -> tuple[dict[str, Any], dict[str, VisitorRows]]:
    """Return the users' rows, as dictionaries and as a server holds them; of a list one row, as nothing counts it."""
    table = engine.to_arrow(events_to_pack(events.semi_join(engine.read_arrow(asked), "user_key")))
    rows = defaultdict(list)
    for row in table.to_pylist():
        rows[row["user_key"]].append(row)
    keys, starts, packed = packed_by_user(table)
    return rows, {key: VisitorRows(packed[starts[place] : starts[place + 1]]) for place, key in enumerate(keys)}


if __name__ == "__main__":
    sys.exit(main())
