"""The simulated shop: how fast a world is made, in how much memory, is it like real shops, and is its truth true?

`python -m benchmarks.simulate [--quick] [--out FILE]`. One core. Ratios are medians of interleaved repeats in one run.
"""

import multiprocessing
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.report import arguments, report
from endcap.simulation.block import Block, DayOfBlock, LawsOfWeeks
from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.crew import Crew, together
from endcap.simulation.journeys import Day
from endcap.simulation.policies import Popular, Random, Split
from endcap.simulation.settings import World, make_world
from endcap.simulation.shop import simulate
from endcap.simulation.stock import allotted, close_day, first_shelves, open_day
from endcap.simulation.tastes import make_tastes
from endcap.simulation.value import value_of

_REPEATS = 5
_ORGANIC = ("view_item", "add_to_cart", "paid_lines")
_BINOMIAL_999 = 3.2905  # standard errors of the 99.9 % region


def main() -> int:
    """Measure and report; the exit code is 1 where intervals do not hold the exact lift as often as they should."""
    options = arguments(__doc__)
    figures: dict[str, Any] = {}
    figures |= _speed(make_world("otto", scale=0.01 if options.quick else 0.05), "", repeats=_REPEATS)
    figures |= _speed(make_world("retailrocket"), "_retailrocket", repeats=1 if options.quick else 3)
    _tell(figures)
    figures |= _end_to_end(make_world("small", days=10 if options.quick else 30))
    figures |= _memory(quick=options.quick)
    figures |= _linear(make_world("otto", scale=0.002))
    _tell(figures)
    figures |= _coverage(worlds=1_000)
    report("simulate", figures, options)
    # Only what does not depend on how busy the machine is: speeds are for reading.
    return 0 if figures["lift_coverage_low"] <= figures["lift_coverage"] <= figures["lift_coverage_high"] else 1


def _tell(figures: dict[str, Any]) -> None:
    print(figures, file=sys.stderr, flush=True)


