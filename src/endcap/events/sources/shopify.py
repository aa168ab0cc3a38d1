"""Products as Shopify exports them: one CSV row a variant or a picture, the first row of a product describes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from endcap.core.errors import Code, SourceError, near
from endcap.events.catalogue_config import ShopifyCatalogue
from endcap.events.feed import Product, Unread
from endcap.events.sources.lines import read_rows

__all__ = ["SHOPIFY_HEADERS", "shopify_products"]

# Our name -> header since 2025, header before.
_COLUMNS = {
    "handle": ("URL handle", "Handle"),
    "title": ("Title", "Title"),
    "vendor": ("Vendor", "Vendor"),
    "category": ("Product category", "Product Category"),
    "type": ("Type", "Type"),
    "published": ("Published on online store", "Published"),
    "status": ("Status", "Status"),
    "sku": ("SKU", "Variant SKU"),
    "price": ("Price", "Variant Price"),
    "tracker": ("Inventory tracker", "Variant Inventory Tracker"),
    "quantity": ("Inventory quantity", "Variant Inventory Qty"),
    "when_out": ("Continue selling when out of stock", "Variant Inventory Policy"),
    "image": ("Product image URL", "Image Src"),
    "options": ("Option1 value", "Option1 Value"),
}
SHOPIFY_HEADERS = (("URL handle", "Title"), ("Handle", "Title", "Variant Price"))
"""Columns by which an export is known, of either generation."""

_NEEDED = ("handle", "title", "price")
_SELLS_ON = ("continue", "true", "yes")
_SOLD = ("", "active")


@dataclass
class _Goods:
    """A product: what its first row says, and its rows with a variant.

    Args:
        place: Of its first row.
        first: The row.
        variants: Rows with their places.
    """

    place: int
    first: Mapping[str, str]
    variants: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)


def shopify_products(path: Path, settings: ShopifyCatalogue) -> Iterator[tuple[int, Product | Unread]]:
    """Yield what can be bought, with the place of its row: products, or variants where events name SKUs.

    Drafts, archived products and those that are not published are left out. A product costs what its cheapest variant
    costs, and is in stock if one of them is.

    Args:
        path: The file.
        settings: What events name.

    Raises:
        SourceError: The file is missing, no text, or lacks a column.
    """
    goods: dict[str, _Goods] = {}
    rows = read_rows(path, delimiter=",")
    header = _header(next(rows, []), path)
    for place, values in enumerate(rows):
        if len(values) != len(header):
            if any(values):
                yield place, Unread(",".join(values), "number of fields differs from the header")
            continue
        row = dict(zip(header, (value.strip() for value in values), strict=True))
        handle = row.get("handle", "")
        each = goods.setdefault(handle or f"row {place}", _Goods(place, row))
        if row.get("price") or row.get("sku"):
            each.variants.append((place, row))
    for each in goods.values():
        if _is_sold(each.first):
            yield from _variants(each) if settings.item_id == "sku" else [(each.place, _product(each))]


def _header(header: list[str], path: Path) -> list[str]:
    """Return the header in our names; columns that nothing is read from keep their own."""
    ours = {theirs: name for name, both in _COLUMNS.items() for theirs in both}
    named = [ours.get(name.strip(), name.strip()) for name in header]
    for name in _NEEDED:
        if name not in named:
            wanted = _COLUMNS[name][0]
            raise SourceError(
                f"the products have no column {wanted!r}; {near(wanted, header)}",
                where=path.name,
                fix="export the products again from Shopify: Products, Export, CSV",
                code=Code.SOURCE_COLUMN,
            )
    return named


def _is_sold(row: Mapping[str, str]) -> bool:
    return row.get("status", "").lower() in _SOLD and row.get("published", "").lower() != "false"


def _product(goods: _Goods) -> Product:
    rows = [row for _, row in goods.variants] or [goods.first]
    prices = [row["price"] for row in rows if row.get("price")]
    in_stock = any(_in_stock(row) for row in rows)
    return {
        **_described(goods.first),
        "id": goods.first.get("handle", ""),
        "price": min(prices, key=_amount, default=""),
        "availability": "in_stock" if in_stock else "out_of_stock",
    }


def _variants(goods: _Goods) -> Iterator[tuple[int, Product]]:
    """Yield the variants that have a SKU; one of several has its option in the title."""
    for place, row in goods.variants:
        option = row.get("options", "") if len(goods.variants) > 1 else ""
        told = _described(goods.first)
        title = f"{told.get('title', '')}, {option}" if option else told.get("title", "")
        availability = "in_stock" if _in_stock(row) else "out_of_stock"
        own = {"id": row.get("sku", ""), "title": title, "price": row.get("price", ""), "availability": availability}
        yield place, {**told, **own}


def _described(row: Mapping[str, str]) -> dict[str, str]:
    found = {
        "title": row.get("title", ""),
        "product_type": row.get("category", "") or row.get("type", ""),
        "brand": row.get("vendor", ""),
        "link": f"/products/{row['handle']}" if row.get("handle") else "",
        "image_link": row.get("image", ""),
    }
    return {name: value for name, value in found.items() if value}


def _in_stock(row: Mapping[str, str]) -> bool:
    """Say whether a variant can be bought: its stock is not counted, or there is some, or it is sold without."""
    if not row.get("tracker") or row.get("when_out", "").lower() in _SELLS_ON:
        return True
    # Shops of several locations export no quantity: then nothing says that there is none.
    return not row.get("quantity") or _amount(row["quantity"]) > 0


def _amount(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        return 0.0
