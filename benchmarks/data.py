"""The data path: against SQL written by hand, how fast and in how much memory by size, and what one more day costs.

`python -m benchmarks.data [--quick] [--out FILE]`. All by DuckDB with 4 GB of memory and every core.

- `ratio_to_sql`: the rooms' own functions (read, `identify_events`, contracts, `sessionize`, write to Delta) over
  `by_hand.sql` (the same events and sessions by one script, written as Parquet), interleaved, on a log of clicks that
  names its users by keys. `pipeline_over_sql`: a whole refresh by `ingest` and `sessionize` over the same script; it
  also judges every row, hashes users, counts what became of each row, finds items and exposures, checks and digests
  what it writes, and keeps the ledger. That all three make the same events and sessions is checked.
- `events_per_s_Nm`, `rss_mib_Nm`, `disk_gib_Nm`: a log of N million rows, a million a day, each an event of one item
  (one in a hundred is a copy), through the same two verbs in a process of its own: rows a second, peak memory, peak
  disk of log, shop and spill. One pass. `cost_growth`: seconds a row of the larger over those of the smaller.
- `incremental_over_day`: see `one_more_day`; through `featurize`, on a simulated shop that logs lists of 20.
"""

import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.click_log import make_click_log
from benchmarks.data_path import MEMORY, by_hand, by_refresh, by_rooms, make_shop, refreshed, sums_of
from benchmarks.one_more_day import one_more_day
from benchmarks.report import arguments, report
from endcap.flows.shop import USER_KEY_VARIABLE

_REPEATS = 5
_A_DAY = 1_000_000
_SIZES = (1, 10, 100)
_QUICK_SIZES = (1, 3)
_LIMIT_S = 3 * 3_600
_GIB = 1 << 30
_BAR = 1.5


def main() -> int:
    """Measure and report; the exit code is 1 where one more day costs more than it may."""
    options = arguments(__doc__)
    os.environ |= {USER_KEY_VARIABLE: "5e" * 32, "ENDCAP__ENGINE__MEMORY_LIMIT": MEMORY}
    unmeasured: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = _told(_against_sql(folder / "sql", rows=1_000_000 if options.quick else 5_000_000))
        figures |= _told(_by_size(folder, _QUICK_SIZES if options.quick else _SIZES, unmeasured))
        size = {"history_days": 30, "visitors": 22_000} if options.quick else {"history_days": 90, "visitors": 430_000}
        figures |= one_more_day(folder / "days", repeats=_REPEATS, **size)
    report("data", figures, options, unmeasured=unmeasured)
    # A fifth of slack, as machines are noisy.
    return 1 if figures["incremental_over_day"] > 1.2 * _BAR else 0


def _told(figures: dict[str, Any]) -> dict[str, Any]:
    print(figures, file=sys.stderr, flush=True)
    return figures


