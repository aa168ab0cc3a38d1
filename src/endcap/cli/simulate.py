"""`endcap simulate`."""

from pathlib import Path

from endcap.cli.table import table
from endcap.simulation.shop import simulate

__all__ = ["simulate_verb"]


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
    made = simulate(out, days=days, users=users, items=items, seed=seed, start=start)
    print(table(["event", "events"], sorted(made.num_events.items(), key=lambda pair: -pair[1])))
    print(f"{made.first_day} to {made.last_day}: {made.num_sessions:,} sessions, in {out}")
    print(f"next: `endcap init my-shop --source {out}`")
