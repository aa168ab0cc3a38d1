"""Make a simulated shop's export: the verb `simulate`."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from endcap.core.clock import days_between, next_day
from endcap.core.errors import Code, UsageError
from endcap.simulation.catalogue import make_range
from endcap.simulation.export import write_events, write_feed
from endcap.simulation.journeys import shop_along
from endcap.simulation.visits import make_visits

__all__ = ["Simulated", "simulate"]


@dataclass(frozen=True)
class Simulated:
    """What was written.

    Args:
        out: The folder.
        first_day: First UTC day.
        last_day: Last UTC day.
        num_users: Visitors.
        num_items: Items of the feed.
        num_sessions: Sessions that were started.
        num_events: Event name -> events in the files.
    """

    out: Path
    first_day: str
    last_day: str
    num_users: int
    num_items: int
    num_sessions: int
    num_events: dict[str, int]


def simulate(
    out: Path, *, days: int = 14, users: int = 1500, items: int = 200, seed: int = 7, start: str = "2026-01-01"
) -> Simulated:
    """Write the export of a simulated shop.

    Visitors have tastes, items have a skewed popularity, and each item leads to a few others (complements and
    substitutes), so that a model that learns what follows what clearly beats popularity.

    Args:
        out: A folder that does not exist yet or is empty.
        days: UTC days, 1..3660.
        users: Visitors, at least 1; each comes at least once.
        items: Items, at least 10.
        seed: The same arguments give the same bytes.
        start: First day, YYYY-MM-DD.

    Raises:
        UsageError: An argument is out of its range, or `out` holds something already or cannot be made.
    """
    out = out.absolute()
    last = _check(out, days=days, users=users, items=items, seed=seed, start=start)
    goods = make_range(items, np.random.default_rng([seed, 1]))
    visits = make_visits(users, days, start, np.random.default_rng([seed, 2]))
    log = shop_along(goods, visits, np.random.default_rng([seed, 3]))
    # Made beside and renamed at the end: a killed simulation leaves no folder that looks complete.
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"the folder cannot be made: {error.strerror}", where=str(out), fix="name another folder", code=Code.USAGE
        ) from error
    write_feed(part / "catalog.tsv", goods)
    counts = write_events(part, log, goods, visits, days=days_between(start, last))
    part.replace(out)
    return Simulated(out, start, last, users, items, len(visits.user), counts)


def _check(out: Path, *, start: str, **numbers: int) -> str:  # returns the last day, which is needed to check the first
    """Refuse arguments that make no shop; return the last day."""
    for name, low in (("days", 1), ("users", 1), ("items", 10), ("seed", 0)):
        if numbers[name] < low:
            raise UsageError(
                f"{name} is {numbers[name]}, the least is {low}", fix=f"give at least {low}", code=Code.USAGE
            )
    try:
        last = next_day(start, numbers["days"] - 1)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"'{start}' with {numbers['days']} days is no range of days",
            fix="write the first day as YYYY-MM-DD",
            code=Code.USAGE,
        ) from error
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(
            "there is something in the folder already",
            where=str(out),
            fix="name another folder or remove this one",
            code=Code.USAGE,
        )
    return last
