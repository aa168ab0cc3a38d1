"""A made log of clicks, as many rows as are wanted: what the benchmark of the data path reads.

One Parquet file a day, one row an event with one item, as a shop with a tracker of its own would hand it over. One row
in a hundred is a copy of the row before it. The same numbers give the same rows.
"""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from endcap.core.clock import day_start_us, next_day

__all__ = ["CLICK_COLUMNS", "FIRST_DAY", "make_click_log"]

FIRST_DAY = "2026-01-01"

CLICK_COLUMNS = {
    "time": "event_timestamp",
    **{
        name: name
        for name in (
            *("event_id", "event_name", "user_id", "item_id", "price", "quantity", "transaction_id", "country"),
            "device_category",
        )
    },
}
"""Which column of a log is what, as `init` is told."""
_LONGEST = 15  # events of a session; with at most 79 s between them none lasts longer than 20 minutes
_LAST_START_US = int(23.5 * 3_600 * 1_000_000)  # so that a day's sessions end on it
_COPIES = 0.01
_ITEMS = 50_000
_NAMES = ("view_item", "select_item", "add_to_cart", "purchase")
_SHARES = (0.86, 0.04, 0.08, 0.02)

# Texts are made where it is fast; md5 only spreads the ids as those of a real tracker are.
_AS_EXPORTED = """
    SELECT md5('event ' || number) AS event_id, at_us AS event_timestamp,
        ['view_item', 'select_item', 'add_to_cart', 'purchase'][name + 1] AS event_name,
        md5('visitor ' || visitor)[:16] AS user_id, 'sku-' || item AS item_id,
        (100 + hash(item) % 9900)::DOUBLE / 100 AS price, CASE name WHEN 3 THEN 1 + number % 3 ELSE 1 END AS quantity,
        CASE name WHEN 3 THEN 'order-' || number END AS transaction_id,
        ['US', 'GB', 'DE', 'FR'][visitor % 4 + 1] AS country, ['mobile', 'desktop'][visitor % 2 + 1] AS device_category
    FROM day
"""


def make_click_log(folder: Path, *, days: int, rows_a_day: int, seed: int = 7) -> int:
    """Write a log.

    Args:
        folder: Of the files; made.
        days: UTC days from FIRST_DAY on, a file each.
        rows_a_day: Rows of each file.
        seed: Of all draws.

    Returns:
        Its events: rows without copies.
    """
    folder.mkdir(parents=True)
    events = 0
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        for number in range(days):
            day = next_day(FIRST_DAY, number)
            table = _numbers(day_start_us(day), rows_a_day, number * rows_a_day, np.random.default_rng((seed, number)))
            events += len(np.unique(table["number"].to_numpy()))
            connection.register("day", table)
            path = str(folder / f"clicks_{day.replace('-', '')}.parquet")
            connection.sql(_AS_EXPORTED).write_parquet(path, compression="zstd")
    return events


def _numbers(start_us: int, rows: int, first: int, rng: np.random.Generator) -> pa.Table:
    """Return a day's rows as numbers; a visitor comes about once in ten days, and few items have most of the events."""
    lengths = rng.integers(1, _LONGEST + 1, size=2 * rows // _LONGEST + 100)
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), rows)) + 1]
    session = np.repeat(np.arange(len(lengths)), lengths)[:rows]
    opens = np.r_[True, session[1:] != session[:-1]]
    began_us = rng.integers(0, _LAST_START_US, size=len(lengths))
    step_us = np.where(opens, 0, rng.integers(1_000_000, 79_000_000, size=rows))
    since_us = np.cumsum(step_us)
    number = first + np.arange(rows)
    is_copy = ~opens & (rng.random(rows) < _COPIES)
    is_copy[1:] &= ~is_copy[:-1]
    source = np.where(is_copy, np.arange(rows) - 1, np.arange(rows))
    columns = {
        "number": number,
        "at_us": start_us + began_us[session] + since_us - since_us[opens][session],
        "visitor": rng.integers(0, 10 * len(lengths), size=len(lengths))[session],
        "item": (_ITEMS * rng.random(rows) ** 3).astype(np.int64),
        "name": rng.choice(len(_NAMES), size=rows, p=_SHARES),
    }
    return pa.table({name: values[source] for name, values in columns.items()})
