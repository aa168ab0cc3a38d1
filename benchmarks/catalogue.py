"""Catalogue history: are price and stock beside a view what held in the simulated shop, and what does one day cost?

`python -m benchmarks.catalogue [--quick] [--out FILE]` makes three weeks of the preset small (quick: of a tenth of its
visitors), takes them in, and asks `items_at` for each view_item event. The truth of a price is what the page told, that
of stock the pieces of the morning. A session that runs over midnight keeps the prices of the day on which it began,
while items have those of the new one: such views are counted apart. Figures: shares equal, seconds of `items_at`, and
of the steps for all days but the last and for the last one alone.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.report import arguments, report
from endcap.core.clock import DAY_US, day_start_us, fixed_clock
from endcap.core.tables import CATALOGUE, EVENTS, ITEM_MENTIONS, ITEMS
from endcap.events.items_at import items_at
from endcap.flows.flow import Flow
from endcap.flows.init import init_shop
from endcap.flows.refresh import refresh
from endcap.flows.shop import find_shop
from endcap.flows.wiring.batch import open_flow
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate

_DAYS = 21
_QUICK_SHARE = 0.1
_LAST_FILE = "events_20260121.parquet"
_CLOCK = fixed_clock("2026-01-22T06:00:00")
_STEPS = ("catalogue", "mentions", "items")


def main() -> int:
    """Run the benchmark; the exit code is 1 when a price or a stock of the session's own day is another."""
    options = arguments("Is what items say of an instant what held then, and what does one more day cost?")
    with tempfile.TemporaryDirectory() as name:
        figures = _figures(Path(name), share=_QUICK_SHARE if options.quick else 1.0)
    report("catalogue", figures, options)
    return 0 if figures["price_equal"] == figures["stock_equal"] == 1.0 else 1


def _figures(folder: Path, *, share: float) -> dict[str, Any]:
    preset = make_world("small")
    world = make_world("small", days=_DAYS, visitors=round(preset.visitors * share))
    export = simulate(world, folder / "world", Popular()).export
    root, last = folder / "shop", folder / _LAST_FILE
    init_shop(root, source=export, clock=_CLOCK)
    shutil.move(export / _LAST_FILE, last)
    first_s = _seconds(root)
    shutil.move(last, export / _LAST_FILE)
    day_s = _seconds(root)
    with open_flow(find_shop(root), through="", progress=lambda _report: None) as flow:
        began = time.perf_counter()
        views = _views(flow)
        items_at_s = time.perf_counter() - began
        rows = {table.name: sum(part.rows for part in flow.ledger.parts(table.name).values())
                for table in (CATALOGUE, ITEM_MENTIONS, ITEMS)}  # fmt: skip
    return {
        **_compared(views.to_pylist(), _pieces(folder / "world" / "truth")),
        "items_at_s": round(items_at_s, 2),
        "rows": rows,
        "first_s": first_s,
        "day_s": day_s,
    }


def _seconds(root: Path) -> dict[str, float]:
    reports = refresh(root, verbs=("ingest",), clock=_CLOCK).steps
    return {each.step: round(each.seconds, 2) for each in reports if each.step in _STEPS}


def _views(flow: Flow) -> pa.Table:
    events = flow.read(EVENTS, flow.days(EVENTS))
    views = events.filter((events.event_name == "view_item") & events.item_id.notnull())
    asked = views.select("item_id", "at_us", "source_session_id", told_minor=views.price_minor)
    return flow.engine.to_arrow(items_at(flow.read(ITEMS), asked))


def _compared(views: list[dict[str, Any]], pieces: dict[int, dict[str, int]]) -> dict[str, Any]:
    """Return the shares of views whose price and stock are the truth's, and the views of sessions over midnight."""
    began_before = [row for row in views if int(row["source_session_id"]) // 86_400 != row["at_us"] // DAY_US]
    num_own = len(views) - len(began_before)
    num_other, num_other_before = (
        sum(row["price_minor"] != row["told_minor"] for row in rows) for rows in (views, began_before)
    )
    same_stock = [
        (row["availability"] == "in_stock") == (pieces[row["at_us"] // DAY_US][row["item_id"]] > 0) for row in views
    ]
    return {
        "views": len(views),
        "price_equal": 1 - (num_other - num_other_before) / num_own,
        "stock_equal": sum(same_stock) / len(views),
        "views_out_of_stock": sum(row["availability"] == "out_of_stock" for row in views),
        "views_over_midnight": len(began_before),
        "price_other_over_midnight": num_other_before,
    }


def _pieces(truth: Path) -> dict[int, dict[str, int]]:
    """Return day number -> item -> pieces in stock that morning."""
    items = pq.read_table(truth / "catalogue.parquet")["item_id"].to_pylist()
    found = {}
    for path in sorted((truth / "mornings").glob("*.parquet")):
        name = path.stem[-8:]
        number = day_start_us(f"{name[:4]}-{name[4:6]}-{name[6:]}") // DAY_US
        found[number] = dict(zip(items, pq.read_table(path)["pieces"].to_pylist(), strict=True))
    return found


if __name__ == "__main__":
    sys.exit(main())
