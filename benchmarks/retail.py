"""The orders of online_retail as baskets: one row an order x item, at the instant of the order's first line."""

from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from endcap.flows.interactions import Interactions, read_interactions

__all__ = ["SPLIT_DAY", "read_retail"]

SPLIT_DAY = "2011-06-01"
"""First UTC day of the test."""

# Orders of known customers without returns and without what is no product (postage, fees, tests).
_LINES = """
copy (
    select customer_id as customer, invoice, stock_code as item, min(min(ts)) over (partition by invoice) as begun
    from read_parquet($files)
    where quantity > 0 and not starts_with(invoice, 'C') and customer_id is not null
        and regexp_full_match(stock_code, '[0-9]{{5}}[A-Za-z]*')
    group by customer_id, invoice, stock_code
) to '{target}' (format parquet)
"""


def read_retail(folder: Path) -> Interactions:
    """Read the orders, each a sequence.

    Args:
        folder: `online_retail` of the data.
    """
    with TemporaryDirectory() as scratch, duckdb.connect() as connection:
        target = Path(scratch) / "lines.parquet"
        connection.execute(_LINES.format(target=target), {"files": str(folder / "*.parquet")})
        return read_interactions(target, user="customer", item="item", time="begun", session="invoice")
