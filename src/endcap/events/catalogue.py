"""The shop's catalogue as a feed: which kind a file is, and who reads it."""

import csv
from collections.abc import Iterator
from pathlib import Path

from endcap.core.errors import SourceError
from endcap.events.catalogue_config import (
    Catalogue,
    JsonLdCatalogue,
    MerchantCatalogue,
    ShopifyCatalogue,
    WooCommerceCatalogue,
)
from endcap.events.feed import Feed, Product, Unread, feed_of
from endcap.events.sources.json_ld import json_ld_products
from endcap.events.sources.lines import plain_name, read_content
from endcap.events.sources.merchant import UPDATED, merchant_products
from endcap.events.sources.merchant_json import merchant_json_products
from endcap.events.sources.merchant_xml import merchant_xml_products
from endcap.events.sources.shopify import SHOPIFY_HEADERS, shopify_products
from endcap.events.sources.woocommerce import WOOCOMMERCE_HEADERS, woocommerce_products

__all__ = ["KIND_NAMES", "catalogue_kind", "is_update", "read_catalogue", "read_update"]

KIND_NAMES = {
    "merchant": "a Google Merchant feed",
    "shopify": "Shopify's products",
    "woocommerce": "WooCommerce's products",
    "json_ld": "schema.org products",
}
"""What people call each kind."""

_TEXT, _XML = (".tsv", ".txt"), (".xml", ".rss", ".atom")
_JSON = (".json", ".jsonl", ".ndjson", ".jsonld", ".html", ".htm")
_LOOKED_AT = 1 << 16  # bytes
# By which columns, or which words at its beginning, a file is known.
_TEXT_SIGNS = (("merchant", ("id", "title")),)
_CSV_SIGNS = (("woocommerce", WOOCOMMERCE_HEADERS), *(("shopify", columns) for columns in SHOPIFY_HEADERS))
_XML_SIGNS = (("merchant", (b"base.google.com/ns/1.0",)),)
_JSON_SIGNS = (("merchant", (b'"offerId"',)), ("json_ld", (b"schema.org", b"Product")))


def read_catalogue(path: Path, settings: Catalogue, *, default_currency: str | None, day: str) -> Feed:
    """Read a catalogue.

    Args:
        path: The file.
        settings: How it is read.
        default_currency: Of prices that name none.
        day: Partition of QUARANTINE under which bad lines are booked.

    Raises:
        SourceError: The file is missing, no such catalogue, or lacks what every product needs.
    """
    products = _products(path, settings)
    return feed_of(products, path.name, default_currency=default_currency, day=day)


def read_update(path: Path, settings: Catalogue, *, default_currency: str | None, day: str) -> Feed:
    """Read an update of prices and stock, in the words of Merchant's supplemental feeds whatever the catalogue's kind.

    Args:
        path: The file: `id`, and `price`, `sale_price` (with its time) or `availability`, what is empty is not said.
        settings: How the catalogue is read: a text feed of Merchant's has its columns' own names here too.
        default_currency: Of prices that name none.
        day: Partition of QUARANTINE under which bad lines are booked.

    Raises:
        SourceError: The file is missing, damaged, or lacks `id` or all that an update may say.
    """
    merchant = settings if isinstance(settings, MerchantCatalogue) else MerchantCatalogue()
    products = _merchant(path, merchant, is_update=True)
    return feed_of(products, path.name, default_currency=default_currency, day=day, is_update=True)


def _products(path: Path, settings: Catalogue) -> Iterator[tuple[int, Product | Unread]]:
    match settings:
        case ShopifyCatalogue():
            return shopify_products(path, settings)
        case WooCommerceCatalogue():
            return woocommerce_products(path, settings)
        case JsonLdCatalogue():
            return json_ld_products(path, settings)
        case MerchantCatalogue():
            return _merchant(path, settings, is_update=False)


def _merchant(path: Path, settings: MerchantCatalogue, *, is_update: bool) -> Iterator[tuple[int, Product | Unread]]:
    name = plain_name(path)
    if name.endswith(_XML):
        return iter(merchant_xml_products(path))
    if name.endswith(_JSON):
        return merchant_json_products(path)
    return merchant_products(path, settings, is_update=is_update)


def catalogue_kind(path: Path) -> str:
    """Return the kind of catalogue that a file seems to be, "" for none: by its header or its first words."""
    name = plain_name(path)
    if not name.endswith((*_TEXT, *_XML, *_JSON, ".csv")):
        return ""
    try:
        head = read_content(path, most=_LOOKED_AT)
    except SourceError:
        return ""
    if name.endswith((*_TEXT, ".csv")):
        header = _header(head, "," if name.endswith(".csv") else "\t")
        signs = _CSV_SIGNS if name.endswith(".csv") else _TEXT_SIGNS
        return next((kind for kind, columns in signs if {*columns} <= header), "")
    words = _XML_SIGNS if name.endswith(_XML) else _JSON_SIGNS
    return next((kind for kind, told in words if all(word in head for word in told)), "")


def is_update(path: Path) -> bool:
    """Say whether a file seems to be an update of prices or stock: text with an id, a price or stock, and no title."""
    name = plain_name(path)
    if not name.endswith((*_TEXT, ".csv")):
        return False
    try:
        head = read_content(path, most=_LOOKED_AT)
    except SourceError:
        return False
    header = _header(head, "," if name.endswith(".csv") else "\t")
    return "id" in header and "title" not in header and not header.isdisjoint(UPDATED)


def _header(head: bytes, delimiter: str) -> set[str]:
    line = head.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    return {name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])}
