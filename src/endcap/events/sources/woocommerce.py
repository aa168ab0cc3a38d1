"""Products as WooCommerce exports them: one CSV row a product or a variation."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from endcap.core.clock import next_day
from endcap.core.errors import Code, SourceError, near
from endcap.events.catalogue_config import WooCommerceCatalogue
from endcap.events.feed import Product, Unread
from endcap.events.sources.lines import read_rows

__all__ = ["WOOCOMMERCE_HEADERS", "woocommerce_products"]

WOOCOMMERCE_HEADERS = ("ID", "Type", "SKU", "Name", "Regular price")
"""Columns by which an export is known."""

_FIRST, _LAST = "1970-01-01", "9999-12-31"
_HIDDEN = ("hidden",)

_Row = Mapping[str, str]


def woocommerce_products(path: Path, settings: WooCommerceCatalogue) -> Iterator[tuple[int, Product | Unread]]:
    """Yield what can be bought, with the place of its row.

    Drafts, private and hidden products are left out. A product with variations has no price of its own: it costs what
    the cheapest of them costs, and is in stock if one of them is. Where events name SKUs, variations are items and the
    products that they are of are not.

    Args:
        path: The file.
        settings: What events name.

    Raises:
        SourceError: The file is missing, no text, or lacks a column.
    """
    export = _Export()
    rows = read_rows(path, delimiter=",")
    header = [name.strip() for name in next(rows, [])]
    _require(header, path)
    for place, values in enumerate(rows):
        if len(values) == len(header):
            export.add(place, dict(zip(header, (value.strip() for value in values), strict=True)))
        elif any(values):
            yield place, Unread(",".join(values), "number of fields differs from the header")
    for place, row in export.orphans():
        yield place, Unread(",".join(row.values()), "its product is not in the file")
    for place, row in export.products:
        own = export.variations_of(row)
        if settings.item_id == "sku" and own:
            yield from ((at, _product(each, row, each["SKU"])) for at, each in own)
        else:
            item_id = row["ID"] if settings.item_id == "id" else row["SKU"]
            yield place, _product(_cheapest(row, [each for _, each in own]), row, item_id)


class _Export:
    """The rows of an export, variations apart by what they are variations of."""

    def __init__(self) -> None:
        self.products: list[tuple[int, _Row]] = []
        self._variations: dict[tuple[str, str], list[tuple[int, _Row]]] = {}
        self._known: set[tuple[str, str]] = set()

    def add(self, place: int, row: _Row) -> None:
        """Add a row; what is not published or hidden is only known to be there."""
        is_public = row.get("Published", "1") == "1"
        if "variation" in _types(row):
            if is_public:
                self._variations.setdefault(_parent(row), []).append((place, row))
            return
        self._known |= {("id", row["ID"]), ("sku", row["SKU"])}
        if is_public and row.get("Visibility in catalog", "") not in _HIDDEN:
            self.products.append((place, row))

    def orphans(self) -> Iterator[tuple[int, _Row]]:
        """Yield the variations of products that are not in the file."""
        for parent, rows in self._variations.items():
            if parent not in self._known:
                yield from rows

    def variations_of(self, row: _Row) -> list[tuple[int, _Row]]:
        """Return the variations of a product, which may name it by its id or its SKU, in their order."""
        by_id, by_sku = (self._variations.get(each, []) for each in (("id", row["ID"]), ("sku", row["SKU"])))
        return sorted(by_id + by_sku, key=lambda each: each[0])


def _parent(row: _Row) -> tuple[str, str]:
    """Return how a variation names its product: `id:12`, or an SKU."""
    name = row.get("Parent", "")
    return ("id", name.removeprefix("id:")) if name.startswith("id:") else ("sku", name)


def _require(header: list[str], path: Path) -> None:
    for name in WOOCOMMERCE_HEADERS:
        if name not in header:
            raise SourceError(
                f"the products have no column {name!r}; {near(name, header)}",
                where=path.name,
                fix="export the products again: WooCommerce, Products, Export, with all columns and English headers",
                code=Code.SOURCE_COLUMN,
            )


def _types(row: _Row) -> list[str]:
    return [each.strip() for each in row.get("Type", "").split(",")]


def _cheapest(row: _Row, variations: list[_Row]) -> _Row:
    """Return what a product costs and whether it is there, which its variations say where it has some."""
    if not variations:
        return row
    there = [each for each in variations if _availability(each) != "out_of_stock"] or variations
    return min(there, key=lambda each: _amount(each.get("Sale price") or each.get("Regular price", "")))


def _product(priced: _Row, described: _Row, item_id: str) -> Product:
    """Return a product: its price and stock from one row, the rest from its own or its parent's."""
    name = priced.get("Name") or described.get("Name", "")
    found = {
        "id": item_id,
        "title": name if priced.get("SKU") == item_id else described.get("Name", ""),
        "product_type": _category(described.get("Categories", "")),
        "brand": described.get("Brands", ""),
        "price": priced.get("Regular price", ""),
        "sale_price": priced.get("Sale price", ""),
        "sale_price_effective_date": _period(priced) if priced.get("Sale price") else "",
        "availability": _availability(priced),
        "image_link": (priced.get("Images", "") or described.get("Images", "")).split(",")[0].strip(),
    }
    return {key: value for key, value in found.items() if value}


def _category(written: str) -> str:
    """Return the first category of "Clothing > Shirts, Sale"; a comma within a name stands behind a backslash."""
    first = written.replace("\\,", "\0").split(",")[0]
    return first.replace("\0", ",").strip()


def _availability(row: _Row) -> str:
    told = row.get("In stock?", "").lower()
    if told == "backorder":
        return "backorder"
    return "out_of_stock" if told == "0" else "in_stock"


def _period(row: _Row) -> str:
    """Return the days of a sale, both whole, in UTC: the export does not tell the shop's zone."""
    first, last = row.get("Date sale price starts", ""), row.get("Date sale price ends", "")
    if not (first or last):
        return ""
    try:
        return f"{first[:10] or _FIRST}/{next_day(last[:10]) if last else _LAST}"
    except (ValueError, OverflowError):
        return f"{first}/{last}"


def _amount(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        return float("inf")
