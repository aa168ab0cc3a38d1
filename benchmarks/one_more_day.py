"""What one more day costs a shop with a history, against a shop that has that day alone."""

import os
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.data_path import CLOCK, VERBS, Cost, refreshed
from endcap.core.clock import next_day
from endcap.core.tables import EVENTS
from endcap.flows.flow import StepReport
from endcap.flows.init import init_shop
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.stores.adapters.delta import DeltaTables

__all__ = ["one_more_day"]

_AT_ONCE_DAYS = 10
_SOURCE = "../export"  # from the shop, so that a copy of both reads its own


def one_more_day(folder: Path, *, history_days: int, visitors: int, repeats: int) -> dict[str, Any]:
    """Refresh a simulated shop of some days, then as often as wanted a copy of it and a new shop, each by a last day.

    Both are refreshed from the export to examples, turn by turn in this process; copying is not counted.

    Args:
        folder: An empty folder.
        history_days: Days before the last one.
        visitors: Of the world (preset small); each makes some 480 rows in 90 days.
        repeats: Turns.
    """
    world = make_world("small", days=history_days + 1, visitors=visitors)
    made = simulate(world, folder / "world", Popular(), workers=min(os.cpu_count() or 1, 8))
    last = made.last_day.replace("-", "")
    history = folder / "history"
    _export(made.export, history / "export", lambda day: day != last)
    _make(history)
    _tell("history", *_through(history / "shop", world.start, history_days))
    turns = [_turn(folder, made.export, last, is_alone_first=turn % 2 == 0) for turn in range(repeats)]
    wall, cpu = ([getattr(more, unit) / getattr(alone, unit) for alone, more in turns] for unit in ("wall_s", "cpu_s"))
    return {
        "incremental_history_days": history_days,
        "incremental_rows_of_the_day": _rows(folder / "alone" / "shop", made.last_day),
        **_spread("incremental_over_day", wall),
        **_spread("incremental_cpu_over_day", cpu),
        "incremental_day_alone_s": round(statistics.median(alone.wall_s for alone, _ in turns), 2),
        "incremental_one_more_day_s": round(statistics.median(more.wall_s for _, more in turns), 2),
    }


def _turn(folder: Path, export: Path, last: str, *, is_alone_first: bool) -> tuple[Cost, Cost]:
    """Return what the last day costs a shop that has it alone, and what it costs a copy of the one with a history."""
    alone, more = folder / "alone", folder / "more"
    for place in (alone, more):
        shutil.rmtree(place, ignore_errors=True)
    _export(export, alone / "export", lambda day: day == last)
    _make(alone)
    # Files of data never change, so a link is as good as a copy, and keeps the time by which a refresh knows them.
    shutil.copytree(folder / "history", more, copy_function=_copied)
    idle = [step.step for step in refreshed(more / "shop", VERBS)[1] if step.state != "unchanged"]
    if idle:
        raise SystemExit(f"a copy of the shop is no copy to a refresh, which did {', '.join(idle)} again")
    _export(export, more / "export", lambda day: day == last)
    costs = {place: refreshed(place / "shop", VERBS) for place in ((alone, more) if is_alone_first else (more, alone))}
    _tell("alone", *costs[alone])
    _tell("one more", *costs[more])
    day = f"{last[:4]}-{last[4:6]}-{last[6:]}"
    if _rows(alone / "shop", day) != _rows(more / "shop", day):
        raise SystemExit("the last day has other events after a history than alone")
    return costs[alone][0], costs[more][0]


def _through(shop: Path, first: str, days: int) -> tuple[Cost, list[StepReport]]:
    """Refresh a shop some days at a time, so that its history needs neither the memory nor the disk of one go."""
    costs, reports = [], []
    for end in [*range(_AT_ONCE_DAYS, days, _AT_ONCE_DAYS), days]:
        cost, told = refreshed(shop, VERBS, through=next_day(first, end - 1))
        costs.append(cost)
        reports += told
    return Cost(sum(each.wall_s for each in costs), sum(each.cpu_s for each in costs)), reports


def _export(source: Path, folder: Path, wanted: Any) -> None:
    """Link the files of some days, and the catalogue, into an export of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        day = path.name[7:15] if path.name.startswith("events_") else ""
        if path.is_file() and (wanted(day) if day else not (folder / path.name).exists()):
            os.link(path, folder / path.name)


def _make(place: Path) -> None:
    init_shop(place / "shop", source=place / "export", clock=CLOCK)
    config = place / "shop" / "endcap.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(str((place / "export").resolve()), _SOURCE), encoding="utf-8")


def _copied(source: str, target: str) -> None:
    if source.endswith(".parquet"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _rows(shop: Path, day: str) -> int:
    files = DeltaTables(shop / "lake").files(EVENTS, [day])
    with duckdb.connect() as connection:
        return int(connection.execute("SELECT count(*) FROM read_parquet(?)", [files]).fetchall()[0][0])


def _tell(name: str, cost: Cost, steps: list[StepReport]) -> None:
    """Say what each step took, and how many partitions it did."""
    seconds: dict[str, float] = {}
    partitions: dict[str, int] = {}
    for each in steps:
        seconds[each.step] = seconds.get(each.step, 0.0) + each.seconds
        partitions[each.step] = partitions.get(each.step, 0) + each.partitions
    told = ", ".join(f"{step} {took:.2f} ({partitions[step]})" for step, took in seconds.items())
    print(f"{name}: {cost.wall_s:.2f} s, {cost.cpu_s:.2f} s of CPU: {told}", file=sys.stderr, flush=True)


def _spread(name: str, values: list[float]) -> dict[str, float]:
    found = {name: statistics.median(values), f"{name}_min": min(values), f"{name}_max": max(values)}
    return {key: round(value, 2) for key, value in found.items()}
