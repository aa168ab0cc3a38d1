"""What of a shop is looked at for leaks: its tables, and a sample of their keys by a hash, the same at every look."""

from dataclasses import dataclass
from typing import Any

import ibis

from endcap.core.clock import DAY_US, day_start_us
from endcap.engines.port import Engine

__all__ = ["NUM_ITEMS", "NUM_USERS", "ShopTables", "day_number", "rows_of", "sample"]

NUM_USERS = 1_500
"""Users whose features, histories, contexts and labels are made anew. 1,500: some seconds, and thousands of rows."""

NUM_ITEMS = 25
"""Items whose features are made anew. 25: each has a row on every day, and an item's rows are many."""

_SALT = "leakage"


@dataclass(frozen=True)
class ShopTables:
    """The tables of one shop that models learn from, and those they are made of. Each under its contract.

    Args:
        events: EVENTS of all days.
        items: ITEMS, all versions.
        sessions: SESSIONS.
        exposures: EXPOSURES.
        user_features: USER_FEATURES.
        item_features: ITEM_FEATURES.
        sequences: SEQUENCES.
        examples: EXAMPLES.
    """

    events: ibis.Table
    items: ibis.Table
    sessions: ibis.Table
    exposures: ibis.Table
    user_features: ibis.Table
    item_features: ibis.Table
    sequences: ibis.Table
    examples: ibis.Table


def sample(engine: Engine, table: ibis.Table, column: str, count: int) -> ibis.Table:
    """Return the `count` different ids of a column whose hashes are least, materialised, in a column `column`.

    More rows or another order of them change the sample only as far as new ids come in.
    """
    ids = table.select(column).distinct()
    rank = (ids[column] + _SALT).hexdigest("sha256")
    return engine.materialise(ids.mutate(rank=rank).order_by(["rank", column]).limit(count).select(column))


def rows_of(engine: Engine, table: ibis.Table, *columns: str) -> list[dict[str, Any]]:
    """Compute some columns of a table as plain rows."""
    rows: list[dict[str, Any]] = engine.to_arrow(table.select(*columns) if columns else table).to_pylist()
    return rows


def day_number(day: str) -> int:
    """Return whole days from 1970-01-01 to a day.

    >>> day_number("1970-01-03")
    2
    """
    return day_start_us(day) // DAY_US