def _lived(world: World) -> Iterator[DayOfBlock]:
    """Live through a world's days in memory: visitors, their pages, carts and orders, no export."""
    goods = make_catalogue(world)
    tastes = make_tastes(world, goods)
    laws = LawsOfWeeks(world, goods, tastes)
    blocks = [Block(world, goods, tastes, number, Popular()) for number in range(-(-world.visitors // world.block))]
    shelves = first_shelves(world, tastes, laws.of_day(0))
    for number in range(world.days):
        morning: Day = open_day(world, laws.of_day(number), shelves, number)
        sold = came_back = viewed = np.zeros(world.items, np.int64)
        for block in blocks:
            lived = block.live(replace(morning, left=allotted(world, shelves, number, block.people.block)))
            sold, came_back = sold + lived.sold(world.items), came_back + lived.came_back(world.items)
            viewed = viewed + lived.viewed(world.items)
            yield lived
        close_day(world, shelves, number, sold=sold, came_back=came_back, viewed=viewed)


def _speed(world: World, suffix: str, *, repeats: int) -> dict[str, Any]:
    """Time how fast days are lived; also count what there is in the log."""
    rates, counts = [], dict.fromkeys((*_ORGANIC, "lists"), 0)
    for _ in range(repeats):
        counts = dict.fromkeys(counts, 0)
        days = _lived(world)
        began = time.perf_counter()
        for lived in days:
            made = lived.made
            counts["view_item"] += int((made.item >= 0).sum())
            counts["add_to_cart"] += int(made.is_carted.sum())
            counts["paid_lines"] += int(made.lines.is_paid.sum())
            counts["lists"] += int(made.is_list.sum())
        rates.append(sum(counts[name] for name in _ORGANIC) / (time.perf_counter() - began))
    told = {f"organic_{name}{suffix or '_otto'}": count for name, count in counts.items()}
    return {**_spread(f"organic_events_per_s{suffix}", rates, digits=0), **told}


def _end_to_end(world: World) -> dict[str, Any]:
    """Time a whole world with its impressions, feeds and truth on disk, against pyarrow writing the same rows."""
    tables = _tables(world)
    rows = sum(len(table.column("items").combine_chunks().flatten()) for day in tables for table in day)
    with tempfile.TemporaryDirectory() as folder:
        whole, bare, plain = [], [], []
        _write(Path(folder) / "words", tables)
        words = [[pq.read_table(path)] for path in sorted((Path(folder) / "words").iterdir())]
        for turn in range(_REPEATS):
            here = Path(folder) / str(turn)
            here.mkdir()
            whole.append(_seconds(partial(simulate, world, here / "shop", Popular())))
            bare.append(_seconds(partial(_write, here / "bare", tables)))
            plain.append(_seconds(partial(_write, here / "plain", words)))
            shutil.rmtree(here)
    return {
        "end_to_end_rows": rows,
        **_spread("end_to_end_rows_per_s", [rows / seconds for seconds in whole], digits=0),
        **_spread("end_to_end_over_bare_writing", _ratios(bare, whole), digits=3),
        **_spread("end_to_end_over_writing_plain_words", _ratios(plain, whole), digits=3),
    }


def _ratios(above: list[float], below: list[float]) -> list[float]:
    return [one / other for one, other in zip(above, below, strict=True)]


def _tables(world: World) -> list[list[pa.Table]]:
    """Return the rows of all files, in memory, as the simulator hands them to pyarrow."""
    goods = make_catalogue(world)
    tastes = make_tastes(world, goods)
    shelves = first_shelves(world, tastes, LawsOfWeeks(world, goods, tastes).of_day(0))
    crew, twin = Crew(world, Popular(), [0]), Crew(world, Popular(), [0])
    days = []
    for number in range(world.days):
        days.append(crew.rows(number, shelves)[0])
        evening = together(twin.day(number, shelves, None))
        close_day(world, shelves, number, sold=evening.sold, came_back=evening.came_back, viewed=evening.viewed)
    return days


def _write(folder: Path, days: list[list[pa.Table]]) -> None:
    folder.mkdir()
    for number, tables in enumerate(days):
        with pq.ParquetWriter(
            folder / f"{number:03d}.parquet", tables[0].schema, compression="zstd", store_schema=False
        ) as file:
            for table in tables:
                file.write_table(table)


def _memory(*, quick: bool) -> dict[str, Any]:
    """Measure the peak memory of a world of some days and of one of four times as many, each in its own process."""
    scale, days = (0.05, 7) if quick else (0.2, 20)
    return {"rss_mib": _peak_mib(4 * scale, 4 * days), "rss_mib_a_quarter_of_the_days": _peak_mib(scale, days)}


def _peak_mib(scale: float, days: int) -> int:
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_simulate_and_tell, args=(far, scale, days))
    process.start()
    peak: int = near.recv()
    process.join()
    return peak


def _simulate_and_tell(line: Any, scale: float, days: int) -> None:
    # As many visitors a day whatever the days are, and the same range.
    world = make_world("retailrocket", scale=scale, days=days, items=50_000, block=1 << 16)
    with tempfile.TemporaryDirectory() as folder:
        simulate(world, Path(folder) / "shop", Popular())
    # Not getrusage: a process that was started by a big one begins with its peak.
    status = dict(each.split(":", 1) for each in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    line.send(int(status["VmHWM"].split()[0]) // 1024)


def _linear(world: World) -> dict[str, Any]:
    """Compare the seconds an event of a world and of one with eight times its visitors, in blocks of one size."""
    growth = []
    for _ in range(_REPEATS):
        once = [_seconds_an_event(replace(world, visitors=world.visitors * times, block=1 << 15)) for times in (1, 8)]
        growth.append(once[1] / once[0])
    return _spread("seconds_per_event_growth_8x", growth, digits=2)


def _seconds_an_event(world: World) -> float:
    events = 0
    days = _lived(world)
    began = time.perf_counter()
    for lived in days:
        events += int((lived.made.item >= 0).sum() + lived.made.is_carted.sum() + lived.made.lines.is_paid.sum())
    return (time.perf_counter() - began) / events


def _coverage(*, worlds: int) -> dict[str, Any]:
    """How often does the 95 % interval of an experiment's lift hold the exact lift, over worlds of different seeds?"""
    held, low = 0, 0
    for seed in range(worlds):
        world = make_world("stationary", visitors=1_000, items=60, days=5, places=10, tastes=4, seed=seed)
        policy = Split(Random(), Popular(), seed)
        clicks, variant = _clicks_by_visitor(world, policy)
        groups = [clicks[variant == each] for each in (0, 1)]
        lift = groups[1].mean() - groups[0].mean()
        error = np.sqrt(sum(each.var(ddof=1) / len(each) for each in groups))
        exact = value_of(world, Popular()).clicks - value_of(world, Random()).clicks
        held += abs(lift - exact) <= 1.959964 * error
        low += exact < lift - 1.959964 * error
    half = _BINOMIAL_999 * np.sqrt(0.95 * 0.05 / worlds)
    return {
        "lift_worlds": worlds,
        "lift_coverage": held / worlds,
        "lift_coverage_low": round(0.95 - half, 4),
        "lift_coverage_high": round(0.95 + half, 4),
        "lift_missed_below": low / worlds,
    }


def _clicks_by_visitor(world: World, policy: Split) -> tuple[np.ndarray, np.ndarray]:
    goods = make_catalogue(world)
    tastes = make_tastes(world, goods)
    laws = LawsOfWeeks(world, goods, tastes)
    shelves = first_shelves(world, tastes, laws.of_day(0))
    block = Block(world, goods, tastes, 0, policy)
    clicks = np.zeros(world.visitors)
    for number in range(world.days):
        made = block.live(open_day(world, laws.of_day(number), shelves, number)).made
        clicked = made.session[made.place >= 0]
        clicks += np.bincount(made.sessions.visitor[clicked], minlength=world.visitors)
    return clicks, policy.variant(np.arange(world.visitors))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _spread(name: str, values: list[float], *, digits: int) -> dict[str, Any]:
    found = {name: statistics.median(values), f"{name}_min": min(values), f"{name}_max": max(values)}
    return {key: round(value, digits) if digits else round(value) for key, value in found.items()}


if __name__ == "__main__":
    sys.exit(main())
