"""`endcap simulate`."""

from pathlib import Path
from typing import Any

from endcap.cli.table import table
from endcap.core.clock import system_clock
from endcap.governance.access import Action, Resource, local_actor, require
from endcap.governance.audit import KeptInMemory
from endcap.simulation.shop import Simulated, simulate

__all__ = ["make_export", "simulate_verb"]


def simulate_verb(
    out: Path, *, days: int = 14, users: int = 1500, items: int = 200, seed: int = 7, start: str = "2026-01-01"
) -> None:
    """Write the export of a simulated shop: a GA4 export in Parquet, one file a day, and a Merchant feed.

    Args:
        out: Folder to make.
        days: How many days.
        users: How many visitors.
        items: How many items.
        seed: The same arguments and seed write the same bytes.
        start: First day, YYYY-MM-DD.
    """
    made = make_export(out, days=days, users=users, items=items, seed=seed, start=start)
    print(table(["event", "events"], sorted(made.num_events.items(), key=lambda pair: -pair[1])))
    print(f"{made.first_day} to {made.last_day}: {made.num_sessions:,} sessions, in {out}")
    print(f"next: `endcap init my-shop --source {out}`")


def make_export(out: Path, **shape: Any) -> Simulated:
    """Simulate a shop's export for whoever may; there is no shop yet that could keep an audit log.

    Args:
        out: Folder to make.
        shape: See `simulation.shop.simulate`.
    """
    require(local_actor(), Action.SHOP_SIMULATE, Resource(name="export"), audit=KeptInMemory(), at_us=system_clock())
    return simulate(out, **shape)
