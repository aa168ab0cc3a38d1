"""The data path: against SQL written by hand, how fast and in how much memory by size, and what one more day costs.

`python -m benchmarks.data [--quick] [--out FILE]`. All by DuckDB with every core; with 4 GB of memory, but for the
growing logs.

- `ratio_to_sql`: how fast a refresh is beside SQL written by hand for that one export (`by_hand.sql`, run by DuckDB):
  seconds of the SQL over seconds of the steps that make the same (`data_path.STEPS`) and of all planning, turn by turn
  on the GA4 Parquet export of a simulated shop with faults. Both hash, judge, put aside, leave out copies, find
  sessions and exposures, count days, keep what sequences are made of and sum up features, and write all of it as
  Parquet in the same order; that both make the same is checked, table by table. The refresh also reads any such export,
  checks contracts, digests what it writes, commits it under a fence and keeps the ledger. `refresh_over_sql`: the whole
  refresh over the SQL, with items, the quality report, sequences and examples. Neither knows devices, bots or raw ids:
  these are switched off. `sql_rows` are rows of events x items, `sql_events` the export's events.
- `events_per_s_Nm`, `cpu_us_per_event_Nm`, `rss_mib_Nm`, `disk_gib_Nm`: a log of N million rows, a million a day, each
  an event of one item (one in a hundred is a copy), from ingest to features in a process of its own whose tables may
  take 2.5 GB (by default 4): rows a second, CPU microseconds a row, the peak memory of the process (the greatest of all
  attempts, and of a look each second between them), peak disk of log, shop and spill. One pass. `cost_growth`: CPU
  seconds a row of the larger over those of the smaller; `wall_growth`: likewise of seconds on the clock. Ten days fill
  no window of thirty, so that the first days of a shop cost less than all later ones, of whatever size: `*_as_long` is
  a log of as many days as the larger one, with a tenth of its rows a day.
- `incremental_over_day`: see `one_more_day`; through `featurize`, on a simulated shop that logs lists of 20, a day of
  some 350,000 rows: what is fixed weighs more on a smaller day, and less on a larger one.
"""

import multiprocessing
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.click_log import CLICK_COLUMNS, make_click_log
from benchmarks.data_path import (
    MEMORY,
    STEPS,
    VERBS,
    Cost,
    by_hand,
    by_refresh,
    make_export,
    make_shop,
    refreshed,
    sums_of,
)
from benchmarks.one_more_day import one_more_day
from benchmarks.report import arguments, report
from endcap.flows.shop import USER_KEY_VARIABLE

_REPEATS = 5
_TEN_MILLION = {"days": 7, "visitors": 50_000}
"""About ten million rows of events x items."""
_A_DAY = 1_000_000
_SIZES = (1, 10, 100)
_QUICK_SIZES = (1, 3)
_LIMIT_S = 3 * 3_600
_GIB = 1 << 30
_BAR = 1.5
_GROWING_MEMORY = "2.5GB"
_OF_A_SIZE = ("events_per_s", "cpu_us_per_event", "rss_mib", "disk_gib")


def main() -> int:
    """Measure and report; the exit code is 1 where one more day costs more than it may."""
    options = arguments(__doc__)
    os.environ |= {USER_KEY_VARIABLE: "5e" * 32, "ENDCAP__ENGINE__MEMORY_LIMIT": MEMORY}
    unmeasured: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = _told(
            _against_sql(folder / "sql", **({"days": 4, "visitors": 5_000} if options.quick else _TEN_MILLION))
        )
        figures |= _told(_by_size(folder, _QUICK_SIZES if options.quick else _SIZES, unmeasured))
        figures |= _told(_as_long(folder, figures, unmeasured))
        size = {"history_days": 30, "visitors": 22_000} if options.quick else {"history_days": 90, "visitors": 66_000}
        figures |= one_more_day(folder / "days", repeats=_REPEATS, **size)
    report("data", figures, options, unmeasured=unmeasured)
    # A fifth of slack, as machines are noisy.
    return 1 if figures["incremental_over_day"] > 1.2 * _BAR else 0


def _told(figures: dict[str, Any]) -> dict[str, Any]:
    print(figures, file=sys.stderr, flush=True)
    return figures


