"""What the shop tells of its range: a Google Merchant feed, and inventory updates in the same words.

Shapes: N items.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from endcap.simulation.catalogue import BRANDS, Catalogue
from endcap.simulation.files import whole_file
from endcap.simulation.tastes import Laws

__all__ = ["write_feed", "write_inventory"]

_TABS = pa.csv.WriteOptions(delimiter="\t", quoting_style="none", include_header=False)


def write_feed(path: Path, goods: Catalogue, laws: Laws, pieces: NDArray[np.int64]) -> None:
    """Write the range as it is sold on a day, tab-separated under the names of a Merchant feed.

    Args:
        path: The file.
        goods: The range.
        laws: Of the day's week: what is sold, and at which price.
        pieces: N pieces in stock.
    """
    sold = pa.array(np.flatnonzero(laws.is_sold))
    link = pc.binary_join_element_wise("https://shop.example", goods.item_ids, "/")
    columns = {
        "id": goods.item_ids,
        "title": goods.titles,
        "description": pc.binary_join_element_wise(goods.titles, goods.material, goods.colour, ", "),
        "product_type": pa.array(goods.categories).take(pa.array(goods.category)),
        "brand": pa.array(BRANDS).take(pa.array(goods.brand)),
        "color": goods.colour,
        "material": goods.material,
        "link": link,
        "image_link": pc.binary_join_element_wise(link, "jpg", "."),
        **_prices(goods, laws),
        "cost_of_goods_sold": _amounts(goods.cost_minor, goods.is_priced),
        "availability": _availability(pieces),
        "condition": pa.repeat("new", len(pieces)),
    }
    _write(path, pa.table(columns).take(sold))


def write_inventory(
    path: Path, goods: Catalogue, laws: Laws, pieces: NDArray[np.int64], which: NDArray[np.bool_]
) -> None:
    """Write the stock and prices of some items, as updates between two feeds.

    Args:
        path: The file.
        goods: The range.
        laws: As for `write_feed`.
        pieces: N pieces in stock.
        which: N booleans: the items that are told; of one that is no longer sold nothing is there.
    """
    there = np.where(laws.is_sold, np.maximum(pieces, 0), 0)
    columns = {
        "id": goods.item_ids,
        "availability": _availability(there),
        "quantity": pa.array(there).cast(pa.string()),
        **_prices(goods, laws),
    }
    _write(path, pa.table(columns).take(pa.array(np.flatnonzero(which))))


def _write(path: Path, rows: pa.Table) -> None:
    with whole_file(path) as part, part.open("wb") as file:
        # Arrow quotes its header whatever it is told; feeds have plain ones.
        file.write(("\t".join(rows.column_names) + "\n").encode())
        pa.csv.write_csv(rows, file, _TABS)


def _prices(goods: Catalogue, laws: Laws) -> dict[str, pa.Array]:
    """Return what an item costs, and what it costs for now where that is less."""
    is_reduced = goods.is_priced & (laws.price_minor < goods.price_minor)
    return {
        "price": _amounts(goods.price_minor, goods.is_priced),
        "sale_price": _amounts(laws.price_minor, is_reduced),
    }


def _availability(pieces: NDArray[np.int64]) -> pa.Array:
    return pa.array(("out_of_stock", "in_stock")).take(pa.array((pieces > 0).astype(np.int8)))


def _amounts(minor: NDArray[np.int64], is_told: NDArray[np.bool_]) -> pa.Array:
    """Write amounts as "15.00 USD", "" where they are not told."""
    whole, cents = np.divmod(minor, 100)
    digits = pc.utf8_lpad(pa.array(cents).cast(pa.string()), 2, "0")
    amount = pc.binary_join_element_wise(pa.array(whole).cast(pa.string()), digits, ".")
    return pc.if_else(pa.array(is_told), pc.binary_join_element_wise(amount, "USD", " "), "")
