"""The Google Merchandise Store's export as sessions of views, carts and purchases, with the feed beside the items."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from endcap.core.sequences import Catalogue
from endcap.flows.interactions import Interactions, read_interactions

__all__ = ["COLUMNS", "SPLIT_DAY", "read_gmerch", "write_events"]

SPLIT_DAY = "2016-09-15"
"""First UTC day of the test."""

COLUMNS = {"user": "cookie", "item": "item", "time": "at_us", "session": "session", "event": "event"}
"""Role -> column of the flat file."""

_EVENTS = """
copy (
    select user_pseudo_id as cookie, event_timestamp as at_us, event_name as event, unnest(items).item_id as item,
        list_filter(event_params, lambda each: each.key = 'ga_session_id')[1].value.int_value as session
    from read_parquet($files)
    where event_name in ('view_item', 'add_to_cart', 'purchase')
) to '{target}' (format parquet)
"""
_CATALOGUE = "select id, title, product_type, brand, price from read_csv($file, delim = '\t', all_varchar = true)"


def write_events(folder: Path, target: Path) -> None:
    """Flatten the nested export into a Parquet file of one row an event x item.

    Args:
        folder: `gmerch_ga4` of the data.
        target: The file.
    """
    with duckdb.connect() as connection:
        connection.execute(_EVENTS.format(target=target), {"files": str(folder / "events_*.parquet")})


def read_gmerch(folder: Path) -> Interactions:
    """Flatten the nested export into one row an event x item, and read it as sessions.

    Args:
        folder: `gmerch_ga4` of the data.
    """
    with TemporaryDirectory() as scratch:
        target = Path(scratch) / "events.parquet"
        write_events(folder, target)
        found = read_interactions(target, **COLUMNS)
    return replace(found, catalogue=_with_content(found.catalogue, folder / "catalog.tsv"))


def _with_content(catalogue: Catalogue, feed: Path) -> Catalogue:
    """Put the feed's titles, categories, brands and prices beside the items."""
    with duckdb.connect() as connection:
        rows = connection.execute(_CATALOGUE, {"file": str(feed)}).fetchall()
    told = {row[0]: [each or "" for each in row[1:]] for row in rows}
    content = [told.get(item, ["", "", "", ""]) for item in catalogue.item_ids]
    return replace(
        catalogue,
        titles=tuple(each[0] for each in content),
        categories=tuple(each[1] for each in content),
        brands=tuple(each[2] for each in content),
        prices=tuple(_minor(each[3]) for each in content),
    )


def _minor(price: str) -> int:
    """Return a feed's price ("15.00 USD") in minor units, -1 where there is none."""
    amount = price.split(" ", maxsplit=1)[0]
    return round(float(amount) * 100) if amount else -1