def _against_sql(folder: Path, *, rows: int) -> dict[str, Any]:
    """Compare SQL by hand with the rooms' functions and with a whole refresh, turn by turn on one log of five days."""
    log, ways = folder / "log", (by_hand, by_rooms, by_refresh)
    events = make_click_log(log, days=5, rows_a_day=rows // 5)
    costs: list[list[Any]] = []
    for turn in range(_REPEATS):
        costs.append([way(log, folder / str(turn) / way.__name__) for way in ways])
        took = ", ".join(f"{way.__name__} {cost.wall_s:.2f} s" for way, cost in zip(ways, costs[-1], strict=True))
        print(f"turn {turn}: {took}", file=sys.stderr, flush=True)
        sums = [sums_of(folder / str(turn) / way.__name__) for way in ways]
        if any(each != sums[0] or each["events"] != events for each in sums):
            raise SystemExit(f"the three do not make the same of {events:,} events: {sums}")
        shutil.rmtree(folder / str(turn))
    found: dict[str, Any] = {"sql_rows": rows, "sql_sessions": sums[0]["sessions"]}
    found["sql_by_hand_s"] = round(statistics.median(each[0].wall_s for each in costs), 2)
    for place, name in ((1, "ratio_to_sql"), (2, "pipeline_over_sql")):
        for unit, key in (("wall_s", name), ("cpu_s", f"cpu_{name}")):
            ratios = [getattr(each[place], unit) / getattr(each[0], unit) for each in costs]
            found |= {key: statistics.median(ratios), f"{key}_min": min(ratios), f"{key}_max": max(ratios)}
    return {key: round(value, 2) for key, value in found.items()}


def _by_size(folder: Path, sizes: tuple[int, ...], unmeasured: dict[str, str]) -> dict[str, Any]:
    """Take figures of growing logs; say why of those that there are none of."""
    figures: dict[str, Any] = {}
    costs: dict[int, float] = {}
    for size in sorted({*sizes, *_SIZES}):
        why = "--quick takes none of this size" if size not in sizes else _too_little_disk(folder, size, figures)
        found: dict[str, Any] = {}
        if not why:
            found, why = _one_size(folder / f"{size}m", size)
        if why:
            unmeasured |= {f"{name}_{size}m": why for name in ("events_per_s", "rss_mib")}
        else:
            costs[size] = 1 / found[f"events_per_s_{size}m"]
        figures |= _told(found)
    for smaller, larger in sorted({sizes[-2:], _SIZES[-2:]}):
        if smaller in costs and larger in costs:
            figures[f"cost_growth_{larger}m_over_{smaller}m"] = round(costs[larger] / costs[smaller], 2)
        else:
            missing = larger if larger not in costs else smaller
            unmeasured[f"cost_growth_{larger}m_over_{smaller}m"] = f"there is no figure of {missing} M rows, see there"
    return figures


def _too_little_disk(folder: Path, size: int, figures: dict[str, Any]) -> str:
    """Return why a size is not even tried: from what a smaller one took, its disk would not do; "" if it would."""
    known = {other: figures[f"disk_gib_{other}m"] for other in _SIZES if f"disk_gib_{other}m" in figures}
    needed = max((taken * size / other for other, taken in known.items()), default=0.0)
    free = shutil.disk_usage(folder).free / _GIB
    return f"it would take {needed:.0f} GiB of disk, {free:.0f} GiB are free" if needed > 0.8 * free else ""


def _one_size(folder: Path, size: int) -> tuple[dict[str, Any], str]:
    """Refresh a shop of so many million rows in a process of its own; return figures, or why there are none."""
    rows = size * 1_000_000
    make_click_log(folder / "log", days=rows // _A_DAY, rows_a_day=_A_DAY)
    make_shop(folder / "shop", folder / "log")
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_refresh_and_tell, args=(far, folder / "shop"))
    process.start()
    far.close()  # so that a process that dies is heard of
    told = _heard(near, folder)
    process.kill()  # has ended, but for one that took too long
    process.join()
    shutil.rmtree(folder)
    if "error" in told:
        return {}, told["error"]
    figures = {"events_per_s": round(rows / told["wall_s"]), "rss_mib": told["rss_mib"]}
    figures["disk_gib"] = round(told["disk"] / _GIB, 2)
    return {f"{name}_{size}m": value for name, value in figures.items()}, ""


def _heard(line: Any, folder: Path) -> dict[str, Any]:
    """Wait for what a refresh has to tell, and add the most bytes that lay in a folder meanwhile; or an `error`."""
    disk, waited = 0, 0
    while not line.poll(1.0):
        waited += 1
        disk = max(disk, _bytes_below(folder))
        if waited > _LIMIT_S:
            return {"error": f"stopped after {_LIMIT_S:,} s"}
    try:
        told: dict[str, Any] = line.recv()
    except EOFError:
        return {"error": "its process was killed, most likely for want of memory"}
    return told | {"disk": max(disk, _bytes_below(folder))}


def _refresh_and_tell(line: Any, shop: Path) -> None:
    try:
        cost, _ = refreshed(shop, ("ingest", "sessionize"))
    except Exception as error:
        line.send({"error": f"the refresh failed: {str(error).splitlines()[0]}"})
        raise
    # Not getrusage: a process that was started by a big one begins with its peak.
    status = dict(each.split(":", 1) for each in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    peak_mib = int(status["VmHWM"].split()[0]) // 1024
    line.send({"wall_s": cost.wall_s, "rss_mib": peak_mib})


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