def _against_sql(folder: Path, *, days: int, visitors: int) -> dict[str, Any]:
    """Compare SQL by hand with a refresh, turn by turn on one export."""
    export = make_export(folder / "world", days=days, visitors=visitors)
    key = bytes.fromhex(os.environ[USER_KEY_VARIABLE])
    ratios: dict[str, list[float]] = {"ratio_to_sql": [], "cpu_ratio_to_sql": [], "refresh_over_sql": []}
    seconds: dict[str, list[float]] = {"sql_by_hand_s": [], "refresh_steps_s": []}
    for turn in range(_REPEATS):
        hand, shop = folder / f"{turn}-sql", folder / f"{turn}-shop"
        sql = by_hand(export, hand, key)
        whole, _ = by_refresh(export, shop)
        sums = sums_of(hand)
        if differing := [name for name, each in sums_of(shop).items() if each != sums[name]]:
            raise SystemExit(f"both do not make the same {differing}: {sums} and {sums_of(shop)}")
        steps = _steps_of(shop, whole)
        print(f"turn {turn}: SQL {sql}, the same steps {steps}, whole {whole}", file=sys.stderr, flush=True)
        ratios["ratio_to_sql"].append(sql.wall_s / steps.wall_s)
        ratios["cpu_ratio_to_sql"].append(sql.cpu_s / steps.cpu_s)
        ratios["refresh_over_sql"].append(whole.wall_s / sql.wall_s)
        seconds["sql_by_hand_s"].append(sql.wall_s)
        seconds["refresh_steps_s"].append(steps.wall_s)
        for place in (hand, shop):
            shutil.rmtree(place)
    found: dict[str, Any] = {"sql_rows": sums["events"]["rows"], "sql_events": sums["events"]["event_id"]}
    found |= {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in ratios.items():
        found |= {name: statistics.median(values), f"{name}_min": min(values), f"{name}_max": max(values)}
    return {key: round(value, 2) for key, value in found.items()}


def _steps_of(shop: Path, whole: Cost) -> Cost:
    """Take from a whole refresh what the ledger says of the steps that make what the SQL leaves out."""
    asked = f"SELECT sum(wall_s), sum(cpu_s) FROM attempt WHERE step NOT IN ({', '.join('?' * len(STEPS))})"  # noqa: S608
    with closing(sqlite3.connect(f"file:{shop / 'endcap.db'}?mode=ro", uri=True)) as catalog:
        others = Cost(*catalog.execute(asked, STEPS).fetchone())
    return Cost(whole.wall_s - others.wall_s, whole.cpu_s - others.cpu_s)


def _by_size(folder: Path, sizes: tuple[int, ...], unmeasured: dict[str, str]) -> dict[str, Any]:
    """Take figures of growing logs; say why of those that there are none of."""
    figures: dict[str, Any] = {}
    costs: dict[str, dict[int, float]] = {"cost": {}, "wall": {}}
    for size in sorted({*sizes, *_SIZES}):
        why = "--quick takes none of this size" if size not in sizes else _too_little_disk(folder, size, figures)
        found: dict[str, Any] = {}
        if not why:
            found, why = _one_size(folder / f"{size}m", size)
        if why:
            unmeasured |= {f"{name}_{size}m": why for name in _OF_A_SIZE}
        else:
            costs["cost"][size] = found[f"cpu_us_per_event_{size}m"]
            costs["wall"][size] = 1 / found[f"events_per_s_{size}m"]
        figures |= _told(found)
    for smaller, larger in sorted({sizes[-2:], _SIZES[-2:]}):
        if {smaller, larger} <= {*costs["cost"]}:
            for name, of_size in costs.items():
                figures[f"{name}_growth_{larger}m_over_{smaller}m"] = round(of_size[larger] / of_size[smaller], 2)
        else:
            missing = larger if larger not in costs["cost"] else smaller
            why = f"there is no figure of {missing} M rows, see there"
            unmeasured |= {f"{name}_growth_{larger}m_over_{smaller}m": why for name in costs}
    return figures


def _as_long(folder: Path, figures: dict[str, Any], unmeasured: dict[str, str]) -> dict[str, Any]:
    """Take figures of as many days as the largest log has, a tenth of its rows each; say why where there are none."""
    size = _SIZES[-1]
    found: dict[str, Any] = {}
    why = f"there is no figure of {size} M rows, see there"
    if f"cpu_us_per_event_{size}m" in figures:
        found, why = _one_size(folder / "as_long", size // 10, days=size)
    if why:
        unmeasured["cost_growth_as_long"] = why
        return {}
    told = {f"{name}_as_long": value for name, value in found.items()}
    growth = figures[f"cpu_us_per_event_{size}m"] / found[f"cpu_us_per_event_{size // 10}m"]
    return told | {"cost_growth_as_long": round(growth, 2)}


def _too_little_disk(folder: Path, size: int, figures: dict[str, Any]) -> str:
    """Return why a size is not even tried: from what a smaller one took, its disk would not do; "" if it would."""
    known = {other: figures[f"disk_gib_{other}m"] for other in _SIZES if f"disk_gib_{other}m" in figures}
    needed = max((taken * size / other for other, taken in known.items()), default=0.0)
    free = shutil.disk_usage(folder).free / _GIB
    return f"it would take {needed:.0f} GiB of disk, {free:.0f} GiB are free" if needed > 0.8 * free else ""


def _one_size(folder: Path, size: int, *, days: int = 0) -> tuple[dict[str, Any], str]:
    """Refresh a shop of so many million rows in a process of its own; return figures, or why there are none.

    Args:
        folder: For the shop; made, and removed.
        size: Millions of rows.
        days: Over how many days; 0 for a million a day.
    """
    rows = size * 1_000_000
    days = days or rows // _A_DAY
    make_click_log(folder / "log", days=days, rows_a_day=rows // days)
    make_shop(folder / "shop", folder / "log", columns=CLICK_COLUMNS, currency="USD")
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_refresh_and_tell, args=(far, folder / "shop"))
    process.start()
    far.close()  # so that a process that dies is heard of
    told = _heard(near, folder, psutil.Process(process.pid))
    process.kill()  # has ended, but for one that took too long
    process.join()
    shutil.rmtree(folder)
    if "error" in told:
        return {}, told["error"]
    figures = {"events_per_s": round(rows / told["wall_s"]), "rss_mib": told["rss_mib"]}
    figures["cpu_us_per_event"] = round(told["cpu_s"] / rows * 1e6, 1)
    figures["disk_gib"] = round(told["disk"] / _GIB, 2)
    return {f"{name}_{size}m": value for name, value in figures.items()}, ""


def _heard(line: Any, folder: Path, process: psutil.Process) -> dict[str, Any]:
    """Wait for what a refresh has to tell, and add the most bytes that lay in a folder meanwhile; or an `error`."""
    disk, rss, waited = 0, 0, 0
    while not line.poll(1.0):
        waited += 1
        disk = max(disk, _bytes_below(folder))
        with suppress(psutil.Error):  # it has just ended
            rss = max(rss, process.memory_info().rss)
        if waited > _LIMIT_S:
            return {"error": f"stopped after {_LIMIT_S:,} s"}
    try:
        told: dict[str, Any] = line.recv()
    except EOFError:
        return {"error": "its process was killed, most likely for want of memory"}
    if "rss_mib" in told:
        told["rss_mib"] = max(told["rss_mib"], rss >> 20)
    return told | {"disk": max(disk, _bytes_below(folder))}


def _refresh_and_tell(line: Any, shop: Path) -> None:
    os.environ["ENDCAP__ENGINE__MEMORY_LIMIT"] = _GROWING_MEMORY
    try:
        cost, _ = refreshed(shop, VERBS)
    except Exception as error:
        line.send({"error": f"the refresh failed: {str(error).splitlines()[0]}"})
        raise
    # Of each step, by its own meter, which has the system forget the peak of the step before.
    with closing(sqlite3.connect(f"file:{shop / 'endcap.db'}?mode=ro", uri=True)) as catalog:
        steps = catalog.execute("SELECT step, max(peak_rss_bytes) FROM attempt GROUP BY step").fetchall()
    peaks_mib = {step: peak // 2**20 for step, peak in steps}
    print(f"peak memory, MiB: {peaks_mib}", file=sys.stderr, flush=True)
    line.send({"wall_s": cost.wall_s, "cpu_s": cost.cpu_s, "rss_mib": max(peaks_mib.values())})


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # removed while we looked
            continue
    return total


if __name__ == "__main__":
    sys.exit(main())
