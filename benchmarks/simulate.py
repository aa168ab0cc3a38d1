"""The simulated shop: how fast a world is made, in how much memory, is it like real shops, and is its truth true?

`python -m benchmarks.simulate [--quick] [--out FILE]`. One core. Ratios are medians of interleaved repeats in one run.
"""

import multiprocessing
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.report import arguments, report
from endcap.simulation.block import LawsOfWeeks
from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.crew import Crew, together
from endcap.simulation.in_memory import live
from endcap.simulation.policies import Popular, Random, Split
from endcap.simulation.settings import World, make_world
from endcap.simulation.shop import simulate
from endcap.simulation.stock import Till, close_day, first_shelves
from endcap.simulation.tastes import make_tastes
from endcap.simulation.value import value_of

_REPEATS = 5
_ORGANIC = ("view_item", "add_to_cart", "paid_lines")
_NORMAL_999 = 3.2905  # standard errors of the 99.9 % region


def main() -> int:
    """Measure and report; the exit code is 1 where a bar on truth or a ratio is missed."""
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
    missed = _missed(figures)
    print("\n".join(missed), file=sys.stderr, flush=True)
    return 1 if missed else 0


def _missed(figures: dict[str, Any]) -> list[str]:
    """Return which bars are missed; those on ratios of times have a fifth of slack, as machines are noisy."""
    bars = {
        "the intervals of lifts hold the exact ones in a share of 0.95": (
            figures["lift_coverage_low"] <= figures["lift_coverage"] <= figures["lift_coverage_high"]
        ),
        "lifts are right in the mean": abs(figures["lift_bias_z"]) < _NORMAL_999,
        "a world is written at half the speed of bare writing": figures["end_to_end_over_bare_writing"] >= 0.8 * 0.5,
        "an event of a larger world takes as long": figures["seconds_per_event_growth_8x"] <= 1.2,
        "four times the days and visitors need little more memory": (
            figures["rss_mib"] <= 1.5 * figures["rss_mib_a_quarter_of_the_days"]
        ),
    }
    return [f"missed: {bar}" for bar, is_held in bars.items() if not is_held]


def _tell(figures: dict[str, Any]) -> None:
    print(figures, file=sys.stderr, flush=True)


def _speed(world: World, suffix: str, *, repeats: int) -> dict[str, Any]:
    """Time how fast days are lived; also count what there is in the log."""
    rates, counts = [], dict.fromkeys((*_ORGANIC, "lists"), 0)
    for _ in range(repeats):
        counts = dict.fromkeys(counts, 0)
        days = live(world, Popular())
        began = time.perf_counter()
        for each in days:
            made = each.lived.made
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
        evening = together(twin.day(number, shelves, None, Till(shelves).ask))
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
    far.close()  # so that a process that dies is heard of
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
    days = live(world, Popular())
    began = time.perf_counter()
    for each in days:
        made = each.lived.made
        events += int((made.item >= 0).sum() + made.is_carted.sum() + made.lines.is_paid.sum())
    return (time.perf_counter() - began) / events


def _coverage(*, worlds: int) -> dict[str, Any]:
    """How often does the 95 % interval of an experiment's lift hold the exact lift, over worlds of different seeds?"""
    held, low, off, variance = 0, 0, 0.0, 0.0
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
        off, variance = off + lift - exact, variance + error**2
    half = _NORMAL_999 * np.sqrt(0.95 * 0.05 / worlds)
    return {
        "lift_worlds": worlds,
        "lift_coverage": held / worlds,
        "lift_coverage_low": round(0.95 - half, 4),
        "lift_coverage_high": round(0.95 + half, 4),
        "lift_missed_below": low / worlds,
        "lift_bias_z": round(float(off / np.sqrt(variance)), 2),
    }


def _clicks_by_visitor(world: World, policy: Split) -> tuple[np.ndarray, np.ndarray]:
    clicks = np.zeros(world.visitors)
    for each in live(world, policy):
        made = each.lived.made
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
